"""Authorizations: held for more or longer, let go, run out, or held in a wallet; each rule, as given, when, then."""

from datetime import timedelta

import pytest

from commands.channels.channel import NotSent, Unknown, Verdict
from commands.payments import CreatePayment
from commands.policies import channels
from commands.policies.channels import ChannelTerms
from ledger.errors import (
    AuthExpired,
    CaptureExceedsAuthorization,
    ChangeNotSupported,
    ChangeUnderWay,
    InsufficientFunds,
    PaymentStateInvalid,
)
from ledger.events.authorizations import (
    AuthorizationExpired,
    AuthorizationExtended,
    AuthorizationIncremented,
    AuthorizationReleased,
    IncrementDeclined,
    IncrementRequested,
    IncrementUnanswered,
    PaymentCapturedFromWallet,
    PaymentFrozenInWallet,
    PaymentUnfrozenInWallet,
)
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Method
from ledger.events.voids import AuthorizationVoided, VoidDeclined, VoidRequested, VoidUnanswered
from tests.commands.given import NOON, given
from tests.commands.held import (
    CHANGE_DECLINED,
    FROZEN,
    HELD,
    HELD_IN_WALLET,
    IN_A_WEEK,
    authorized,
    cancel,
    capture,
    capture_result,
    captured,
    changed,
    expire,
    extend,
    held_in_wallet,
    increment,
    increment_result,
    payment_of,
    shown,
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
    PARTIES,
    UNAPPLIED,
    attempt_of,
    by_card,
    charged,
    refund,
    topped_up,
)

TERMS = FeeTerms(200, 10)

# --- more, and for longer -------------------------------------------------------------------------------------------


def test_more_is_held_once_the_channel_says_so() -> None:
    story = given(*HELD)
    story.when(increment(2_000)).then(IncrementRequested("inc_1-1", "pay_1-1", CHANNEL, "au_1", 2_000, "EUR")).answered(
        202, id="inc_1-1"
    )
    story.when(capture(6_001)).refused(CaptureExceedsAuthorization)
    story.when(increment_result(1, changed(2_000))).then(AuthorizationIncremented("inc_1-1", CHANNEL, 2_000, "EUR"))
    assert stands(story) == ("authorized", 0, 8_000)
    story.when(increment_result(1, changed(2_000))).then().answered(effect="duplicate")
    assert stands(story.given(*captured(8_000))) == ("succeeded", 8_000, 0)
    assert sum(one.fee for one in payment_of(story).captures) == 170


def test_an_increment_that_is_refused_changes_nothing() -> None:
    story = given(*HELD, increment(2_000))
    story.when(increment(1)).refused(ChangeUnderWay)
    story.when(increment_result(1, Unknown("ReadTimeout"))).then(IncrementUnanswered("inc_1-1", "ReadTimeout"))
    story.when(increment_result(1, CHANGE_DECLINED)).then(
        IncrementDeclined("inc_1-1", "generic_decline", "05", "Not today.")
    )
    assert stands(story) == ("authorized", 0, 6_000)
    story.when(increment(1)).answered(202, id="inc_1-2")


def test_a_channel_that_holds_no_more_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "CHANNELS", (ChannelTerms(CHANNEL, ("card",), 60, manual_capture=True, voids=True),))
    story = given(*HELD)
    story.when(increment(1)).refused(ChangeNotSupported, channel=CHANNEL)
    story.when(extend).refused(ChangeNotSupported, channel=CHANNEL)


def test_a_hold_lasts_longer_once_the_channel_says_so() -> None:
    later = IN_A_WEEK + timedelta(days=7)
    story = given(*HELD)
    story.when(extend).then(
        IncrementRequested("inc_1-1", "pay_1-1", CHANNEL, "au_1", 6_000, "EUR", extends=True)
    ).answered(202, id="inc_1-1")
    story.when(increment_result(1, changed(6_000, until=later))).then(AuthorizationExtended("inc_1-1", later))
    assert (stands(story), shown(story).capture_before) == (("authorized", 0, 6_000), later)
    story.given(IN_A_WEEK).when(expire).refused(PaymentStateInvalid)
    story.when(capture()).answered(202)


# --- letting go -----------------------------------------------------------------------------------------------------


def test_a_hold_is_let_go_once_the_channel_says_so() -> None:
    story = given(*HELD)
    story.when(cancel).then(
        VoidRequested("void_1-1", "pay_1-1", CHANNEL, "au_1", 6_000, "EUR", "changed their mind")
    ).answered(202, id="void_1-1")
    assert stands(story) == ("authorized", 0, 6_000)
    story.when(cancel).refused(ChangeUnderWay)
    story.when(capture(1)).refused(ChangeUnderWay)
    story.when(void_result(1, Unknown("ReadTimeout"))).then(VoidUnanswered("void_1-1", "ReadTimeout"))
    story.when(void_result(1, NotSent("ConnectError"))).then().answered(effect="ignored")
    story.when(void_result(1, changed(6_000))).then(AuthorizationVoided("void_1-1", CHANNEL, 6_000, "EUR"))
    assert stands(story) == ("canceled", 0, 0)
    story.when(void_result(1, changed(6_000))).then().answered(effect="duplicate")
    story.when(cancel).refused(PaymentStateInvalid, payment_status="canceled")


