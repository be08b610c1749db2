"""Following: one thread that keeps the views of all books, also of those that are made meanwhile, until it is stopped.

A hint of the database wakes it, one per batch. It looks by itself as well, and that is what it relies on: often while
anything grows, seldom while all books rest. When the database goes away it waits for it, and goes on where the
checkpoints say.
"""

import logging
import threading
import time
from contextlib import ExitStack

import psycopg
from psycopg import Connection, sql

from ledger.store.connection import Database, in_book
from ledger.store.schema import schema_of
from projections.runner import DATABASE_TROUBLE, PAGE, BookRunner

logger = logging.getLogger(__name__)

LOOK_S = 0.05
_LOOK_AT_REST_S = 0.5
_RESTS_AFTER_S = 5.0
# A page costs seven round trips, however small it is: behind one that was not full, a busy book waits for more to come
# together; a little while where a few people wait for their own, longer where events come by the thousand.
_SMALL = 250
_REST_S = 0.01
_LONG_REST_S = 0.05
_LOOK_FOR_BOOKS_S = 0.5
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0
_PAUSE_OF_A_BOOK_S = 1.0

_BOOKS = "SELECT name FROM ledger_control.books ORDER BY name"
_HEAD = "SELECT {name}, position FROM {schema}.log_head"


def run_all_books(database: Database, stop: threading.Event) -> None:
    """Keep the views of all books until `stop` is set. Any number of processes may do it at once."""
    pause_s = _FIRST_PAUSE_S
    while not stop.is_set():
        begun = time.monotonic()
        try:
            with ExitStack() as connections:
                work = connections.enter_context(database.connect())
                hints = connections.enter_context(database.connect())
                _Following(work, hints, stop).run()
        except DATABASE_TROUBLE as trouble:
            if time.monotonic() - begun > _LONGEST_PAUSE_S:
                pause_s = _FIRST_PAUSE_S
            logger.warning("the views wait %s s for the database: %s", pause_s, trouble)
            stop.wait(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)


class _Following:
    """The life of one pair of connections."""

    def __init__(self, work: Connection, hints: Connection, stop: threading.Event) -> None:
        self._work, self._hints, self._stop = work, hints, stop
        self._runners: dict[str, BookRunner] = {}
        self._book_of: dict[str, str] = {}
        self._resting: dict[str, float] = {}
        self._look_for_books_at = 0.0
        self._grew_at = time.monotonic()

    def run(self) -> None:
        behind: set[str] = set()
        while not self._stop.is_set():
            behind |= self._begin_new_books()
            # One page a book and turn, so that a large backlog of one does not keep the others waiting.
            taken = {book: events for book in behind if (events := self._step(book))}
            behind = set(taken)
            if not taken:
                behind = self._wait()
            elif max(taken.values()) < PAGE:
                self._stop.wait(_REST_S if max(taken.values()) < _SMALL else _LONG_REST_S)

    def _step(self, book: str) -> int:
        """Take a page; how many events it had."""
        runner = self._runners.get(book)
        if runner is None:
            return 0
        try:
            return runner.step(self._work)
        except psycopg.Error as trouble:
            if self._work.broken or self._work.closed:
                raise
            # This book's own trouble: its tables are not migrated yet or it is gone, or a lock lasted too long.
            logger.warning("the views of %s wait %s s: %s", book, _PAUSE_OF_A_BOOK_S, trouble)
            self._resting[book] = time.monotonic() + _PAUSE_OF_A_BOOK_S
            return 0

    def _begin_new_books(self) -> set[str]:
        now = time.monotonic()
        if now < self._look_for_books_at:
            return set()
        self._look_for_books_at = now + _LOOK_FOR_BOOKS_S
        try:
            books = {name for (name,) in self._work.execute(_BOOKS)}
        except psycopg.errors.UndefinedTable:  # Nothing is migrated yet.
            return set()
        for book in self._runners.keys() - books:
            del self._runners[book]
        new = books - self._runners.keys()
        for book in sorted(new):
            self._runners[book] = BookRunner(book)
            self._book_of[schema_of(book)] = book
            self._hints.execute(in_book("LISTEN {schema}", book))
        return new

    def _wait(self) -> set[str]:
        """The books that have grown, after a hint or a moment."""
        look_s = _LOOK_AT_REST_S if time.monotonic() - self._grew_at > _RESTS_AFTER_S else LOOK_S
        hinted = {self._book_of[hint.channel] for hint in self._hints.notifies(timeout=look_s, stop_after=1)}
        grown = hinted or self._behind()
        if grown:
            self._grew_at = time.monotonic()
        return grown

    def _behind(self) -> set[str]:
        now = time.monotonic()
        looked_at = [book for book in self._runners if self._resting.get(book, 0) <= now]
        if not looked_at:
            return set()
        heads = sql.SQL(" UNION ALL ").join(
            sql.SQL(_HEAD).format(name=sql.Literal(book), schema=sql.Identifier(schema_of(book))) for book in looked_at
        )
        try:
            rows = self._work.execute(heads).fetchall()
        except psycopg.ProgrammingError:  # One of them is in trouble or has just gone: its own step will tell.
            return set(looked_at)
        return {book for book, position in rows if position > self._runners[book].position}
