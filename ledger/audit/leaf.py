"""Leaf: an event as the tree of hashes takes it: the bytes that are stored, each behind its length.

"ledger-leaf/v1" ⏎ u64 position, u64 version, i64 recorded at (µs since 1970), u16 + stream, u16 + topic,
u32 + metadata, u32 + state; numbers big-endian. Nothing is parsed or written anew before it is hashed: what counts is
what is stored.
"""

from datetime import UTC, datetime, timedelta
from struct import Struct as Layout

from msgspec import Struct

_PREFIX = b"ledger-leaf/v1\n"
_NUMBERS, _SHORT, _LONG = Layout(">QQq"), Layout(">H"), Layout(">I")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class StoredEvent(Struct, frozen=True):
    """A row of the log: `metadata` and `state` as they are stored."""

    position: int
    stream: str
    version: int
    topic: str
    recorded_at: datetime
    metadata: bytes
    state: bytes


def leaf_of(event: StoredEvent) -> bytes:
    """The entry of the tree for this event."""
    stream, topic = event.stream.encode(), event.topic.encode()
    return b"".join(
        (
            _PREFIX,
            _NUMBERS.pack(event.position, event.version, (event.recorded_at - _EPOCH) // _MICROSECOND),
            _SHORT.pack(len(stream)),
            stream,
            _SHORT.pack(len(topic)),
            topic,
            _LONG.pack(len(event.metadata)),
            event.metadata,
            _LONG.pack(len(event.state)),
            event.state,
        )
    )
