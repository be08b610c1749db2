"""Reading in tests: a report from bytes, parted into rows, rejected rows and controls."""

import io
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from commands.report_files.reader import Reader
from ledger.report_row import Control, RejectedRow, ReportItem, ReportRow


@dataclass
class Found:
    """What a reader gave, each kind in its order."""

    rows: list[ReportRow] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    controls: list[Control] = field(default_factory=list)

    @property
    def broken(self) -> list[str]:
        return [control.name for control in self.controls if not control.holds]


def found(items: Iterable[ReportItem]) -> Found:
    """The items, parted."""
    parted = Found()
    for item in items:
        match item:
            case ReportRow():
                parted.rows.append(item)
            case RejectedRow():
                parted.rejected.append(item)
            case Control():
                parted.controls.append(item)
    return parted


def read_all(reader: Reader, data: bytes | str) -> Found:
    """Everything in a file with this content."""
    return found(reader(io.BytesIO(data.encode() if isinstance(data, str) else data)))


def bare(rows: Iterable[ReportRow]) -> list[ReportRow]:
    """The rows without what may differ between two writings of the same: the raw cells."""
    return [msgspec.structs.replace(row, raw={}) for row in rows]
