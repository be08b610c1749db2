"""Authorizations: money that is held, and taken later, in parts or not at all; each rule, as given, when, then."""

import pytest

from commands.authorizations import CapturePayment
from commands.channels.channel import AMOUNT_MISMATCH, NotSent, Unknown, Verdict
from commands.envelope import Command
from commands.payments import CreatePayment
from commands.policies import channels
from commands.policies.channels import ChannelTerms
from ledger.authorization import REFUSED
from ledger.errors import (
    AmountNotPositive,
    CaptureExceedsAuthorization,
    CaptureNotSupported,
    ChangeNotFound,
    ChangeUnderWay,
    PaymentNotFound,
    PaymentStateInvalid,
    RefundExceedsPayment,
)
from ledger.events.authorizations import (
    AuthorizationReleased,
    CaptureDeclined,
    CaptureRequested,
    CaptureUnanswered,
    PaymentAuthorized,
)
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Method, PaymentCaptured, PaymentReceiptUnapplied
from ledger.events.voids import AuthorizationVoided, VoidRequested
from tests.commands.given import given
from tests.commands.held import (
    AUTHORIZED,
    CHANGE_DECLINED,
    CONTRA,
    HELD,
    IN_A_WEEK,
    authorized,
    cancel,
    capture,
    capture_result,
    captured,
    changed,
    extend,
    held_by_card,
    increment,
    payment_of,
    shown,
    stands,
    void_result,
)
from tests.commands.stories import (
    CHANNEL,
    CHANNEL_FEE,
    DECLINED,
    IN_TRANSIT,
    MERCHANT,
    PAID_BY_CARD,
    PARTIES,
    RECEIVABLE,
    attempt_of,
    by_card,
    charged,
    going_back,
    refund,
)

TERMS = FeeTerms(200, 10)
BY_CARD = PaymentAuthorized("pay_1-1", CHANNEL, "au_1", 6_000, "EUR", TERMS, IN_A_WEEK)


def taken(
    amount: int, fee: int, number: int = 1, *, released: int | None = None, final: bool = False
) -> PaymentCaptured:
    return PaymentCaptured(
        attempt="pay_1-1",
        channel=CHANNEL,
        channel_reference=f"ca_{number}",
        merchant="acme",
        product="quick_pay",
        amount=amount,
        currency="EUR",
        fee=fee,
        channel_fee=(amount * 60 + 5_000) // 10_000,
        capture=f"cap_1-{number}",
        released=amount if released is None else released,
        final=final,
    )


# --- holding --------------------------------------------------------------------------------------------------------


def test_what_the_channel_holds_stands_beside_the_books() -> None:
    outcome = given(*PARTIES, held_by_card()).when(attempt_of("pay_1", authorized()))
    outcome.then(BY_CARD).answered(200, effect="recorded")
    assert outcome.story.balances() == {AUTHORIZED: 6_000, CONTRA: -6_000}
    view = shown(outcome.story)
    assert (view.status, view.amount_authorized, view.amount_capturable, view.amount_captured) == (
        "authorized",
        6_000,
        6_000,
        0,
    )
    assert (view.capture_before, view.partially_authorized, view.attempts[0].status) == (IN_A_WEEK, False, "authorized")


def test_a_part_that_the_channel_holds_is_the_merchant_s_choice() -> None:
    story = given(*PARTIES, held_by_card(), attempt_of("pay_1", authorized(4_500)))
    view = shown(story)
    assert (view.status, view.amount_authorized, view.partially_authorized) == ("authorized", 4_500, True)
    story.when(capture(4_501)).refused(CaptureExceedsAuthorization, "/amount", capturable=4_500)
    story.when(capture()).then(CaptureRequested("cap_1-1", "pay_1-1", CHANNEL, "au_1", 4_500, "EUR"))


def test_a_part_of_what_should_be_charged_at_once_is_not_taken_by_itself() -> None:
    story = given(*PARTIES, by_card(), attempt_of("pay_1", authorized(4_500)))
    assert stands(story) == ("authorized", 0, 4_500)
    assert stands(story.given(*captured(4_500))) == ("succeeded", 4_500, 0)


def test_what_a_channel_holds_before_it_charges_by_itself_is_not_ours_to_capture() -> None:
    story = given(*PARTIES, by_card(), attempt_of("pay_1", authorized()))
    assert stands(story) == ("processing", 0, 6_000)
    story.when(capture()).refused(PaymentStateInvalid, payment_status="processing")
    assert stands(story.given(attempt_of("pay_1", charged()))) == ("succeeded", 6_000, 0)


