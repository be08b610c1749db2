"""Refunds: money that goes back; each rule, as given, when, then."""

import pytest

from commands.channels.channel import AMOUNT_MISMATCH, NotSent, Unknown, Verdict
from commands.payments import CreatePayment
from commands.refunds import RecordRefundResult
from ledger.errors import (
    AmountNotPositive,
    PaymentNotFound,
    PaymentStateInvalid,
    RefundExceedsPayment,
    RefundNotFound,
)
from ledger.events.refunds import (
    RefundFailed,
    RefundPaidToWallet,
    RefundRequested,
    RefundSucceeded,
    RefundUnanswered,
    RefundUnapplied,
)
from ledger.ids import REFUND, child_id, new_id, stream_of
from ledger.payment_views import PaymentView, RefundView, payment_view, refund_view
from tests.commands.given import Story, given
from tests.commands.stories import (
    ANN,
    CHANNEL,
    DECLINED,
    IN_TRANSIT,
    MERCHANT,
    MERCHANT_DEBT,
    PAID_BY_CARD,
    PAID_FROM_WALLET,
    PARTIES,
    RECEIVABLE,
    REFUND_DECLINED,
    SUSPENSE,
    attempt_of,
    by_card,
    charged,
    refund,
    refund_result,
    refunded,
)

# The merchant is owed 5,870 of the 6,000, so a full refund leaves it 130 short.
FULL = RefundRequested(
    "ref_1-1", "pay_1", "acme", CHANNEL, "pay_1-1", "ch_1", 6_000, "EUR", short=130, reason="returned"
)


def shown(story: Story) -> PaymentView:
    return payment_view(story.stream("pay_1"))


def refund_shown(story: Story, number: int = 1) -> RefundView:
    return refund_view(story.stream("pay_1"), f"ref_1-{number}")


# --- asking ---------------------------------------------------------------------------------------------------------


def test_a_refund_by_card_is_owed_before_anything_is_sent() -> None:
    outcome = given(*PAID_BY_CARD).when(refund()).then(FULL)
    outcome.answered(202, id="ref_1-1", payment="pay_1", status="processing", amount=6_000, reason="returned")
    assert outcome.story.balance(IN_TRANSIT) == 6_000
    assert (outcome.story.balance(MERCHANT), outcome.story.balance(MERCHANT_DEBT)) == (0, 130)
    assert (shown(outcome.story).amount_refunded, shown(outcome.story).refund_status) == (0, "none")


def test_what_the_merchant_s_sales_do_not_cover_becomes_its_debt() -> None:
    story = given(*PAID_BY_CARD)
    outcome = story.when(refund(5_870)).answered(202)
    assert (story.balance(MERCHANT), story.balance(MERCHANT_DEBT)) == (0, 0)
    story.when(refund(130)).answered(202)
    assert (story.balance(MERCHANT), story.balance(MERCHANT_DEBT)) == (0, 130)
    assert outcome.decision is not None


def test_a_refund_of_a_payment_from_a_wallet_is_final_in_the_one_commit() -> None:
    outcome = given(*PAID_FROM_WALLET).when(refund(1_000))
    outcome.then(RefundPaidToWallet("ref_1-1", "pay_1", "acme", "ann", 1_000, "EUR", short=0, reason="returned"))
    outcome.answered(201, status="succeeded", channel=None, next_action=None)
    assert (outcome.story.balance(ANN), outcome.story.balance(MERCHANT)) == (5_000, 4_870)
    assert (shown(outcome.story).amount_refunded, shown(outcome.story).refund_status) == (1_000, "partial")


def test_a_refund_without_an_amount_gives_back_the_rest() -> None:
    story = given(*PAID_FROM_WALLET, refund(1_000))
    story.when(refund()).answered(201, id="ref_1-2", amount=5_000)
    assert shown(story).refund_status == "full"
    story.when(refund()).refused(RefundExceedsPayment, "/amount", refundable=0)


def test_refunds_sum_up_to_what_was_captured_and_not_to_one_unit_more() -> None:
    story = given(*PAID_BY_CARD, refund(2_000), refund(2_000))
    story.when(refund(2_001)).refused(RefundExceedsPayment, "/amount", amount=2_001, refundable=2_000)
    story.when(refund(2_000)).answered(202, id="ref_1-3")
    story.when(refund(1)).refused(RefundExceedsPayment, refundable=0)
    assert [(part.id, part.amount) for part in shown(story).refunds] == [
        ("ref_1-1", 2_000),
        ("ref_1-2", 2_000),
        ("ref_1-3", 2_000),
    ]


def test_fifty_refunds_of_ten_on_a_hundred_are_ten() -> None:
    order: CreatePayment = by_card(amount=100)
    story = given(*PARTIES, order, attempt_of("pay_1", charged(100)))
    outcomes = [story.when(refund(10)) for _ in range(50)]
    assert sum(outcome.refusal is None for outcome in outcomes) == 10
    assert {type(outcome.refusal) for outcome in outcomes[10:]} == {RefundExceedsPayment}
    assert story.balance(IN_TRANSIT) == 100


@pytest.mark.parametrize("verdict", [None, Unknown("ReadTimeout"), DECLINED])
def test_only_a_payment_that_succeeded_is_given_back(verdict: Verdict | None) -> None:
    said = [] if verdict is None else [attempt_of("pay_1", verdict)]
    status = "failed" if verdict is DECLINED else "processing"
    given(*PARTIES, by_card(), *said).when(refund()).refused(PaymentStateInvalid, payment_status=status)


