"""Credit: bought within a limit, paid back in a fixed order, given up by two persons."""

from datetime import timedelta

import pytest

from commands.credit_lines import ChangeCreditLimit, ChargeInterest, OpenCreditLine
from commands.credit_losses import DecideCreditLoss, ProposeCreditLoss
from commands.repayments import RecordRepaymentResult
from ledger.errors import (
    CreditLimitExceeded,
    CreditLineExists,
    CreditLineNotFound,
    CreditLineUnknown,
    CreditLossNotFound,
    CustomerNotFound,
    InterestChargedAlready,
    InterestNotDue,
    LossExceedsPrincipal,
    SecondPersonRequired,
)
from ledger.events.accounts import AccountOpened
from ledger.repayment_state import repayment_view
from tests.commands.given import NOON, Story, given
from tests.commands.product_stories import ALLOWANCE, INTEREST, PRINCIPAL, WITH_CREDIT, on_credit, repaid
from tests.commands.stories import ANN, CHANNEL, DECLINED, MERCHANT, PARTIES, UNAPPLIED, charged, refund

MARCH = ChargeInterest("ann", "EUR", "2026-03")
OWING = (*WITH_CREDIT, on_credit(), MARCH)


def owed(story: Story) -> tuple[int, int]:
    return story.balance(PRINCIPAL), story.balance(INTEREST)


def test_a_purchase_is_final_at_once_and_owed() -> None:
    story = given(*WITH_CREDIT)
    story.when(on_credit()).answered(201, status="succeeded", amount_captured=6_000)
    assert (owed(story), story.balance(MERCHANT)) == ((6_000, 0), 5_870)


def test_a_purchase_beyond_the_limit_is_refused_and_one_up_to_it_is_not() -> None:
    story = given(*WITH_CREDIT, on_credit())
    story.when(on_credit("pay_2", 4_001)).refused(CreditLimitExceeded, "/amount", available=4_000, limit=10_000)
    story.when(on_credit("pay_3", 4_000)).answered(201)
    assert owed(story) == (10_000, 0)


def test_the_account_of_the_principal_keeps_the_limit_whatever_a_decision_overlooks() -> None:
    (opened,) = [
        recorded.event
        for recorded in given(*WITH_CREDIT).log
        if isinstance(recorded.event, AccountOpened) and recorded.event.id == PRINCIPAL
    ]
    assert (opened.min_balance, opened.max_balance, opened.protected) == (0, 10_000, True)


def test_who_has_no_credit_line_buys_nothing() -> None:
    given(*PARTIES).when(on_credit()).refused(CreditLineUnknown, "/customer")


def test_a_customer_has_one_line_for_each_currency() -> None:
    story = given(*WITH_CREDIT)
    story.when(OpenCreditLine("ann", "EUR", 5)).refused(CreditLineExists, "/currency")
    story.when(OpenCreditLine("ann", "USD", 5)).answered(201, currency="USD", available=5)
    story.when(OpenCreditLine("bob", "EUR", 5)).refused(CustomerNotFound)


def test_a_smaller_limit_leaves_the_debt_and_stops_purchases() -> None:
    story = given(*WITH_CREDIT, on_credit())
    story.when(ChangeCreditLimit("ann", "EUR", 1_000)).answered(limit=1_000, available=0, principal=6_000)
    story.when(on_credit("pay_2", 100)).refused(CreditLimitExceeded, available=0)
    story.given(*repaid(5_500)).when(on_credit("pay_2", 500)).answered(201)
    story.when(ChangeCreditLimit("bob", "EUR", 1)).refused(CreditLineNotFound)


# --- interest


def test_interest_is_a_share_of_the_principal_and_the_fee_comes_with_it() -> None:
    story = given(*WITH_CREDIT, on_credit())
    story.when(MARCH).answered(principal=6_000, interest=90, fees=25, total=6_115)
    assert owed(story) == (6_000, 115)


def test_a_month_is_charged_once() -> None:
    story = given(*OWING)
    story.when(MARCH).refused(InterestChargedAlready, "/period")
    story.given(NOON + timedelta(days=31)).when(ChargeInterest("ann", "EUR", "2026-04")).answered(interest=180)


@pytest.mark.parametrize("period", ["2026-02", "2026-04"])
def test_a_month_before_the_line_or_ahead_of_time_is_not_charged(period: str) -> None:
    given(*WITH_CREDIT).when(ChargeInterest("ann", "EUR", period)).refused(InterestNotDue, "/period")


def test_the_timer_charges_only_what_is_over() -> None:
    story = given(*WITH_CREDIT, on_credit())
    command = ChargeInterest("ann", "EUR", "2026-03", over=True)
    story.when(command).refused(InterestNotDue)
    story.given(NOON + timedelta(days=31)).when(command).answered(interest=90)


