"""Alipay: the merchant bill of a day (业务明细): a zip with the detail and its summary in GBK, or the detail alone.

Lines that begin with # are the head and the foot; values are padded with tabs. Times are China's (+08:00), money is
yuan. Every amount is a movement of the merchant's money, so the service fee of a sale stands there below 0, and what is
kept is its opposite. The platform numbers trades and not refunds: a refund is known as `trade number/request number`.
A share that goes to others (分润) is a row of its own, an adjustment, so that net = gross − fee holds for each row.

Rejected rows are counted in the totals as far as they can be read: the file states them too.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import timedelta, timezone
from decimal import Decimal
from functools import partial
from operator import eq
from typing import BinaryIO

from msgspec.structs import replace

from commands.report_files.alipay_commas import put_together
from commands.report_files.controls import countable, sum_control
from commands.report_files.opening import (
    Unreadable,
    lines,
    members,
    minor_units,
    moment,
    shown,
    unpacked,
    unsigned_minor_units,
    without_card_numbers,
)
from commands.report_files.tables import Record, Row, column_names, raw_of, rejected
from ledger.report_row import Control, FileRefused, RejectedRow, ReportItem, ReportRow, RowKind

CURRENCY = "CNY"
CHINA = timezone(timedelta(hours=8))
MOST_FEET = 100
MOST_MEMBERS = 100  # a detail and a summary, perhaps cut in pieces

TRADE, ORDER, WORD, REQUEST = "支付宝交易号", "商户订单号", "业务类型", "退款批次号/请求号"
RECEIVED, ORDERED, FEE, SHARE = "商家实收", "订单金额", "服务费", "分润"
TRADES, REFUNDS, NET = "交易订单总笔数", "退款订单总笔数", "实收净额"
SALE, REFUND, SUM = "交易", "退款", "合计"

_WANTED = (TRADE, ORDER, WORD, RECEIVED, FEE)
_SUMMARY_WANTED = (TRADES, REFUNDS, RECEIVED)
_AMOUNTS = (ORDERED, RECEIVED, FEE, SHARE, "支付宝优惠", "商家优惠", "卡消费金额")
_IDS = (TRADE, ORDER, REQUEST, "门店编号", "终端号")
_KINDS: dict[str, RowKind] = {SALE: "sale", REFUND: "refund"}
_OTHER_NAMES = {"交易号": TRADE, "退款批次号": REQUEST, "退款请求号": REQUEST}

_ACCOUNT = re.compile(r"#+\s*账号[:：]\s*\[?([^\]\s]+)")
_BEGIN = re.compile(r"#-+业务(明细|汇总)列表-+[\s,]*")
_END = re.compile(r"#-+业务(明细|汇总)列表结束-+[\s,]*")
_FOOT = re.compile(r"#+\s*(交易|退款)合计[:：]\s*([0-9]{1,18})笔(.*)")
_SUM_IN_FOOT = re.compile(r"([^\s,，:：0-9]{1,20}?)共(-?[0-9.]+)元")
# The same sums under the words of older bills, and those of refunds.
_SUMMED = {
    "商家实收": RECEIVED,
    "商家实收退款": RECEIVED,
    "商家优惠": "商家优惠",
    "商家优惠退款": "商家优惠",
    "交易金额": ORDERED,
    "交易退款金额": ORDERED,
}
_QUOTED = re.compile(r'\s*".*"\s*')


def read(file: BinaryIO) -> Iterator[ReportItem]:
    """The rows of the detail in its order, then what its foot and the summary state."""
    details: list[_Totals] = []
    summaries: list[tuple[str, int, int]] = []
    for numbered in _files(file):
        sheet = _Sheet(numbered)
        if TRADE in sheet.columns:
            details.append(totals := _Totals())
            yield from sheet.rows(totals)
            yield from totals.controls(sheet.foot)
        else:
            summaries.extend(_summed(sheet))
    if not details:
        raise FileRefused("it holds a summary and no detail")
    everything = _Totals()
    for totals in details:
        everything.add(totals)
    for column, line, stated in summaries:
        currency = "" if column in (TRADES, REFUNDS) else CURRENCY
        counted = everything.under(column)
        yield sum_control(f"{column} (summary)", line, Decimal(stated), Decimal(counted), currency)


def _files(file: BinaryIO) -> Iterator[Iterator[tuple[int, str]]]:
    """The lines of each bill: one, or the members of a zip, which are told apart by what stands in them."""
    file.seek(0)
    if file.read(4) not in (b"PK\x03\x04", b"PK\x05\x06"):
        yield lines(unpacked(file), otherwise="gb18030")
        return
    names = members(file)
    if not 1 <= len(names) <= MOST_MEMBERS:
        raise FileRefused(f"the zip has {len(names)} members; a detail and a summary are meant")
    for name in names:
        yield lines(unpacked(file, partial(eq, name)), otherwise="gb18030")


class _Sheet:
    """One file of the bill: read up to its heading, and then row by row."""

    def __init__(self, numbered: Iterator[tuple[int, str]]) -> None:
        self._numbered = numbered
        self._line = 0
        self._begun = self._ended = False
        self.account = ""
        self.foot: list[tuple[int, re.Match[str]]] = []
        heading = next(self._content(), None)
        if heading is None:
            raise FileRefused("it names no columns", self._line)
        self._heading = found = Record(heading[0], heading[1].split(","))
        folded = {_folded(name) for name in found.cells}
        if "账务流水号" in folded:
            raise FileRefused("it is the bill of the account (账务明细), not of the business (业务明细)", found.line)
        wanted = _SUMMARY_WANTED if TRADES in folded else _WANTED
        # Each column that is there is wanted once: what is there twice cannot be told apart.
        self.columns = column_names(found, {*wanted, *folded} - {""}, _folded)

    def records(self) -> Iterator[Row | RejectedRow]:
        """What stands below the heading. Raises FileRefused where a list that was begun does not end."""
        for line, text in self._content():
            cells = _cells(text, len(self._heading.cells))
            if len(cells) == len(self._heading.cells) and not any(cells[len(self.columns) :]):
                cells = cells[: len(self.columns)]  # the heading ends in empty columns as well
            cells = put_together(cells, self.columns) or cells
            if self._ended:
                yield rejected(line, "it stands behind the end of the list", text)
            elif len(cells) != len(self.columns):
                yield rejected(line, f"it has {len(cells)} cells under {len(self.columns)} columns", text)
            else:
                yield Row(line, dict(zip(self.columns, cells, strict=True)))
        if self._begun and not self._ended:
            raise FileRefused("it breaks off: the list does not end", self._line)

    def rows(self, totals: "_Totals") -> Iterator[ReportRow | RejectedRow]:
        for record in self.records():
            if isinstance(record, RejectedRow):
                yield record
                continue
            try:
                yield from _read(record, self.account, totals)
            except Unreadable as error:
                yield rejected(record.line, str(error), ",".join(record.cells.values()))

    def _content(self) -> Iterator[tuple[int, str]]:
        """The lines that are neither empty nor head or foot, which are taken note of."""
        for line, text in self._numbered:
            self._line = line
            if not text.lstrip().startswith("#"):
                if text.strip():
                    yield line, text
            elif found := _FOOT.match(text):
                if len(self.foot) == MOST_FEET:
                    raise FileRefused("its foot does not end", line)
                self.foot.append((line, found))
            elif found := _ACCOUNT.match(text):
                self.account = found[1]
            elif _BEGIN.fullmatch(text):
                self._begun = True
            elif _END.fullmatch(text):
                self._ended = True


class _Totals:
    """What the rows come to, by the word of their kind, counted and summed as the file does it."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._sums: Counter[tuple[str, str]] = Counter()

    def count(self, word: str, amounts: dict[str, int]) -> None:
        section = word if word in _KINDS else ""
        self._counts[section] += 1
        self._sums.update({(section, column): amount for column, amount in amounts.items()})

    def add(self, other: "_Totals") -> None:
        self._counts.update(other._counts)
        self._sums.update(other._sums)

    def controls(self, foot: Iterable[tuple[int, re.Match[str]]]) -> Iterator[Control]:
        for line, found in foot:
            word, section = found[1], f"{found[1]}{SUM}"
            yield Control(f"count ({section})", line, int(found[2]), self._counts[word])
            for name, amount in _SUM_IN_FOOT.findall(found[3]):
                if column := _SUMMED.get(name):
                    stated, counted = _stated(line, amount), self._sums[word, column]
                    yield sum_control(f"{column} ({section})", line, Decimal(stated), Decimal(counted), CURRENCY)

    def under(self, column: str) -> int:
        """What the summary states in this column."""
        if column in (TRADES, REFUNDS):
            return self._counts[SALE if column == TRADES else REFUND]
        columns = (RECEIVED, FEE, SHARE) if column == NET else (column,)
        return sum(amount for (_, summed), amount in self._sums.items() if summed in columns)


