"""Injection: of each type of break as many are found as were planted, and nothing else is said."""

import pytest

from ledger.matching.matcher import match
from ledger.matching.outcome import BREAK_TYPES
from tests.matching.injected import NOW, POLICY, counts, day_of, differences


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_planted_is_found_and_nothing_else(seed: int) -> None:
    day = day_of(9_000, k=50, seed=seed)
    told = match(day.rows, day.items, POLICY, NOW)
    assert differences(day, told) == []
    assert counts(told) == dict.fromkeys(BREAK_TYPES, 50)


def test_a_day_without_breaks_has_none() -> None:
    day = day_of(2_000, k=0)
    told = match(day.rows, day.items, POLICY, NOW)
    assert (told.breaks, told.waiting_rows, told.waiting_items, told.duplicates) == ((), (), (), ())
    assert len(told.matches) == 2_000


def test_what_is_said_does_not_depend_on_the_order_of_what_is_given() -> None:
    day = day_of(1_000, k=10)
    hashes = set()
    for _ in range(3):
        day.shuffle()
        hashes.add(match(day.rows, day.items, POLICY, NOW).output_hash)
    assert len(hashes) == 1
