"""Tolerances: how far two may differ and still be a match, amount and fee apart, and what a match then says."""

import pytest

from ledger.matching.outcome import Difference
from ledger.matching.policy import Policy, Tolerance
from tests.matching.given import item, only_break, outcome, row


@pytest.mark.parametrize(
    ("tolerance", "theirs", "matches"),
    [
        (Tolerance(), 10_00, True),
        (Tolerance(), 10_01, False),
        (Tolerance(5), 10_05, True),
        (Tolerance(5), 9_95, True),
        (Tolerance(5), 10_06, False),
        (Tolerance(None, 50), 10_05, True),
        (Tolerance(None, 50), 10_06, False),
        (Tolerance(5, 10), 10_02, False),
        (Tolerance(5, 10_000), 10_06, False),
    ],
)
def test_an_amount_may_differ_within_each_limit(tolerance: Tolerance, theirs: int, matches: bool) -> None:
    told = outcome([row(gross=theirs, external_id="c")], [item("pay_1", 10_00, "c")], Policy(amount=tolerance))
    assert bool(told.matches) is matches
    if matches and theirs != 10_00:
        assert told.matches[0].differences == (Difference("amount", 10_00, theirs),)


def test_differences_of_amount_come_to_no_more_than_they_may_in_each_currency() -> None:
    policy = Policy(amount=Tolerance(5), tolerated_at_most=7)
    money = [("EUR", 4), ("EUR", 4), ("EUR", 3), ("USD", 5)]
    rows = [row(f"f:{n}", 100 - short, external_id=f"c{n}", currency=unit) for n, (unit, short) in enumerate(money)]
    items = [item(f"p{n}", 100, f"c{n}", currency=unit) for n, (unit, _) in enumerate(money)]
    told = outcome(rows, items, policy)
    assert [one.rows for one in told.matches] == [("f:0",), ("f:2",), ("f:3",)]
    assert [one.type for one in told.breaks] == ["amount_ours_more"]


def test_a_fee_may_differ_apart_from_the_amount() -> None:
    policy = Policy(fee=Tolerance(2))
    told = outcome([row(external_id="c", fee=32)], [item("pay_1", 10_00, "c", fee=30)], policy)
    assert told.matches[0].differences == (Difference("fee", 30, 32),)
    assert not told.breaks


@pytest.mark.parametrize(("expected", "fee_currency"), [(None, ""), (30, "USD")])
def test_a_fee_that_cannot_be_compared_is_not(expected: int | None, fee_currency: str) -> None:
    told = outcome([row(external_id="c", fee=99, fee_currency=fee_currency)], [item("pay_1", 10_00, "c", fee=expected)])
    assert [one.differences for one in told.matches] == [()]


def test_a_word_without_a_digit_is_no_name_of_a_batch_in_a_text() -> None:
    told = outcome([row(kind="credit", gross=9, text="PAYOUT NOVEMBER")], [item("a", 2, batch="november")])
    assert {one.type for one in told.breaks} == {"bank_credit_unknown", "payout_not_at_bank"}


def test_a_name_that_is_too_short_is_not_heard_in_a_text() -> None:
    told = outcome([row(kind="credit", gross=9, text="PAYOUT b1 TODAY")], [item("a", 2, batch="b1")])
    assert {one.type for one in told.breaks} == {"bank_credit_unknown", "payout_not_at_bank"}


def test_a_batch_by_its_id_may_differ_within_the_tolerance() -> None:
    rows, items = [row(kind="credit", gross=99, batch="b")], [item("a", 100, batch="b", fee=None)]
    told = outcome(rows, items, Policy(amount=Tolerance(1)))
    assert told.matches[0].differences == (Difference("amount", 100, 99),)
    assert only_break(outcome(rows, items)).type == "split"


def test_a_success_in_the_report_is_evidence_for_a_payment_of_which_nothing_was_known() -> None:
    told = outcome([row(external_id="c")], [item("pay_1", 10_00, "c", state="unknown")])
    assert told.matches[0].evidence == ("pay_1",)
    assert not told.breaks


def test_fees_of_several_are_compared_only_where_all_are_expected() -> None:
    rows = [row("f:1", 4, external_id="c", fee=9), row("f:2", 6, external_id="c", fee=9)]
    known, unknown = item("a", 5, "c", fee=1), item("b", 5, "c", fee=None)
    assert len(outcome(rows, [known, unknown]).matches) == 1
    assert only_break(outcome(rows, [known, item("b", 5, "c", fee=1)])).type == "fee"
