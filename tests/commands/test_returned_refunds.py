"""Refunds that fail after they had succeeded, and the fees that go back with those that do not."""

import pytest

from commands.policies import channels
from commands.returned_refunds import ResolveRefund
from commands.revocations import RevokePayment
from ledger.errors import RefundExceedsPayment, RefundNotFound, RefundStateInvalid
from ledger.payment import Payment
from ledger.payment_state import fold
from ledger.payment_views import refund_view
from tests.commands.dispute_stories import paid, returned
from tests.commands.given import Story, given
from tests.commands.stories import (
    CHANNEL_FEE,
    IN_TRANSIT,
    MERCHANT,
    MERCHANT_DEBT,
    PAID_BY_CARD,
    RECEIVABLE,
    REFUND_DECLINED,
    SUSPENSE,
    refund,
    refund_result,
    refunded,
)

BANK = "sys:1020:main:eur"
CAME_BACK = (*PAID_BY_CARD, refund(), refund_result(1, refunded()), refund_result(1, returned(reference="re_1")))


def state(story: Story) -> Payment:
    payment = fold(story.stream("pay_1"))
    assert payment is not None
    return payment


def status(story: Story) -> str:
    return refund_view(story.stream("pay_1"), "ref_1-1").status


def test_a_refund_that_comes_back_is_owed_to_the_payer_again() -> None:
    story = given(*CAME_BACK)
    assert status(story) == "failed_after_success"
    # Not given back to the merchant by itself.
    assert (story.balance(IN_TRANSIT), story.balance(MERCHANT), story.balance(MERCHANT_DEBT)) == (6_000, 0, 130)
    assert (state(story).refunded, state(story).refundable) == (0, 0)
    story.when(refund(1)).refused(RefundExceedsPayment)
    story.when(refund_result(1, returned(reference="re_1"))).then().answered(effect="ignored")
    story.when(refund_result(1, refunded())).then().answered(effect="duplicate")


def test_paid_by_the_bank_it_is_settled() -> None:
    story = given(*CAME_BACK)
    story.when(ResolveRefund("ref_1-1", "bank_transfer", reference="TRF-1")).answered(200, status="paid_elsewhere")
    assert (story.balance(IN_TRANSIT), story.balance(BANK), state(story).refunded) == (0, -6_000, 6_000)


def test_returned_to_the_merchant_it_can_be_refunded_again() -> None:
    story = given(*CAME_BACK)
    story.when(ResolveRefund("ref_1-1", "return_to_merchant")).answered(200, status="failed")
    assert (story.balance(IN_TRANSIT), story.balance(MERCHANT), story.balance(MERCHANT_DEBT)) == (0, 5_870, 0)
    story.when(refund()).answered(202, id="ref_1-2", amount=6_000)


def test_that_it_came_back_may_be_heard_before_that_it_went() -> None:
    story = given(*PAID_BY_CARD, refund(), refund_result(1, returned(reference="re_1")))
    assert (status(story), story.balances()) == ("failed_after_success", given(*CAME_BACK).balances())
    story.when(refund_result(1, refunded())).then().answered(effect="duplicate")


def test_another_sum_is_no_return() -> None:
    story = given(*PAID_BY_CARD, refund(), refund_result(1, refunded()))
    story.when(refund_result(1, returned(5_999))).answered(effect="recorded")
    assert (status(story), story.balance(IN_TRANSIT)) == ("succeeded", 0)


def test_only_what_came_back_is_resolved() -> None:
    for history, now in (
        ((refund(),), "processing"),
        ((refund(), refund_result(1, refunded())), "succeeded"),
        ((refund(), refund_result(1, REFUND_DECLINED)), "failed"),
    ):
        story = given(*PAID_BY_CARD, *history)
        story.when(ResolveRefund("ref_1-1", "bank_transfer")).refused(RefundStateInvalid, refund_status=now)
    given(*PAID_BY_CARD).when(ResolveRefund("ref_1-1", "bank_transfer")).refused(RefundNotFound, refund="ref_1-1")
    given(*PAID_BY_CARD).when(ResolveRefund("pay_1-1", "bank_transfer")).refused(RefundNotFound)


def test_the_merchant_s_fee_goes_back_pro_rata_and_never_more_than_it_was() -> None:
    story = given(*paid(returns_fee=True))
    for number, amount in enumerate((1_999, 1, 1_000, 3_000), start=1):
        story.given(refund(amount), refund_result(number, refunded(amount, f"re_{number}")))
    assert [one.fee_back for one in state(story).refunds] == [43, 0, 22, 65]
    assert (story.balance("sys:4010:quick_pay:eur"), story.balance(IN_TRANSIT)) == (0, 0)
    assert story.balance(MERCHANT) - story.balance(MERCHANT_DEBT) == 0


def test_without_such_terms_the_fee_is_kept() -> None:
    story = given(*PAID_BY_CARD, refund(), refund_result(1, refunded()))
    assert story.balance("sys:4010:quick_pay:eur") == 130


def test_a_channel_that_gives_its_fee_back_does_so_pro_rata(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = channels.terms_of("card_simulator")
    assert terms is not None
    generous = channels.ChannelTerms(terms.name, terms.methods, terms.fee_bps, returns_fee=True)
    monkeypatch.setattr("commands.returned_refunds.terms_of", lambda name: generous)
    story = given(*PAID_BY_CARD)
    for number, amount in enumerate((1_000, 5_000), start=1):
        story.given(refund(amount), refund_result(number, refunded(amount, f"re_{number}")))
    assert [one.channel_fee_back for one in state(story).refunds] == [6, 30]
    assert (story.balance(CHANNEL_FEE), story.balance(RECEIVABLE), story.balance(SUSPENSE)) == (0, 0, 0)


def test_with_a_fee_that_went_back_already_a_payment_is_not_revoked_but_refunded() -> None:
    """The refund gave 129 of the fee of 130 back and came back itself: to undo the capture would give all 130 again."""
    story = given(
        *paid(returns_fee=True),
        refund(5_999),
        refund_result(1, refunded(5_999)),
        refund_result(1, returned(5_999, "re_1")),
    )
    story.when(ResolveRefund("ref_1-1", "return_to_merchant")).answered(200, status="failed")
    story.when(RevokePayment("pay_1")).answered(202, revoked_by="refund", amount=6_000)
