"""Payment views: payments, refunds and top-ups as commands answer with them and as reads show them, from one fold.

`payment_view(history)`, `refund_view(history, refund)` and `top_up_view(history)` take what is recorded in the stream,
oldest first. Whoever keeps the state between events uses `payment_view_of(payment)` and its siblings.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, cast

import msgspec
from msgspec import UNSET, UnsetType

from ledger import payment_state, top_up_state
from ledger.authorization import Capture
from ledger.declines import WAITING, Failure, Texts, failure_of, refund_failure_of
from ledger.dispute_views import DisputeSummary, dispute_status, dispute_summaries
from ledger.events.event import Recorded
from ledger.events.payments import Discount, Exchange, PaymentRouted
from ledger.payment import PROCESSING, REQUIRES_ACTION, Attempt, Payment, Refund
from ledger.receipt import Receipt
from ledger.top_up_state import TopUp

ActionType = Literal["redirect", "qr_code", "sms_code", "three_ds", "pay_to_address", "one_time_code", "wait"]


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
    flagged: bool


class RoutingView(msgspec.Struct, frozen=True):
    """Which channel was chosen, and because of what.

    `candidates`: the channels that could have carried it, in the order in which they are tried. `rules`: the version of
    the rules that were asked, null for none. `considered`: why each other channel was not chosen.
    """

    channel: str
    because: str
    candidates: tuple[str, ...] = ()
    rules: str | None = None
    considered: dict[str, str] = {}


class NextAction(msgspec.Struct, frozen=True):
    """What has to happen next: `wait` asks for nothing but patience, everything else is the payer's turn.

    redirect and three_ds: send him to `url`. qr_code: show `data.qr`. sms_code and one_time_code: pass the code that he
    was sent on to /confirm. pay_to_address: have him send coins to `data.address`. After `expires_at` it is too late.
    `message` is what the payer may read while he waits, in English; `texts` has it by language.
    """

    type: ActionType
    url: str | UnsetType = UNSET
    data: dict[str, str] | UnsetType = UNSET
    expires_at: datetime | UnsetType = UNSET
    message: str | UnsetType = UNSET
    texts: Texts | UnsetType = UNSET


class RefundSummary(msgspec.Struct, frozen=True):
    """A refund as its payment lists it."""

    id: str
    status: str
    amount: int


class ReceiptView(msgspec.Struct, frozen=True):
    """Money that came and that the order was not waiting for: kept, returning, returned or accepted for it.

    What could not be given back is `kept` again, with an `error`: then somebody has to look.
    """

    number: int
    status: str
    attempt: str
    amount: int
    currency: str
    because: str
    error: Failure | None


class CaptureView(msgspec.Struct, frozen=True):
    """One part that was taken of what was held, or is to be, as its payment lists it."""

    id: str
    status: str
    amount: int
    final: bool
    error: Failure | None


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
    amount_authorized: int
    amount_capturable: int
    partially_authorized: bool
    capture_before: datetime | None
    amount_captured: int
    amount_refunded: int
    refund_status: str
    attempts: tuple[AttemptView, ...]
    captures: tuple[CaptureView, ...]
    refunds: tuple[RefundSummary, ...]
    dispute_status: str
    disputes: tuple[DisputeSummary, ...]
    receipts: tuple[ReceiptView, ...]
    risk: RiskView | None
    routing: RoutingView | None
    error: Failure | None
    order_reference: str
    description: str | None
    metadata: dict[str, str]
    created_at: datetime
    expires_at: datetime | None
    scheduled_at: datetime | None
    discount: Discount | None
    """What the payer does not have to pay of `amount`, in minor units, and who pays it."""
    exchange: Exchange | None
    """What it is in another unit at a locked rate: what a foreign payment's merchant is owed, what is sent in coins."""


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


def payers_patience(status: str) -> NextAction | None:
    """The same for who pays, with what he reads meanwhile: that he should not pay again."""
    return NextAction("wait", message=WAITING.en, texts=WAITING) if status == PROCESSING else None


def payment_view(history: Sequence[Recorded]) -> PaymentView:
    """The payment as this history makes it; the history is not empty."""
    payment = payment_state.fold(history)
    if payment is None:
        raise AssertionError("a payment without a history cannot be shown")
    return payment_view_of(payment)


def payment_view_of(payment: Payment) -> PaymentView:
    created, risk, routing, held = payment.created, payment.risk, payment.routing, payment.authorization
    return PaymentView(
        position=payment.position,
        id=created.id,
        status=payment.status,
        next_action=_payers_action(payment) or payers_patience(payment.status),
        merchant=created.merchant,
        customer=created.customer,
        amount=created.price,
        currency=created.currency,
        product=created.product,
        capture=created.capture,
        amount_authorized=payment.captured if held is None else held.granted,
        amount_capturable=payment.capturable,
        partially_authorized=held is not None and held.granted < created.amount and not held.by_channel,
        capture_before=None if held is None else held.capture_before,
        amount_captured=payment.captured,
        amount_refunded=payment.refunded,
        refund_status=_refund_status(payment),
        attempts=tuple(_attempt_view(attempt) for attempt in payment.attempts),
        captures=tuple(_capture_view(one) for one in payment.captures if not one.by_attempt),
        refunds=tuple(RefundSummary(refund.id, refund.status, refund.amount) for refund in payment.refunds),
        dispute_status=dispute_status(payment),
        disputes=dispute_summaries(payment),
        receipts=tuple(_receipt_view(receipt) for receipt in payment.receipts),
        risk=None if risk is None else RiskView(risk.decision, risk.score, risk.reasons, risk.flagged),
        routing=None if routing is None else routing_view(routing),
        error=None if payment.group is None else failure_of(payment.group),
        order_reference=created.order_reference,
        description=created.description,
        metadata=created.metadata,
        created_at=payment.created_at,
        expires_at=payment.expires_at,
        scheduled_at=created.scheduled_at,
        discount=created.discount,
        exchange=created.exchange,
    )


def _payers_action(payment: Payment) -> NextAction | None:
    action = payment.action
    if payment.status != REQUIRES_ACTION or action is None:
        return None
    last = payment.confirmations[-1] if payment.confirmations else None
    tries_left = last.tries_left if last is not None and last.attempt == action.attempt else None
    data = action.data if tries_left is None else {**action.data, "tries_left": str(tries_left)}
    kind = cast(ActionType, action.action)
    return NextAction(kind, action.url or UNSET, data or UNSET, action.expires_at or UNSET)


def _receipt_view(receipt: Receipt) -> ReceiptView:
    error = None if receipt.group is None else refund_failure_of(receipt.group)
    return ReceiptView(
        receipt.number,
        receipt.status,
        receipt.attempt,
        receipt.amount,
        receipt.currency,
        receipt.because,
        error,
    )


def _capture_view(capture: Capture) -> CaptureView:
    error = None if capture.group is None else failure_of(capture.group)
    return CaptureView(capture.id, capture.status, capture.amount, capture.final, error)


def routing_view(routed: PaymentRouted) -> RoutingView:
    return RoutingView(routed.channel, routed.because, routed.candidates, routed.rules or None, routed.considered)


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
        error=None if refund.group is None else refund_failure_of(refund.group),
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
        next_action=payers_patience(top_up.status),
        amount=requested.amount,
        currency=requested.currency,
        channel=requested.channel,
        error=None if top_up.group is None else failure_of(top_up.group),
        created_at=top_up.created_at,
    )
