"""Revocations: a payment is undone in the way that its state asks for; each rule, as given, when, then."""

from datetime import timedelta

import pytest

from commands.channels.channel import NotSent, Unknown, Verdict
from commands.policies.revocations import is_revocable
from commands.revocations import RevokePayment
from ledger.authorization_views import revocation_view
from ledger.errors import ChangeUnderWay, PaymentNotFound, PaymentStateInvalid, RefundExceedsPayment
from ledger.events.accounts import AccountOpened
from ledger.events.refunds import RefundRequested
from ledger.events.transfers import TransferPosted
from ledger.events.voids import AuthorizationVoided, PaymentRevoked, VoidDeclined, VoidRequested, VoidUnanswered
from tests.commands.given import NOON, given
from tests.commands.held import (
    AUTHORIZED,
    CHANGE_DECLINED,
    HELD,
    HELD_IN_WALLET,
    IN_A_WEEK,
    cancel,
    capture,
    captured,
    changed,
    expire,
    payment_of,
    revoke,
    stands,
    void_result,
)
from tests.commands.stories import (
    ANN,
    CHANNEL,
    DECLINED,
    IN_TRANSIT,
    MERCHANT,
    PAID_BY_CARD,
    PAID_FROM_WALLET,
    PARTIES,
    RECEIVABLE,
    REFUND_DECLINED,
    attempt_of,
    by_card,
    charged,
    refund,
    refund_result,
    refunded,
)

WHY = "changed their mind"
TAKEN_BACK = VoidRequested("void_1-1", "pay_1-1", CHANNEL, "ch_1", 6_000, "EUR", WHY, takes_back="pay_1-1")
TOMORROW = NOON + timedelta(days=1)


def test_what_is_held_is_let_go() -> None:
    story = given(*HELD)
    story.when(revoke).then(VoidRequested("void_1-1", "pay_1-1", CHANNEL, "au_1", 6_000, "EUR", WHY)).answered(
        202, id="void_1-1", revoked_by="void", status="processing", payment="pay_1", amount=6_000
    )
    story.when(revoke).refused(ChangeUnderWay)
    story.when(void_result(1, changed(6_000))).then(AuthorizationVoided("void_1-1", CHANNEL, 6_000, "EUR"))
    told = revocation_view(story.stream("pay_1"), "void_1-1")
    assert (told.revoked_by, told.status, told.payment_status) == ("void", "succeeded", "canceled")


def test_what_was_taken_today_is_as_if_it_had_not_been() -> None:
    story = given(*PARTIES)
    before = story.balances()
    story.given(by_card(), attempt_of("pay_1", charged()))
    entry = story.stream("pay_1")[-1].entry_id
    story.when(revoke).then(TAKEN_BACK).answered(202, revoked_by="void", takes_back="pay_1-1", status="processing")
    assert stands(story) == ("succeeded", 6_000, 0)
    story.when(void_result(1, Unknown("ReadTimeout"))).then(VoidUnanswered("void_1-1", "ReadTimeout"))
    story.when(void_result(1, NotSent("ConnectError"))).then().answered(effect="ignored")
    story.when(void_result(1, changed(6_000))).then(
        PaymentRevoked(
            id="void_1-1",
            takes_back="pay_1-1",
            merchant="acme",
            product="quick_pay",
            channel=CHANNEL,
            amount=6_000,
            currency="EUR",
            fee=130,
            channel_fee=36,
            reverses=entry,
        )
    )
    assert story.balances() == before
    assert (stands(story), payment_of(story).refundable) == (("canceled", 0, 0), 0)
    story.when(void_result(1, changed(6_000))).then().answered(effect="duplicate")
    story.when(attempt_of("pay_1", charged())).then().answered(effect="duplicate")
    story.when(revoke).refused(PaymentStateInvalid, payment_status="canceled")


def test_what_is_being_taken_back_is_not_given_back_as_well() -> None:
    story = given(*PAID_BY_CARD, revoke)
    story.when(refund()).refused(RefundExceedsPayment, refundable=0)
    story.when(revoke).refused(ChangeUnderWay)


def test_a_capture_that_is_taken_back_is_held_again_and_captured_as_if_once() -> None:
    story = given(*HELD, *captured(6_000))
    once = story.balances()
    story.when(revoke).then(
        VoidRequested("void_1-1", "pay_1-1", CHANNEL, "au_1", 6_000, "EUR", WHY, takes_back="cap_1-1")
    ).answered(202, revoked_by="void")
    story.given(void_result(1, changed(6_000)))
    assert (stands(story), story.balances()[AUTHORIZED]) == (("authorized", 0, 6_000), 6_000)
    story.given(*captured(6_000, 2))
    assert story.balances() == once
    assert stands(story) == ("succeeded", 6_000, 0)


def test_revoking_once_more_lets_go_of_what_is_held_again() -> None:
    story = given(*HELD, *captured(6_000), revoke, void_result(1, changed(6_000)))
    story.when(revoke).answered(202, id="void_1-2", revoked_by="void")
    assert stands(story.given(void_result(2, changed(6_000)))) == ("canceled", 0, 0)


