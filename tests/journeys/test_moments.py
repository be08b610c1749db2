"""Moments: a trial balance that the log makes otherwise is noticed, even where its sums agree."""

from collections.abc import Iterator
from typing import Any

import pytest

from commands.accounts import OpenAccount
from commands.transfers import PostTransfer
from ledger.store.connection import Database
from tests.journeys import moments
from tests.writing import Pen, pen

POSITIONS = [2, 3, 4]


@pytest.fixture
def writing(database: Database, book: str) -> Iterator[Pen]:
    with pen(database, book) as held:
        yield held


@pytest.fixture
def trials(writing: Pen) -> list[dict[str, Any]]:
    """Of a book with two accounts, opened at 1 and 2, and a transfer of 5 at 3 and 4, in any order."""
    for name in ("a", "b"):
        writing.do(OpenAccount(name, "A", "liability", "EUR"))
    for number in (1, 2):
        writing.do(PostTransfer(f"ent_{number}", "a", "b", 5, "EUR"))
    return [_trial(4, 10), _trial(2, 0), _trial(3, 5)]


def _trial(position: int, moved: int) -> dict[str, Any]:
    rows = [{"account": "a", "debits": moved, "credits": 0}, {"account": "b", "debits": 0, "credits": moved}]
    return {"position": position, "currencies": {"EUR": {"difference": 0}}, "accounts": rows}


def _found(database: Database, book: str, trials: list[dict[str, Any]]) -> list[str]:
    return list(moments.differences(database, book, trials, lambda done, total: None))


def test_trial_balances_as_the_log_makes_them(database: Database, book: str, trials: list[dict[str, Any]]) -> None:
    assert _found(database, book, trials) == []


@pytest.mark.parametrize("position", POSITIONS)
def test_what_is_otherwise(database: Database, book: str, trials: list[dict[str, Any]], position: int) -> None:
    trial = next(trial for trial in trials if trial["position"] == position)
    trial["accounts"][0]["debits"] += 1
    trial["accounts"][1]["credits"] += 1
    found = _found(database, book, trials)
    assert [each.partition(" has ")[0] for each in found] == [f"trial balance at {position}: {name}" for name in "ab"]


def test_sums_that_are_apart_and_accounts_that_are_missing(
    database: Database, book: str, trials: list[dict[str, Any]]
) -> None:
    trials[0]["currencies"]["EUR"]["difference"] = 1
    del trials[1]["accounts"][1]
    assert len(_found(database, book, trials)) == 2
