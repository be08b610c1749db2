"""Windows: pass (c), what agrees by amount, currency, day and party, and only where it is the only one."""

from datetime import timedelta

import pytest

from ledger.matching.sides import Item, Row
from tests.matching.given import LONG_AGO, Pairs, Table, item, outcome, pairs, row

BY_WINDOW: Table = [
    (
        "amount and card",
        [row(party="4242", external_id="ch_1")],
        [item(parties=("4242", "A. Payer"))],
        [("f:1", "pay_1", "window")],
    ),
    ("another card", [row(party="4242")], [item(parties=("1881",))], []),
    ("a channel's row that does not say whose it is", [row()], [item()], []),
    ("another currency", [row(party="4242", currency="USD")], [item(parties=("4242",))], []),
    ("another amount", [row(party="4242", gross=9_99)], [item(parties=("4242",))], []),
    (
        "within the window: two business days over a weekend",
        [row(party="4242", at=LONG_AGO)],
        [item(parties=("4242",), at=LONG_AGO - timedelta(days=4))],
        [("f:1", "pay_1", "window")],
    ),
    (
        "outside of the window",
        [row(party="4242", at=LONG_AGO)],
        [item(parties=("4242",), at=LONG_AGO - timedelta(days=5))],
        [],
    ),
    (
        "two rows for one item",
        [row("f:1", party="4242", external_id="a"), row("f:2", party="4242", external_id="b")],
        [item(parties=("4242",))],
        [],
    ),
    (
        "two items for one row",
        [row(party="4242")],
        [item("pay_1", parties=("4242",)), item("pay_2", parties=("4242",))],
        [],
    ),
    (
        "the item has another name at the channel",
        [row(party="4242", external_id="ch_1")],
        [item(parties=("4242",), channel_references=("ch_2",))],
        [],
    ),
    (
        "the row bears a reference that is not of ours",
        [row(party="4242", our_reference="ord_9")],
        [item(parties=("4242",))],
        [],
    ),
    ("how an unknown payment ended", [row(party="4242")], [item(parties=("4242",), state="unknown")], []),
    ("a bank's credit by its amount", [row(kind="credit")], [item(kind="credit")], [("f:1", "pay_1", "window")]),
    (
        "a bank's credit of somebody else",
        [row(kind="credit", party="ACME")],
        [item(kind="credit", parties=("STRIPE",))],
        [],
    ),
    (
        "a bank's credit, one of two by its party",
        [row(kind="credit", party="ACME")],
        [item("a", kind="credit", parties=("STRIPE",)), item("b", kind="credit", parties=("ACME",))],
        [("f:1", "b", "window")],
    ),
    (
        "a bank's credit that may be one by its party, or one that does not say whose it is",
        [row(kind="credit", party="ACME")],
        [item("a", kind="credit"), item("b", kind="credit", parties=("ACME",))],
        [],
    ),
    (
        "a bank's credit that does not say whose it is",
        [row(kind="credit")],
        [item("a", kind="credit", parties=("ACME", "ACME"))],
        [("f:1", "a", "window")],
    ),
    (
        "a bank's credit under whatever reference others gave it",
        [row(kind="credit", our_reference="RF18")],
        [item("a", kind="credit")],
        [("f:1", "a", "window")],
    ),
    (
        "a bank's debit that names nothing",
        [row(kind="debit", gross=-5, our_reference="NOTPROVIDED")],
        [item("po_1", -5, kind="debit")],
        [("f:1", "po_1", "window")],
    ),
    (
        "a bank's debit under a reference that is not ours",
        [row(kind="debit", gross=-5, our_reference="E2E9")],
        [item("po_1", -5, kind="debit")],
        [],
    ),
    (
        "outside of the window, on its other side",
        [row(party="4242", at=LONG_AGO)],
        [item(parties=("4242",), at=LONG_AGO + timedelta(days=3))],
        [],
    ),
    (
        "within the window, on its other side",
        [row(party="4242", at=LONG_AGO)],
        [item(parties=("4242",), at=LONG_AGO + timedelta(days=2))],
        [("f:1", "pay_1", "window")],
    ),
    ("two that do not say whose they are", [row()], [item(parties=("",))], []),
]


@pytest.mark.parametrize(
    ("rows", "items", "expected"),
    [pytest.param(rows, items, expected, id=name) for name, rows, items, expected in BY_WINDOW],
)
def test_an_amount_brings_together_what_can_only_be_one(rows: list[Row], items: list[Item], expected: Pairs) -> None:
    assert pairs(outcome(rows, items)) == expected
