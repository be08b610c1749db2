"""Following: the views of all books, of new ones too, through restarts of the database."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection

from ledger.store.connection import Database
from ledger.store.embedded import Embedded
from ledger.store.migrate import create_book, migrate_control
from tests.projections.days_work import open_accounts, transfers
from tests.projections.keeping import caught_up, following
from tests.projections.rows import check_views
from tests.writing import part, pen


@pytest.fixture
def own_database(make_database: Callable[[], str], database: Database) -> Database:
    """A database with one book, `first`, that no other test writes to."""
    url = make_database()
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
        create_book(connection, "first")
    return Database(url, role=database.role)


def test_views_follow_at_once_and_books_that_are_made_meanwhile_are_found(own_database: Database) -> None:
    with following(own_database), pen(own_database, "first") as held:
        open_accounts(held)
        caught_up(own_database, "first")
        delays_s = []
        for seed in range(10):
            held.submit([part(command) for command in transfers(seed, 5)])()
            delays_s.append(caught_up(own_database, "first"))
        assert sorted(delays_s)[5] < 0.5  # A few milliseconds on a machine of one's own.
        with own_database.owner() as connection:
            create_book(connection, "second")
        with pen(own_database, "second") as other:
            open_accounts(other)
            caught_up(own_database, "second")
    for book in ("first", "second"):
        check_views(own_database, book)


def test_hints_are_not_needed(own_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_hints(self: Connection, *, timeout: float | None = None, stop_after: int | None = None) -> Iterator[None]:
        time.sleep(timeout or 0)
        yield from ()

    monkeypatch.setattr(psycopg.Connection, "notifies", no_hints)
    with following(own_database), pen(own_database, "first") as held:
        open_accounts(held)
        caught_up(own_database, "first")


def test_a_book_in_trouble_keeps_no_other_waiting(own_database: Database) -> None:
    with own_database.owner() as connection:
        create_book(connection, "broken")
        connection.execute("ALTER TABLE book_broken.projection_checkpoints RENAME TO gone")
    with following(own_database):
        for name in ("first", "broken"):
            with pen(own_database, name) as held:
                open_accounts(held)
        caught_up(own_database, "first")
        with own_database.owner() as connection:
            connection.execute("ALTER TABLE book_broken.gone RENAME TO projection_checkpoints")
        caught_up(own_database, "broken")


def test_a_database_that_comes_back_is_followed_again(tmp_path: Path) -> None:
    server = Embedded.start(tmp_path)
    try:
        with Connection.connect(server.url, autocommit=True) as connection:
            migrate_control(connection)
            create_book(connection, "first")
        own = Database(server.url)
        with following(own) as thread:
            with pen(own, "first") as held:
                open_accounts(held)
            caught_up(own, "first")
            for seed in range(2):
                server.stop()
                time.sleep(0.3)
                server = Embedded.start(tmp_path)
                with pen(own, "first") as held:
                    held.submit([part(command) for command in transfers(seed, 50)])()
                caught_up(own, "first")
            assert thread.is_alive()
        check_views(own, "first")
    finally:
        server.erase()
