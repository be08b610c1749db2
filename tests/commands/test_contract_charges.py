"""Charges under contracts: within limits, once or often, now or later; each rule, as given, when, then."""

from datetime import datetime, timedelta

import pytest

from commands.cancellations import CancelPayment
from commands.channels.channel import (
    Declined,
)
from commands.contracts import (
    ResumeContract,
    SuspendContract,
    TerminateContract,
)
from commands.customers import CreateCustomer
from commands.merchants import CreateMerchant
from commands.payments import CreatePayment
from commands.reviews import ApproveReview
from commands.risk_rules import ChangeRiskRules
from commands.scheduled_payments import SendScheduledPayment
from ledger.errors import (
    ContractLimitExceeded,
    ContractMismatch,
    ContractNotActive,
    ContractStateInvalid,
    ContractUnknown,
    ContractUsedUp,
    MethodNotSupported,
    PaymentNotDue,
    Refusal,
    ReviewNotOpen,
    ScheduleInPast,
    ScheduleNotSupported,
)
from ledger.events.contracts import (
    ContractChargeConfirmed,
    ContractChargeReleased,
    ContractChargeReserved,
    Limits,
    PeriodLimit,
)
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Method, PaymentAttemptInitiated
from ledger.events.risk import RiskPolicy, RiskRule
from tests.commands.contract_stories import (
    active,
    charge,
    counted,
    outcome,
    paid,
    shown,
    status_of,
)
from tests.commands.given import NOON
from tests.commands.stories import CHANNEL, charged

# --- charging -------------------------------------------------------------------------------------------------------


def test_a_charge_goes_to_the_channel_under_the_agreement() -> None:
    story = active()
    decision = story.when(charge()).answered(202, status="processing").decision
    assert decision is not None
    stream, reserved = decision.events[0]
    assert (stream, reserved) == ("con_1", ContractChargeReserved("con_1", "pay_1", 3_000, "EUR", NOON))
    intents = [event for _, event in decision.events if isinstance(event, PaymentAttemptInitiated)]
    assert [(i.channel, i.contract, i.method, i.token) for i in intents] == [(CHANNEL, "agr_1", "card", "tok_sms")]
    story.given(outcome(charged(3_000)))
    assert (status_of(story), counted(story)) == ("succeeded", {"pay_1": "confirmed"})


def test_a_contract_that_ends_leaves_no_review_of_what_is_queued_under_it() -> None:
    story = active().given(ChangeRiskRules((RiskRule("all", "true", "review"),), RiskPolicy(four_eyes=False)))
    story.given(charge())
    assert status_of(story) == "in_review"
    story.given(TerminateContract("con_1", "moved"))
    assert (status_of(story), counted(story)) == ("canceled", {"pay_1": "released"})
    story.when(ApproveReview("rev_1-1")).refused(ReviewNotOpen, review_status="withdrawn")


def test_what_is_not_paid_does_not_count() -> None:
    story = active().given(charge())
    story.given(outcome(Declined("insufficient_funds", "51", "", hard=False)))
    assert (status_of(story), counted(story)) == ("failed", {"pay_1": "released"})
    story.given(*paid(5_000, "pay_2"), *paid(5_000, "pay_3"))


@pytest.mark.parametrize("under_way", [True, False])
def test_a_period_is_full_when_what_is_paid_and_under_way_fills_it(under_way: bool) -> None:
    story = active().given(*(paid(5_000) if not under_way else (charge(5_000),)), charge(4_000, "pay_2"))
    story.when(charge(1_001, "pay_3")).refused(
        ContractLimitExceeded, "/amount", limit="month", most=10_000, used=9_000, left=1_000
    )
    story.when(charge(1_000, "pay_3")).answered(202)


def test_the_next_period_begins_with_nothing_used() -> None:
    story = active().given(charge(5_000), charge(5_000, "pay_2"))
    story.when(charge(100, "pay_3")).refused(ContractLimitExceeded)
    story.given(datetime.fromisoformat("2026-03-31T23:59:59Z"))
    story.when(charge(100, "pay_3")).refused(ContractLimitExceeded)
    story.given(datetime.fromisoformat("2026-04-01T00:00:00Z"))
    story.when(charge(5_000, "pay_3")).answered(202)


def test_a_period_has_no_more_charges_than_agreed() -> None:
    story = active(Limits("EUR", per_period=PeriodLimit(100_000, "day", count=2))).given(*paid(), charge(500, "pay_2"))
    story.when(charge(500, "pay_3")).refused(ContractLimitExceeded, "/amount", limit="count", most=2, used=2, left=0)
    story.given(outcome(Declined("try_again", "91", "", hard=False), "pay_2"))
    story.when(charge(500, "pay_3")).answered(202)


def test_one_charge_is_no_larger_than_agreed() -> None:
    active().when(charge(5_001)).refused(ContractLimitExceeded, "/amount", limit="per_charge", most=5_000, left=5_000)


def test_without_limits_any_amount_may_be_charged() -> None:
    active(Limits("EUR")).when(charge(10**9)).answered(202)


