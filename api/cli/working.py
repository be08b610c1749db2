"""`ledger worker` and `ledger simulator`: the processes beside the API.

The worker keeps the views of all books (a thread of its own, because it writes as fast as it can) and lets process
managers call channels and timers run out (an event loop). Either of them failing ends the process, and whoever
supervises it starts it again.
"""

import asyncio
import signal
import threading
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from psycopg_pool import AsyncConnectionPool

from api.routes.channels import callback_path
from api.serving import SIMULATOR, channels_of, database_at
from api.settings import Settings
from commands.channels.simulator.__main__ import main as simulate
from commands.processes.worker import run_worker
from ledger.store.connection import Database
from projections.following import run_all_books
from projections.holds import due

_MOST_DUE_AT_ONCE = 500


class _DueHolds:
    """Which holds are due, as the view knows it: what the timers of the write side ask."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def __call__(self, book: str, now: datetime) -> Sequence[str]:
        async with self._pool.connection() as connection:
            return [hold.id for hold in await due(connection, book, now, _MOST_DUE_AT_ONCE)]


def work(of: Settings, database_url: str) -> None:
    """Keep the views, call the channels and let timers run out, until SIGINT or SIGTERM."""
    asyncio.run(_work(of, database_at(database_url)))


async def _work(of: Settings, database: Database) -> None:
    loop, stop, stop_views = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    views = asyncio.create_task(asyncio.to_thread(run_all_books, database, stop_views), name="views")
    views.add_done_callback(lambda _: stop.set())
    pool = database.pool(size=2)
    try:
        await pool.open()
        await run_worker(database, channels_of(of), _DueHolds(pool), stop)
    finally:
        stop_views.set()
        await pool.close()
        await views


def run_simulator(of: Settings, port: int | None) -> int:
    """Be a payment channel that is not one, until SIGINT or SIGTERM; the exit code."""
    if port is None:
        port = (urlsplit(of.simulator_url).port or 0) if of.simulator_url else 0
    return simulate(
        [
            "--port",
            str(port),
            "--state",
            str(of.state / "channels" / "simulator.sqlite"),
            "--secret-file",
            str(of.simulator_secret_file),
            "--callback-url",
            f"http://{of.host}:{of.port}{callback_path(SIMULATOR)}",
        ]
    )
