"""Payout views: payouts as commands answer with them and as reads show them, from one fold.

The receiver's account number is shown by its last four characters; the log holds all of it, for the channel.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ledger import payout_state
from ledger.events.event import Recorded
from ledger.events.payouts import CUSTOMER, MERCHANT, PRINCIPAL, Destination
from ledger.payment import CREATED
from ledger.payment_views import RoutingView
from ledger.payout_state import OPEN, Payout


class PayoutStep(msgspec.Struct, frozen=True):
    """What has to happen next: `wait` for the channel, or `approve` by a second person."""

    type: str


class PayoutError(msgspec.Struct, frozen=True):
    """Why it was not paid, or came back: our group of reasons, and the channel's words."""

    code: str
    message: str


class PayoutView(msgspec.Struct):
    """A payout as commands answer and reads show it. Amounts in minor units; `position` is its last event's.

    One of `merchant`, `principal` and `customer` says whose money it is. `approval`: not_needed, waiting or given.
    """

    position: int | None
    id: str
    status: str
    next_action: PayoutStep | None
    merchant: str | None
    principal: str | None
    customer: str | None
    amount: int
    currency: str
    fee: int
    destination: Destination
    channel: str
    routing: RoutingView
    channel_reference: str | None
    approval: str
    error: PayoutError | None
    reference: str | None
    metadata: dict[str, str]
    created_at: datetime


def payout_view(history: Sequence[Recorded]) -> PayoutView:
    """The payout as this history makes it; the history is not empty."""
    payout = payout_state.fold(history)
    if payout is None:
        raise AssertionError("a payout without a history cannot be shown")
    return payout_view_of(payout)


def payout_view_of(payout: Payout) -> PayoutView:
    created = payout.created
    return PayoutView(
        position=payout.position,
        id=created.id,
        status=payout.status,
        next_action=_next_action(payout),
        merchant=created.party if created.source == MERCHANT else None,
        principal=created.party if created.source == PRINCIPAL else None,
        customer=created.party if created.source == CUSTOMER else None,
        amount=created.amount,
        currency=created.currency,
        fee=created.fee,
        destination=created.destination.masked(),
        channel=created.channel,
        routing=RoutingView(
            created.channel, created.because, created.candidates, created.rules or None, created.considered
        ),
        channel_reference=payout.reference or None,
        approval=_approval(payout),
        error=_error(payout),
        reference=created.reference,
        metadata=created.metadata,
        created_at=payout.created_at,
    )


def _next_action(payout: Payout) -> PayoutStep | None:
    if payout.status in OPEN:
        return PayoutStep("wait")
    return PayoutStep("approve") if payout.status == CREATED else None


def _approval(payout: Payout) -> str:
    if not payout.created.needs_approval:
        return "not_needed"
    return "waiting" if payout.approver is None else "given"


def _error(payout: Payout) -> PayoutError | None:
    if payout.status == payout_state.RETURNED:
        return PayoutError("returned", payout.message)
    return None if payout.group is None else PayoutError(payout.group, payout.message)
