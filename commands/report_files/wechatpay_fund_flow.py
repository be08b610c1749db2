"""WeChat Pay's fund-flow bill (资金流水): the statement of a merchant's account there, with the balance after each row.

It tells again what the trade bill tells, and withdrawals, which that does not. So its rows are those of a bank, credit
or debit, whatever they are for, and nothing is a sale twice because both bills are read; a withdrawal to the bank
(提现) is a payout, one that came back a payout returned. Their `statement` is `资金流水`. Times are China's (+08:00),
money is yuan; amounts are unsigned, 收支类型 says which way they go.

`external_id` is the flow's number, `about` WeChat Pay's number of the business, `our_reference` the voucher's: of the
attempt or refund.
"""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from commands.report_files.controls import sum_control
from commands.report_files.opening import Unreadable, minor_units, shown, without_card_numbers
from commands.report_files.tables import Row, raw_of, rejected
from commands.report_files.wechatpay_sheet import YUAN, Sheet, given, time_of
from ledger.report_row import Control, RejectedRow, ReportItem, ReportRow, RowKind

MARK = "资金流水单号"
STATEMENT = "资金流水"
_IN, _OUT, _WITHDRAWAL = "收入", "支出", "提现"
_TIME, _BUSINESS, _FLOW, _VOUCHER = "记账时间", "微信支付业务单号", MARK, "业务凭证号"
_NAME, _TYPE, _WAY, _AMOUNT, _BALANCE = "业务名称", "业务类型", "收支类型", "收支金额", "账户结余"
_WANTED = (_TIME, _FLOW, _TYPE, _WAY, _AMOUNT, _BALANCE)
_IDS = (_BUSINESS, _FLOW, _VOUCHER)
_COUNTS = {"资金流水总笔数": "", "收入笔数": _IN, "支出笔数": _OUT}
_SUMS = {"收入金额": _IN, "支出金额": _OUT}


def read_fund_flow(sheet: Sheet) -> Iterator[ReportItem]:
    """The rows, then the running balance and what the last lines state."""
    counts, sums, chain = Counter[str](), Counter[str](), _Chain()
    for row in sheet.rows(_WANTED):
        if isinstance(row, RejectedRow):
            chain.interrupted()
            yield row
            continue
        counts.update({"": 1, row[_WAY]: 1} if row[_WAY] in (_IN, _OUT) else {"": 1})
        try:
            gross, balance = _gross(row), minor_units(row[_BALANCE], YUAN)
            sums[row[_WAY]] += abs(gross)
            chain.follow(row.line, gross, balance)
            yield _read(row, gross)
        except Unreadable as error:
            chain.interrupted()
            yield rejected(row.line, str(error), ",".join(row.cells.values()))
    yield from chain.controls()
    for name, way in _COUNTS.items():
        if name in sheet.sums:
            yield Control(name, sheet.line, sheet.count(name), counts[way])
    for name, way in _SUMS.items():
        if name in sheet.sums:
            yield sum_control(name, sheet.line, sheet.sum(name), Decimal(sums[way]), YUAN)


def _gross(row: Row) -> int:
    amount = minor_units(row[_AMOUNT], YUAN)
    if amount < 0 or row[_WAY] not in (_IN, _OUT):
        raise Unreadable(f"{shown(row[_AMOUNT])} as {shown(row[_WAY])} goes neither way")
    return amount if row[_WAY] == _IN else -amount


def _read(row: Row, gross: int) -> ReportRow:
    kind: RowKind = "credit" if row[_WAY] == _IN else "debit"
    if _WITHDRAWAL in row[_NAME] or _WITHDRAWAL in row[_TYPE]:
        kind = "payout" if row[_WAY] == _OUT else "payout_returned"
    words = dict.fromkeys(one for one in (row[_NAME], row[_TYPE], row["备注"]) if one)
    return ReportRow(
        line=row.line,
        kind=kind,
        external_id=given(row.id(_FLOW)),
        our_reference=given(row[_VOUCHER]),
        gross=gross,
        currency=YUAN,
        fee=0,
        fee_currency=YUAN,
        net=gross,
        net_currency=YUAN,
        at=time_of(row[_TIME]),
        about=given(row[_BUSINESS]),
        statement=STATEMENT,
        text=without_card_numbers("; ".join(words)),
        raw=raw_of(row, _IDS),
    )


class _Chain:
    """Whether each balance follows from the one beside it; a bill runs forwards or backwards in time, and only so."""

    def __init__(self) -> None:
        self._last: tuple[int, int] | None = None
        self._forwards: Control | None = None
        self._backwards: Control | None = None
        self._holds: Control | None = None

    def interrupted(self) -> None:
        """What a row did is not known: the balances after it are followed from there."""
        self._last = None

    def follow(self, line: int, amount: int, balance: int) -> None:
        name = "running balance"
        if self._last is not None:
            amount_before, balance_before = self._last
            onwards = Control(name, line, balance, balance_before + amount, YUAN)
            back = Control(name, line, balance_before, balance + amount_before, YUAN)
            self._forwards = self._forwards or (None if onwards.holds else onwards)
            self._backwards = self._backwards or (None if back.holds else back)
        self._holds = Control(name, line, balance, balance, YUAN)
        self._last = amount, balance

    def controls(self) -> Iterator[Control]:
        """The last balance where all follow, else the first that does not."""
        if self._holds is not None:
            yield self._forwards if self._forwards and self._backwards else self._holds
