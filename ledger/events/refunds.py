"""Refunds: money that goes back, recorded in the stream of the payment it belongs to."""

from typing import ClassVar

from ledger.events.event import Event
from ledger.ids import PAYMENT, REFUND


def refund_id(payment: str, number: int) -> str:
    """The n-th refund of a payment: `ref_…-1`. It leads back to its payment, whose stream it is recorded in."""
    return f"{REFUND}{payment.removeprefix(PAYMENT)}-{number}"


def payment_of_refund(refund: str) -> str:
    """The payment that a refund belongs to; empty where it is no id of ours."""
    payment, dash, number = refund.rpartition("-")
    ours = payment.startswith(REFUND) and dash and number.isascii() and number.isdigit()
    return PAYMENT + payment.removeprefix(REFUND) if ours else ""


class RefundRequested(Event, frozen=True, omit_defaults=True):
    """We owe the payer `amount`: taken from the merchant, `short` of it as a debt of the merchant to us."""

    topic: ClassVar[str] = "refunds.requested.v1"

    id: str
    payment: str
    merchant: str
    channel: str
    attempt: str
    channel_reference: str
    amount: int
    currency: str
    short: int
    reason: str


class RefundUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say what became of the refund: unknown, and asked again until it is known."""

    topic: ClassVar[str] = "refunds.unanswered.v1"

    id: str
    reason: str


class RefundSucceeded(Event, frozen=True, omit_defaults=True):
    """The channel gave `amount` back to the payer."""

    topic: ClassVar[str] = "refunds.succeeded.v1"

    id: str
    merchant: str
    channel: str
    channel_reference: str
    amount: int
    currency: str


class RefundFailed(Event, frozen=True, omit_defaults=True):
    """The channel refused the refund before anything moved: the merchant has it back, exactly."""

    topic: ClassVar[str] = "refunds.failed.v1"

    id: str
    merchant: str
    amount: int
    currency: str
    short: int
    group: str
    message: str = ""


class RefundPaidToWallet(Event, frozen=True, omit_defaults=True):
    """`amount` went from the merchant back to the customer's wallet: final at once."""

    topic: ClassVar[str] = "refunds.paid_to_wallet.v1"

    id: str
    payment: str
    merchant: str
    customer: str
    amount: int
    currency: str
    short: int
    reason: str


class RefundUnapplied(Event, frozen=True, omit_defaults=True):
    """The channel gave `amount` back for a refund that has failed, or twice: it is kept apart until it is explained."""

    topic: ClassVar[str] = "refunds.unapplied.v1"

    id: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    because: str


RefundEvent = RefundRequested | RefundUnanswered | RefundSucceeded | RefundFailed | RefundPaidToWallet | RefundUnapplied
