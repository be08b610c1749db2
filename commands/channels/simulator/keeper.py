"""Keeper: the one thread that works on the books, so that the event loop never waits for the disk.

What is asked for while it works waits, and is then done together: one commit for all of it, and nobody is answered
before that.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from commands.channels.simulator.books import Books

_Done = TypeVar("_Done")
_Given = ParamSpec("_Given")
_MOST_TOGETHER = 100

_Piece = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Keeper:
    """`await keeper.do(Books.find, "charge", charge_id)`: one piece of work at a time, in the order of asking."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._asked: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="books", daemon=True)
        self._thread.start()

    async def do(
        self, work: Callable[Concatenate[Books, _Given], _Done], *given: _Given.args, **named: _Given.kwargs
    ) -> _Done:
        done: asyncio.Future[_Done] = asyncio.get_running_loop().create_future()
        self._asked.put((partial(work, self._books, *given, **named), done))
        return await done

    def close(self) -> None:
        """After the work that was asked for."""
        self._asked.put(None)
        self._thread.join()
        self._books.close()

    def _work(self) -> None:
        while True:
            together, goes_on = self._next()
            if together:
                self._do(together)
            if not goes_on:
                return

    def _next(self) -> tuple[list[_Piece], bool]:
        """What waits, and whether there will be more."""
        together: list[_Piece] = []
        piece = self._asked.get()
        while piece is not None:
            together.append(piece)
            if len(together) == _MOST_TOGETHER:
                return together, True
            try:
                piece = self._asked.get_nowait()
            except queue.Empty:
                return together, True
        return together, False

    def _do(self, pieces: list[_Piece]) -> None:
        outcomes: list[tuple[Any, BaseException | None]] = []
        try:
            with self._books.together():
                for work, _ in pieces:
                    try:
                        outcomes.append((work(), None))
                    except Exception as error:
                        outcomes.append((None, error))
        except Exception as error:
            # Nothing of it was kept.
            outcomes = [(None, error)] * len(pieces)
        for (_, done), outcome in zip(pieces, outcomes, strict=True):
            loop = done.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, done, *outcome)


def _settle(done: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if done.done():  # Whoever waited may have left.
        return
    if error is None:
        done.set_result(result)
    else:
        done.set_exception(error)
