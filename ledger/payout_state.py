"""Payout state: what the facts of one payout's stream add up to, for whoever decides and for whoever shows.

    created ──(approved by a second person, where it is large)──▶ in_transit ─▶ submitted | unknown ─▶ paid ─▶ returned
       └─▶ canceled                                                  └─▶ rejected

`submitted`: the channel has it; `unknown`: it did not answer. In both the money is in transit, and the channel is asked
again under the same id until it says what became of it: time alone gives nothing back.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from ledger.events import payouts as events
from ledger.events.event import Event, Recorded
from ledger.payment import CANCELED, CREATED, UNKNOWN

IN_TRANSIT = "in_transit"
SUBMITTED = "submitted"
PAID = "paid"
RETURNED = "returned"
REJECTED = "rejected"
STATUSES = (CREATED, IN_TRANSIT, SUBMITTED, UNKNOWN, PAID, RETURNED, REJECTED, CANCELED)
OPEN = (IN_TRANSIT, SUBMITTED, UNKNOWN)
"""The money is set aside, and nobody knows what will become of it."""

# What a channel that has it, and has not decided, is recorded with.
HAS_IT = "pending"
EVENTS: frozenset[type[Event]] = frozenset(
    {
        events.PayoutCreated,
        events.PayoutApproved,
        events.PayoutCanceled,
        events.PayoutReserved,
        events.PayoutUnanswered,
        events.PayoutPaid,
        events.PayoutDebited,
        events.PayoutDebitUndone,
        events.PayoutRejected,
        events.PayoutReturned,
        events.PayoutGivenBack,
        events.PayoutUnapplied,
        events.PayoutReturnUnapplied,
    }
)


class Payout(msgspec.Struct, frozen=True):
    """All that its stream says; `version` and `position` are those of its last event, `maker` who asked for it."""

    created: events.PayoutCreated
    created_at: datetime
    version: int
    position: int
    maker: str
    status: str = CREATED
    approver: str | None = None
    reference: str = ""
    """The channel's reference of the payment; empty while it is not paid, or where only its return told of it."""
    bank_account: str = ""
    """Where the bank's statement has shown that the money left us."""
    returns: tuple[str, ...] = ()
    """The channel's references of what came back, the first of which was given back to the owner."""
    unapplied: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    group: str | None = None
    message: str = ""

    @property
    def in_transit(self) -> int:
        """Minor units that stand on the account of what is in transit."""
        waits = self.status in OPEN or (self.status == PAID and not self.created.prefunded)
        return self.created.amount if waits and not self.bank_account else 0


def evolve(payout: Payout | None, recorded: Recorded) -> Payout:
    """The payout after one more event of its stream."""
    event = recorded.event
    if payout is None:
        if not isinstance(event, events.PayoutCreated):
            raise AssertionError(f"a payout begins with its creation, not with {event}")
        return Payout(event, recorded.recorded_at, recorded.version, recorded.position, recorded.metadata.who)
    payout = replace(payout, version=recorded.version, position=recorded.position)
    match event:
        case events.PayoutApproved():
            return replace(payout, approver=recorded.metadata.who)
        case events.PayoutCanceled():
            return replace(payout, status=CANCELED)
        case events.PayoutReserved():
            return replace(payout, status=IN_TRANSIT)
        case events.PayoutUnanswered():
            status = SUBMITTED if event.reason == HAS_IT else UNKNOWN
            return replace(payout, status=status, unanswered=(*payout.unanswered, event.reason))
        case events.PayoutPaid():
            return replace(payout, status=PAID, reference=event.channel_reference)
        case events.PayoutDebited():
            return replace(payout, bank_account=event.bank_account)
        case events.PayoutDebitUndone():
            return replace(payout, bank_account="")
        case events.PayoutRejected():
            return replace(payout, status=REJECTED, group=event.group, message=event.message)
        case events.PayoutReturned():
            returns = (*payout.returns, event.channel_reference)
            return replace(payout, status=RETURNED, returns=returns, message=event.message)
        case events.PayoutGivenBack():
            return payout
        case events.PayoutUnapplied():
            return replace(payout, unapplied=(*payout.unapplied, event.channel_reference))
        case events.PayoutReturnUnapplied():
            return replace(payout, returns=(*payout.returns, event.channel_reference))
    raise AssertionError(f"{event} does not belong into the stream of a payout")


def fold(history: Sequence[Recorded]) -> Payout | None:
    """The payout after all of its history; None for no history."""
    payout: Payout | None = None
    for recorded in history:
        payout = evolve(payout, recorded)
    return payout
