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

import uvloop
from psycopg_pool import AsyncConnectionPool

from api.keys import load_or_create_pepper
from api.reconciliation_evidence import ViewedEvidence
from api.settings import Settings
from api.surroundings import callback_path, channels_of, database_at, spare_the_collector
from commands.channels.simulator.__main__ import main as simulate
from commands.funds import ReleaseFunds
from commands.log_keys import LogKeys
from commands.processes.code_sender import run_codes
from commands.processes.letter_sender import run_letters
from commands.processes.reconciliation_runs import run_reconciliation
from commands.processes.sealer import run_sealer
from commands.processes.webhook_sender import run_webhooks
from commands.processes.witness_feed import WitnessFeeds
from commands.processes.worker import run_worker
from commands.sealed_answers import AnswerSeal
from commands.webhook_addresses import AddressRule
from ledger.store.connection import Database
from ledger.store.vault import Vault
from projections.contracts import due_subjects
from projections.following import run_all_books
from projections.funds import due_funds
from projections.holds import due
from projections.order_status import due_payments
from projections.reviews import due_reviews

_MOST_DUE_AT_ONCE = 500


class _DueHolds:
    """Which holds are due, as the view knows it: what the timers of the write side ask."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def __call__(self, book: str, now: datetime) -> Sequence[str]:
        async with self._pool.connection() as connection:
            return [hold.id for hold in await due(connection, book, now, _MOST_DUE_AT_ONCE)]


class _DuePayments:
    """Which payments nobody has paid in time, as the view knows it."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def __call__(self, book: str, now: datetime) -> Sequence[str]:
        async with self._pool.connection() as connection:
            return await due_payments(connection, book, now, _MOST_DUE_AT_ONCE)


class _DueContracts:
    """Which contracts are over by the clock, which payments under one are to be sent, and which reviews are overdue."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def __call__(self, book: str, now: datetime) -> Sequence[str]:
        async with self._pool.connection() as connection:
            due = await due_subjects(connection, book, now, _MOST_DUE_AT_ONCE)
            return [*due, *await due_reviews(connection, book, now, _MOST_DUE_AT_ONCE)]


class _DueReleases:
    """What merchants may be released, as the view knows it."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def __call__(self, book: str, now: datetime) -> Sequence[ReleaseFunds]:
        async with self._pool.connection() as connection:
            found = await due_funds(connection, book, now, limit=_MOST_DUE_AT_ONCE)
        return [
            ReleaseFunds(due.merchant, due.currency, due.pending_due, due.reserve_due, due.known_at) for due in found
        ]


def work(of: Settings, database_url: str) -> None:
    """Keep the views, call the channels and let timers run out, until SIGINT or SIGTERM."""
    uvloop.run(_work(of, database_at(database_url)))


async def _work(of: Settings, database: Database) -> None:
    loop, stop, stop_views = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    pepper = load_or_create_pepper(of.state, of.pepper.get_secret_value() if of.pepper else None)
    pool = database.pool(size=4)
    evidence = ViewedEvidence(pool)
    feeds = WitnessFeeds(database, of.witness_list)
    beside: list[asyncio.Task[None]] = []
    try:
        await pool.open()
        for name, working in (
            ("views", asyncio.to_thread(run_all_books, database, stop_views)),
            ("webhooks", run_webhooks(database, pepper, AddressRule(of.webhook_network_list), stop)),
            ("codes", run_codes(database, of.message_urls, stop, Vault(pepper))),
            ("letters", run_letters(database, of.message_urls, stop, Vault(pepper))),
            ("sealer", run_sealer(database, of.log_name, LogKeys(of.log_keys_folder), stop, feeds.sealed)),
            ("witnesses", feeds.run(stop)),
            ("reconciliation", run_reconciliation(database, evidence, stop)),
        ):
            task = asyncio.create_task(working, name=name)
            # If one of them fails, all of it ends, and is started again.
            task.add_done_callback(lambda _: stop.set())
            beside.append(task)
        spare_the_collector()
        await run_worker(
            database,
            channels_of(of),
            _DueHolds(pool),
            stop,
            _DuePayments(pool),
            _DueContracts(pool),
            due_releases=_DueReleases(pool),
            seal=AnswerSeal(pepper),
            vault=Vault(pepper),
        )
    finally:
        stop.set()
        stop_views.set()
        ended = await asyncio.gather(*beside, return_exceptions=True)
        await evidence.close()
        await pool.close()
    for failure in ended:
        if isinstance(failure, BaseException):
            raise failure


def run_simulator(of: Settings, port: int | None) -> int:
    """Be all payment channels that are not real ones, until SIGINT or SIGTERM; the exit code."""
    if port is None:
        port = (urlsplit(of.simulator_url).port or 0) if of.simulator_url else 0
    channels = f"http://{of.host}:{of.port}{callback_path('{channel}')}"
    return simulate(["--port", str(port), "--folder", str(of.channels_folder), "--callback-url", channels])
