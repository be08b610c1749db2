"""Confirmations: what a payer is asked for, what he answers, and what comes of it, as given, when, then."""

import itertools
from datetime import timedelta

import msgspec
import pytest

from commands.channels.channel import ActionRequired, Declined, NotFound, NotSent, Unknown, Verdict
from commands.confirmations import ConfirmPayment, RecordConfirmationResult
from commands.payments import CreatePayment
from ledger.errors import FieldInvalid, FieldMissing, PaymentNotFound, PaymentStateInvalid
from ledger.events.closings import PaymentClosingRequested
from ledger.events.confirmations import PaymentConfirmationFailed, PaymentConfirmationSent
from ledger.events.payments import PaymentActionRequired, PaymentAttemptDeclined, PaymentCaptured
from ledger.payment_views import PaymentView, payment_view
from tests.commands.given import NOON, Story, given
from tests.commands.stories import (
    CHANNEL,
    DECLINED,
    MERCHANT,
    PARTIES,
    PATIENCE,
    UNAPPLIED,
    attempt_of,
    by_card,
    charged,
)

HALF_PAST = NOON + timedelta(minutes=30)
SMS = ActionRequired("ch_1", "sms_code", data={"sent_to": "*** 678"})
STEP_UP = ActionRequired("ch_1", "three_ds", "https://bank.example/prove")
ASKED = (*PARTIES, by_card(), attempt_of("pay_1", SMS))


def later(**changes: object) -> CreatePayment:
    """A payment that is only created."""
    order: CreatePayment = msgspec.structs.replace(by_card(), confirm=False, **changes)
    return order


def shown(story: Story) -> PaymentView:
    return payment_view(story.stream("pay_1"))


def told(number: int, verdict: Verdict) -> RecordConfirmationResult:
    return RecordConfirmationResult(f"cfm_1-{number}", CHANNEL, verdict)


def code(answer: str | None = "123456") -> ConfirmPayment:
    return ConfirmPayment("pay_1", answer)


# --- what the payer is asked for ------------------------------------------------------------------------------------


def test_what_the_channel_asks_of_the_payer_is_his_next_action() -> None:
    outcome = given(*PARTIES, by_card()).when(attempt_of("pay_1", SMS))
    outcome.then(PaymentActionRequired("pay_1-1", "sms_code", "ch_1", None, {"sent_to": "*** 678"}, HALF_PAST))
    view = msgspec.to_builtins(shown(outcome.story))
    assert (view["status"], view["attempts"][0]["status"]) == ("requires_action", "requires_action")
    asked = {"type": "sms_code", "data": {"sent_to": "*** 678"}, "expires_at": "2026-03-15T12:30:00Z"}
    assert (view["next_action"], view["expires_at"]) == (asked, "2026-03-15T12:30:00Z")


def test_the_channel_s_own_end_of_an_action_counts() -> None:
    soon = NOON + timedelta(minutes=5)
    story = given(*PARTIES, by_card(), attempt_of("pay_1", msgspec.structs.replace(SMS, expires_at=soon)))
    assert shown(story).expires_at == soon


@pytest.mark.parametrize("again", [SMS, Unknown("pending"), Unknown("ReadTimeout"), NotFound(), NotSent("closed")])
def test_what_is_asked_already_is_not_asked_again(again: Verdict) -> None:
    story = given(*ASKED)
    before = shown(story)
    story.when(attempt_of("pay_1", again)).then().answered(200, effect="ignored")
    assert shown(story) == before


def test_a_channel_may_ask_for_something_else() -> None:
    outcome = given(*ASKED).when(attempt_of("pay_1", STEP_UP))
    outcome.then(PaymentActionRequired("pay_1-1", "three_ds", "ch_1", STEP_UP.url, {}, HALF_PAST))


def test_a_success_while_the_payer_is_asked_pays_although_it_has_the_reference_of_the_order() -> None:
    outcome = given(*ASKED).when(attempt_of("pay_1", charged())).answered(effect="recorded")
    view = shown(outcome.story)
    assert (view.status, view.next_action, outcome.story.balance(MERCHANT)) == ("succeeded", None, 5_870)
    outcome.story.when(attempt_of("pay_1", charged())).then().answered(effect="duplicate")


def test_what_is_asked_after_the_outcome_is_too_late() -> None:
    for outcome in (charged(), DECLINED):
        story = given(*PARTIES, by_card(), attempt_of("pay_1", outcome))
        story.when(attempt_of("pay_1", SMS)).then().answered(effect="ignored")


