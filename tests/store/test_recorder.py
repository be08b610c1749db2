"""The log of one book: the library's own cases, dense positions, append-only, and what may not be switched on."""

import sys
import threading
import time
import unittest
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, ClassVar
from unittest.mock import patch
from uuid import uuid4

import pytest
from eventsourcing.persistence import ProgrammingError, StoredEvent
from psycopg import errors

from ledger.store import recorder as recorder_module
from ledger.store.connection import Database, in_book
from ledger.store.recorder import BookDatastore, BookRecorder, DatabaseTrouble, LawBroken
from tests.writing import fresh

# The library's cases import its AES cipher, whose package nothing here needs: an empty one does for the import.
_CIPHER = ModuleType("eventsourcing.cipher")
_CIPHER.__dict__["AESCipher"] = object
with patch.dict(sys.modules, {_CIPHER.__name__: _CIPHER}):
    from eventsourcing.tests import persistence as library

WRITERS = 8


def a_recorder(database: Database, book: str, pool_size: int = 1) -> BookRecorder:
    return BookRecorder(BookDatastore(database, book, pool_size=pool_size))


def events_of(stream: str, count: int) -> list[StoredEvent]:
    return [StoredEvent(stream, version, "tests.written.v1", b"{}") for version in range(1, count + 1)]


class LibraryCase(unittest.TestCase):
    """Our set-up for the library's cases: tables come from migrations, streams have text ids and begin at version 1."""

    INITIAL_VERSION = 1
    database: ClassVar[Database]
    make_book: ClassVar[Callable[[], str]]

    def new_originator_id(self) -> str:
        return str(uuid4())

    def create_recorder(self) -> BookRecorder:
        datastore = BookDatastore(self.database, type(self).make_book(), pool_size=4)
        self.addCleanup(datastore.close)
        return _FromVersionOne(datastore)


class _FromVersionOne(BookRecorder):
    """Some of the library's cases number a stream from 0, whatever INITIAL_VERSION says; here it is moved by one."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        if stored_events and stored_events[0].originator_version == 0:
            stored_events = [
                StoredEvent(event.originator_id, event.originator_version + 1, event.topic, event.state)
                for event in stored_events
            ]
        return super().insert_events(stored_events, **kwargs)


@pytest.fixture(scope="class")
def books_for_the_library(request: pytest.FixtureRequest, database: Database, make_book: Callable[[], str]) -> None:
    request.cls.database, request.cls.make_book = database, staticmethod(make_book)


@pytest.mark.usefixtures("books_for_the_library")
class TestTheLibrarysApplicationRecorderCase(LibraryCase, library.ApplicationRecorderTestCase[BookRecorder]):
    """test_insert_select, test_concurrent_no_conflicts and, as our own, optional_test_insert_subscribe."""

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()

    def test_performance(self) -> None:
        self.skipTest("prints a figure and asserts nothing; benchmarks/ measures")

    def test_concurrent_throughput(self) -> None:
        self.skipTest("prints a figure; that concurrent inserts do not fail is in test_concurrent_no_conflicts")


@pytest.mark.usefixtures("books_for_the_library")
class TestTheLibrarysNonInterleavingCase(LibraryCase, library.NonInterleavingNotificationIDsBaseCase):
    """Positions of one insert lie next to each other."""


def test_the_librarys_database_functions_are_refused(database: Database, book: str) -> None:
    """They skip the head's lock, so that followers lose events, and the transaction that keys and balances share."""
    datastore = BookDatastore(database, book)
    datastore.enable_db_functions = True
    with pytest.raises(ValueError, match="POSTGRES_ENABLE_DB_FUNCTIONS"):
        BookRecorder(datastore)


