"""Consequences: what follows by itself, in the same commit, from what was decided about a payment.

Money that no order was waiting for is accepted for its order or given back. Captures, failed refunds and revocations
change what the merchant bears of its disputes.
"""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from commands.books import Books
from commands.channel_facts import imagined
from commands.dispute_money import dispute_events
from commands.envelope import Decision, Envelope
from commands.receipts import receipt_events
from commands.system_accounts import StreamEvents, openings
from ledger.events.accounts import AccountOpened
from ledger.events.event import Event
from ledger.events.payments import PaymentCaptured, PaymentReceiptUnapplied
from ledger.events.refunds import RefundFailed
from ledger.events.voids import PaymentRevoked
from ledger.ids import PAYMENT
from ledger.payment_state import fold
from ledger.posting_rules import movements_for

_Decide = Callable[[Books, Any, Envelope], Decision]

_CHANGE_DISPUTES = (PaymentCaptured, RefundFailed, PaymentRevoked)


def with_consequences(decide: _Decide) -> _Decide:
    """The decider, and what follows from its decision."""

    def decide_and_follow(books: Books, command: Any, envelope: Envelope) -> Decision:
        decision = decide(books, command, envelope)
        more = _following(books, decision.events)
        return (
            replace(decision, events=[*decision.events, *_accounts(books, decision.events, more), *more])
            if more
            else decision
        )

    return decide_and_follow


def _following(books: Books, decided: StreamEvents) -> StreamEvents:
    more: StreamEvents = []
    for stream in dict.fromkeys(stream for stream, _ in decided if stream.startswith(PAYMENT)):
        fresh: list[Event] = [event for name, event in decided if name == stream]
        follow: list[Event] = []
        if any(isinstance(event, PaymentReceiptUnapplied) for event in fresh):
            payment = fold(imagined(books, stream, fresh))
            follow += [] if payment is None else receipt_events(books, payment)
        if any(isinstance(event, _CHANGE_DISPUTES) for event in (*fresh, *follow)):
            follow += dispute_events(books, stream, [*fresh, *follow])
        more += [(stream, event) for event in follow]
    return more


def _accounts(books: Books, decided: StreamEvents, more: StreamEvents) -> StreamEvents:
    """The openings of accounts that only what follows posts to."""
    opened = {event.id for _, event in decided if isinstance(event, AccountOpened)}
    posted = [(move.account, move.currency) for _, event in more for move in movements_for(event)]
    return openings(books, [(name, currency) for name, currency in posted if name not in opened])
