"""Payment views: payments, refunds and top-ups as commands answer with them and as reads show them, from one fold.

`payment_view(history)`, `refund_view(history, refund)` and `top_up_view(history)` take what is recorded in the stream,
oldest first. Whoever keeps the state between events uses `payment_view_of(payment)` and its siblings.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ledger import payment_state, top_up_state
from ledger.declines import Failure, failure_of
from ledger.events.event import Recorded
from ledger.payment import PROCESSING, Attempt, Payment, Refund
from ledger.top_up_state import TopUp


class AttemptError(msgspec.Struct, frozen=True):
    """Why an attempt was declined, for the merchant's back office: our group, and the channel's own words."""

    code: str
    channel_code: str
    message: str


class AttemptView(msgspec.Struct, frozen=True):
    """An attempt as it is shown; `unknown` is asked again until it is known."""

    id: str
    channel: str
    status: str
    error: AttemptError | None


class RiskView(msgspec.Struct, frozen=True):
    """What risk control decided, and why."""

    decision: str
    score: int
    reasons: tuple[str, ...]


class RoutingView(msgspec.Struct, frozen=True):
    """Which channel was chosen, and because of what."""

    channel: str
    because: str


class NextAction(msgspec.Struct, frozen=True):
    """What has to happen next, by whoever holds the payment: `wait` asks for nothing but patience."""

    type: str


class RefundSummary(msgspec.Struct, frozen=True):
    """A refund as its payment lists it."""

    id: str
    status: str
    amount: int


class PaymentView(msgspec.Struct):
    """A payment as commands answer and reads show it. Amounts in minor units; `position` is its last event's."""

    position: int | None
    id: str
    status: str
    next_action: NextAction | None
    merchant: str
    customer: str | None
    amount: int
    currency: str
    product: str
    capture: str
    amount_captured: int
    amount_refunded: int
    refund_status: str
    attempts: tuple[AttemptView, ...]
    refunds: tuple[RefundSummary, ...]
    risk: RiskView | None
    routing: RoutingView | None
    error: Failure | None
    order_reference: str
    description: str | None
    metadata: dict[str, str]
    created_at: datetime


class RefundView(msgspec.Struct):
    """A refund as commands answer and reads show it; `channel` is None where it went into a wallet."""

    position: int | None
    id: str
    payment: str
    status: str
    next_action: NextAction | None
    amount: int
    currency: str
    reason: str
    channel: str | None
    error: Failure | None
    created_at: datetime


def next_action_of(status: str) -> NextAction | None:
    """An outcome that is not known asks for patience, and for nothing a second time."""
    return NextAction("wait") if status == PROCESSING else None


def payment_view(history: Sequence[Recorded]) -> PaymentView:
    """The payment as this history makes it; the history is not empty."""
    payment = payment_state.fold(history)
    if payment is None:
        raise AssertionError("a payment without a history cannot be shown")
    return payment_view_of(payment)


def payment_view_of(payment: Payment) -> PaymentView:
    created, risk, routing = payment.created, payment.risk, payment.routing
    return PaymentView(
        position=payment.position,
        id=created.id,
        status=payment.status,
        next_action=next_action_of(payment.status),
        merchant=created.merchant,
        customer=created.customer,
        amount=created.amount,
        currency=created.currency,
        product=created.product,
        capture=created.capture,
        amount_captured=payment.captured,
        amount_refunded=payment.refunded,
        refund_status=_refund_status(payment),
        attempts=tuple(_attempt_view(attempt) for attempt in payment.attempts),
        refunds=tuple(RefundSummary(refund.id, refund.status, refund.amount) for refund in payment.refunds),
        risk=None if risk is None else RiskView(risk.decision, risk.score, risk.reasons),
        routing=None if routing is None else RoutingView(routing.channel, routing.because),
        error=None if payment.group is None else failure_of(payment.group),
        order_reference=created.order_reference,
        description=created.description,
        metadata=created.metadata,
        created_at=payment.created_at,
    )


def _refund_status(payment: Payment) -> str:
    if not payment.refunded:
        return "none"
    return "full" if payment.refunded == payment.captured else "partial"


def _attempt_view(attempt: Attempt) -> AttemptView:
    declined = attempt.declined
    error = None if declined is None else AttemptError(declined.group, declined.channel_code, declined.message)
    return AttemptView(attempt.id, attempt.channel, attempt.status, error)


def refund_view(history: Sequence[Recorded], refund: str) -> RefundView:
    """The refund as the history of its payment makes it; the history holds its beginning."""
    payment = payment_state.fold(history)
    found = None if payment is None else payment.refund(refund)
    if payment is None or found is None:
        raise AssertionError(f"the refund {refund} has not begun and cannot be shown")
    return refund_view_of(payment, found)


def refund_view_of(payment: Payment, refund: Refund) -> RefundView:
    return RefundView(
        position=refund.position,
        id=refund.id,
        payment=payment.created.id,
        status=refund.status,
        next_action=next_action_of(refund.status),
        amount=refund.amount,
        currency=payment.created.currency,
        reason=refund.reason,
        channel=refund.channel,
        error=None if refund.group is None else failure_of(refund.group),
        created_at=refund.created_at,
    )


class TopUpView(msgspec.Struct):
    """A top-up as commands answer and reads show it. Amounts in minor units; `position` is its last event's."""

    position: int | None
    id: str
    customer: str
    status: str
    next_action: NextAction | None
    amount: int
    currency: str
    channel: str
    error: Failure | None
    created_at: datetime


def top_up_view(history: Sequence[Recorded]) -> TopUpView:
    """The top-up as this history makes it; the history is not empty."""
    top_up = top_up_state.fold(history)
    if top_up is None:
        raise AssertionError("a top-up without a history cannot be shown")
    return top_up_view_of(top_up)


def top_up_view_of(top_up: TopUp) -> TopUpView:
    requested = top_up.requested
    return TopUpView(
        position=top_up.position,
        id=requested.id,
        customer=requested.customer,
        status=top_up.status,
        next_action=next_action_of(top_up.status),
        amount=requested.amount,
        currency=requested.currency,
        channel=requested.channel,
        error=None if top_up.group is None else failure_of(top_up.group),
        created_at=top_up.created_at,
    )
