"""Reader: the Protocol of one format of report file."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from ledger.report_row import ReportItem


class Reader(Protocol):
    """Reads one format: streaming, so that memory does not grow with the file."""

    def __call__(self, file: BinaryIO) -> Iterator[ReportItem]:
        """Every row in the order of the file, normal or rejected, and the controls that the file states.

        Raises FileRefused where the file is not of this format or ends before its end; nothing else.
        `file` can be sought in.
        """
