"""Repayments: a customer pays back what he owes on a credit line, through a channel; one stream each.

What it pays of the debt is recorded in the stream of the credit line.
"""

from typing import ClassVar

from ledger.events.event import Event


class RepaymentRequested(Event, frozen=True, omit_defaults=True):
    """The intent to charge, recorded before anything is sent; the channel, chosen `because`, knows it by `attempt`."""

    topic: ClassVar[str] = "repayments.requested.v1"

    id: str
    customer: str
    amount: int
    currency: str
    channel: str
    attempt: str
    token: str | None = None
    because: str = ""


class RepaymentUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say what became of it: unknown, and asked again until it is known."""

    topic: ClassVar[str] = "repayments.unanswered.v1"

    id: str
    reason: str


class RepaymentSucceeded(Event, frozen=True, omit_defaults=True):
    """The channel took `amount`; what it paid is recorded with it on the credit line."""

    topic: ClassVar[str] = "repayments.succeeded.v1"

    id: str
    channel_reference: str
    amount: int
    currency: str
    fees: int = 0
    interest: int = 0
    principal: int = 0
    to_wallet: int = 0


class RepaymentFailed(Event, frozen=True, omit_defaults=True):
    """The channel said no; nothing has moved."""

    topic: ClassVar[str] = "repayments.failed.v1"

    id: str
    group: str
    message: str = ""


class RepaymentReceiptUnapplied(Event, frozen=True, omit_defaults=True):
    """The channel took the money a second time for one repayment: it is kept apart."""

    topic: ClassVar[str] = "repayments.receipt_unapplied.v1"

    id: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    channel_fee: int
    because: str
    fee_payable: bool = False
