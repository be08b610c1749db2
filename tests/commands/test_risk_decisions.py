"""Risk decisions: what a judged order leads to, how payers answer a challenge, and how people decide reviews."""

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from commands.authorizations import CapturePayment
from commands.cancellations import CancelPayment, ExpirePayment
from commands.challenges import Codes
from commands.channels.channel import Authorized
from commands.confirmations import ConfirmPayment
from commands.customers import CreateCustomer
from commands.envelope import Command
from commands.payments import CreatePayment
from commands.reviews import ApproveReview, CloseOverdueReview, RejectReview
from commands.risk_lists import PutOnRiskList, TakeOffRiskList
from commands.risk_rules import ChangeRiskRules
from commands.risk_signals import RiskSignals
from ledger.errors import (
    ChangeUnderWay,
    ExpiryInPast,
    FieldInvalid,
    PaymentStateInvalid,
    ReviewNotDue,
    ReviewNotFound,
    ReviewNotOpen,
    RiskListEntryNotFound,
    SelfApproval,
)
from ledger.events.authorizations import CaptureRequested
from ledger.events.event import Event
from ledger.events.payments import (
    Method,
    PaymentActionRequired,
    PaymentAttemptInitiated,
    PaymentCanceled,
    PaymentCreated,
    PaymentExpired,
    PaymentRejected,
    PaymentRiskAssessed,
    PaymentRouted,
)
from ledger.events.reviews import (
    PaymentChallenged,
    PaymentChallengeFailed,
    PaymentChallengePassed,
    PaymentReviewApproved,
    PaymentReviewOpened,
    PaymentReviewRejected,
    PaymentReviewWithdrawn,
)
from ledger.events.risk import RiskListed, RiskPolicy, RiskRule, RiskUnlisted
from ledger.events.voids import VoidRequested
from ledger.payment_views import PaymentView
from tests.commands.given import NOON, Outcome, Story, given
from tests.commands.stories import DECLINED, PARTIES, attempt_of, by_card

CODES = Codes(b"a secret of this test")
RIGHT = CODES.proof_of("pay_1", CODES.code_for("pay_1"))
WRONG = CODES.proof_of("pay_1", "not the code")
IN_TIME = NOON + timedelta(minutes=9)
TOO_LATE = NOON + timedelta(minutes=10)
DEADLINE = NOON + timedelta(hours=72)


def rules(verdict: str, condition: str = "amount >= 6000", policy: RiskPolicy | None = None) -> Command:
    return ChangeRiskRules((RiskRule("large", condition, verdict),), policy or RiskPolicy())


def order(*, phone: str = "+4915112345678", proof: str = RIGHT, capture: str = "automatic") -> CreatePayment:
    client = {"phone": phone} if phone else {}
    return replace(by_card(), client=client, capture=capture, risk=RiskSignals(proof=proof))


def kinds(outcome: Outcome) -> list[type[Event]]:
    assert outcome.decision is not None, outcome.refusal
    return [type(event) for stream, event in outcome.decision.events if stream.startswith("pay_")]


def begun(*before: type[Event]) -> list[type[Event]]:
    return [*before, PaymentRouted, PaymentAttemptInitiated]


def story(verdict: str, *happenings: Command | datetime, policy: RiskPolicy | None = None) -> Story:
    return given(*PARTIES, rules(verdict, policy=policy), *happenings)


# --- what a decision leads to


@pytest.mark.parametrize("verdict", ["flag", "allow"])
def test_what_is_accepted_begins(verdict: str) -> None:
    outcome = story(verdict).when(order()).answered(202, status="processing")
    assert kinds(outcome) == begun(PaymentCreated, PaymentRiskAssessed)


def test_what_is_rejected_is_over_and_no_channel_is_asked() -> None:
    outcome = story("reject").when(order())
    assert kinds(outcome) == [PaymentCreated, PaymentRiskAssessed, PaymentRejected]
    outcome.answered(201, status="rejected", attempts=[])
    told = outcome.receipt(PaymentView).error
    assert told is not None
    assert (told.code, told.next_action) == ("blocked", "other_method")
    assert "large" not in repr(told)


def test_the_decision_is_recorded_with_all_that_it_was_taken_on() -> None:
    asks = rules("flag", "customer_declines_24h >= 2 && account_age_h >= 0 && ip_attempts_1m == 0")
    told = RiskSignals({"customer_declines_24h": 3, "asked_at": "2026-03-15T12:00:00+00:00", "seen_until": 9})
    asked = replace(by_card(), customer="ann", risk=told)
    outcome = given(*PARTIES, asks, NOON + timedelta(hours=5, minutes=59)).when(asked)
    assert outcome.decision is not None
    (assessed,) = [event for _, event in outcome.decision.events if isinstance(event, PaymentRiskAssessed)]
    assert (assessed.decision, assessed.reasons, assessed.flagged) == ("accept", ("large",), True)
    assert assessed.rules
    assert assessed.signals == {**told.values, "account_age_h": 5}


