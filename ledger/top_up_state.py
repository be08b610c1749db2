"""Top-up state: what the facts of one top-up's stream add up to, for whoever decides and for whoever shows.

requested: processing ──▶ succeeded
                └─▶ failed ──▶ succeeded (the channel took the money after all: the wallet has it)
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from ledger.events.event import Recorded
from ledger.events.top_ups import (
    TopUpFailed,
    TopUpReceiptUnapplied,
    TopUpRequested,
    TopUpSucceeded,
    TopUpUnanswered,
)
from ledger.evolving.settlements import SETTLING
from ledger.payment import FAILED, PROCESSING, SUCCEEDED


class TopUp(msgspec.Struct, frozen=True):
    """All that its stream says; `version` and `position` are those of its last event."""

    requested: TopUpRequested
    created_at: datetime
    version: int
    position: int
    status: str = PROCESSING
    reference: str = ""
    unapplied: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    group: str | None = None


def evolve(top_up: TopUp | None, recorded: Recorded) -> TopUp:
    """The top-up after one more event of its stream."""
    event = recorded.event
    if top_up is None:
        if not isinstance(event, TopUpRequested):
            raise AssertionError(f"a top-up begins with its request, not with {event}")
        return TopUp(event, recorded.recorded_at, recorded.version, recorded.position)
    top_up = replace(top_up, version=recorded.version, position=recorded.position)
    if isinstance(event, SETTLING):
        return top_up
    match event:
        case TopUpUnanswered():
            return replace(top_up, unanswered=(*top_up.unanswered, event.reason))
        case TopUpSucceeded():
            return replace(top_up, status=SUCCEEDED, reference=event.channel_reference, group=None)
        case TopUpFailed():
            return replace(top_up, status=FAILED, group=event.group)
        case TopUpReceiptUnapplied():
            return replace(top_up, unapplied=(*top_up.unapplied, event.channel_reference))
    raise AssertionError(f"{event} does not belong into the stream of a top-up")


def fold(history: Sequence[Recorded]) -> TopUp | None:
    """The top-up after all of its history; None for no history."""
    top_up: TopUp | None = None
    for recorded in history:
        top_up = evolve(top_up, recorded)
    return top_up
