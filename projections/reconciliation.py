"""Reconciliation: which runs were there, which breaks are there, and how does each of them stand?

One run or break is folded from its stream and is as fresh as the log; lists come from the tables.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger import break_state, reconciliation_state
from ledger.break_state import Break, BreakView
from ledger.events import breaks as break_events
from ledger.events import reconciliation as run_events
from ledger.events.event import Recorded
from ledger.events.reconciliation import ReconciliationRequested
from ledger.ids import BREAK, RECONCILIATION_RUN
from ledger.reconciliation_state import Run, RunView
from ledger.store import read
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

_RUN_EVENTS = (
    run_events.ReconciliationRequested,
    run_events.ReconciliationCompleted,
    run_events.ReconciliationFailed,
)
_BREAK_EVENTS = (
    break_events.BreakOpened,
    break_events.BreakAssigned,
    break_events.BreakProposed,
    break_events.BreakRejected,
    break_events.BreakResolved,
    break_events.BreakSettled,
    break_events.BreakReopened,
)
_RUNS = "SELECT run, position, state FROM {reconciliation_runs} WHERE run = ANY(%b)"
_KEEP_RUNS = """
INSERT INTO {reconciliation_runs} AS known (run, position, source, account, status, state)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::bytea[])
    ON CONFLICT (run) DO UPDATE SET status = excluded.status, state = excluded.state
"""
_BREAKS = "SELECT break, position, state FROM {reconciliation_breaks} WHERE break = ANY(%b)"
_KEEP_BREAKS = """
INSERT INTO {reconciliation_breaks} AS known
      (break, position, source, account, type, status, since, currency, at_risk, state)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], %b::date[], %b::text[],
                     %b::bigint[], %b::bytea[])
    ON CONFLICT (break) DO UPDATE SET status = excluded.status, state = excluded.state
"""

_encode = msgspec.json.Encoder().encode
_run_in = msgspec.json.Decoder(Run).decode
_break_in = msgspec.json.Decoder(Break).decode

# --- writing


class Reconciliation(Projection):
    """One row per run and one per break; `position` is that of its first event, in whose order they are listed."""

    name = "reconciliation"
    version = 1
    tables = ("reconciliation_runs", "reconciliation_breaks")

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        of_runs = [recorded for recorded in page if type(recorded.event) in _RUN_EVENTS]
        of_breaks = [recorded for recorded in page if type(recorded.event) in _BREAK_EVENTS]
        if of_runs:
            self._write_runs(of_runs, cursor)
        if of_breaks:
            self._write_breaks(of_breaks, cursor)

    def _write_runs(self, facts: Sequence[Recorded], cursor: Writing) -> None:
        streams = sorted({fact.stream for fact in facts})
        rows = cursor.execute(self.statement(_RUNS), (streams,), binary=True).fetchall()
        known: dict[str, tuple[int, Run]] = {name: (first, _run_in(state)) for name, first, state in rows}
        for fact in facts:
            first, run = known.get(fact.stream) or (fact.position, None)
            changed = reconciliation_state.evolve(run, fact)
            if changed is not None:
                known[fact.stream] = first, changed
        runs = [known[stream] for stream in streams]
        columns = (
            [run.requested.id for _, run in runs],
            [first for first, _ in runs],
            [run.requested.source for _, run in runs],
            [run.requested.account for _, run in runs],
            [run.status for _, run in runs],
            [_encode(run) for _, run in runs],
        )
        cursor.execute(self.statement(_KEEP_RUNS), columns)

    def _write_breaks(self, facts: Sequence[Recorded], cursor: Writing) -> None:
        streams = sorted({fact.stream for fact in facts})
        rows = cursor.execute(self.statement(_BREAKS), (streams,), binary=True).fetchall()
        known: dict[str, tuple[int, Break]] = {name: (first, _break_in(state)) for name, first, state in rows}
        for fact in facts:
            first, found = known.get(fact.stream) or (fact.position, None)
            changed = break_state.evolve(found, fact)
            if changed is not None:
                known[fact.stream] = first, changed
        breaks = [known[stream] for stream in streams]
        columns = (
            [one.opened.id for _, one in breaks],
            [first for first, _ in breaks],
            [one.opened.source for _, one in breaks],
            [one.opened.account for _, one in breaks],
            [one.opened.type for _, one in breaks],
            [one.status for _, one in breaks],
            [one.opened.since or one.opened_at.date() for _, one in breaks],
            [one.opened.currency for _, one in breaks],
            [one.opened.at_risk for _, one in breaks],
            [_encode(one) for _, one in breaks],
        )
        cursor.execute(self.statement(_KEEP_BREAKS), columns)


# --- reading

_RUN_LIST: LiteralString = "SELECT position, state FROM {schema}.reconciliation_runs WHERE position > %(after)s"
_RUN_FILTERS: dict[str, LiteralString] = {
    "source": " AND source = %(source)s",
    "account": " AND account = %(account)s",
    "status": " AND status = %(status)s",
}
_RUNNING = """
SELECT state FROM {schema}.reconciliation_runs WHERE status = 'running' ORDER BY position LIMIT 1
"""
_BREAK_LIST: LiteralString = "SELECT position, state FROM {schema}.reconciliation_breaks WHERE position > %(after)s"
_BREAK_FILTERS: dict[str, LiteralString] = {
    "source": " AND source = %(source)s",
    "account": " AND account = %(account)s",
    "type": " AND type = %(type)s",
    "status": " AND status = %(status)s",
    "since": " AND since <= %(since)s",
}
_IN_ORDER: LiteralString = " ORDER BY position LIMIT %(limit)s"
_UNRESOLVED = """
SELECT state FROM {schema}.reconciliation_breaks
 WHERE source = %s AND account = %s AND status NOT IN ('resolved', 'written_off', 'auto_resolved')
