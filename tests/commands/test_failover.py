"""Failover: the table of what follows an attempt that failed, row by row, and that nobody is charged twice by it."""

from datetime import timedelta

import pytest
from hypothesis import given as any_of
from hypothesis import strategies as st
from msgspec.structs import replace

from commands.channels.channel import Declined, DeclineReason, NotSent, Unknown, Verdict
from commands.circuits import SwitchCircuit
from commands.payments import RecordAttemptResult
from commands.policies.routing_rules import Priority, RoutingRules
from commands.retries import RetryPayment
from commands.routing_rules import ActivateRoutingRules
from ledger.errors import PaymentNotFound, PaymentStateInvalid, RetryNotAllowed
from ledger.events.payments import (
    PaymentAttemptDeclined,
    PaymentAttemptInitiated,
    PaymentCaptured,
    PaymentFailed,
    PaymentReceiptUnapplied,
    PaymentRouted,
)
from ledger.payment_views import PaymentView, payment_view
from tests.commands.given import NOON, Story, given
from tests.commands.stories import CHANNEL, OTHER_CHANNEL, PARTIES, by_card, charged, going_back

A, B = CHANNEL, OTHER_CHANNEL
PAID_AT_B = PaymentCaptured("pay_1-2", B, "ch_2", "acme", "quick_pay", 6_000, "EUR", fee=130, channel_fee=54)


def said(number: int, channel: str, verdict: Verdict) -> RecordAttemptResult:
    return RecordAttemptResult(f"pay_1-{number}", channel, verdict)


def no(reason: DeclineReason, *, hard: bool = False) -> Declined:
    return Declined(reason, "05", "no", hard)


def attempts_of(max_attempts: int) -> ActivateRoutingRules:
    return ActivateRoutingRules(RoutingRules(max_attempts=max_attempts))


def shown(story: Story) -> PaymentView:
    return payment_view(story.stream("pay_1"))


def went_on(story: Story) -> str:
    """What became of the payment: where it is tried again, or its failure, or neither."""
    view = shown(story)
    if view.status == "failed":
        return f"failed: {view.error.code if view.error else ''}"
    last = view.attempts[-1]
    return f"{last.channel} again" if last.channel == A and len(view.attempts) > 1 else last.channel


# The table of error classes: what the channel says, and where the payment is then.
TABLE: list[tuple[Verdict, str]] = [
    (NotSent("ConnectError"), B),
    (no("configuration"), B),
    (no("integration"), B),
    (no("try_again"), B),
    (no("generic_decline"), "failed: generic_decline"),
    (no("insufficient_funds"), "failed: insufficient_funds"),
    (no("limit_exceeded"), "failed: limit_exceeded"),
    (no("authentication_required"), f"{A} again"),
    (no("authentication_failed"), "failed: authentication_failed"),
    (no("account_invalid", hard=True), "failed: account_invalid"),
    (no("generic_decline", hard=True), "failed: generic_decline"),
    (no("try_again", hard=True), "failed: try_again"),
    (no("authentication_required", hard=True), "failed: authentication_required"),
    (no("blocked", hard=True), "failed: blocked"),
    (no("mandate_ended", hard=True), "failed: mandate_ended"),
    (no("card_expired"), "failed: card_expired"),
    (no("wrong_number"), "failed: wrong_number"),
    (no("wrong_cvc"), "failed: wrong_cvc"),
    (no("duplicate"), "failed: duplicate"),
    (no("amount_limits"), "failed: amount_limits"),
    (Unknown("ReadTimeout"), A),
    (Unknown("http 503"), A),
]


@pytest.mark.parametrize(("verdict", "then"), TABLE)
def test_what_follows_is_what_the_table_says(verdict: Verdict, then: str) -> None:
    story = given(*PARTIES, by_card(), said(1, A, verdict))
    assert went_on(story) == then


def test_a_channel_s_own_trouble_leads_to_the_next_one_and_both_attempts_are_listed() -> None:
    outcome = given(*PARTIES, by_card()).when(said(1, A, no("try_again")))
    outcome.then(
        PaymentAttemptDeclined("pay_1-1", "try_again", "05", "no"),
        PaymentRouted(B, f"{A} said try_again", (A, B), considered={A: "was tried"}),
        PaymentAttemptInitiated("pay_1-2", B, 6_000, "EUR", "tok_visa", "acme", "order-1"),
    )
    view = shown(outcome.story)
    assert (view.status, view.error) == ("processing", None)
    outcome.story.when(said(2, B, charged(reference="ch_2"))).then(PAID_AT_B)
    view = shown(outcome.story)
    assert [(attempt.channel, attempt.status) for attempt in view.attempts] == [(A, "declined"), (B, "succeeded")]
    assert view.routing is not None
    assert (view.status, view.routing.channel) == ("succeeded", B)


