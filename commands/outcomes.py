"""Outcomes: wait, for a moment, for what will become of a payment, a refund, a top-up or a run.

Many wait at once and one look serves them all: a single question a book for what is new in all streams that are waited
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
from ledger.contract_views import ContractView, waits
from ledger.events.event import Recorded
from ledger.payment import PROCESSING
from ledger.reconciliation_state import RUNNING
from ledger.store import read

logger = logging.getLogger(__name__)

# While a channel is being asked, or something is carried out in the background.
STILL_TO_COME = (PROCESSING, DRAFT, CONFIRMING, RUNNING)
_LOOK_S = 0.02


def is_still_to_come(view: "View") -> bool:
    """Whether more will be known without anybody's doing."""
    return view.status in STILL_TO_COME or (isinstance(view, ContractView) and waits(view))


class View(Protocol):
    """What is shown of a payment, a refund or a top-up."""

    @property
    def status(self) -> str:
        """One of STILL_TO_COME while the outcome is not known."""


_View = TypeVar("_View", bound=View)


class _Waiter:
    """Who waits for one stream: its version that was seen last, what came after it, and that something did."""

    def __init__(self, stream: str, seen: int) -> None:
        self.stream, self.seen = stream, seen
        self.news: list[Recorded] = []
        self.grown = asyncio.Event()


class _Waiting:
    """Those who wait for one book's streams."""

    def __init__(self) -> None:
        self.waiters: set[_Waiter] = set()
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
        history = await self._news(book, stream, 0, patience_s)
        if not history:
            # Nobody could look in all that time: now it is said what is wrong.
            async with self._pool.connection() as connection:
                history = await read.stream(connection, book, stream)
        while True:
            view = show(history)
            left_s = deadline - loop.time()
            if not is_still_to_come(view) or left_s <= 0:
                return view
            news = await self._news(book, stream, history[-1].version, left_s)
            if not news:
                return view
            history += news

    async def _news(self, book: str, stream: str, seen: int, patience_s: float) -> list[Recorded]:
        """What the stream holds beyond the version that was seen, as soon as there is something; empty: not in time."""
        waiting = self._books.setdefault(book, _Waiting())
        waiter = _Waiter(stream, seen)
        waiting.waiters.add(waiter)
        if waiting.looking is None or waiting.looking.done():
            waiting.looking = asyncio.create_task(self._look(book, waiting))
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await waiter.grown.wait()
        finally:
            waiting.waiters.discard(waiter)
        return waiter.news

    async def _look(self, book: str, waiting: _Waiting) -> None:
        while waiting.waiters:
            seen: dict[str, int] = {}
            for waiter in waiting.waiters:
                seen[waiter.stream] = min(waiter.seen, seen.get(waiter.stream, waiter.seen))
            try:
                async with self._pool.connection() as connection:
                    found = await read.beyond(connection, book, seen)
            except (psycopg.OperationalError, psycopg.InterfaceError) as trouble:
                # Whoever waits has patience for this too; their own next reading says what is wrong.
                logger.warning("cannot look for outcomes of %s: %s", book, trouble)
                found = {}
            for waiter in waiting.waiters:
                if waiter.seen < seen.get(waiter.stream, waiter.seen + 1):
                    continue  # Came while we looked, and needs more than was asked for: the next look is for him too.
                news = [event for event in found.get(waiter.stream, ()) if event.version > waiter.seen]
                if news and not waiter.grown.is_set():
                    waiter.news = news
                    waiter.grown.set()
            await asyncio.sleep(_LOOK_S)
