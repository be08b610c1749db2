"""Cancellations: payments that are given up before they are paid, and what may come in between; given, when, then."""

import itertools
from datetime import timedelta

import msgspec
import pytest

from commands.cancellations import CancelPayment, ExpirePayment
from commands.changes import RecordChangeResult
from commands.channels.channel import (
    AMOUNT_MISMATCH,
    ActionRequired,
    Authorized,
    Changed,
    ChangeDeclined,
    Declined,
    NotFound,
    NotSent,
    Unknown,
    Verdict,
)
from commands.closings import RecordClosingResult
from commands.confirmations import ConfirmPayment, RecordConfirmationResult
from commands.envelope import Command
from commands.payments import CreatePayment
from commands.policies.channels import CHANNELS
from ledger.errors import ChangeUnderWay, JsonValue, PaymentNotFound, PaymentStateInvalid
from ledger.events.closings import PaymentClosingDeclined, PaymentClosingRequested
from ledger.events.payments import (
    PaymentAttemptDeclined,
    PaymentCanceled,
    PaymentExpired,
    PaymentFailed,
    PaymentReceiptUnapplied,
)
from ledger.payment_views import PaymentView, payment_view
from tests.commands.given import NOON, Story, given
from tests.commands.stories import (
    CHANNEL,
    DECLINED,
    IN_TRANSIT,
    MERCHANT,
    PAID_BY_CARD,
    PAID_FROM_WALLET,
    PARTIES,
    PATIENCE,
    UNAPPLIED,
    attempt_of,
    by_card,
    charged,
    going_back,
)

HALF_PAST = NOON + timedelta(minutes=30)
SMS = ActionRequired("ch_1", "sms_code", data={"sent_to": "*** 678"})
ASKED = (*PARTIES, by_card(), attempt_of("pay_1", SMS))
CANCEL = CancelPayment("pay_1", "the order was changed")
EXPIRE = ExpirePayment("pay_1")
CLOSED = Changed("vo_1", 6_000, "EUR", NOON)
NOT_CLOSED = ChangeDeclined("integration", "paid", "It is paid already.")
CANCELED = PaymentCanceled("the order was changed", attempt="pay_1-1")


def later(**changes: object) -> CreatePayment:
    order: CreatePayment = msgspec.structs.replace(by_card(), confirm=False, **changes)
    return order


def shown(story: Story) -> PaymentView:
    return payment_view(story.stream("pay_1"))


def told(verdict: Verdict, number: int = 1) -> RecordClosingResult:
    return RecordClosingResult(f"close_1-{number}", CHANNEL, verdict)


def closing(ending: str, group: str, reason: str = "") -> PaymentClosingRequested:
    return PaymentClosingRequested("close_1-1", "pay_1-1", CHANNEL, "ch_1", 6_000, "EUR", ending, group, reason)


# --- by the merchant ------------------------------------------------------------------------------------------------


def test_what_was_only_created_is_canceled_at_once() -> None:
    outcome = given(*PARTIES, later()).when(CANCEL)
    outcome.then(PaymentCanceled("the order was changed")).answered(200, status="canceled", next_action=None)
    assert outcome.receipt(PaymentView).error is not None
    outcome.story.when(ConfirmPayment("pay_1")).refused(PaymentStateInvalid, payment_status="canceled")


def test_an_order_at_a_channel_is_closed_there_before_it_is_canceled() -> None:
    story = given(*ASKED)
    outcome = story.when(CANCEL).then(closing("canceled", "cancelled_by_user", "the order was changed"))
    outcome.answered(202, status="processing", next_action=PATIENCE)
    story.when(told(CLOSED)).then(CANCELED).answered(effect="recorded")
    view = shown(story)
    assert view.error is not None
    assert (view.status, view.attempts[0].status, view.error.code) == ("canceled", "closed", "cancelled_by_user")
    assert "Nothing was charged" in view.error.message


@pytest.mark.parametrize("silence", [Unknown("ReadTimeout"), NotFound(), NotSent("ConnectError"), AMOUNT_MISMATCH])
def test_while_nobody_knows_whether_it_is_closed_it_is_neither_open_nor_canceled(silence: Verdict) -> None:
    story = given(*ASKED, CANCEL)
    story.when(told(silence)).then().answered(effect="ignored")
    assert shown(story).status == "processing"
    for command in (CANCEL, EXPIRE, ConfirmPayment("pay_1", "123456")):
        story.when(command).refused(PaymentStateInvalid, payment_status="processing")
    story.when(told(CLOSED)).then(CANCELED)


def test_nobody_is_asked_anything_while_it_is_being_closed() -> None:
    asked = ActionRequired("ch_1", "three_ds", "https://bank.example/prove")
    story = given(*ASKED, CANCEL)
    story.when(attempt_of("pay_1", asked)).then().answered(effect="ignored")
    assert shown(story).status == "processing"


def test_a_channel_speaks_for_the_closings_that_were_sent_to_it_and_for_nothing_else() -> None:
    story = given(*ASKED, CANCEL)
    for name, channel in (("close_1-1", "another"), ("close_1-2", CHANNEL), ("close_2-1", CHANNEL), ("x", CHANNEL)):
        story.when(RecordClosingResult(name, channel, CLOSED)).refused(PaymentNotFound, closing=name)


