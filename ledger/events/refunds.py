"""Refunds: money that goes back, recorded in the stream of the payment it belongs to."""

from typing import ClassVar

from ledger.events.event import Event


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
