"""Closings: an order that is given up is closed at its channel first, so that nobody can pay it any more."""

from typing import ClassVar

from ledger.events.event import Event


class PaymentClosingRequested(Event, frozen=True, omit_defaults=True):
    """The intent to close the order at the channel, recorded before it is sent; the channel knows it by `closing`.

    `ending` is what becomes of the payment once it is closed: canceled, expired or failed. `group` is what the payer is
    told then, `reason` what the merchant said.
    """

    topic: ClassVar[str] = "payments.closing_requested.v1"

    closing: str
    attempt: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    ending: str
    group: str
    reason: str = ""


class PaymentClosingDeclined(Event, frozen=True, omit_defaults=True):
    """The channel does not close the order, as when somebody has just paid it: what it says of the charge counts."""

    topic: ClassVar[str] = "payments.closing_declined.v1"

    closing: str
    attempt: str
    group: str
    channel_code: str = ""
    message: str = ""
