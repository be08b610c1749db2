"""Payment state: what the facts of one payment's stream add up to, for whoever decides and for whoever shows.

    created ──▶ processing ──▶ succeeded ──▶ (its refunds: processing ──▶ succeeded | failed)
                        └────▶ failed

One fold serves both sides; what it looks like outside is in payment_views.py. A projection may keep a `Payment` as JSON
between events and `evolve` it one recorded event at a time.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from ledger.events.event import Recorded
from ledger.events.payments import (
    PaymentAttemptDeclined,
    PaymentAttemptInitiated,
    PaymentAttemptUnanswered,
    PaymentCaptured,
    PaymentCreated,
    PaymentFailed,
    PaymentPaidFromWallet,
    PaymentReceiptUnapplied,
    PaymentRiskAssessed,
    PaymentRouted,
)
from ledger.events.refunds import (
    RefundFailed,
    RefundPaidToWallet,
    RefundRequested,
    RefundSucceeded,
    RefundUnanswered,
    RefundUnapplied,
)

PROCESSING = "processing"
SUCCEEDED = "succeeded"
FAILED = "failed"
UNKNOWN = "unknown"
DECLINED = "declined"
UNAPPLIED = "unapplied"


class Attempt(msgspec.Struct, frozen=True):
    """One try at one channel: processing, unknown, succeeded, declined, or unapplied (a success that came too late)."""

    id: str
    channel: str
    amount: int
    currency: str
    status: str = PROCESSING
    reference: str = ""
    """The channel's reference of the success that counts."""
    unapplied: tuple[str, ...] = ()
    """The channel's references of successes that were kept apart."""
    unanswered: tuple[str, ...] = ()
    """Why we could not tell what became of it, in the order in which it was recorded."""
    declined: PaymentAttemptDeclined | None = None


class Refund(msgspec.Struct, frozen=True):
    """One refund: processing, succeeded or failed. `short` is the part of it that became the merchant's debt."""

    id: str
    amount: int
    short: int
    reason: str
    created_at: datetime
    position: int
    channel: str | None = None
    status: str = PROCESSING
    reference: str = ""
    unapplied: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    group: str | None = None


class Payment(msgspec.Struct, frozen=True):
    """All that its stream says; `version` and `position` are those of its last event."""

    created: PaymentCreated
    created_at: datetime
    version: int
    position: int
    status: str = "created"
    risk: PaymentRiskAssessed | None = None
    routing: PaymentRouted | None = None
    attempts: tuple[Attempt, ...] = ()
    refunds: tuple[Refund, ...] = ()
    captured: int = 0
    group: str | None = None

    @property
    def refunded(self) -> int:
        """Minor units that went back to the payer."""
        return sum(refund.amount for refund in self.refunds if refund.status == SUCCEEDED)

    @property
    def refundable(self) -> int:
        """Minor units that may still be given back: what was captured, less every refund that has not failed."""
        # What the channel gave back unasked is gone as well, whoever will bear it.
        times = ((refund.amount, (refund.status != FAILED) + len(refund.unapplied)) for refund in self.refunds)
        return max(0, self.captured - sum(amount * count for amount, count in times))

    @property
    def paying_attempt(self) -> Attempt | None:
        """The attempt that paid for it, if a channel did."""
        return next((attempt for attempt in self.attempts if attempt.status == SUCCEEDED), None)

    def attempt(self, name: str) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.id == name), None)

    def refund(self, name: str) -> Refund | None:
        return next((refund for refund in self.refunds if refund.id == name), None)


def evolve(payment: Payment | None, recorded: Recorded) -> Payment:
    """The payment after one more event of its stream."""
    event = recorded.event
    if payment is None:
        if not isinstance(event, PaymentCreated):
            raise AssertionError(f"a payment begins with its creation, not with {event}")
        return Payment(event, recorded.recorded_at, recorded.version, recorded.position)
    payment = replace(payment, version=recorded.version, position=recorded.position)
    match event:
        case PaymentRiskAssessed():
            return replace(payment, risk=event)
        case PaymentRouted():
            return replace(payment, routing=event)
        case PaymentAttemptInitiated():
            attempt = Attempt(event.attempt, event.channel, event.amount, event.currency)
            return replace(payment, status=PROCESSING, attempts=(*payment.attempts, attempt))
        case PaymentAttemptUnanswered() | PaymentAttemptDeclined() | PaymentReceiptUnapplied():
            return replace(payment, attempts=tuple(_evolve_attempt(attempt, event) for attempt in payment.attempts))
        case PaymentCaptured():
            attempts = tuple(_evolve_attempt(attempt, event) for attempt in payment.attempts)
            return replace(payment, status=SUCCEEDED, attempts=attempts, captured=payment.captured + event.amount)
        case PaymentPaidFromWallet():
            return replace(payment, status=SUCCEEDED, captured=payment.captured + event.amount)
        case PaymentFailed():
            return replace(payment, status=FAILED, group=event.group)
        case RefundRequested() | RefundPaidToWallet():
            return replace(payment, refunds=(*payment.refunds, _begin_refund(event, recorded)))
        case RefundUnanswered() | RefundSucceeded() | RefundFailed() | RefundUnapplied():
            refunds = tuple(_evolve_refund(refund, event, recorded.position) for refund in payment.refunds)
            return replace(payment, refunds=refunds)
    raise AssertionError(f"{event} does not belong into the stream of a payment")


def fold(history: Sequence[Recorded]) -> Payment | None:
    """The payment after all of its history; None for no history."""
    payment: Payment | None = None
    for recorded in history:
        payment = evolve(payment, recorded)
    return payment


AttemptFact = PaymentAttemptUnanswered | PaymentAttemptDeclined | PaymentReceiptUnapplied | PaymentCaptured
RefundFact = RefundUnanswered | RefundSucceeded | RefundFailed | RefundUnapplied


def _evolve_attempt(attempt: Attempt, fact: AttemptFact) -> Attempt:
    if attempt.id != fact.attempt:
        return attempt
    match fact:
        case PaymentAttemptUnanswered():
            status = UNKNOWN if attempt.status == PROCESSING else attempt.status
            return replace(attempt, status=status, unanswered=(*attempt.unanswered, fact.reason))
        case PaymentAttemptDeclined():
            return replace(attempt, status=DECLINED, declined=fact)
        case PaymentCaptured():
            return replace(attempt, status=SUCCEEDED, reference=fact.channel_reference)
        case PaymentReceiptUnapplied():
            status = SUCCEEDED if attempt.status == SUCCEEDED else UNAPPLIED
            return replace(attempt, status=status, unapplied=(*attempt.unapplied, fact.channel_reference))


def _begin_refund(event: RefundRequested | RefundPaidToWallet, recorded: Recorded) -> Refund:
    refund = Refund(event.id, event.amount, event.short, event.reason, recorded.recorded_at, recorded.position)
    if isinstance(event, RefundPaidToWallet):
        return replace(refund, status=SUCCEEDED)
    return replace(refund, channel=event.channel)


def _evolve_refund(refund: Refund, fact: RefundFact, position: int) -> Refund:
    if refund.id != fact.id:
        return refund
    refund = replace(refund, position=position)
    match fact:
        case RefundUnanswered():
            return replace(refund, unanswered=(*refund.unanswered, fact.reason))
        case RefundSucceeded():
            return replace(refund, status=SUCCEEDED, reference=fact.channel_reference)
        case RefundFailed():
            return replace(refund, status=FAILED, group=fact.group)
        case RefundUnapplied():
            return replace(refund, unapplied=(*refund.unapplied, fact.channel_reference))
