"""Repayment state: what the facts of one repayment's stream add up to, and how it is shown.

requested: processing ──▶ succeeded
                └─▶ failed ──▶ succeeded (the channel took the money after all: it pays the debt)
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from ledger.declines import Failure, failure_of
from ledger.events.event import Recorded
from ledger.events.repayments import (
    RepaymentFailed,
    RepaymentReceiptUnapplied,
    RepaymentRequested,
    RepaymentSucceeded,
    RepaymentUnanswered,
)
from ledger.evolving.settlements import SETTLING
from ledger.payment import FAILED, PROCESSING, SUCCEEDED
from ledger.payment_views import NextAction, payers_patience


class Repayment(msgspec.Struct, frozen=True):
    """All that its stream says; `position` is that of its last event."""

    requested: RepaymentRequested
    created_at: datetime
    position: int
    status: str = PROCESSING
    succeeded: RepaymentSucceeded | None = None
    unapplied: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    group: str | None = None

    @property
    def references(self) -> tuple[str, ...]:
        """The channel's references of every success that was taken."""
        first = () if self.succeeded is None else (self.succeeded.channel_reference,)
        return first + self.unapplied


def evolve(repayment: Repayment | None, recorded: Recorded) -> Repayment:
    """The repayment after one more event of its stream."""
    event = recorded.event
    if repayment is None:
        if not isinstance(event, RepaymentRequested):
            raise AssertionError(f"a repayment begins with its request, not with {event}")
        return Repayment(event, recorded.recorded_at, recorded.position)
    repayment = replace(repayment, position=recorded.position)
    if isinstance(event, SETTLING):
        return repayment
    match event:
        case RepaymentUnanswered():
            return replace(repayment, unanswered=(*repayment.unanswered, event.reason))
        case RepaymentSucceeded():
            return replace(repayment, status=SUCCEEDED, succeeded=event, group=None)
        case RepaymentFailed():
            return replace(repayment, status=FAILED, group=event.group)
        case RepaymentReceiptUnapplied():
            return replace(repayment, unapplied=(*repayment.unapplied, event.channel_reference))
    raise AssertionError(f"{event} does not belong into the stream of a repayment")


def fold(history: Sequence[Recorded]) -> Repayment | None:
    """The repayment after all of its history; None for no history."""
    repayment: Repayment | None = None
    for recorded in history:
        repayment = evolve(repayment, recorded)
    return repayment


class RepaymentView(msgspec.Struct):
    """A repayment as commands answer and reads show it, in minor units: what it paid is known once it has succeeded."""

    position: int | None
    id: str
    customer: str
    status: str
    next_action: NextAction | None
    amount: int
    currency: str
    channel: str
    fees: int
    interest: int
    principal: int
    to_wallet: int
    error: Failure | None
    created_at: datetime


def repayment_view(history: Sequence[Recorded]) -> RepaymentView:
    """The repayment as this history makes it; the history is not empty."""
    repayment = fold(history)
    if repayment is None:
        raise AssertionError("a repayment without a history cannot be shown")
    requested, paid = repayment.requested, repayment.succeeded
    return RepaymentView(
        position=repayment.position,
        id=requested.id,
        customer=requested.customer,
        status=repayment.status,
        next_action=payers_patience(repayment.status),
        amount=requested.amount,
        currency=requested.currency,
        channel=requested.channel,
        fees=0 if paid is None else paid.fees,
        interest=0 if paid is None else paid.interest,
        principal=0 if paid is None else paid.principal,
        to_wallet=0 if paid is None else paid.to_wallet,
        error=None if repayment.group is None else failure_of(repayment.group),
        created_at=repayment.created_at,
    )
