"""`ledger import`: posts the transfers of a CSV or JSON lines file, once, however often it is run."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import msgspec
import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from api.cli.books import database_of
from api.cli.import_rows import Format, ImportFile, Unreadable
from api.cli.terminal import AsJson, answer, give_up, people
from ledger.errors import JsonValue, Refusal, Unavailable

if TYPE_CHECKING:  # What FastAPI brings along is loaded when there is something to import.
    from api.cli.import_batches import Outcome

_UNREADABLE = 2
_INTERRUPTED = 130
_REJECTIONS_SHOWN = 20
_SAY_EVERY_S = 1.0
_LOOK_EVERY_ROWS = 100


class Summary(msgspec.Struct):
    """What became of a file. `position`: of the last event that any of its rows has in the log, 0 if there is none."""

    file: str
    sha256: str
    book: str
    dry_run: bool = False
    rows: int = 0
    valid: int = 0
    created: int = 0
    replayed: int = 0
    rejected: int = 0
    position: int = 0
    seconds: float = 0.0
    rows_per_s: int = 0

    def in_words(self) -> str:
        done = f"{self.valid:,} valid" if self.dry_run else f"{self.created:,} created, {self.replayed:,} there already"
        return (
            f"{self.rows:,} rows: {done}, {self.rejected:,} rejected, in {self.seconds:,.1f} s "
            f"({self.rows_per_s:,} rows/s)"
        )


class Rejection(msgspec.Struct):
    """One line of the file of rejections; `facts` are the numbers and names that the refusal goes by."""

    line: int
    code: str
    detail: str
    errors: list[dict[str, str]]
    facts: dict[str, JsonValue]


def import_transfers(
    file: Annotated[Path, typer.Argument(help="CSV with a header, or JSON lines.")],
    book: Annotated[str, typer.Option(help="The book that the transfers are posted in.")],
    format_: Annotated[
        str | None, typer.Option("--format", help="csv or jsonl, where the file's name does not say it.")
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option(help="Write every rejected row there: JSON lines with line, code, detail.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look at the rows only, and post nothing.")] = False,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Decide rows anew that an earlier run of this file rejected.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Post the transfers of a file.

    CSV has the columns debit_account, credit_account, amount, currency, and
    if you like effective_at, reference, description, idempotency_key and
    metadata.NAME. Amounts are whole minor units in plain digits. JSON lines
    have the fields of POST /v1/transfers, and idempotency_key if you like.

    A file may be imported again at any time, also after a crash: nothing is
    posted twice. A row is known by its idempotency_key, else by the file's
    content and its line. An edited file is another file: put rows that were
    rejected into a file of their own, or give every row a key.

    Ends with 0 when the file was read to its end, with 2 when it cannot be
    read or there is no such book.
    """
    if format_ not in (None, "csv", "jsonl"):
        raise typer.BadParameter("csv or jsonl", param_hint="--format")
    chosen: Format | None = "csv" if format_ == "csv" else "jsonl" if format_ == "jsonl" else None
    started = time.monotonic()
    with ExitStack() as held:
        try:
            source = held.enter_context(ImportFile(file, chosen))
        except (OSError, Unreadable) as error:
            give_up(f"{file} cannot be read: {error}", _UNREADABLE)
        rejections = None if rejected is None else held.enter_context(_open_for_rejections(rejected, file))
        said = held.enter_context(Said(source, "checked" if dry_run else "imported", rejections, as_json=as_json))
        try:
            summary = Summary(str(file), source.survey(said.looking), book, dry_run=dry_run)
            with _carried_out(source, summary, retry_rejected=retry_rejected) as outcomes:
                _tell(outcomes, summary, said)
        except Unreadable as error:
            give_up(f"{file} cannot be read, and nothing of it was imported: {error}", _UNREADABLE)
        except Unavailable as refusal:
            give_up(f"{refusal.detail} Run the same command again: it goes on where it stopped.")
        except KeyboardInterrupt:
            give_up("interrupted; run the same command again, and it goes on where it stopped", _INTERRUPTED)
    summary.seconds = round(time.monotonic() - started, 3)
    summary.rows_per_s = round(summary.rows / max(summary.seconds, 0.001))
    answer(summary, summary.in_words(), as_json=as_json)


