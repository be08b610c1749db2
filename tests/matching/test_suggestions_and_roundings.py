"""Suggestions and roundings: what is alike is told to people only, and fractions of fees come to one line a batch."""

from datetime import timedelta
from decimal import Decimal

import pytest

from ledger.matching.policy import Policy
from ledger.matching.sides import Item
from tests.matching.given import LONG_AGO, item, outcome, row


def test_a_reference_with_a_slip_in_it_is_suggested_and_not_matched() -> None:
    told = outcome(
        [row(our_reference="ord_20261109_774")], [item("pay_1", 10_00, "ord_20261109_747"), item("pay_2", 9)]
    )
    assert not told.matches
    assert [(one.row, one.item) for one in told.suggestions] == [("f:1", "pay_1")]
    assert told.suggestions[0].score > 80


def test_the_most_alike_come_first_and_three_at_most() -> None:
    items = [item(f"pay_{n}", 10_00, at=LONG_AGO - timedelta(days=n)) for n in range(5)]
    told = outcome([row(our_reference="ord_9", at=LONG_AGO)], items)
    scores = [one.score for one in told.suggestions]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert told.suggestions[0].item == "pay_0"


@pytest.mark.parametrize("other", [item(currency="USD"), item(kind="refund")])
def test_what_cannot_be_the_same_is_not_suggested(other: Item) -> None:
    assert outcome([row(our_reference="ord_9")], [other]).suggestions == ()


def test_no_more_rows_are_seen_to_than_the_policy_says() -> None:
    rows = [row(f"f:{n}", our_reference=f"ord_{n}") for n in range(5)]
    told = outcome(rows, [item()], Policy(suggested_rows=2))
    assert [one.row for one in told.suggestions] == ["f:0", "f:1"]


def test_exact_fees_of_a_batch_are_rounded_once() -> None:
    """Three fees of 0.4 of the minor unit round to nothing each, and the channel keeps one of 1.2."""
    rows = [row(f"f:{n}", external_id=f"c{n}", batch="b", exact_fee=Decimal("0.4")) for n in range(3)]
    told = outcome(rows, [item(f"p{n}", 10_00, f"c{n}", fee=0) for n in range(3)])
    (one,) = told.roundings
    assert (one.batch, one.currency, one.rows, one.exact) == ("b", "EUR", 3, Decimal("1.2"))
    assert (one.rounded, one.deducted, one.difference, one.is_complete) == (0, 1, 1, True)


@pytest.mark.parametrize(("exact", "deducted"), [("0.5", 1), ("-0.5", -1), ("1.49999", 1), ("2", 2)])
def test_half_of_the_minor_unit_is_rounded_away_from_zero(exact: str, deducted: int) -> None:
    (one,) = outcome([row(exact_fee=Decimal(exact))], []).roundings
    assert (one.deducted, one.is_complete) == (deducted, False)


def test_roundings_are_of_the_currency_of_the_fee_and_not_of_what_is_only_announced() -> None:
    rows = [
        row("f:1", exact_fee=Decimal("0.4"), fee=1, fee_currency="USD"),
        row("f:2", exact_fee=Decimal("0.7"), fee=2),
        row("f:3", fee=9),
        row("f:4", exact_fee=Decimal("0.7"), posted=False),
    ]
    told = [(one.currency, one.rows, one.exact, one.rounded) for one in outcome(rows, []).roundings]
    assert told == [("EUR", 1, Decimal("0.7"), 2), ("USD", 1, Decimal("0.4"), 1)]


def test_a_row_said_twice_counts_once() -> None:
    rows = [row(f"f:{n}", external_id="c", batch="b", exact_fee=Decimal("0.4")) for n in range(2)]
    (one,) = outcome(rows, [item("p", 10_00, "c", fee=0)]).roundings
    assert (one.rows, one.exact, one.is_complete) == (1, Decimal("0.4"), True)
