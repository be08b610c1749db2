"""Keeping views while others write: a follower of all books, writers who do not rest, a projection that fails."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import ClassVar

from ledger.store.connection import Database
from projections.following import run_all_books
from projections.projection import Page, Projection, Writing
from projections.register import BY_NAME
from tests.projections.days_work import transfers
from tests.projections.rows import positions
from tests.writing import part, pen

VIEWS = set(BY_NAME)


@contextmanager
def following(database: Database) -> Iterator[threading.Thread]:
    """Somebody keeps the views for the length of a block."""
    stop = threading.Event()
    thread = threading.Thread(target=run_all_books, args=(database, stop))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def caught_up(database: Database, book: str, patience_s: float = 20) -> float:
    """Wait for all views; how many seconds that took."""
    begun = time.monotonic()
    while time.monotonic() - begun < patience_s:
        found = positions(database, book)
        if found.keys() >= VIEWS and len(set(found.values())) == 1:
            return time.monotonic() - begun
        time.sleep(0.005)
    raise AssertionError(f"not caught up after {patience_s} s: {positions(database, book)}")


@contextmanager
def writing(database: Database, book: str, *, writers: int = 1, size: int = 50, pause_s: float = 0) -> Iterator[None]:
    """Others append transfers for the length of a block."""
    stop = threading.Event()

    def write(seeds: Iterator[int]) -> None:
        with pen(database, book) as held:
            while not stop.is_set():
                answers = held.submit([part(command) for command in transfers(next(seeds), size)])()
                assert not any(answer.error or answer.refusal for answer in answers)
                time.sleep(pause_s)

    threads = [threading.Thread(target=write, args=(count(seed, writers),)) for seed in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class Stumbles(Projection):
    """Fails at one event of the log."""

    name = "stumbles"
    version = 1
    tables = ()
    at: ClassVar[int] = 77
    seen: ClassVar[list[int]] = []

    def project(self, page: Page, cursor: Writing) -> None:
        if any(fact.position == self.at for fact in page):
            raise ValueError("a bug in a projection")
        self.seen.extend(fact.position for fact in page)

    def forget(self) -> None:
        """Nothing is remembered."""
