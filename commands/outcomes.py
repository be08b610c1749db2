"""Outcomes: wait, for a moment, for what will become of a payment, a refund or a top-up.

Many wait at once and one look serves them all: a single question a book for the versions of all streams that are waited
for. Who waits holds no connection.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool

from ledger.contract_state import CONFIRMING, DRAFT
from ledger.events.event import Recorded
from ledger.payment import PROCESSING
from ledger.store import read
from ledger.store.connection import in_book

logger = logging.getLogger(__name__)

# While a channel is being asked.
STILL_TO_COME = (PROCESSING, DRAFT, CONFIRMING)
_LOOK_S = 0.02
_VERSIONS = """
SELECT originator_id, max(originator_version)
  FROM {schema}.events
 WHERE originator_id = ANY(%s)
 GROUP BY originator_id
"""


class View(Protocol):
    """What is shown of a payment, a refund or a top-up."""

    @property
    def status(self) -> str:
        """One of STILL_TO_COME while the outcome is not known."""


_View = TypeVar("_View", bound=View)


class _Waiting:
    """Those who wait for one book's streams: (stream, version seen, what is set when there is more)."""

    def __init__(self) -> None:
        self.growths: set[tuple[str, int, asyncio.Event]] = set()
        self.looking: asyncio.Task[None] | None = None


class Outcomes:
    """One for a process and its event loop."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._books: dict[str, _Waiting] = {}

    async def settled(
        self, book: str, stream: str, show: Callable[[list[Recorded]], _View], patience_s: float
    ) -> _View:
        """What `show` makes of the stream once its outcome is known, or when patience ends."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_s
        while True:
            async with self._pool.connection() as connection:
                history = await read.stream(connection, book, stream)
            view = show(history)
            left_s = deadline - loop.time()
            if view.status not in STILL_TO_COME or left_s <= 0 or not await self._grown(book, stream, len(history), left_s):
                return view

    async def _grown(self, book: str, stream: str, seen: int, patience_s: float) -> bool:
        """Whether the stream grew beyond the version that was seen."""
        waiting = self._books.setdefault(book, _Waiting())
        growth = (stream, seen, asyncio.Event())
        waiting.growths.add(growth)
        if waiting.looking is None or waiting.looking.done():
            waiting.looking = asyncio.create_task(self._look(book, waiting))
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await growth[2].wait()
        finally:
            waiting.growths.discard(growth)
        return growth[2].is_set()

    async def _look(self, book: str, waiting: _Waiting) -> None:
        while waiting.growths:
            try:
                async with self._pool.connection() as connection:
                    streams = list({stream for stream, _, _ in waiting.growths})
                    rows = await (await connection.execute(in_book(_VERSIONS, book), (streams,))).fetchall()
            except (psycopg.OperationalError, psycopg.InterfaceError) as trouble:
                # Whoever waits has patience for this too; their own next reading says what is wrong.
                logger.warning("cannot look for outcomes of %s: %s", book, trouble)
                rows = []
            versions: dict[str, int] = dict(rows)
            for stream, seen, grown in waiting.growths:
                if versions.get(stream, 0) > seen:
                    grown.set()
            await asyncio.sleep(_LOOK_S)
