"""Posting rules: what each event does to money, one total function over all events.

`entry_for` gives the journal entry of an event, or None where it moves nothing; `movements_for` adds what is set aside.
"""

from datetime import datetime

from ledger.accounts import Movement
from ledger.events.entries import EntryPosted, ReversalPosted
from ledger.events.event import Event
from ledger.events.holds import HoldCaptured, HoldExpired, HoldPlaced, HoldReleased
from ledger.events.transfers import TransferPosted
from ledger.journal import JournalEntry
from ledger.posting_rules import (
    authorizations,
    bank_lines,
    coins,
    credit_lines,
    disputes,
    funds,
    fx,
    holds,
    payments,
    payouts,
    receipts,
    refunds,
    settlements,
    top_ups,
    transfers,
    treasury,
    wallets,
)

_ENTRY_RULES = (
    transfers.ENTRY_RULES
    | holds.ENTRY_RULES
    | payments.ENTRY_RULES
    | authorizations.ENTRY_RULES
    | refunds.ENTRY_RULES
    | disputes.ENTRY_RULES
    | receipts.ENTRY_RULES
    | top_ups.ENTRY_RULES
    | credit_lines.ENTRY_RULES
    | fx.ENTRY_RULES
    | coins.ENTRY_RULES
    | payouts.ENTRY_RULES
    | treasury.ENTRY_RULES
    | wallets.ENTRY_RULES
    | funds.ENTRY_RULES
    | settlements.ENTRY_RULES
    | bank_lines.ENTRY_RULES
)
# Every class of events that may move money.
POSTING_EVENTS: frozenset[type] = frozenset(_ENTRY_RULES)


def entry_for(event: Event) -> JournalEntry | None:
    """The journal entry that this event posts; None for events that are states and not money."""
    rule = _ENTRY_RULES.get(type(event))
    return None if rule is None else rule(event)


def movements_for(event: Event) -> list[Movement]:
    """What the event does to each account: posted and pending, netted."""
    if isinstance(event, TransferPosted):
        # The commonest event by far, balanced by its shape: spared the general way.
        amount, currency = event.amount, event.currency
        return [Movement(event.debit_account, currency, amount, 0), Movement(event.credit_account, currency, 0, amount)]
    if isinstance(event, HoldPlaced | HoldCaptured | HoldReleased | HoldExpired):
        return holds.movements_for(event)
    entry = entry_for(event)
    return [] if entry is None else entry.movements()


def effective_at(event: Event, recorded_at: datetime) -> datetime:
    """When the event's entry takes effect: as it says, else when it was recorded."""
    match event:
        case (
            TransferPosted(effective_at=stated) | EntryPosted(effective_at=stated) | ReversalPosted(effective_at=stated)
        ):
            return stated or recorded_at
    return recorded_at
