"""`ledger export`: a book in a folder, with all that a stranger needs to check it offline."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer
from psycopg import Connection

from api.cli.books import database_of
from api.cli.terminal import AsJson, answer, give_up, progress, saying_why
from api.cli.upkeep import shown_on
from ledger.store.connection import Database, in_book
from ledger.store.exporting import BookExport
from ledger.store.sealed import SignedCheckpoint, checkpoint_covering

# The sealer is a fraction of a second behind, and much further only after a long rest.
_PATIENCE_S = 10.0
_PAUSE_S = 0.1
# All balances of a book with many accounts are one statement.
_STATEMENT_TIMEOUT_MS = 600_000


class Summary(msgspec.Struct, frozen=True):
    """What was written. `vkeys` have signed it; `behind`: how many events of the log came too late to be in it."""

    book: str
    folder: str
    origin: str
    vkeys: list[str]
    size: int
    root: str
    behind: int
    accounts: int
    older_checkpoints: int
    files: int
    bytes: int
    seconds: float


class FolderSink:
    """Files in a folder. The last one, the manifest, appears in its place whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files = self.bytes = 0

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """A new file, written when the block ends."""
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}.part")
        with part.open("wb") as writing:
            yield writing
            self.bytes += writing.tell()
        part.replace(file)
        self.files += 1


def export(
    book: Annotated[str, typer.Option(help="The book that is written out.")],
    to: Annotated[Path, typer.Option(help="A folder that is empty or does not exist yet.")],
    to_position: Annotated[
        int | None,
        typer.Option("--to-position", "--size", min=0, help="As of the first checkpoint that covers it, else of now."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a book to a folder that anybody can check offline, without us and without our code.

    The folder brings the two programs that check it: `python verify_ledger.py FOLDER --vkey VKEY`. An export that was
    broken off has no manifest.json.

    Ends with 0 when the folder is whole, with 1 when it is not, with 2 when there is no such book, or nothing of it is
    sealed that far.
    """
    database, _ = database_of(book)
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        give_up(f"{to} is there and not empty", 2)
    patient = msgspec.structs.replace(database, statement_timeout_ms=_STATEMENT_TIMEOUT_MS)
    begun = time.monotonic()
    with saying_why(), progress() as bar:
        try:
            summary = _write(patient, book, to, to_position, begun, shown_on(bar, f"{book}: export"))
        except AssertionError as error:
            give_up(f"the log cannot be exported: {error}")
        except OSError as error:
            give_up(f"{to} cannot be written: {error.strerror}")
    answer(summary, _told(summary), as_json=as_json)


def _write(
    database: Database, book: str, to: Path, position: int | None, begun: float, told: Callable[[int, int], None]
) -> Summary:
    with database.connect() as connection:
        head = _head(connection, book)
        checkpoint = _checkpoint(connection, book, head if position is None else position)
        if checkpoint is None:
            give_up(f"no checkpoint covers position {position or head} of {book}: is there a worker, which seals?", 2)
        to.mkdir(parents=True, exist_ok=True)
        sink = FolderSink(to)
        done = BookExport(connection, book, checkpoint, sink)
        for events in done.steps():
            told(events, checkpoint.size)
        behind = max(0, _head(connection, book) - checkpoint.size)
    if done.manifest is None:
        raise AssertionError("an export has ended without its manifest")
    return Summary(
        book,
        str(to),
        done.manifest.origin,
        list(checkpoint.keys),
        done.manifest.size,
        done.manifest.root,
        behind,
        done.accounts,
        done.older_checkpoints,
        sink.files,
        sink.bytes,
        round(time.monotonic() - begun, 3),
    )


def _checkpoint(connection: Connection, book: str, position: int) -> SignedCheckpoint | None:
    """The checkpoint that covers this position, which may be about to be signed."""
    until = time.monotonic() + _PATIENCE_S
    while (found := checkpoint_covering(connection, book, position)) is None and time.monotonic() < until:
        time.sleep(_PAUSE_S)
    return found


def _head(connection: Connection, book: str) -> int:
    row = connection.execute(in_book("SELECT position FROM {schema}.log_head", book)).fetchone()
    if row is None:
        raise AssertionError(f"{book} has lost its head")
    position: int = row[0]
    return position


def _told(summary: Summary) -> str:
    rest = f"; {summary.behind:,} later events are not in it" if summary.behind else ""
    return (
        f"{summary.folder}: {summary.size:,} events and {summary.accounts:,} accounts of {summary.book}, "
        f"{summary.files:,} files of {summary.bytes:,} bytes in {summary.seconds:,.1f} s{rest}\n"
        f"root {summary.root} of {summary.origin}\n"
        f"Whoever checks it has to have the log's public key in another way: {' '.join(summary.vkeys)}\n"
        f"check it: python {summary.folder}/verify_ledger.py {summary.folder} --vkey VKEY"
    )
