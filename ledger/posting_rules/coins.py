"""Coins: received, applied, kept apart, given back, taken back by their chain, sold (rows H2, H3, H5, H6)."""

from ledger.chart import channel_fee, channel_receivable, coin_custody, fx_position, unapplied_receipts
from ledger.events.coins import (
    CoinsSold,
    NetworkFeePaid,
    PaymentCoinsDropped,
    PaymentCoinsGivenBack,
    PaymentCoinsReversed,
    PaymentCoinsUnapplied,
    PaymentPaidInCoins,
)
from ledger.journal import JournalEntry, Posting, credit, debit, entry_of, opposite
from ledger.posting_rules.channel_fees import accrued
from ledger.posting_rules.payments import owed_to_merchant
from ledger.posting_rules.transfers import Rules


def _kept_apart(channel: str, amount: int, coin: str) -> tuple[Posting, Posting]:
    return debit(coin_custody(channel, coin), amount, coin), credit(unapplied_receipts(channel, coin), amount, coin)


def unapplied(event: PaymentCoinsUnapplied) -> JournalEntry:
    """H5."""
    return entry_of(*_kept_apart(event.channel, event.amount, event.currency))


def taken_out(event: PaymentCoinsDropped | PaymentCoinsGivenBack) -> JournalEntry:
    """The opposite of H5."""
    return entry_of(*opposite(_kept_apart(event.channel, event.amount, event.currency)))


def _paid(event: PaymentPaidInCoins) -> tuple[Posting, ...]:
    coin, apart = event.coin, unapplied_receipts(event.channel, event.coin)
    units = (coin, event.currency)
    return (
        debit(coin_custody(event.channel, coin), event.applied + event.excess, coin),
        debit(apart, event.from_unapplied, coin),
        credit(fx_position(event.channel, units, coin), event.applied + event.from_unapplied, coin),
        credit(apart, event.excess, coin),
        debit(fx_position(event.channel, units, event.currency), event.amount, event.currency),
        *owed_to_merchant(
            event.merchant,
            event.product,
            event.amount,
            event.fee,
            event.currency,
            tax=event.tax,
            invoiced=event.invoiced,
        ),
        *accrued(event),
    )


def paid(event: PaymentPaidInCoins) -> JournalEntry:
    """H2, with what was kept apart before, and only the excess kept apart now (H5)."""
    return entry_of(*_paid(event))


def reversed_(event: PaymentCoinsReversed) -> JournalEntry | None:
    """The exact opposite of what was paid."""
    postings = [posting for posting in opposite(_paid(event.paid)) if posting.amount]
    return JournalEntry(tuple(postings)) if postings else None


def sold(event: CoinsSold) -> JournalEntry:
    """H3."""
    coin, other = event.currency, event.settled_currency
    units = (coin, other)
    return entry_of(
        debit(channel_receivable(event.exchange, other), event.proceeds, other),
        debit(fx_position(event.channel, units, coin), event.amount, coin),
        credit(fx_position(event.channel, units, other), event.proceeds, other),
        credit(coin_custody(event.channel, coin), event.amount, coin),
    )


def network_fee_paid(event: NetworkFeePaid) -> JournalEntry:
    """H6."""
    return entry_of(
        debit(channel_fee(event.channel, event.currency), event.amount, event.currency),
        credit(coin_custody(event.channel, event.currency), event.amount, event.currency),
    )


ENTRY_RULES: Rules = {
    PaymentCoinsUnapplied: unapplied,
    PaymentCoinsDropped: taken_out,
    PaymentCoinsGivenBack: taken_out,
    PaymentPaidInCoins: paid,
    PaymentCoinsReversed: reversed_,
    CoinsSold: sold,
    NetworkFeePaid: network_fee_paid,
}
