"""Sums: passes (d) and (e), one line for many, and several rows for one or for several."""

from datetime import timedelta

import pytest

from ledger.matching.sides import Item, Row
from tests.matching.given import LONG_AGO, Pairs, Table, item, outcome, pairs, row

LINES = [item(f"l_{n}", gross, batch="po_1234567", fee=1) for n, gross in enumerate((10, 20, -5))]
BY_SUM: Table = [
    (
        "a batch by its id: what the items leave net",
        [row(kind="credit", gross=22, batch="po_1234567")],
        LINES,
        [("f:1", "l_0+l_1+l_2", "batch")],
    ),
    (
        "a batch by its id in the text",
        [row(kind="credit", gross=22, text="STRIPE PO 1234567")],
        LINES,
        [("f:1", "l_0+l_1+l_2", "batch")],
    ),
    (
        "a batch in two lines",
        [row("f:1", 12, kind="credit", batch="po_1234567"), row("f:2", 10, kind="credit", batch="po_1234567")],
        LINES,
        [("f:1+f:2", "l_0+l_1+l_2", "group")],
    ),
    (
        "a line that names a batch is not another's that happens to be the same",
        [row(kind="credit", gross=10, text="STRIPE PO 1234567")],
        [item("a", 9, kind="credit", batch="po_1234567"), item("b", 10, kind="credit", batch="po_7654321")],
        [],
    ),
    (
        "one line for two batches that it does not name",
        [row(kind="credit", gross=30)],
        [item("a", 10, batch="b1"), item("b", 20, batch="b2"), item("c", 7, batch="b3")],
        [("f:1", "a+b", "batch")],
    ),
    (
        "one line for two payouts that are in no batch",
        [row(kind="debit", gross=-30)],
        [item("a", -10, kind="debit"), item("b", -20, kind="debit"), item("c", -20, kind="credit")],
        [("f:1", "a+b", "batch")],
    ),
    (
        "one line for two batches of which we expect a credit each",
        [row(kind="credit", gross=30)],
        [item("a", 10, kind="credit", batch="b1"), item("b", 20, kind="credit", batch="b2")],
        [("f:1", "a+b", "batch")],
    ),
    (
        "payouts of which nobody knows how they ended are in no sum",
        [row(kind="debit", gross=-30)],
        [item("a", -10, kind="debit", state="unknown"), item("b", -20, kind="debit")],
        [],
    ),
    (
        "what a channel's movements would come to, before they are in a batch",
        [row(kind="credit", gross=30)],
        [item("a", 10), item("b", 20)],
        [],
    ),
    (
        "one payout alone, of another party",
        [row(kind="credit", gross=30, party="ACME")],
        [item("a", 30, kind="credit", parties=("STRIPE",))],
        [],
    ),
    (
        "a sum of what is of others",
        [row(kind="credit", gross=30, party="ACME")],
        [item("a", 10, batch="b1", parties=("STRIPE",)), item("b", 20, batch="b2", parties=("STRIPE",))],
        [],
    ),
    (
        "a sum of what is of the same party, or does not say",
        [row(kind="credit", gross=30, party="ACME")],
        [item("a", 10, batch="b1", parties=("ACME",)), item("b", 20, batch="b2")],
        [("f:1", "a+b", "batch")],
    ),
    ("a sum that nothing comes to", [row(kind="credit", gross=7)], [item("a", 10, batch="b1")], []),
    (
        "a batch that has been paid is not paid again",
        [row("f:1", 10, kind="credit", batch="b1"), row("f:2", 10, kind="credit", external_id="x")],
        [item("a", 10, batch="b1")],
        [("f:1", "a", "batch")],
    ),
    (
        "what nobody knows the end of, or the day of, is in no sum",
        [row(kind="credit", gross=30)],
        [item("a", 10, batch="b1", state="unknown"), item("b", 20, batch="b2"), item("c", 10, batch="b3", at=None)],
        [],
    ),
    (
        "a name that is too short to be heard in a text",
        [row(kind="credit", gross=5, text="PAYOUT b1 TODAY")],
        [item("a", 3, batch="b1")],
        [],
    ),
    (
        "a word without a digit names nothing in a text",
        [row(kind="credit", gross=3, text="PAYOUT NOVEMBER")],
        [item("a", 2, batch="november"), item("b", 1, batch="november")],
        [("f:1", "a+b", "batch")],  # by its sum
    ),
    (
        "two choices that come to the same",
        [row(kind="credit", gross=30)],
        [item("a", 10, batch="b1"), item("b", 20, batch="b2"), item("c", 10, batch="b3")],
        [],
    ),
    (
        "two lines that would use the same batch",
        [row("f:1", 30, kind="credit"), row("f:2", 17, kind="credit")],
        [item("a", 10, batch="b1"), item("b", 20, batch="b2"), item("c", 7, batch="b3")],
        [],
    ),
    (
        "batches of another week",
        [row(kind="credit", gross=30)],
        [item(one, 15, batch=one, at=LONG_AGO - timedelta(days=9)) for one in ("a", "b")],
        [],
    ),
    (
        "more than are tried",
        [row(kind="credit", gross=3)],
        [item(f"i{n:02}", 2**n, batch=f"b{n}") for n in range(11)],
        [],
    ),
    (
        "what a channel says it pays out, beside its own rows of that batch",
        [row("f:1", 30, fee=2, batch="b", external_id="c"), row("f:2", -28, kind="payout", batch="b")],
        [item("pay_1", 30, "c", fee=2)],
        [("f:1", "pay_1", "exact_id"), ("f:2", "", "batch")],
    ),
    (
        "a payout that is not the sum of its rows",
        [row("f:1", 30, batch="b", external_id="c"), row("f:2", -28, kind="payout", batch="b")],
        [item("pay_1", 30, "c")],
        [("f:1", "pay_1", "exact_id")],
    ),
    (
        "a payout beside rows of its batch of which one is said twice and one only announced",
        [
            row("f:1", 30, batch="b", external_id="c"),
            row("f:2", 30, batch="b", external_id="c"),
            row("f:3", 30, batch="b", external_id="d", posted=False),
            row("f:4", -30, kind="payout", batch="b"),
        ],
        [item("pay_1", 30, "c")],
        [("f:1", "pay_1", "exact_id"), ("f:4", "", "batch")],
    ),
    (
        "a debit under a reference that is not ours is no sum of ours",
        [row(kind="debit", gross=-30, our_reference="E2E9")],
        [item("a", -10, batch="b1"), item("b", -20, batch="b2")],
        [],
    ),
    (
        "a credit under whatever reference others gave it",
        [row(kind="credit", gross=30, our_reference="RF18")],
        [item("a", 10, batch="b1"), item("b", 20, batch="b2")],
        [("f:1", "a+b", "batch")],
    ),
    (
        "what nobody knows the end of is not of the batch yet",
        [row(kind="credit", gross=10, batch="b1")],
        [item("a", 10, batch="b1"), item("b", 5, batch="b1", state="unknown")],
        [("f:1", "a", "batch")],
    ),
]

