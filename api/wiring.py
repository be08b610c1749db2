"""Wiring: builds the world once, in the process that serves it, and introduces its parts to each other."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.errors import InvalidSchemaName, UndefinedTable
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from api.access_log import AccessLog
from api.cursors import Cursors
from api.keys import KeyRing
from api.log_watch import LogWatch
from api.risk_control import RiskControl
from api.telemetry import Metrics
from commands.channels.registry import Registry
from commands.deciders import DECIDERS
from commands.envelope import Answer, Envelope, Part, Submission
from commands.handler import Handler
from commands.kept_callbacks import Callbacks
from commands.late_answers import LateAnswers
from commands.outcomes import Outcomes
from commands.sealed_answers import AnswerSeal
from commands.webhook_addresses import AddressRule
from commands.webhook_headers import HeaderSeal
from commands.writer import Delivery, Writers
from ledger.errors import NotCaughtUp, Unavailable
from ledger.store import read, sealed
from ledger.store.append import Appender
from ledger.store.connection import Database
from ledger.store.vault import Vault
from ledger.tokens import holds_tokens
from projections.freshness import LOG, Checkpoint, Freshness, checkpoints
from projections.register import BY_NAME

# A stopped database is answered with a 503 within 2 s: the writer gives up first, and this is for a writer that hangs.
_DEADLINE_S = 1.4
_PATIENCE_S = 1.9
_PATIENCE_WITH_VIEWS_S = 0.5
# A batch takes the time that its size asks for.
_SLOWEST_PARTS_PER_S = 2_000
# Each has a connection of its own and takes a good part of a processor.
_EXPORTS_AT_ONCE = 2
NOTHING_BEHIND = (LOG,)
"""What is read from the log and the balances, which are never behind."""
_UNKNOWN = "There was no answer in time. Whether it was carried out is known to the Idempotency-Key: send it again."


class World:
    """Everything that a request may need; made by `opened`, inside of the event loop that serves it."""

    def __init__(
        self,
        database: Database,
        pepper: bytes,
        channels: Registry,
        query_connections: int,
        webhook_networks: Iterable[str] = (),
    ) -> None:
        self.channels = channels
        self.database = database
        self.exports = asyncio.Semaphore(_EXPORTS_AT_ONCE)
        self.pepper = pepper
        self.seal = AnswerSeal(pepper)
        self.vault = Vault(pepper)
        self.header_seal = HeaderSeal(pepper)
        self.webhook_addresses = AddressRule(webhook_networks)
        self.metrics = Metrics()
        self.cursors = Cursors(pepper)
        self.pool: AsyncConnectionPool = database.pool(size=query_connections)
        self.freshness = Freshness(self.pool)
        self.late_answers = LateAnswers(self.pool, Outcomes(self.pool))
        self.callbacks = Callbacks(self.pool)
        self.log_watch = LogWatch(self.pool)
        self.keys = KeyRing(self.pool, pepper)
        self.access_log = AccessLog(self.pool)
        self.risk = RiskControl(self.pool, self.freshness, pepper, self.vault)
        self.writers = Writers(lambda book: Handler(Appender(database, book), DECIDERS, self.vault), self._deliver)
        self.acknowledged: defaultdict[str, int] = defaultdict(int)
        """The last position that this process told a caller of, by book: what its readers expect to see."""
        self._loop = asyncio.get_running_loop()

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        database: Database,
        pepper: bytes,
        *,
        channels: Registry | None = None,
        query_connections: int = 8,
        webhook_networks: Iterable[str] = (),
    ) -> AsyncIterator["World"]:
        """The world for the length of a block; a database that is away keeps nothing from starting."""
        world = cls(database, pepper, channels or Registry([]), query_connections, webhook_networks)
        await world.pool.open()
        try:
            yield world
        finally:
            # In a thread: the writers answer what waits, and for that the loop has to go on.
            await asyncio.to_thread(world.writers.stop)
            await world.freshness.close()
            await world.log_watch.close()
            await world.access_log.close()
            await world.pool.close()

    # --- writing

    async def carry_out(
        self, book: str, parts: list[Part], *, atomic: bool = False, batch_key: Envelope | None = None
    ) -> list[Answer]:
        """What became of each command, once it is committed; raises Overloaded and Unavailable."""
        more_s = len(parts) / _SLOWEST_PARTS_PER_S
        answered: asyncio.Future[list[Answer]] = self._loop.create_future()
        deadline = time.monotonic() + _DEADLINE_S + more_s
        self.writers.submit(book, Submission(parts, _settle(answered), deadline, atomic, batch_key))
        given_up = self._loop.call_later(_PATIENCE_S + more_s, _give_up, answered)
        try:
            answers = await answered
        finally:
            given_up.cancel()
        self.acknowledge(book, max([answer.position for answer in answers], default=0))
        return answers

    def acknowledge(self, book: str, position: int) -> None:
        """A caller is told of this position."""
        if position > self.acknowledged[book]:
            self.acknowledged[book] = position
            self.log_watch.saw(book, position)

    def _deliver(self, delivery: Delivery) -> None:
        """Called by a writer's thread: one wake-up of the loop for a whole batch."""
        self._loop.call_soon_threadsafe(self._hand_out, delivery)

    def _hand_out(self, delivery: Delivery) -> None:
        self.metrics.stored(sum(len(answers) for _, answers in delivery))
        for submission, answers in delivery:
            submission.done(answers)

    # --- reading

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection that sees each statement's own present; raises PoolTimeout when none is free within a second."""
        async with self.pool.connection() as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection whose statements all see the same moment."""
        async with self.pool.connection() as connection, connection.transaction():
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection

    async def unsealed(self, book: str, body: bytes) -> bytes:
        """What is told to somebody, with the personal values in it opened, or said to be erased."""
        if not holds_tokens(body):
            return body
        async with self.reading() as connection:
            return await self.vault.opened(connection, book, body)

    async def see(self, book: str, views: Sequence[str], min_position: int | None) -> None:
        """Wait until these views have reached what the caller asks for; raises NotCaughtUp after a second.

        A caller who asks for nothing sees its own writes all the same, unless the views are far behind.
        """
        if min_position is not None:
            await self.freshness.wait(book, views, min_position)
        elif views != NOTHING_BEHIND:
            with suppress(NotCaughtUp):
                await self.freshness.wait(book, views, self.acknowledged[book], _PATIENCE_WITH_VIEWS_S)

    # --- being asked how it goes

    async def standings(self) -> dict[str, dict[str, Checkpoint]]:
        """Where each book's log ends and each of its views stands."""
        try:
            async with self.reading() as connection:
                books = await read.books(connection)
                return {book: await checkpoints(connection, book) for book in books}
        except (UndefinedTable, InvalidSchemaName):
            raise Unavailable("The database is not migrated.") from None

    async def figures(self) -> bytes:
        """What Prometheus asks for; without a database, what this process knows by itself."""
        for book, waiting in self.writers.waiting().items():
            self.metrics.waiting(book, waiting)
        with suppress(psycopg.OperationalError, PoolTimeout, TooManyRequests, Unavailable):
            for book, found in (await self.standings()).items():
                self.metrics.stands_at(book, found[LOG].position)
                for view, checkpoint in found.items():
                    if view in BY_NAME:
                        self.metrics.lags(book, view, checkpoint.lag)
                async with self.reading() as connection:
                    newest = await sealed.newest_checkpoint_async(connection, book)
                    cosigned = await sealed.lately_cosigned_async(connection, book)
                self.metrics.sealed_until(book, 0 if newest is None else newest.size)
                for witness, size in cosigned.items():
                    self.metrics.cosigned_until(book, witness, size)
        return self.metrics.exposition()


def _settle(answered: asyncio.Future[list[Answer]]) -> Callable[[list[Answer]], None]:
    def settle(answers: list[Answer]) -> None:
        if not answered.done():  # Whoever waited may have left.
            answered.set_result(answers)

    return settle


def _give_up(answered: asyncio.Future[list[Answer]]) -> None:
    if not answered.done():
        answered.set_exception(Unavailable(_UNKNOWN))
