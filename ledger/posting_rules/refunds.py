"""Refunds: accepted, given back, refused, or paid into a wallet (chart rows B1, B2, B3, B5, F5, and J1's mirror)."""

from ledger.chart import (
    channel_receivable,
    merchant_pending,
    merchant_receivable,
    refund_in_transit,
    suspense_debit,
    wallet_available,
)
from ledger.events.refunds import RefundFailed, RefundPaidToWallet, RefundRequested, RefundSucceeded, RefundUnapplied
from ledger.journal import JournalEntry, Posting, credit, debit, entry_of, opposite
from ledger.posting_rules.transfers import Rules


def _taken_from_merchant(merchant: str, amount: int, short: int, currency: str) -> tuple[Posting, Posting]:
    # Sales stand on `pending` until they are released to the merchant; what they do not cover becomes a debt.
    return (
        debit(merchant_pending(merchant, currency), amount - short, currency),
        debit(merchant_receivable(merchant, currency), short, currency),
    )


def requested(event: RefundRequested) -> JournalEntry:
    """B1, and B2 where the merchant's sales do not cover it."""
    return entry_of(
        *_taken_from_merchant(event.merchant, event.amount, event.short, event.currency),
        credit(refund_in_transit(event.merchant, event.currency), event.amount, event.currency),
    )


def succeeded(event: RefundSucceeded) -> JournalEntry:
    """B3: the channel will net it from a settlement."""
    return entry_of(
        debit(refund_in_transit(event.merchant, event.currency), event.amount, event.currency),
        credit(channel_receivable(event.channel, event.currency), event.amount, event.currency),
    )


def failed(event: RefundFailed) -> JournalEntry:
    """B5: the exact opposite of B1 and B2."""
    return entry_of(
        debit(refund_in_transit(event.merchant, event.currency), event.amount, event.currency),
        *opposite(_taken_from_merchant(event.merchant, event.amount, event.short, event.currency)),
    )


def paid_to_wallet(event: RefundPaidToWallet) -> JournalEntry:
    """F5."""
    return entry_of(
        *_taken_from_merchant(event.merchant, event.amount, event.short, event.currency),
        credit(wallet_available(event.customer, event.currency), event.amount, event.currency),
    )


def unapplied(event: RefundUnapplied) -> JournalEntry:
    """J1 the other way round: the channel will net money from a settlement that we did not, or no longer, owe."""
    return entry_of(
        debit(suspense_debit(event.channel, event.currency), event.amount, event.currency),
        credit(channel_receivable(event.channel, event.currency), event.amount, event.currency),
    )


ENTRY_RULES: Rules = {
    RefundRequested: requested,
    RefundSucceeded: succeeded,
    RefundFailed: failed,
    RefundPaidToWallet: paid_to_wallet,
    RefundUnapplied: unapplied,
}