def test_of_a_final_capture_only_what_it_took_is_held_again() -> None:
    story = given(*HELD, capture(4_000, final=True))
    story.given(*captured(4_000)[1:], revoke, void_result(1, changed(4_000)))
    assert stands(story) == ("authorized", 0, 4_000)
    assert stands(story.given(*captured(4_000, 2))) == ("succeeded", 4_000, 0)


def test_after_its_time_nothing_is_held_again() -> None:
    story = given(*HELD, *captured(4_000), revoke, IN_A_WEEK, expire, void_result(1, changed(4_000)))
    assert stands(story) == ("expired", 0, 0)


def test_what_was_taken_on_another_day_is_given_back() -> None:
    story = given(*PAID_BY_CARD, TOMORROW)
    story.when(revoke).answered(202, id="ref_1-1", revoked_by="refund", status="processing", amount=6_000)
    assert story.balance(IN_TRANSIT) == 6_000
    story.given(refund_result(1, refunded()))
    told = revocation_view(story.stream("pay_1"), "ref_1-1")
    assert (told.status, told.payment_status) == ("succeeded", "succeeded")
    story.when(revoke).refused(RefundExceedsPayment)


def test_what_was_given_back_in_part_is_given_back_as_a_whole() -> None:
    story = given(*PAID_BY_CARD, refund(1_000))
    story.when(revoke).answered(202, id="ref_1-2", revoked_by="refund", amount=5_000)


def test_what_was_released_to_its_merchant_is_given_back() -> None:
    story = given(*PAID_BY_CARD)
    entry = TransferPosted("sys:2110:acme:eur", "sys:2120:acme:eur", 5_000, "EUR")
    opened = AccountOpened("sys:2120:acme:eur", "merchant available acme", "liability", "EUR", 0, protected=True)
    story.given(("account/sys:2120:acme:eur", opened), ("ent_1", entry))
    story.when(revoke).answered(202, revoked_by="refund", amount=6_000)


def test_a_refund_that_failed_does_not_keep_it_from_being_taken_back() -> None:
    given(*PAID_BY_CARD, refund(), refund_result(1, REFUND_DECLINED)).when(revoke).then(TAKEN_BACK)


def test_several_captures_are_given_back_and_the_rest_is_let_go() -> None:
    story = given(*HELD, *captured(1_000), *captured(2_000, 2))
    story.when(revoke).answered(202, id="ref_1-1", revoked_by="refund", amount=3_000)
    story.given(void_result(1, changed(3_000)), refund_result(1, refunded(3_000)))
    assert (stands(story), payment_of(story).refunded) == (("succeeded", 3_000, 0), 3_000)


def test_what_the_channel_does_not_take_back_is_given_back() -> None:
    story = given(*PAID_BY_CARD, revoke)
    outcome = story.when(void_result(1, CHANGE_DECLINED))
    outcome.then(
        VoidDeclined("void_1-1", "generic_decline", "05", "Not today.", refund="ref_1-1"),
        RefundRequested("ref_1-1", "pay_1", "acme", CHANNEL, "pay_1-1", "ch_1", 6_000, "EUR", short=130, reason=WHY),
    )
    told = revocation_view(story.stream("pay_1"), "void_1-1")
    assert (told.id, told.revoked_by, told.status) == ("ref_1-1", "refund", "processing")
    story.given(refund_result(1, refunded()))
    assert (story.balance(RECEIVABLE), story.balance(MERCHANT)) == (-36, 0)


def test_a_payment_from_a_wallet_goes_back_into_it_at_once() -> None:
    story = given(*PAID_FROM_WALLET)
    story.when(revoke).answered(201, revoked_by="refund", status="succeeded", amount=6_000)
    assert story.balance(ANN) == 10_000
    held = given(*HELD_IN_WALLET)
    held.when(revoke).answered(201, id="void_1-1", revoked_by="void", status="succeeded", payment_status="canceled")
    assert held.balance(ANN) == 10_000


@pytest.mark.parametrize("said", [None, Unknown("ReadTimeout"), DECLINED])
def test_what_was_neither_held_nor_taken_is_not_undone(said: Verdict | None) -> None:
    told = [] if said is None else [attempt_of("pay_1", said)]
    given(*PARTIES, by_card(), *told).when(revoke).refused(PaymentStateInvalid)


def test_nothing_is_undone_under_a_capture_or_after_a_void() -> None:
    given(*HELD, *captured(1_000), capture(1_000)).when(revoke).refused(ChangeUnderWay)
    given(*HELD, cancel, void_result(1, changed(6_000))).when(revoke).refused(PaymentStateInvalid)
    given(*PARTIES).when(RevokePayment("pay_9")).refused(PaymentNotFound)


def test_a_day_ends_where_the_channel_s_does() -> None:
    assert is_revocable(CHANNEL, NOON, NOON + timedelta(hours=11, minutes=59))
    assert not is_revocable(CHANNEL, NOON, NOON + timedelta(hours=12))
    assert not is_revocable("a channel that only refunds", NOON, NOON)
