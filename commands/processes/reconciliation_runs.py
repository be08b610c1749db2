"""Reconciliation runs: for every book, carries out the runs that were asked for, one after another.

Each pass holds the open rows of the reports against our open items, brings home what agrees, and looks again, until
nothing more agrees; then what is left is on record as waiting or as breaks. Every step is a command with a key of its
own, so a run that was cut off begins again, finds what it had done, and comes to the same end.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from hashlib import sha256
from typing import Protocol

import msgspec

from commands.breaks import OpenBreak, SettleBreak
from commands.deciders import DECIDERS
from commands.envelope import Answer, Command, Part, own_envelope
from commands.handler import Handler
from commands.policies.reconciliation import end_of_day, policy_of
from commands.processes.books import Book, for_each_book, wait_for
from commands.processes.reconciliation_steps import Sides, Step, break_of, refused_match, steps_of, suspended, told_of
from commands.reconciliation import EndReconciliation
from commands.submitting import submit_all
from commands.writer import Writers
from ledger.errors import NotCaughtUp, Refusal
from ledger.events.reconciliation import ReconciliationCompleted, ReconciliationRequested, RunTotal
from ledger.matching.matcher import match
from ledger.matching.outcome import Break, Outcome
from ledger.store.append import Appender
from ledger.store.connection import Database

logger = logging.getLogger(__name__)

ACTOR = "reconciliation"
_MOST_PASSES = 6
_AT_ONCE = 500
_LOOK_S = 5.0
_AFTER_A_HINT_S = (0.05, 0.1, 0.5)
# A batch of settlements takes longer than a payment.
_PATIENCE_S = 30.0


SubmitAll = Callable[[str, list[Part]], Awaitable[list[Answer]]]


class Evidence(Protocol):
    """Who knows what stands on both sides: views, which are waited for."""

    async def next_run(self, book: str) -> ReconciliationRequested | None:
        """The run that was asked for first and is not carried out."""

    async def sides(self, book: str, run: ReconciliationRequested, position: int) -> Sides:
        """Both sides as they are once the views have reached this position; raises NotCaughtUp."""

    async def agreed(self, book: str, run: ReconciliationRequested, still: frozenset[str]) -> Sequence[str]:
        """The breaks that nobody has resolved, that are not among these, and of which nothing is open any more."""

    async def states(self, book: str, run: ReconciliationRequested, position: int) -> Sequence[tuple[str, str, str]]:
        """What has become of every row of the run's day: row, state, and what it was told by, in their order."""


