"""Reconciliation summary: per report, channel or bank, day and currency, what agrees, what waits, what is broken?"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.store.connection import in_book
from projections.bank_expectations import BankExpectations, expected
from projections.receivable_items import ReceivableItems
from projections.reconciliation import Reconciliation
from projections.report_files import ReportFiles

VIEWS = (ReportFiles.name, ReceivableItems.name, BankExpectations.name, Reconciliation.name)

# Only files that were read to their end, and all of whose totals hold, count.
_ROWS: LiteralString = """
SELECT r.source, r.account, r.day, r.currency,
       CASE WHEN r.state = 'open' AND r.kind IN ('credit', 'debit') AND r.source <> ALL(%(banks)s)
            THEN 'flow' ELSE r.state END,
       count(*), sum(r.amount)::bigint
  FROM {schema}.report_rows AS r JOIN {schema}.report_files AS f USING (file)
 WHERE f.status = 'imported' AND r.day >= %(from)s AND r.day <= %(until)s
"""
_ROWS_GROUPED: LiteralString = " GROUP BY 1, 2, 3, 4, 5"
_OF_SOURCE: LiteralString = " AND {alias}.source = %(source)s"
_OF_ACCOUNT: LiteralString = " AND {alias}.account = %(account)s"
_FILES: LiteralString = """
SELECT f.source, f.account, (e.recorded_at AT TIME ZONE 'UTC')::date, f.status, count(*),
       sum((SELECT count(*) FROM {schema}.report_rejections AS r WHERE r.file = f.file))::bigint
  FROM {schema}.report_files AS f JOIN {schema}.events AS e ON e.notification_id = f.position
 WHERE e.recorded_at >= %(begin)s AND e.recorded_at < %(end)s
"""
_FILES_GROUPED: LiteralString = " GROUP BY 1, 2, 3, 4"
_ITEMS: LiteralString = """
SELECT channel, (at AT TIME ZONE 'UTC')::date, currency, count(*), sum(net)::bigint
  FROM {schema}.receivable_items
 WHERE status = 'open' AND at >= %(begin)s AND at < %(end)s
"""
_ITEMS_OF: LiteralString = " AND channel = ANY(%(channels)s)"
_ITEMS_GROUPED: LiteralString = " GROUP BY 1, 2, 3"
_BREAKS: LiteralString = """
SELECT b.source, b.account, b.type, b.currency, greatest(%(today)s - b.since, 0) AS age, count(*),
       sum(b.at_risk)::bigint
  FROM {schema}.reconciliation_breaks AS b
 WHERE b.status NOT IN ('resolved', 'written_off', 'auto_resolved')
   AND b.since >= %(from)s AND b.since <= %(until)s