def test_a_void_that_is_refused_leaves_the_hold() -> None:
    story = given(*HELD, cancel)
    story.when(void_result(1, CHANGE_DECLINED)).then(VoidDeclined("void_1-1", "generic_decline", "05", "Not today."))
    assert stands(story) == ("authorized", 0, 6_000)
    story.when(cancel).answered(202, id="void_1-2")


def test_after_a_part_was_captured_only_the_rest_is_let_go() -> None:
    story = given(*HELD, *captured(4_000))
    story.when(cancel).then(VoidRequested("void_1-1", "pay_1-1", CHANNEL, "au_1", 2_000, "EUR", "changed their mind"))
    story.given(void_result(1, changed(2_000)))
    assert stands(story) == ("succeeded", 4_000, 0)
    story.when(refund()).answered(202, amount=4_000)


def test_nothing_is_let_go_under_a_capture() -> None:
    given(*HELD, capture(1)).when(cancel).refused(ChangeUnderWay)


def test_a_payment_in_one_step_is_not_let_go() -> None:
    given(*PAID_BY_CARD).when(cancel).refused(PaymentStateInvalid, payment_status="succeeded")


# --- expiry ---------------------------------------------------------------------------------------------------------


def test_a_hold_ends_with_its_time() -> None:
    story = given(*HELD)
    story.when(expire).refused(PaymentStateInvalid)
    story.given(IN_A_WEEK).when(expire).then(AuthorizationExpired(CHANNEL, 6_000, "EUR"))
    assert stands(story) == ("expired", 0, 0)
    for command in (capture(), increment(1), extend, cancel):
        story.when(command).refused(PaymentStateInvalid if command is cancel else AuthExpired, payment_status="expired")


def test_the_clock_has_the_last_word_and_not_the_timer() -> None:
    story = given(*HELD, IN_A_WEEK)
    story.when(capture()).refused(AuthExpired, payment_status="expired")
    assert stands(story) == ("authorized", 0, 6_000)


def test_what_was_captured_before_the_end_stays_captured() -> None:
    story = given(*HELD, *captured(4_000), IN_A_WEEK)
    story.when(expire).then(AuthorizationExpired(CHANNEL, 2_000, "EUR"))
    assert stands(story) == ("succeeded", 4_000, 0)
    story.when(capture(1)).refused(AuthExpired, payment_status="succeeded")


@pytest.mark.parametrize("said", [changed(4_000), CHANGE_DECLINED])
def test_what_a_capture_may_still_take_ends_with_the_capture(said: Verdict) -> None:
    story = given(*HELD, capture(4_000), IN_A_WEEK)
    story.when(expire).then(AuthorizationExpired(CHANNEL, 2_000, "EUR"))
    assert stands(story) == ("authorized", 0, 4_000)
    story.when(expire).refused(PaymentStateInvalid)
    story.given(capture_result(1, said))
    assert stands(story) == (("expired", 0, 0) if said is CHANGE_DECLINED else ("succeeded", 4_000, 0))


def test_an_increment_that_comes_after_the_end_is_let_go_at_once() -> None:
    story = given(*HELD, increment(2_000), IN_A_WEEK, expire)
    story.when(increment_result(1, changed(2_000))).then(
        AuthorizationIncremented("inc_1-1", CHANNEL, 2_000, "EUR"), AuthorizationReleased(CHANNEL, 2_000, "EUR")
    )
    assert stands(story) == ("expired", 0, 0)


def test_a_void_s_word_after_the_end_lets_go_of_nothing_more() -> None:
    story = given(*HELD, cancel, IN_A_WEEK, expire)
    story.when(void_result(1, changed(6_000))).then(AuthorizationVoided("void_1-1", CHANNEL, 0, "EUR"))
    assert stands(story) == ("canceled", 0, 0)


def test_what_a_channel_would_have_charged_by_itself_ends_too() -> None:
    story = given(*PARTIES, by_card(), attempt_of("pay_1", authorized()), IN_A_WEEK)
    story.when(expire).then(AuthorizationExpired(CHANNEL, 6_000, "EUR"))
    assert stands(story) == ("expired", 0, 0)


def test_the_channel_may_let_go_before_its_time() -> None:
    story = given(*HELD, *captured(1_000), capture(2_000))
    story.when(attempt_of("pay_1", DECLINED)).then(AuthorizationExpired(CHANNEL, 3_000, "EUR"))
    story.when(attempt_of("pay_1", DECLINED)).then().answered(effect="ignored")
    assert stands(story) == ("partially_captured", 1_000, 2_000)