@pytest.mark.parametrize(
    ("change", "refusal", "pointer"),
    [
        ({"customer": "bob"}, ContractMismatch, "/customer"),
        ({"merchant": "other"}, ContractMismatch, "/merchant"),
        ({"merchant": "yankee", "currency": "USD"}, ContractMismatch, "/merchant"),
        ({"method": Method("contract", details={"contract": "con_9"})}, ContractUnknown, "/method/contract"),
        ({"method": Method("contract", details={"contract": "pay_1"})}, ContractUnknown, "/method/contract"),
        ({"method": Method("card", "tok")}, MethodNotSupported, "/method/type"),
    ],
)
def test_a_contract_is_good_for_its_own_parties_only(
    change: dict[str, object], refusal: type[Refusal], pointer: str
) -> None:
    story = active().given(
        CreateCustomer("bob"),
        CreateMerchant("other", "Other", FeeTerms(0, 0), "EUR"),
        CreateMerchant("yankee", "Yankee", FeeTerms(0, 0), "USD"),
    )
    command = charge()
    fields = {name: getattr(command, name) for name in command.__struct_fields__} | change
    story.when(CreatePayment(**fields)).refused(refusal, pointer)


def test_a_single_use_contract_is_used_once() -> None:
    story = active(single_use=True).given(charge(1_000))
    story.when(charge(100, "pay_2")).refused(ContractUsedUp, payment="pay_1")
    story.given(outcome(charged(1_000)))
    assert (shown(story).status, shown(story).terminated_by) == ("terminated", "expiry")
    story.when(charge(100, "pay_2")).refused(ContractUsedUp, payment="pay_1")


def test_a_single_use_contract_whose_charge_failed_may_be_used() -> None:
    story = active(single_use=True).given(charge(1_000), outcome(Declined("try_again", "91", "", hard=False)))
    story.when(charge(1_000, "pay_2")).answered(202)


def test_a_suspended_contract_is_not_charged_until_it_is_resumed() -> None:
    story = active().given(SuspendContract("con_1", "a complaint"))
    story.when(charge()).refused(ContractNotActive, "/method/contract", contract_status="suspended")
    story.when(SuspendContract("con_1", "again")).refused(ContractStateInvalid, expected_status="active")
    story.when(ResumeContract("con_1")).answered(200, status="active")
    story.when(ResumeContract("con_1")).refused(ContractStateInvalid, expected_status="suspended")
    story.when(charge()).answered(202)


# --- charges for later ----------------------------------------------------------------------------------------------


def test_a_charge_that_was_announced_waits_for_its_time() -> None:
    tomorrow = NOON + timedelta(days=1)
    story = active()
    story.when(charge(at=tomorrow)).answered(201, status="created", attempts=[])
    story.when(SendScheduledPayment("pay_1")).refused(PaymentNotDue)
    story.given(tomorrow)
    story.when(SendScheduledPayment("pay_1")).answered(202, status="processing")
    story.when(SendScheduledPayment("pay_1")).refused(PaymentNotDue)
    story.given(outcome(charged(3_000)))
    assert counted(story) == {"pay_1": "confirmed"}


def test_a_charge_counts_in_the_period_that_it_is_announced_for() -> None:
    april = datetime.fromisoformat("2026-04-02T00:00:00Z")
    story = active().given(charge(5_000, "pay_1", april), charge(5_000, "pay_2", april))
    story.when(charge(100, "pay_3", april)).refused(ContractLimitExceeded, used=10_000)
    story.when(charge(100, "pay_3")).answered(202)


def test_a_charge_that_is_canceled_before_its_time_does_not_count() -> None:
    story = active().given(charge(at=NOON + timedelta(days=1)), CancelPayment("pay_1"))
    assert (status_of(story), counted(story)) == ("canceled", {"pay_1": "released"})


def test_a_charge_whose_contract_is_suspended_when_it_is_due_is_canceled() -> None:
    story = active().given(charge(at=NOON + timedelta(days=1)), SuspendContract("con_1", "a complaint"))
    story.given(NOON + timedelta(days=1), SendScheduledPayment("pay_1"))
    assert (status_of(story), counted(story)) == ("canceled", {"pay_1": "released"})


def test_only_a_charge_under_a_contract_is_announced_and_only_for_later() -> None:
    active().when(charge(at=NOON)).refused(ScheduleInPast, "/scheduled_at")
    by_card = CreatePayment(
        "pay_1", "acme", 1, "EUR", "quick_pay", Method("card"), "o", scheduled_at=NOON + timedelta(days=1)
    )
    active().when(by_card).refused(ScheduleNotSupported, "/scheduled_at")


def test_a_charge_is_confirmed_even_if_it_was_given_up_before() -> None:
    """The fold of confirmations: a success after a release counts after all."""
    story = active().given(charge())
    story.given(("con_1", ContractChargeReleased("con_1", "pay_1", "the payment is failed")))
    story.when(outcome(charged(3_000)))
    assert counted(story) == {"pay_1": "confirmed"}
    assert [type(r.event) for r in story.stream("con_1")][-1] is ContractChargeConfirmed
