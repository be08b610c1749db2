"""WeChat Pay: the trade bill of a day in each of its column sets; its fund-flow bill is told by its heading.

Column sets: ALL of today (27 columns), REFUND (29, with the times of the refund), SUCCESS (20, without refunds), and
those of 2015 (24, 18: 总金额). Times are China's (+08:00). What is owed for an order is 应结订单金额, or 总金额 in the
sets of 2015; what a refund takes is 退款金额; a fee is told with five decimals, below 0 where a refund gives some back.
The last two lines are sums: without them the bill has broken off.

SUCCESS   a sale
REFUND    a refund; it is taken from the merchant when it begins, so one that is PROCESSING counts;
          one that failed (FAIL, CHANGE) is unknown: the bill does not tell where the money is
REVOKED   an order taken back whole
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import BinaryIO

from commands.report_files.controls import countable, sum_control
from commands.report_files.opening import (
    Unreadable,
    exact_minor_units,
    known_currency,
    lines,
    minor_units,
    shown,
    unpacked,
    without_card_numbers,
)
from commands.report_files.tables import Row, raw_of, rejected
from commands.report_files.wechatpay_fund_flow import MARK as FUND_FLOW
from commands.report_files.wechatpay_fund_flow import read_fund_flow
from commands.report_files.wechatpay_sheet import YUAN, Sheet, given, hundredths, time_of
from ledger.currencies import ASSETS
from ledger.report_row import Control, FileRefused, RejectedRow, ReportItem, ReportRow, RowKind

_TIME, _BEGUN, _DONE = "交易时间", "退款申请时间", "退款成功时间"
_STATE, _REFUND_STATE, _CURRENCY = "交易状态", "退款状态", "货币种类"
_TRANSACTION, _ORDER, _REFUND, _OUR_REFUND = "微信订单号", "商户订单号", "微信退款单号", "商户退款单号"
_OWED, _TOTAL, _REFUNDED, _FEE = "应结订单金额", "总金额", "退款金额", "手续费"
_MERCHANT, _SUB_MERCHANT = "商户号", "特约商户号"
_WANTED = (_TIME, _TRANSACTION, _ORDER, _STATE, _CURRENCY, _FEE)
_IDS = (_TRANSACTION, _ORDER, _REFUND, _OUR_REFUND, _MERCHANT, _SUB_MERCHANT, "公众账号ID", "设备号", "用户标识")
_COUNT = "总交易单数"
# What is stated at the end, and the column that it is the sum of; the last ones in bills of 2015 and after.
_SUMS = {
    "应结订单总金额": _OWED,
    "退款总金额": _REFUNDED,
    "充值券退款总金额": "充值券退款金额",
    "手续费总金额": _FEE,
    "订单总金额": "订单金额",
    "申请退款总金额": "申请退款金额",
    "申请退款金额": "申请退款金额",
    "总交易额": _TOTAL,
    "总退款金额": _REFUNDED,
    "总企业红包退款金额": "企业红包退款金额",
    "总代金券或立减优惠退款金额": "代金券或立减优惠退款金额",
}
_AMOUNTS = tuple(dict.fromkeys(_SUMS.values()))
_SALE, _BACK, _REVOKED = "SUCCESS", "REFUND", "REVOKED"
_IS_BACK = ("", "SUCCESS", "PROCESSING")


def read(file: BinaryIO) -> Iterator[ReportItem]:
    """The rows of a bill of either kind, then its totals."""
    sheet = Sheet(lines(unpacked(file), otherwise="gb18030"), (FUND_FLOW, _STATE))
    return read_fund_flow(sheet) if sheet.mark == FUND_FLOW else _read_trades(sheet)


@dataclass(slots=True)
class _Totals:
    count: int = 0
    sums: dict[str, Decimal] = field(default_factory=dict)
    currencies: Counter[str] = field(default_factory=Counter)


def _read_trades(sheet: Sheet) -> Iterator[ReportItem]:
    if not {_OWED, _TOTAL} & sheet.names:
        raise FileRefused(f"the column {shown(_OWED)} is missing", sheet.line)
    totals = _Totals()
    for row in sheet.rows(_WANTED):
        totals.count += 1
        if isinstance(row, RejectedRow):
            yield row
            continue
        try:
            _add(row, totals)
            yield _read(row)
        except Unreadable as error:
            yield rejected(row.line, str(error), ",".join(row.cells.values()))
    yield Control(_COUNT, sheet.line, sheet.count(_COUNT), totals.count)
    # Sums are stated over all rows. Bills are of one currency; if not, hundredths are added as the bill does it.
    currency = next(iter(totals.currencies), YUAN) if len(totals.currencies) < 2 else ""
    digits = ASSETS[currency].exponent - 2 if currency else 0
    for name, column in _SUMS.items():
        if name in sheet.sums:
            stated, counted = sheet.sum(name), totals.sums.get(column, Decimal(0))
            yield sum_control(name, sheet.line, stated.scaleb(digits), counted.scaleb(digits), currency)


def _add(row: Row, totals: _Totals) -> None:
    """Counts all amounts that can be read, also those of a row that is then rejected: the bill states them too."""
    unreadable = None
    if row[_CURRENCY].upper() in ASSETS:
        totals.currencies[row[_CURRENCY].upper()] += 1
    for column in _AMOUNTS:
        if not row[column]:
            continue
        try:
            amount = hundredths(row[column])
        except Unreadable as error:
            unreadable = unreadable or error
            continue
        # In the sets of 2015 the row of a refund may repeat the total of its order; what is summed is what was traded.
        if column != _TOTAL or row[_STATE] == _SALE:
            totals.sums[column] = totals.sums.get(column, Decimal(0)) + amount
    if unreadable is not None:
        raise unreadable


def _read(row: Row) -> ReportRow:
    """Raises Unreadable."""
    currency = known_currency(row[_CURRENCY])
    transaction, refund = given(row.id(_TRANSACTION)), given(row.id(_REFUND))
    order, our_refund = given(row.id(_ORDER)), given(row.id(_OUR_REFUND))
    exact_fee = exact_minor_units(row[_FEE], currency)
    fee = int(exact_fee.to_integral_value(ROUND_HALF_UP))
    kind, gross = _movement(row, currency)
    if not transaction:
        raise Unreadable(f"{_TRANSACTION} is empty")
    sale = kind == "sale"
    odd = row[_STATE] if kind == "unknown" else ""
    state = row[_REFUND_STATE] if row[_REFUND_STATE] != _SALE else ""
    words = (odd, state, row["商品名称"], row["商户数据包"])
    return ReportRow(
        line=row.line,
        kind=kind,
        external_id=transaction if sale else refund or transaction,
        our_reference=order if sale else our_refund or (order if kind == "reversed" else ""),
        gross=gross,
        currency=currency,
        fee=fee,
        fee_currency=currency,
        net=countable(gross - fee),
        net_currency=currency,
        at=time_of(row[_TIME] if sale else row.first(_DONE, _BEGUN, _TIME)),
        exact_fee=None if exact_fee == fee else exact_fee,
        about="" if sale else transaction,
        account=given(row[_SUB_MERCHANT]) or row[_MERCHANT],
        text=without_card_numbers("; ".join(one for one in words if one)),
        raw=raw_of(row, _IDS),
    )


def _movement(row: Row, currency: str) -> tuple[RowKind, int]:
    """What it is, and what is owed more by it."""
    owed = minor_units(row[_OWED if _OWED in row.cells else _TOTAL], currency)
    back = minor_units(row[_REFUNDED] or "0", currency)
    if owed < 0 or back < 0:
        raise Unreadable(f"{_OWED} and {_REFUNDED} are not below 0 in a bill that can be read")
    match row[_STATE]:
        case "SUCCESS" if back:
            raise Unreadable("it is a sale and a refund at once")
        case "SUCCESS":
            return "sale", owed
        case "REFUND" if row[_REFUND_STATE] in _IS_BACK and row[_REFUNDED]:
            return "refund", -back
        case "REVOKED" if back and row[_REFUND_STATE] in _IS_BACK:
            return "reversed", -back
        case "REFUND" | "REVOKED":
            return "unknown", -back
        case _:
            return "unknown", owed - back
