"""Report files: which files came in, what stands in each of them, and which of their rows are still open?

A row counts at all once its file was read to its end and every total of it holds; what such a file
says again is a duplicate of the file that was whole before it.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, LiteralString, NamedTuple

import msgspec
from psycopg import AsyncConnection

from ledger.events.bank_lines import (
    BankLineCleared,
    BankLineRecognized,
    BankLineReopened,
    BankLineSuspended,
)
from ledger.events.breaks import BreakOpened
from ledger.events.event import Event, Recorded
from ledger.events.reconciliation import RowsAcknowledged
from ledger.events.report_files import ReportFileImported, ReportFileReceived, ReportFileRefused, ReportRowsRead
from ledger.events.settlements import (
    BatchRowSettled,
    BatchRowUndone,
    ClaimClosed,
    ClaimReopened,
    LineSettled,
    LineUnsettled,
    RowPlace,
)
from ledger.events.transfers import TransferPosted
from ledger.ids import BREAK
from ledger.report_file_state import IMPORTED, ReportFile, ReportFileView, fold, view_of
from ledger.report_row import ReportRow
from ledger.store import read
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

OPEN = "open"
ANNOUNCED = "announced"
MATCHED = "matched"
BROKEN = "broken"
SUSPENDED = "suspended"

_KEEP_FILES = """
INSERT INTO {report_files} AS known (file, position, source, account, status, view)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::bytea[])
    ON CONFLICT DO NOTHING
"""
_FILES = "SELECT file, view FROM {report_files} WHERE file = ANY(%b)"
_END = "UPDATE {report_files} SET status = %b, view = %b WHERE file = %b"
_MARK_DUPLICATES = """
UPDATE {report_rows} AS mine SET state = 'duplicate', told_by = known.first
  FROM (SELECT r.fingerprint, min(r.file || '-' || r.number) AS first
          FROM {report_rows} AS r JOIN {report_files} AS f USING (file)
         WHERE f.status = 'imported' AND r.file <> %(file)b AND r.state <> 'duplicate'
           AND r.fingerprint IN (SELECT fingerprint FROM {report_rows} WHERE file = %(file)b)
         GROUP BY r.fingerprint) AS known
 WHERE mine.file = %(file)b AND mine.fingerprint = known.fingerprint
"""
_KEEP_ROWS = """
INSERT INTO {report_rows} AS known (file, number, account, source, fingerprint, day, state, told_by, row,
                                    currency, amount, kind)
SELECT * FROM unnest(%b::text[], %b::integer[], %b::text[], %b::text[], %b::text[], %b::date[], %b::text[],
                     %b::text[], %b::bytea[], %b::text[], %b::bigint[], %b::text[])
    ON CONFLICT DO NOTHING
"""
_CHANGE_ROWS = """
UPDATE {report_rows} AS r SET state = u.state, told_by = u.told_by
  FROM unnest(%b::text[], %b::integer[], %b::text[], %b::text[], %b::boolean[])
    AS u (file, number, state, told_by, only_if_open)
 WHERE r.file = u.file AND r.number = u.number AND (NOT u.only_if_open OR r.state = 'open')
"""
_KEEP_REJECTIONS = """
INSERT INTO {report_rejections} AS known (file, number, line, reason, raw)
SELECT u.file, u.number + (SELECT count(*) FROM {report_rejections} AS r WHERE r.file = u.file), u.line, u.reason, u.raw
  FROM unnest(%b::text[], %b::integer[], %b::integer[], %b::text[], %b::text[]) AS u (file, number, line, reason, raw)
