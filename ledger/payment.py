"""Payment: what is known of one payment, and of its attempts, authorization, captures, refunds, receipts and disputes.

These are values; ledger/evolving/ says what each event does to them, and payment_state.py folds a stream into one.
Amounts in minor units of the payment's currency.
"""

from datetime import datetime

import msgspec

from ledger.events.payments import (
    PaymentActionRequired,
    PaymentAttemptDeclined,
    PaymentCreated,
    PaymentRiskAssessed,
    PaymentRouted,
)

CREATED = "created"
REQUIRES_ACTION = "requires_action"
IN_REVIEW = "in_review"
PROCESSING = "processing"
AUTHORIZED = "authorized"
PARTIALLY_CAPTURED = "partially_captured"
SUCCEEDED = "succeeded"
FAILED = "failed"
CANCELED = "canceled"
EXPIRED = "expired"
REJECTED = "rejected"
STATUSES = (
    CREATED,
    REQUIRES_ACTION,
    IN_REVIEW,
    PROCESSING,
    AUTHORIZED,
    PARTIALLY_CAPTURED,
    SUCCEEDED,
    FAILED,
    CANCELED,
    EXPIRED,
    REJECTED,
)

# Of an attempt.
UNKNOWN = "unknown"
DECLINED = "declined"
UNAPPLIED = "unapplied"
CLOSED = "closed"


class Attempt(msgspec.Struct, frozen=True):
    """One try at one channel.

    processing, requires_action, unknown, authorized, succeeded, declined, closed (let go of before anything was taken),
    or unapplied (a success that came too late).
    """

    id: str
    channel: str
    amount: int
    currency: str
    status: str = PROCESSING
    reference: str = ""
    """The channel's reference of the success that counts, or of the order while the payer is being asked."""
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
    status: str = CREATED
    risk: PaymentRiskAssessed | None = None
    routing: PaymentRouted | None = None
    action: PaymentActionRequired | None = None
    """What the payer is asked to do, while the payment requires an action."""
    attempts: tuple[Attempt, ...] = ()
    refunds: tuple[Refund, ...] = ()
    captured: int = 0
    group: str | None = None
    """Why it was not paid, in the taxonomy of declines."""

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

    @property
    def open_attempt(self) -> Attempt | None:
        """The attempt whose outcome is still to come, if there is one: there is never more than one."""
        open_states = (PROCESSING, UNKNOWN, REQUIRES_ACTION)
        return next((attempt for attempt in self.attempts if attempt.status in open_states), None)

    def attempt(self, name: str) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.id == name), None)

    def refund(self, name: str) -> Refund | None:
        return next((refund for refund in self.refunds if refund.id == name), None)
