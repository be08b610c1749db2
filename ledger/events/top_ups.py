"""Top-ups: money that a customer puts into a wallet through a channel, one stream each."""

from typing import ClassVar

from ledger.events.event import Event


class TopUpRequested(Event, frozen=True, omit_defaults=True):
    """The intent to charge, recorded before anything is sent; the channel, chosen `because`, knows it by `attempt`."""

    topic: ClassVar[str] = "top_ups.requested.v1"

    id: str
    customer: str
    amount: int
    currency: str
    channel: str
    attempt: str
    token: str | None = None
    because: str = ""


class TopUpUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say what became of it: unknown, and asked again until it is known."""

    topic: ClassVar[str] = "top_ups.unanswered.v1"

    id: str
    reason: str


class TopUpSucceeded(Event, frozen=True, omit_defaults=True):
    """The channel took `amount` for us and the wallet has it; `channel_fee` is what the contract says."""

    topic: ClassVar[str] = "top_ups.succeeded.v1"

    id: str
    customer: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    channel_fee: int
    fee_payable: bool = False


class TopUpFailed(Event, frozen=True, omit_defaults=True):
    """The channel said no; nothing has moved."""

    topic: ClassVar[str] = "top_ups.failed.v1"

    id: str
    group: str
    message: str = ""


class TopUpReceiptUnapplied(Event, frozen=True, omit_defaults=True):
    """The channel took the money a second time for one top-up: it is kept apart."""

    topic: ClassVar[str] = "top_ups.receipt_unapplied.v1"

    id: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    channel_fee: int
    because: str
    fee_payable: bool = False


TopUpEvent = TopUpRequested | TopUpUnanswered | TopUpSucceeded | TopUpFailed | TopUpReceiptUnapplied
