"""Holds: a pending transfer that is captured in parts, released, or expires."""

from datetime import datetime
from typing import ClassVar

from ledger.events.event import Event


class HoldPlaced(Event, frozen=True, omit_defaults=True):
    """`amount` minor units are set aside on the account they would leave, and announced on the other."""

    topic: ClassVar[str] = "holds.placed.v1"

    debit_account: str
    credit_account: str
    amount: int
    currency: str
    expires_at: datetime | None = None
    reference: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}


class HoldCaptured(Event, frozen=True, omit_defaults=True):
    """`amount` of the hold was posted; a final capture also lets go of the rest, `released`."""

    topic: ClassVar[str] = "holds.captured.v1"

    debit_account: str
    credit_account: str
    amount: int
    currency: str
    final: bool
    released: int = 0
    description: str | None = None


class HoldReleased(Event, frozen=True, omit_defaults=True):
    """What was still held, `amount`, was let go."""

    topic: ClassVar[str] = "holds.released.v1"

    debit_account: str
    credit_account: str
    amount: int
    currency: str
    reason: str | None = None


class HoldExpired(Event, frozen=True):
    """Its time ran out; what was still held, `amount`, was let go."""

    topic: ClassVar[str] = "holds.expired.v1"

    debit_account: str
    credit_account: str
    amount: int
    currency: str


HoldEvent = HoldPlaced | HoldCaptured | HoldReleased | HoldExpired