@pytest.mark.parametrize("said", [authorized(6_001), authorized(currency="USD")])
def test_more_than_was_asked_for_is_not_believed(said: Verdict) -> None:
    story = given(*PARTIES, held_by_card(), attempt_of("pay_1", said))
    assert stands(story) == ("processing", 0, 0)


def test_a_hold_that_is_told_again_is_one_hold() -> None:
    story = given(*HELD)
    story.when(attempt_of("pay_1", authorized())).then().answered(effect="duplicate")
    story.given(*captured(6_000))
    story.when(attempt_of("pay_1", authorized())).then().answered(effect="duplicate")
    assert stands(story) == ("succeeded", 6_000, 0)


def test_a_hold_that_no_order_waits_for_is_let_go_once() -> None:
    story = given(*PARTIES, held_by_card(), attempt_of("pay_1", DECLINED))
    story.when(attempt_of("pay_1", authorized())).then(
        VoidRequested(
            "void_1-1", "pay_1-1", CHANNEL, "au_1", 6_000, "EUR", "no order waits for this hold", surplus=True
        )
    ).answered(effect="unapplied")
    story.when(attempt_of("pay_1", authorized())).then().answered(effect="duplicate")
    story.when(void_result(1, changed(6_000))).then(AuthorizationVoided("void_1-1", CHANNEL, 0, "EUR"))
    assert stands(story) == ("failed", 0, 0)


def test_what_is_paid_from_two_sources_is_not_held() -> None:
    from_two = CreatePayment(
        "pay_1", "acme", 6_000, "EUR", "quick_pay", Method("mixed"), "order-1", customer="ann", capture="manual"
    )
    given(*PARTIES).when(from_two).refused(CaptureNotSupported, "/capture")


# --- taking ---------------------------------------------------------------------------------------------------------


def test_a_capture_is_asked_for_and_takes_nothing_yet() -> None:
    story = given(*HELD)
    story.when(capture(4_000)).then(CaptureRequested("cap_1-1", "pay_1-1", CHANNEL, "au_1", 4_000, "EUR")).answered(
        202, id="cap_1-1"
    )
    assert stands(story) == ("authorized", 0, 6_000)
    assert (shown(story).amount_capturable, shown(story).captures[0].status) == (2_000, "processing")


def test_a_capture_of_all_is_the_payment() -> None:
    story = given(*HELD, capture())
    story.when(capture_result(1, changed(6_000))).then(taken(6_000, 130)).answered(200, effect="recorded")
    assert stands(story) == ("succeeded", 6_000, 0)
    assert (story.balance(MERCHANT), story.balance(RECEIVABLE), story.balance(CHANNEL_FEE)) == (5_870, 5_964, 36)
    assert shown(story).attempts[0].status == "succeeded"


def test_captures_in_parts_pay_the_fixed_fee_once() -> None:
    story = given(*HELD)
    for number, fee in ((1, 50), (2, 40), (3, 40)):
        story.given(capture(2_000)).when(capture_result(number, changed(2_000, f"ca_{number}"))).then(
            taken(2_000, fee, number)
        )
    assert stands(story) == ("succeeded", 6_000, 0)
    story.when(capture(1)).refused(
        PaymentStateInvalid, payment_status="succeeded", expected_status=["authorized", "partially_captured"]
    )


@pytest.mark.parametrize("parts", [(1, 5_999), (3, 3, 5_994), (1_999, 2_001, 2_000), (5, 5, 5, 5_985), (3_333, 2_667)])
def test_the_fees_of_all_parts_are_the_fee_of_their_sum(parts: tuple[int, ...]) -> None:
    story = given(*HELD)
    for number, amount in enumerate(parts, 1):
        story.given(*captured(amount, number))
        assert all(one.fee <= one.amount for one in payment_of(story).captures)
    assert sum(one.fee for one in payment_of(story).captures) == 130


def test_the_fixed_fee_moves_on_when_the_part_that_was_to_pay_it_fails() -> None:
    story = given(*HELD, capture(2_000), capture(2_000), capture_result(1, CHANGE_DECLINED))
    story.when(capture_result(2, changed(2_000, "ca_2"))).then(taken(2_000, 50, 2))


def test_a_final_capture_lets_go_of_the_rest_once_it_succeeds() -> None:
    story = given(*HELD, capture(4_000, final=True))
    assert stands(story) == ("authorized", 0, 6_000)
    story.when(capture(1)).refused(ChangeUnderWay)
    story.when(capture_result(1, changed(4_000))).then(
        taken(4_000, 90, final=True), AuthorizationReleased(CHANNEL, 2_000, "EUR")
    )
    assert stands(story) == ("succeeded", 4_000, 0)
    story.when(cancel).refused(PaymentStateInvalid, payment_status="succeeded")


