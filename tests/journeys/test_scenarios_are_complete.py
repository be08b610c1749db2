"""Payments, reports and books have 92 scenarios: each is a journey that can be found by its number, or stands here.

A test is called `test_p07_…` after its number, or `test_p18_p19_…` where it tells more than one.
"""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

PAYMENTS, RECONCILIATION, BOOKS = range(1, 82), (84, 85, 87, 88, 89, 91, 92), range(93, 97)
NOT_HERE = {
    87: "a hundred thousand rows are for the pure matcher: tests/matching/test_injection.py, ./run bench",
    78: "a client secret belongs to the checkout page, which is not there yet: so far nobody asks without a key",
}


@cache
def journeys() -> dict[int, list[str]]:
    """By number: the tests over HTTP and PostgreSQL that tell it."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for file, name in names():
        for number in re.findall(r"_p(\d\d)(?=_)", name) if name.startswith("test_p") else ():
            found[int(number)].append(f"{file}::{name}")
    return dict(found)


def names() -> list[tuple[str, str]]:
    """All tests here, with their files."""
    files = sorted(Path(__file__).parent.glob("test_*.py"))
    return [(file.name, name) for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)]


@pytest.mark.parametrize("number", [*PAYMENTS, *RECONCILIATION, *BOOKS])
def test_every_scenario_is_told_or_explained(number: int) -> None:
    told = journeys().get(number, [])
    assert bool(told) != (number in NOT_HERE), told or f"there is no test_p{number:02}_…"


def test_no_test_tells_a_scenario_that_is_not_on_the_list() -> None:
    assert journeys().keys() <= {*PAYMENTS, *RECONCILIATION, *BOOKS}


def test_numbers_have_two_digits() -> None:
    assert [name for _, name in names() if re.match(r"test_(p?\d|p?\d\d\d|\d\d)_", name)] == []