def _summed(sheet: _Sheet) -> Iterator[tuple[str, int, int]]:
    """The columns of a summary that the detail has as well, with their line and sum: the line of sums, or all lines."""
    columns = [one for one in (TRADES, REFUNDS, *_AMOUNTS, NET) if one in sheet.columns]
    added, stated, line = Counter[str](), None, 0
    for record in sheet.records():
        if isinstance(record, RejectedRow):
            raise FileRefused(f"the summary cannot be read: {record.reason}", record.line)
        line = record.line
        found = {column: _stated(line, record[column] or "0", counts=column in (TRADES, REFUNDS)) for column in columns}
        if SUM in (record["门店编号"], record["门店名称"]):
            stated = found
        else:
            added.update(found)
    yield from ((column, line, (added if stated is None else stated)[column]) for column in columns)


def _stated(line: int, text: str, counts: bool = False) -> int:
    try:
        return unsigned_minor_units(text) if counts else minor_units(text, CURRENCY)
    except Unreadable as error:
        raise FileRefused(f"a total cannot be read: {error}", line) from error


def _read(row: Row, account: str, totals: _Totals) -> Iterator[ReportRow]:
    """The movement, and the share of others in it. Raises Unreadable."""
    word = row[WORD]
    amounts, unreadable = _amounts(row)
    totals.count(word, amounts)
    if unreadable is not None:
        raise unreadable
    kind = _KINDS.get(word, "unknown")
    received, fee = amounts[RECEIVED], -amounts[FEE]
    # A sale that takes money, or a fee that is given: then this bill does not count as others do, and no sign is sure.
    if (kind == "sale" and (received < 0 or fee < 0)) or (kind == "refund" and received > 0):
        raise Unreadable(f"the signs of {RECEIVED} and {FEE} do not fit {shown(word)}")
    trade, request = row.id(TRADE), row.id(REQUEST)
    if not trade:
        raise Unreadable(f"{TRADE} is empty")
    told = ("" if kind != "unknown" else word, row["商品名称"], row["备注"])
    base = ReportRow(
        line=row.line,
        kind=kind,
        external_id=f"{trade}/{request}" if request else trade,
        our_reference=request if kind == "refund" else row.id(ORDER),
        gross=received,
        currency=CURRENCY,
        fee=fee,
        fee_currency=CURRENCY,
        net=countable(received - fee),
        net_currency=CURRENCY,
        at=moment(" ".join(row.first("完成时间", "创建时间").split()), CHINA),
        about="" if kind == "sale" else trade,
        account=account,
        text=without_card_numbers("; ".join(one for one in told if one)),
        raw=raw_of(Row(row.line, {name: cell.strip() for name, cell in row.cells.items()}), _IDS),
    )
    yield base
    if share := amounts.get(SHARE, 0):
        yield replace(base, kind="adjustment", gross=share, fee=0, net=share, about=trade, text=SHARE)


def _amounts(row: Row) -> tuple[dict[str, int], Unreadable | None]:
    """The amounts that can be read, and what is wrong with the first that cannot. Only what is not wanted may lack."""
    amounts, unreadable = {}, None
    for column in _AMOUNTS:
        if column in row.cells and (row[column] or column in _WANTED):
            try:
                amounts[column] = minor_units(row[column], CURRENCY)
            except Unreadable as error:
                unreadable = unreadable or error
    return amounts, unreadable


def _cells(text: str, width: int) -> list[str]:
    """The cells; values stand bare: quotation marks mean something only where a spreadsheet wrote the line."""
    cells = text.split(",")
    if len(cells) != width and '"' in text:
        try:
            cells = next(csv.reader([text], strict=True))
        except csv.Error:
            return cells
    if '"' in text:
        cells = [cell.strip()[1:-1] if _QUOTED.fullmatch(cell) else cell for cell in cells]
    return cells


def _folded(name: str) -> str:
    """A heading without its unit and padding: `商家实收（元）` and `商家实收(元)` are one column."""
    bare = name.strip().strip('"').strip().replace("（", "(").replace("）", ")").removesuffix("(元)").strip()
    return _OTHER_NAMES.get(bare, bare)