"""
_BREAKS_GROUPED: LiteralString = " GROUP BY 1, 2, 3, 4, 5"
_CHANNELS_OF = "SELECT DISTINCT account FROM {schema}.report_files WHERE source = %s"

BEGINNING = date(1970, 1, 1)
_END = date(9998, 12, 31)


class RowSum(msgspec.Struct):
    """How many rows of a report, and what they come to before fees, in minor units: below 0 was taken from us."""

    rows: int = 0
    amount: int = 0

    def add(self, rows: int, amount: int) -> None:
        self.rows += rows
        self.amount += amount


class ReportedDay(msgspec.Struct):
    """What a report says of one day, as the report counts days, in one currency, by what became of it.

    `waiting`: nothing was found for it yet, and it is not old enough to be a break. `suspended`: it stands in suspense.
    `announced`: the bank has not booked it. `duplicate`: a row that an earlier file told. `flows`: a channel's account
    of its own flows, which says again what its list of movements says.
    """

    source: str
    account: str
    day: date
    currency: str
    matched: RowSum
    waiting: RowSum
    broken: RowSum
    suspended: RowSum
    duplicate: RowSum
    announced: RowSum
    flows: RowSum


class FilesOfDay(msgspec.Struct):
    """Files that came in on a day (UTC), by how they stand, and the lines of them that could not be read."""

    source: str
    account: str
    day: date
    imported: int = 0
    flagged: int = 0
    refused: int = 0
    reading: int = 0
    rejected: int = 0


class OpenItems(msgspec.Struct, frozen=True):
    """What of ours was recorded on a day (UTC) and no report has shown: `side` is channel or bank.

    At a bank `account` is empty for what may come to any account.
    """

    side: str
    account: str
    day: date
    currency: str
    items: int
    amount: int


class AtRisk(msgspec.Struct):
    """So many breaks, and the value at risk in minor units."""

    breaks: int = 0
    at_risk: int = 0

    def add(self, breaks: int, at_risk: int) -> None:
        self.breaks += breaks
        self.at_risk += at_risk


class AgeingBreaks(msgspec.Struct):
    """Breaks that nobody has resolved, of one type, by how old in days the oldest part of each is."""

    source: str
    account: str
    type: str
    currency: str
    total: AtRisk
    days_0_1: AtRisk
    days_2_3: AtRisk
    days_4_7: AtRisk
    days_8_up: AtRisk


class ReconciliationSummary(msgspec.Struct):
    """Rows and files from a day to a day, what of ours nobody has reported, and what does not agree, by its age."""

    from_: date = msgspec.field(name="from")
    to: date
    days: list[ReportedDay]
    files: list[FilesOfDay]
    open_items: list[OpenItems]
    breaks: list[AgeingBreaks]
    at_risk: dict[str, int]


class SummaryWanted(msgspec.Struct, frozen=True):
    """What to sum up: rows and files from a day to a day; what is open from `since`, however old it is by default.

    `channel_side` and `bank_side`: which of our open items belong to it.
    """

    from_: date
    to: date
    today: date
    banks: tuple[str, ...]
    """The sources that tell of accounts at banks."""
    since: date = BEGINNING
    source: str | None = None
    account: str | None = None
    channel_side: bool = True
    bank_side: bool = True


async def reconciliation_summary(
    connection: AsyncConnection[Any], book: str, wanted: SummaryWanted
) -> ReconciliationSummary:
    """All of it, each as far as its view has come."""
    breaks = await _breaks(connection, book, wanted)
    at_risk: defaultdict[str, int] = defaultdict(int)
    for one in breaks:
        at_risk[one.currency] += one.total.at_risk
    return ReconciliationSummary(
        from_=wanted.from_,
        to=wanted.to,
        days=await _days(connection, book, wanted),
        files=await _files(connection, book, wanted),
        open_items=await _open_items(connection, book, wanted),
        breaks=breaks,
        at_risk=dict(sorted(at_risk.items())),
    )


def _filters(wanted: SummaryWanted, alias: LiteralString) -> LiteralString:
    # Only what is asked for: a condition that may be empty would keep PostgreSQL from its index.
    found: LiteralString = ""
    if wanted.source is not None:
        found += _OF_SOURCE.replace("{alias}", alias)
    if wanted.account is not None:
        found += _OF_ACCOUNT.replace("{alias}", alias)
    return found


def _parameters(wanted: SummaryWanted, begin: date) -> dict[str, object]:
    return {
        "from": begin,
        "until": wanted.to,
        "begin": _midnight(begin),
        "end": _midnight(wanted.to + timedelta(days=1)),
        "today": wanted.today,
        "banks": list(wanted.banks),
        "source": wanted.source,
        "account": wanted.account,
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


async def _days(connection: AsyncConnection[Any], book: str, wanted: SummaryWanted) -> list[ReportedDay]:
    statement = in_book(_ROWS + _filters(wanted, "r") + _ROWS_GROUPED, book)
    cursor = await connection.execute(statement, _parameters(wanted, wanted.from_))
    found: dict[tuple[str, str, date, str], ReportedDay] = {}
    for source, account, day, currency, state, rows, amount in await cursor.fetchall():
        place = (source, account, day, currency)
        if place not in found:
            found[place] = ReportedDay(*place, *(RowSum() for _ in range(7)))
        _sum_of(found[place], state).add(rows, amount)
    return [found[place] for place in sorted(found)]


def _sum_of(day: ReportedDay, state: str) -> RowSum:
    match state:
        case "matched":
            return day.matched
        case "broken":
            return day.broken
        case "suspended":
            return day.suspended
        case "duplicate":
            return day.duplicate
        case "announced":
            return day.announced
        case "flow":
            return day.flows
        case _:
            return day.waiting


async def _files(connection: AsyncConnection[Any], book: str, wanted: SummaryWanted) -> list[FilesOfDay]:
    statement = in_book(_FILES + _filters(wanted, "f") + _FILES_GROUPED, book)
    cursor = await connection.execute(statement, _parameters(wanted, wanted.from_))
    found: dict[tuple[str, str, date], FilesOfDay] = {}
    for source, account, day, status, files, rejected in await cursor.fetchall():
        one = found.setdefault((source, account, day), FilesOfDay(source, account, day))
        one.rejected += rejected
        match status:
            case "imported":
                one.imported += files
            case "flagged":
                one.flagged += files
            case "refused":
                one.refused += files
            case _:
                one.reading += files
    return [found[place] for place in sorted(found)]


async def _open_items(connection: AsyncConnection[Any], book: str, wanted: SummaryWanted) -> list[OpenItems]:
    found: list[OpenItems] = []
    if wanted.channel_side:
        channels = await _channels(connection, book, wanted)
        statement = _ITEMS + ("" if channels is None else _ITEMS_OF) + _ITEMS_GROUPED
        parameters = {**_parameters(wanted, wanted.since), "channels": channels}
        rows = await (await connection.execute(in_book(statement, book), parameters)).fetchall()
        found += [OpenItems("channel", *row) for row in sorted(rows)]
    if wanted.bank_side:
        found += _at_banks(
            (one.bank_account, one.at.astimezone(UTC).date(), one.currency, one.amount)
            for one in await expected(
                connection, book, until=_midnight(wanted.to + timedelta(days=1)), bank_account=wanted.account
            )
            if one.at >= _midnight(wanted.since)
        )
    return found


def _at_banks(expectations: Iterable[tuple[str, date, str, int]]) -> list[OpenItems]:
    sums: defaultdict[tuple[str, date, str], list[int]] = defaultdict(list)
    for account, day, currency, amount in expectations:
        sums[account, day, currency].append(amount)
    return [OpenItems("bank", *place, len(sums[place]), sum(sums[place])) for place in sorted(sums)]


async def _channels(connection: AsyncConnection[Any], book: str, wanted: SummaryWanted) -> Sequence[str] | None:
    """Whose items are asked for; None for all. Reports that name no other channel are of the one of their name."""
    if wanted.account is not None:
        return [wanted.account]
    if wanted.source is None:
        return None
    rows = await (await connection.execute(in_book(_CHANNELS_OF, book), (wanted.source,))).fetchall()
    return sorted({wanted.source, *(account for (account,) in rows)})


async def _breaks(connection: AsyncConnection[Any], book: str, wanted: SummaryWanted) -> list[AgeingBreaks]:
    statement = in_book(_BREAKS + _filters(wanted, "b") + _BREAKS_GROUPED, book)
    cursor = await connection.execute(statement, _parameters(wanted, wanted.since))
    found: dict[tuple[str, str, str, str], AgeingBreaks] = {}
    for source, account, type_, currency, age, breaks, at_risk in await cursor.fetchall():
        place = (source, account, type_, currency)
        if place not in found:
            found[place] = AgeingBreaks(*place, AtRisk(), AtRisk(), AtRisk(), AtRisk(), AtRisk())
        found[place].total.add(breaks, at_risk)
        _bucket(found[place], age).add(breaks, at_risk)
    return [found[place] for place in sorted(found)]


def _bucket(breaks: AgeingBreaks, age: int) -> AtRisk:
    if age <= 1:
        return breaks.days_0_1
    if age <= 3:
        return breaks.days_2_3
    return breaks.days_4_7 if age <= 7 else breaks.days_8_up
