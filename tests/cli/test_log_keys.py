"""`ledger log-keys`: one key follows another, and the log of every book says so before it does."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import Connection, errors

from commands.accounts import OpenAccount
from commands.log_keys import LogKeys
from ledger.audit.signed_note import VerifierKey, read_note, verify_note
from ledger.events.log_keys import LOG_KEYS_STREAM, LogKeyAdded, LogKeyRetired
from ledger.store import read, sealed
from ledger.store.connection import Database, in_book
from ledger.store.migrate import application_role, create_book, migrate_control
from ledger.store.sealing import seal
from tests.cli import word
from tests.writing import pen


@pytest.fixture
def database(make_database: Callable[[], str]) -> Database:
    """One of our own, for the words are about all books there are."""
    try:
        url = make_database()
    except errors.InsufficientPrivilege:
        pytest.skip("the user of DATABASE_URL may not make databases")
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
        return Database(url, role=application_role(connection))


@pytest.fixture
def books(database: Database) -> list[str]:
    with database.owner() as connection:
        for name in ("shop", "kiosk"):
            create_book(connection, name)
    return ["shop", "kiosk"]


@pytest.fixture
def environment(database: Database, tmp_path: Path) -> dict[str, str]:
    return {"DATABASE_URL": database.conninfo, "LEDGER_STATE": str(tmp_path), "LEDGER_LOG_NAME": "example.org"}


def told(database: Database, book: str) -> list[LogKeyAdded | LogKeyRetired]:
    async def stream() -> list[LogKeyAdded | LogKeyRetired]:
        async with await database.connect_async() as connection:
            found = await read.stream(connection, book, LOG_KEYS_STREAM)
        return [one.event for one in found if isinstance(one.event, LogKeyAdded | LogKeyRetired)]

    return asyncio.run(stream())


def test_a_key_is_announced_in_every_book_signs_beside_the_old_one_and_follows_it(
    database: Database, books: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    (book, other), keys = books, LogKeys(tmp_path / "log_keys")
    old = word.answer("log-keys", "list", **environment)["log_keys"][book]
    assert list(old) == ["0001"]
    word.answer("log-keys", "add", **environment)
    shown = word.answer("log-keys", "list", **environment)["log_keys"][book]
    assert shown["0001"] == old["0001"]
    for one in (book, other):
        (added,) = told(database, one)
        assert isinstance(added, LogKeyAdded)
        by_name = word.answer("log-keys", "list", **environment)["log_keys"][one]
        both = [VerifierKey.parse(key) for key in by_name.values()]
        assert added.key == by_name["0002"]
        assert len(verify_note(read_note(added.note.encode()), both)) == 2

    refused = word.run("log-keys", "retire", "0001", **environment)
    assert refused.returncode == 1
    assert "30 days" in refused.stderr
    word.answer("log-keys", "retire", "0001", "--days", "0", **environment)
    assert told(database, book)[-1] == LogKeyRetired(old["0001"])
    assert list(keys.private()) == ["0002"]
    assert word.run("log-keys", "retire", "0002", "--days", "0", **environment).returncode == 1, "one has to stay"


def test_a_book_that_was_made_since_hears_of_the_key_and_no_book_goes_ahead_of_the_others(
    database: Database, books: list[str], environment: dict[str, str]
) -> None:
    word.answer("log-keys", "add", **environment)
    with database.owner() as connection:
        for book in books:  # There it was long ago.
            connection.execute(
                in_book("UPDATE {schema}.events SET recorded_at = recorded_at - interval '31 days'", book)
            )
        create_book(connection, "zoo")
    refused = word.run("log-keys", "retire", "0001", **environment)
    assert refused.returncode == 1
    every = [*books, "zoo"]
    assert not any(isinstance(event, LogKeyRetired) for book in every for event in told(database, book))
    assert list(word.answer("log-keys", "list", **environment)["log_keys"]["zoo"]) == ["0001", "0002"]
    word.answer("log-keys", "retire", "0001", "--days", "0", **environment)
    for book in every:
        assert [type(event) for event in told(database, book)] == [LogKeyAdded, LogKeyRetired]


def test_a_log_verifies_by_the_keys_that_somebody_knows(
    database: Database, books: list[str], environment: dict[str, str], tmp_path: Path
) -> None:
    book, keys = books[0], LogKeys(tmp_path / "log_keys")
    with pen(database, book) as writer:
        writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))

    async def sealing() -> None:
        async with await database.connect_async() as connection:
            origin = f"example.org/{book}"
            await seal(connection, book, origin, lambda text: keys.sign(origin, text))

    asyncio.run(sealing())
    ours = word.answer("log-keys", "list", **environment)["log_keys"]
    kept = tmp_path / "kept"
    with database.connect() as connection:
        newest = sealed.newest_checkpoint(connection, book)
    assert newest is not None
    kept.write_bytes(newest.note)
    words = ("verify", "--book", book, "--kept", kept, "--vkey")
    (found,) = word.answer(*words, ours[book]["0001"], **environment)["verified"]
    assert (found["seal"]["kept"], found["seal"]["unsigned"], found["seal"]["exit_code"]) == (1, 0, 0)
    other = word.run(*words, ours[books[1]]["0001"], **environment)
    assert other.returncode == 14, "signed by nobody who is believed"
    assert word.run("verify", "--book", books[1], "--kept", kept, **environment).returncode == 2, "of another book"
    assert word.run("verify", "--kept", tmp_path / "none", **environment).returncode == 2
    assert word.run("verify", "--vkey", "no key", **environment).returncode == 2
