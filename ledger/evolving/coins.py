"""Coins: what a payment becomes by the transactions that its payer sends, and by what their chain takes back."""

from collections.abc import Callable

from msgspec.structs import replace

from ledger.events.coins import (
    PaymentCoinsDropped,
    PaymentCoinsGivenBack,
    PaymentCoinsReversed,
    PaymentCoinsSeen,
    PaymentCoinsUnapplied,
    PaymentPaidInCoins,
)
from ledger.events.event import Recorded
from ledger.evolving.payments import Evolvers, with_attempt
from ledger.payment import APART, APPLIED, PROCESSING, SEEN, SUCCEEDED, CoinReceipt, Payment


def _with(payment: Payment, receipt: CoinReceipt) -> Payment:
    known = payment.coin(receipt.txid)
    if known is None:
        return replace(payment, coins=(*payment.coins, receipt))
    return _changed(payment, lambda one: receipt if one.txid == receipt.txid else one)


def _changed(payment: Payment, change: Callable[[CoinReceipt], CoinReceipt]) -> Payment:
    return replace(payment, coins=tuple(change(one) for one in payment.coins))


def seen(payment: Payment, event: PaymentCoinsSeen, recorded: Recorded) -> Payment:
    return _with(payment, CoinReceipt(event.txid, event.amount, event.confirmations, event.late))


def unapplied(payment: Payment, event: PaymentCoinsUnapplied, recorded: Recorded) -> Payment:
    known = payment.coin(event.txid)
    confirmations = 0 if known is None else known.confirmations
    kept = CoinReceipt(event.txid, event.amount, confirmations, event.late, APART)
    return replace(_with(payment, kept), coins_apart=payment.coins_apart + event.amount)


def paid(payment: Payment, event: PaymentPaidInCoins, recorded: Recorded) -> Payment:
    # What was too little before pays with it; what came late never does.
    changed = _changed(payment, lambda one: replace(one, status=APPLIED) if one.counts else one)
    changed = _with(changed, CoinReceipt(event.txid, event.applied + event.excess, 0, status=APPLIED))
    changed = with_attempt(changed, event.attempt, lambda one: replace(one, status=SUCCEEDED, reference=event.txid))
    return replace(
        changed,
        status=SUCCEEDED,
        action=None,
        captured=payment.captured + event.amount,
        coins_apart=payment.coins_apart + event.excess - event.from_unapplied,
        paid_in_coins=event,
    )


def reversed_(payment: Payment, event: PaymentCoinsReversed, recorded: Recorded) -> Payment:
    def change(one: CoinReceipt) -> CoinReceipt:
        if one.txid == event.paid.txid:
            return replace(one, status=SEEN, confirmations=0)
        return replace(one, status=APART) if one.status == APPLIED else one

    changed = with_attempt(_changed(payment, change), event.attempt, lambda one: replace(one, status=PROCESSING))
    return replace(
        changed,
        status=PROCESSING,
        captured=payment.captured - event.paid.amount,
        coins_apart=payment.coins_apart + event.paid.from_unapplied - event.paid.excess,
        paid_in_coins=None,
    )


def dropped(payment: Payment, event: PaymentCoinsDropped, recorded: Recorded) -> Payment:
    def change(one: CoinReceipt) -> CoinReceipt:
        return replace(one, status=SEEN, confirmations=0) if one.txid == event.txid else one

    return replace(_changed(payment, change), coins_apart=payment.coins_apart - event.amount)


def given_back(payment: Payment, event: PaymentCoinsGivenBack, recorded: Recorded) -> Payment:
    return replace(payment, coins_apart=payment.coins_apart - event.amount)


EVOLVERS: Evolvers = {
    PaymentCoinsSeen: seen,
    PaymentCoinsUnapplied: unapplied,
    PaymentPaidInCoins: paid,
    PaymentCoinsReversed: reversed_,
    PaymentCoinsDropped: dropped,
    PaymentCoinsGivenBack: given_back,
}
