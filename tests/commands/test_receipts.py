"""Receipts: money that no order was waiting for is accepted for its order, or goes back by itself."""

from typing import Any

import pytest

from commands.channels.channel import Unknown, Verdict
from commands.envelope import Command
from commands.processes.intents import closed_by, intent_of
from commands.receipts import AcceptReceipt, RecordReturnResult, ReturnReceipt
from ledger.errors import PaymentNotFound, ReceiptNotFound, ReceiptStateInvalid, RefundNotFound
from ledger.events.receipts import ReceiptReturned, ReceiptReturnFailed, ReceiptReturnRequested
from ledger.payment_views import PaymentView, payment_view
from tests.commands.dispute_stories import paid, parties, returned
from tests.commands.given import Story, given
from tests.commands.stories import (
    CHANNEL,
    CHANNEL_FEE,
    DECLINED,
    IN_TRANSIT,
    MERCHANT,
    RECEIVABLE,
    REFUND_DECLINED,
    SUSPENSE,
    UNAPPLIED,
    attempt_of,
    by_card,
    charged,
    refund,
    refunded,
)

LATE: tuple[Command, ...] = (by_card(), attempt_of("pay_1", DECLINED), attempt_of("pay_1", charged()))


def late(**terms: Any) -> tuple[Command, ...]:
    return (*parties(**terms), *LATE)


def result(verdict: Verdict, number: int = 1) -> RecordReturnResult:
    return RecordReturnResult(f"ret_1-{number}", CHANNEL, verdict)


def payment(story: Story) -> PaymentView:
    return payment_view(story.stream("pay_1"))


def statuses(story: Story) -> list[str]:
    return [one.status for one in payment(story).receipts]


def money(story: Story) -> list[int]:
    """Kept apart, on its way back, with the channel beyond its fee, owed to the merchant."""
    channel = story.balance(RECEIVABLE) + story.balance(CHANNEL_FEE)
    return [story.balance(UNAPPLIED), story.balance(IN_TRANSIT), channel, story.balance(MERCHANT)]


def test_a_late_success_goes_back_by_itself() -> None:
    story = given(*late())
    assert (statuses(story), payment(story).status, money(story)) == (["returning"], "failed", [0, 6_000, 6_000, 0])
    asked = [recorded.event for recorded in story.log if isinstance(recorded.event, ReceiptReturnRequested)]
    intent = intent_of(asked[0])
    assert intent is not None
    errand = intent.errand
    assert (intent.channel, errand.id, errand.owed) == (CHANNEL, "ret_1-1", True)
    story.when(result(refunded())).then(ReceiptReturned("ret_1-1", 1, "acme", CHANNEL, "re_1", 6_000, "EUR")).answered(
        effect="recorded"
    )
    assert (statuses(story), money(story)) == (["returned"], [0, 0, 0, 0])
    assert closed_by(story.log[-1].event) == "ret_1-1"
    story.when(result(refunded())).then().answered(effect="duplicate")


def test_a_merchant_may_have_late_successes_accepted() -> None:
    story = given(*late(late_success="accept"))
    assert (statuses(story), payment(story).status, payment(story).error) == (["accepted"], "succeeded", None)
    assert money(story) == [0, 0, 6_000, 5_870]
    assert (payment(story).amount_captured, payment(story).attempts[0].status) == (6_000, "succeeded")
    # From here on it is like any other: given back it goes the way it came.
    story.when(refund()).answered(202, amount=6_000)
    # And the channel's repetition of that success is one.
    story.when(attempt_of("pay_1", charged())).then().answered(effect="duplicate")


@pytest.mark.parametrize("policy", ["accept", "refund"])
def test_a_second_success_of_one_order_always_goes_back(policy: str) -> None:
    story = given(*paid(late_success=policy), attempt_of("pay_1", charged(reference="ch_2")))
    assert (statuses(story), payment(story).amount_captured) == (["returning"], 6_000)
    assert money(story) == [0, 6_000, 12_000, 5_870]
    story.given(result(refunded()))
    assert (statuses(story), money(story)) == (["returned"], [0, 0, 6_000, 5_870])


