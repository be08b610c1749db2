"""Receipts: what becomes of money that came and that no order was waiting for; in the stream of the payment.

PaymentReceiptUnapplied (payments.py) keeps it apart. Accepted for the order it becomes a PaymentCaptured with its
`receipt`; given back it goes through these.
"""

from typing import ClassVar

from ledger.events.event import Event


class ReceiptReturnRequested(Event, frozen=True, omit_defaults=True):
    """We owe it to the payer: the intent to have the channel give `amount` back, recorded before anything is sent."""

    topic: ClassVar[str] = "receipts.return_requested.v1"

    id: str
    receipt: int
    payment: str
    merchant: str
    attempt: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    because: str = ""


class ReceiptReturnUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say what became of it: unknown, and asked again until it is known."""

    topic: ClassVar[str] = "receipts.return_unanswered.v1"

    id: str
    reason: str


class ReceiptReturned(Event, frozen=True, omit_defaults=True):
    """The channel gave it back to the payer. `late`: it had said before that it would not."""

    topic: ClassVar[str] = "receipts.returned.v1"

    id: str
    receipt: int
    merchant: str
    channel: str
    channel_reference: str
    amount: int
    currency: str
    late: bool = False


class ReceiptReturnFailed(Event, frozen=True, omit_defaults=True):
    """It could not be given back, and is kept apart again. `bounced`: after it had been given back."""

    topic: ClassVar[str] = "receipts.return_failed.v1"

    id: str
    receipt: int
    merchant: str
    channel: str
    amount: int
    currency: str
    group: str
    message: str = ""
    bounced: bool = False
