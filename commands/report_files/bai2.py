"""BAI2: the balance reports of American and Canadian banks, read record by record, with every total they state.

01 file ─ 02 group (bank, day, currency) ─ 03 account with its totals ─ 16 entries ─ 49, 98, 99 the sums of each

Amounts are minor units of the account's currency, else of the group's, else USD. The type code has the sense: 100-399
and 920-959 bring money, 400-699 and 960-999 take it; of loans 720-759 and 760-799; 890 is a message without money.
BAI2 tells a day and no zone: the value date is that of funds type V, else the day that the group is as of; another
availability stands in `raw`. A group that is interim only announces, one that deletes or tests is not read as money.

010 + entries = 015 is checked where an account has entries at all: a report of totals alone has nothing to match. 100
and 400 (total credits, debits) are checked where the number of items beside them says that all are there.
"""

from collections.abc import Iterator
from typing import BinaryIO

from commands.report_files.bai2_records import Fields, Record, number, records, signed_amount, take_funds
from commands.report_files.opening import Unreadable, known_currency, lines, shown, unpacked, without_card_numbers
from commands.report_files.short_days import short_day
from commands.report_files.statement_totals import StatementsSeen, StatementTotals
from ledger.report_row import Control, FileRefused, RejectedRow, ReportItem, ReportRow, RowKind

_OPENING, _CLOSING, _CREDITS, _DEBITS = "010", "015", "100", "400"
_SENSES = [
    (range(100, 400), 1),
    (range(400, 700), -1),
    (range(720, 760), 1),
    (range(760, 800), -1),
    (range(920, 960), 1),
    (range(960, 1000), -1),
]
_MESSAGE = "890"
_INTERIM = {"1", "3"}
_NOT_MONEY = {"2": "its group deletes what was sent before", "4": "its group is a test"}
_MOST_SHOWN = 2_000  # characters of a rejected record


def read(file: BinaryIO) -> Iterator[ReportItem]:
    """The Reader of `bai2`: ASCII or UTF-8, else Latin-1; packed by gzip or zip, or not."""
    reading = _Reading()
    for record in records(lines(unpacked(file), "latin-1")):
        yield from reading.record(record)
    reading.ends()


