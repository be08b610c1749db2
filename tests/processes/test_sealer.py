"""The sealer as a process: killed whenever it is, what is signed is true, and whoever comes next goes on from there."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.cli.verifying_seal import verify_seal
from commands.accounts import OpenAccount
from commands.transfers import PostTransfer
from ledger.store import sealed
from ledger.store.connection import Database, in_book
from tests.forked import Forked
from tests.writing import fresh, part, pen

KILLS = 20
PATIENCE_S = 10.0


@pytest.fixture
def written(database: Database, book: str) -> Iterator[str]:
    """A book that is written to all the time."""
    done = threading.Event()
    with pen(database, book) as writer:
        writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        writer.do(OpenAccount("ada", "Ada", "liability", "EUR"))

        def write() -> None:
            chance = random.Random(7)
            while not done.is_set():
                moved = [PostTransfer(fresh("ent_"), "cash", "ada", 1, "EUR") for _ in range(chance.randint(1, 60))]
                assert all(answer.status == 201 for answer in writer.submit(map(part, moved))())
                time.sleep(0.005)

        writing = threading.Thread(target=write)
        writing.start()
        try:
            yield book
        finally:
            done.set()
            writing.join()


@pytest.fixture
def start(database: Database, tmp_path: Path) -> Callable[[], Forked]:
    def started() -> Forked:
        return Forked(
            "tests.processes.sealer_process", database.conninfo, database.role or "", "example.org", tmp_path / "keys"
        )

    return started


def newest(database: Database, book: str) -> int:
    with database.connect() as connection:
        found = sealed.newest_checkpoint(connection, book)
    return 0 if found is None else found.size


def wait_until(database: Database, book: str, size: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while newest(database, book) < size:
        assert time.monotonic() < until, f"{newest(database, book)} of {size} are sealed"
        time.sleep(0.02)


def test_a_sealer_that_is_killed_leaves_the_former_checkpoint_or_the_next_one(
    database: Database, written: str, start: Callable[[], Forked]
) -> None:
    chance, size = random.Random(11), 0
    for _ in range(KILLS):
        sealer = start()
        wait_until(database, written, size + 1)
        time.sleep(chance.random() * 0.15)
        sealer.kill()
        sealer.wait()
        assert newest(database, written) > size
        size = newest(database, written)
        with database.owner() as connection:
            report = verify_seal(connection, written)
        assert report.fault is None, report.words


def test_two_sealers_seal_one_log_and_one_goes_on_when_the_other_dies(
    database: Database, written: str, start: Callable[[], Forked]
) -> None:
    first, second = start(), start()
    try:
        while newest(database, written) < 200:
            with database.owner() as connection:
                report = verify_seal(connection, written)
            assert report.fault is None, report.words
        first.kill()
        first.wait()
        wait_until(database, written, newest(database, written) + 200)
    finally:
        second.kill()
        second.wait()
    with database.owner() as connection:
        report = verify_seal(connection, written)
    assert report.fault is None, report.words
    assert report.checkpoints > 1


def test_what_is_tampered_with_is_not_signed_until_it_is_as_it_was(
    database: Database, book: str, start: Callable[[], Forked]
) -> None:
    with pen(database, book) as writer:
        writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        sealer = start()
        try:
            wait_until(database, book, 1)
            with database.owner() as connection:
                connection.execute(in_book("UPDATE {schema}.tiles SET hashes = sha256(hashes)", book))
            writer.do(OpenAccount("ada", "Ada", "liability", "EUR"))
            time.sleep(1.0)
            assert newest(database, book) == 1
            assert sealer.poll() is None, "it lives on, for other books"
        finally:
            sealer.kill()
            sealer.wait()
