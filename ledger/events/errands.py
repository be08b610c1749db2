"""Errands: what channels were asked for and nobody knows the outcome of, one stream for each that came to that."""

from typing import ClassVar

from ledger.events.event import Event


def errand_stream(errand: str) -> str:
    return f"errand/{errand}"


class ErrandUnresolved(Event, frozen=True, omit_defaults=True):
    """The channel was asked so often and does not say what became of it: a break for people to resolve.

    The outcome stays unknown and is asked for on and on: time alone never makes a failure of it. `payment` is the
    stream that it belongs to, `last_answer` what stood in place of an answer.
    """

    topic: ClassVar[str] = "errands.unresolved.v1"

    id: str
    payment: str
    channel: str
    kind: str
    tries: int
    last_answer: str
