"""Views: how far they have come, how fast they catch up, how long a rebuild takes."""

import time
from typing import LiteralString

from ledger.store.connection import Database, in_book
from projections.postings import Postings
from projections.rebuild import rebuild
from projections.runner import BookRunner

_LOOK_S = 0.005
_PATIENCE_S = 120
_HEAD: LiteralString = "SELECT position FROM {schema}.log_head"
_POSITION: LiteralString = "SELECT position FROM {schema}.projection_checkpoints WHERE projection = %s"


def head_of(database: Database, book: str) -> int:
    """The last position of a book's log."""
    with database.connect() as connection:
        row = connection.execute(in_book(_HEAD, book)).fetchone()
    if row is None:
        raise AssertionError(f"the log of {book} has lost its head")
    return int(row[0])


def caught_up_at(database: Database, book: str, position: int) -> float:
    """When the postings had come up to the position, on the monotonic clock; waits for it."""
    deadline = time.monotonic() + _PATIENCE_S
    with database.connect() as connection:
        while time.monotonic() < deadline:
            row = connection.execute(in_book(_POSITION, book), (Postings.name,), prepare=True).fetchone()
            if row is not None and row[0] >= position:
                return time.monotonic()
            time.sleep(_LOOK_S)
    raise AssertionError(f"the postings of {book} have not come to {position} within {_PATIENCE_S} s")


class CatchingUp:
    """Takes pages of a book that nobody has followed yet, alone on the machine."""

    def __init__(self, database: Database, book: str) -> None:
        self._runner = BookRunner(book)
        self._connection = database.connect()

    def events_per_s(self, events: int) -> float:
        """The rate over at least so many events, or up to the end of the log."""
        begun, taken = time.perf_counter(), 0
        while taken < events and (page := self._runner.step(self._connection)):
            taken += page
        if not taken:
            raise AssertionError("there was nothing to catch up with")
        return taken / (time.perf_counter() - begun)

    def close(self) -> None:
        self._connection.close()


def rebuild_seconds(database: Database, book: str) -> float:
    """How long the rebuild of the postings takes, with comparison and swap; raises AssertionError if rows differ."""
    report = rebuild(database, book, Postings.name)
    if not report.is_equal:
        raise AssertionError(f"the rebuilt rows differ: {report}")
    return report.seconds