def test_the_environment_cannot_switch_the_database_functions_on(
    monkeypatch: pytest.MonkeyPatch, database: Database, book: str
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", "y")
    assert not BookDatastore(database, book).enable_db_functions


def test_the_recorder_makes_no_tables_and_takes_no_table_lock(database: Database, book: str) -> None:
    recorder = a_recorder(database, book)
    assert recorder.sql_create_statements == []
    assert recorder.lock_table_statements == []


def test_nothing_is_inserted_twice_and_the_second_try_says_so(database: Database, book: str) -> None:
    recorder, stream = a_recorder(database, book), fresh("stream-")
    assert recorder.insert_events(events_of(stream, 2)) == [1, 2]
    with pytest.raises(LawBroken):
        recorder.insert_events(events_of(stream, 1))
    assert recorder.insert_events(events_of(fresh("stream-"), 1)) == [3], "a refused insert left a hole"
    recorder.datastore.close()


# --- positions


def test_positions_are_dense_and_a_follower_sees_each_once_and_in_order_while_8_write(
    database: Database, book: str
) -> None:
    """The follower reads `position > n` and nothing else: what it has passed never appears behind it."""
    each, sizes = 60, (1, 3, 20)
    failed: list[BaseException] = []

    def write(number: int) -> None:
        recorder = a_recorder(database, book)
        try:
            for turn in range(each):
                recorder.insert_events(events_of(f"w{number}/{turn}", sizes[(number + turn) % 3]))
                # Some transactions come to nothing: a sequence would leave holes here.
                with pytest.raises(LawBroken):
                    recorder.insert_events(events_of(f"w{number}/{turn}", 1))
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            recorder.datastore.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    seen: list[tuple[int, str, int]] = []
    follow = in_book(
        "SELECT notification_id, originator_id, originator_version FROM {schema}.events"
        " WHERE notification_id > %s ORDER BY notification_id LIMIT 50",
        book,
    )
    with database.connect() as connection:
        while True:
            writing = any(thread.is_alive() for thread in threads)  # asked before reading, so that nothing is missed
            page = connection.execute(follow, (seen[-1][0] if seen else 0,)).fetchall()
            seen += page
            if not page and not writing:
                break
    assert not failed
    expected = sum(sizes[(number + turn) % 3] for number in range(WRITERS) for turn in range(each))
    assert [position for position, _, _ in seen] == list(range(1, expected + 1))
    versions: dict[str, int] = {}
    for _, stream, version in seen:
        assert version == versions.get(stream, 0) + 1, "an effect came before its cause"
        versions[stream] = version


def test_a_writer_waits_for_the_head_and_reads_after_the_wait(database: Database, book: str) -> None:
    """Locking and reading in one statement would give the position from before the wait."""
    first, second = a_recorder(database, book), a_recorder(database, book)
    got: list[Sequence[int] | None] = []
    with first.writing() as cursor:
        position, recorded_at, *_ = first.lock_head(cursor)
        waiting = threading.Thread(target=lambda: got.append(second.insert_events(events_of("second", 1))))
        waiting.start()
        waiting.join(timeout=0.2)
        assert waiting.is_alive(), "the second writer did not wait"
        columns = (["first"] * 2, [1, 2], ["tests.written.v1"] * 2, [b"{}"] * 2, [b"{}"] * 2)
        first.insert_columns(cursor, position, recorded_at, columns)
        first.move_head(cursor, position + 2, recorded_at)
    waiting.join()
    assert got == [[3]]
    first.datastore.close()
    second.datastore.close()


# --- append-only


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {schema}.events SET state = '' WHERE notification_id = 1",
        "DELETE FROM {schema}.events WHERE notification_id = 1",
        "TRUNCATE {schema}.events",
        "LOCK TABLE {schema}.events IN EXCLUSIVE MODE",
        "SELECT FROM {schema}.events FOR UPDATE",
        "INSERT INTO {schema}.events TABLE {schema}.events ON CONFLICT (notification_id) DO UPDATE SET state = ''",
        "ALTER TABLE {schema}.events DROP CONSTRAINT events_pkey",
        "DROP TABLE {schema}.events",
        "UPDATE {schema}.idempotency_keys SET status = 201",
        "DELETE FROM {schema}.idempotency_keys",
        "DELETE FROM {schema}.balances",
        "DELETE FROM {schema}.log_head",
        "INSERT INTO {schema}.log_head DEFAULT VALUES",
        "UPDATE {schema}.entry_references SET entry = ''",
        "DELETE FROM {schema}.entry_references",
        "SET session_replication_role = replica",
        "COPY {schema}.events TO PROGRAM 'true'",
    ],
)
def test_the_application_may_add_to_the_log_and_nothing_else(database: Database, book: str, statement: str) -> None:
    if database.role is None:
        pytest.skip("the user of DATABASE_URL may not take the application's role")
    recorder = a_recorder(database, book)
    recorder.insert_events(events_of("kept", 1))
    recorder.datastore.close()
    with database.connect(autocommit=False) as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(in_book(statement, book))


