"""Leaf: an event as the tree of hashes takes it: the bytes that are stored, and what it posted, each behind its length.

"ledger-leaf/v1" ⏎ u64 position, u64 version, i64 recorded at (µs since 1970), u16 + stream, u16 + topic,
u32 + metadata, u32 + state, u32 + entry; numbers big-endian. Nothing is parsed or written anew before it is hashed:
what counts is what is stored. The entry is sealed with the event, so that whoever checks the books needs none of our
posting rules, and a rule that changes later is found out:

i64 effective at (µs since 1970), u16 number of postings, and for each
u8 side (0 debit, 1 credit), u64 amount in minor units, u8 + currency, u16 + account      empty: nothing is posted
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from struct import Struct as Layout

from msgspec import Struct

from ledger.events.event import Event
from ledger.events.transfers import TransferPosted
from ledger.journal import Direction, Posting
from ledger.posting_rules import effective_at, entry_for

PREFIX = b"ledger-leaf/v1\n"
_LEAF = b"\x00" + PREFIX
_NUMBERS, _SHORT, _LONG = Layout(">QQqH").pack, Layout(">H").pack, Layout(">I").pack
_ENTRY, _SIDE = Layout(">qH").pack, Layout(">BQ").pack
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class StoredEvent(Struct, frozen=True, gc=False):
    """A row of the log: `metadata` and `state` as they are stored, `entry` as it is sealed with them."""

    position: int
    stream: str
    version: int
    topic: str
    recorded_at: datetime
    metadata: bytes
    state: bytes
    entry: bytes = b""


def leaf_of(event: StoredEvent) -> bytes:
    """The entry of the tree for this event."""
    stream, topic = event.stream.encode(), event.topic.encode()
    return b"".join(
        (
            PREFIX,
            _NUMBERS(event.position, event.version, microseconds(event.recorded_at), len(stream)),
            stream,
            _short(topic),
            _LONG(len(event.metadata)),
            event.metadata,
            _LONG(len(event.state)),
            event.state,
            _LONG(len(event.entry)),
            event.entry,
        )
    )


def leaf_hashes(
    after_position: int,
    recorded_at: datetime,
    columns: tuple[list[str], list[int], list[str], list[bytes], list[bytes]],
    entries: list[bytes],
) -> list[bytes]:
    """The hashes of the leaves of one batch, from columns: streams, versions, topics, states, metadata; entries."""
    at, topics = microseconds(recorded_at), dict[str, bytes]()
    position, leaves, joined = after_position, list[bytes](), b"".join
    # Written out here, because it is done for every event while its batch waits.
    for stream, version, topic, state, metadata, entry in zip(*columns, entries, strict=True):
        position += 1
        word = topics.get(topic)
        if word is None:
            word = topics[topic] = _short(topic.encode())
        name = stream.encode()
        preimage = (
            _LEAF,
            _NUMBERS(position, version, at, len(name)),
            name,
            word,
            _LONG(len(metadata)),
            metadata,
            _LONG(len(state)),
            state,
            _LONG(len(entry)),
            entry,
        )
        leaves.append(sha256(joined(preimage)).digest())
    return leaves


def sealed_entry(event: Event, recorded_at: datetime) -> bytes:
    """What the event posts, and when it takes effect, as it is sealed with it."""
    if type(event) is TransferPosted:
        # The commonest event by far, spared the general way.
        amount, currency = event.amount, event.currency
        return b"".join(
            (
                _ENTRY(microseconds(event.effective_at or recorded_at), 2),
                _SIDE(0, amount),
                _money_and_account(currency, event.debit_account),
                _SIDE(1, amount),
                _money_and_account(currency, event.credit_account),
            )
        )
    entry = entry_for(event)
    if entry is None:
        return b""
    begin = _ENTRY(microseconds(effective_at(event, recorded_at)), len(entry.postings))
    return begin + b"".join(map(_posting, entry.postings))


# A batch has one time, and most accounts are met again.
@lru_cache(64)
def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(4_096)
def _money_and_account(currency: str, account: str) -> bytes:
    return len(currency).to_bytes() + currency.encode() + _short(account.encode())


def _posting(posting: Posting) -> bytes:
    side = _SIDE(posting.direction == Direction.CREDIT, posting.amount)
    return side + _money_and_account(posting.currency, posting.account)


def _short(text: bytes) -> bytes:
    return _SHORT(len(text)) + text
