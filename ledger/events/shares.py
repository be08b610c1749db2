"""Shares: parts of a payment that its merchant passes on to another one, recorded in the stream of the payment."""

from typing import ClassVar

from ledger.events.event import Event


class PaymentShared(Event, frozen=True, omit_defaults=True):
    """`amount` of what was paid to the merchant is owed to `receiver`, another merchant, instead."""

    topic: ClassVar[str] = "shares.shared.v1"

    id: str
    payment: str
    merchant: str
    receiver: str
    amount: int
    currency: str
    description: str | None = None


class PaymentShareReturned(Event, frozen=True, omit_defaults=True):
    """`amount` of a share is owed to the merchant of the payment again."""

    topic: ClassVar[str] = "shares.returned.v1"

    id: str
    payment: str
    merchant: str
    receiver: str
    amount: int
    currency: str


ShareEvent = PaymentShared | PaymentShareReturned
