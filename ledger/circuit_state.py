"""Circuit state: what the last event of a circuit's stream says.

closed ──too many technical failures──▶ open ──its time is over──▶ half_open ──probes went well──▶ closed
   ▲                                     ▲                            └──one failed──▶ open
   └──────────── by hand: open, closed, or given back to the automatic ────────────┘
"""

from datetime import datetime
from typing import Literal

import msgspec

from ledger.events.circuits import CircuitClosed, CircuitHalfOpened, CircuitOpened
from ledger.events.event import Recorded

State = Literal["closed", "open", "half_open"]


class Circuit(msgspec.Struct, frozen=True):
    """Whether a channel may carry a method. `position` is that of the last event, 0 where nothing ever happened."""

    channel: str
    method: str
    state: State = "closed"
    by_hand: bool = False
    because: str = ""
    since: datetime | None = None
    position: int = 0
    until: datetime | None = None
    failures: tuple[str, ...] = ()
    probes: int = 0
    probe_percent: int = 0


def circuit_of(channel: str, method: str, last: Recorded | None) -> Circuit:
    """The circuit after the last event of its stream; closed without one."""
    if last is None:
        return Circuit(channel, method)
    since, position = last.recorded_at, last.position
    match last.event:
        case CircuitOpened() as opened:
            return Circuit(
                channel,
                method,
                "open",
                opened.by_hand,
                opened.because,
                since,
                position,
                opened.until,
                opened.failures,
            )
        case CircuitHalfOpened() as half:
            return Circuit(
                channel,
                method,
                "half_open",
                because="its time was over",
                since=since,
                position=position,
                probes=half.probes,
                probe_percent=half.probe_percent,
            )
        case CircuitClosed() as closed:
            return Circuit(channel, method, "closed", closed.by_hand, closed.because, since, position)
        case other:
            raise AssertionError(f"{other} does not belong into the stream of a circuit")
