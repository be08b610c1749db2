"""A worker as a process of its own, to be killed, or to kill itself.

python -m tests.processes.worker_process DATABASE_URL ROLE CHANNEL_URL SECRET_FILE [PASSING]

With a number the process ends by SIGKILL when it passes one of the points between the steps of a call for that time,
and says first which one it was.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import wraps
from itertools import count
from pathlib import Path
from typing import Any

from commands.channels.dispatcher import Dispatcher
from commands.channels.registry import ChannelSettings, Registry
from commands.channels.signatures import secret_from_file
from commands.processes import channel_calls
from commands.processes.channel_calls import Page
from commands.processes.worker import Worker, run_worker
from ledger.store.connection import Database

# After each of these a worker may die: the log is read, a call taken up, answered, recorded, put back.
POINTS: tuple[tuple[Any, str], ...] = (
    (channel_calls, "follow"),
    (channel_calls, "claim"),
    (Dispatcher, "ask"),
    (Worker, "_record"),
    (channel_calls, "put_back"),
)


async def no_holds(book: str, now: datetime) -> Sequence[str]:
    return ()


def die_at(passing: int) -> None:
    """From now on: end this process the n-th time that something is done of which the next step knows nothing yet."""
    numbers = count(1)

    def watched(work: Callable[..., Awaitable[Any]], name: str) -> Callable[..., Awaitable[Any]]:
        @wraps(work)
        async def watch(*given: Any, **named: Any) -> Any:
            done = await work(*given, **named)
            # A look at which there was nothing to do is no step.
            idle = done == [] or (isinstance(done, Page) and not done.opened)
            if not idle and next(numbers) == passing:
                sys.stdout.write(f"{name}\n")
                sys.stdout.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return watch

    for owner, name in POINTS:
        setattr(owner, name, watched(getattr(owner, name), name))


def main(url: str, role: str, channel_url: str, secret_file: str, passing: str = "") -> None:
    if passing:
        die_at(int(passing))
    secret = secret_from_file(Path(secret_file))
    channels = Registry([ChannelSettings("card_simulator", channel_url, secret, read_ms=400, total_ms=1_000)])
    asyncio.run(run_worker(Database(url, role=role or None), channels, no_holds, asyncio.Event()))


if __name__ == "__main__":
    main(*sys.argv[1:])
