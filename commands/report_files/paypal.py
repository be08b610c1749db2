"""PayPal: the settlement report (STL), a section for each account, with totals for each currency.

RH report ─ FH file ─ ( SH section ─ CH columns ─ SB rows ─ SF totals of a currency ─ SC count )* ─ RF totals ─ RC ─ FF

Amounts are whole minor units of their currency by ISO 4217, without sign: beside each stands whether it is CR, to us,
or DR, from us. A fee is DR where PayPal keeps it. Times carry their own offset. A conversion is two rows of event T02nn
with one PayPal reference id, one for each currency; an invoice id is what we gave.

Controls: of each section and of the report the sums by currency, the count of rows, and that the opening balance and
the rows come to the closing one. A report of several files has its totals in the last of them: those that include rows
of a file before are not compared.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import BinaryIO

from commands.report_files.opening import (
    Unreadable,
    known_currency,
    moment,
    shown,
    unsigned_minor_units,
    without_card_numbers,
)
from commands.report_files.paypal_codes import kind_of
from commands.report_files.tables import Record, Row, column_names, opened_table, raw_of, read_row, rejected, row_of
from ledger.report_row import Control, FileRefused, RejectedRow, ReportItem, ReportRow

_WANTED = (
    "transactionid",
    "transactioneventcode",
    "transactiondebitorcredit",
    "grosstransactionamount",
    "grosstransactioncurrency",
    "feedebitorcredit",
    "feeamount",
    "feecurrency",
)
_IDS = frozenset({"transactionid", "invoiceid", "paypalreferenceid", "bankreferenceid", "paymenttrackingid"})
_TIME = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) ([+-][0-9]{2}):?([0-9]{2})")
_MOST_CURRENCIES = 200


@dataclass(slots=True)
class _Sums:
    """Of one currency: gross credits and debits, fee credits and debits, and the rows."""

    gross: list[int] = field(default_factory=lambda: [0, 0])
    fees: list[int] = field(default_factory=lambda: [0, 0])
    rows: int = 0
    stated: bool = False

    @property
    def movement(self) -> int:
        return self.gross[0] - self.gross[1] + self.fees[0] - self.fees[1]


@dataclass(slots=True)
class _Totals:
    """What the rows of a section, or of the report, come to, to be compared with what its footers state."""

    name: str
    can_be_compared: bool = True
    rows: int = 0
    by_currency: dict[str, _Sums] = field(default_factory=dict)

    def of(self, currency: str, line: int) -> _Sums:
        sums = self.by_currency.setdefault(currency, _Sums())
        if len(self.by_currency) > _MOST_CURRENCIES:
            raise FileRefused("it has more currencies than there are", line)
        return sums

    def compared(self, record: Record) -> Iterator[Control]:
        """The controls of one footer: SF or RF."""
        try:
            currency = _code(record.cells[1])
            stated = [unsigned_minor_units(one) for one in record.cells[2:6]]
            available, total = (_balances(record.cells[start : start + 4]) for start in (6, 10))
            # Newer versions tell what is payable to PayPal in four cells more; the count of rows stands last.
            rest = [cell for cell in record.cells[14:] if cell.strip()]
            count = unsigned_minor_units(rest[-1]) if len(rest) in (1, 5) else None
        except (Unreadable, IndexError, ValueError):
            raise FileRefused("its totals cannot be read", record.line) from None
        sums = self.of(currency, record.line)
        sums.stated = True
        if not self.can_be_compared:
            return
        words = ("gross credits", "gross debits", "fee credits", "fee debits")
        for word, told, counted in zip(words, stated, [*sums.gross, *sums.fees], strict=True):
            yield Control(f"{word} of {self.name}", record.line, told, counted, currency)
        # Where money is held back the rows move the available balance and not the total.
        opening, closing = next(
            (pair for pair in (total, available) if pair[0] + sums.movement == pair[1]),
            total,
        )
        yield Control(f"closing balance of {self.name}", record.line, closing, opening + sums.movement, currency)
        if count is not None:  # of this currency, or of all
            counted = self.rows if count == self.rows else sums.rows
            yield Control(f"rows of {self.name} in {currency}", record.line, count, counted)

    def not_stated(self, line: int) -> Iterator[Control]:
        """Currencies that moved and have no footer."""
        for currency, sums in self.by_currency.items():
            if self.can_be_compared and sums.rows and not sums.stated:
                yield Control(f"rows of {self.name} in {currency}, without totals", line, 0, sums.rows)


@dataclass(slots=True)
class _Reading:
    report: _Totals = field(default_factory=lambda: _Totals("the report"))
    section: _Totals | None = None
    sections: int = 0
    file_number: int = 1
    account: str = ""
    statement: str = ""
    columns: list[str] = field(default_factory=list)
    rows: int = 0
    lines: int = 0
    has_report_totals: bool = False
    ended: bool = False

    def items(self, record: Record) -> Iterator[ReportItem]:
        self.lines += 1
        cells, line = record.cells, record.line
        if self.ended:
            raise FileRefused("it goes on after its end", line)
        match cells[0].strip().upper():
            case "RH":
                if self.lines > 1:
                    raise FileRefused("a second report begins in it", line)
            case "FH":
                self.file_number = _number(record)
                self.report.can_be_compared = self.file_number <= 1
            case "SH":
                yield from self._section_ends(line)
                self._section_begins(record)
            case "CH":
                self.columns = column_names(record, _WANTED, lambda name: re.sub("[^a-z0-9]", "", name.lower()))
            case "SB":
                yield self._row(record)
            case "SF":
                yield from self._open_section(line).compared(record)
            case "SC":
                section = self._open_section(line)
                if section.can_be_compared:
                    yield Control(f"rows of {section.name}", line, _number(record), section.rows)
                yield from self._section_ends(line)
            case "RF":
                yield from self._section_ends(line)
                self.has_report_totals = True
                yield from self.report.compared(record)
            case "RC":
                yield from self._section_ends(line)
                if self.report.can_be_compared:
                    yield Control("rows of the report", line, _number(record), self.report.rows)
            case "FF":
                yield from self._end(record)
            case _:
                yield rejected(line, "it is no record of a settlement report", ",".join(cells))

    def _end(self, record: Record) -> Iterator[Control]:
        if self.has_report_totals:
            yield from self._section_ends(record.line)
            yield from self.report.not_stated(record.line)
        stated = _number(record)
        # Some count the rows, some all lines.
        yield Control("rows of the file", record.line, stated, self.lines if stated == self.lines else self.rows)
        self.ended = True

    def _open_section(self, line: int) -> _Totals:
        if self.section is None:
            raise FileRefused("totals of a section stand where none is", line)
        return self.section

    def _section_begins(self, record: Record) -> None:
        begin, account = ([cell.strip() for cell in record.cells] + ["", "", ""])[1:4:2]
        self.sections += 1
        self.account, self.statement = account, f"{account} {begin[:10]}".strip()
        name = f"section {self.sections} {without_card_numbers(account[:80])}".strip()
        # The first section of a further file may have begun in the file before.
        self.section = _Totals(name, can_be_compared=self.file_number <= 1 or self.sections > 1)
        self.columns = []

    def _section_ends(self, line: int) -> Iterator[Control]:
        if self.section is not None:
            yield from self.section.not_stated(line)
        self.section = None

    def _row(self, record: Record) -> ReportRow | RejectedRow:
        self.rows += 1
        self.report.rows += 1
        if self.section is None or not self.columns:
            return rejected(record.line, "it stands before the columns are named", ",".join(record.cells))
        self.section.rows += 1
        row = row_of(self.columns, record)
        return row if isinstance(row, RejectedRow) else read_row(row, self._read)

    def _read(self, row: Row) -> ReportRow:
        gross_code, gross = _code(row["grosstransactioncurrency"]), _signed(row, "grosstransaction", "transaction")
        fee_code = _code(row["feecurrency"]) if row["feecurrency"] else gross_code
        fee = -_signed(row, "fee", "fee") if row["feeamount"].strip("0") else 0
        # Counted before anything else can be wrong with the row: the footers count it too.
        for totals in (self.section, self.report):
            if totals is not None:
                sums = totals.of(gross_code, row.line)
                sums.rows += 1
                sums.gross[gross < 0] += abs(gross)
                totals.of(fee_code, row.line).fees[fee > 0] += abs(fee)
        currency, fee_currency = known_currency(gross_code), known_currency(fee_code)
        code, reference = row["transactioneventcode"].upper(), row.id("paypalreferenceid")
        is_credit = row["transactiondebitorcredit"].upper() == "CR"
        return ReportRow(
            line=row.line,
            kind=kind_of(code, is_credit),
            external_id=row.id("transactionid"),
            our_reference=row["invoiceid"] or without_card_numbers(row["customfield"]),
            gross=gross,
            currency=currency,
            fee=fee,
            fee_currency=fee_currency,
            net=gross - fee if fee_currency == currency else gross,
            net_currency=currency,
            at=_moment(row.first("transactioncompletiondate", "transactioninitiationdate")),
            bank_reference=row.id("bankreferenceid"),
            entry_id=row.id("transactionid"),
            about=reference,
            account=self.account,
            statement=self.statement,
            text=without_card_numbers(" · ".join(one for one in (code, row["customfield"]) if one)),
            raw=raw_of(row, _IDS),
        )


def read(file: BinaryIO) -> Iterator[ReportItem]:
    """Each row of a settlement report, and what its footers state."""
    first, further = opened_table(file)
    if first.cells[0].strip().upper() != "RH":
        raise FileRefused("it does not begin as a settlement report of PayPal does", first.line)
    reading = _Reading()
    yield from reading.items(first)
    for record in further:
        if isinstance(record, RejectedRow):
            yield record
        else:
            yield from reading.items(record)
    if not reading.ended:
        raise FileRefused("it breaks off before its end")


def _code(text: str) -> str:
    if not re.fullmatch("[A-Za-z]{3}", text.strip()):
        raise Unreadable(f"{shown(text)} is no currency")
    return text.strip().upper()


def _signed(row: Row, amount: str, sense: str) -> int:
    """Minor units, above 0 for a credit."""
    told = unsigned_minor_units(row[f"{amount}amount"])
    way = row[f"{sense}debitorcredit"].upper()
    if way not in ("CR", "DR"):
        raise Unreadable(f"{shown(way)} is neither CR nor DR")
    return told if way == "CR" else -told


def _balances(cells: list[str]) -> tuple[int, int]:
    """The balance at the beginning and at the end, of two pairs of sense and amount; below 0 for a debit."""
    begin_way, begin, end_way, end = cells
    opening, closing = (
        unsigned_minor_units(told) * (-1 if way.strip().upper() == "DR" else 1)
        for way, told in ((begin_way, begin), (end_way, end))
    )
    return opening, closing


def _number(record: Record) -> int:
    try:
        return unsigned_minor_units(record.cells[1])
    except (Unreadable, IndexError):
        raise FileRefused("its count cannot be read", record.line) from None


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    parts = _TIME.fullmatch(text)
    if parts is None:
        raise Unreadable(f"{shown(text)} is no time with its offset")
    year, month, of_month, clock, hours, minutes = parts.groups()
    return moment(f"{year}-{month}-{of_month}T{clock}{hours}:{minutes}", UTC)