def _open_for_rejections(rejected: Path, file: Path) -> BinaryIO:
    try:
        if rejected.exists() and rejected.samefile(file):
            give_up(f"the rejected rows of {file} would be written over it", _UNREADABLE)
        return rejected.open("wb")
    except OSError as error:
        give_up(f"{rejected} cannot be written: {error.strerror}", _UNREADABLE)


@contextmanager
def _carried_out(source: ImportFile, summary: Summary, *, retry_rejected: bool) -> Iterator[Iterable["Outcome"]]:
    from api.cli.import_batches import Importer, checked
    from api.telemetry import configure_logging
    from commands.deciders import DECIDERS
    from commands.handler import Handler
    from commands.writer import Writers
    from ledger.store.append import Appender

    if summary.dry_run:
        yield checked(source.rows())
        return
    configure_logging("WARNING")
    database, _ = database_of(summary.book)
    writers = Writers(lambda book: Handler(Appender(database, book), DECIDERS))
    importer = Importer(writers, summary.book, summary.sha256, retry_rejected=retry_rejected)
    yield importer.run(source.rows())
    # Not after a failure: a writer that still waits for its database ends with the process.
    writers.stop()


def _tell(outcomes: Iterable["Outcome"], summary: Summary, said: "Said") -> None:
    for line, became, position in outcomes:
        summary.rows += 1
        summary.position = max(summary.position, position)
        if isinstance(became, Refusal):
            summary.rejected += 1
            said.rejected(line, became, summary.rejected)
        else:
            setattr(summary, became, getattr(summary, became) + 1)
        if summary.rows % _LOOK_EVERY_ROWS == 0:
            said.working(summary.rows)
    said.working(summary.rows)


class Said:
    """What is said meanwhile: a bar on a terminal, a line every second elsewhere, and each rejection."""

    def __init__(self, source: ImportFile, done: str, rejections: BinaryIO | None, *, as_json: bool) -> None:
        """`done`: the word for what is done with the rows."""
        self._source = source
        self._done = done
        self._rejections = rejections
        self._has_bar = people.is_terminal and not as_json
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rows]:,} rows"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=people,
            disable=not self._has_bar,
            transient=True,
        )
        self._task = self._bar.add_task("looking through", total=max(source.size, 1), rows=0)
        self._said_at = time.monotonic()

    def __enter__(self) -> "Said":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def looking(self, bytes_read: int) -> None:
        self._say("looked through", bytes_read, 0)

    def working(self, rows: int) -> None:
        self._say(self._done, self._source.bytes_read, rows)

    def _say(self, doing: str, bytes_read: int, rows: int) -> None:
        if self._has_bar:
            self._bar.update(self._task, description=doing, completed=bytes_read, rows=rows)
        elif time.monotonic() - self._said_at >= _SAY_EVERY_S:
            self._said_at = time.monotonic()
            share = 100 * bytes_read // max(self._source.size, 1)
            sys.stderr.write(f"{doing}: {share} % of the file, {rows:,} rows\n")

    def rejected(self, line: int, refusal: Refusal, count: int) -> None:
        if count <= _REJECTIONS_SHOWN:
            people.print(f"line {line}: {refusal.code()}: {refusal.detail}", markup=False)
        elif count == _REJECTIONS_SHOWN + 1:
            people.print("further rejections are not shown" + ("; --rejected FILE keeps all" * (not self._rejections)))
        if self._rejections:
            self._rejections.write(msgspec.json.encode(_rejection(line, refusal)) + b"\n")


def _rejection(line: int, refusal: Refusal) -> Rejection:
    errors = [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in refusal.errors]
    return Rejection(line, refusal.code(), refusal.detail, errors, refusal.facts)
