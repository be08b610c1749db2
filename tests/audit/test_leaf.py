"""Leaves: no two events have one, whatever stands next to what in them."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ledger.audit.leaf import StoredEvent, leaf_hashes, leaf_of, sealed_entry
from ledger.audit.merkle import leaf_hash
from ledger.events.accounts import AccountFrozen
from ledger.events.entries import EntryPosted
from ledger.events.transfers import TransferPosted
from ledger.journal import Direction, Posting

EVENT = StoredEvent(
    position=7,
    stream="acc_1",
    version=2,
    topic="accounts.frozen.v1",
    recorded_at=datetime(2026, 11, 21, 10, 20, 30, 123456, tzinfo=UTC),
    metadata=b"\x01actor",
    state=b"{}",
    entry=b"\x02",
)
EVENTS = st.builds(
    StoredEvent,
    position=st.integers(1, 3),
    stream=st.text("ab", max_size=3),
    version=st.integers(1, 3),
    topic=st.text("ab", max_size=3),
    recorded_at=st.sampled_from([EVENT.recorded_at, datetime(1969, 12, 31, tzinfo=UTC)]),
    metadata=st.binary(max_size=3),
    state=st.binary(max_size=3),
    entry=st.binary(max_size=3),
)


def test_the_bytes_of_a_leaf() -> None:
    assert leaf_of(EVENT) == (
        b"ledger-leaf/v1\n"
        + (7).to_bytes(8, "big")
        + (2).to_bytes(8, "big")
        + (1_795_256_430_123_456).to_bytes(8, "big", signed=True)
        + b"\x00\x05acc_1"
        + b"\x00\x12accounts.frozen.v1"
        + b"\x00\x00\x00\x06\x01actor"
        + b"\x00\x00\x00\x02{}"
        + b"\x00\x00\x00\x01\x02"
    )


def test_an_entry_is_sealed_with_the_event_that_posts_it() -> None:
    transfer = TransferPosted("cash", "sales", 5, "EUR")
    at = EVENT.recorded_at
    sealed = (
        (1_795_256_430_123_456).to_bytes(8, "big", signed=True)
        + b"\x00\x02"
        + b"\x00\x00\x00\x00\x00\x00\x00\x00\x05\x03EUR\x00\x04cash"
        + b"\x01\x00\x00\x00\x00\x00\x00\x00\x05\x03EUR\x00\x05sales"
    )
    assert sealed_entry(transfer, at) == sealed
    postings = (Posting("cash", Direction.DEBIT, 5, "EUR"), Posting("sales", Direction.CREDIT, 5, "EUR"))
    assert sealed_entry(EntryPosted(postings), at) == sealed, "a transfer is an entry like any other"
    earlier = at - timedelta(microseconds=1)
    assert sealed_entry(EntryPosted(postings, effective_at=earlier), at)[:8] == (1_795_256_430_123_455).to_bytes(
        8, "big", signed=True
    )
    assert sealed_entry(AccountFrozen("cash", "why"), at) == b""


@given(st.lists(EVENTS, max_size=5), st.integers(0, 9))
def test_a_batch_is_hashed_as_its_events_are(events: list[StoredEvent], after: int) -> None:
    batch = [
        structs.replace(one, position=after + at, recorded_at=EVENT.recorded_at) for at, one in enumerate(events, 1)
    ]
    columns = (
        [one.stream for one in batch],
        [one.version for one in batch],
        [one.topic for one in batch],
        [one.state for one in batch],
        [one.metadata for one in batch],
    )
    hashed = leaf_hashes(after, EVENT.recorded_at, columns, [one.entry for one in batch])
    assert hashed == [leaf_hash(leaf_of(one)) for one in batch]


@given(EVENTS, EVENTS)
def test_two_events_have_one_leaf_only_if_they_are_one(one: StoredEvent, other: StoredEvent) -> None:
    assert (leaf_of(one) == leaf_of(other)) == (one == other)


def test_every_part_of_an_event_counts() -> None:
    others = [
        structs.replace(EVENT, position=8),
        structs.replace(EVENT, stream="acc_2"),
        structs.replace(EVENT, version=3),
        structs.replace(EVENT, topic="accounts.frozen.v2"),
        structs.replace(EVENT, recorded_at=datetime(2026, 11, 21, 10, 20, 30, 123457, tzinfo=UTC)),
        structs.replace(EVENT, metadata=b"\x01actof"),
        structs.replace(EVENT, state=b"{ }"),
        structs.replace(EVENT, entry=b"\x03"),
    ]
    assert len({leaf_hash(leaf_of(one)) for one in (EVENT, *others)}) == 9
