"""Approval state: what the facts of one approval's stream add up to.

pending ──(somebody else agrees)──▶ executed
   ├──(somebody else does not)────▶ rejected
   ├──(its maker takes it back)───▶ canceled
   └──(time passes)···············▶ expired, which is told by the clock and not recorded
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from ledger.events.approvals import ApprovalCanceled, ApprovalGiven, ApprovalRejected, ApprovalRequested
from ledger.events.event import Recorded

PENDING = "pending"
EXECUTED = "executed"
REJECTED = "rejected"
CANCELED = "canceled"
EXPIRED = "expired"
STATUSES = (PENDING, EXECUTED, REJECTED, CANCELED, EXPIRED)


class Approval(msgspec.Struct, frozen=True):
    """All that its stream says; `position` is that of its request, a `_key` that which a person spoke with."""

    requested: ApprovalRequested
    requested_at: datetime
    maker_key: str
    position: int
    status: str = PENDING
    checker: str | None = None
    checker_key: str | None = None
    decided_at: datetime | None = None
    reason: str | None = None

    def status_at(self, now: datetime) -> str:
        """What a reader is told: nobody can agree any more once its time is over."""
        return EXPIRED if self.status == PENDING and self.requested.expires_at <= now else self.status


def digest_of(kind: str, command: str) -> str:
    """What whoever agrees agrees to."""
    return hashlib.sha256(f"{kind}\n{command}".encode()).hexdigest()


def evolve(approval: Approval | None, recorded: Recorded) -> Approval:
    """The approval after one more event of its stream."""
    event, who = recorded.event, recorded.metadata
    if approval is None:
        if not isinstance(event, ApprovalRequested):
            raise AssertionError(f"an approval begins with its request, not with {event}")
        return Approval(event, recorded.recorded_at, who.actor, recorded.position)
    approval = replace(approval, decided_at=recorded.recorded_at)
    match event:
        case ApprovalGiven():
            return replace(approval, status=EXECUTED, checker=event.checker, checker_key=who.actor)
        case ApprovalRejected():
            return replace(approval, status=REJECTED, checker=event.checker, checker_key=who.actor, reason=event.reason)
        case ApprovalCanceled():
            return replace(approval, status=CANCELED, reason=event.reason)
    raise AssertionError(f"{event} is nothing of an approval")


def fold(history: Sequence[Recorded]) -> Approval | None:
    """The approval, or None where nothing was asked for."""
    approval = None
    for recorded in history:
        approval = evolve(approval, recorded)
    return approval
