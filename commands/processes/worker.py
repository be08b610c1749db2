"""Worker: for every book, follows the log, calls the channels, and lets timers run out. Any number may run at once.

A call's life here: claimed and committed as `sent` ──▶ asked over the dispatcher ──▶ the answer recorded through the
writers ──▶ put back for another question, or done. Killed anywhere in between, the call is asked about again when its
lease has run out.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from math import inf

import msgspec
from psycopg_pool import AsyncConnectionPool

from commands.channel_results import command_for, key_for
from commands.channels.channel import NotSent, Unknown, Verdict
from commands.channels.dispatcher import Dispatcher, as_it_is
from commands.channels.registry import Registry
from commands.channels.requests import ChannelRequest
from commands.deciders import DECIDERS
from commands.envelope import Answer, Part, own_envelope
from commands.errands import ReportUnresolved
from commands.handler import Handler
from commands.processes import channel_calls
from commands.processes.books import TROUBLE, Book, for_each_book, wait_for
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
from ledger.store.connection import Database
from ledger.store.vault import Vault
from ledger.tokens import holds_tokens

logger = logging.getLogger(__name__)

CALLS_AT_ONCE = 64
_POOL_SIZE = 6
# Hints wake everything here; these are the pauses after which it looks without one.
_LOOK_S = 2.0
_LOOK_AT_TIMERS_S = 1.0
# Of a book that rests: no hint comes when only time has passed.
_LOOK_AT_CLOCKS_AT_REST_S = 5.0
_LOOK_FOR_INTEREST_S = 60.0
# Funds wait for days, and what is due is a sum over all merchants.
_LOOK_FOR_FUNDS_S = 15.0
# A busy book hints with every batch: one look serves many.
_SHORTEST_PAUSE_S = 0.02
# What a claim lasts beyond the longest conversation with a channel. Where recording takes longer still, the channel is
# only asked once more than needed.
_LEASE_MARGIN_S = 2.0
_LAST_WORDS_S = 3.0


async def run_worker(
    database: Database,
    channels: Registry,
    due_holds: DueHolds,
    stop: asyncio.Event,
    due_payments: DuePayments = no_payments,
    due_contracts: DuePayments = no_payments,
    due_releases: DueReleases = no_releases,
    seal: AnswerSeal | None = None,
    vault: Vault | None = None,
) -> None:
    """Work for all books, also those that are made meanwhile, until `stop` is set. A bug ends it with an exception."""
    writers = Writers(lambda book: Handler(Appender(database, book), DECIDERS, vault))
    pool = database.pool(size=_POOL_SIZE)
    try:
        async with Dispatcher(channels, seal.opened if seal else as_it_is) as dispatcher:
            await pool.open()
            worker = Worker(database, pool, writers, dispatcher, channels, due_holds, stop, due_payments, due_contracts)
            worker.due_releases = due_releases
            worker.vault = vault
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
        self._read_until: dict[str, int] = {}
        self._watches: dict[str, CircuitWatch] = {}
        self._charged_until: dict[str, str] = {}
        self._calls: set[asyncio.Task[None]] = set()
        self._returns: dict[str, Rounds[Return, None]] = {}
        self.due_releases: DueReleases = no_releases
        self.vault: Vault | None = None

    async def run(self) -> None:
        """Until `stop` is set: each loop ends where it stands, and none is cut off between a claim and its call."""
        timers = (self._let_timers_run_out, self._release_funds, self._charge_interest)
        await for_each_book(
            self._database, (self._follow, self._call, self._watch, *timers), self._stop, self._begin_anew
        )

    def _begin_anew(self) -> None:
        self._read_until.clear()
        for watch in self._watches.values():
            watch.forget()

    async def finish(self, patience_s: float) -> None:
        """Let the calls that are under way end, for a moment; what is cut off is asked about by whoever comes next."""
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=patience_s)
            for call in late:
                call.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # --- the log ----------------------------------------------------------------------------------------------------

    async def _follow(self, book: Book) -> None:
        """Take what is new into the work list, then wait for more."""
        book.grown.clear()
        async with self._pool.connection() as connection:
            page = await channel_calls.follow(connection, book.name, self._read_until.get(book.name, 0))
        if page.position != self._read_until.get(book.name):
            self._read_until[book.name] = page.position
            book.read.set()
        if page.opened:
            book.due.set()
        if not page.more:
            await asyncio.sleep(_SHORTEST_PAUSE_S)
            await wait_for(book.grown, book.pause_s(_LOOK_S))

    async def _watch(self, book: Book) -> None:
        """Have the circuits of channels judged by what was read, then wait for more."""
        if book.name not in self._watches:
            self._watches[book.name] = CircuitWatch(self._pool, book.name, self._submit)
        book.read.clear()
        await self._watches[book.name].look(self._read_until.get(book.name, 0))
        await asyncio.sleep(_SHORTEST_PAUSE_S)
        await wait_for(book.read, book.pause_s(_LOOK_S, _LOOK_AT_CLOCKS_AT_REST_S))

    # --- the channels -----------------------------------------------------------------------------------------------

    async def _call(self, book: Book) -> None:
        """Begin the calls whose time has come, then wait for the next."""
        book.due.clear()
        free = CALLS_AT_ONCE - len(self._calls)
        if free <= 0:
            await asyncio.wait(self._calls, return_when=asyncio.FIRST_COMPLETED)
            return
        async with self._pool.connection() as connection:
            claims = await channel_calls.claim(connection, book.name, limit=free, lease_s=self._lease_s)
            to_next = None if claims else await channel_calls.seconds_to_next(connection, book.name)
        for held in claims:
            task = asyncio.create_task(self._carry_out(book, held))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        if not claims:
            soon_s = inf if to_next is None else max(to_next, _SHORTEST_PAUSE_S)
            await wait_for(book.due, min(soon_s, book.pause_s(_LOOK_S)))

    async def _carry_out(self, book: Book, held: Claim) -> None:
        """One call. Whatever goes wrong here is about this call alone, and its lease brings it back."""
        try:
            step, answer = await self._ask_and_record(book.name, held)
            await self._returned(book.name).ask(Return(held, step, answer))
        except TROUBLE as trouble:
            logger.warning("the call %s of %s waits for the database: %s", held.call.id, book.name, trouble)
        except Exception:
            logger.exception("the call %s of %s failed", held.call.id, book.name)
        else:
            if step.state != "done":
                book.due.set()

    def _returned(self, book: str) -> Rounds[Return, None]:
        if book not in self._returns:
            self._returns[book] = Rounds(partial(self._put_back, book))
        return self._returns[book]

    async def _put_back(self, book: str, returned: Sequence[Return]) -> Sequence[None]:
        async with self._pool.connection() as connection:
            await channel_calls.put_back(connection, book, returned)
        return [None] * len(returned)

    async def _ask_and_record(self, book: str, held: Claim) -> tuple[Step, str]:
        call = held.call
        try:
            verdict = await self._dispatcher.ask(call.channel, await self._opened(book, question_of(call)))
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

    async def _opened(self, book: str, request: ChannelRequest) -> ChannelRequest:
        """The request with the personal values in it as its channel is to read them."""
        if self.vault is None or not holds_tokens(msgspec.json.encode(request)):
            return request
        async with self._pool.connection() as connection:
            return await self.vault.opened_value(connection, book, request)

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

    # --- timers -----------------------------------------------------------------------------------------------------

    async def _let_timers_run_out(self, book: Book) -> None:
        try:
            await expire_holds(book.name, self._due_holds, self._submit)
            await expire_payments(book.name, self._due_payments, self._submit)
            await keep_dates(book.name, self._due_contracts, self._submit)
        except Refusal as refusal:
            logger.warning("the timers of %s wait: %s", book.name, refusal.detail)
        await wait_for(self._stop, book.pause_s(_LOOK_AT_TIMERS_S, _LOOK_AT_CLOCKS_AT_REST_S))

    async def _release_funds(self, book: Book) -> None:
        try:
            await release_funds(book.name, self.due_releases, self._submit)
        except Refusal as refusal:
            logger.warning("the funds of %s wait: %s", book.name, refusal.detail)
        await wait_for(self._stop, _LOOK_FOR_FUNDS_S)

    async def _charge_interest(self, book: Book) -> None:
        """Once a month has ended, and once when the work begins: what was charged already is not charged again."""
        now = datetime.now(UTC)
        if self._charged_until.get(book.name) != f"{now:%Y-%m}":
            try:
                async with self._pool.connection() as connection:
                    lines = await owing(connection, book.name)
                if await charge_interest(book.name, lines, self._submit, now):
                    self._charged_until[book.name] = f"{now:%Y-%m}"
            except Refusal as refusal:
                logger.warning("the interest of %s waits: %s", book.name, refusal.detail)
        await wait_for(self._stop, _LOOK_FOR_INTEREST_S)

    async def _submit(self, book: str, part: Part) -> Answer:
        return await submit(self._writers, book, part)


def _word(verdict: Verdict) -> str:
    """What was answered, for people; of silence its reason, which the next answer is compared with."""
    return verdict.reason if isinstance(verdict, Unknown | NotSent) else type(verdict).__name__