@pytest.mark.parametrize(
    ("group", "status"), [("cancelled_by_user", "canceled"), ("session_expired", "expired"), ("blocked", "failed")]
)
def test_what_the_payer_did_at_the_channel_is_what_the_payment_becomes(group: str, status: str) -> None:
    no = Declined(group, "X1", "", hard=False)  # type: ignore[arg-type]
    view = shown(given(*ASKED, attempt_of("pay_1", no)))
    assert view.error is not None
    assert (view.status, view.error.code, view.attempts[0].status) == (status, group, "declined")


# --- what he answers ------------------------------------------------------------------------------------------------


def test_an_answer_is_an_intent_before_it_is_sent() -> None:
    outcome = given(*ASKED).when(code())
    outcome.then(PaymentConfirmationSent("cfm_1-1", "pay_1-1", CHANNEL, "ch_1", 6_000, "EUR", "123456"))
    outcome.answered(202, status="processing", next_action=PATIENCE)


def test_a_right_answer_pays_and_a_second_one_is_refused() -> None:
    story = given(*ASKED, code())
    story.when(code()).refused(PaymentStateInvalid, payment_status="processing")
    story.when(told(1, charged())).answered(effect="recorded")
    assert shown(story).status == "succeeded"
    story.when(code()).refused(PaymentStateInvalid, payment_status="succeeded")
    assert sum(isinstance(fact.event, PaymentConfirmationSent) for fact in story.stream("pay_1")) == 1


def test_a_step_at_the_bank_needs_no_answer_and_is_not_counted() -> None:
    story = given(*PARTIES, by_card(), attempt_of("pay_1", STEP_UP))
    for number in range(1, 6):
        story.when(code(None)).answered(202)
        story.when(told(number, STEP_UP)).then(PaymentConfirmationFailed(f"cfm_1-{number}", "pay_1-1", "not_done"))
    story.given(code(None)).when(told(6, charged())).answered(effect="recorded")


def test_a_wrong_code_asks_again_and_says_how_often_it_may_be_told() -> None:
    story = given(*ASKED, code())
    story.when(told(1, SMS)).then(PaymentConfirmationFailed("cfm_1-1", "pay_1-1", "wrong", tries_left=2))
    action = shown(story).next_action
    assert action is not None
    assert (action.type, action.data) == ("sms_code", {"sent_to": "*** 678", "tries_left": "2"})
    story.given(code(), told(2, SMS), code()).when(told(3, charged()))
    assert shown(story).status == "succeeded"


def test_too_many_wrong_codes_close_the_order_and_fail_the_payment() -> None:
    story = given(*ASKED, code(), told(1, SMS), code(), told(2, SMS), code())
    group, why = "authentication_failed", "The code was wrong too often."
    story.when(told(3, SMS)).then(
        PaymentConfirmationFailed("cfm_1-3", "pay_1-1", "wrong", tries_left=0),
        PaymentClosingRequested("close_1-1", "pay_1-1", CHANNEL, "ch_1", 6_000, "EUR", "failed", group, why),
    )
    assert shown(story).status == "processing"
    story.when(code()).refused(PaymentStateInvalid)


def test_an_answer_that_never_left_us_is_not_counted() -> None:
    story = given(*ASKED, code())
    story.when(told(1, NotSent("ConnectError"))).then(PaymentConfirmationFailed("cfm_1-1", "pay_1-1", "not_sent"))
    assert shown(story).status == "requires_action"
    story.given(code())
    story.when(told(2, SMS)).then(PaymentConfirmationFailed("cfm_1-2", "pay_1-1", "wrong", tries_left=2))


@pytest.mark.parametrize("late", [SMS, NotSent("ConnectError"), Unknown("ReadTimeout"), NotFound()])
def test_what_an_old_answer_came_to_says_nothing_of_the_next_one(late: Verdict) -> None:
    story = given(*ASKED, code(), told(1, SMS), code())
    story.when(told(1, late)).then().answered(effect="ignored")
    assert shown(story).status == "processing"


def test_silence_after_an_answer_keeps_it_under_way_and_the_channel_s_old_question_too() -> None:
    story = given(*ASKED, code())
    story.when(told(1, Unknown("ReadTimeout"))).then()
    story.when(attempt_of("pay_1", SMS)).then()
    assert shown(story).status == "processing"