"""


class ListedRun(msgspec.Struct, frozen=True):
    """A run in a list; `place` is what the list goes on after."""

    place: int
    run: RunView


class ListedBreak(msgspec.Struct, frozen=True):
    """A break in a list; `place` is what the list goes on after."""

    place: int
    found: BreakView


async def run(connection: AsyncConnection[Any], book: str, name: str) -> RunView | None:
    """The run as it stands."""
    history = await read.stream(connection, book, name) if name.startswith(RECONCILIATION_RUN) else []
    found = reconciliation_state.fold(history)
    return None if found is None else reconciliation_state.view_of(found)


async def runs(
    connection: AsyncConnection[Any], book: str, filters: dict[str, str | None], *, after: int = 0, limit: int = 100
) -> list[ListedRun]:
    """Runs with all these marks, in the order in which they were asked for, behind a place."""
    asked = [condition for name, condition in _RUN_FILTERS.items() if filters.get(name) is not None]
    statement = _RUN_LIST + "".join(asked) + _IN_ORDER
    cursor = await connection.execute(in_book(statement, book), {**filters, "after": after, "limit": limit})
    return [ListedRun(place, reconciliation_state.view_of(_run_in(state))) for place, state in await cursor.fetchall()]


async def first_running(connection: AsyncConnection[Any], book: str) -> ReconciliationRequested | None:
    """The run that was asked for first of those that are not carried out."""
    row = await (await connection.execute(in_book(_RUNNING, book), binary=True)).fetchone()
    return None if row is None else _run_in(row[0]).requested


async def reconciliation_break(connection: AsyncConnection[Any], book: str, name: str) -> BreakView | None:
    """The break as it stands."""
    history = await read.stream(connection, book, name) if name.startswith(BREAK) else []
    found = break_state.fold(history)
    return None if found is None else break_state.view_of(found)


async def breaks(
    connection: AsyncConnection[Any],
    book: str,
    filters: dict[str, str | date | None],
    *,
    after: int = 0,
    limit: int = 100,
) -> list[ListedBreak]:
    """Breaks with all these marks, in the order in which they were found, behind a place. `since`: that old."""
    asked = [condition for name, condition in _BREAK_FILTERS.items() if filters.get(name) is not None]
    statement = _BREAK_LIST + "".join(asked) + _IN_ORDER
    cursor = await connection.execute(in_book(statement, book), {**filters, "after": after, "limit": limit})
    return [ListedBreak(place, break_state.view_of(_break_in(state))) for place, state in await cursor.fetchall()]


async def unresolved_breaks(connection: AsyncConnection[Any], book: str, source: str, account: str) -> list[Break]:
    """The breaks of a channel or bank account that nobody has resolved."""
    cursor = await connection.execute(in_book(_UNRESOLVED, book), (source, account), binary=True)
    return [_break_in(state) for (state,) in await cursor.fetchall()]
