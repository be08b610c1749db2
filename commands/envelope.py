"""Envelope: who asks, with which key, on whose behalf and why; and what is answered."""

import hashlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from ledger.errors import Refusal
from ledger.events.event import Event

_encode = msgspec.json.Encoder().encode


class Command(msgspec.Struct, frozen=True, gc=False):
    """What is asked for: the base of every command, in the imperative."""


class Receipt(msgspec.Struct, gc=False):
    """What is answered to a command that was carried out; `position` is that of its last event."""

    position: int | None = None


class Told(Protocol):
    """What can be answered: a receipt, or a view from the ledger; a struct that is written as JSON."""

    position: int | None


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What a decider decided: events with their streams, and the answer.

    Status 202: the outcome is still to come. `retold`: the answer is not stored with the key, because the command's
    first event tells all of it. `first_causes_the_rest`: the others stand in the log as set in motion by the first one.
    """

    events: list[tuple[str, Event]]
    receipt: Told
    status: int = 201
    retold: bool = False
    first_causes_the_rest: bool = False


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """Around a command. `key` is the idempotency key and `fingerprint` the SHA-256 of route and parsed request.

    `keeps_refusals`: a refusal is remembered with the key. What a channel or a timer says is a fact that has to be
    taken in the end, so it comes again with the same key once the refusal's reason is gone.
    `may_wait`: whoever asks understands that a second person has to agree first. `approval`: that was agreed to.
    """

    key: str
    fingerprint: bytes
    actor: str
    correlation: str = ""
    causation: str = ""
    administrator: bool = False
    dry_run: bool = False
    keeps_refusals: bool = True
    person: str = ""
    may_wait: bool = False
    approval: str = ""

    @property
    def who(self) -> str:
        """Who asks, where two have to be two: the person, or the key where no person is known."""
        return self.person or self.actor


# No caller can take one of our own keys before us: theirs are printable ASCII.
_OWN_KEYS = "§"


def own_envelope(key: str, *, actor: str, content: bytes = b"", correlation: str = "", causation: str = "") -> Envelope:
    """Around a command of the service itself. The key says what happened; `content` is what it must not differ in."""
    fingerprint = hashlib.sha256(key.encode() + b"\0" + content).digest()
    return Envelope(_OWN_KEYS + key, fingerprint, actor, correlation, causation, keeps_refusals=False)


class Part(msgspec.Struct, frozen=True, gc=False):
    """One command in its envelope."""

    envelope: Envelope
    command: Command


class Answer(msgspec.Struct, frozen=True):
    """What became of a command: a receipt, or its JSON bytes, or a refusal; `error` is a bug and nobody's answer.

    `again`: its whole batch was answered before, and `replayed` is what was said of it then.
    """

    status: int
    position: int
    told: Told | bytes = b""
    replayed: bool = False
    refusal: Refusal | None = None
    error: Exception | None = None
    again: bool = False

    @property
    def body(self) -> bytes:
        """The receipt as JSON; written when it is asked for, which nobody does for a transfer in a batch."""
        return self.told if isinstance(self.told, bytes) else _encode(self.told)


class Submission(msgspec.Struct, frozen=True):
    """Commands that are answered together: each for itself, or, if `atomic`, all or none.

    `batch_key` is the key of the whole batch, if it has one; `deadline` is on the monotonic clock, in seconds.
    """

    parts: list[Part]
    done: Callable[[list[Answer]], None]
    deadline: float
    atomic: bool = False
    batch_key: Envelope | None = None
