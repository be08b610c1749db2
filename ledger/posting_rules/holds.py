"""Holds: pending amounts while they last, and an entry for what is captured."""

from typing import assert_never

from ledger.accounts import Movement
from ledger.events.holds import HoldCaptured, HoldEvent, HoldExpired, HoldPlaced, HoldReleased
from ledger.journal import JournalEntry, credit, debit, entry_of
from ledger.posting_rules.transfers import Rules


def captured(event: HoldCaptured) -> JournalEntry:
    return entry_of(
        debit(event.debit_account, event.amount, event.currency),
        credit(event.credit_account, event.amount, event.currency),
    )


def movements_for(event: HoldEvent) -> list[Movement]:
    """The pending turnover of both accounts rises by the hold and falls by what is captured or let go."""
    match event:
        case HoldPlaced(amount=amount):
            posted, pending = 0, amount
        case HoldCaptured(amount=amount, released=released):
            posted, pending = amount, -(amount + released)
        case HoldReleased(amount=amount) | HoldExpired(amount=amount):
            posted, pending = 0, -amount
        case _:
            assert_never(event)
    return [
        Movement(event.debit_account, event.currency, debit=posted, pending_debit=pending),
        Movement(event.credit_account, event.currency, credit=posted, pending_credit=pending),
    ]


ENTRY_RULES: Rules = {HoldCaptured: captured}
