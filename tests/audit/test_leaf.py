"""Leaves: no two events have one, whatever stands next to what in them."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from ledger.audit.leaf import StoredEvent, leaf_of
from ledger.audit.merkle import leaf_hash

EVENT = StoredEvent(
    position=7,
    stream="acc_1",
    version=2,
    topic="accounts.frozen.v1",
    recorded_at=datetime(2026, 11, 21, 10, 20, 30, 123456, tzinfo=UTC),
    metadata=b"\x01actor",
    state=b"{}",
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
    )


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
    ]
    assert len({leaf_hash(leaf_of(one)) for one in (EVENT, *others)}) == 8