def test_a_charge_after_the_end_is_kept_apart() -> None:
    story = given(*HELD, IN_A_WEEK, expire)
    story.when(attempt_of("pay_1", charged())).answered(effect="unapplied")
    assert (stands(story), story.balance(UNAPPLIED), story.balance(IN_TRANSIT)) == (("expired", 0, 0), 0, 6_000)


# --- in a wallet ----------------------------------------------------------------------------------------------------


def test_a_wallet_s_hold_is_real_money_that_nobody_can_spend() -> None:
    outcome = given(*PARTIES, *topped_up(10_000)).when(held_in_wallet()).answered(201, status="authorized")
    story = outcome.story
    assert (story.balance(ANN), story.balance(FROZEN)) == (4_000, 6_000)
    event = outcome._decided().events[-1][1]
    assert event == PaymentFrozenInWallet("ann", 6_000, "EUR", TERMS, IN_A_WEEK)
    story.when(held_in_wallet("pay_2", 4_001)).refused(InsufficientFunds)


def test_a_capture_from_a_wallet_is_final_in_the_one_commit() -> None:
    story = given(*HELD_IN_WALLET)
    story.when(capture(4_000)).then(
        PaymentCapturedFromWallet("cap_1-1", "ann", "acme", "balance_pay", 4_000, "EUR", 90)
    ).answered(201, status="partially_captured", amount_captured=4_000)
    story.when(capture(1_000, final=True)).then(
        PaymentCapturedFromWallet("cap_1-2", "ann", "acme", "balance_pay", 1_000, "EUR", 20, unfrozen=1_000, final=True)
    ).answered(201, status="succeeded")
    assert (story.balance(ANN), story.balance(FROZEN), story.balance(MERCHANT)) == (5_000, 0, 4_890)
    story.when(refund()).answered(201, status="succeeded", amount=5_000)


def test_a_wallet_s_hold_is_let_go_or_ends() -> None:
    unfrozen = PaymentUnfrozenInWallet("ann", 6_000, "EUR", "voided", "changed their mind", "void_1-1")
    canceled = given(*HELD_IN_WALLET)
    canceled.when(cancel).then(unfrozen).answered(status="canceled")
    ended = given(*HELD_IN_WALLET, IN_A_WEEK)
    ended.when(expire).then(PaymentUnfrozenInWallet("ann", 6_000, "EUR", "expired"))
    assert payment_of(ended).status == "expired"
    for story in (canceled, ended):
        assert (story.balance(ANN), story.balance(FROZEN)) == (10_000, 0)


def test_a_wallet_holds_more_and_for_longer_at_once() -> None:
    story = given(*HELD_IN_WALLET)
    story.when(increment(2_000)).answered(201, amount_authorized=8_000, status="authorized")
    story.when(increment(2_001)).refused(InsufficientFunds)
    assert (story.balance(ANN), story.balance(FROZEN)) == (2_000, 8_000)
    story.given(NOON + timedelta(days=3)).when(extend).answered(201)
    assert shown(story).capture_before == NOON + timedelta(days=10)
    story.when(capture(8_000)).answered(201, status="succeeded")


# --- beside a wallet --------------------------------------------------------------------------------------------------

MIXED = CreatePayment(
    "pay_1", "acme", 6_000, "EUR", "quick_pay", Method("mixed", "tok_visa", wallet_amount=2_000), "order-1", "ann"
)


def test_a_part_of_what_a_card_pays_beside_a_wallet_is_let_go_with_the_wallet_s_part() -> None:
    story = given(*PARTIES, *topped_up(10_000), MIXED)
    assert (story.balance(ANN), story.balance(FROZEN)) == (8_000, 2_000)
    story.given(attempt_of("pay_1", authorized(3_000)))
    assert (stands(story), story.balance(ANN), story.balance(FROZEN)) == (("failed", 0, 0), 10_000, 0)
    assert payment_of(story).voids[0].surplus


def test_a_hold_beside_a_wallet_that_ends_frees_the_wallet_s_part() -> None:
    story = given(*PARTIES, *topped_up(10_000), MIXED, attempt_of("pay_1", authorized(4_000)))
    assert (stands(story), story.balance(FROZEN)) == (("processing", 0, 4_000), 2_000)
    taken = given(*PARTIES, *topped_up(10_000), MIXED, attempt_of("pay_1", authorized(4_000)))
    taken.given(attempt_of("pay_1", charged(4_000)))
    assert (stands(taken), taken.balance(FROZEN)) == (("succeeded", 6_000, 0), 0)
    story.given(IN_A_WEEK, expire)
    assert (stands(story), story.balance(ANN), story.balance(FROZEN)) == (("expired", 0, 0), 10_000, 0)
