"""`ledger rebuild` and `ledger verify`: what is derived from the log is held against it, and mended from it."""

from collections.abc import Callable
from pathlib import Path
from typing import LiteralString

import pytest

from commands.accounts import OpenAccount
from commands.transfers import PlaceHold, PostTransfer
from ledger.ids import ENTRY, HOLD, new_id
from ledger.store.connection import Database, in_book
from projections.register import BY_NAME
from projections.runner import BookRunner
from tests.cli import word
from tests.writing import part, pen


@pytest.fixture
def kept_book(database: Database, make_book: Callable[[], str]) -> str:
    """A book with transfers and a hold, and its views kept up."""
    book = make_book()
    with pen(database, book) as held:
        opened = [OpenAccount(name, name, "liability", "EUR") for name in ("a", "b")]
        moved = [PostTransfer(new_id(ENTRY), "a", "b", amount, "EUR") for amount in range(1, 50)]
        answers = held.submit([part(command) for command in (*opened, *moved)])()
        assert all(answer.refusal is None for answer in answers)
        held.do(PlaceHold(new_id(HOLD), "a", "b", 7, "EUR"))
    runner = BookRunner(book)
    with database.connect() as connection:
        while runner.step(connection):
            pass
    return book


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    return {"DATABASE_URL": database.conninfo, "LEDGER_STATE": str(tmp_path)}


def tamper(database: Database, book: str, statement: LiteralString) -> None:
    with database.owner() as connection:
        assert connection.execute(in_book(statement, book)).rowcount == 1


def test_a_right_book_verifies(kept_book: str, environment: dict[str, str]) -> None:
    (found,) = word.answer("verify", "--book", kept_book, **environment)["verified"]
    assert found["is_right"] is True
    assert (found["position"], found["events"]) == (52, 52)
    assert found["trial_balance"] == {"EUR": {"debits": 1225, "credits": 1225, "difference": 0}}
    assert {view["projection"]: view["position"] for view in found["views"]} == dict.fromkeys(sorted(BY_NAME), 52)
    assert not any(view["swapped"] for view in found["views"])


WRONGS: list[tuple[LiteralString, str, int]] = [
    (
        "UPDATE {schema}.balances SET posted_credits = posted_credits + 1 WHERE account = 'b'",
        "b posted_credits: 1226 is stored, 1225 is right",
        1,
    ),
    (
        "UPDATE {schema}.balances SET posted_credits = posted_credits + 1 WHERE account = 'b'",
        "debits 1,225, credits 1,226: -1 apart",
        1,
    ),
    ("UPDATE {schema}.postings SET amount = 9 WHERE account = 'a' AND position = 5", "postings: only there before", 1),
    ("DELETE FROM {schema}.pending_turnover WHERE account = 'a'", "pending_turnover: only in the new one", 1),
    ("DELETE FROM {schema}.events WHERE notification_id = 20", "BROKEN at position 20", 10),
    (
        "DELETE FROM {schema}.events WHERE notification_id = 52",
        "the head is 52, and there are 51 events from 1 to 51",
        10,
    ),
    (
        "UPDATE {schema}.events SET topic = 'os:system' WHERE notification_id = 20",
        "what stands at position 20 cannot be read as an event",
        11,
    ),
]


@pytest.mark.parametrize(("statement", "complaint", "code"), WRONGS)
def test_whatever_does_not_follow_from_the_log_is_found(
    kept_book: str, database: Database, environment: dict[str, str], statement: LiteralString, complaint: str, code: int
) -> None:
    tamper(database, kept_book, statement)
    done = word.run("verify", "--book", kept_book, **environment)
    assert done.returncode == code
    assert "WRONG" in done.stdout
    assert complaint in done.stdout


def test_a_wrong_view_is_told_and_then_mended_from_the_log(
    kept_book: str, database: Database, environment: dict[str, str]
) -> None:
    tamper(database, kept_book, "UPDATE {schema}.postings SET amount = 9 WHERE account = 'a' AND position = 5")
    for words in (["--no-swap"], []):
        done = word.run("rebuild", "postings", "--book", kept_book, *words, **environment)
        assert done.returncode == 1
        assert "DIFFERENT" in done.stdout
    reports = word.answer("rebuild", "all", "--book", kept_book, **environment)["rebuilt"]
    assert [report["projection"] for report in reports] == sorted(BY_NAME)
    assert word.run("verify", "--book", kept_book, **environment).returncode == 0


def test_a_view_that_is_behind_is_right_as_far_as_it_has_come(
    kept_book: str, database: Database, environment: dict[str, str]
) -> None:
    with pen(database, kept_book) as held:
        held.do(PostTransfer(new_id(ENTRY), "a", "b", 1, "EUR"))
    done = word.run("verify", "--book", kept_book, **environment)
    assert done.returncode == 0
    assert "postings is 1 events behind the log" in done.stdout


def test_views_and_books_that_are_not_there_are_told(kept_book: str, environment: dict[str, str]) -> None:
    for words in (["rebuild", "nothing", "--book", kept_book], ["rebuild", "postings", "--book", "nobodys"]):
        assert word.run(*words, **environment).returncode == 2
    assert word.run("verify", "--book", "nobodys", **environment).returncode == 2


def test_without_a_name_every_book_is_verified(empty_database_url: str, environment: dict[str, str]) -> None:
    environment["DATABASE_URL"] = empty_database_url
    word.answer("migrate", **environment)
    for name in ("first", "second"):
        word.answer("books", "create", name, **environment)
    found = word.answer("verify", **environment)["verified"]
    assert [(one["book"], one["is_right"]) for one in found] == [("first", True), ("second", True)]
