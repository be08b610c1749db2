"""Submitting: a command's way to the writers from an event loop."""

import asyncio
import time

from commands.envelope import Answer, Part, Submission
from commands.writer import Writers

_PATIENCE_S = 5.0


async def submit(writers: Writers, book: str, part: Part, patience_s: float = _PATIENCE_S) -> Answer:
    """The command's answer once it is stored; refusals and bugs come back in it. Raises Overloaded and Unavailable."""
    (answer,) = await submit_all(writers, book, [part], patience_s)
    return answer


async def submit_all(writers: Writers, book: str, parts: list[Part], patience_s: float = _PATIENCE_S) -> list[Answer]:
    """The answer of each, decided for itself, once all of them are stored."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[list[Answer]] = loop.create_future()

    def settle(answers: list[Answer]) -> None:
        if not arrived.done():
            arrived.set_result(answers)

    def done(answers: list[Answer]) -> None:
        loop.call_soon_threadsafe(settle, answers)

    writers.submit(book, Submission(parts, done, time.monotonic() + patience_s))
    return await arrived
