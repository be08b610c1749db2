"""`ledger reconcile`: takes in a report of a channel or a bank's statement, and holds it against the books."""

import asyncio
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, NoReturn

import typer
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from api.cli.books import database_of
from api.cli.terminal import AsJson, answer, give_up, people
from ledger.errors import Refusal, Unavailable
from ledger.report_row import RejectedRow, ReportItem, ReportRow
from ledger.store.connection import Database

if TYPE_CHECKING:  # What FastAPI brings along is loaded when there is something to reconcile.
    from api.cli.reconciled import Summary
    from commands.report_files.reader import Reader

SOURCES_IN_WORDS = "stripe, adyen, paypal, alipay, wechatpay, channel_csv of a channel; camt053, mt940, bai2 of a bank"
# What may be told of a file by its name; on this machine it may be called anything.
_UNUSUAL = re.compile(r"[^A-Za-z0-9_.:-]+")
_LONGEST_NAME = 64
_DISAGREES = 1
_NOT_DONE = 2
_INTERRUPTED = 130
_REJECTIONS_SHOWN = 20
_LOOK_EVERY_ROWS = 100
_SAY_EVERY_S = 1.0


def reconcile(
    file: Annotated[Path, typer.Argument(help="The file as it came, also packed (gzip, zip).")],
    source: Annotated[str, typer.Option(help=f"Its format: {SOURCES_IN_WORDS}.")],
    account: Annotated[
        str | None, typer.Option(help="The channel it is about (else the source's name), or our account at the bank.")
    ] = None,
    book: Annotated[str | None, typer.Option(help="Needed where there are several books.")] = None,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="The last day that counts, UTC; else today."),
    ] = None,
    no_run: Annotated[bool, typer.Option("--no-run", help="Take the file in, and compare nothing yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take in a report of a channel or a bank's statement, and hold it against the books.

    Every line becomes a row, or is rejected with its reason and disturbs no
    other. Then a run is asked for, which the worker carries out: what agrees
    is settled, the rest waits or becomes a break. The same file comes in
    once; given again, it is compared again.

    Ends with 0 when everything agrees or waits for its time, with 1 when there
    are breaks, rejected lines, totals that do not hold, or something that
    could not be settled, with 2 when it could not be done: the file cannot be
    read, there is no such book, no worker is running.
    """
    from api.cli.reconciled import Asked, NobodyWorks, NotReadable, Reconciler
    from api.routes.report_files import BODY_RULE
    from api.telemetry import configure_logging
    from commands.policies.reconciliation import is_bank
    from commands.report_files.opening import without_card_numbers
    from commands.report_files.sources import SOURCES

    if source not in SOURCES:
        give_up(f"there is no source {source}: {SOURCES_IN_WORDS}", _NOT_DONE)
    if account is None and is_bank(source):
        give_up("say with --account which of our bank accounts the statement is of", _NOT_DONE)
    if account is not None and (_UNUSUAL.search(account) or not 0 < len(account) <= _LONGEST_NAME):
        give_up("an account is 1 to 64 of A-Z a-z 0-9 _ . : -", _NOT_DONE)
    content = _content_of(file, BODY_RULE.max_bytes)
    database, chosen = _opened(book)
    configure_logging("WARNING")
    until = datetime.now(UTC).date() if day is None else date(day.year, day.month, day.day)
    name = _UNUSUAL.sub("_", without_card_numbers(file.name))[-_LONGEST_NAME:]
    asked = Asked(chosen, source, account or source, name, content, until, with_run=not no_run)
    with Said(len(content), as_json=as_json) as said:
        try:
            reconciler = Reconciler(database, asked, said.watching(SOURCES[source]), said.waiting)
            summary = asyncio.run(reconciler.carry_out())
        except NotReadable as error:
            give_up(f"{file} cannot be read as {source}: {error}", _NOT_DONE)
        except NobodyWorks as still:
            give_up(str(still), _NOT_DONE)
        except (Unavailable, OperationalError, PoolTimeout) as trouble:
            _say_away(trouble)
        except Refusal as refusal:
            give_up(f"{refusal.detail} ({refusal.code()})", _NOT_DONE)
        except KeyboardInterrupt:
            give_up("interrupted; run the same command again, and it goes on where it stopped", _INTERRUPTED)
    answer(summary, _in_words(summary), as_json=as_json)
    if not summary.agrees:
        raise typer.Exit(_DISAGREES)


def _in_words(summary: "Summary") -> str:
    from api.cli.reconciled_words import in_words

    return in_words(summary)


def _content_of(file: Path, most_bytes: int) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(most_bytes + 1)
    except OSError as error:
        give_up(f"{file} cannot be read: {error.strerror}", _NOT_DONE)
    if len(content) > most_bytes:
        give_up(f"{file} is longer than {most_bytes >> 20} MiB: pack it with gzip, or divide it", _NOT_DONE)
    return content


def _opened(book: str | None) -> tuple[Database, str]:
    try:
        database, books = database_of(book)
    except typer.Exit as ended:
        raise typer.Exit(_NOT_DONE) from ended
    if len(books) != 1:
        give_up(f"say with --book which one: {', '.join(books) or 'there are no books'}", _NOT_DONE)
    return database, books[0]


def _say_away(trouble: Exception) -> NoReturn:
    words = trouble.detail if isinstance(trouble, Unavailable) else "The database does not answer."
    give_up(f"{words} Run the same command again: it goes on where it stopped.", _NOT_DONE)


class Said:
    """What is said meanwhile: a bar on a terminal, a line every second elsewhere, and each rejected line."""

    def __init__(self, size_bytes: int, *, as_json: bool) -> None:
        self._size = max(size_bytes, 1)
        self._has_bar = people.is_terminal and not as_json
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rows]:,} rows, {task.fields[rejected]:,} rejected"),
            TimeElapsedColumn(),
            console=people,
            disable=not self._has_bar,
            transient=True,
        )
        self._task = self._bar.add_task("taken in", total=self._size, rows=0, rejected=0)
        self._said_at = time.monotonic()
        self._rows = self._rejected = 0

    def __enter__(self) -> "Said":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def watching(self, reader: "Reader") -> "Reader":
        """The reader, with what it finds told on the way."""

        def watched(file: BinaryIO) -> Iterator[ReportItem]:
            for item in reader(file):
                self._seen(item)
                if (self._rows + self._rejected) % _LOOK_EVERY_ROWS == 0:
                    self._say(self._size if file.closed else file.tell())
                yield item

        return watched

    def waiting(self) -> None:
        """The file is in; the run is waited for."""
        self._bar.update(self._task, description="held against the books", total=None)

    def _seen(self, item: ReportItem) -> None:
        if isinstance(item, ReportRow):
            self._rows += 1
        elif isinstance(item, RejectedRow):
            self._rejected += 1
            if self._rejected <= _REJECTIONS_SHOWN:
                people.print(f"line {item.line}: {item.reason}", markup=False)
            elif self._rejected == _REJECTIONS_SHOWN + 1:
                people.print("further rejected lines are not shown; all of them are listed with the file")

    def _say(self, bytes_read: int) -> None:
        if self._has_bar:
            done = min(bytes_read, self._size)
            self._bar.update(self._task, completed=done, rows=self._rows, rejected=self._rejected)
        elif time.monotonic() - self._said_at >= _SAY_EVERY_S:
            self._said_at = time.monotonic()
            share = min(100, 100 * bytes_read // self._size)
            sys.stderr.write(f"taken in: {share} % of the file, {self._rows:,} rows, {self._rejected:,} rejected\n")
