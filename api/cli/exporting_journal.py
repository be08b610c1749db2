"""`ledger export-journal`: a book's journal as hledger, beancount or Parquet, for programs that others wrote."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from psycopg import AsyncConnection
from pydantic_core import PydanticCustomError

from api.cli.books import database_of
from api.cli.terminal import AsJson, answer, give_up, progress, saying_why
from api.cli.upkeep import shown_on
from api.fields import read_time
from api.journal_files import Format, JournalDisagrees, prepare
from ledger.store import read
from ledger.store.connection import Database
from projections.freshness import KnownAt
from projections.journal import span

_ENTRIES_AT_ONCE = 500
# All balances of a large book at a moment of the past are one statement.
_STATEMENT_TIMEOUT_MS = 600_000


class Summary(msgspec.Struct):
    """What was written. `position`: as of which the entries are known; `behind`: how many events the log has beyond."""

    book: str
    file: str
    format: str
    accounts: int = 0
    entries: int = 0
    position: int = 0
    behind: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def in_words(self) -> str:
        rest = f"; {self.behind:,} later events are not in it" if self.behind else ""
        return (
            f"{self.file}: {self.entries:,} entries and {self.accounts:,} accounts of {self.book} as known at position "
            f"{self.position:,}{rest}; {self.bytes:,} bytes in {self.seconds:,.1f} s"
        )


def export_journal(
    book: Annotated[str, typer.Option(help="The book whose journal it is.")],
    to: Annotated[Path, typer.Option(help="The file that is written; one that is there is replaced when it is whole.")],
    format_: Annotated[str, typer.Option("--format", help="hledger, beancount or parquet.")],
    since: Annotated[str | None, typer.Option("--from", help="With effect from this day or time on.")] = None,
    until: Annotated[str | None, typer.Option(help="With effect before this day or time.")] = None,
    known_at: Annotated[str | None, typer.Option(help="As known at this position or time; else now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a book's journal for hledger, beancount or as a Parquet table.

    Entries stand in the order of effect. The texts carry opening balances
    where --from is given, and assert the balances of the books day by day
    and in the end: `hledger check --strict ordereddates -f FILE` and
    `bean-check FILE` end with an error where anything does not add up.

    Ends with 0 when the file is whole, with 1 when its entries do not add
    up to the balances of the books, with 2 when there is no such book.
    """
    chosen = _format(format_)
    begin, end = _moment(since, "--from"), _moment(until, "--until")
    if begin and end and end <= begin:
        raise typer.BadParameter("it lies before --from", param_hint="--until")
    position: KnownAt = int(known_at) if known_at and known_at.isdecimal() else _moment(known_at, "--known-at")
    database, _ = database_of(book)
    summary = Summary(book, str(to), chosen)
    started = time.monotonic()
    with saying_why(), progress() as bar:
        told = shown_on(bar, f"{book}: journal")
        try:
            asyncio.run(_write(database, summary, to, chosen, begin, end, position, told))
        except JournalDisagrees as disagrees:
            give_up(f"{disagrees}; {to} says both")
        except OSError as error:
            give_up(f"{to} cannot be written: {error.strerror}")
    summary.seconds = round(time.monotonic() - started, 3)
    answer(summary, summary.in_words(), as_json=as_json)


async def _write(
    database: Database,
    summary: Summary,
    to: Path,
    format_: Format,
    since: datetime | None,
    until: datetime | None,
    known_at: KnownAt,
    told: Callable[[int, int], None],
) -> None:
    patient = msgspec.structs.replace(database, statement_timeout_ms=_STATEMENT_TIMEOUT_MS)
    async with await patient.connect_async() as connection:

        @asynccontextmanager
        async def reading() -> AsyncIterator[AsyncConnection[Any]]:
            yield connection

        of = await span(connection, summary.book, since, until, known_at)
        prepared = await prepare(reading, summary.book, of)
        summary.accounts, summary.position = len(prepared.accounts), of.known_at
        if known_at is None:
            summary.behind = (await read.head(connection, summary.book))[0] - of.known_at
        part = to.with_name(f"{to.name}.part")
        try:
            with part.open("wb") as file:
                async for piece in prepared.pieces(reading, format_, page_size=_ENTRIES_AT_ONCE, told=told):
                    file.write(piece)
                    summary.bytes += len(piece)
        except JournalDisagrees:
            part.replace(to)
            raise
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        part.replace(to)
        summary.entries = prepared.entries


def _format(text: str) -> Format:
    try:
        chosen: Format = msgspec.convert(text, Format)
    except msgspec.ValidationError:
        raise typer.BadParameter("hledger, beancount or parquet", param_hint="--format") from None
    return chosen


def _moment(text: str | None, option: str) -> datetime | None:
    """A time with its offset, or the beginning of a day in UTC."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-21"):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        return read_time(text)
    except (ValueError, PydanticCustomError):
        raise typer.BadParameter("a day (2026-11-21) or a time with its offset", param_hint=option) from None