def test_a_final_capture_that_fails_leaves_everything_open() -> None:
    story = given(*HELD, capture(4_000, final=True), capture_result(1, CHANGE_DECLINED))
    assert stands(story) == ("authorized", 0, 6_000)
    story.when(capture()).answered(202, id="cap_1-2")


def test_a_part_that_fails_after_the_final_one_is_let_go_too() -> None:
    story = given(*HELD, capture(1_000), capture(2_000, final=True))
    story.when(capture_result(2, changed(2_000, "ca_2"))).then(
        taken(2_000, 50, 2, final=True), AuthorizationReleased(CHANNEL, 3_000, "EUR")
    )
    assert stands(story) == ("partially_captured", 2_000, 1_000)
    story.when(capture(1)).refused(PaymentStateInvalid)
    story.when(capture_result(1, CHANGE_DECLINED)).then(
        CaptureDeclined("cap_1-1", "generic_decline", "05", "Not today."), AuthorizationReleased(CHANNEL, 1_000, "EUR")
    )
    assert stands(story) == ("succeeded", 2_000, 0)


@pytest.mark.parametrize("amount", [6_001, 10**17])
def test_more_than_is_held_is_refused_and_nothing_is_sent(amount: int) -> None:
    story = given(*HELD)
    story.when(capture(amount)).refused(CaptureExceedsAuthorization, "/amount", amount=amount, capturable=6_000)
    assert payment_of(story).captures == ()


def test_what_another_capture_may_still_take_is_not_taken_twice() -> None:
    story = given(*HELD, capture(4_000))
    story.when(capture(2_001)).refused(CaptureExceedsAuthorization, capturable=2_000)
    story.when(capture(2_000)).answered(202, id="cap_1-2")
    story.when(capture()).refused(CaptureExceedsAuthorization, capturable=0)
    story.given(capture_result(1, CHANGE_DECLINED)).when(capture()).answered(202, id="cap_1-3")


