"""Intents: which events ask a channel for something, and which say what became of it. Pure tables over events.

A new errand is one line in each table, next to the events that begin and end it.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from commands.channels.requests import Charge, Errand, RefundCharge
from ledger.events.event import Event
from ledger.events.payments import (
    PaymentAttemptDeclined,
    PaymentAttemptInitiated,
    PaymentCaptured,
    PaymentReceiptUnapplied,
    attempt_id,
)
from ledger.events.refunds import RefundFailed, RefundRequested, RefundSucceeded
from ledger.events.top_ups import TopUpFailed, TopUpRequested, TopUpSucceeded

CARD_ON_FILE = "on_file"
# Whom a top-up is charged for: the house itself.
HOUSE = "house"


class Intent(msgspec.Struct, frozen=True):
    """What a channel is to be asked for."""

    channel: str
    errand: Errand


def _attempt(event: PaymentAttemptInitiated) -> Intent:
    charge = Charge(
        attempt_id=event.attempt,
        amount=event.amount,
        currency=event.currency,
        token=event.token or CARD_ON_FILE,
        order_reference=event.order_reference,
        merchant=event.merchant,
        capture=event.capture,
        method=event.method,
        details=event.details,
        contract=event.contract,
        return_url=event.return_url,
        authenticate=event.authenticate,
    )
    return Intent(event.channel, charge)


def _top_up(event: TopUpRequested) -> Intent:
    charge = Charge(
        attempt_id=event.attempt,
        amount=event.amount,
        currency=event.currency,
        token=event.token or CARD_ON_FILE,
        order_reference=event.id,
        merchant=HOUSE,
    )
    return Intent(event.channel, charge)


def _refund(event: RefundRequested) -> Intent:
    refund = RefundCharge(
        refund_id=event.id,
        attempt_id=event.attempt,
        channel_reference=event.channel_reference,
        amount=event.amount,
        currency=event.currency,
    )
    return Intent(event.channel, refund)


# What each of these events asks for; None: nothing, after all.
INTENTS: dict[type[Event], Callable[[Any], Intent | None]] = {
    PaymentAttemptInitiated: _attempt,
    TopUpRequested: _top_up,
    RefundRequested: _refund,
}

# The id of the errand that is over once this is recorded.
OUTCOMES: dict[type[Event], Callable[[Any], str]] = {
    PaymentCaptured: lambda event: event.attempt,
    PaymentAttemptDeclined: lambda event: event.attempt,
    PaymentReceiptUnapplied: lambda event: event.attempt,
    TopUpSucceeded: lambda event: attempt_id(event.id, 1),
    TopUpFailed: lambda event: attempt_id(event.id, 1),
    RefundSucceeded: lambda event: event.id,
    RefundFailed: lambda event: event.id,
}


def intent_of(event: Event) -> Intent | None:
    """What a channel is asked for because of this event."""
    intend = INTENTS.get(type(event))
    return None if intend is None else intend(event)


def closed_by(event: Event) -> str | None:
    """The errand whose outcome this event records."""
    close = OUTCOMES.get(type(event))
    return None if close is None else close(event)