def test_what_was_never_sent_says_so() -> None:
    outcome = given(*PARTIES, by_card()).when(said(1, A, NotSent("ConnectError")))
    outcome.then(
        PaymentAttemptDeclined("pay_1-1", "try_again", message="ConnectError", sent=False),
        PaymentRouted(B, f"{A} could not be reached", (A, B), considered={A: "was tried"}),
        PaymentAttemptInitiated("pay_1-2", B, 6_000, "EUR", "tok_visa", "acme", "order-1"),
    )


@pytest.mark.parametrize(("most", "then"), [(0, "failed: try_again"), (1, "failed: try_again"), (2, B), (5, B)])
def test_so_many_attempts_are_made_as_the_rules_allow(most: int, then: str) -> None:
    assert went_on(given(*PARTIES, attempts_of(most), by_card(), said(1, A, no("try_again")))) == then


def test_a_payment_ends_where_no_candidate_is_left() -> None:
    story = given(*PARTIES, attempts_of(5), by_card(), said(1, A, no("try_again")))
    story.when(said(2, B, no("configuration"))).then(
        PaymentAttemptDeclined("pay_1-2", "configuration", "05", "no"), PaymentFailed("configuration", "no")
    )


def test_a_channel_that_rests_is_nobody_s_next() -> None:
    resting = SwitchCircuit(B, "open", "maintenance")
    assert went_on(given(*PARTIES, by_card(), resting, said(1, A, no("try_again")))) == "failed: try_again"


def test_the_order_of_the_rules_is_the_order_of_the_attempts() -> None:
    rules = ActivateRoutingRules(RoutingRules(default=Priority((B, A))))
    story = given(*PARTIES, rules, by_card(), said(1, B, no("try_again")))
    assert [attempt.channel for attempt in shown(story).attempts] == [B, A]


# --- step-up --------------------------------------------------------------------------------------------------------


def test_an_issuer_who_wants_a_proof_gets_it_from_the_same_channel_once() -> None:
    story = given(*PARTIES, attempts_of(0), by_card())
    story.when(said(1, A, no("authentication_required"))).then(
        PaymentAttemptDeclined("pay_1-1", "authentication_required", "05", "no"),
        PaymentAttemptInitiated("pay_1-2", A, 6_000, "EUR", "tok_visa", "acme", "order-1", authenticate=True),
    )
    story.when(said(2, A, no("authentication_required"))).then(
        PaymentAttemptDeclined("pay_1-2", "authentication_required", "05", "no"),
        PaymentFailed("authentication_required", "no"),
    )


def test_after_a_proof_a_channel_s_trouble_leads_to_the_next_one_and_the_proof_is_asked_for_there_too() -> None:
    story = given(*PARTIES, by_card(), said(1, A, no("authentication_required")), said(2, A, no("try_again")))
    assert isinstance(story.log[-1].event, PaymentAttemptInitiated)
    assert (story.log[-1].event.channel, story.log[-1].event.authenticate) == (B, True)


# --- late words -----------------------------------------------------------------------------------------------------


def test_an_unknown_outcome_goes_elsewhere_only_when_the_channel_has_said_no() -> None:
    story = given(*PARTIES, by_card(), said(1, A, Unknown("ReadTimeout")))
    assert [attempt.status for attempt in shown(story).attempts] == ["unknown"]
    story.given(said(1, A, no("try_again")))
    assert [attempt.channel for attempt in shown(story).attempts] == [A, B]


def test_of_two_successes_the_first_counts_and_the_second_is_kept_apart() -> None:
    story = given(*PARTIES, by_card(), said(1, A, no("try_again")), said(1, A, charged(reference="ch_1")))
    assert shown(story).status == "succeeded"
    story.when(said(2, B, charged(reference="ch_2"))).then(
        PaymentReceiptUnapplied("pay_1-2", B, "ch_2", 6_000, "EUR", 54, "the payment is paid already"),
        going_back(reference="ch_2", because="the payment is paid already", attempt="pay_1-2", channel=B),
    )
    assert shown(story).amount_captured == 6_000