class _Level:
    """A file, a group or an account: what its trailer is compared with."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.total = 0
        self.members = 0
        self.records = 0
        self.currencies: set[str] = set()

    def add(self, member: "_Level") -> None:
        self.total += member.total
        self.members += 1
        self.records += member.records
        self.currencies |= member.currencies

    def controls(self, record: Record, members: str) -> Iterator[Control]:
        """The trailer: total, number of members where it states one, number of records."""
        fields = Fields(record)
        try:
            total = signed_amount(fields.take() or "")
            stated_members = number(fields.take() or "") if members else 0
            stated_records = number(fields.take() or "")
        except Unreadable as reason:
            raise FileRefused(f"the trailer {record.code} cannot be read: {reason}", record.line) from reason
        # Sums over several currencies are sums of digits, and of none.
        currency = next(iter(self.currencies)) if len(self.currencies) == 1 else ""
        yield Control(f"control total of {self.name}", record.line, total, self.total, currency)
        if members:
            yield Control(f"{members} of {self.name}", record.line, stated_members, self.members)
        yield Control(f"records of {self.name}", record.line, stated_records, self.records)


class _Group(_Level):
    def __init__(self, record: Record) -> None:
        fields = Fields(record)
        _, sender, status, as_of, _, currency, modifier = ((fields.take() or "") for _ in range(7))
        super().__init__(f"group {sender} {as_of}".strip())
        try:
            self.as_of = short_day(as_of[2:] if len(as_of) == 8 else as_of)
        except Unreadable as reason:
            raise FileRefused(f"the group is of no day: {reason}", record.line) from reason
        self.status, self.currency, self.modifier = status, currency, modifier


class _Account(_Level):
    """One account of a group, which is one statement."""

    def __init__(self, number_of_it: str, currency: str, group: _Group) -> None:
        super().__init__(f"account {number_of_it} {group.as_of}")
        self.number, self.currency, self.as_of = number_of_it, currency, group.as_of
        self.currencies = {currency}
        self.totals = StatementTotals()
        self.totals.contains(repr([group.name, group.status, group.modifier]))
        self.summary: dict[str, tuple[int, str]] = {}
        self.sums = {1: 0, -1: 0}
        self.counts = {1: 0, -1: 0}

    @property
    def statement(self) -> str:
        return f"{self.number} {self.as_of}"

    def read_summary(self, fields: Fields) -> None:
        """Type, amount, number of items and funds, again and again."""
        while (code := fields.take()) is not None:
            amount, items = fields.take() or "", fields.take() or ""
            take_funds(fields)
            if amount:
                minor = signed_amount(amount)
                self.total += minor
                self.summary[code] = minor, items

    def moves(self, sense: int, amount: int) -> None:
        self.sums[sense] += amount
        self.counts[sense] += 1
        self.totals.moves(self.currency, sense * amount)

    def proofs(self, line: int) -> Iterator[Control]:
        if any(self.counts.values()):
            if _OPENING in self.summary:
                self.totals.opens(self.currency, self.summary[_OPENING][0])
            if _CLOSING in self.summary:
                self.totals.closes(self.currency, self.summary[_CLOSING][0])
            yield from self.totals.controls(self.statement, line)
        for code, sense, name in ((_CREDITS, 1, "total credits"), (_DEBITS, -1, "total debits")):
            amount, items = self.summary.get(code, (0, ""))
            if items.isascii() and items.isdigit() and int(items) == self.counts[sense]:
                yield Control(f"{name} {self.statement}", line, abs(amount), self.sums[sense], self.currency)


class _Reading:
    """The file while it is read: which file, group and account are open."""

    def __init__(self) -> None:
        self._file: _Level | None = None
        self._group: _Group | None = None
        self._account: _Account | None = None
        self._files = 0
        self._last = 0
        self._seen = StatementsSeen()

    def record(self, record: Record) -> Iterator[ReportItem]:
        self._last = record.line
        if self._file is None and record.code != "01":
            raise FileRefused("it does not begin with a record 01; it is not BAI2", record.line)
        if self._account is not None:
            self._account.records += record.lines
            self._account.totals.contains(record.raw)
        match record.code:
            case "01":
                self._begins_file(record)
            case "02":
                self._begins_group(record)
            case "03":
                yield from self._begins_account(record)
            case "16":
                yield self._entry(record)
            case "49":
                yield from self._ends_account(record)
            case "98":
                yield from self._ends_group(record)
            case "99":
                yield from self._ends_file(record)
            case _:
                yield _rejected(record, f"the record code {shown(record.code)} is not known")

    def ends(self) -> None:
        if not self._files:
            raise FileRefused("there is no record 01 in it; it is not BAI2")
        if self._file is not None:
            raise FileRefused("it ends before its record 99", self._last)

    def _begins_file(self, record: Record) -> None:
        if self._file is not None:
            raise FileRefused("a second record 01 comes before the record 99", record.line)
        fields = Fields(record)
        *_, version = ((fields.take() or "") for _ in range(8))
        if version != "2":
            raise FileRefused(f"it is version {shown(version)} and not 2 of BAI", record.line)
        self._files += 1
        self._file = _Level("file")
        self._file.records = record.lines

    def _begins_group(self, record: Record) -> None:
        if self._group is not None:
            raise FileRefused("a record 02 comes before the group above it has ended", record.line)
        self._group = _Group(record)
        self._group.records = record.lines

    def _begins_account(self, record: Record) -> Iterator[RejectedRow]:
        if self._group is None or self._account is not None:
            raise FileRefused("a record 03 comes where no account can begin", record.line)
        fields = Fields(record)
        number_of_it, currency = fields.take() or "", fields.take() or ""
        self._account = _Account(number_of_it, (currency or self._group.currency or "USD").upper(), self._group)
        self._account.records = record.lines
        self._account.totals.contains(record.raw)
        try:
            self._account.read_summary(fields)
        except Unreadable as reason:  # the control total of the account then does not hold either
            yield _rejected(record, str(reason))

    def _entry(self, record: Record) -> ReportRow | RejectedRow:
        if self._group is None or self._account is None:
            raise FileRefused("a record 16 comes outside of an account", record.line)
        try:
            return _row(record, self._group, self._account)
        except Unreadable as reason:
            return _rejected(record, str(reason))

    def _ends_account(self, record: Record) -> Iterator[Control]:
        account = self._account
        if account is None or self._group is None:
            raise FileRefused("a record 49 comes where no account has begun", record.line)
        yield from account.controls(record, "")
        yield from account.proofs(record.line)
        yield from self._seen.controls(account.totals, account.statement, record.line)
        self._group.add(account)
        self._account = None

    def _ends_group(self, record: Record) -> Iterator[Control]:
        group = self._group
        if group is None or self._file is None or self._account is not None:
            raise FileRefused("a record 98 comes where no group can end", record.line)
        group.records += record.lines
        yield from group.controls(record, "accounts")
        self._file.add(group)
        self._group = None

    def _ends_file(self, record: Record) -> Iterator[Control]:
        if self._file is None or self._group is not None:
            raise FileRefused("a record 99 comes before its groups have ended", record.line)
        self._file.records += record.lines
        yield from self._file.controls(record, "groups")
        self._file = None


def _row(record: Record, group: _Group, account: _Account) -> ReportRow:
    """An entry; once its amount is read it counts in the totals, whatever else is wrong with it."""
    fields = Fields(record)
    code, amount_text = fields.take() or "", fields.take() or ""
    amount = 0 if code == _MESSAGE and not amount_text else signed_amount(amount_text)
    account.total += amount
    if amount < 0:
        raise Unreadable(f"the amount {shown(amount_text)} has a sign, and its type code one too")
    sense, kind = _sense_and_kind(code, amount)
    if sense:
        account.moves(sense, amount)
    currency = known_currency(account.currency)
    funds = take_funds(fields)
    bank, customer, text = _reference(fields.take()), _reference(fields.take()), fields.text()
    if group.status in _NOT_MONEY:
        raise Unreadable(_NOT_MONEY[group.status])
    told = {"type": code, "amount": amount_text, "funds": funds.told, "bank": bank, "customer": customer}
    return ReportRow(
        line=record.line,
        kind=kind,
        external_id=bank,
        our_reference=customer,
        gross=sense * amount,
        currency=currency,
        fee=0,
        fee_currency=currency,
        net=sense * amount,
        net_currency=currency,
        value_date=funds.value_date or account.as_of,
        bank_reference=bank,
        account=account.number,
        statement=account.statement,
        text=without_card_numbers(text),
        posted=sense != 0 and group.modifier not in _INTERIM,
        raw={key: value for key, value in told.items() if value} | {"text": without_card_numbers(text)},
    )


def _sense_and_kind(code: str, amount: int) -> tuple[int, RowKind]:
    if code == _MESSAGE and not amount:
        return 0, "unknown"
    if len(code) == 3 and code.isascii() and code.isdigit():
        for codes, sense in _SENSES:
            if int(code) in codes:
                return sense, "credit" if sense > 0 else "debit"
    raise Unreadable(f"the type code {shown(code)} is neither a credit nor a debit")


def _reference(text: str | None) -> str:
    bare = (text or "").strip()
    return bare if bare.strip("0") else ""


def _rejected(record: Record, reason: str) -> RejectedRow:
    return RejectedRow(record.line, reason, without_card_numbers(record.raw[:_MOST_SHOWN]))
