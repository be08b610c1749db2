"""BAI2 records: physical lines joined to logical records, and their fields taken one by one.

A record ends with a stroke, and what is missing of it goes on in records 88. The number of its fields depends on what
they say (funds types), so that they are taken from left to right; the last one, text, is all that remains: it may hold
commas and strokes, and goes on in the next 88 as text.
"""

import re
from collections.abc import Iterator
from datetime import date

from msgspec import Struct

from commands.report_files.opening import Unreadable, shown
from commands.report_files.short_days import short_day
from ledger.money import LARGEST
from ledger.report_row import FileRefused

LARGEST_RECORD = 1 << 20  # characters with all continuations
_CONTINUATION = "88"
_LINE = re.compile(r"([0-9]{2})(?:,(.*))?")
_AMOUNT = re.compile(r"[+-]?[0-9]{1,19}")
_MOST_DAYS = 99  # of a distributed availability


class Record(Struct):
    """One logical record: its code, where it begins, how many lines it takes, and their contents."""

    code: str
    line: int
    lines: int
    parts: list[str]

    @property
    def raw(self) -> str:
        return "\n".join([f"{self.code},{self.parts[0]}", *(f"{_CONTINUATION},{part}" for part in self.parts[1:])])


def records(numbered: Iterator[tuple[int, str]]) -> Iterator[Record]:
    """Logical records in order; a line without a code of two digits is a record with the code `??`."""
    record: Record | None = None
    size = 0
    for number, line in numbered:
        text = line.strip(" \t\x1a\ufeff")
        if not text:
            continue
        found = _LINE.fullmatch(text.removesuffix("/"))
        code, content = (found[1], found[2] or "") if found else ("??", text)
        size = size + len(text) if code == _CONTINUATION else len(text)
        if size > LARGEST_RECORD:
            raise FileRefused("a record in it is too long", number)
        if code == _CONTINUATION and record is not None:
            record.parts.append(content)
            record.lines += 1
            continue
        if record is not None:
            yield record
        record = Record(code, number, 1, [content])
    if record is not None:
        yield record


class Fields:
    """The fields of one record, from left to right."""

    def __init__(self, record: Record) -> None:
        self._parts = iter(record.parts)
        self._rest = next(self._parts, None)

    def take(self) -> str | None:
        """The next field; None where there is none."""
        if self._rest is None:
            return None
        field, comma, rest = self._rest.partition(",")
        self._rest = rest if comma else next(self._parts, None)
        return field.strip()

    def text(self) -> str:
        """All that remains, commas and all."""
        remaining = [] if self._rest is None else [self._rest, *self._parts]
        self._rest = None
        return " ".join(part.strip() for part in remaining).strip()


class Funds(Struct, frozen=True):
    """When an amount is available, as far as it says: `told` is what stood there."""

    value_date: date | None
    told: str


def take_funds(fields: Fields) -> Funds:
    """A funds type with as many fields as it brings; raises Unreadable where that cannot be known."""
    kind = (fields.take() or "").upper()
    match kind:
        case "" | "0" | "1" | "2" | "Z":
            return Funds(None, kind)
        case "V":
            on, at = fields.take() or "", fields.take() or ""
            return Funds(short_day(on) if on else None, " ".join(one for one in (kind, on, at) if one))
        case "S":
            return Funds(None, " ".join([kind, *((fields.take() or "0") for _ in range(3))]))
        case "D":
            days = fields.take() or "0"
            if not days.isascii() or not days.isdigit() or int(days) > _MOST_DAYS:
                raise Unreadable(f"{shown(days)} is no number of days of availability")
            return Funds(None, " ".join([kind, days, *((fields.take() or "0") for _ in range(2 * int(days)))]))
    raise Unreadable(f"the funds type {shown(kind)} is not known, and with it the fields behind it")


def signed_amount(text: str) -> int:
    """An amount in minor units, as BAI2 writes it: without a point, with or without a sign."""
    if not _AMOUNT.fullmatch(text) or abs(int(text)) > LARGEST:
        raise Unreadable(f"{shown(text)} is no amount in minor units")
    return int(text)


def number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text):
        raise Unreadable(f"{shown(text)} is no number")
    return int(text)
