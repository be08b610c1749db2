"""Mixed payments: both parts or none, and money goes back to the card first."""

from datetime import timedelta

import pytest

from commands.cancellations import CancelPayment, ExpirePayment
from commands.channels.channel import ActionRequired, Changed, Unknown
from commands.closings import RecordClosingResult
from commands.payments import CreatePayment
from commands.revocations import RevokePayment
from ledger.errors import CaptureNotSupported, FieldInvalid, FieldMissing, InsufficientFunds, RefundExceedsPayment
from ledger.events.payments import Method
from ledger.payment_state import fold
from tests.commands.given import NOON, Story, given
from tests.commands.product_stories import FROZEN, WITH_A_WALLET, mixed
from tests.commands.stories import (
    ANN,
    DECLINED,
    IN_TRANSIT,
    MERCHANT,
    RECEIVABLE,
    REFUND_DECLINED,
    UNAPPLIED,
    attempt_of,
    charged,
    refund,
    refund_result,
    refunded,
)

PAID = (*WITH_A_WALLET, mixed(), attempt_of("pay_1", charged(4_000)))


def wallet(story: Story) -> tuple[int, int]:
    return story.balance(ANN), story.balance(FROZEN)


@pytest.mark.parametrize("product", ["quick_pay", "balance_pay"])
def test_the_wallet_s_part_is_frozen_before_the_card_is_asked_for_the_rest(product: str) -> None:
    story = given(*WITH_A_WALLET)
    outcome = story.when(mixed(product=product)).answered(202, status="processing", amount=6_000)
    events = [event for _, event in outcome.decision.events] if outcome.decision else []
    topics = [event.topic for event in events]
    assert topics.index("payments.wallet_frozen.v1") < topics.index("payments.attempt_initiated.v1")
    assert wallet(story) == (8_000, 2_000)


def test_the_card_is_asked_for_the_rest_only() -> None:
    story = given(*WITH_A_WALLET, mixed())
    payment = fold(story.stream("pay_1"))
    assert payment is not None
    assert [(attempt.amount, attempt.currency) for attempt in payment.attempts] == [(4_000, "EUR")]


def test_both_succeeded() -> None:
    story = given(*PAID)
    payment = fold(story.stream("pay_1"))
    assert payment is not None
    assert (payment.status, payment.captured, payment.frozen) == ("succeeded", 6_000, 0)
    assert wallet(story) == (8_000, 0)


def test_p64_the_card_is_refused_and_the_wallet_is_as_before() -> None:
    story = given(*WITH_A_WALLET)
    before = story.turnover()[ANN]
    story.given(mixed(), attempt_of("pay_1", DECLINED))
    assert wallet(story) == (10_000, 0)
    assert story.accounts[ANN].balance == before[1] - before[0]
    assert story.balance(MERCHANT) == 0


def test_what_nobody_knows_stays_frozen() -> None:
    story = given(*WITH_A_WALLET, mixed(), attempt_of("pay_1", Unknown("ReadTimeout")))
    assert wallet(story) == (8_000, 2_000)


def test_a_success_after_the_refusal_keeps_the_card_s_part_apart_and_the_wallet_free() -> None:
    story = given(*WITH_A_WALLET, mixed(), attempt_of("pay_1", DECLINED), attempt_of("pay_1", charged(4_000)))
    assert wallet(story) == (10_000, 0)
    assert (story.balance(UNAPPLIED), story.balance(IN_TRANSIT)) == (0, 4_000)


def test_more_than_the_wallet_holds_is_refused_and_no_card_is_asked() -> None:
    story = given(*WITH_A_WALLET)
    story.when(mixed(amount=20_000, from_wallet=10_001)).refused(InsufficientFunds)
    assert story.stream("pay_1") == []


