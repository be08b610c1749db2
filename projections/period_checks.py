"""Period checks: what speaks against closing a period, and which periods are closed, by whom and with what?"""

from datetime import datetime, timedelta
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.accounts import Kind
from ledger.break_state import OVER
from ledger.events.event import Recorded
from ledger.events.periods import PeriodClosed, PeriodReopened, period_stream
from ledger.payment import UNKNOWN
from ledger.periods import end_of, last_moment_of, period_of, start_of
from ledger.report_file_state import READING
from ledger.store import read
from ledger.store.connection import in_book
from ledger.store.positions import position_before
from projections.approvals import Approvals
from projections.order_status import OrderStatus
from projections.payouts import Payouts
from projections.postings import Postings
from projections.reconciliation import Reconciliation
from projections.report_files import ReportFiles
from projections.trial_balance import trial_balance

VIEWS = (Postings.name, OrderStatus.name, Payouts.name, Reconciliation.name, ReportFiles.name, Approvals.name)
"""What has to have caught up before a period is looked at."""

_PREFIX = period_stream("")
_MICROSECOND = timedelta(microseconds=1)
# What had begun by the end of the period and is not over now. `until` is the last position that was recorded in it.
_OPEN: LiteralString = """
SELECT (SELECT count(*) FROM {schema}.order_status WHERE status = %(unknown)s AND position <= %(until)s),
       (SELECT count(*) FROM {schema}.payouts WHERE status = %(unknown)s AND position <= %(until)s),
       (SELECT count(*) FROM {schema}.reconciliation_breaks WHERE status <> ALL (%(over)s) AND since < %(end)s::date),
       (SELECT count(*) FROM {schema}.reconciliation_runs WHERE status = 'running'),
       (SELECT count(*) FROM {schema}.report_files WHERE status = %(reading)s),
       (SELECT count(*) FROM {schema}.approvals
         WHERE status = 'pending' AND period = %(period)s AND expires_at > now()),
       (SELECT count(*) FROM {schema}.balances WHERE pending_debits > 0 OR pending_credits > 0),
       (SELECT EXISTS (SELECT FROM {schema}.events WHERE notification_id = 1 AND recorded_at < %(start)s)
            OR EXISTS (SELECT FROM {schema}.postings
                        WHERE effective_at < recorded_at AND leg = 0 AND effective_at < %(start)s)),
       (SELECT EXISTS (SELECT FROM {schema}.closed_periods WHERE period = %(before)s))
"""
_STREAMS: LiteralString = """
SELECT DISTINCT originator_id FROM {schema}.events
 WHERE originator_id > %s AND originator_id < 'period0' AND originator_version = 1
 ORDER BY originator_id LIMIT %s
"""


class OpenWork(msgspec.Struct, frozen=True):
    """How much of each kind is not settled at the end of a period."""

    payments_unknown: int
    payouts_unknown: int
    breaks_open: int
    reconciliations_running: int
    files_being_read: int
    approvals_pending: int
    accounts_with_holds: int
    earlier_period_open: bool


class PeriodSums(msgspec.Struct, frozen=True):
    """Debits and credits of what took effect before the end of a period, as known at a position."""

    position: int
    totals: dict[str, tuple[int, int]]
    income: dict[str, tuple[int, int]]


class PeriodView(msgspec.Struct):
    """A period that is, or was, closed; all others are open. `by` is a person, or a key whose person is not known."""

    period: str
    status: str
    by: str
    at: datetime
    reason: str
    checkpoint_size: int | None
    checkpoint: str | None
    totals: dict[str, tuple[int, int]]
    carried: tuple[str, ...]
    overridden: tuple[str, ...]
    approval: str | None


async def open_work(connection: AsyncConnection[Any], book: str, period: str) -> OpenWork:
    """What is not settled at the end of the period."""
    wanted = {
        "unknown": UNKNOWN,
        "over": list(OVER),
        "reading": READING,
        "period": period,
        "start": start_of(period),
        "end": end_of(period),
        "before": period_of(start_of(period) - _MICROSECOND),
        "until": await position_before(connection, book, end_of(period)),
    }
    row = await (await connection.execute(in_book(_OPEN, book), wanted)).fetchone()
    if row is None:
        raise AssertionError("counting found nothing")
    payments, payouts, breaks, runs, files, pending, holds, has_earlier, earlier_is_closed = row
    return OpenWork(payments, payouts, breaks, runs, files, pending, holds, has_earlier and not earlier_is_closed)


async def period_sums(connection: AsyncConnection[Any], book: str, period: str, known_at: int) -> PeriodSums:
    """What all accounts came to at the end of the period, and each account of revenue and expense."""
    found = await trial_balance(connection, book, as_of=last_moment_of(period), known_at=known_at)
    totals = {currency: (sums.debits, sums.credits) for currency, sums in found.currencies.items()}
    income = {
        row.account: (row.debits, row.credits)
        for row in found.accounts
        if row.kind in (Kind.REVENUE, Kind.EXPENSE) and (row.debits or row.credits)
    }
    return PeriodSums(found.position, {c: s for c, s in totals.items() if any(s)}, income)


async def periods(connection: AsyncConnection[Any], book: str, *, after: str, limit: int) -> list[PeriodView]:
    """The periods that were ever closed, behind one, in their order."""
    rows = await (await connection.execute(in_book(_STREAMS, book), (_PREFIX + after, limit))).fetchall()
    found = await read.latest(connection, book, [name for (name,) in rows])
    return [_view(found[name]) for (name,) in rows]


def _view(recorded: Recorded) -> PeriodView:
    event, who = recorded.event, recorded.metadata.who
    if isinstance(event, PeriodReopened):
        approval = event.approval or None
        return PeriodView(
            event.period, "open", who, recorded.recorded_at, event.reason, None, None, {}, (), (), approval
        )
    if not isinstance(event, PeriodClosed):
        raise AssertionError(f"{event} is nothing of a period")
    return PeriodView(
        period=event.period,
        status="closed",
        by=who,
        at=recorded.recorded_at,
        reason=event.reason,
        checkpoint_size=event.checkpoint_size or None,
        checkpoint=event.checkpoint or None,
        totals=event.totals,
        carried=event.carried,
        overridden=event.overridden,
        approval=event.approval or None,
    )
