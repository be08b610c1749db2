"""Report imports: a report file comes in, is read in pieces, and counts once it was read to its end.

receive ─▶ rows, rows, … ─▶ finish (imported, or flagged: a total of it does not hold) | refuse (it cannot be read)

Each step is a command with a key of its own, so a process that was killed in between goes on where it stopped.
"""

from datetime import datetime

from commands.books import Books
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from ledger.errors import ReportFileKnown
from ledger.events.report_files import (
    ReportFileImported,
    ReportFileReceived,
    ReportFileRefused,
    ReportRowsRead,
    rows_stream,
)
from ledger.report_file_state import READING, ReportFile, fold, view_of
from ledger.report_row import Control, RejectedRow, ReportRow

MOST_REJECTED_SHOWN = 100


class ReceiveReportFile(Command, frozen=True):
    """A file came in and is kept. `id` follows from its content and its source: the same file has the same one."""

    id: str
    source: str
    account: str
    sha256: str
    size_bytes: int
    name: str = ""


class ReadReportRows(Command, frozen=True):
    """The next rows of a file that is being read; the shape is that of the event."""

    file: str
    source: str
    account: str
    piece: int
    first: int
    rows: tuple[ReportRow, ...]
    fingerprints: tuple[str, ...]
    rejected: tuple[RejectedRow, ...] = ()


class FinishReportFile(Command, frozen=True):
    """The file was read to its end: so many rows and rejected ones, and the totals that it states."""

    file: str
    rows: int
    rejected: int
    controls: tuple[Control, ...]
    first_rejected: tuple[RejectedRow, ...]


class RefuseReportFile(Command, frozen=True):
    """The file cannot be read as what it is said to be."""

    file: str
    reason: str
    line: int = 0


def receive(books: Books, command: ReceiveReportFile, envelope: Envelope) -> Decision:
    known = fold(books.recorded(command.id))
    if known is None:
        received = ReportFileReceived(
            command.id, command.source, command.account, command.sha256, command.size_bytes, command.name
        )
        return Decision([(command.id, received)], view_of(ReportFile(received, books.now, 0)))
    if known.status != READING or known.received.account != command.account:
        raise ReportFileKnown(file=command.id, received_at=_written(known.received_at), file_status=known.status)
    # Whoever was reading it may be gone: the steps have keys of their own, so that two readers do what one does.
    return Decision([], view_of(known), status=200)


def read_rows(books: Books, command: ReadReportRows, envelope: Envelope) -> Decision:
    file = _being_read(books, command.file)
    next_one = 1
    if command.piece > 1:
        (before,) = books.history(rows_stream(command.file, command.piece - 1))
        if isinstance(before, ReportRowsRead):
            next_one = before.first + len(before.rows)
    if command.first != next_one or len(command.rows) != len(command.fingerprints):
        raise AssertionError(f"the rows of {command.file} go on at {next_one}, not at {command.first}")
    read = ReportRowsRead(
        command.file,
        command.source,
        command.account,
        command.piece,
        command.first,
        command.rows,
        command.fingerprints,
        command.rejected,
    )
    return Decision([(rows_stream(command.file, command.piece), read)], view_of(file))


def finish(books: Books, command: FinishReportFile, envelope: Envelope) -> Decision:
    file = _being_read(books, command.file)
    imported = ReportFileImported(
        id=command.file,
        rows=command.rows,
        rejected=command.rejected,
        flagged=not all(control.holds for control in command.controls),
        controls=command.controls,
        first_rejected=command.first_rejected[:MOST_REJECTED_SHOWN],
    )
    return _ended(file, imported)


def refuse(books: Books, command: RefuseReportFile, envelope: Envelope) -> Decision:
    file = _being_read(books, command.file)
    return _ended(file, ReportFileRefused(command.file, command.reason, command.line))


def _ended(file: ReportFile, ended: ReportFileImported | ReportFileRefused) -> Decision:
    view = view_of(ReportFile(file.received, file.received_at, file.position, ended))
    view.position = None
    return Decision([(file.received.id, ended)], view)


def _being_read(books: Books, name: str) -> ReportFile:
    file = fold(books.recorded(name))
    if file is None or file.status != READING:
        raise AssertionError(f"{name} is not being read")
    return file


def _written(at: datetime) -> str:
    return at.isoformat()


def _file_needs(command: ReadReportRows | FinishReportFile | RefuseReportFile) -> Needs:
    return Needs(streams=(command.file,))


def _rows_needs(command: ReadReportRows) -> Needs:
    pieces = (rows_stream(command.file, piece) for piece in (command.piece - 1, command.piece) if piece)
    return Needs(streams=(command.file, *pieces))


DECIDERS: dict[type[Command], Decider] = {
    ReceiveReportFile: Decider(receive, lambda command: Needs(streams=(command.id,))),
    ReadReportRows: Decider(read_rows, _rows_needs),
    FinishReportFile: Decider(finish, _file_needs),
    RefuseReportFile: Decider(refuse, _file_needs),
}
