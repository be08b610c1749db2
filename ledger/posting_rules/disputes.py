"""Disputes: money that the channel takes back, holds and gives back, and who bears it in the end.

Rows C2 to C6 of the table of events; C1 posts nothing. A merchant who is owed in another currency bears them in that,
at the rate of the payment, and a principal out of its balance. What nobody can be charged for stands in suspense.
"""

from ledger.chart import (
    agency_balance,
    channel_receivable,
    chargeback_loss,
    dispute_cost,
    dispute_fee,
    dispute_receivable,
    fx_position,
    merchant_available,
    merchant_dispute_hold,
    merchant_pending,
    merchant_receivable,
    principal_dispute_hold,
    principal_receivable,
    suspense_debit,
)
from ledger.dispute import PLATFORM
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


_Moved = DisputeFundsTaken | DisputeFundsReturned | DisputeLost | DisputeLossReversed


def _owed_in(event: _Moved) -> str:
    """The currency in which whoever bears it is owed."""
    return event.share.currency or event.currency


def _borne(event: _Moved) -> tuple[Posting, ...]:
    """What whoever bears it gives up."""
    share, currency = event.share, _owed_in(event)
    if not share.collected:
        return _from_merchant(event.merchant, share.borne, share.from_available, share.short, currency)
    return (
        debit(agency_balance(event.merchant, currency), share.borne - share.short, currency),
        debit(principal_receivable(event.merchant, currency), share.short, currency),
    )


def _held(event: _Moved) -> str:
    """The account on which it waits for the decision."""
    hold = principal_dispute_hold if event.share.collected else merchant_dispute_hold
    return hold(event.merchant, _owed_in(event))


def _exchanged(event: DisputeFundsTaken | DisputeFundsReturned) -> tuple[Posting, ...]:
    """I1 the other way round, at the rate of the payment."""
    share, own = event.share, _owed_in(event)
    if not share.currency:
        return ()
    units = (event.currency, own)
    return (
        debit(fx_position(event.channel, units, event.currency), share.held, event.currency),
        credit(fx_position(event.channel, units, own), share.cost, own),
    )


def moved(event: DisputeMoved) -> JournalEntry | None:
    """C1: a state only; the channel's fee of C2, whenever it is told."""
    if not event.channel_fee:
        return None
    return entry_of(
        debit(dispute_cost(event.channel, event.currency), event.channel_fee, event.currency),
        credit(channel_receivable(event.channel, event.currency), event.channel_fee, event.currency),
    )


def _taken(event: DisputeFundsTaken | DisputeFundsReturned) -> tuple[Posting, ...]:
    share, currency, own = event.share, event.currency, _owed_in(event)
    return (
        debit(dispute_receivable(event.channel, own), share.borne, own),
        debit(suspense_debit(event.channel, currency), share.suspended, currency),
        credit(channel_receivable(event.channel, currency), event.amount, currency),
        *_exchanged(event),
        *_borne(event),
        credit(_held(event), share.borne, own),
    )


def funds_taken(event: DisputeFundsTaken) -> JournalEntry:
    """C2 and C6; of a foreign payment with both sides of its position."""
    own = _owed_in(event)
    return entry_of(
        *_taken(event),
        *_from_merchant(event.merchant, event.fee, event.fee_from_available, event.fee_short, own),
        credit(dispute_fee(event.merchant, own), event.fee, own),
    )


def funds_returned(event: DisputeFundsReturned) -> JournalEntry:
    """C3: the opposite of C2, without the fees."""
    return entry_of(*opposite(_taken(event)))


def _decided(event: DisputeLost | DisputeLossReversed) -> tuple[Posting, ...]:
    share, own = event.share, _owed_in(event)
    released = (
        debit(_held(event), share.borne, own),
        credit(dispute_receivable(event.channel, own), share.borne, own),
    )
    if event.liable != PLATFORM:
        return released
    return (
        debit(chargeback_loss(event.channel, own), share.borne, own),
        *released,
        *opposite(_borne(event)),
    )


def lost(event: DisputeLost) -> JournalEntry | None:
    """C4; C5 where the platform is liable. What is in suspense stays there until somebody decides."""
    return entry_of(*_decided(event)) if event.share.borne else None


def loss_reversed(event: DisputeLossReversed) -> JournalEntry | None:
    """The exact opposite of C4 or C5."""
    return entry_of(*opposite(_decided(event))) if event.share.borne else None


ENTRY_RULES: Rules = {
    DisputeMoved: moved,
    DisputeFundsTaken: funds_taken,
    DisputeFundsReturned: funds_returned,
    DisputeLost: lost,
    DisputeLossReversed: loss_reversed,
}
