"""Rows of an import file: CSV or JSON lines, read twice with bounded memory, each row as JSON with its line number.

    survey    the whole file once: its SHA-256, and whether its lines can be told apart at all
    rows      once more, from the same open file: every row as the bytes of one JSON object, or why it is none

Line numbers are those of an editor: a line break within quotes counts. No valid text holds one, so a quote that is
never closed is found in the survey, before anything is carried out: behind it nobody could tell rows from text.
"""

import csv
import os
import re
import stat
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, NamedTuple, Self

import msgspec

from ledger.errors import Refusal, RowMalformed, RowNotUtf8, RowTooLong

Format = Literal["csv", "jsonl"]

LONGEST_ROW = 256 * 1024
"""Bytes; as long as a request may be."""

_BOM = b"\xef\xbb\xbf"
_CHUNK = 256 * 1024
_REQUIRED = ("debit_account", "credit_account", "amount", "currency")
_COLUMNS = frozenset((*_REQUIRED, "effective_at", "reference", "description", "idempotency_key"))
_METADATA = "metadata."
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
_SUFFIXES: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class Unreadable(Exception):
    """The file as a whole makes no sense; the message says where and why."""


class Row(NamedTuple):
    """A row that is not blank: the number of its first line, and the bytes of a JSON object or why it is none."""

    line: int
    content: bytes | Refusal


class ImportFile:
    """A file that is open for import."""

    def __init__(self, path: Path, format_: Format | None = None) -> None:
        """Raises OSError, and Unreadable for what cannot be read twice."""
        self._file: BinaryIO = path.open("rb")
        try:
            known = os.fstat(self._file.fileno())
            if not stat.S_ISREG(known.st_mode):
                raise Unreadable("it is not a file on a disk, and it has to be read twice")
            self.size = known.st_size
            self.format: Format = format_ or _SUFFIXES.get(path.suffix.lower()) or self._guessed()
        except BaseException:
            self._file.close()
            raise
        self.bytes_read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def _guessed(self) -> Format:
        beginning = self._file.read(1_024).removeprefix(_BOM).lstrip()
        return "jsonl" if beginning.startswith((b"{", b"[")) else "csv"

    def survey(self, read: Callable[[int], None] = lambda _: None) -> str:
        """The file's SHA-256 in hexadecimal; raises Unreadable. `read` is told now and then how many bytes are read."""
        digest = sha256()
        for number, _ in enumerate(self._rows(digest.update)):
            if number % 1_000 == 0:
                read(self.bytes_read)
        read(self.bytes_read)
        return digest.hexdigest()

    def rows(self) -> Iterator[Row]:
        """All rows in their order; `bytes_read` says how far it has come."""
        return self._rows()

    def _rows(self, see: Callable[[bytes], None] | None = None) -> Iterator[Row]:
        """The rows, or, if `see` is to be given every byte, only that there are rows."""
        self._file.seek(0)
        lines = _Lines(self._file, see)
        rows = _json_rows(lines) if self.format == "jsonl" else _csv_rows(lines, check_only=see is not None)
        for row in rows:
            self.bytes_read = lines.bytes_read
            yield row
        self.bytes_read = lines.bytes_read


class _Lines:
    """The lines of a file as bytes, counted from 1; one that is too long is skipped and raises RowTooLong."""

    def __init__(self, file: BinaryIO, see: Callable[[bytes], None] | None) -> None:
        self._file = file
        self._see = see
        self.number = 0
        self.bytes_read = 0
        self.quotes = 0
        self.length = 0
        """How many quotes and bytes there were since somebody set these to 0."""

    def next(self) -> bytes:
        """The next line with its end, without a byte order mark; empty at the end of the file."""
        line = self._file.readline(LONGEST_ROW + 1)
        self._count(line)
        self.number += bool(line)
        too_long = len(line) > LONGEST_ROW
        while too_long and line and not line.endswith(b"\n"):
            line = self._file.readline(_CHUNK)
            self._count(line)
        if too_long or self.length > LONGEST_ROW:
            raise RowTooLong
        return line.removeprefix(_BOM) if self.number == 1 else line

    def _count(self, line: bytes) -> None:
        self.bytes_read += len(line)
        self.length += len(line)
        self.quotes += line.count(b'"')
        if self._see is not None:
            self._see(line)


