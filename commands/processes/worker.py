"""Worker: for every book, follows the log, calls the channels, and lets timers run out. Any number may run at once.

A call's life here: claimed and committed as `sent` ──▶ asked over the dispatcher ──▶ the answer recorded through the
writers ──▶ put back for another question, or done. Killed anywhere in between, the call is asked about again when its
lease has run out.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

import psycopg
from psycopg_pool import AsyncConnectionPool

from commands.channel_results import command_for, key_for
from commands.channels.channel import NotSent, Unknown, Verdict
from commands.channels.dispatcher import Dispatcher, as_it_is
from commands.channels.registry import Registry
from commands.deciders import DECIDERS
from commands.envelope import Answer, Part, own_envelope
from commands.errands import ReportUnresolved
from commands.handler import Handler
from commands.processes import channel_calls
from commands.processes.channel_calls import Claim, Return
from commands.processes.circuit_watch import CircuitWatch
from commands.processes.fund_releases import DueReleases, no_releases, release_funds
from commands.processes.interest import charge_interest, owing
from commands.processes.next_steps import Step, ask_again, becomes_unresolved, question_of, step_after
from commands.processes.timers import DueHolds, DuePayments, expire_holds, expire_payments, keep_dates, no_payments
from commands.rounds import Rounds
from commands.sealed_answers import AnswerSeal
from commands.submitting import submit
from commands.writer import Writers
from ledger.errors import ChannelNotFound, Refusal
from ledger.ids import stream_of
from ledger.store.append import Appender
from ledger.store.connection import Database, in_book
from ledger.store.schema import schema_of

logger = logging.getLogger(__name__)

CALLS_AT_ONCE = 64
_POOL_SIZE = 6
_BOOKS = "SELECT name FROM ledger_control.books ORDER BY name"
# Hints wake everything here; these are the pauses after which it looks without one.
_LOOK_S = 2.0
_LOOK_AT_TIMERS_S = 1.0
# There are many books, and most of them rest: one that has not grown for so long is looked at less often.
_RESTS_AFTER_S = 20.0
_LOOK_AT_REST_S = 5.0
_LOOK_FOR_BOOKS_S = 1.0
_LOOK_FOR_INTEREST_S = 60.0
# Funds wait for days, and what is due is a sum over all merchants.
_LOOK_FOR_FUNDS_S = 15.0
# A busy book hints with every batch: one look serves many.
_SHORTEST_PAUSE_S = 0.02
_PAUSE_AFTER_TROUBLE_S = 0.5
# What a claim lasts beyond the longest conversation with a channel. Where recording takes longer still, the channel is
# only asked once more than needed.
_LEASE_MARGIN_S = 2.0
_LAST_WORDS_S = 3.0

_TROUBLE = (psycopg.OperationalError, psycopg.InterfaceError)


async def run_worker(
    database: Database,
    channels: Registry,
    due_holds: DueHolds,
    stop: asyncio.Event,
    due_payments: DuePayments = no_payments,
    due_contracts: DuePayments = no_payments,
    due_releases: DueReleases = no_releases,
    seal: AnswerSeal | None = None,
) -> None:
    """Work for all books, also those that are made meanwhile, until `stop` is set. A bug ends it with an exception."""
    writers = Writers(lambda book: Handler(Appender(database, book), DECIDERS))
    pool = database.pool(size=_POOL_SIZE)
    try:
        async with Dispatcher(channels, seal.opened if seal else as_it_is) as dispatcher:
            await pool.open()
            worker = Worker(database, pool, writers, dispatcher, channels, due_holds, stop, due_payments, due_contracts)
            worker.due_releases = due_releases
            try:
                await worker.run()
            finally:
                await worker.finish(_LAST_WORDS_S)
    finally:
        await pool.close()
        await asyncio.to_thread(writers.stop)


class Worker:
    """The work of one process: for each book one loop that follows the log, one that makes calls, one for timers."""

    def __init__(
        self,
        database: Database,
        pool: AsyncConnectionPool,
        writers: Writers,
        dispatcher: Dispatcher,
        channels: Registry,
        due_holds: DueHolds,
        stop: asyncio.Event,
        due_payments: DuePayments,
        due_contracts: DuePayments,
    ) -> None:
        self._stop = stop
        self._database, self._pool, self._writers = database, pool, writers
        self._dispatcher, self._due_holds, self._due_payments = dispatcher, due_holds, due_payments
        self._due_contracts = due_contracts
        longest_ms = max((channels.settings(name).total_ms for name in channels.names()), default=0)
        self._lease_s = longest_ms / 1000 + _LEASE_MARGIN_S
        self._log_grew: dict[str, asyncio.Event] = {}
        self._calls_due: dict[str, asyncio.Event] = {}
        self._read_until: dict[str, int] = {}
        self._grew_at_s: dict[str, float] = {}
        self._log_read: dict[str, asyncio.Event] = {}
        self._watches: dict[str, CircuitWatch] = {}
        self._charged_until: dict[str, str] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._returns: dict[str, Rounds[Return, None]] = {}
        self.due_releases: DueReleases = no_releases

    async def run(self) -> None:
        """Until `stop` is set: each loop ends where it stands, and none is cut off between a claim and its call."""
        async with asyncio.TaskGroup() as tasks:
            await self._patiently(lambda: self._begin_new_books(tasks))
            listening = tasks.create_task(self._steadily(self._listen))
            while not self._stop.is_set():
                await wait_for(self._stop, _LOOK_FOR_BOOKS_S)
                await self._patiently(lambda: self._begin_new_books(tasks))
            listening.cancel()
            for event in (*self._log_grew.values(), *self._calls_due.values(), *self._log_read.values()):
                event.set()

    async def finish(self, patience_s: float) -> None:
        """Let the calls that are under way end, for a moment; what is cut off is asked about by whoever comes next."""
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=patience_s)
            for call in late:
                call.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _begin_new_books(self, tasks: asyncio.TaskGroup) -> None:
        async with self._pool.connection() as connection:
            books = [name for (name,) in await (await connection.execute(_BOOKS)).fetchall()]
        for book in books:
            if book not in self._log_grew:
                self._log_grew[book], self._calls_due[book] = asyncio.Event(), asyncio.Event()
                self._log_read[book] = asyncio.Event()
                self._grew_at_s[book] = time.monotonic()
                self._returns[book] = Rounds(partial(self._put_back, book))
                self._watches[book] = CircuitWatch(self._pool, book, self._submit)
                timers = (self._let_timers_run_out, self._release_funds, self._charge_interest)
                for work in (self._follow, self._call, self._watch, *timers):
                    tasks.create_task(self._steadily(partial(work, book)))

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it once; while the database is away, wait for it. A bug is not caught."""
        while not self._stop.is_set():
            try:
                await work()
            except _TROUBLE as trouble:
                logger.warning("the worker waits for the database: %s", trouble)
                # It may come back as an older one.
                self._read_until.clear()
                for watch in self._watches.values():
                    watch.forget()
                await wait_for(self._stop, _PAUSE_AFTER_TROUBLE_S)
            else:
                break

    async def _steadily(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it again and again."""
        while not self._stop.is_set():
            await self._patiently(work)

    async def _listen(self) -> None:
        """Pass on the hints that a book has changed, until the connection is lost."""
        heard: dict[str, str] = {}
        async with await self._database.connect_async() as connection:
            while True:
                for book in self._log_grew.keys() - heard.values():
                    await connection.execute(in_book("LISTEN {schema}", book))
                    heard[schema_of(book)] = book
                async for hint in connection.notifies(timeout=_LOOK_FOR_BOOKS_S):
                    woken = self._calls_due if hint.payload == channel_calls.CALLS_DUE else self._log_grew
                    woken[heard[hint.channel]].set()
                    self._grew_at_s[heard[hint.channel]] = time.monotonic()

    # --- the log ----------------------------------------------------------------------------------------------------

    async def _follow(self, book: str) -> None:
        """Take what is new into the work list, then wait for more."""
        self._log_grew[book].clear()
        async with self._pool.connection() as connection:
            page = await channel_calls.follow(connection, book, self._read_until.get(book, 0))
        if page.position != self._read_until.get(book):
            self._grew_at_s[book] = time.monotonic()
            self._read_until[book] = page.position
            self._log_read[book].set()
        if page.opened:
            self._calls_due[book].set()
        if not page.more:
            await asyncio.sleep(_SHORTEST_PAUSE_S)
            await wait_for(self._log_grew[book], self._pause_s(book, _LOOK_S))

    async def _watch(self, book: str) -> None:
        """Have the circuits of channels judged by what was read, then wait for more."""
        self._log_read[book].clear()
        await self._watches[book].look(self._read_until.get(book, 0))
        await asyncio.sleep(_SHORTEST_PAUSE_S)
        await wait_for(self._log_read[book], self._pause_s(book, _LOOK_S))

    # --- the channels -----------------------------------------------------------------------------------------------

    async def _call(self, book: str) -> None:
        """Begin the calls whose time has come, then wait for the next."""
        self._calls_due[book].clear()
        free = CALLS_AT_ONCE - len(self._calls)
        if free <= 0:
            await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
            return
        async with self._pool.connection() as connection:
            claims = await channel_calls.claim(connection, book, limit=free, lease_s=self._lease_s)
            to_next = None if claims else await channel_calls.seconds_to_next(connection, book)
        for held in claims:
            task = asyncio.create_task(self._carry_out(book, held))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        if not claims:
            patience_s = _LOOK_S if to_next is None else min(_LOOK_S, max(to_next, _SHORTEST_PAUSE_S))
            await wait_for(self._calls_due[book], patience_s)

    async def _carry_out(self, book: str, held: Claim) -> None:
        """One call. Whatever goes wrong here is about this call alone, and its lease brings it back."""
        try:
            step, answer = await self._ask_and_record(book, held)
            await self._returns[book].ask(Return(held, step, answer))
        except _TROUBLE as trouble:
            logger.warning("the call %s of %s waits for the database: %s", held.call.id, book, trouble)
        except Exception:
            logger.exception("the call %s of %s failed", held.call.id, book)
        else:
            if step.state != "done":
                self._calls_due[book].set()

    async def _put_back(self, book: str, returned: Sequence[Return]) -> Sequence[None]:
        async with self._pool.connection() as connection:
            await channel_calls.put_back(connection, book, returned)
        return [None] * len(returned)

    async def _ask_and_record(self, book: str, held: Claim) -> tuple[Step, str]:
        call = held.call
        try:
            verdict = await self._dispatcher.ask(call.channel, question_of(call))
        except ChannelNotFound:
            logger.exception("the call %s of %s is for a channel that is not configured", call.id, book)
            verdict = NotSent("the channel is not configured")
        step = step_after(call, verdict)
        if becomes_unresolved(call, step):
            await self._report(book, held, _word(verdict), step.tries)
        if step.record is None:
            return step, _word(verdict)
        refusal = await self._record(book, held, step.record)
        if refusal is None:
            return step, _word(step.record)
        # What a channel says is true whether we can take it now or not: ask for it again.
        logger.error("what became of %s in %s was refused: %s", call.id, book, refusal.detail)
        return ask_again(call), f"refused: {refusal.code()}"

    async def _report(self, book: str, held: Claim, answer: str, tries: int) -> None:
        """Put on record, once, that nobody knows; the list of open calls tells it in any case."""
        call = held.call
        stream = stream_of(call.request.subject) or call.request.subject
        command = ReportUnresolved(call.id, stream, call.channel, call.kind, tries, answer)
        envelope = own_envelope(
            f"unresolved/{call.id}", actor="worker", correlation=held.correlation, causation=held.causation
        )
        with suppress(Refusal):
            reported = await submit(self._writers, book, Part(envelope, command))
            if reported.error is not None:
                raise reported.error
        logger.warning("nobody knows what became of %s in %s: %s", call.id, book, answer)

    async def _record(self, book: str, held: Claim, verdict: Verdict) -> Refusal | None:
        """Have it taken into the log; the refusal, if it was refused. Raises a decider's bug."""
        call = held.call
        command = command_for(call.request.subject, call.channel, verdict)
        if command is None:
            raise AssertionError(f"{call.id} is the id of nothing")
        envelope = own_envelope(
            key_for(call.request.id, verdict),
            actor=f"channel:{call.channel}",
            correlation=held.correlation,
            causation=held.causation,
        )
        try:
            answer = await submit(self._writers, book, Part(envelope, command))
        except Refusal as refusal:
            return refusal
        if answer.error is not None:
            raise answer.error
        return answer.refusal

    def _pause_s(self, book: str, usual_s: float) -> float:
        """How long a book is left alone, if it does not grow meanwhile."""
        rests = time.monotonic() - self._grew_at_s[book] > _RESTS_AFTER_S
        return max(usual_s, _LOOK_AT_REST_S) if rests else usual_s

    # --- timers -----------------------------------------------------------------------------------------------------

    async def _let_timers_run_out(self, book: str) -> None:
        try:
            await expire_holds(book, self._due_holds, self._submit)
            await expire_payments(book, self._due_payments, self._submit)
            await keep_dates(book, self._due_contracts, self._submit)
        except Refusal as refusal:
            logger.warning("the timers of %s wait: %s", book, refusal.detail)
        await wait_for(self._stop, self._pause_s(book, _LOOK_AT_TIMERS_S))

    async def _release_funds(self, book: str) -> None:
        try:
            await release_funds(book, self.due_releases, self._submit)
        except Refusal as refusal:
            logger.warning("the funds of %s wait: %s", book, refusal.detail)
        await wait_for(self._stop, _LOOK_FOR_FUNDS_S)

    async def _charge_interest(self, book: str) -> None:
        """Once a month has ended, and once when the work begins: what was charged already is not charged again."""
        now = datetime.now(UTC)
        if self._charged_until.get(book) != f"{now:%Y-%m}":
            try:
                async with self._pool.connection() as connection:
                    lines = await owing(connection, book)
                if await charge_interest(book, lines, self._submit, now):
                    self._charged_until[book] = f"{now:%Y-%m}"
            except Refusal as refusal:
                logger.warning("the interest of %s waits: %s", book, refusal.detail)
        await wait_for(self._stop, _LOOK_FOR_INTEREST_S)

    async def _submit(self, book: str, part: Part) -> Answer:
        return await submit(self._writers, book, part)


def _word(verdict: Verdict) -> str:
    """What was answered, for people; of silence its reason, which the next answer is compared with."""
    return verdict.reason if isinstance(verdict, Unknown | NotSent) else type(verdict).__name__


async def wait_for(event: asyncio.Event, patience_s: float) -> None:
    """Wait until the event is set, or so long."""
    # Not wait_for, which in Python 3.11 loses a cancellation that comes at the moment of the event.
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await event.wait()
