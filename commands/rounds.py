"""Rounds: what many ask for at the same moment is asked in one go; whoever comes meanwhile is in the next round.

Nobody waits for company: the first one's round begins at once, and the busier it is the more share one question.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import psycopg
from psycopg_pool import PoolTimeout, TooManyRequests

_Asked = TypeVar("_Asked")
_Told = TypeVar("_Told")

MOST_IN_A_ROUND = 500
# What goes wrong for all of them alike; anything else may be the doing of one.
_EVERYBODY_S = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, TooManyRequests)


class Rounds(Generic[_Asked, _Told]):
    """One for an event loop and a kind of question, one round after another.

    `carry_out` is given what was asked, in the order of asking, and gives what is told to each.
    """

    def __init__(self, carry_out: Callable[[Sequence[_Asked]], Awaitable[Sequence[_Told]]]) -> None:
        self._carry_out = carry_out
        self._waiting: list[tuple[_Asked, asyncio.Future[_Told]]] = []
        self._going: asyncio.Task[None] | None = None

    async def ask(self, asked: _Asked) -> _Told:
        """What is told to this one; raises what went wrong with the round, and where that may be another's, alone."""
        told: asyncio.Future[_Told] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, told))
        if self._going is None:
            self._going = asyncio.create_task(self._go())
        return await told

    async def _go(self) -> None:
        try:
            while self._waiting:
                here, self._waiting = self._waiting[:MOST_IN_A_ROUND], self._waiting[MOST_IN_A_ROUND:]
                # Whoever has left is not asked for.
                await self._round([one for one in here if not one[1].done()])
        finally:
            self._going = None
            # Cut off in the middle: nobody is left waiting.
            for _, told in self._waiting:
                told.cancel()

    async def _round(self, here: list[tuple[_Asked, asyncio.Future[_Told]]]) -> None:
        if not here:
            return
        try:
            answers = await self._carry_out([asked for asked, _ in here])
        except asyncio.CancelledError:
            for _, told in here:
                told.cancel()
            raise
        except Exception as error:
            if len(here) > 1 and not isinstance(error, _EVERYBODY_S):
                for one in here:
                    await self._round([one])
                return
            for _, told in here:
                if not told.done():
                    told.set_exception(error)
            return
        for (_, told), answer in zip(here, answers, strict=True):
            if not told.done():
                told.set_result(answer)