def test_what_the_channel_asks_meanwhile_waits_for_what_it_says_to_the_answer() -> None:
    story = given(*ASKED, code())
    story.when(attempt_of("pay_1", STEP_UP)).then().answered(effect="ignored")
    story.when(told(1, STEP_UP)).then(
        PaymentConfirmationFailed("cfm_1-1", "pay_1-1", "not_done"),
        PaymentActionRequired("pay_1-1", "three_ds", "ch_1", STEP_UP.url, {}, HALF_PAST),
    )
    assert shown(story).status == "requires_action"


def test_what_the_channel_has_named_was_sent() -> None:
    story = given(*ASKED, code())
    story.when(attempt_of("pay_1", NotSent("ConnectError"))).then().answered(effect="ignored")
    assert shown(story).status == "processing"


def test_a_decline_of_the_answer_is_a_decline_of_the_charge() -> None:
    no = Declined("authentication_failed", "3ds", "Wrong.", hard=False)
    story = given(*ASKED, code(), told(1, no))
    assert (shown(story).status, shown(story).attempts[0].status) == ("failed", "declined")
    assert any(isinstance(fact.event, PaymentAttemptDeclined) for fact in story.stream("pay_1"))


FACTS = (attempt_of("pay_1", SMS), told(1, charged()), attempt_of("pay_1", charged()), told(1, SMS))


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(FACTS)))))
def test_facts_about_an_answer_end_alike_in_every_order(order: tuple[int, ...]) -> None:
    story = given(*ASKED, code(), *(FACTS[place] for place in order))
    assert sum(isinstance(fact.event, PaymentCaptured) for fact in story.stream("pay_1")) == 1
    assert (shown(story).status, story.balance(MERCHANT), story.balance(UNAPPLIED)) == ("succeeded", 5_870, 0)


# --- what there is nothing to confirm of ----------------------------------------------------------------------------


def test_a_code_is_needed_where_one_was_sent() -> None:
    given(*ASKED).when(code(None)).refused(FieldMissing, "/answer")


@pytest.mark.parametrize("action", ["redirect", "qr_code", "wait", "pay_to_address"])
def test_where_the_payer_acts_at_the_channel_there_is_nothing_to_confirm(action: str) -> None:
    asked = ActionRequired("ch_1", action)  # type: ignore[arg-type]
    story = given(*PARTIES, by_card(), attempt_of("pay_1", asked))
    story.when(code()).refused(PaymentStateInvalid, payment_status="requires_action", action=action)


def test_after_its_time_nothing_is_confirmed() -> None:
    given(*ASKED, HALF_PAST).when(code()).refused(PaymentStateInvalid, payment_status="requires_action")
    given(*ASKED, HALF_PAST - timedelta(seconds=1)).when(code()).answered(202)


def test_a_channel_speaks_for_the_answers_that_were_sent_to_it_and_for_nothing_else() -> None:
    story = given(*ASKED, code())
    for name, channel in (("cfm_1-1", "another"), ("cfm_1-2", CHANNEL), ("cfm_2-1", CHANNEL), ("cfm_1", CHANNEL)):
        story.when(RecordConfirmationResult(name, channel, charged())).refused(PaymentNotFound, confirmation=name)
    story.when(ConfirmPayment("pay_2")).refused(PaymentNotFound)
    story.when(ConfirmPayment("merchant/acme")).refused(PaymentNotFound)


# --- created first, begun later -------------------------------------------------------------------------------------


def test_a_payment_may_be_created_first_and_begun_later() -> None:
    story = given(*PARTIES)
    story.when(later()).answered(201, status="created", attempts=[], expires_at="2026-03-16T12:00:00Z")
    assert len(story.stream("pay_1")) == 1
    story.when(code(None)).answered(202, status="processing")
    story.when(code(None)).refused(PaymentStateInvalid, payment_status="processing")
    story.given(attempt_of("pay_1", charged())).when(code(None)).refused(
        PaymentStateInvalid, payment_status="succeeded"
    )
    assert story.balance(MERCHANT) == 5_870


def test_nobody_has_asked_for_an_answer_before_it_is_begun() -> None:
    given(*PARTIES, later()).when(code()).refused(FieldInvalid, "/answer")


def test_after_its_time_nothing_is_begun() -> None:
    story = given(*PARTIES, later(expires_in_s=60), NOON + timedelta(seconds=60))
    story.when(code(None)).refused(PaymentStateInvalid, payment_status="created")
