"""Receipt: money that came and that no order was waiting for, and money that went back unasked."""

from datetime import datetime

import msgspec

KEPT = "kept"
RETURNING = "returning"
RETURNED = "returned"
ACCEPTED = "accepted"


class Receipt(msgspec.Struct, frozen=True):
    """Money that came and that no order was waiting for: kept, returning, returned or accepted.

    `back` is the id of what gives it back, or tried to last; `group` says why that failed.
    """

    number: int
    attempt: str
    channel: str
    reference: str
    amount: int
    currency: str
    channel_fee: int
    because: str
    received_at: datetime
    status: str = KEPT
    back: str = ""
    back_reference: str = ""
    group: str | None = None
    unanswered: tuple[str, ...] = ()


class GivenBackUnasked(msgspec.Struct, frozen=True):
    """What the channel says it gave back though nobody had asked it to, or not again: kept in suspense."""

    subject: str
    reference: str
