"""Books at work: begins the loops of a process manager for every book, and wakes them when their book has grown.

connection ─▶ LISTEN to each book ─▶ a hint: the loops of that book look ─▶ connection lost: all of them look

A hint comes with every commit, and one can only be lost with the connection. So a book that rests is looked at seldom:
an installation has many books, and most of them rest.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial

import psycopg

from ledger.store import read
from ledger.store.connection import Database, in_book
from ledger.store.schema import schema_of

logger = logging.getLogger(__name__)

TROUBLE = (psycopg.OperationalError, psycopg.InterfaceError)
"""What is said while the database is away; anything else is a bug."""

WORK_IS_DUE = "work is due"
"""The words of a hint that there is work although the book has not grown."""

_LOOK_FOR_BOOKS_S = 1.0
_RESTS_AFTER_S = 20.0
_LOOK_AT_REST_S = 15.0
_PAUSE_AFTER_TROUBLE_S = 0.5


class Book:
    """A book as its loops know it.

    `grown`: its log has; `read`: a loop has read it; `due`: there is work, as a hint or one of the loops says.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.grown, self.read, self.due = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._grew_at_s = time.monotonic()

    def grew(self) -> None:
        """It has grown just now."""
        self._grew_at_s = time.monotonic()
        self.grown.set()

    def wake(self) -> None:
        """Whatever waits shall look."""
        for event in (self.grown, self.read, self.due):
            event.set()

    def pause_s(self, usual_s: float, at_rest_s: float = _LOOK_AT_REST_S) -> float:
        """How long it is left alone when no hint comes: longer if it has not grown for a while."""
        return max(usual_s, at_rest_s) if time.monotonic() - self._grew_at_s > _RESTS_AFTER_S else usual_s


Loop = Callable[[Book], Awaitable[None]]


async def for_each_book(
    database: Database, loops: Sequence[Loop], stop: asyncio.Event, lost: Callable[[], None] = lambda: None
) -> None:
    """Run these loops for every book, also for those that are made meanwhile, until `stop` is set.

    A loop is one look and the wait behind it, again and again; while the database is away it waits. `lost` is called
    each time that the database was: it may come back as an older one. A bug in a loop ends everything.
    """
    books: dict[str, Book] = {}
    async with asyncio.TaskGroup() as tasks:

        def begin(name: str) -> None:
            books[name] = Book(name)
            for loop in loops:
                tasks.create_task(_again_and_again(partial(loop, books[name]), stop, lost))

        following = tasks.create_task(_again_and_again(partial(_listen, database, books, begin), stop, lost))
        await stop.wait()
        following.cancel()
        for book in books.values():
            book.wake()


async def _listen(database: Database, books: dict[str, Book], begin: Callable[[str], None]) -> None:
    """Find new books and pass on hints, until the connection is lost."""
    async with await database.connect_async() as connection:
        heard: dict[str, Book] = {}
        while True:
            for name in await read.books(connection):
                if schema_of(name) in heard:
                    continue
                await connection.execute(in_book("LISTEN {schema}", name))
                if name not in books:
                    begin(name)
                heard[schema_of(name)] = books[name]
                # What was said before we listened.
                books[name].wake()
            async for hint in connection.notifies(timeout=_LOOK_FOR_BOOKS_S):
                if hint.payload == WORK_IS_DUE:
                    heard[hint.channel].due.set()
                else:
                    heard[hint.channel].grew()


async def _again_and_again(work: Callable[[], Awaitable[None]], stop: asyncio.Event, lost: Callable[[], None]) -> None:
    while not stop.is_set():
        try:
            await work()
        except TROUBLE as trouble:
            # Never its words: they may repeat what was sent.
            logger.warning("the work for the books waits for the database: %s", type(trouble).__name__)
            lost()
            await wait_for(stop, _PAUSE_AFTER_TROUBLE_S)


async def wait_for(event: asyncio.Event, patience_s: float) -> None:
    """Wait until the event is set, or so long."""
    # Not asyncio.wait_for, which in Python 3.11 loses a cancellation that comes at the moment of the event.
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await event.wait()
