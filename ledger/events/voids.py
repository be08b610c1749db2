"""Voids: what is held is let go, and what was taken on the same day is as if it had not been (chart rows A4, B10)."""

from typing import ClassVar

from ledger.events.event import Event


class VoidRequested(Event, frozen=True, omit_defaults=True):
    """The channel is to let go of `amount` that it holds.

    `takes_back`: the id of a capture, or of the attempt that charged, whose `amount` is to be given back instead.
    `surplus`: a hold that no order waits for (any more); it was never part of what is held for the payment.
    """

    topic: ClassVar[str] = "voids.requested.v1"

    id: str
    attempt: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    reason: str = ""
    takes_back: str = ""
    surplus: bool = False


class VoidUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say what became of the void: unknown, and asked again until it is known."""

    topic: ClassVar[str] = "voids.unanswered.v1"

    id: str
    reason: str


class VoidDeclined(Event, frozen=True, omit_defaults=True):
    """The channel said no. `refund`: the refund by which the money goes back instead, if it does."""

    topic: ClassVar[str] = "voids.declined.v1"

    id: str
    group: str
    channel_code: str = ""
    message: str = ""
    refund: str = ""


class AuthorizationVoided(Event, frozen=True, omit_defaults=True):
    """The channel has let go of what it held; `amount` of it was open here, 0 for a hold that no order waited for."""

    topic: ClassVar[str] = "voids.succeeded.v1"

    id: str
    channel: str
    amount: int
    currency: str


class PaymentRevoked(Event, frozen=True, omit_defaults=True):
    """What was taken is as if it had not been: the opposite of the entry `reverses`, with its fees.

    `reopened` of it is held again.
    """

    topic: ClassVar[str] = "payments.revoked.v1"

    id: str
    takes_back: str
    merchant: str
    product: str
    channel: str
    amount: int
    currency: str
    fee: int
    channel_fee: int
    reverses: str
    reopened: int = 0
    tax: int = 0
    invoiced: bool = False
    subsidy: int = 0
    fee_payable: bool = False
    short: int = 0
    """What of it the merchant has had already, and owes from here on."""
