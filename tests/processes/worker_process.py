"""A worker as a process of its own, to be killed, or to kill itself.

python -m tests.processes.worker_process DATABASE_URL ROLE CHANNEL_URL SECRET_FILE [POINT]

With one of POINTS the process ends by SIGKILL as soon as it has come there.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import wraps
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
POINTS: dict[str, Any] = {
    "follow": channel_calls,
    "claim": channel_calls,
    "ask": Dispatcher,
    "_record": Worker,
    "put_back": channel_calls,
}


async def no_holds(book: str, now: datetime) -> Sequence[str]:
    return ()


def die_at(point: str) -> None:
    """From now on: end this process when something was done there of which the next step knows nothing yet."""
    owner = POINTS[point]
    work: Callable[..., Awaitable[Any]] = getattr(owner, point)

    @wraps(work)
    async def watched(*given: Any, **named: Any) -> Any:
        done = await work(*given, **named)
        # A look at which there was nothing to do is no step.
        if done != [] and not (isinstance(done, Page) and not done.opened):
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(owner, point, watched)


def main(url: str, role: str, channel_url: str, secret_file: str, point: str = "") -> None:
    if point:
        die_at(point)
    secret = secret_from_file(Path(secret_file))
    channels = Registry([ChannelSettings("card_simulator", channel_url, secret, read_ms=400, total_ms=1_000)])
    asyncio.run(run_worker(Database(url, role=role or None), channels, no_holds, asyncio.Event()))


if __name__ == "__main__":
    main(*sys.argv[1:])
