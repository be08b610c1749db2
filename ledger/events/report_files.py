"""Report files: a channel's report or a bank's statement came in, and what stands in it, line by line.

`<file>` carries what becomes of the file, `<file>/rows/<n>` the n-th piece of its rows, a few hundred in one event: so
they replay from the log alone, and no history is long.
"""

from typing import ClassVar

from ledger.events.event import Event
from ledger.report_row import Control, RejectedRow, ReportRow


def rows_stream(file: str, piece: int) -> str:
    """Where the n-th piece of a file's rows is recorded."""
    return f"{file}/rows/{piece}"


class ReportFileReceived(Event, frozen=True, omit_defaults=True):
    """A file is here, and kept as it came. `source` is its format, `account` the channel or bank account it is about.

    `sha256` of its bytes, in hexadecimal digits.
    """

    topic: ClassVar[str] = "report_files.received.v1"

    id: str
    source: str
    account: str
    sha256: str
    size_bytes: int
    name: str = ""


class ReportRowsRead(Event, frozen=True, omit_defaults=True):
    """A piece of a file's rows, in its order; `first` is the number of the first, from 1; rejected ones do not count.

    `fingerprints`: for each row, what it is known by in whichever file it comes again.
    """

    topic: ClassVar[str] = "report_files.rows_read.v1"

    file: str
    source: str
    account: str
    piece: int
    first: int
    rows: tuple[ReportRow, ...]
    fingerprints: tuple[str, ...]
    rejected: tuple[RejectedRow, ...] = ()


class ReportFileImported(Event, frozen=True, omit_defaults=True):
    """The file was read to its end. `flagged`: a total that it states is not that of its rows; nothing is matched."""

    topic: ClassVar[str] = "report_files.imported.v1"

    id: str
    rows: int
    rejected: int
    flagged: bool = False
    controls: tuple[Control, ...] = ()
    first_rejected: tuple[RejectedRow, ...] = ()


class ReportFileRefused(Event, frozen=True, omit_defaults=True):
    """The file is not what it is said to be, or ends before its end: none of it counts."""

    topic: ClassVar[str] = "report_files.refused.v1"

    id: str
    reason: str
    line: int = 0