def test_who_owes_nothing_pays_nothing_and_the_month_is_done() -> None:
    story = given(*WITH_CREDIT)
    story.when(MARCH).answered(interest=0, fees=0)
    story.given(on_credit()).when(MARCH).refused(InterestChargedAlready)


# --- repayments


def test_p65_a_repayment_smaller_than_fee_and_interest_leaves_the_principal() -> None:
    story = given(*OWING, *repaid(20))
    assert owed(story) == (6_000, 95)
    story.given(*repaid(5, 2))
    view = repayment_view(story.stream("rep_2"))
    assert (view.fees, view.interest, view.principal) == (5, 0, 0)
    story.given(*repaid(100, 3))
    view = repayment_view(story.stream("rep_3"))
    assert (view.fees, view.interest, view.principal, view.to_wallet) == (0, 90, 10, 0)
    assert owed(story) == (5_990, 0)


def test_what_is_paid_too_much_goes_into_the_wallet() -> None:
    story = given(*OWING, *repaid(7_000))
    assert (owed(story), story.balance(ANN)) == ((0, 0), 885)


def test_a_repayment_is_measured_when_the_money_is_there() -> None:
    first, second = repaid(6_000), repaid(6_000, 2)
    story = given(*OWING, first[0], second[0], second[1], first[1])
    assert (owed(story), story.balance(ANN)) == ((0, 0), 12_000 - 6_115)


def test_a_repayment_that_is_declined_pays_nothing_and_a_late_success_pays() -> None:
    asked, paid = repaid(1_000)
    story = given(*OWING, asked, RecordRepaymentResult("rep_1-1", CHANNEL, DECLINED))
    assert owed(story) == (6_000, 115)
    story.when(paid).answered(effect="recorded")
    story.when(paid).answered(effect="duplicate")
    story.when(RecordRepaymentResult("rep_1-1", CHANNEL, charged(1_000, "ch_2"))).answered(effect="unapplied")
    assert (owed(story), story.balance(UNAPPLIED)) == ((5_115, 0), 1_000)


# --- refunds


def test_p65_a_refund_reduces_the_principal_first() -> None:
    story = given(*OWING)
    story.when(refund(2_000)).answered(201, status="succeeded", channel=None)
    assert (owed(story), story.balance(ANN)) == ((4_000, 115), 0)


def test_p65_a_refund_greater_than_what_is_owed_goes_to_the_wallet() -> None:
    story = given(*OWING, *repaid(5_000), refund())
    assert (owed(story), story.balance(ANN)) == ((0, 0), 6_000 - 1_115)


# --- losses


def test_a_loss_needs_a_second_person() -> None:
    story = given(*OWING)
    story.when(ProposeCreditLoss("ann", "EUR", "write_off", 6_000, "insolvent")).answered(number=1, status="proposed")
    assert owed(story) == (6_000, 115)
    story.when(DecideCreditLoss("ann", "EUR", 1, True)).refused(SecondPersonRequired, maker="key_tests")
    story.by("somebody_else").when(DecideCreditLoss("ann", "EUR", 1, True)).answered(status="written_off")
    assert (owed(story), story.balance(ALLOWANCE), story.balance("sys:5050:credit_pay:eur")) == ((0, 115), 0, 6_000)
    story.when(DecideCreditLoss("ann", "EUR", 1, True)).refused(CreditLossNotFound)


def test_what_was_written_down_is_no_expense_again_when_it_is_written_off() -> None:
    story = given(*OWING, ProposeCreditLoss("ann", "EUR", "impairment", 4_000, "late"))
    story.by("b").given(DecideCreditLoss("ann", "EUR", 1, True))
    assert (story.balance(PRINCIPAL), story.balance(ALLOWANCE)) == (6_000, -4_000)
    story.by("a").given(ProposeCreditLoss("ann", "EUR", "write_off", 6_000, "insolvent"))
    story.by("b").given(DecideCreditLoss("ann", "EUR", 2, True))
    assert (story.balance(PRINCIPAL), story.balance(ALLOWANCE)) == (0, 0)
    assert story.balance("sys:5050:credit_pay:eur") == 6_000


def test_no_more_is_given_up_than_is_owed_also_when_it_is_decided_later() -> None:
    story = given(*OWING)
    story.when(ProposeCreditLoss("ann", "EUR", "write_off", 6_001, "x")).refused(LossExceedsPrincipal, most=6_000)
    story.given(ProposeCreditLoss("ann", "EUR", "write_off", 6_000, "x"), *repaid(1_115)).by("b")
    story.when(DecideCreditLoss("ann", "EUR", 1, True)).refused(LossExceedsPrincipal, most=5_000)
    story.when(DecideCreditLoss("ann", "EUR", 1, False, "paid a part")).answered(status="rejected")
