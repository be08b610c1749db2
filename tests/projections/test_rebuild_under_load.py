"""Rebuild under write load: each view, while processes write everything that any view remembers, and others follow."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import Connection

from ledger.store.connection import Database
from ledger.store.migrate import application_role, create_book, migrate_control
from projections.rebuild import rebuild
from projections.register import BY_NAME
from projections.replay import replay
from tests.cli import word
from tests.forked import Forked
from tests.projections.keeping import caught_up
from tests.projections.mixed_work import MixedWork, begin
from tests.projections.rows import positions
from tests.writing import pen

BOOK = "first"
WRITERS = 2
_TRIES = 20


@pytest.fixture(scope="module")
def loaded(make_database: Callable[[], str]) -> Iterator[tuple[Database, list[Forked]]]:
    """A database with a book that is written to by processes, and followed by one, for as long as this file runs."""
    url = make_database()
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
        create_book(connection, BOOK)
        own = Database(url, role=application_role(connection))
    with pen(own, BOOK) as held:
        begin(held)
        MixedWork(held, 1).do(60)
    role = own.role or ""
    follower = Forked("tests.projections.following_process", url, role)
    writers = [
        Forked("tests.projections.writing_process", url, role, BOOK, str(seed)) for seed in range(2, 2 + WRITERS)
    ]
    try:
        begun = _head(own)
        while _head(own) < begun + 50:
            assert all(writer.poll() is None for writer in writers), "a writer has ended"
            time.sleep(0.05)
        yield own, writers
    finally:
        for process in (*writers, follower):
            process.kill()
            process.wait()


def _head(own: Database) -> int:
    return positions(own, BOOK)["log"]


@pytest.mark.parametrize("name", BY_NAME)
def test_a_view_that_is_rebuilt_and_swapped_under_write_load_equals_the_live_one(
    loaded: tuple[Database, list[Forked]], name: str
) -> None:
    own, writers = loaded
    for _ in range(_TRIES):
        begun = _head(own)
        report = rebuild(own, BOOK, name)
        ended = _head(own)
        assert report.is_equal, report
        assert report.swapped
        assert report.position >= begun
        assert all(writer.poll() is None for writer in writers), "a writer has ended"
        if ended > begun:
            break
    else:
        pytest.fail("nothing was written while it was rebuilt, each time")


def test_after_all_swaps_the_views_go_on_and_everything_verifies(
    loaded: tuple[Database, list[Forked]], tmp_path: Path
) -> None:
    own, writers = loaded
    begun = _head(own)
    for name in ("postings", "order_status"):
        assert rebuild(own, BOOK, name).is_equal
    assert replay(own, BOOK).is_equal
    assert _head(own) > begun, "nothing was written meanwhile"
    for writer in writers:
        writer.kill()
        writer.wait()
    caught_up(own, BOOK, patience_s=60)
    verified = word.run("verify", "--book", BOOK, DATABASE_URL=own.conninfo, LEDGER_STATE=str(tmp_path))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert replay(own, BOOK).is_equal
