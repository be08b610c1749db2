"""Tables: lines of comma-separated text as records, and records below a heading as rows by column name.

Columns come in any order and with others between them; a line that does not fit its heading is a rejected row, and the
next line is read as if nothing had been. The separator is found in the heading: comma, semicolon or tab.
"""

import csv
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from commands.report_files.opening import Unreadable, lines, shown, unpacked, without_card_numbers
from commands.report_files.spreadsheet import MOST_COLUMNS, is_spreadsheet, sheet_rows
from ledger.report_row import FileRefused, RejectedRow, ReportRow

MOST_LINES_OF_A_RECORD = 64  # a description may hold line ends; a quotation mark left open may not swallow the file
LONGEST_RECORD = 1 << 17  # characters
_ROUNDED = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+[0-9]+")  # what a spreadsheet makes of a long number when it saves


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its cells, and the line on which it begins."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Row:
    """One record below a heading: its cells by the name of the column, as the heading is folded."""

    line: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        """The cell, stripped; empty where the file has no such column."""
        return self.cells.get(column, "").strip()

    def first(self, *columns: str) -> str:
        """The first of these cells that is not empty, for columns with several names."""
        return next((self[one] for one in columns if self[one]), "")

    def id(self, column: str) -> str:
        """A cell that identifies something: of visible ASCII, or it was damaged on the way."""
        text = self[column]
        if not (text.isascii() and text.isprintable()):
            raise Unreadable(f"{shown(text)} in {column} is damaged")
        if _ROUNDED.fullmatch(text):
            raise Unreadable(f"{shown(text)} in {column} was rounded by a spreadsheet")
        return text


def folded(name: str) -> str:
    """Small letters and digits, with one low line for all that stands between: `Gross Debit (GC)` is gross_debit_gc."""
    return re.sub(r"[^a-z0-9\[\]]+", "_", name.strip().lower()).strip("_")


def records(numbered: Iterable[tuple[int, str]], separator: str = ",") -> Iterator[Record | RejectedRow]:
    """Each record of the lines, empty ones left out; a record with a quotation mark left open is rejected alone."""
    source, waiting = iter(numbered), deque[tuple[int, str]]()
    while True:
        first = waiting.popleft() if waiting else next(source, None)
        if first is None:
            return
        line, text = first
        if not text.strip():
            continue
        if '"' not in text:
            yield Record(line, text.split(separator))
            continue
        yield _quoted(line, text, separator, source, waiting)


def _quoted(
    line: int, text: str, separator: str, source: Iterator[tuple[int, str]], waiting: deque[tuple[int, str]]
) -> Record | RejectedRow:
    """The record that begins here, with as many further lines as its quotation marks ask for; else they wait again."""
    further: list[tuple[int, str]] = []
    whole, reason = text, ""
    while True:
        try:
            return Record(line, next(csv.reader([whole], delimiter=separator, strict=True)))
        except csv.Error as error:
            if "unexpected end of data" not in str(error):
                reason = "a quotation mark stands where none may"
                break
        following = waiting.popleft() if waiting else next(source, None)
        if following is not None:
            further.append(following)
        if following is None or len(further) == MOST_LINES_OF_A_RECORD or len(whole) > LONGEST_RECORD:
            reason = "a quotation mark is not closed"
            break
        whole += "\n" + following[1]
    waiting.extendleft(reversed(further))
    return rejected(line, reason, text)


def separator_of(heading: str) -> str:
    """What stands between the names of the columns most often."""
    return max(",;\t", key=heading.count)


def opened_table(file: BinaryIO, otherwise: str = "latin-1") -> tuple[Record, Iterator[Record | RejectedRow]]:
    """The first line that holds something, which names the columns, and the records below it.

    Packed or not, and from a spreadsheet too. Without a mark and not UTF-8 it is read as `otherwise`: money and ids are
    ASCII, only names differ.
    """
    if is_spreadsheet(file):
        return _of_spreadsheet(file)
    source = lines(unpacked(file), otherwise)
    first = _first_that_holds_something(source)
    separator = separator_of(first[1])
    if told := re.fullmatch(r'"?sep=([,;\t])"?', first[1].strip(" ")):  # a line for Excel, before the table
        first, separator = _first_that_holds_something(source), told[1]
    heading = next(records([first], separator))
    if isinstance(heading, RejectedRow):
        raise FileRefused("its first line does not name columns", first[0])
    return heading, records(source, separator)


