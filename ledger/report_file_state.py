"""Report file state: what has become of a file that came in, folded from its stream."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from ledger.events.event import Recorded
from ledger.events.report_files import ReportFileImported, ReportFileReceived, ReportFileRefused
from ledger.report_row import Control, RejectedRow

FileStatus = Literal["reading", "imported", "flagged", "refused"]
READING: FileStatus = "reading"
IMPORTED: FileStatus = "imported"
FLAGGED: FileStatus = "flagged"
REFUSED: FileStatus = "refused"


class ReportFile(msgspec.Struct, frozen=True):
    """reading ─▶ imported | flagged (a total of it does not hold) | refused (it cannot be read)."""

    received: ReportFileReceived
    received_at: datetime
    position: int
    ended: ReportFileImported | ReportFileRefused | None = None

    @property
    def status(self) -> FileStatus:
        match self.ended:
            case ReportFileRefused():
                return REFUSED
            case ReportFileImported(flagged=flagged):
                return FLAGGED if flagged else IMPORTED
        return READING


class ControlView(msgspec.Struct, frozen=True):
    """A total that the file states, and what its rows come to: a count, or minor units of `currency`."""

    name: str
    line: int
    stated: int
    counted: int
    currency: str
    holds: bool


class ReportFileView(msgspec.Struct):
    """A file as it is shown. `rejected_rows` are the first of them; all are listed with the file's rows."""

    file_id: str
    source: str
    account: str
    name: str
    sha256: str
    size_bytes: int
    status: FileStatus
    rows: int
    rejected: int
    rejected_rows: list[RejectedRow]
    control_totals: list[ControlView]
    received_at: datetime
    refused: RejectedRow | None = None
    position: int | None = None


def fold(history: Iterable[Recorded]) -> ReportFile | None:
    """The file that this stream tells of; None for an empty one."""
    file: ReportFile | None = None
    for recorded in history:
        match recorded.event:
            case ReportFileReceived() as received:
                file = ReportFile(received, recorded.recorded_at, recorded.position)
            case ReportFileImported() | ReportFileRefused() as ended if file is not None:
                file = msgspec.structs.replace(file, ended=ended, position=recorded.position)
    return file


def view_of(file: ReportFile) -> ReportFileView:
    received, ended = file.received, file.ended
    imported = ended if isinstance(ended, ReportFileImported) else None
    return ReportFileView(
        file_id=received.id,
        source=received.source,
        account=received.account,
        name=received.name,
        sha256=received.sha256,
        size_bytes=received.size_bytes,
        status=file.status,
        rows=0 if imported is None else imported.rows,
        rejected=0 if imported is None else imported.rejected,
        rejected_rows=[] if imported is None else list(imported.first_rejected),
        control_totals=[] if imported is None else [_control_view(one) for one in imported.controls],
        received_at=file.received_at,
        refused=RejectedRow(ended.line, ended.reason, "") if isinstance(ended, ReportFileRefused) else None,
        position=file.position,
    )


def _control_view(one: Control) -> ControlView:
    return ControlView(one.name, one.line, one.stated, one.counted, one.currency, one.holds)