def test_the_owner_alone_can_change_the_log(database: Database, book: str) -> None:
    """So the test above fails for want of a right, and not because the statements are wrong."""
    recorder = a_recorder(database, book)
    recorder.insert_events(events_of("kept", 1))
    recorder.datastore.close()
    with database.owner() as connection:
        connection.execute(in_book("UPDATE {schema}.events SET state = '' WHERE notification_id = 1", book))
        connection.execute(in_book("DELETE FROM {schema}.events", book))


# --- what the database does not answer is not tried again here


def test_the_recorder_does_not_try_again_by_itself(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    """The library would try ten times with 0.2 s between; here the writer decides, because it looks for the key."""
    recorder = a_recorder(database, "nowhere")
    tries = []

    def lose_the_connection(cursor: object) -> None:
        tries.append(cursor)
        raise errors.OperationalError("the connection is gone")

    monkeypatch.setattr(recorder, "lock_head", lose_the_connection)
    with pytest.raises(DatabaseTrouble):
        recorder.insert_events(events_of("lost", 1))
    assert len(tries) == 1
    recorder.datastore.close()


def test_a_book_that_is_not_there_is_no_trouble_of_the_database(database: Database) -> None:
    recorder = a_recorder(database, "nowhere")
    with pytest.raises(ProgrammingError):
        recorder.insert_events(events_of("lost", 1))
    recorder.datastore.close()


def test_a_book_that_rests_gives_its_connection_back(
    monkeypatch: pytest.MonkeyPatch, database: Database, make_book: Callable[[], str]
) -> None:
    """A process that has written to many books would else hold all the connections that a server has."""
    monkeypatch.setattr(recorder_module, "_REST_AFTER_S", 0.2)
    recorders = [a_recorder(database, make_book()) for _ in range(5)]
    for recorder in recorders:
        recorder.insert_events(events_of("first", 1))
    assert sum(held(recorder) for recorder in recorders) > 0
    deadline = time.monotonic() + 20
    while any(held(recorder) for recorder in recorders):
        assert time.monotonic() < deadline, "a connection is held for ever"
        time.sleep(0.05)
    for recorder in recorders:
        assert recorder.insert_events(events_of("second", 1)) == [2]
        recorder.datastore.close()


def test_of_many_books_at_rest_only_some_hold_a_connection(
    monkeypatch: pytest.MonkeyPatch, database: Database, make_book: Callable[[], str]
) -> None:
    """A day's work in many books is spread over all of them: none rests for long, and a server has few connections."""
    monkeypatch.setattr(recorder_module, "MOST_AT_REST", 2)
    recorders = [a_recorder(database, make_book()) for _ in range(5)]
    for round_ in (1, 2):
        for recorder in recorders:
            assert recorder.insert_events(events_of(f"round-{round_}", 1)) == [round_]
        assert [held(recorder) for recorder in recorders] == [0, 0, 0, 1, 1]
    # What is in use is not taken away.
    first, second = recorders[:2]
    with first.writing() as cursor:
        for recorder in recorders[1:]:
            recorder.insert_events(events_of("round-3", 1))
        assert cursor.execute("SELECT 1").fetchone() == (1,)
        assert isinstance(first.datastore, BookDatastore)
        first.datastore.give_back()
        assert (held(first), held(second)) == (1, 0)
    for recorder in recorders:
        recorder.datastore.close()


def held(recorder: BookRecorder) -> int:
    return recorder.datastore.pool.get_stats()["pool_size"]
