"""Names: passes (a) and (b), what a name brings together and what it does not."""

import pytest

from ledger.matching.sides import Item, Row
from tests.matching.given import Pairs, Table, item, outcome, pairs, row

BY_NAME: Table = [
    (
        "the channel's id",
        [row(external_id="ch_1")],
        [item(channel_references=("ch_1",))],
        [("f:1", "pay_1", "exact_id")],
    ),
    (
        "our own id, which some channels give back as theirs",
        [row(external_id="pay_1")],
        [item()],
        [("f:1", "pay_1", "exact_id")],
    ),
    (
        "our reference, under an id that we did not know",
        [row(external_id="ch_1", our_reference="ord_1-2")],
        [item("pay_1", 10_00, "ord_1-1", "ord_1-2")],
        [("f:1", "pay_1", "reference")],
    ),
    (
        "a name of another kind",
        [row(gross=-10_00, kind="refund", external_id="ch_1")],
        [item("pay_1", 10_00, "ch_1")],
        [],
    ),
    ("a bank's word for no name", [row(external_id="NONREF")], [item("pay_1", 10_00, "NONREF")], []),
    (
        "one name of two refunds that differ in amount",
        [row("f:1", -3, kind="refund", external_id="ch_1"), row("f:2", -5, kind="refund", external_id="ch_1")],
        [item("ref_1", -5, "ch_1", kind="refund"), item("ref_2", -3, "ch_1", kind="refund")],
        [("f:1", "ref_2", "exact_id"), ("f:2", "ref_1", "exact_id")],
    ),
    (
        "one name of two alike: the other name tells",
        [row("f:1", -5, kind="refund", external_id="ch_1", our_reference="ref_2")],
        [item("ref_1", -5, "ch_1", kind="refund"), item("ref_2", -5, "ch_1", kind="refund")],
        [("f:1", "ref_2", "exact_id")],
    ),
    (
        "one name of two alike, and a row whose other name tells nothing",
        [
            row("f:1", -5, kind="refund", external_id="ch_1"),
            row("f:2", -5, kind="refund", external_id="ch_1", our_reference="ref_1"),
        ],
        [item("ref_1", -5, "ch_1", kind="refund"), item("ref_2", -5, "ch_1", kind="refund")],
        [("f:1", "ref_2", "exact_id"), ("f:2", "ref_1", "exact_id")],
    ),
    (
        "the id has the word before our reference",
        [row("f:1", our_reference="pay_1", external_id="a"), row("f:2", external_id="ch_1")],
        [item("pay_1", 10_00, "ch_1")],
        [("f:2", "pay_1", "exact_id")],
    ),
    (
        "a reference in the text of a bank's line, without the signs that the bank leaves out",
        [row(kind="debit", gross=-10_00, text="SVWZ+PAYOUT PO1234567 THANK YOU")],
        [item("po_123_4567", -10_00, kind="debit")],
        [("f:1", "po_123_4567", "reference")],
    ),
    (
        "a reference of several words",
        [row(kind="credit", text="TX9988XT batch 380, merchant")],
        [item("x", 10_00, "TX9988XT batch 380", kind="credit")],
        [("f:1", "x", "reference")],
    ),
    (
        "two references in one text",
        [row(kind="credit", gross=7, text="po_1234567 po_1234568")],
        [item("po_1234567", 7, kind="credit"), item("po_1234568", 7, kind="credit")],
        [],
    ),
    (
        "one name of two, and another name of the one that is of another amount",
        [row("f:1", -3, kind="refund", external_id="ch_1", our_reference="ref_1")],
        [item("ref_1", -5, "ch_1", kind="refund"), item("ref_2", -3, "ch_1", kind="refund")],
        [("f:1", "ref_2", "exact_id")],
    ),
]


@pytest.mark.parametrize(
    ("rows", "items", "expected"),
    [pytest.param(rows, items, expected, id=name) for name, rows, items, expected in BY_NAME],
)
def test_a_name_brings_together(rows: list[Row], items: list[Item], expected: Pairs) -> None:
    assert pairs(outcome(rows, items)) == expected
