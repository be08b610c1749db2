"""Disguises: the same table as other programs and channels would have written or sent it."""

import csv
import gzip
import io
import zipfile
from collections.abc import Callable

from tests.report_files.workbooks import sheet_of, workbook


def _rewritten(text: str, change: Callable[[list[list[str]]], list[list[str]]], separator: str = ",") -> bytes:
    out = io.StringIO()
    rows = list(csv.reader(io.StringIO(text)))
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(change(rows))
    return out.getvalue().encode()


def _zipped(data: bytes, name: str = "report.csv", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def zipped_in_gbk(data: bytes, name: str) -> bytes:
    """A zip as Chinese channels write it: the name in GBK, and not marked as anything."""
    stand_in = "x" * len(name.encode("gbk"))
    return _zipped(data, stand_in).replace(stand_in.encode(), name.encode("gbk"))


# Of any text.
ENVELOPES: dict[str, Callable[[str], bytes]] = {
    "as it is": lambda text: text.encode(),
    "with a mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-be"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "CR LF": lambda text: text.replace("\n", "\r\n").encode(),
    "CR": lambda text: text.replace("\n", "\r").encode(),
    "the last line not ended": lambda text: text.rstrip("\n").encode(),
    "gzip": lambda text: gzip.compress(text.encode()),
    "zip": lambda text: _zipped(text.encode()),
    "zip, not packed": lambda text: _zipped(text.encode(), method=zipfile.ZIP_STORED),
}

# Of a table with one line that names the columns.
TABLES: dict[str, Callable[[str], bytes]] = ENVELOPES | {
    "columns the other way round": lambda text: _rewritten(text, lambda rows: [row[::-1] for row in rows]),
    "a column more": lambda text: _rewritten(text, lambda rows: [[*row, "more"] for row in rows]),
    "empty cells behind": lambda text: _rewritten(text, lambda rows: [[*row, "", ""] for row in rows]),
    "semicolons": lambda text: _rewritten(text, lambda rows: rows, ";"),
    "tabs": lambda text: _rewritten(text, lambda rows: rows, "\t"),
    "a spreadsheet": lambda text: workbook(sheet_of(list(csv.reader(io.StringIO(text))))),
    "spaces around": lambda text: _rewritten(text, lambda rows: [[f" {cell} " for cell in row] for row in rows]),
}
