"""Laws of identifiers: unique, time-ordered, and what RFC 9562 calls version 7."""

import time
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events.event import entry_id_of, event_of_entry
from ledger.ids import new_id, new_ids


@given(st.integers(0, 300))
def test_ids_of_one_call_are_distinct_and_in_order(count: int) -> None:
    made = new_ids("ent_", count)
    assert made == sorted(set(made))
    assert len(made) == count


@given(st.lists(st.integers(0, 2**48 - 1), min_size=2, max_size=20, unique=True).map(sorted))
def test_ids_sort_by_the_millisecond_they_were_made_in(moments_ms: list[int]) -> None:
    with pytest.MonkeyPatch.context() as clock:
        made = []
        for moment_ms in moments_ms:
            clock.setattr(time, "time_ns", lambda moment_ms=moment_ms: moment_ms * 1_000_000)
            made += new_ids("ent_", 3)
    assert made == sorted(made)


def test_an_id_is_a_uuid_of_version_7_behind_its_prefix() -> None:
    before_ms = time.time_ns() // 1_000_000
    made = new_id("pay_")
    assert made.startswith("pay_")
    uuid = UUID(made.removeprefix("pay_"))
    assert (uuid.version, uuid.variant) == (7, RFC_4122)
    assert before_ms <= uuid.int >> 80 <= time.time_ns() // 1_000_000


def test_a_hundred_thousand_ids_of_one_millisecond_are_all_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert len({id_ for _ in range(100) for id_ in new_ids("ent_", 1_000)}) == 100_000


streams = st.sampled_from(["ent_0193", "hold_0193", "pay_0193", "hold_0193.2", "ref_0193-1"])


@given(streams, st.integers(1, 10**9 - 1))
def test_the_id_of_an_entry_leads_back_to_its_event(stream: str, version: int) -> None:
    assert event_of_entry(entry_id_of(stream, version)) == (stream, version)


@given(st.text())
def test_whatever_is_asked_for_as_an_entry_is_some_stream_and_version(text: str) -> None:
    stream, version = event_of_entry(text)
    assert (stream, version) == (text, 1) or text.startswith(f"{stream}.")