def test_signals_that_did_not_come_are_told_in_the_decision() -> None:
    asks = rules("reject", "customer_declines_24h >= 2")
    asked = replace(by_card(), customer="ann", risk=RiskSignals(trouble="no answer in time"))
    outcome = given(*PARTIES, asks).when(asked)
    assert outcome.decision is not None
    (assessed,) = [event for _, event in outcome.decision.events if isinstance(event, PaymentRiskAssessed)]
    assert (assessed.decision, assessed.flagged) == ("accept", True)
    assert assessed.reasons == ("not asked (no answer in time): large",)


# --- challenges


def challenged(*happenings: Command | datetime, policy: RiskPolicy | None = None) -> Story:
    return story("challenge", order(), *happenings, policy=policy)


def answer(proof: str) -> ConfirmPayment:
    return ConfirmPayment("pay_1", "told by the payer", proof)


def test_a_payer_who_is_challenged_is_asked_for_a_code_before_any_channel_is() -> None:
    outcome = story("challenge").when(order()).answered(201, status="requires_action")
    assert kinds(outcome) == [PaymentCreated, PaymentRiskAssessed, PaymentChallenged, PaymentActionRequired]
    assert outcome.decision is not None
    (asked,) = [event for _, event in outcome.decision.events if isinstance(event, PaymentActionRequired)]
    assert asked == PaymentActionRequired("", "one_time_code", data={"sent_to": "…78"}, expires_at=TOO_LATE)
    assert CODES.code_for("pay_1") not in repr(outcome.decision.events)


def test_the_right_code_lets_it_go_on() -> None:
    outcome = challenged(IN_TIME).when(answer(RIGHT)).answered(202, status="processing")
    assert kinds(outcome) == begun(PaymentChallengePassed)


def test_a_wrong_code_asks_again_and_the_third_is_the_last() -> None:
    tries = challenged()
    tries.when(answer(WRONG)).then(PaymentChallengeFailed(1)).answered(200, status="requires_action")
    tries.when(answer(WRONG)).then(PaymentChallengeFailed(2)).answered(200, status="requires_action")
    last = tries.when(answer(WRONG)).answered(200, status="rejected")
    assert kinds(last) == [PaymentChallengeFailed, PaymentRejected]
    tries.when(answer(RIGHT)).refused(PaymentStateInvalid)


def test_the_right_code_after_a_wrong_one_is_right() -> None:
    assert kinds(challenged(answer(WRONG), answer(WRONG)).when(answer(RIGHT))) == begun(PaymentChallengePassed)


def test_a_code_is_good_for_ten_minutes_and_for_its_own_payment() -> None:
    challenged(TOO_LATE).when(answer(RIGHT)).refused(PaymentStateInvalid)
    challenged(TOO_LATE).when(ExpirePayment("pay_1")).then(PaymentExpired()).answered(status="expired")
    assert CODES.proof_of("pay_2", CODES.code_for("pay_1")) != RIGHT
    assert Codes(b"another secret of this test").proof_of("pay_1", CODES.code_for("pay_1")) != RIGHT
    assert len(CODES.code_for("pay_1")) == 6


@pytest.mark.parametrize("asked", [order(phone=""), order(proof="")])
def test_a_challenge_that_nobody_can_be_sent_becomes_a_review(asked: CreatePayment) -> None:
    outcome = story("challenge").when(asked).answered(201, status="in_review")
    assert kinds(outcome) == [PaymentCreated, PaymentRiskAssessed, PaymentReviewOpened]


def test_the_customers_own_number_comes_before_the_one_that_the_order_tells() -> None:
    known = CreateCustomer("eve", metadata={"phone": "+4930000011"})
    outcome = story("challenge", known).when(replace(order(), customer="eve"))
    assert outcome.decision is not None
    (asked,) = [event for _, event in outcome.decision.events if isinstance(event, PaymentChallenged)]
    assert asked.sent_to == "…11"


def test_a_channel_can_be_left_to_challenge() -> None:
    outcome = story("challenge", policy=RiskPolicy(step_up="three_ds")).when(order()).answered(202)
    assert outcome.decision is not None
    (begun_,) = [event for _, event in outcome.decision.events if isinstance(event, PaymentAttemptInitiated)]
    assert begun_.authenticate


# --- reviews


