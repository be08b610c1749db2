"""Reading a book as a request does, from a test that is not asynchronous."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, TypeVar

from psycopg import AsyncConnection

from ledger.store.connection import Database
from projections.projection import Projection
from projections.register import PROJECTIONS
from projections.runner import BookRunner

P = ParamSpec("P")
Answer = TypeVar("Answer")


class Reader:
    """Asks the views of one book, over one connection of the application's role."""

    def __init__(self, runner: asyncio.Runner, connection: AsyncConnection[Any], book: str) -> None:
        self._runner, self._connection, self.book = runner, connection, book

    def ask(
        self,
        question: Callable[Concatenate[AsyncConnection[Any], str, P], Awaitable[Answer]],
        *args: P.args,
        **named: P.kwargs,
    ) -> Answer:
        async def asked() -> Answer:
            return await question(self._connection, self.book, *args, **named)

        return self._runner.run(asked())


@contextmanager
def reading(database: Database, book: str) -> Iterator[Reader]:
    """A reader for the length of a block."""
    with asyncio.Runner() as runner:
        connection = runner.run(database.connect_async())
        try:
            yield Reader(runner, connection, book)
        finally:
            runner.run(connection.close())


def catch_up(database: Database, book: str, projections: tuple[type[Projection], ...] = PROJECTIONS) -> int:
    """Bring the views of a book up to the end of its log; how many events that were."""
    runner, taken = BookRunner(book, projections), 0
    with database.connect() as connection:
        while events := runner.step(connection):
            taken += events
    return taken