def test_of_two_late_successes_one_is_accepted() -> None:
    story = given(*late(late_success="accept"), attempt_of("pay_1", charged(reference="ch_2")))
    assert (statuses(story), payment(story).amount_captured) == (["accepted", "returning"], 6_000)


def test_what_the_channel_will_not_give_back_is_kept_for_people() -> None:
    story = given(*late())
    story.when(result(REFUND_DECLINED)).then(
        ReceiptReturnFailed("ret_1-1", 1, "acme", CHANNEL, 6_000, "EUR", "account_invalid", "The account is closed.")
    )
    assert (statuses(story), money(story)) == (["kept"], [6_000, 0, 6_000, 0])
    view = payment(story).receipts[0]
    assert view.error is not None
    # Nothing follows by itself any more; somebody tries once more.
    story.when(ReturnReceipt("pay_1", 1)).answered(200, status="failed")
    assert (statuses(story), money(story)) == (["returning"], [0, 6_000, 6_000, 0])
    story.given(result(refunded(), 2))
    assert (statuses(story), money(story)) == (["returned"], [0, 0, 0, 0])


def test_what_was_refused_and_came_back_all_the_same() -> None:
    story = given(*late(), result(REFUND_DECLINED))
    story.when(result(refunded())).answered(effect="recorded")
    assert (statuses(story), money(story)) == (["returned"], [0, 0, 0, 0])


def test_what_is_given_back_twice_is_in_suspense_once() -> None:
    story = given(*late(), result(REFUND_DECLINED), ReturnReceipt("pay_1", 1), result(refunded()))
    assert (statuses(story), story.balance(SUSPENSE)) == (["returning"], 6_000)
    story.when(result(refunded())).then().answered(effect="duplicate")
    story.given(result(refunded(reference="re_2"), 2))
    assert (statuses(story), story.balance(SUSPENSE), money(story)[:2]) == (["returned"], 6_000, [0, 0])


def test_what_bounced_is_kept_again() -> None:
    story = given(*late(), result(refunded()), result(returned()))
    assert (statuses(story), money(story)) == (["kept"], [6_000, 0, 6_000, 0])
    story.when(result(returned())).then().answered(effect="ignored")
    story.when(result(refunded())).then().answered(effect="duplicate")


def test_that_it_bounced_may_be_heard_before_that_it_went() -> None:
    story = given(*late(), result(returned(reference="re_1")))
    assert (statuses(story), money(story)) == (["kept"], [6_000, 0, 6_000, 0])
    story.when(result(refunded(reference="re_1"))).then().answered(effect="duplicate")


def test_silence_decides_nothing_and_another_sum_is_no_success() -> None:
    story = given(*late(), result(Unknown("ReadTimeout")), result(refunded(5_999)), result(returned(5_999)))
    assert (statuses(story), money(story)) == (["returning"], [0, 6_000, 6_000, 0])


def test_operations_accept_what_could_not_go_back() -> None:
    story = given(*late(), result(REFUND_DECLINED))
    story.when(AcceptReceipt("pay_1", 1)).answered(200, status="succeeded", amount_captured=6_000)
    assert (statuses(story), money(story)) == (["accepted"], [0, 0, 6_000, 5_870])


def test_only_what_is_kept_can_be_decided_on() -> None:
    story = given(*late())
    for command in (AcceptReceipt("pay_1", 1), ReturnReceipt("pay_1", 1)):
        story.when(command).refused(ReceiptStateInvalid, receipt_status="returning")
    story.when(AcceptReceipt("pay_1", 2)).refused(ReceiptNotFound, receipt=2)
    story.when(ReturnReceipt("pay_2", 1)).refused(PaymentNotFound, payment="pay_2")
    story.when(RecordReturnResult("ret_1-2", CHANNEL, refunded())).refused(RefundNotFound)
    story.when(RecordReturnResult("ret_1-1", "card_simulator_b", refunded())).refused(RefundNotFound)


def test_a_second_success_is_never_accepted_for_the_order() -> None:
    story = given(*paid(), attempt_of("pay_1", charged(reference="ch_2")), result(REFUND_DECLINED))
    story.when(AcceptReceipt("pay_1", 1)).refused(ReceiptStateInvalid, payment_status="succeeded")
