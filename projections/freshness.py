"""Freshness: how far has each view come, and wait until it has reached a position.

One poller per process and book asks for all who wait, and only while somebody waits.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.errors import NotCaughtUp, PositionNotReached
from ledger.store.connection import in_book
from ledger.store.positions import position_before
from projections.moments import just_after

LOG = "log"
"""The log itself and what is written with it, as a view that is always there: balances of now, entries, holds."""

PATIENCE_S = 1.0
_POLL_S = 0.01

# Version 0 marks a rebuild that is under way, and is nobody's view.
_CHECKPOINTS = """
SELECT h.position, c.projection, c.position, c.trouble
  FROM {schema}.log_head AS h
  LEFT JOIN {schema}.projection_checkpoints AS c ON c.version > 0
 ORDER BY c.projection
"""


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a view has come, how many events it is behind, and why it stands still if it does."""

    view: str
    position: int
    lag: int
    trouble: str | None = None


async def checkpoints(connection: AsyncConnection[Any], book: str) -> dict[str, Checkpoint]:
    """Every view of the book, and the log itself under `log`, which is never behind."""
    cursor = await connection.execute(in_book(_CHECKPOINTS, book))
    found: dict[str, Checkpoint] = {}
    for head, view, position, trouble in await cursor.fetchall():
        found[LOG] = Checkpoint(LOG, head, 0)
        if view is not None:
            found[view] = Checkpoint(view, position, max(0, head - position), trouble)
    return found


KnownAt = int | datetime | None
"""Up to where somebody looks into the log: a position, a time, or None for as far as the views have come."""


async def position_known_at(connection: AsyncConnection[Any], book: str, known_at: int | datetime) -> int:
    """The position that a position or a time means; raises PositionNotReached for one that the log does not have."""
    if isinstance(known_at, datetime):
        return await position_before(connection, book, just_after(known_at))
    return _reached_by_the_log(known_at, await checkpoints(connection, book))


def _reached_by_the_log(position: int, found: dict[str, Checkpoint]) -> int:
    head = found[LOG].position
    if position > head:
        raise PositionNotReached(f"The log ends at {head}.", position=head)
    return position


async def seen_by(connection: AsyncConnection[Any], book: str, views: Sequence[str], known_at: KnownAt) -> int:
    """The position up to which these views answer: the one that is asked for, or as far as all of them have come.

    Raises PositionNotReached, and NotCaughtUp where a view has yet to come that far: wait for it with `Freshness`.
    """
    found = await checkpoints(connection, book)
    reached = _reached(found, views)
    if known_at is None:
        return reached
    if isinstance(known_at, datetime):
        wanted = await position_known_at(connection, book, known_at)
    else:
        wanted = _reached_by_the_log(known_at, found)
    if wanted > reached:
        raise _not_caught_up(wanted, reached)
    return wanted


def _reached(found: dict[str, Checkpoint], views: Sequence[str]) -> int:
    return min(found[view].position if view in found else 0 for view in views)


def _not_caught_up(wanted: int, reached: int) -> NotCaughtUp:
    return NotCaughtUp(f"The view stands at {reached}, and {wanted} is asked for.", position=reached, wanted=wanted)


class _Watch:
    """One book: how far its views were seen, who waits for what, and who looks."""

    def __init__(self) -> None:
        self.found: dict[str, Checkpoint] = {}
        self.waiting: list[tuple[Sequence[str], int, asyncio.Future[None]]] = []
        self.poller: asyncio.Task[None] | None = None

    def reached(self, views: Sequence[str]) -> int:
        return _reached(self.found, views)

    def release(self) -> None:
        """Let go those whose position is reached, and forget those who have gone."""
        for views, position, arrived in self.waiting:
            if not arrived.done() and self.reached(views) >= position:
                arrived.set_result(None)
        self.waiting = [waiting for waiting in self.waiting if not waiting[2].done()]

    def fail(self, error: Exception) -> None:
        for _, _, arrived in self.waiting:
            if not arrived.done():
                arrived.set_exception(error)
        self.waiting = []


class Freshness:
    """Waits for views, with connections of a pool that it holds only for the moment of a look."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._watches: dict[str, _Watch] = {}

    async def wait(self, book: str, views: Sequence[str], position: int, patience_s: float = PATIENCE_S) -> None:
        """Come back when all these views have reached the position; raises NotCaughtUp when they take too long.

        What ends the look itself (no connection, no database) is raised as it is.
        """
        if position <= 0:
            return
        watch = self._watches.setdefault(book, _Watch())
        if watch.reached(views) >= position:  # Views do not go back.
            return
        arrived = asyncio.get_running_loop().create_future()
        watch.waiting.append((views, position, arrived))
        if watch.poller is None:
            watch.poller = asyncio.create_task(self._poll(book, watch), name=f"freshness of {book}")
        try:
            await asyncio.wait_for(arrived, patience_s)
        except TimeoutError:
            raise _not_caught_up(position, watch.reached(views)) from None

    async def _poll(self, book: str, watch: _Watch) -> None:
        try:
            while watch.waiting:
                async with self._pool.connection() as connection:
                    watch.found = await checkpoints(connection, book)
                watch.release()
                if watch.waiting:
                    await asyncio.sleep(_POLL_S)
        except Exception as error:
            watch.fail(error)
        finally:
            watch.poller = None

    async def close(self) -> None:
        """Stop looking; those who still wait run out of patience."""
        for watch in self._watches.values():
            if watch.poller is not None:
                watch.poller.cancel()
                await asyncio.gather(watch.poller, return_exceptions=True)
