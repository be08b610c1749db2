"""Given: rows, items and outcomes as these tests speak of them; ids name the pair, so that tables stay short."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ledger.matching.matcher import match
from ledger.matching.outcome import Break, Outcome
from ledger.matching.policy import Policy
from ledger.matching.sides import Item, Row

Pairs = list[tuple[str, str, str]]
Table = list[tuple[str, list[Row], list[Item], Pairs]]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday
LONG_AGO = datetime(2026, 11, 9, 12, tzinfo=UTC)  # the Monday of the week before
LATELY = NOW - timedelta(hours=20)
POLICY = Policy()


def row(row_id: str = "f:1", gross: int = 10_00, **more: Any) -> Row:
    known: dict[str, Any] = {"id": row_id, "kind": "sale", "gross": gross, "currency": "EUR", "at": LONG_AGO}
    return Row(**known | more)


def item(item_id: str = "pay_1", gross: int = 10_00, *names: str, **more: Any) -> Item:
    known: dict[str, Any] = {"id": item_id, "stream": item_id, "kind": "sale", "gross": gross, "currency": "EUR"}
    return Item(**known | {"our_references": (item_id, *names), "at": LONG_AGO} | more)


def outcome(rows: list[Row], items: list[Item], policy: Policy = POLICY, **more: Any) -> Outcome:
    return match(rows, items, policy, NOW, **more)


def pairs(told: Outcome) -> Pairs:
    """Each match in three words: rows, items, and how it was found."""
    return [("+".join(one.rows), "+".join(one.items), one.found_by) for one in told.matches]


def only_break(told: Outcome) -> Break:
    (one,) = told.breaks
    return one