"""

# Of a row that tells no day: old, so that it waits for nobody.
_SOME_DAY = date(1970, 1, 1)

_encode = msgspec.json.Encoder().encode
_view_in = msgspec.json.Decoder(ReportFileView).decode
_row_in = msgspec.json.Decoder(ReportRow).decode


def row_id(file: str, number: int) -> str:
    """What a row is called: `file_…-17`."""
    return f"{file}-{number}"


# --- writing


class _Change(NamedTuple):
    """What a row of a file becomes; `only_if_open`: if nothing was found for it."""

    file: str
    number: int
    state: str
    told_by: str
    only_if_open: bool = False


class ReportFiles(Projection):
    """One row per file, per row of it, and per line that could not be read."""

    name = "report_files"
    version = 1
    tables = ("report_files", "report_rows", "report_rejections")

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        # The commonest event by far, and never about a row.
        page = [one for one in page if type(one.event) is not TransferPosted]
        heads = [one for one in page if isinstance(one.event, ReportFileReceived)]
        if heads:
            self._write_heads(heads, cursor)
        for one in page:
            if isinstance(one.event, ReportRowsRead):
                self._write_rows(one.event, cursor)
                self._write_rejections(one.event, cursor)
        changes = [change for one in page for change in _changes(one.event)]
        if changes:
            self._change_rows(changes, cursor)
        # In their order: of two files that say the same, the first to be whole counts.
        for one in page:
            if isinstance(one.event, ReportFileImported | ReportFileRefused):
                self._end(one.stream, one.position, one.event, cursor)

    def _write_heads(self, heads: Sequence[Recorded], cursor: Writing) -> None:
        files = [file for head in heads if (file := fold([head])) is not None]
        columns = (
            [file.received.id for file in files],
            [file.position for file in files],
            [file.received.source for file in files],
            [file.received.account for file in files],
            [file.status for file in files],
            [_encode(view_of(file)) for file in files],
        )
        cursor.execute(self.statement(_KEEP_FILES), columns)

    def _write_rows(self, read_: ReportRowsRead, cursor: Writing) -> None:
        count = len(read_.rows)
        columns = (
            [read_.file] * count,
            list(range(read_.first, read_.first + count)),
            [read_.account] * count,
            [read_.source] * count,
            list(read_.fingerprints),
            [_day_of(row) for row in read_.rows],
            [OPEN if row.posted else ANNOUNCED for row in read_.rows],
            [""] * count,
            [_encode(row) for row in read_.rows],
            [row.currency for row in read_.rows],
            [row.gross for row in read_.rows],
            [row.kind for row in read_.rows],
        )
        cursor.execute(self.statement(_KEEP_ROWS), columns)

    def _change_rows(self, changes: Sequence[_Change], cursor: Writing) -> None:
        # Of two changes of a row in one page the later one holds, as it would in two pages.
        last: dict[tuple[str, int], _Change] = {}
        for change in changes:
            before = last.get((change.file, change.number))
            if before is None or not change.only_if_open:
                last[change.file, change.number] = change
            elif before.state == OPEN:
                last[change.file, change.number] = change._replace(only_if_open=False)
        columns = tuple([change[column] for change in last.values()] for column in range(5))
        cursor.execute(self.statement(_CHANGE_ROWS), columns)

    def _end(self, file: str, position: int, ended: ReportFileImported | ReportFileRefused, cursor: Writing) -> None:
        ((_, stored),) = cursor.execute(self.statement(_FILES), ([file],), binary=True).fetchall()
        view = _ended(_view_in(stored), position, ended)
        cursor.execute(self.statement(_END), (view.status, _encode(view), file))
        if view.status == IMPORTED:
            cursor.execute(self.statement(_MARK_DUPLICATES), {"file": file})

    def _write_rejections(self, read_: ReportRowsRead, cursor: Writing) -> None:
        rejected = read_.rejected
        if rejected:
            columns = (
                [read_.file] * len(rejected),
                list(range(1, len(rejected) + 1)),
                [one.line for one in rejected],
                [one.reason for one in rejected],
                [one.raw for one in rejected],
            )
            cursor.execute(self.statement(_KEEP_REJECTIONS), columns)


def _changes(event: Event) -> Iterator[_Change]:
    """What the event changes of each row that it is about."""
    match event:
        case LineSettled():
            for place in (event.row, *event.more_rows):
                yield _Change(place.file, place.number, MATCHED, event.item)
        case LineUnsettled(settled=settled):
            for place in (settled.row, *settled.more_rows):
                yield _open_again(place, event.reason)
        case BatchRowSettled(row=place):
            yield _Change(place.file, place.number, MATCHED, f"batch {event.batch}")
        case ClaimClosed(row=paid) if paid is not None:
            yield _Change(paid.file, paid.number, MATCHED, event.item)
        case ClaimReopened(closed=ClaimClosed(row=unpaid)) if unpaid is not None:
            yield _open_again(unpaid, event.reason)
        case BatchRowUndone(settled=undone):
            yield _open_again(undone.row, event.reason)
        case BankLineCleared(line=line):
            told_by = event.subjects or tuple(f"batch {share.batch}" for share in event.batches)
            yield _Change(line.row.file, line.row.number, MATCHED, " ".join(told_by))
        case BankLineSuspended(line=line):
            told = event.reason if event.reason.startswith(BREAK) else ""
            yield _Change(line.row.file, line.row.number, SUSPENDED, told)
        case BankLineReopened(cleared=cleared):
            yield _open_again(cleared.line.row, event.reason)
        case BankLineRecognized(line=line):
            yield _open_again(line.row, event.reason)
        case RowsAcknowledged():
            for acknowledged in event.rows:
                yield _Change(acknowledged.file, acknowledged.number, MATCHED, acknowledged.told_by)
        case BreakOpened():
            for row in event.rows:
                # It says nothing of a row that is matched.
                yield _Change(row.file, row.number, BROKEN, event.id, only_if_open=True)


def _open_again(place: RowPlace, reason: str) -> _Change:
    """What was done about a row is undone; where it was done for a break, the row is the break's again."""
    if reason.startswith(BREAK):
        return _Change(place.file, place.number, BROKEN, reason)
    return _Change(place.file, place.number, OPEN, "")


