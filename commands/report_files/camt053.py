"""ISO 20022 camt.053: the statements of a bank in every version of the message, read entry by entry.

The namespace ends in `camt.053.001.NN`; the versions 02 to 13 differ in places that are read both ways (Sts and Sts/Cd,
Nm and Pty/Nm, Dt and DtTm). XML has no lines that mean anything, and many banks write a file as one: `line` of rows and
controls is the how-manieth row of the file, that of a refusal the line of the XML.

The sense of an entry is its CdtDbtInd. RvslInd does not turn it round: ISO 20022 says that a CRDT entry with RvslInd
was a debit before it was reversed, so that the entry itself is already the credit. A bank that means it otherwise
fails the control of its own balances.

Balances: OPBD or PRCD opens and CLBD closes; a page in between begins and ends with ITBD. Available and forward
balances say nothing about entries. Entries that are PDNG, INFO or FUTR are announced, not booked, and count in no
balance. Without a ValDt the day of the booking counts.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from commands.report_files.camt053_entries import Details, entry_rows, sense_of, stated, unsigned
from commands.report_files.opening import Unreadable, shown, unpacked, without_card_numbers
from commands.report_files.statement_totals import StatementsSeen, StatementTotals
from commands.report_files.xml_elements import Element, parts
from ledger.report_row import Control, FileRefused, RejectedRow, ReportItem, ReportRow

NAMESPACES = tuple(f"camt.053.001.{version:02}" for version in range(2, 14))
_MESSAGE = "Document/BkToCstmrStmt"
_STATEMENT = f"{_MESSAGE}/Stmt"
_ENTRY = f"{_STATEMENT}/Ntry"
_DETAIL = f"{_ENTRY}/NtryDtls/TxDtls"
_OPENED = frozenset({"Document", _MESSAGE, _STATEMENT})
_MOST_SHOWN = 2_000  # characters of a rejected entry
_BALANCES = {"OPBD", "PRCD", "CLBD", "ITBD"}
_SIGNS = {"CRDT": 1, "DBIT": -1}


def read(file: BinaryIO) -> Iterator[ReportItem]:
    """The Reader of `camt053`: packed by gzip or zip, or not."""
    reading = _Reading()
    with reading.details:
        for path, element, finished in parts(unpacked(file), "Document", _known, _OPENED, frozenset({_DETAIL})):
            yield from reading.part(path, element, finished)
    if not reading.statements:
        raise FileRefused("there is no statement in it")


def _known(namespace: str, line: int) -> None:
    if not namespace.endswith(NAMESPACES):
        raise FileRefused(f"it is not camt.053 of version 02 to 13 but “{namespace[:100]}”", line)


class _Tally:
    """Entries counted and added up by their sense, without regard to their sign."""

    def __init__(self) -> None:
        self.entries = {"CRDT": 0, "DBIT": 0}
        self.sums = {"CRDT": 0, "DBIT": 0}

    def add(self, sense: str, amount: int) -> None:
        self.entries[sense] += 1
        self.sums[sense] += amount


class _Statement:
    """What a statement says above its entries, and what its entries come to."""

    def __init__(self) -> None:
        self.id = self.account = self.page = self.currency = ""
        self.balances: list[tuple[str, str, int]] = []
        self.summary: Element | None = None
        self.totals = StatementTotals()
        self.all, self.booked = _Tally(), _Tally()
        self.currencies: set[str] = set()

    @property
    def name(self) -> str:
        return f"{self.id} page {self.page}" if self.page else self.id

    def controls(self, line: int) -> Iterator[Control]:
        for currency in sorted({currency for _, currency, _ in self.balances}):
            opening, closing = self._opening_and_closing(currency)
            if opening is not None:
                self.totals.opens(currency, opening)
            if closing is not None:
                self.totals.closes(currency, closing)
        yield from self.totals.controls(self.name, line)
        if self.summary is not None:
            try:
                yield from self._summary(self.summary, line)
            except Unreadable as reason:
                raise FileRefused(f"its summary cannot be read: {reason}", self.summary.line) from reason

    def _opening_and_closing(self, currency: str) -> tuple[int | None, int | None]:
        stated: dict[str, list[int]] = {}
        for code, of, minor in self.balances:
            if of == currency:
                stated.setdefault(code, []).append(minor)
        between = stated.get("ITBD", [])
        opening = stated.get("OPBD", stated.get("PRCD", []))
        closing = stated.get("CLBD", [])
        if not opening:
            opening, between = between[:1], between[1:]
        return next(iter(opening), None), next(iter(closing or between[-1:]), None)

    def _summary(self, summary: Element, line: int) -> Iterator[Control]:
        """Counts and sums of entries; banks differ in whether announced ones are among them, so both are theirs."""
        currencies = self.currencies or ({self.currency} if self.currency else set())
        for part, senses in (
            ("TtlNtries", ["CRDT", "DBIT"]),
            ("TtlCdtNtries", ["CRDT"]),
            ("TtlDbtNtries", ["DBIT"]),
        ):
            of = f"{part} {self.name}"
            if number := summary.text_at(f"{part}/NbOfNtries"):
                counts = [sum(tally.entries[sense] for sense in senses) for tally in (self.all, self.booked)]
                stated_number = _count(number)
                yield Control(f"entries {of}", line, stated_number, _nearer(stated_number, counts))
            # A sum over several currencies is of none.
            if len(currencies) == 1 and (element := summary.first(f"{part}/Sum")) is not None:
                currency = next(iter(currencies))
                sums = [sum(tally.sums[sense] for sense in senses) for tally in (self.all, self.booked)]
                stated_sum = unsigned(element.text, currency)
                yield Control(f"sum {of}", line, stated_sum, _nearer(stated_sum, sums), currency)
        net = summary.text_at("TtlNtries/TtlNetNtry/Amt") or summary.text_at("TtlNtries/TtlNetNtryAmt")
        sense = summary.text_at("TtlNtries/TtlNetNtry/CdtDbtInd") or summary.text_at("TtlNtries/CdtDbtInd")
        if net and sense in _SIGNS and len(currencies) == 1:
            currency = next(iter(currencies))
            nets = [tally.sums["CRDT"] - tally.sums["DBIT"] for tally in (self.all, self.booked)]
            stated_net = _SIGNS[sense] * unsigned(net, currency)
            yield Control(f"net TtlNtries {self.name}", line, stated_net, _nearer(stated_net, nets), currency)


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text):
        raise Unreadable(f"{shown(text)} is no number of entries")
    return int(text)


def _nearer(stated_total: int, counted: list[int]) -> int:
    return stated_total if stated_total in counted else counted[0]


class _Reading:
    """The file while it is read: where it is, and the statement that is open."""

    def __init__(self) -> None:
        self.statements = 0
        self.rows = 0
        self.details = Details()
        self._statement = _Statement()
        self._seen = StatementsSeen()

    def part(self, path: str, element: Element, finished: bool) -> Iterator[ReportItem]:
        """One part of the document, in the order in which they come."""
        if path == _STATEMENT and not finished:
            self.statements += 1
            self._statement = _Statement()
        elif path == _STATEMENT:
            yield from self._statement.controls(self.rows)
            yield from self._seen.controls(self._statement.totals, self._statement.name, self.rows)
        elif path == _DETAIL:
            self.details.add(element)
        elif path == _ENTRY:
            yield from self._entry(element)
            self.details.clear()
        elif path.startswith(_STATEMENT):
            self._head(element)

    def _head(self, element: Element) -> None:
        statement = self._statement
        match element.name:
            case "Id":
                statement.id = element.text
            case "StmtPgntn":
                statement.page = element.text_at("PgNb")
            case "Acct":
                statement.account = element.text_at("Id/IBAN") or element.text_at("Id/Othr/Id")
                statement.currency = element.text_at("Ccy")
            case "Bal":
                self._balance(element)
            case "TxsSummry":
                statement.summary = element
        statement.totals.contains(repr([element.name, element.text, *element.fields()]))

    def _balance(self, element: Element) -> None:
        code = element.text_at("Tp/CdOrPrtry/Cd")
        if code not in _BALANCES:
            return
        try:
            amount = element.first("Amt")
            currency = amount.attributes.get("Ccy", "") if amount is not None else ""
            minor = sense_of(element) * unsigned(element.text_at("Amt"), currency)
        except Unreadable as reason:
            raise FileRefused(f"its balance {code} cannot be read: {reason}", element.line) from reason
        self._statement.balances.append((code, currency, minor))

    def _entry(self, entry: Element) -> Iterator[ReportRow | RejectedRow]:
        statement = self._statement
        statement.totals.contains(repr(list(entry.fields())))
        statement.totals.contains(self.details.content)
        try:
            booking = stated(entry)
        except Unreadable as reason:
            yield self._rejected(entry, reason)
            return
        statement.currencies.add(booking.currency)
        statement.all.add(booking.sense, booking.amount)
        if booking.posted:
            statement.booked.add(booking.sense, booking.amount)
            statement.totals.moves(booking.currency, booking.minor)
        try:
            for row in entry_rows(entry, booking, self.details, statement.account, statement.name, self.rows + 1):
                self.rows = row.line
                yield row
        except Unreadable as reason:
            yield self._rejected(entry, reason)

    def _rejected(self, entry: Element, reason: Unreadable) -> RejectedRow:
        self.rows += 1
        raw = "\n".join(f"{path}: {text}" for path, text in entry.fields())
        return RejectedRow(
            self.rows, f"the entry on line {entry.line}: {reason}", without_card_numbers(raw[:_MOST_SHOWN])
        )
