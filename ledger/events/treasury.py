"""Treasury: what the house moves between its own places: floats at channels are fed, earned fees are swept."""

from typing import ClassVar

from ledger.events.event import Event


class FloatFed(Event, frozen=True, omit_defaults=True):
    """`amount` of our client money went to a channel that pays out of what it was given before."""

    topic: ClassVar[str] = "treasury.float_fed.v1"

    id: str
    channel: str
    amount: int
    currency: str
    bank_account: str
    reference: str | None = None


class FeesSwept(Event, frozen=True, omit_defaults=True):
    """`amount` of what we earned left the client money for our own account at the bank."""

    topic: ClassVar[str] = "treasury.fees_swept.v1"

    id: str
    amount: int
    currency: str
    bank_account: str
    reference: str | None = None


TreasuryEvent = FloatFed | FeesSwept