class Runner:
    """Carries out the runs of one process."""

    def __init__(self, evidence: Evidence, submit: SubmitAll) -> None:
        self._evidence, self._submit = evidence, submit

    async def look(self, book: str) -> bool:
        """Carry out the next run of a book; whether there was one."""
        run = await self._evidence.next_run(book)
        if run is None:
            return False
        position, settled, refused, found_by = 0, 0, list[Step](), Counter[str]()
        for number in range(1, _MOST_PASSES + 1):
            sides, outcome = await self._compare(book, run, position)
            steps = steps_of(run, sides, outcome, first_pass=number == 1)
            answers = await self._carry_out(book, run, [step.command for step in steps], f"pass/{number}")
            position = max([position, *(answer.position for answer in answers)])
            done = [step for step, answer in zip(steps, answers, strict=True) if answer.refusal is None]
            settled += sum(step.settles for step in done)
            for step in done:
                if step.settles:
                    found_by[step.found_by] += step.settles
            refused = [step for step, answer in zip(steps, answers, strict=True) if answer.refusal is not None]
            if not done:
                break
        sides, outcome = await self._compare(book, run, position)
        await self._end(book, run, sides, outcome, settled, refused, found_by)
        return True

    async def _compare(self, book: str, run: ReconciliationRequested, position: int) -> tuple[Sides, Outcome]:
        sides = await self._evidence.sides(book, run, position)
        # The same in every run over this day, whenever that is.
        end = end_of_day(run.source, run.until)
        # In a thread: a hundred thousand rows take seconds.
        return sides, await asyncio.to_thread(match, sides.rows, sides.items, policy_of(run.source), end)

    async def _end(
        self,
        book: str,
        run: ReconciliationRequested,
        sides: Sides,
        outcome: Outcome,
        settled: int,
        refused: Sequence[Step],
        found_by: Counter[str],
    ) -> None:
        not_brought_home = {step.rows for step in refused}
        stuck = [refused_match(sides, one) for one in outcome.matches if one.rows in not_brought_home]
        found = [*outcome.breaks, *stuck]
        breaks = [break_of(run, sides, one) for one in found]
        opened: list[Command] = [OpenBreak(one, sides.position) for one in breaks]
        opened += suspended(run, breaks)
        answers = await self._carry_out(book, run, opened, "breaks")
        position = max([sides.position, *(answer.position for answer in answers)])
        agreed = await self._evidence.agreed(book, run, frozenset(one.id for one in breaks))
        closed: list[Command] = [SettleBreak(name, run.id) for name in agreed]
        answers += await self._carry_out(book, run, closed, "agreed")
        position = max([position, *(answer.position for answer in answers)])
        states = await self._evidence.states(book, run, position)
        ended = ReconciliationCompleted(
            id=run.id,
            output_hash=_hash_of(states, outcome),
            matches=settled + len(outcome.matches) - len(stuck),
            settled=settled,
            breaks=len(found),
            opened=sum(answer.status == 201 and not answer.replayed for answer in answers[: len(breaks)]),
            waiting=len(outcome.waiting_rows) + len(outcome.waiting_items),
            duplicates=len(outcome.duplicates),
            known_at=sides.position,
            refused=len(refused),
            totals=tuple(
                RunTotal(one.side, one.state, one.currency, one.count, one.gross, one.fee) for one in outcome.totals
            ),
            found_by=dict(found_by),
            breaks_by_type=dict(Counter(one.type for one in found)),
            at_risk=_at_risk(found),
        )
        await self._carry_out(book, run, [EndReconciliation(ended)], "end")

    async def _carry_out(
        self, book: str, run: ReconciliationRequested, commands: Sequence[Command], step: str
    ) -> list[Answer]:
        """What became of each; a refusal is an answer, a bug is not."""
        answers: list[Answer] = []
        for begin in range(0, len(commands), _AT_ONCE):
            parts = [
                Part(own_envelope(f"{run.id}/{step}/{told_of(command)}", actor=ACTOR, causation=f"{run.id}.1"), command)
                for command in commands[begin : begin + _AT_ONCE]
            ]
            answers += await self._submit(book, parts)
        for answer in answers:
            if answer.error is not None:
                raise answer.error
            if answer.refusal is not None:
                logger.info("a match of %s is refused: %s", run.id, answer.refusal.detail)
        return answers


def _hash_of(states: Sequence[tuple[str, str, str]], outcome: Outcome) -> str:
    digest = sha256(msgspec.json.encode(states))
    digest.update(outcome.output_hash.encode())
    return digest.hexdigest()


def _at_risk(breaks: Sequence[Break]) -> dict[str, int]:
    sums = Counter[str]()
    for one in breaks:
        sums[one.currency] += one.at_risk
    return dict(sums)


async def run_reconciliation(database: Database, evidence: Evidence, stop: asyncio.Event) -> None:
    """Carry out the runs of all books, also of those that are made meanwhile, until `stop` is set. A bug ends it."""
    writers = Writers(lambda book: Handler(Appender(database, book), DECIDERS))
    runner = Runner(evidence, partial(submit_all, writers, patience_s=_PATIENCE_S))
    try:
        await for_each_book(database, (partial(_watch, runner, stop),), stop)
    finally:
        await asyncio.to_thread(writers.stop)


async def _watch(runner: Runner, stop: asyncio.Event, book: Book) -> None:
    book.grown.clear()
    # The view that a run is found in follows the log a moment later.
    for pause_s in _AFTER_A_HINT_S:
        await wait_for(stop, pause_s)
        await _carry_out(runner, book.name, stop)
    await wait_for(book.grown, book.pause_s(_LOOK_S))


async def _carry_out(runner: Runner, book: str, stop: asyncio.Event) -> None:
    """Every run that was asked for."""
    try:
        while not stop.is_set() and await runner.look(book):
            pass
    except NotCaughtUp as trouble:
        logger.warning("the reconciliation of %s waits: %s", book, trouble.detail)
    except Refusal as refusal:
        logger.warning("the reconciliation of %s begins again: %s", book, refusal.detail)