@pytest.mark.parametrize("name", ["pay_2", "top_0", "merchant/acme", ""])
def test_a_refund_needs_a_payment(name: str) -> None:
    given(*PAID_FROM_WALLET).when(refund(1, payment=name)).refused(PaymentNotFound, payment=name)


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_gives_something_back(amount: int) -> None:
    given(*PAID_FROM_WALLET).when(refund(amount)).refused(AmountNotPositive, "/amount")


# --- what became of it ----------------------------------------------------------------------------------------------


def test_a_refund_that_succeeded_is_netted_by_the_channel() -> None:
    story = given(*PAID_BY_CARD, refund())
    outcome = story.when(refund_result(1, refunded()))
    outcome.then(RefundSucceeded("ref_1-1", "acme", CHANNEL, "re_1", 6_000, "EUR")).answered(200, effect="recorded")
    assert (story.balance(IN_TRANSIT), story.balance(RECEIVABLE)) == (0, -36)
    assert (shown(story).amount_refunded, shown(story).refund_status) == (6_000, "full")
    assert refund_shown(story).status == "succeeded"


def test_a_refund_that_failed_gives_the_merchant_exactly_back_and_may_be_tried_again() -> None:
    story = given(*PAID_BY_CARD)
    before = story.balances()
    story.given(refund())
    story.when(refund_result(1, REFUND_DECLINED)).then(
        RefundFailed("ref_1-1", "acme", 6_000, "EUR", 130, "account_invalid", "The account is closed.")
    )
    assert story.balances() == before
    error = refund_shown(story).error
    assert error is not None
    assert (error.code, refund_shown(story).status) == ("account_invalid", "failed")
    story.when(refund()).answered(202, id="ref_1-2")


def test_silence_keeps_the_refund_in_transit() -> None:
    story = given(*PAID_BY_CARD, refund())
    story.when(refund_result(1, Unknown("ReadTimeout"))).then(RefundUnanswered("ref_1-1", "ReadTimeout"))
    story.when(refund_result(1, Unknown("pending"))).then().answered(effect="ignored")
    story.when(refund_result(1, NotSent("ConnectError"))).then().answered(effect="ignored")
    assert (story.balance(IN_TRANSIT), refund_shown(story).status) == (6_000, "processing")


def test_a_refund_of_another_sum_is_not_believed() -> None:
    story = given(*PAID_BY_CARD, refund(), refund_result(1, Unknown("ReadTimeout")))
    story.when(refund_result(1, refunded(5_999))).then(RefundUnanswered("ref_1-1", AMOUNT_MISMATCH.reason))
    story.when(refund_result(1, refunded(currency="USD"))).then().answered(effect="ignored")
    assert refund_shown(story).status == "processing"


def test_callback_and_query_with_the_same_word_are_one_posting() -> None:
    story = given(*PAID_BY_CARD, refund(), refund_result(1, refunded()))
    before = story.turnover()
    story.when(refund_result(1, refunded())).then().answered(200, effect="duplicate")
    story.when(refund_result(1, REFUND_DECLINED)).then().answered(effect="ignored")
    assert story.turnover() == before


def test_a_refund_that_succeeds_after_it_failed_is_kept_apart_and_counts_as_given_back() -> None:
    story = given(*PAID_BY_CARD, refund(4_000), refund_result(1, REFUND_DECLINED))
    story.when(refund_result(1, refunded(4_000))).then(
        RefundUnapplied("ref_1-1", CHANNEL, "re_1", 4_000, "EUR", "the refund has failed already")
    ).answered(effect="unapplied")
    assert (story.balance(SUSPENSE), story.balance(MERCHANT)) == (4_000, 5_870)
    story.when(refund_result(1, refunded(4_000))).then().answered(effect="duplicate")
    story.when(refund(2_001)).refused(RefundExceedsPayment, refundable=2_000)


def test_a_second_success_of_one_refund_is_kept_apart() -> None:
    story = given(*PAID_BY_CARD, refund(3_000), refund_result(1, refunded(3_000)))
    story.when(refund_result(1, refunded(3_000, "re_2"))).then(
        RefundUnapplied("ref_1-1", CHANNEL, "re_2", 3_000, "EUR", "the refund has succeeded already")
    )
    story.when(refund()).refused(RefundExceedsPayment, refundable=0)


@pytest.mark.parametrize(
    ("name", "channel"),
    [("ref_1-1", "another"), ("ref_1-2", "another"), ("ref_2-1", CHANNEL), ("ref_1", CHANNEL), ("pay_1-1", CHANNEL)],
)
def test_a_channel_speaks_for_what_was_sent_to_it_and_for_nothing_else(name: str, channel: str) -> None:
    story = given(*PAID_BY_CARD, refund())
    story.when(RecordRefundResult(name, channel, refunded())).refused(RefundNotFound, refund=name)


def test_what_the_channel_gave_back_unasked_is_in_suspense_and_its_id_is_taken() -> None:
    story = given(*PAID_BY_CARD)
    story.when(refund_result(1, refunded(2_000))).then(
        RefundUnapplied("ref_1-1", CHANNEL, "re_1", 2_000, "EUR", "nobody here asked for it")
    ).answered(effect="unapplied")
    story.when(refund_result(1, refunded(2_000))).then().answered(effect="duplicate")
    assert (story.balance(SUSPENSE), story.balance(MERCHANT)) == (2_000, 5_870)
    story.when(refund(1_000)).answered(202, id="ref_1-2")


def test_no_channel_speaks_for_a_refund_to_a_wallet() -> None:
    story = given(*PAID_FROM_WALLET, refund())
    story.when(refund_result(1, refunded())).refused(RefundNotFound)


def test_a_refund_s_id_leads_back_to_its_payment() -> None:
    payment = new_id("pay_")
    assert stream_of(child_id(REFUND, payment, 12)) == payment
    assert stream_of("ref_") == stream_of("ref_1-x") == stream_of("order-1") == ""
