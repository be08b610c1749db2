"""Circuits: whether a channel may carry a method at the moment; one stream for each channel and method.

Each event tells the whole state, so that the last one of a stream is all that a decision has to read.
"""

from datetime import datetime
from typing import ClassVar

from ledger.events.event import Event

CIRCUIT_PREFIX = "circuit/"


def circuit_stream(channel: str, method: str) -> str:
    return f"{CIRCUIT_PREFIX}{channel}/{method}"


class CircuitOpened(Event, frozen=True, omit_defaults=True):
    """The channel takes no new payment, until `until`, or until somebody closes it by hand where that is not set.

    `failures`: the attempts whose technical failures led to it.
    """

    topic: ClassVar[str] = "circuits.opened.v1"

    channel: str
    method: str
    because: str
    until: datetime | None = None
    failures: tuple[str, ...] = ()
    by_hand: bool = False


class CircuitHalfOpened(Event, frozen=True, omit_defaults=True):
    """A part of the payments tries the channel again; after `probes` of them that went well it is closed.

    `probe_percent`: how many of a hundred payments try it; which ones is decided by their ids.
    """

    topic: ClassVar[str] = "circuits.half_opened.v1"

    channel: str
    method: str
    probes: int
    probe_percent: int


class CircuitClosed(Event, frozen=True, omit_defaults=True):
    """The channel takes payments. `by_hand`: whatever happens, until somebody gives it back to the automatic."""

    topic: ClassVar[str] = "circuits.closed.v1"

    channel: str
    method: str
    because: str
    by_hand: bool = False
