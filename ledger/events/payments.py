"""Payments: from the order to the money, one stream per payment; its refunds are recorded in the same stream."""

from typing import ClassVar

import msgspec

from ledger.events.event import Event


def attempt_id(order: str, number: int) -> str:
    """What a channel knows the n-th attempt for a payment or a top-up by: `pay_…-1`."""
    return f"{order}-{number}"


def order_of_attempt(attempt: str) -> str:
    """The stream of the payment or top-up that an attempt belongs to; empty where it is no id of ours."""
    order, dash, number = attempt.rpartition("-")
    return order if dash and number.isascii() and number.isdigit() else ""


class Method(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the payer pays. `token` stands for a card that a vault knows, None for the one that the channel has on file.

    Card numbers never come here.
    """

    type: str
    token: str | None = None


class PaymentCreated(Event, frozen=True, omit_defaults=True):
    """An order to pay was accepted; nothing has moved. `fee` is what the merchant will pay, in minor units."""

    topic: ClassVar[str] = "payments.created.v1"

    id: str
    merchant: str
    customer: str | None
    amount: int
    currency: str
    product: str
    method: Method
    order_reference: str
    fee: int
    capture: str = "automatic"
    description: str | None = None
    metadata: dict[str, str] = {}
    client: dict[str, str] = {}
    return_url: str | None = None


class PaymentRiskAssessed(Event, frozen=True, omit_defaults=True):
    """What risk control decided, and why: a replay reads it and never decides again."""

    topic: ClassVar[str] = "payments.risk_assessed.v1"

    decision: str
    score: int
    reasons: tuple[str, ...] = ()


class PaymentRouted(Event, frozen=True, omit_defaults=True):
    """Which channel was chosen, and because of what."""

    topic: ClassVar[str] = "payments.routed.v1"

    channel: str
    because: str


class PaymentAttemptInitiated(Event, frozen=True, omit_defaults=True):
    """The intent to charge, recorded before anything is sent; the channel knows the charge by `attempt`."""

    topic: ClassVar[str] = "payments.attempt_initiated.v1"

    attempt: str
    channel: str
    amount: int
    currency: str
    token: str | None
    merchant: str
    order_reference: str


class PaymentAttemptUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say what became of the attempt: unknown, and asked again until it is known."""

    topic: ClassVar[str] = "payments.attempt_unanswered.v1"

    attempt: str
    reason: str


class PaymentAttemptDeclined(Event, frozen=True, omit_defaults=True):
    """The channel said no, or the attempt surely did not happen. `group` is the project's own taxonomy of reasons."""

    topic: ClassVar[str] = "payments.attempt_declined.v1"

    attempt: str
    group: str
    channel_code: str = ""
    message: str = ""
    hard: bool = False


class PaymentCaptured(Event, frozen=True, omit_defaults=True):
    """The channel took `amount` for us: the merchant is owed it less `fee`; `channel_fee` is what the contract says."""

    topic: ClassVar[str] = "payments.captured.v1"

    attempt: str
    channel: str
    channel_reference: str
    merchant: str
    product: str
    amount: int
    currency: str
    fee: int
    channel_fee: int


class PaymentPaidFromWallet(Event, frozen=True, omit_defaults=True):
    """`amount` went from the customer's wallet to the merchant, less `fee`: final at once."""

    topic: ClassVar[str] = "payments.paid_from_wallet.v1"

    customer: str
    merchant: str
    product: str
    amount: int
    currency: str
    fee: int


class PaymentFailed(Event, frozen=True, omit_defaults=True):
    """No attempt succeeded and no other will be made."""

    topic: ClassVar[str] = "payments.failed.v1"

    group: str
    message: str = ""


class PaymentReceiptUnapplied(Event, frozen=True, omit_defaults=True):
    """A success that came for an order that is failed already, or paid already: the money is kept apart."""

    topic: ClassVar[str] = "payments.receipt_unapplied.v1"

    attempt: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    channel_fee: int
    because: str


PaymentEvent = (
    PaymentCreated
    | PaymentRiskAssessed
    | PaymentRouted
    | PaymentAttemptInitiated
    | PaymentAttemptUnanswered
    | PaymentAttemptDeclined
    | PaymentCaptured
    | PaymentPaidFromWallet
    | PaymentFailed
    | PaymentReceiptUnapplied
)