def test_a_closing_of_another_sum_is_none() -> None:
    story = given(*ASKED, CANCEL)
    story.when(told(msgspec.structs.replace(CLOSED, amount=1))).then()
    assert shown(story).status == "processing"


def test_money_that_comes_while_it_is_being_closed_pays_it() -> None:
    story = given(*ASKED, CANCEL)
    story.when(attempt_of("pay_1", charged())).answered(effect="recorded")
    story.when(told(NOT_CLOSED)).then(
        PaymentClosingDeclined("close_1-1", "pay_1-1", "integration", "paid", "It is paid already.")
    )
    assert (shown(story).status, story.balance(MERCHANT)) == ("succeeded", 5_870)


def test_what_the_channel_does_not_close_asks_its_payer_as_before() -> None:
    story = given(*ASKED, CANCEL, told(NOT_CLOSED))
    action = shown(story).next_action
    assert action is not None
    assert (shown(story).status, action.type) == ("requires_action", "sms_code")
    story.when(CANCEL).answered(202)
    story.when(told(CLOSED, 2)).answered(effect="recorded")
    assert shown(story).status == "canceled"


def test_a_decline_that_is_quicker_than_the_word_of_the_closing_cancels_as_well() -> None:
    no = Declined("session_expired", "closed", "Closed.", hard=False)
    story = given(*ASKED, CANCEL)
    story.when(attempt_of("pay_1", no)).then(
        PaymentAttemptDeclined("pay_1-1", "session_expired", "closed", "Closed."),
        PaymentCanceled("the order was changed"),
    )
    story.when(told(CLOSED)).then()
    assert shown(story).status == "canceled"


def test_a_success_after_it_was_canceled_is_kept_apart() -> None:
    story = given(*ASKED, CANCEL, told(CLOSED))
    story.when(attempt_of("pay_1", charged())).then(
        PaymentReceiptUnapplied("pay_1-1", CHANNEL, "ch_1", 6_000, "EUR", 36, "the payment is canceled already"),
        going_back(because="the payment is canceled already"),
    ).answered(effect="unapplied")
    story.when(attempt_of("pay_1", charged())).then().answered(effect="duplicate")
    assert (shown(story).status, story.balance(IN_TRANSIT), story.balance(MERCHANT)) == ("canceled", 6_000, 0)


@pytest.mark.parametrize(
    ("happened", "status"),
    [
        (PAID_BY_CARD, "succeeded"),
        (PAID_FROM_WALLET, "succeeded"),
        ((*PARTIES, by_card()), "processing"),
        ((*PARTIES, by_card(), attempt_of("pay_1", DECLINED)), "failed"),
        ((*PARTIES, later(), CANCEL), "canceled"),
        ((*PARTIES, later(), NOON + timedelta(days=1), EXPIRE), "expired"),
    ],
)
def test_what_cannot_be_canceled_says_what_it_is(happened: tuple[Command, ...], status: str) -> None:
    for command, more in ((CANCEL, ["in_review"]), (EXPIRE, [])):
        expected: JsonValue = ["created", "requires_action", *more, "authorized", "partially_captured"]
        given(*happened).when(command).refused(PaymentStateInvalid, payment_status=status, expected_status=expected)


def test_what_is_not_there_is_not_canceled() -> None:
    for name in ("pay_2", "merchant/acme", "card"):
        given(*ASKED).when(CancelPayment(name)).refused(PaymentNotFound)


def test_a_channel_that_can_close_nothing_is_not_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = tuple(msgspec.structs.replace(one, voids=False) for one in CHANNELS)
    monkeypatch.setattr("commands.policies.channels.CHANNELS", terms)
    story = given(*ASKED)
    # The channel goes on being asked: the event names no attempt that nothing is to come of.
    story.when(CANCEL).then(PaymentCanceled("the order was changed")).answered(200, status="canceled")
    story.when(attempt_of("pay_1", charged())).answered(effect="unapplied")


# --- by the clock ---------------------------------------------------------------------------------------------------


def test_what_nobody_paid_in_time_is_closed_and_expires() -> None:
    story = given(*ASKED, HALF_PAST)
    story.when(EXPIRE).then(closing("expired", "session_expired")).answered(202)
    story.when(told(CLOSED)).then(PaymentExpired(attempt="pay_1-1"))
    view = shown(story)
    assert view.error is not None
    assert (view.status, view.error.code, view.error.next_action) == ("expired", "session_expired", "restart")
    story.when(attempt_of("pay_1", charged())).answered(effect="unapplied")


def test_what_was_never_begun_expires_at_once() -> None:
    story = given(*PARTIES, later(expires_in_s=60), NOON + timedelta(seconds=60))
    story.when(EXPIRE).then(PaymentExpired()).answered(200, status="expired")


def test_before_its_time_nothing_expires() -> None:
    story = given(*ASKED, HALF_PAST - timedelta(seconds=1))
    story.when(EXPIRE).refused(PaymentStateInvalid, payment_status="requires_action")