def _day_of(row: ReportRow) -> date:
    """The day of a row, in the zone that it tells its time in."""
    if row.at is not None:
        return row.at.date()
    return row.value_date or _SOME_DAY


def _ended(view: ReportFileView, position: int, ended: ReportFileImported | ReportFileRefused) -> ReportFileView:
    """The view of the file once it was read to its end, or given up."""
    received = ReportFileReceived(view.file_id, view.source, view.account, view.sha256, view.size_bytes, view.name)
    return view_of(ReportFile(received, view.received_at, position, ended))


# --- reading

_LIST: LiteralString = "SELECT position, view FROM {schema}.report_files WHERE position > %(after)s"
_FILTERS: dict[str, LiteralString] = {
    "source": " AND source = %(source)s",
    "account": " AND account = %(account)s",
    "status": " AND status = %(status)s",
}
_ROWS: LiteralString = """
SELECT number, state, told_by, row FROM {schema}.report_rows
 WHERE file = %(file)s AND number > %(after)s
"""
_STATES = "SELECT state, count(*) FROM {schema}.report_rows WHERE file = %s GROUP BY state ORDER BY state"
_REJECTIONS = """
SELECT number, line, reason, raw FROM {schema}.report_rejections
 WHERE file = %(file)s AND number > %(after)s ORDER BY number LIMIT %(limit)s
"""
_OPEN = """
SELECT r.file, r.number, r.fingerprint, r.state, f.position, r.row
  FROM {schema}.report_rows AS r JOIN {schema}.report_files AS f USING (file)
 WHERE r.source = %s AND r.account = %s AND r.day <= %s
   AND r.state IN ('open', 'broken', 'suspended') AND f.status = 'imported'
 ORDER BY f.position, r.file, r.number
"""
_OPEN_AMONG = """
SELECT r.file || '-' || r.number FROM {schema}.report_rows AS r
  JOIN unnest(%s::text[], %s::integer[]) AS u (file, number) ON r.file = u.file AND r.number = u.number
 WHERE r.state IN ('open', 'broken', 'suspended')
"""
_DAY = """
SELECT r.file || '-' || r.number, r.state, r.told_by
  FROM {schema}.report_rows AS r JOIN {schema}.report_files AS f USING (file)
 WHERE r.source = %s AND r.account = %s AND r.day = %s AND f.status = 'imported'
 ORDER BY r.fingerprint, 1
"""