@pytest.mark.parametrize("from_wallet", [0, 6_000, 6_001])
def test_each_part_is_something(from_wallet: int) -> None:
    given(*WITH_A_WALLET).when(mixed(from_wallet=from_wallet)).refused(FieldInvalid, "/method/wallet_amount")


def test_what_does_not_fit_is_named_all_at_once() -> None:
    method = Method("mixed", "tok_visa", wallet_amount=0)
    command = CreatePayment("pay_1", "acme", 6_000, "EUR", "quick_pay", method, "order-1", capture="manual")
    refusal = given(*WITH_A_WALLET).when(command).refusal
    assert refusal is not None
    assert {(error.pointer, error.code) for error in refusal.errors} == {
        ("/customer", FieldMissing.code()),
        ("/method/wallet_amount", FieldInvalid.code()),
        ("/capture", CaptureNotSupported.code()),
    }


def test_a_wallet_s_part_is_for_mixed_payments_only() -> None:
    method = Method("card", "tok_visa", wallet_amount=5)
    command = CreatePayment("pay_1", "acme", 6_000, "EUR", "quick_pay", method, "order-1")
    given(*WITH_A_WALLET).when(command).refused(FieldInvalid, "/method/wallet_amount")


# --- money goes back


def test_a_refund_goes_to_the_card_first() -> None:
    story = given(*PAID)
    story.when(refund(3_000)).answered(202, amount=3_000, channel="card_simulator")
    story.given(refund_result(1, refunded(3_000)))
    assert (wallet(story), story.balance(RECEIVABLE)) == ((8_000, 0), 10_000 + 4_000 - 60 - 24 - 3_000)


def test_what_the_card_did_not_pay_goes_to_the_wallet() -> None:
    story = given(*PAID, refund(3_000), refund_result(1, refunded(3_000)))
    story.when(refund(2_000)).answered(202, amount=2_000)
    assert wallet(story) == (8_000, 0), "the wallet's part waits for the card's"
    story.given(refund_result(2, refunded(1_000, "re_2")))
    assert wallet(story) == (9_000, 0)
    story.when(refund()).answered(201, amount=1_000, status="succeeded", channel=None)
    assert wallet(story) == (10_000, 0)
    story.when(refund(1)).refused(RefundExceedsPayment, refundable=0)


def test_a_refund_that_the_card_refuses_gives_nothing_to_the_wallet_either() -> None:
    story = given(*PAID)
    owed = story.balance(MERCHANT)
    story.given(refund(5_000), refund_result(1, REFUND_DECLINED))
    assert (wallet(story), story.balance(MERCHANT), story.balance(IN_TRANSIT)) == ((8_000, 0), owed, 0)
    story.when(refund(6_000)).answered(202, amount=6_000)


def test_a_channel_that_gave_back_another_sum_is_not_believed() -> None:
    story = given(*PAID, refund(5_000))
    story.when(refund_result(1, refunded(5_000)))
    assert story.balance(IN_TRANSIT) == 5_000


def test_a_payment_from_two_sources_is_revoked_by_a_refund_of_both() -> None:
    story = given(*PAID)
    story.when(RevokePayment("pay_1", "wrong order")).answered(202)
    story.given(refund_result(1, refunded(4_000)))
    assert (wallet(story), story.balance(IN_TRANSIT)) == ((10_000, 0), 0)


def test_a_payment_that_is_given_up_or_not_paid_in_time_lets_go_of_the_wallet() -> None:
    asked = ActionRequired("ord_1", "three_ds", "http://bank.test/")
    for give_up in (CancelPayment("pay_1"), ExpirePayment("pay_1")):
        story = given(*WITH_A_WALLET, mixed(), attempt_of("pay_1", asked), NOON + timedelta(hours=2), give_up)
        assert wallet(story) == (8_000, 2_000), "the order is being closed at its channel"
        story.given(RecordClosingResult("close_1-1", "card_simulator", Changed("v_1", 4_000, "EUR", NOON)))
        assert wallet(story) == (10_000, 0)