@pytest.mark.parametrize("late", [no("try_again"), no("blocked", hard=True), no("cancelled_by_user")])
def test_an_attempt_that_fails_when_the_payment_is_paid_changes_nothing_else(late: Verdict) -> None:
    story = given(*PARTIES, by_card(), said(1, A, no("try_again")), said(1, A, charged(reference="ch_1")))
    assert isinstance(late, Declined)
    story.when(said(2, B, late)).then(PaymentAttemptDeclined("pay_1-2", late.reason, "05", "no", late.hard))
    assert shown(story).status == "succeeded"


def test_what_the_table_lets_go_elsewhere_is_all_that_goes_elsewhere() -> None:
    elsewhere = {verdict.reason for verdict, then in TABLE if then == B and isinstance(verdict, Declined)}
    assert elsewhere == {"try_again", "configuration", "integration"}


def test_a_payment_that_is_captured_by_hand_keeps_being_so() -> None:
    order = replace(by_card(), capture="manual")
    story = given(*PARTIES, order, said(1, A, no("try_again")))
    assert isinstance(story.log[-1].event, PaymentAttemptInitiated)
    assert story.log[-1].event.capture is False


# --- on demand ------------------------------------------------------------------------------------------------------


def test_a_failed_payment_is_tried_once_more_on_demand() -> None:
    story = given(*PARTIES, attempts_of(1), by_card(), said(1, A, no("insufficient_funds")))
    story.when(RetryPayment("pay_1")).answered(202, status="processing", error=None)
    story.when(said(2, A, charged(reference="ch_2"))).answered(effect="recorded")
    view = shown(story)
    assert (view.status, [attempt.status for attempt in view.attempts]) == ("succeeded", ["declined", "succeeded"])
    story.when(RetryPayment("pay_1")).refused(PaymentStateInvalid)


@pytest.mark.parametrize(("minutes", "allowed"), [(0, 0), (30, 30), (60, 60)])
def test_it_may_be_tried_again_for_as_long_as_the_rules_allow(minutes: int, allowed: int) -> None:
    rules = ActivateRoutingRules(RoutingRules(retry_minutes=minutes))
    story = given(*PARTIES, rules, by_card(), said(1, A, no("insufficient_funds")))
    story.given(NOON + timedelta(minutes=allowed, microseconds=1))
    story.when(RetryPayment("pay_1")).refused(RetryNotAllowed, retry_minutes=minutes)
    story.given(NOON + timedelta(minutes=allowed))
    if allowed:
        story.when(RetryPayment("pay_1")).answered(202)


@pytest.mark.parametrize("verdict", [no("blocked", hard=True), no("generic_decline", hard=True), no("duplicate")])
def test_what_was_refused_for_good_is_not_tried_again(verdict: Verdict) -> None:
    given(*PARTIES, by_card(), said(1, A, verdict)).when(RetryPayment("pay_1")).refused(RetryNotAllowed)


def test_what_has_been_paid_late_is_not_tried_again() -> None:
    story = given(*PARTIES, by_card(), said(1, A, no("insufficient_funds")), said(1, A, charged()))
    story.when(RetryPayment("pay_1")).refused(RetryNotAllowed)


def test_a_payment_that_is_not_there_is_not_tried_again() -> None:
    given().when(RetryPayment("pay_9")).refused(PaymentNotFound)


# --- laws -----------------------------------------------------------------------------------------------------------

WORDS: list[Verdict] = [
    *(verdict for verdict, _ in TABLE),
    Unknown("pending"),
    charged(reference="first"),
    charged(reference="second"),
]


@any_of(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(WORDS)), max_size=10), st.integers(0, 3))
def test_whatever_channels_say_one_attempt_is_under_way_at_most_and_the_payment_is_paid_once(
    words: list[tuple[int, Verdict]], most: int
) -> None:
    story = given(*PARTIES, attempts_of(most), by_card())
    for number, word in words:
        before = shown(story)
        if number > len(before.attempts):
            continue
        story.given(said(number, before.attempts[number - 1].channel, word))
        view = shown(story)
        under_way = [attempt for attempt in view.attempts if attempt.status in ("processing", "unknown")]
        assert len(under_way) <= 1
        assert view.status in ("processing", "succeeded", "failed")
        assert (view.status == "processing") <= (len(under_way) == 1)
        assert view.amount_captured == (6_000 if view.status == "succeeded" else 0)
        # Never from an attempt whose outcome is unknown, never after a hard no, never to more channels than allowed.
        assert len({attempt.channel for attempt in view.attempts}) <= max(1, most)
        if isinstance(word, Unknown) or (isinstance(word, Declined) and word.hard):
            assert len(view.attempts) == len(before.attempts)
        if before.status != "processing":
            assert len(view.attempts) == len(before.attempts)