class ListedFile(msgspec.Struct, frozen=True):
    """A file in a list; `place` is what the list goes on after."""

    place: int
    file: ReportFileView


class RowView(msgspec.Struct, frozen=True):
    """A row of a file: open, duplicate (of `told_by`), announced, matched (to `told_by`) or broken (by it)."""

    id: str
    number: int
    state: str
    told_by: str
    row: ReportRow


async def report_file(connection: AsyncConnection[Any], book: str, name: str) -> ReportFileView | None:
    """The file as it stands; as fresh as the log."""
    found = fold(await read.stream(connection, book, name))
    return None if found is None else view_of(found)


async def report_files(
    connection: AsyncConnection[Any], book: str, filters: dict[str, str | None], *, after: int = 0, limit: int = 100
) -> list[ListedFile]:
    """Files with all these marks, in the order in which they came in, behind a place."""
    asked = [condition for name, condition in _FILTERS.items() if filters.get(name) is not None]
    statement = _LIST + "".join(asked) + " ORDER BY position LIMIT %(limit)s"
    cursor = await connection.execute(in_book(statement, book), {**filters, "after": after, "limit": limit})
    return [ListedFile(place, _view_in(view)) for place, view in await cursor.fetchall()]


async def rows(
    connection: AsyncConnection[Any], book: str, file: str, *, state: str | None, after: int, limit: int
) -> list[RowView]:
    """The rows of a file in its order, behind a number."""
    statement = _ROWS + ("" if state is None else " AND state = %(state)s") + " ORDER BY number LIMIT %(limit)s"
    wanted = {"file": file, "after": after, "state": state, "limit": limit}
    cursor = await connection.execute(in_book(statement, book), wanted)
    found = await cursor.fetchall()
    return [RowView(row_id(file, number), number, st, told_by, _row_in(row)) for number, st, told_by, row in found]


async def count_by_state(connection: AsyncConnection[Any], book: str, file: str) -> dict[str, int]:
    """How many rows of a file are in each state."""
    cursor = await connection.execute(in_book(_STATES, book), (file,))
    return dict(await cursor.fetchall())


class RejectedView(msgspec.Struct, frozen=True):
    """A line of a file that could not be read."""

    number: int
    line: int
    reason: str
    raw: str


async def rejections(
    connection: AsyncConnection[Any], book: str, file: str, *, after: int, limit: int
) -> list[RejectedView]:
    """The lines of a file that could not be read, in its order, behind a number."""
    cursor = await connection.execute(in_book(_REJECTIONS, book), {"file": file, "after": after, "limit": limit})
    return [RejectedView(*found) for found in await cursor.fetchall()]


class OpenRow(msgspec.Struct, frozen=True):
    """A row that a run looks at. `order`: files in the order in which they came in."""

    file: str
    number: int
    fingerprint: str
    state: str
    order: int
    row: ReportRow

    @property
    def id(self) -> str:
        return row_id(self.file, self.number)


async def open_rows(
    connection: AsyncConnection[Any], book: str, source: str, account: str, until: date
) -> list[OpenRow]:
    """What was reported of this channel or bank account up to a day, and is not matched yet."""
    cursor = await connection.execute(in_book(_OPEN, book), (source, account, until), binary=True)
    return [
        OpenRow(file, number, fingerprint, state, order, _row_in(row))
        for file, number, fingerprint, state, order, row in await cursor.fetchall()
    ]


async def rows_of_day(
    connection: AsyncConnection[Any], book: str, source: str, account: str, day: date
) -> list[tuple[str, str, str]]:
    """Every row of a day with its state and what it was told by, in an order of its own: what a run came to."""
    cursor = await connection.execute(in_book(_DAY, book), (source, account, day))
    return await cursor.fetchall()


async def open_among(connection: AsyncConnection[Any], book: str, places: Sequence[tuple[str, int]]) -> frozenset[str]:
    """Which of these rows nothing was found for yet."""
    columns = ([file for file, _ in places], [number for _, number in places])
    cursor = await connection.execute(in_book(_OPEN_AMONG, book), columns)
    return frozenset(name for (name,) in await cursor.fetchall())
