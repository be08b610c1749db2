"""Envelope: who asks, with which key, on whose behalf and why; and what is answered."""

from collections.abc import Callable

import msgspec

from ledger.errors import Refusal
from ledger.events.event import Event


class Command(msgspec.Struct, frozen=True):
    """What is asked for: the base of every command, in the imperative."""


class Receipt(msgspec.Struct):
    """What is answered to a command that was carried out; `position` is that of its last event."""

    position: int | None = None


class Decision(msgspec.Struct, frozen=True):
    """What a decider decided: events with their streams, and the answer.

    `retold`: the answer is not stored with the key, because the command's first event tells all of it.
    """

    events: list[tuple[str, Event]]
    receipt: Receipt
    status: int = 201
    retold: bool = False


class Envelope(msgspec.Struct, frozen=True):
    """Around a command. `key` is the idempotency key and `fingerprint` the SHA-256 of route and parsed request."""

    key: str
    fingerprint: bytes
    actor: str
    correlation: str = ""
    causation: str = ""
    administrator: bool = False
    dry_run: bool = False


class Part(msgspec.Struct, frozen=True):
    """One command in its envelope."""

    envelope: Envelope
    command: Command


class Answer(msgspec.Struct, frozen=True):
    """What became of a command: a receipt's JSON bytes, or a refusal; `error` is a bug and nobody's answer."""

    status: int
    position: int
    body: bytes = b""
    replayed: bool = False
    refusal: Refusal | None = None
    error: Exception | None = None


class Submission(msgspec.Struct, frozen=True):
    """Commands that are answered together: each for itself, or, if `atomic`, all or none.

    `batch_key` is the key of the whole batch, if it has one; `deadline` is on the monotonic clock, in seconds.
    """

    parts: list[Part]
    done: Callable[[list[Answer]], None]
    deadline: float
    atomic: bool = False
    batch_key: Envelope | None = None
