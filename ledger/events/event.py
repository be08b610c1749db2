"""Event: the base of every fact, and the envelope it is recorded in."""

from datetime import datetime
from typing import ClassVar

import msgspec


# gc=False, here and for other values that come by the thousand: nothing in them can lead back to them, so the garbage
# collector need not look.
class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A fact. `topic` is its word in the log, `<noun>.<what happened>.v<version>`; a Python path never is."""

    topic: ClassVar[str] = ""


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Who asked for it, with which key, on whose behalf, and what caused it.

    `actor` is an API key's id or a part of the service, `person` whose hands that key is in, where that is known.
    `causation` is the event that set this one in motion, as `<stream>.<version>`, or empty for a request.
    """

    actor: str
    key: str = ""
    correlation: str = ""
    causation: str = ""
    reason: str = ""
    person: str = ""

    @property
    def who(self) -> str:
        """Who it was, where two have to be two: the person, or the key where no person is known."""
        return self.person or self.actor


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An event in its place: the stream's version counts from 1, the book's position is dense and in commit order."""

    stream: str
    version: int
    position: int
    recorded_at: datetime
    event: Event
    metadata: Metadata

    @property
    def entry_id(self) -> str:
        """The id of the journal entry this event posts, if it posts one."""
        return entry_id_of(self.stream, self.version)


def entry_id_of(stream: str, version: int) -> str:
    """An entry that began its own stream carries the stream's id, any other the id of its event."""
    return stream if stream.startswith("ent_") and version == 1 else f"{stream}.{version}"


def event_of_entry(entry_id: str) -> tuple[str, int]:
    """The stream and version of the event that posted this entry; the inverse of `entry_id_of`."""
    stream, dot, version = entry_id.rpartition(".")
    return (
        (stream, int(version))
        if dot and version.isascii() and version.isdigit() and len(version) < 10
        else (entry_id, 1)
    )
