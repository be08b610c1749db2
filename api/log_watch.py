"""Log watch: wakes those who follow a book's log when it has grown; one look for all of them."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
import psycopg_pool

from ledger.store import read

_LOOK_EVERY_S = 0.2


class _Watched:
    """One book: where its log was seen to end, and who wants to know more."""

    def __init__(self) -> None:
        self.end = 0
        self.followers = 0
        self.grown = asyncio.Event()
        self.looking: asyncio.Task[None] | None = None

    def saw(self, end: int) -> None:
        if end > self.end:
            self.end = end
            self.grown.set()
            self.grown = asyncio.Event()


class LogWatch:
    """Looks at the ends of logs while somebody follows them; a book that nobody follows costs nothing."""

    def __init__(self, pool: psycopg_pool.AsyncConnectionPool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._books: dict[str, _Watched] = {}

    def saw(self, book: str, end: int) -> None:
        """Say that the log reaches this position, so that nobody waits for the next look."""
        if book in self._books:
            self._books[book].saw(end)

    async def grows_beyond(self, book: str, position: int, patience_s: float) -> bool:
        """Come back when the log has grown beyond the position; False when it has not in all that time."""
        watched = self._books.setdefault(book, _Watched())
        until = self._clock() + patience_s
        watched.followers += 1
        try:
            if watched.looking is None:
                watched.looking = asyncio.create_task(self._look(book, watched), name=f"log watch of {book}")
            while watched.end <= position:
                left = until - self._clock()
                if left <= 0:
                    return False
                with suppress(TimeoutError):
                    await asyncio.wait_for(watched.grown.wait(), left)
            return True
        finally:
            watched.followers -= 1

    async def _look(self, book: str, watched: _Watched) -> None:
        try:
            while watched.followers:
                # A database that is away will be back: the followers keep their places meanwhile.
                with suppress(psycopg.OperationalError, psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests):
                    async with self._pool.connection() as connection:
                        end, _ = await read.head(connection, book)
                    watched.saw(end)
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            watched.looking = None

    async def close(self) -> None:
        """Stop looking."""
        for watched in self._books.values():
            if watched.looking is not None:
                watched.looking.cancel()
                await asyncio.gather(watched.looking, return_exceptions=True)