def reviewed(*happenings: Command | datetime, policy: RiskPolicy | None = None) -> Story:
    return story("review", order(), *happenings, policy=policy)


OPENED = PaymentReviewOpened("rev_1-1", ("large",), DEADLINE, "reject")
TRUSTING = RiskPolicy(four_eyes=False)


def test_a_review_waits_for_a_person() -> None:
    outcome = story("review").when(order()).answered(201, status="in_review", attempts=[])
    assert outcome.decision is not None
    assert outcome.decision.events[-1] == ("pay_1", OPENED)


def test_approved_it_begins() -> None:
    outcome = reviewed(policy=TRUSTING).when(ApproveReview("rev_1-1", "called")).answered(202, status="processing")
    assert kinds(outcome) == begun(PaymentReviewApproved)


def test_rejected_it_is_over() -> None:
    outcome = reviewed().when(RejectReview("rev_1-1", "no")).answered(200, status="rejected")
    outcome.then(PaymentReviewRejected("rev_1-1", "no"), PaymentRejected("blocked", "rejected by a review"))


def test_whoever_created_a_payment_does_not_approve_it() -> None:
    reviewed().when(ApproveReview("rev_1-1")).refused(SelfApproval, review="rev_1-1")


def test_a_payment_in_review_is_canceled_and_nothing_is_left_to_decide() -> None:
    told = reviewed(policy=TRUSTING)
    outcome = told.when(CancelPayment("pay_1", "the order was changed")).answered(200, status="canceled", attempts=[])
    outcome.then(
        PaymentReviewWithdrawn("rev_1-1", "the order was changed"),
        PaymentCanceled("the order was changed", "cancelled_by_user"),
    )
    for decision in (ApproveReview("rev_1-1"), RejectReview("rev_1-1")):
        told.when(decision).refused(ReviewNotOpen, review_status="withdrawn")
    told.given(DEADLINE).when(CloseOverdueReview("rev_1-1")).refused(ReviewNotDue)


@pytest.mark.parametrize("decision", [ApproveReview("rev_1-1"), RejectReview("rev_1-1")])
def test_a_review_is_decided_once(decision: Command) -> None:
    told = reviewed(RejectReview("rev_1-1"))
    told.when(decision).refused(ReviewNotOpen, review_status="rejected")
    told.given(DEADLINE).when(CloseOverdueReview("rev_1-1")).refused(ReviewNotDue)


@pytest.mark.parametrize("name", ["rev_1-2", "rev_2-1", "ref_1-1", "nothing"])
def test_a_review_that_is_none_is_not_found(name: str) -> None:
    reviewed().when(RejectReview(name)).refused(ReviewNotFound)


@pytest.mark.parametrize(("on_deadline", "status"), [("reject", "rejected"), ("approve", "processing")])
def test_what_nobody_decides_in_time_is_decided_by_the_policy(on_deadline: str, status: str) -> None:
    told = reviewed(policy=RiskPolicy(on_deadline=on_deadline))
    told.given(DEADLINE - timedelta(microseconds=1)).when(CloseOverdueReview("rev_1-1")).refused(ReviewNotDue)
    outcome = told.given(DEADLINE).when(CloseOverdueReview("rev_1-1")).answered(status=status)
    assert outcome.decision is not None
    (decided,) = [
        event
        for _, event in outcome.decision.events
        if isinstance(event, PaymentReviewApproved | PaymentReviewRejected)
    ]
    assert decided.by_deadline


def test_an_order_whose_time_is_over_is_not_begun_by_a_late_approval() -> None:
    in_an_hour = replace(order(), expires_in_s=3_600)
    told = story(
        "review", in_an_hour, NOON + timedelta(hours=1), policy=RiskPolicy(four_eyes=False, on_deadline="approve")
    )
    told.when(ApproveReview("rev_1-1")).refused(PaymentStateInvalid)
    told.given(DEADLINE).when(CloseOverdueReview("rev_1-1")).answered(status="rejected")


# --- lists

FROM_THERE = {"ip": "203.0.113.9", "email": "Eve@Example.org", "country": "de"}
LISTED = replace(
    by_card(), method=Method("card", "tok_visa", {"fingerprint": "fp_1", "bin": "424242"}), client=FROM_THERE
)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ip", "203.0.113.9"),
        ("email", "eve@example.ORG "),
        ("country", "DE"),
        ("fingerprint", "fp_1"),
        ("bin", "424242"),
        ("card", "tok_visa"),
    ],
)
def test_what_is_on_the_block_list_is_blocked_until_it_is_taken_off(kind: str, value: str) -> None:
    told = given(*PARTIES, PutOnRiskList("block", kind, value, "fraud"))
    told.when(LISTED).answered(201, status="rejected")
    told.given(TakeOffRiskList("block", kind, value)).when(replace(LISTED, id="pay_2")).answered(202)


