"""Yuan: sums as decimal text with two digits behind the point, and as the integers that we count in; never a float."""

import re

from ledger.money import LARGEST

_YUAN = re.compile(r"(0|[1-9][0-9]{0,16})(?:\.([0-9]{1,2}))?")


def yuan(amount: int) -> str:
    """`1250` as `12.50`; amounts are not below 0."""
    return f"{amount // 100}.{amount % 100:02d}"


def fen(text: object) -> int | None:
    """`12.50`, `12.5` or `12` as 1250; None for what is no sum above 0."""
    found = _YUAN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    amount = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
    return amount if 1 <= amount <= LARGEST else None
