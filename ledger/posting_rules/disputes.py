"""Disputes: money that the channel takes back, holds and gives back, and who bears it in the end.

Rows C2 to C6 of the table of events; C1 posts nothing. What nobody here can be charged for stands in suspense.
"""

from ledger.chart import (
    channel_receivable,
    chargeback_loss,
    dispute_cost,
    dispute_fee,
    dispute_receivable,
    merchant_available,
    merchant_dispute_hold,
    merchant_pending,
    merchant_receivable,
    suspense_debit,
)
from ledger.dispute import PLATFORM, DisputeShare
from ledger.events.disputes import (
    DisputeFundsReturned,
    DisputeFundsTaken,
    DisputeLossReversed,
    DisputeLost,
    DisputeMoved,
)
from ledger.journal import JournalEntry, Posting, credit, debit, entry_of, opposite
from ledger.posting_rules.transfers import Rules


def _from_merchant(merchant: str, amount: int, from_available: int, short: int, currency: str) -> tuple[Posting, ...]:
    return (
        debit(merchant_pending(merchant, currency), amount - from_available - short, currency),
        debit(merchant_available(merchant, currency), from_available, currency),
        debit(merchant_receivable(merchant, currency), short, currency),
    )


def _share_of_merchant(merchant: str, share: DisputeShare, currency: str) -> tuple[Posting, ...]:
    return _from_merchant(merchant, share.held, share.from_available, share.short, currency)


def moved(event: DisputeMoved) -> JournalEntry | None:
    """C1: a state only; the channel's fee of C2, whenever it is told."""
    if not event.channel_fee:
        return None
    return entry_of(
        debit(dispute_cost(event.channel, event.currency), event.channel_fee, event.currency),
        credit(channel_receivable(event.channel, event.currency), event.channel_fee, event.currency),
    )


def _taken(event: DisputeFundsTaken | DisputeFundsReturned) -> tuple[Posting, ...]:
    share, currency = event.share, event.currency
    return (
        debit(dispute_receivable(event.channel, currency), share.held, currency),
        debit(suspense_debit(event.channel, currency), share.suspended, currency),
        credit(channel_receivable(event.channel, currency), event.amount, currency),
        *_share_of_merchant(event.merchant, share, currency),
        credit(merchant_dispute_hold(event.merchant, currency), share.held, currency),
    )


def funds_taken(event: DisputeFundsTaken) -> JournalEntry:
    """C2 and C6."""
    taken = (event.merchant, event.fee, event.fee_from_available, event.fee_short, event.currency)
    return entry_of(
        *_taken(event),
        *_from_merchant(*taken),
        credit(dispute_fee(event.merchant, event.currency), event.fee, event.currency),
    )


def funds_returned(event: DisputeFundsReturned) -> JournalEntry:
    """C3: the opposite of C2, without the fees."""
    return entry_of(*opposite(_taken(event)))


def _borne(event: DisputeLost | DisputeLossReversed) -> tuple[Posting, ...]:
    share, currency = event.share, event.currency
    released = (
        debit(merchant_dispute_hold(event.merchant, currency), share.held, currency),
        credit(dispute_receivable(event.channel, currency), share.held, currency),
    )
    if event.liable != PLATFORM:
        return released
    return (
        debit(chargeback_loss(event.channel, currency), share.held, currency),
        *released,
        *opposite(_share_of_merchant(event.merchant, share, currency)),
    )


def lost(event: DisputeLost) -> JournalEntry | None:
    """C4; C5 where the platform is liable. What is in suspense stays there until somebody decides."""
    return entry_of(*_borne(event)) if event.share.held else None


def loss_reversed(event: DisputeLossReversed) -> JournalEntry | None:
    """The exact opposite of C4 or C5."""
    return entry_of(*opposite(_borne(event))) if event.share.held else None


ENTRY_RULES: Rules = {
    DisputeMoved: moved,
    DisputeFundsTaken: funds_taken,
    DisputeFundsReturned: funds_returned,
    DisputeLost: lost,
    DisputeLossReversed: loss_reversed,
}
