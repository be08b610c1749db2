"""MT940: the statements of a bank as SWIFT's message writes them, with what banks have made of it.

The reader is ours. The library mt-940 (5.1.1) was tried on the same files, split at :20: first, since it puts all
statements of a file into one: a reversed credit (RC) came out as money in, a line whose amount had a point vanished
without a word, one unreadable line took the whole file with it, no row knew its line, and the file stood in memory as a
whole. Each of these is a wrong row or a wrong balance here, so that a few lines of our own were the smaller risk.

A message begins with :20: and ends with its closing balance; several stand in a file, inside of SWIFT's blocks or not.
60F and 62F are a statement's balances, 60M and 62M those of a page between: every page proves itself, and begins with
what the page before it ended with. Senses: C and RD bring money, D and RC take it. The entry date (MMDD) is of the year
that brings it nearest to the value date. MT940 tells days and no times.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import BinaryIO

from msgspec import Struct

from commands.report_files.mt940_details import Details, details_of
from commands.report_files.opening import (
    Unreadable,
    known_currency,
    lines,
    minor_units,
    shown,
    unpacked,
    without_card_numbers,
)
from commands.report_files.short_days import short_day
from commands.report_files.statement_totals import StatementsSeen, StatementTotals
from ledger.report_row import Control, FileRefused, RejectedRow, ReportItem, ReportRow

_TAG = re.compile(r":([0-9]{2}[A-Z]?|NS):")
_BEGIN_OF_BLOCK = re.compile(r".*\{4:\s*")  # {1:...}{2:...}{3:...}, and before it the end of the last one
_BALANCE = re.compile(r"([CD])([0-9]{6})([A-Z]{3})([0-9]+(?:,[0-9]*)?)\s*")
_ENTRY = re.compile(
    r"(?P<value>[0-9]{6})(?P<entry>[0-9]{4}|\s{4})?(?P<sense>RC|RD|C|D)(?P<funds>[A-Z])?\s?(?P<amount>[0-9]+,[0-9]*)"
    r"\s?(?P<type>[A-Z][A-Z0-9 ]{3})(?P<reference>.*?)(?://(?P<bank>.*))?"
)
_CHARGED = re.compile(
    r"/OCMT/(?P<currency>[A-Z]{3})(?P<was>[0-9]+,[0-9]*)/+CHGS/(?P=currency)(?P<charge>[0-9]+,[0-9]*)"
)
_SENSES = {"C": 1, "RD": 1, "D": -1, "RC": -1}
_NOTHING = {"", "NONREF", "NOTPROVIDED", "KREF+", "EREF"}
_IDS = {"reference", "bank", "EREF", "KREF", "MREF", "PREF", "IBAN"}
_LONGEST_FIELD = 1 << 16  # characters; SWIFT allows 6 × 65


class _Field(Struct):
    """One tag with the lines up to the next."""

    line: int
    tag: str
    lines: list[str]


def read(file: BinaryIO) -> Iterator[ReportItem]:
    """The Reader of `mt940`: UTF-8, else Latin-1; packed by gzip or zip, or not."""
    reading = _Reading()
    last = 0
    for field in _fields(lines(unpacked(file), "latin-1")):
        last = field.line
        yield from reading.field(field)
    yield from reading.ends(last)


def _fields(numbered: Iterator[tuple[int, str]]) -> Iterator[_Field]:
    """Tags with their lines; what stands between messages is left out."""
    field: _Field | None = None
    size = 0
    for number, line in numbered:
        text = line.strip("\x01\x03\x1a\ufeff")
        ended = text.rstrip() == "-" or text.startswith(("{1:", "{4:", "-}"))
        if ended:
            text = _BEGIN_OF_BLOCK.sub("", text, count=1) if "{4:" in text else ""
        if (ended or (tag := _TAG.match(text))) and field is not None:
            yield field
            field = None
        if tag := _TAG.match(text):
            field, size = _Field(number, tag[1], [text[tag.end() :]]), 0
        elif field is not None and text.strip():
            field.lines.append(text)
            size += len(text)
            if size > _LONGEST_FIELD:
                raise FileRefused(f":{field.tag}: does not end", field.line)
    if field is not None:
        yield field


class _Statement:
    """One message: what stands above its entries."""

    def __init__(self, line: int, reference: str) -> None:
        self.line, self.reference = line, reference
        self.account = self.number = self.currency = ""
        self.closed = False
        self.totals = StatementTotals()

    @property
    def name(self) -> str:
        return f"{self.reference} {self.number}".strip()


class _Reading:
    """The file while it is read; an entry waits for its :86:."""

    def __init__(self) -> None:
        self._statement: _Statement | None = None
        self._entry: _Field | None = None
        self._details: list[str] = []
        self._carried: dict[str, tuple[str, int]] = {}
        self._seen = StatementsSeen()

    def field(self, field: _Field) -> Iterator[ReportItem]:
        if field.tag == "86":
            self._details += field.lines  # behind the closing balance it is about the statement, and nobody asks
            self._contains(field)
            return
        yield from self._entry_ends()
        if field.tag == "20":
            yield from self._statement_ends()
            self._statement = _Statement(field.line, field.lines[0].strip())
        statement = self._statement
        if statement is None:
            raise FileRefused(f":{field.tag}: comes before any :20:; it is not MT940", field.line)
        self._contains(field)
        match field.tag:
            case "25" | "25P":
                statement.account = field.lines[0].strip()
            case "28" | "28C":
                statement.number = field.lines[0].strip()
            case "60F" | "60M":
                yield from self._opens(statement, field)
            case "61":
                if not statement.currency:
                    raise FileRefused(
                        "an entry comes before the opening balance; MT941 and MT942 are not read", field.line
                    )
                if statement.closed:
                    raise FileRefused("an entry comes behind the closing balance", field.line)
                self._entry, self._details = field, []
            case "62F" | "62M":
                yield from self._closes(statement, field)

    def ends(self, line: int) -> Iterator[ReportItem]:
        yield from self._entry_ends()
        if self._statement is None:
            raise FileRefused("there is no statement in it", line)
        yield from self._statement_ends()

    def _contains(self, field: _Field) -> None:
        if self._statement is not None:
            self._statement.totals.contains(f":{field.tag}:" + "\n".join(field.lines))

    def _opens(self, statement: _Statement, field: _Field) -> Iterator[Control]:
        if statement.currency:
            raise FileRefused("a second opening balance comes without a :20: before it", field.line)
        currency, minor = _balance(field)
        statement.currency = currency
        statement.totals.opens(currency, minor)
        before = self._carried.pop(statement.account, None)
        if field.tag == "60M" and before is not None and before[0] == currency:
            yield Control(f"balance carried to {statement.name}", field.line, minor, before[1], currency)

    def _closes(self, statement: _Statement, field: _Field) -> Iterator[Control]:
        if statement.closed or not statement.currency:
            raise FileRefused("a closing balance comes without its opening one", field.line)
        statement.closed = True
        currency, minor = _balance(field)
        statement.totals.closes(currency, minor)
        if field.tag == "62M":
            self._carried[statement.account] = currency, minor
        yield from statement.totals.controls(statement.name, field.line)

    def _statement_ends(self) -> Iterator[Control]:
        statement = self._statement
        if statement is None:
            return
        if not statement.closed:
            raise FileRefused(f"the statement {statement.name} ends before its closing balance", statement.line)
        yield from self._seen.controls(statement.totals, statement.name, statement.line)

    def _entry_ends(self) -> Iterator[ReportRow | RejectedRow]:
        field, statement = self._entry, self._statement
        self._entry = None
        if field is None or statement is None:
            return
        try:
            yield _row(field, details_of(self._details), statement)
        except Unreadable as reason:
            raw = "\n".join([f":61:{field.lines[0]}", *field.lines[1:], *self._details])
            yield RejectedRow(field.line, str(reason), without_card_numbers(raw))


def _balance(field: _Field) -> tuple[str, int]:
    text = field.lines[0]
    try:
        if not (found := _BALANCE.fullmatch(text)):
            raise Unreadable(f"{shown(text)} is no balance")
        short_day(found[2])
        currency = known_currency(found[3])
        minor = minor_units(found[4], currency, point=",", padded=True)
    except Unreadable as reason:
        raise FileRefused(f":{field.tag}: cannot be read: {reason}", field.line) from reason
    return currency, minor if found[1] == "C" else -minor


def _row(field: _Field, details: Details, statement: _Statement) -> ReportRow:
    """The entry with its details; once its amount is read it counts in the balance, whatever else is wrong with it."""
    text, supplement = field.lines[0].rstrip(), " ".join(line.strip() for line in field.lines[1:])
    found = _ENTRY.fullmatch(text)
    if not found:
        raise Unreadable(f"{shown(text)} is no entry")
    currency = statement.currency
    sense = _SENSES[found["sense"]]
    net = sense * minor_units(found["amount"], currency, point=",", padded=True)
    statement.totals.moves(currency, net)
    value_date = short_day(found["value"])
    raw = {key: value.strip() for key, value in found.groupdict("").items() if value.strip()}
    if "entry" in raw:
        raw["entry"] = _nearest(raw["entry"], value_date).isoformat()
    if supplement:
        raw["supplement"] = supplement
    bank = (found["bank"] or "").strip()
    reference = found["reference"].strip()
    fee = _included_charge(supplement, currency, net)
    returned = details.returned or ("returned" if found["type"] == "NRTI" else "")
    ours = details.end_to_end_id or ("" if reference.upper() in _NOTHING else reference)
    said = [f"returned {details.returned}".strip() if returned else ""]
    said += ["reversal" if found["sense"].startswith("R") else "", details.text, supplement]
    return ReportRow(
        line=field.line,
        kind="credit" if sense > 0 else "debit",
        external_id="" if bank.upper() in _NOTHING else bank,
        our_reference=ours,
        gross=net + fee,
        currency=currency,
        fee=fee,
        fee_currency=currency,
        net=net,
        net_currency=currency,
        value_date=value_date,
        batch=details.batch,
        bank_reference="" if bank.upper() in _NOTHING else bank,
        about=ours if returned else "",
        account=statement.account,
        statement=statement.name,
        text=without_card_numbers(" | ".join(one for one in said if one)),
        raw={key: _masked(key, value) for key, value in (raw | details.fields).items()},
    )


def _masked(key: str, value: str) -> str:
    return value if key.strip("/+") in _IDS else without_card_numbers(value)


def _included_charge(supplement: str, currency: str, net: int) -> int:
    """The charge beside the original amount, if both come to the entry: then it includes it."""
    found = _CHARGED.search(supplement)
    if not found or found["currency"] != currency:
        return 0
    was = minor_units(found["was"], currency, point=",", padded=True)
    charge = minor_units(found["charge"], currency, point=",", padded=True)
    return charge if net == (was if net > 0 else -was) - charge else 0


def _nearest(month_and_day: str, to: date) -> date:
    """The entry date names no year: around New Year it may be another than the value date's."""
    days = []
    for year in (to.year - 1, to.year, to.year + 1):
        try:
            days.append(date(year, int(month_and_day[:2]), int(month_and_day[2:])))
        except ValueError:  # also 29 February in a year without it
            continue
    if not days:
        raise Unreadable(f"{shown(month_and_day)} is no day of a year")
    return min(days, key=lambda one: abs((one - to).days))