BY_GROUP: Table = [
    (
        "one item in two rows",
        [row("f:1", 4, external_id="c"), row("f:2", 6, external_id="c")],
        [item("pay_1", 10, "c")],
        [("f:1+f:2", "pay_1", "group")],
    ),
    (
        "one item in two rows that say the same, and are its halves",
        [row("f:1", 5, external_id="c"), row("f:2", 5, external_id="c")],
        [item("pay_1", 10, "c")],
        [("f:1+f:2", "pay_1", "group")],
    ),
    (
        "two items in one row",
        [row("f:1", 10, our_reference="ord_1")],
        [item("cap_1", 4, "ord_1"), item("cap_2", 6, "ord_1")],
        [("f:1", "cap_1+cap_2", "group")],
    ),
    (
        "several for several",
        [row("f:1", 7, our_reference="ord_1"), row("f:2", 3, our_reference="ord_1")],
        [item("cap_1", 4, "ord_1"), item("cap_2", 6, "ord_1")],
        [("f:1+f:2", "cap_1+cap_2", "group")],
    ),
    (
        "rows that need nothing beside them",
        [row("f:1", -2, kind="fee"), row("f:2", -5, kind="reserve_held"), row("f:3", 5, kind="reserve_released")],
        [],
        [("f:1", "", "standing"), ("f:2", "", "standing"), ("f:3", "", "standing")],
    ),
]


@pytest.mark.parametrize(
    ("rows", "items", "expected"),
    [pytest.param(rows, items, expected, id=name) for name, rows, items, expected in (*BY_SUM, *BY_GROUP)],
)
def test_sums_bring_together(rows: list[Row], items: list[Item], expected: Pairs) -> None:
    assert pairs(outcome(rows, items)) == expected
