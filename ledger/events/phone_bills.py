"""Phone bills: what payments want to charge to the bill of one phone in one month; one stream for each."""

from typing import ClassVar

from ledger.events.event import Event


def phone_bill_stream(phone: str, month: str) -> str:
    return f"phone_bill/{phone}/{month}"


class PhoneBillClaimed(Event, frozen=True):
    """A payment of so much was asked for; it counts unless the payment ends unpaid."""

    topic: ClassVar[str] = "phone_bills.claimed.v1"

    payment: str
    amount: int
    currency: str
