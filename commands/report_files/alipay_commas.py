"""Commas that stand bare in the texts of an Alipay bill: a line with too many cells is put together again.

Alipay puts nothing around a name or a remark, so that a comma in it looks like the end of a cell. Between the texts
stand times, amounts with two decimals and numbers: mostly one way alone of joining the cells puts each of them into its
column. Where several ways fit, and they differ in more than words, nobody can know, and the row stays rejected.
"""

import re
from collections.abc import Sequence
from itertools import combinations_with_replacement

MOST_COMMAS = 3  # the ways to place them grow fast
TEXTS = ("商品名称", "门店名称", "操作员", "对方账户", "券名称", "备注")
AMOUNTS = (
    "订单金额",
    "商家实收",
    "支付宝红包",
    "集分宝",
    "支付宝优惠",
    "商家优惠",
    "券核销金额",
    "商家红包消费金额",
    "卡消费金额",
    "服务费",
    "分润",
)
_IDLE = (*TEXTS, "门店编号", "终端号")  # nothing is matched by these
_TIMES = ("创建时间", "完成时间")
_MAY_LACK = ("支付宝红包", "集分宝", "券核销金额", "商家红包消费金额")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_AMOUNT = re.compile(r"-?[0-9]+\.[0-9]{2}")


def put_together(cells: Sequence[str], columns: Sequence[str]) -> list[str] | None:
    """As many cells as there are columns; None where that cannot be known."""
    commas = len(cells) - len(columns)
    if not 1 <= commas <= MOST_COMMAS:
        return None
    texts = [place for place, column in enumerate(columns) if column in TEXTS]
    found: dict[tuple[str, ...], list[str]] = {}
    for places in combinations_with_replacement(texts, commas):
        joined = _joined(cells, len(columns), places)
        if all(_fits(column, cell.strip()) for column, cell in zip(columns, joined, strict=True)):
            facts = (cell.strip() for column, cell in zip(columns, joined, strict=True) if column not in _IDLE)
            found.setdefault(tuple(facts), joined)
    return next(iter(found.values())) if len(found) == 1 else None


def _joined(cells: Sequence[str], width: int, places: tuple[int, ...]) -> list[str]:
    """The cells with a comma back in each of these places."""
    joined, at = [], 0
    for place in range(width):
        end = at + 1 + places.count(place)
        joined.append(",".join(cells[at:end]))
        at = end
    return joined


def _fits(column: str, cell: str) -> bool:
    if column in TEXTS:
        return True
    if column in _TIMES:
        return bool(_TIME.fullmatch(cell))
    if column in AMOUNTS:
        return bool(_AMOUNT.fullmatch(cell)) or (column in _MAY_LACK and not cell)
    if column == "业务类型":
        return cell in ("交易", "退款")
    return cell.isascii()