def test_a_place_on_a_list_expires() -> None:
    until = NOON + timedelta(hours=1)
    told = given(*PARTIES, PutOnRiskList("block", "ip", "203.0.113.9", "fraud", until))
    told.when(LISTED).answered(status="rejected")
    told.given(until).when(replace(LISTED, id="pay_2")).answered(status="processing")


def test_the_allow_list_sets_the_block_list_aside() -> None:
    lists = PutOnRiskList("block", "bin", "424242", "fraud"), PutOnRiskList("allow", "card", "tok_visa", "ours")
    told = given(*PARTIES, *lists)
    outcome = told.when(LISTED).answered(status="processing")
    assert outcome.decision is not None
    (assessed,) = [event for _, event in outcome.decision.events if isinstance(event, PaymentRiskAssessed)]
    assert assessed.signals == {"on_allow_list": True, "on_block_list": True}


def test_lists_take_values_that_are_some_and_give_back_what_they_have() -> None:
    given().when(PutOnRiskList("block", "ip", "2001:DB8::1", "x")).then(RiskListed("block", "ip", "2001:db8::1", "x"))
    given().when(PutOnRiskList("block", "ip", "300.1.1.1", "x")).refused(FieldInvalid, "/value")
    given().when(PutOnRiskList("block", "shoe", "42", "x")).refused(FieldInvalid, "/type")
    given().when(PutOnRiskList("block", "bin", "42", "x")).refused(FieldInvalid, "/value")
    given().when(PutOnRiskList("block", "bin", "424242", "x", NOON)).refused(ExpiryInPast, "/expires_at")
    told = given(PutOnRiskList("block", "device", "d", "x"))
    told.when(TakeOffRiskList("allow", "device", "d")).refused(RiskListEntryNotFound)
    told.when(TakeOffRiskList("block", "device", "d")).then(RiskUnlisted("block", "device", "d"))
    told.when(TakeOffRiskList("block", "device", "d")).refused(RiskListEntryNotFound)


# --- reviews of what is authorized


def held(*happenings: Command | datetime, policy: RiskPolicy | None = None) -> Story:
    """A payment that its channel holds, and that waits for a review."""
    by_hand = order(capture="manual")
    said = attempt_of("pay_1", Authorized("auth_1", 6_000, "EUR", None, NOON))
    return story("review", by_hand, said, *happenings, policy=policy or TRUSTING)


def test_what_is_captured_by_hand_is_reviewed_once_it_is_authorized() -> None:
    outcome = story("review").when(order(capture="manual")).answered(202, status="processing")
    opened: list[type[Event]] = [PaymentCreated, PaymentRiskAssessed, PaymentReviewOpened]
    assert kinds(outcome) == begun(*opened)
    held().when(CapturePayment("pay_1")).refused(ChangeUnderWay)


def test_approved_what_is_authorized_is_captured() -> None:
    outcome = held().when(ApproveReview("rev_1-1"))
    approved, captured = PaymentReviewApproved("rev_1-1"), "cap_1-1"
    outcome.then(approved, CaptureRequested(captured, "pay_1-1", "card_simulator", "auth_1", 6_000, "EUR"))


def test_rejected_what_is_authorized_is_let_go() -> None:
    assert kinds(held().when(RejectReview("rev_1-1"))) == [PaymentReviewRejected, VoidRequested]


@pytest.mark.parametrize(
    ("on_deadline", "event"), [("reject", VoidRequested), ("approve", CaptureRequested)], ids=["reject", "approve"]
)
def test_the_deadline_decides_about_what_is_authorized_too(on_deadline: str, event: type[Event]) -> None:
    told = held(DEADLINE, policy=RiskPolicy(on_deadline=on_deadline))
    assert kinds(told.when(CloseOverdueReview("rev_1-1")))[1:] == [event]


def test_what_nobody_knows_to_be_authorized_is_not_decided_yet() -> None:
    told = story("review", order(capture="manual"), DEADLINE, policy=TRUSTING)
    told.when(ApproveReview("rev_1-1")).refused(PaymentStateInvalid)
    told.when(RejectReview("rev_1-1")).refused(PaymentStateInvalid)
    told.when(CloseOverdueReview("rev_1-1")).refused(ReviewNotDue)


def test_a_review_of_what_the_channel_declined_is_only_closed() -> None:
    told = story("review", order(capture="manual"), attempt_of("pay_1", DECLINED), DEADLINE)
    told.when(CloseOverdueReview("rev_1-1")).then(PaymentReviewRejected("rev_1-1", by_deadline=True))