# --- JSON lines -----------------------------------------------------------------------------------------------------


def _json_rows(lines: _Lines) -> Iterator[Row]:
    first = True
    while True:
        lines.length = 0
        try:
            line = lines.next()
        except RowTooLong as refusal:
            yield Row(lines.number, refusal)
            continue
        if not line:
            return
        content = line.strip(b" \t\r\n")
        if first and content.startswith(b"["):
            raise Unreadable("JSON lines are one object on each line, and this begins with an array")
        if content:
            first = False
            yield Row(lines.number, content)


# --- CSV ------------------------------------------------------------------------------------------------------------


class _Text:
    """The lines as text for the reader of CSV. What is no UTF-8 is let through and remembered: the row is refused."""

    def __init__(self, lines: _Lines) -> None:
        self._lines = lines
        self.is_utf8 = True

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._lines.next()
        if not line:
            raise StopIteration
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.is_utf8 = False
            return line.decode("latin-1")


def _csv_rows(lines: _Lines, check_only: bool) -> Iterator[Row]:
    records = _records(lines)
    header = _header(records)
    for line, record in records:
        if isinstance(record, Refusal):
            yield Row(line, record)
        elif any(record):  # Spreadsheets end their files with rows of nothing.
            yield Row(line, b"" if check_only else _content(header, record))


def _records(lines: _Lines) -> Iterator[tuple[int, list[str] | Refusal]]:
    """Each record with the number of its first line."""
    text = _Text(lines)
    reader = csv.reader(text, strict=True)
    while True:
        first = lines.number + 1
        lines.quotes = lines.length = 0
        text.is_utf8 = True
        try:
            record = next(reader)
        except StopIteration:
            return
        except (csv.Error, RowTooLong) as error:
            if lines.quotes % 2:
                raise Unreadable(f"a quote on line {first} is not closed where its text ends") from None
            yield first, error if isinstance(error, RowTooLong) else RowMalformed(f"The row is not CSV: {error}.")
        else:
            yield first, record if text.is_utf8 else RowNotUtf8()


def _header(records: Iterator[tuple[int, list[str] | Refusal]]) -> list[str]:
    """The names of the columns, which are all known and stand once; raises Unreadable."""
    _, header = next(records, (0, None))
    if header is None:
        raise Unreadable("it is empty; a CSV file begins with the names of its columns")
    if isinstance(header, Refusal):
        raise Unreadable(f"its header cannot be read: {header.detail}")
    unknown = [name for name in header if name not in _COLUMNS and not name.startswith(_METADATA)]
    unknown += [name for name in header if name == _METADATA]
    if unknown:
        known = ", ".join((*_REQUIRED, *sorted(_COLUMNS - {*_REQUIRED}), _METADATA + "…"))
        raise Unreadable(
            f"its header has the column {unknown[0][:80]!r}; the columns, separated by commas, are {known}"
        )
    if missing := [name for name in _REQUIRED if name not in header]:
        raise Unreadable(f"its header lacks {', '.join(missing)}")
    if twice := [name for name in header if header.count(name) > 1]:
        raise Unreadable(f"its header has {twice[0]} more than once")
    return header


def _content(header: list[str], record: list[str]) -> bytes | Refusal:
    """The record as the body that the API would be sent; an empty cell is a field that is not given."""
    if len(record) != len(header):
        return RowMalformed(f"The row has {len(record)} fields, and the header has {len(header)}.")
    body: dict[str, str | int | dict[str, str]] = {}
    metadata: dict[str, str] = {}
    for name, cell in zip(header, record, strict=True):
        if not cell:
            continue
        if name.startswith(_METADATA):
            metadata[name.removeprefix(_METADATA)] = cell
        else:
            body[name] = int(cell) if name == "amount" and _WHOLE_NUMBER.fullmatch(cell) else cell
    if metadata:
        body["metadata"] = metadata
    return msgspec.json.encode(body)
