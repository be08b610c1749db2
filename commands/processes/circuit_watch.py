"""Circuit watch: has circuits judged whenever the log tells something new of a channel, and when a rest is over."""

import asyncio
import logging
from datetime import UTC, datetime
from itertools import count

import msgspec
from psycopg_pool import AsyncConnectionPool

from commands.circuits import JudgeCircuit, TakeStatistics
from commands.envelope import Part, own_envelope
from commands.processes.channel_health import ChannelHealth
from commands.processes.timers import ACTOR, Submit
from ledger.errors import Refusal
from ledger.ids import CORRELATION, new_id

logger = logging.getLogger(__name__)


class CircuitWatch:
    """One for each book of a worker."""

    def __init__(self, pool: AsyncConnectionPool, book: str, submit: Submit) -> None:
        self._pool, self._book, self._submit = pool, book, submit
        self._health = ChannelHealth()
        # No two questions are the same one: whether anything follows is for the decision to say.
        self._own = new_id(CORRELATION)
        self._numbers = count(1)

    def forget(self) -> None:
        """The log may come back as an older one: read its end anew."""
        self._health = ChannelHealth()

    async def look(self, known_to: int) -> None:
        """Take what is new up to this position, if anything is, and have decided what is due."""
        if known_to != self._health.position:
            async with self._pool.connection() as connection:
                await self._health.catch_up(connection, self._book)
        due = list(self._health.due(datetime.now(UTC)))
        await asyncio.gather(*(self._ask(command) for command in due))

    async def _ask(self, command: JudgeCircuit | TakeStatistics) -> None:
        key = f"circuits/{self._own}/{next(self._numbers)}"
        envelope = own_envelope(key, actor=ACTOR, content=msgspec.json.encode(command))
        try:
            answer = await self._submit(self._book, Part(envelope, command))
        except Refusal as refusal:
            logger.warning("the circuits of %s wait: %s", self._book, refusal.detail)
            return
        if answer.error is not None:
            raise answer.error
