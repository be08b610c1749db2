"""Report imports: reads a kept report file piece by piece and brings each piece home as a command.

The pieces have keys of their own, which follow from the file: whoever begins again, after a crash or beside somebody
else, repeats what was done and goes on behind it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from typing import BinaryIO

from msgspec import Struct

from commands.envelope import Answer, Command, Envelope, Part, own_envelope
from commands.report_files.reader import Reader
from commands.report_imports import (
    MOST_REJECTED_SHOWN,
    FinishReportFile,
    ReadReportRows,
    ReceiveReportFile,
    RefuseReportFile,
)
from ledger.ids import REPORT_FILE
from ledger.report_row import Control, FileRefused, RejectedRow, ReportItem, ReportRow
from ledger.row_fingerprints import RowFingerprints

ROWS_AT_ONCE = 500
Submit = Callable[[str, Part], Awaitable[Answer]]


class Progress(Struct, frozen=True):
    """So many rows are recorded, so many were rejected."""

    rows: int
    rejected: int


def file_id(source: str, digest: str) -> str:
    """The same file has the same id; said to be of another source, it is another one."""
    return REPORT_FILE + sha256(f"{source}\x1f{digest}".encode()).hexdigest()[:32]


class _Reading:
    """One pass over a file: what was found so far. Used by one thread at a time."""

    def __init__(self, reader: Reader, file: BinaryIO, asked: ReceiveReportFile) -> None:
        self._items = _read(reader, file)
        self._asked = asked
        self._fingerprint = RowFingerprints(asked.source, asked.account)
        self.pieces = 0
        self.rows = 0
        self.rejected = 0
        self.controls: list[Control] = []
        self.first_rejected: list[RejectedRow] = []

    def piece(self) -> ReadReportRows | None:
        """The next rows; None behind the last. Raises FileRefused."""
        rows: list[ReportRow] = []
        rejected: list[RejectedRow] = []
        for item in islice(self._items, ROWS_AT_ONCE):
            match item:
                case ReportRow():
                    rows.append(item)
                case RejectedRow():
                    rejected.append(item)
                case Control():
                    self.controls.append(item)
                    continue
        if not rows and not rejected:
            return self._rest()
        return self._read(rows, rejected)

    def _rest(self) -> ReadReportRows | None:
        """Controls may stand in front of further rows."""
        item = next(self._items, None)
        while isinstance(item, Control):
            self.controls.append(item)
            item = next(self._items, None)
        match item:
            case ReportRow():
                return self._read([item], [])
            case RejectedRow():
                return self._read([], [item])
        return None

    def _read(self, rows: Sequence[ReportRow], rejected: Sequence[RejectedRow]) -> ReadReportRows:
        first = self.rows + 1
        self.pieces += 1
        self.rows += len(rows)
        self.rejected += len(rejected)
        self.first_rejected += rejected[: MOST_REJECTED_SHOWN - len(self.first_rejected)]
        asked, fingerprints = self._asked, tuple(map(self._fingerprint, rows))
        return ReadReportRows(
            asked.id, asked.source, asked.account, self.pieces, first, tuple(rows), fingerprints, tuple(rejected)
        )


def _read(reader: Reader, file: BinaryIO) -> Iterator[ReportItem]:
    """What the reader gives, from the first piece on: a file may be refused at its first line."""
    yield from reader(file)


async def import_report(
    book: str,
    asked: ReceiveReportFile,
    envelope: Envelope,
    reader: Reader,
    file: BinaryIO,
    submit: Submit,
    progressed: Callable[[Progress], None] = lambda progress: None,
) -> Answer:
    """Read the file to its end; the answer is that of its last step, or the refusal of the first.

    `file` is kept already; `envelope` is the caller's. Reading happens in a thread: it takes a while.
    """
    begun = await submit(book, Part(envelope, asked))
    if begun.refusal is not None or begun.error is not None:
        return begun
    reading = _Reading(reader, file, asked)
    try:
        while (piece := await asyncio.to_thread(reading.piece)) is not None:
            await _done(submit, book, _part(asked, f"rows/{piece.piece}", envelope, piece))
            progressed(Progress(reading.rows, reading.rejected))
    except FileRefused as refused:
        refusal = RefuseReportFile(asked.id, refused.reason, refused.line)
        ended = await _done(submit, book, _part(asked, "end", envelope, refusal))
    else:
        controls, first_rejected = tuple(reading.controls), tuple(reading.first_rejected)
        finished = FinishReportFile(asked.id, reading.rows, reading.rejected, controls, first_rejected)
        ended = await _done(submit, book, _part(asked, "end", envelope, finished))
    return Answer(begun.status, ended.position, ended.told, replayed=begun.replayed)


async def _done(submit: Submit, book: str, part: Part) -> Answer:
    answer = await submit(book, part)
    if answer.error is not None:
        raise answer.error
    if answer.refusal is not None:
        raise answer.refusal
    return answer


def _part(asked: ReceiveReportFile, step: str, envelope: Envelope, command: Command) -> Part:
    key = f"report_file/{asked.id}/{step}"
    own = own_envelope(key, actor=envelope.actor, correlation=envelope.correlation, causation=f"{asked.id}.1")
    return Part(own, command)
