"""A worker as a process of its own, to be killed.

python -m tests.processes.worker_process DATABASE_URL ROLE CHANNEL_URL SECRET_FILE
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from commands.channels.registry import ChannelSettings, Registry
from commands.channels.signatures import secret_from_file
from commands.processes.worker import run_worker
from ledger.store.connection import Database


async def no_holds(book: str, now: datetime) -> Sequence[str]:
    return ()


def main(url: str, role: str, channel_url: str, secret_file: str) -> None:
    secret = secret_from_file(Path(secret_file))
    channels = Registry([ChannelSettings("card_simulator", channel_url, secret, read_ms=400, total_ms=1_000)])
    asyncio.run(run_worker(Database(url, role=role or None), channels, no_holds, asyncio.Event()))


if __name__ == "__main__":
    main(*sys.argv[1:])