def _first_that_holds_something(source: Iterator[tuple[int, str]]) -> tuple[int, str]:
    first = next(((line, text) for line, text in source if text.strip()), None)
    if first is None:
        raise FileRefused("it is empty")
    return first


def _of_spreadsheet(file: BinaryIO) -> tuple[Record, Iterator[Record]]:
    rows = (Record(number, cells) for number, cells in sheet_rows(file) if any(cell.strip() for cell in cells))
    heading = next(rows, None)
    if heading is None:
        raise FileRefused("it is empty")
    width = len(heading.cells)
    # A row ends with its last cell that holds something.
    return heading, (Record(row.line, row.cells + [""] * (width - len(row.cells))) for row in rows)


def rows_below(
    heading: Record,
    body: Iterable[Record | RejectedRow],
    wanted: Collection[str],
    fold: Callable[[str], str] = folded,
) -> Iterator[Row | RejectedRow]:
    """The records of `body` by the columns that `heading` names; `fold` brings variants of a name to one.

    Raises FileRefused where one of `wanted` is missing, or is there twice.
    """
    return _rows(column_names(heading, wanted, fold), body)


def column_names(heading: Record, wanted: Collection[str], fold: Callable[[str], str]) -> list[str]:
    """The names in the heading, folded; a further column of one name is `name (2)`, unless it is one that is wanted."""
    names: list[str] = []
    seen: set[str] = set()
    if len(heading.cells) > MOST_COLUMNS:
        raise FileRefused("it has too many columns", heading.line)
    for cell in heading.cells:
        name = fold(cell)
        if name in seen:
            if name in wanted:
                raise FileRefused(f"the column {shown(name)} is there twice", heading.line)
            name = f"{name} ({len(names) + 1})"
        seen.add(name)
        names.append(name)
    while names and not heading.cells[len(names) - 1].strip():
        names.pop()
    if missing := [name for name in wanted if name not in seen]:
        raise FileRefused(f"the column {shown(missing[0])} is missing", heading.line)
    return names


def row_of(names: list[str], record: Record) -> Row | RejectedRow:
    """The record by the names of its columns; empty cells beyond them are let be."""
    cells, width = record.cells, len(names)
    if len(cells) < width or any(cell.strip() for cell in cells[width:]):
        return rejected(record.line, f"it has {len(cells)} cells under {width} columns", ",".join(cells))
    return Row(record.line, dict(zip(names, cells, strict=False)))


def _rows(names: list[str], body: Iterable[Record | RejectedRow]) -> Iterator[Row | RejectedRow]:
    for record in body:
        yield record if isinstance(record, RejectedRow) else row_of(names, record)


def rejected(line: int, reason: str, raw: str) -> RejectedRow:
    """The row, its raw text bounded and without card numbers."""
    return RejectedRow(line, reason, without_card_numbers(raw[:10_000]))


def raw_of(row: Row, ids: Collection[str]) -> dict[str, str]:
    """The cells that hold something, without card numbers; columns of `ids` keep their digits."""
    return {
        name: cell if name in ids else without_card_numbers(cell) for name, cell in row.cells.items() if cell.strip()
    }


def read_rows(rows: Iterable[Row | RejectedRow], read: Callable[[Row], ReportRow]) -> Iterator[ReportRow | RejectedRow]:
    """Each row as `read` understands it; one that it finds Unreadable is rejected with the reason."""
    for row in rows:
        yield row if isinstance(row, RejectedRow) else read_row(row, read)


def read_row(row: Row, read: Callable[[Row], ReportRow]) -> ReportRow | RejectedRow:
    """The row as `read` understands it, or rejected."""
    try:
        return read(row)
    except Unreadable as error:
        return rejected(row.line, str(error), ",".join(row.cells.values()))
