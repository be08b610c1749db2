"""A sheet of WeChat Pay: one heading, rows of values behind backticks, and two lines of sums at the end.

Values are bare and never in quotation marks, so cells are parted at ",`" and a name may hold commas. A line that has
lost its backticks to a spreadsheet is read as comma-separated text.
"""

import csv
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from commands.report_files.opening import Unreadable, exact_minor_units, moment, shown, unsigned_minor_units
from commands.report_files.tables import Record, Row, column_names, rejected
from ledger.report_row import FileRefused, RejectedRow

CHINA = timezone(timedelta(hours=8))
YUAN = "CNY"
MOST_LINES_BEFORE = 20  # of words for people, before the heading
FINEST_DECIMALS = 8  # of a hundredth
_SUMS_BEGIN = ("总交易单数", "资金流水总笔数")
_OTHER_NAMES = {"子商户号": "特约商户号"}


class Sheet:
    """A bill up to its heading; `rows` reads on to its end, and then `sums` is what it states there."""

    def __init__(self, numbered: Iterator[tuple[int, str]], marks: Collection[str]) -> None:
        """`marks`: each names a kind of bill and stands in its heading only. Raises FileRefused where none does."""
        self._numbered = numbered
        self.line = 0
        self.sums: dict[str, str] = {}
        for before, (line, text) in enumerate(self._filled()):
            cells = _parted(text)
            names = {folded(cell) for cell in cells}
            if found := [mark for mark in marks if mark in names]:
                self.mark, self.names, self._heading = found[0], names, Record(line, cells)
                break
            if before == MOST_LINES_BEFORE:
                raise FileRefused("its heading is of no bill of WeChat Pay", 1)
        else:
            raise FileRefused("its heading is of no bill of WeChat Pay", 1)

    def rows(self, wanted: Collection[str]) -> Iterator[Row | RejectedRow]:
        """Raises FileRefused where a column is missing, or the sums at the end are."""
        # Each column that is there is wanted once: what is there twice cannot be told apart.
        columns = column_names(self._heading, {*wanted, *self.names} - {""}, folded)
        for line, text in self._filled():
            cells = _parted(text)
            if len(cells) == len(self._heading.cells) and not any(cells[len(columns) :]):
                cells = cells[: len(columns)]  # the heading ends in empty columns as well
            if self.sums:
                yield rejected(line, "it stands behind the sums", text)
            elif folded(cells[0]) in _SUMS_BEGIN:
                self._read_sums([folded(cell) for cell in cells])
            elif len(cells) != len(columns):
                yield rejected(line, f"it has {len(cells)} cells under {len(columns)} columns", text)
            else:
                yield Row(line, dict(zip(columns, cells, strict=True)))
        if not self.sums:
            raise FileRefused("it breaks off: the sums at its end are missing", self.line)

    def count(self, name: str) -> int:
        """A number of rows that is stated at the end."""
        try:
            return unsigned_minor_units(self.sums[name])
        except Unreadable as error:
            raise FileRefused(f"{name} cannot be read: {error}", self.line) from error

    def sum(self, name: str) -> Decimal:
        """A sum that is stated at the end, in hundredths."""
        try:
            return hundredths(self.sums[name])
        except Unreadable as error:
            raise FileRefused(f"{name} cannot be read: {error}", self.line) from error

    def _read_sums(self, names: list[str]) -> None:
        line, text = next(self._filled(), (self.line, ""))
        cells = _parted(text)
        if len(cells) != len(names) or len(set(names)) != len(names):
            raise FileRefused("it breaks off: the sums at its end are not whole", line)
        self.sums = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}

    def _filled(self) -> Iterator[tuple[int, str]]:
        for line, text in self._numbered:
            if text.strip():
                # Of what follows the sums nothing is stated: the line stays theirs.
                self.line = self.line if self.sums else line
                yield line, text


def hundredths(text: str) -> Decimal:
    """An amount in hundredths of its currency with their fraction, whatever the currency's own decimals are."""
    exact = exact_minor_units(text, YUAN)
    if int(exact.as_tuple().exponent) < -FINEST_DECIMALS:
        raise Unreadable(f"{shown(text)} has too many decimals")
    return exact


def time_of(text: str) -> datetime:
    """China's time; one or more blanks between day and hour."""
    return moment(" ".join(text.split()), CHINA)


def given(text: str) -> str:
    """A reference; `0` stands where there is none."""
    return "" if text == "0" else text


def folded(name: str) -> str:
    """A heading without backtick, padding and unit: `账户结余(元)` and `账户结余（元）` are one column."""
    bare = name.strip().strip("`\"'").strip().replace("（", "(").replace("）", ")").removesuffix("(元)").strip()
    return _OTHER_NAMES.get(bare, bare)


def _parted(text: str) -> list[str]:
    bare = text.strip()
    if bare.startswith("`"):
        return bare[1:].split(",`")
    cells = bare.split(",")
    if '"' in bare:
        try:
            cells = next(csv.reader([bare], strict=True))
        except csv.Error:
            return cells
    return [cell.strip().removeprefix("`") for cell in cells]
