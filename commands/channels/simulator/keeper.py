"""Keeper: the one thread that works on the books, so that the event loop never waits for the disk."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from commands.channels.simulator.books import Books

_Done = TypeVar("_Done")
_Given = ParamSpec("_Given")


class Keeper:
    """`await keeper.do(Books.find, "charge", charge_id)`: one piece of work at a time, in the order of asking."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._thread = ThreadPoolExecutor(1, "books")

    async def do(
        self, work: Callable[Concatenate[Books, _Given], _Done], *given: _Given.args, **named: _Given.kwargs
    ) -> _Done:
        task = partial(work, self._books, *given, **named)
        return await asyncio.get_running_loop().run_in_executor(self._thread, task)

    def close(self) -> None:
        """After the work that was asked for."""
        self._thread.shutdown()
        self._books.close()