def test_an_outcome_that_nobody_knows_does_not_expire() -> None:
    order: CreatePayment = msgspec.structs.replace(by_card(), expires_in_s=60)
    story = given(*PARTIES, order, attempt_of("pay_1", Unknown("ReadTimeout")), NOON + timedelta(days=9))
    story.when(EXPIRE).refused(PaymentStateInvalid, payment_status="processing")


def test_what_is_over_time_and_cannot_be_closed_waits_for_the_channel_and_asks_nobody_again() -> None:
    story = given(*ASKED, HALF_PAST, EXPIRE, told(NOT_CLOSED))
    assert shown(story).status == "processing"
    story.when(attempt_of("pay_1", msgspec.structs.replace(SMS, url="https://a.example"))).then()
    story.when(EXPIRE).refused(PaymentStateInvalid, payment_status="processing")
    story.when(attempt_of("pay_1", charged())).answered(effect="recorded")
    assert shown(story).status == "succeeded"


def test_the_time_of_the_order_and_of_the_action_both_count() -> None:
    soon = msgspec.structs.replace(SMS, expires_at=NOON + timedelta(minutes=5))
    for order, minutes in ((msgspec.structs.replace(by_card(), expires_in_s=120), 2), (by_card(), 5)):
        story = given(*PARTIES, order, attempt_of("pay_1", soon))
        assert shown(story).expires_at == NOON + timedelta(minutes=minutes)


# --- too many wrong codes -------------------------------------------------------------------------------------------


def test_an_order_of_too_many_wrong_codes_has_failed_once_it_is_closed() -> None:
    wrong = [
        command
        for number in (1, 2, 3)
        for command in (ConfirmPayment("pay_1", "000000"), RecordConfirmationResult(f"cfm_1-{number}", CHANNEL, SMS))
    ]
    story = given(*ASKED, *wrong)
    group, why = "authentication_failed", "The code was wrong too often."
    story.when(told(CLOSED)).then(PaymentAttemptDeclined("pay_1-1", group, message=why), PaymentFailed(group, why))
    view = shown(story)
    assert view.error is not None
    assert (view.status, view.error.code) == ("failed", group)


# --- in any order ---------------------------------------------------------------------------------------------------

FACTS: tuple[Command, ...] = (told(CLOSED), told(CLOSED), attempt_of("pay_1", SMS), told(Unknown("ReadTimeout")))
AND_PAID = (told(NOT_CLOSED), attempt_of("pay_1", charged()), attempt_of("pay_1", charged()), attempt_of("pay_1", SMS))


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(FACTS)))))
def test_facts_about_a_closing_end_alike_in_every_order(order: tuple[int, ...]) -> None:
    story = given(*ASKED, CANCEL, *(FACTS[place] for place in order))
    assert shown(story).status == "canceled"
    assert [type(fact.event) for fact in story.stream("pay_1")].count(PaymentCanceled) == 1
    assert story.balances() == {}


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(AND_PAID)))))
def test_facts_about_an_order_that_was_paid_while_it_was_closed_end_alike_in_every_order(
    order: tuple[int, ...],
) -> None:
    story = given(*ASKED, CANCEL, *(AND_PAID[place] for place in order))
    assert (shown(story).status, story.balance(MERCHANT), story.balance(UNAPPLIED)) == ("succeeded", 5_870, 0)


# --- what was held meanwhile ----------------------------------------------------------------------------------------

HELD = Authorized("ch_1", 6_000, "EUR", NOON + timedelta(days=7), NOON)
BY_HAND = (*PARTIES, msgspec.structs.replace(by_card(), capture="manual"), attempt_of("pay_1", SMS))
HELD_MEANWHILE: tuple[Command, ...] = (attempt_of("pay_1", HELD), told(CLOSED), told(CLOSED), attempt_of("pay_1", HELD))


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(HELD_MEANWHILE)))))
def test_money_that_was_held_while_the_order_was_closed_is_held_no_longer(order: tuple[int, ...]) -> None:
    story = given(*BY_HAND, CANCEL, *(HELD_MEANWHILE[place] for place in order))
    assert (shown(story).status, story.balances()) == ("canceled", {})


def test_what_is_held_is_let_go_of_by_its_channel() -> None:
    story = given(*BY_HAND, attempt_of("pay_1", HELD))
    story.when(CANCEL).answered(202, id="void_1-1")
    story.when(CANCEL).refused(ChangeUnderWay)
    story.when(RecordChangeResult("void_1-1", CHANNEL, CLOSED)).answered(effect="recorded")
    assert (shown(story).status, story.balances()) == ("canceled", {})


def test_what_is_held_expires_when_its_channel_holds_it_no_longer() -> None:
    story = given(*BY_HAND, attempt_of("pay_1", HELD), NOON + timedelta(days=7) - timedelta(seconds=1))
    story.when(EXPIRE).refused(PaymentStateInvalid)
    story.given(NOON + timedelta(days=7)).when(EXPIRE).answered(200, status="expired")
    assert story.balances() == {}