def test_a_channel_may_allow_more_than_was_authorized(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = ChannelTerms(CHANNEL, ("card",), 60, manual_capture=True, voids=True, over_capture_bps=1_500)
    monkeypatch.setattr(channels, "CHANNELS", (terms,))
    story = given(*HELD)
    story.when(capture(6_901)).refused(CaptureExceedsAuthorization, capturable=6_900)
    story.given(capture(6_900)).when(capture_result(1, changed(6_900))).then(taken(6_900, 148, released=6_000))
    assert stands(story) == ("succeeded", 6_900, 0)
    story.when(refund(6_901)).refused(RefundExceedsPayment, refundable=6_900)


def test_the_tolerance_is_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    terms = ChannelTerms(CHANNEL, ("card",), 60, manual_capture=True, voids=True, over_capture_bps=1_500)
    monkeypatch.setattr(channels, "CHANNELS", (terms,))
    story = given(*HELD, *captured(5_000))
    story.when(capture(1_901)).refused(CaptureExceedsAuthorization, capturable=1_900)
    story.given(capture(1_500)).when(capture(401)).refused(CaptureExceedsAuthorization, capturable=400)


@pytest.mark.parametrize("amount", [0, -1])
def test_a_capture_takes_something(amount: int) -> None:
    given(*HELD).when(capture(amount)).refused(AmountNotPositive, "/amount")


def test_a_capture_needs_a_payment() -> None:
    given(*HELD).when(CapturePayment("pay_2")).refused(PaymentNotFound, payment="pay_2")


STATES: dict[str, tuple[tuple[Command, ...], str]] = {
    "processing": ((*PARTIES, held_by_card()), "processing"),
    "unknown": ((*PARTIES, held_by_card(), attempt_of("pay_1", Unknown("ReadTimeout"))), "processing"),
    "failed": ((*PARTIES, held_by_card(), attempt_of("pay_1", DECLINED)), "failed"),
    "succeeded in one step": (PAID_BY_CARD, "succeeded"),
    "canceled": ((*HELD, cancel, void_result(1, changed(6_000))), "canceled"),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", [capture(1), increment(1), extend])
def test_what_is_not_held_is_not_captured_raised_or_extended(state: str, command: Command) -> None:
    story, status = STATES[state]
    given(*story).when(command).refused(
        PaymentStateInvalid, payment_status=status, expected_status=["authorized", "partially_captured"]
    )


def test_silence_keeps_a_capture_s_amount_under_way() -> None:
    story = given(*HELD, capture(4_000))
    story.when(capture_result(1, Unknown("ReadTimeout"))).then(CaptureUnanswered("cap_1-1", "ReadTimeout"))
    story.when(capture_result(1, Unknown("pending"))).then().answered(effect="ignored")
    assert (stands(story), shown(story).amount_capturable) == (("authorized", 0, 6_000), 2_000)


def test_a_capture_of_another_sum_is_not_believed() -> None:
    story = given(*HELD, capture(4_000))
    story.when(capture_result(1, changed(3_999))).then(CaptureUnanswered("cap_1-1", AMOUNT_MISMATCH.reason))
    story.when(capture_result(1, changed(4_000, currency="USD"))).then().answered(effect="ignored")
    assert stands(story) == ("authorized", 0, 6_000)


@pytest.mark.parametrize(
    ("said", "group"), [(CHANGE_DECLINED, "generic_decline"), (NotSent("ConnectError"), "try_again")]
)
def test_a_capture_that_fails_gives_its_amount_back_to_what_is_open(said: Verdict, group: str) -> None:
    story = given(*HELD, capture(4_000), capture_result(1, said))
    view = shown(story)
    assert (stands(story), view.amount_capturable) == (("authorized", 0, 6_000), 6_000)
    assert (view.captures[0].status, view.captures[0].error and view.captures[0].error.code) == (REFUSED, group)


def test_a_capture_s_word_has_one_effect() -> None:
    story = given(*HELD, *captured(4_000))
    before = story.turnover()
    story.when(capture_result(1, changed(4_000))).then().answered(effect="duplicate")
    story.when(capture_result(1, CHANGE_DECLINED)).then().answered(effect="ignored")
    assert story.turnover() == before


def test_a_capture_that_succeeds_after_all_takes_what_is_still_open() -> None:
    story = given(*HELD, capture(4_000), capture_result(1, CHANGE_DECLINED))
    story.when(capture_result(1, changed(4_000))).then(taken(4_000, 90))
    assert stands(story) == ("partially_captured", 4_000, 2_000)


def test_a_capture_that_succeeds_after_its_amount_was_let_go_is_kept_apart() -> None:
    story = given(*HELD, capture(4_000), capture_result(1, CHANGE_DECLINED), cancel, void_result(1, changed(6_000)))
    story.when(capture_result(1, changed(4_000))).then(
        PaymentReceiptUnapplied("pay_1-1", CHANNEL, "ca_1", 4_000, "EUR", 24, "the capture has failed already"),
        going_back(4_000, "ca_1", "the capture has failed already"),
    ).answered(effect="unapplied")
    assert (stands(story), story.balance(IN_TRANSIT)) == (("canceled", 0, 0), 4_000)
    story.when(capture_result(1, changed(4_000))).then().answered(effect="duplicate")


def test_a_charge_that_nobody_asked_for_takes_the_whole_hold() -> None:
    story = given(*HELD, attempt_of("pay_1", charged()))
    assert stands(story) == ("succeeded", 6_000, 0)
    story.when(attempt_of("pay_1", charged())).then().answered(effect="duplicate")
    assert stands(given(*PARTIES, held_by_card(), attempt_of("pay_1", charged()))) == ("succeeded", 6_000, 0)


def test_a_charge_of_the_whole_beside_captures_of_ours_is_noted_and_not_added() -> None:
    story = given(*HELD, capture(4_000))
    story.when(attempt_of("pay_1", charged())).answered(effect="recorded")
    story.when(attempt_of("pay_1", charged())).then().answered(effect="ignored")
    assert stands(story.given(capture_result(1, changed(4_000)))) == ("partially_captured", 4_000, 2_000)


@pytest.mark.parametrize(
    ("name", "channel"), [("cap_1-2", CHANNEL), ("cap_1-1", "another"), ("cap_2-1", CHANNEL), ("void_1-1", CHANNEL)]
)
def test_a_channel_speaks_for_what_it_was_asked_and_for_nothing_else(name: str, channel: str) -> None:
    story = given(*HELD, capture(4_000))
    word = type(capture_result(1, CHANGE_DECLINED))(name, channel, changed(4_000))
    story.when(word).refused(ChangeNotFound, change=name)


# --- refunds --------------------------------------------------------------------------------------------------------


def test_what_is_only_held_is_not_given_back() -> None:
    given(*HELD).when(refund()).refused(PaymentStateInvalid, payment_status="authorized")


def test_a_payment_that_is_captured_in_part_gives_back_that_part() -> None:
    story = given(*HELD, *captured(4_000))
    story.when(refund(4_001)).refused(RefundExceedsPayment, refundable=4_000)
    story.when(refund()).answered(202, amount=4_000)


def test_a_refund_of_several_captures_names_their_charge() -> None:
    story = given(*HELD, *captured(2_000), *captured(4_000, 2))
    event = story.when(refund(5_000))._decided().events[-1][1]
    assert (getattr(event, "attempt", ""), getattr(event, "channel_reference", "")) == ("pay_1-1", "au_1")
