"""Submitting: a command's way to the writers from an event loop."""

import asyncio
import time

from commands.envelope import Answer, Part, Submission
from commands.writer import Writers

_PATIENCE_S = 5.0


async def submit(writers: Writers, book: str, part: Part, patience_s: float = _PATIENCE_S) -> Answer:
    """The command's answer once it is stored; refusals and bugs come back in it. Raises Overloaded and Unavailable."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Future[Answer] = loop.create_future()

    def settle(answer: Answer) -> None:
        if not arrived.done():
            arrived.set_result(answer)

    def done(answers: list[Answer]) -> None:
        loop.call_soon_threadsafe(settle, answers[0])

    writers.submit(book, Submission([part], done, time.monotonic() + patience_s))
    return await arrived
