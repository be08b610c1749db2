"""Corrections: a person who knows better says what became of a payment."""

from typing import ClassVar

from ledger.events.event import Event


class PaymentCorrected(Event, frozen=True, omit_defaults=True):
    """An operator found that the payment has `status` (succeeded, failed), and why; what follows moves the money.

    `was`: the status that it had here until then.
    """

    topic: ClassVar[str] = "payments.corrected.v1"

    status: str
    was: str
    reason: str
    channel_reference: str = ""
