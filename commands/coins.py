"""Coins: what a payer sends to the address of a payment, judged transaction by transaction.

seen ──(enough blocks)──▶ paid (with what was too little before; only the excess is kept apart)
                    └───▶ kept apart: too little (the payer may send the rest), too late, or for what is paid already
     ◀──(the chain took it back)── paid: the opposite entry, and the payment waits again
"""

from datetime import datetime, timedelta

from commands.books import Books
from commands.channel_facts import with_effect, without_effect
from commands.channels.channel import Charged, CoinsSeen, CoinTransfer
from commands.envelope import Decision
from commands.policies.coins import COINS
from commands.policies.fees import channel_fee, invoices_fee
from ledger.events.coins import (
    PaymentCoinsDropped,
    PaymentCoinsReversed,
    PaymentCoinsSeen,
    PaymentCoinsUnapplied,
    PaymentPaidInCoins,
)
from ledger.events.event import Event, Metadata, Recorded
from ledger.events.payments import PaymentActionRequired
from ledger.payment import APART, APPLIED, PROCESSING, REQUIRES_ACTION, SEEN, Attempt, Payment
from ledger.payment_state import evolve

LONGEST_CONFIRMATION = timedelta(days=1)
_OPEN = (PROCESSING, REQUIRES_ACTION)


def coins_seen(books: Books, payment: Payment, attempt: Attempt, seen: CoinsSeen) -> Decision:
    """What the transactions of this message do to the payment, one after the other."""
    name, events = payment.created.id, list[Event]()
    if seen.coin == attempt.currency:
        for transfer in seen.transfers:
            for event in _taken(books.now, payment, attempt, transfer):
                events.append(event)
                imagined = Recorded(name, payment.version + 1, 0, books.now, event, Metadata(""))
                payment = evolve(payment, imagined)
    if not events:
        return without_effect(name, "ignored", payment.position)
    apart = any(isinstance(event, PaymentCoinsUnapplied) for event in events)
    return with_effect(books, name, events, name, "unapplied" if apart else "recorded")


def charged_in_coins(charged: Charged, attempt: Attempt) -> CoinsSeen:
    """What a gateway means that only says that it has the coins."""
    transfer = CoinTransfer(charged.channel_reference, charged.amount, _required(attempt), charged.at)
    return CoinsSeen(charged.channel_reference, charged.currency, (transfer,))


def has_coins_on_their_way(payment: Payment, now: datetime) -> bool:
    """Whether transactions that came in time are not deep enough yet; one that never will be is waited for a day."""
    locked = payment.created.exchange
    waiting = any(receipt.status == SEEN and not receipt.late for receipt in payment.coins)
    return waiting and locked is not None and now < locked.expires_at + LONGEST_CONFIRMATION


def _required(attempt: Attempt) -> int:
    return COINS[attempt.currency].confirmations


def _taken(now: datetime, payment: Payment, attempt: Attempt, transfer: CoinTransfer) -> list[Event]:
    known = payment.coin(transfer.txid)
    if transfer.dropped:
        return _dropped(payment, attempt, transfer)
    if known is not None and known.status != SEEN:
        return []
    amount = transfer.amount if known is None else known.amount
    late = _is_late(payment, transfer) if known is None else known.late
    if transfer.confirmations < _required(attempt):
        if known is not None and known.confirmations == transfer.confirmations:
            return []
        return [_seen(attempt, transfer, amount, late)]
    if payment.status not in _OPEN:
        # It never counts for this payment, whatever the chain takes back of what paid it.
        return [_apart(attempt, transfer.txid, amount, f"the payment is {payment.status} already", late=True)]
    if late:
        return [_apart(attempt, transfer.txid, amount, "the price had expired", late)]
    missing = attempt.amount - payment.coins_counting
    if amount < missing:
        too_little = _apart(attempt, transfer.txid, amount, "too little", late)
        return [too_little, *_rest_asked(now, payment, attempt, missing - amount)]
    return [_paid(payment, attempt, transfer.txid, amount, missing, payment.coins_counting)]


def _is_late(payment: Payment, transfer: CoinTransfer) -> bool:
    locked = payment.created.exchange
    return locked is not None and transfer.at > locked.expires_at


def _seen(attempt: Attempt, transfer: CoinTransfer, amount: int, late: bool) -> Event:
    return PaymentCoinsSeen(
        attempt.id, transfer.txid, amount, attempt.currency, transfer.confirmations, _required(attempt), late
    )


def _apart(attempt: Attempt, txid: str, amount: int, because: str, late: bool = False) -> Event:
    return PaymentCoinsUnapplied(attempt.id, attempt.channel, txid, amount, attempt.currency, because, late)


def _rest_asked(now: datetime, payment: Payment, attempt: Attempt, rest: int) -> list[Event]:
    """The payer may send the rest to the same address, as long as the price is good."""
    action, locked = payment.action, payment.created.exchange
    if action is None or locked is None or locked.expires_at <= now:
        return []
    data = {**action.data, "amount": str(rest)}
    return [
        PaymentActionRequired(attempt.id, action.action, action.channel_reference, action.url, data, action.expires_at)
    ]


def _paid(payment: Payment, attempt: Attempt, txid: str, amount: int, missing: int, before: int) -> Event:
    """`missing` of this transaction's coins are needed, beside those that came `before`."""
    created = payment.created
    return PaymentPaidInCoins(
        attempt=attempt.id,
        channel=attempt.channel,
        txid=txid,
        merchant=created.merchant,
        product=created.product,
        amount=created.amount,
        currency=created.currency,
        fee=created.fee,
        tax=created.tax,
        invoiced=created.invoiced,
        channel_fee=channel_fee(attempt.channel, created.amount),
        fee_payable=invoices_fee(attempt.channel),
        coin=attempt.currency,
        applied=missing,
        from_unapplied=before,
        excess=amount - missing,
    )


def _dropped(payment: Payment, attempt: Attempt, transfer: CoinTransfer) -> list[Event]:
    """The chain was reorganised, and the transaction is in no block any more."""
    known, paid = payment.coin(transfer.txid), payment.paid_in_coins
    if known is None or (known.status == SEEN and known.confirmations == 0):
        return []
    dropped = PaymentCoinsDropped(attempt.id, attempt.channel, known.txid, known.amount, attempt.currency)
    if known.status == APART:
        return [dropped]
    if known.status == SEEN:
        return [_seen(attempt, CoinTransfer(known.txid, known.amount, 0, transfer.at), known.amount, known.late)]
    if paid is None:
        raise AssertionError(f"{known.txid} paid for {payment.created.id}, which is not paid in coins")
    reversed_ = PaymentCoinsReversed(attempt.id, known.txid, paid)
    if paid.txid == known.txid:
        return [reversed_]
    # The last transaction stands: it pays alone, with what else came before it, or is too little now.
    others = sum(
        one.amount for one in payment.coins if one.status == APPLIED and one.txid not in (known.txid, paid.txid)
    )
    amount, missing = paid.applied + paid.excess, attempt.amount - others
    if amount < missing:
        return [reversed_, dropped, _apart(attempt, paid.txid, amount, "too little")]
    return [reversed_, dropped, _paid(payment, attempt, paid.txid, amount, missing, others)]
