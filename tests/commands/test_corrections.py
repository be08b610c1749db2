"""Corrections: an operator says what became of a payment; each rule, as given, when, then, and row K2 of the table."""

import pytest

from commands.channels.channel import Unknown
from commands.corrections import CorrectPayment
from ledger.errors import (
    ChangeUnderWay,
    CorrectionNotPossible,
    FieldMissing,
    PaymentNotFound,
    PaymentStateInvalid,
    Refusal,
)
from ledger.events.corrections import PaymentCorrected
from ledger.events.payments import PaymentAttemptDeclined, PaymentCaptured, PaymentFailed
from ledger.events.voids import PaymentRevoked
from ledger.payment_views import payment_view
from ledger.posting_rules import entry_for
from tests.commands.given import Happening, given
from tests.commands.held import HELD, captured, payment_of, revoke, stands
from tests.commands.stories import (
    CHANNEL,
    DECLINED,
    MERCHANT,
    MERCHANT_DEBT,
    PAID_BY_CARD,
    PAID_FROM_WALLET,
    PARTIES,
    attempt_of,
    by_card,
    charged,
    refund,
)

BILL = "the bill"
FAILED, FOUND = CorrectPayment("pay_1", "failed", BILL), CorrectPayment("pay_1", "succeeded", BILL, "ch_9")
UNKNOWN_BY_CARD = (*PARTIES, by_card(), attempt_of("pay_1", Unknown("ReadTimeout")))


def test_a_success_that_was_none_is_undone_leg_by_leg() -> None:
    story = given(*PARTIES)
    before = story.balances()
    story.given(by_card(), attempt_of("pay_1", charged()))
    entry = story.stream("pay_1")[-1].entry_id
    undone = PaymentRevoked(
        id="",
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
    story.when(FAILED).then(
        PaymentCorrected("failed", "succeeded", BILL, "ch_1"), undone, PaymentFailed("try_again", BILL)
    ).answered(200, status="failed", amount_captured=0)
    assert story.balances() == before
    # K2, with G, M and F; no tax.
    posted = entry_for(undone)
    assert posted is not None
    assert {(one.account.split(":")[1], str(one.direction)[0], one.amount) for one in posted.postings} == {
        ("2110", "d", 6_000),
        ("4010", "d", 130),
        ("1110", "d", 36),
        ("1110", "c", 6_000),
        ("2110", "c", 130),
        ("5010", "c", 36),
    }


def test_and_is_made_again_as_it_was() -> None:
    story = given(*PAID_BY_CARD)
    once = story.balances()
    for _ in range(2):
        story.given(FAILED)
        story.when(CorrectPayment("pay_1", "succeeded", BILL)).answered(200, status="succeeded", amount_captured=6_000)
        assert story.balances() == once
    # What its channel said of it before it may say again.
    story.when(attempt_of("pay_1", charged())).then().answered(effect="duplicate")


def test_what_is_so_already_stays_without_a_word() -> None:
    story = given(*PAID_BY_CARD)
    story.when(CorrectPayment("pay_1", "succeeded", BILL)).then().answered(200, status="succeeded")
    story.given(FAILED)
    story.when(FAILED).then().answered(200, status="failed")


def test_what_was_held_and_captured_is_corrected_and_holds_nothing() -> None:
    story = given(*HELD, *captured(4_000, final=True))
    once = story.balances()
    story.given(FAILED)
    assert stands(story) == ("failed", 0, 0)
    story.given(CorrectPayment("pay_1", "succeeded", BILL))
    assert (story.balances(), payment_of(story).captured) == (once, 4_000)


def test_a_failure_that_was_none_is_paid_by_what_its_channel_knows() -> None:
    story = given(*PARTIES, by_card(), attempt_of("pay_1", DECLINED))
    story.when(CorrectPayment("pay_1", "succeeded", BILL)).refused(FieldMissing, "/channel_reference")
    story.when(FOUND).then(
        PaymentCorrected("succeeded", "failed", BILL, "ch_9"),
        PaymentCaptured("pay_1-1", CHANNEL, "ch_9", "acme", "quick_pay", 6_000, "EUR", 130, 36),
    ).answered(200, status="succeeded", amount_captured=6_000)
    story.when(attempt_of("pay_1", charged(reference="ch_9"))).then().answered(effect="duplicate")


def test_what_nobody_knows_is_ended_in_either_way() -> None:
    given(*UNKNOWN_BY_CARD).when(FOUND).answered(200, status="succeeded")
    story = given(*UNKNOWN_BY_CARD)
    story.when(FAILED).then(
        PaymentCorrected("failed", "processing", BILL),
        PaymentAttemptDeclined("pay_1-1", "try_again", message=BILL, hard=True),
        PaymentFailed("try_again", BILL),
    ).answered(200, status="failed")
    # Should the money come all the same, it is nobody's yet.
    story.when(attempt_of("pay_1", charged())).answered(effect="unapplied")


def test_what_the_merchant_has_had_already_is_his_debt() -> None:
    revoked = PaymentRevoked("", "pay_1-1", "acme", "quick_pay", CHANNEL, 6_000, "EUR", 130, 36, "ent_1", short=5_000)
    entry = entry_for(revoked)
    assert entry is not None
    net = {movement.account: movement.debit - movement.credit for movement in entry.movements()}
    assert (net[MERCHANT_DEBT], net[MERCHANT]) == (5_000, 870)


@pytest.mark.parametrize(
    ("before", "refusal"),
    [
        ((*PARTIES, by_card()), PaymentStateInvalid),
        (HELD, PaymentStateInvalid),
        ((*PAID_BY_CARD, revoke), ChangeUnderWay),
        ((*PAID_BY_CARD, refund(1)), CorrectionNotPossible),
        ((*HELD, *captured(2_000), *captured(4_000, 2)), CorrectionNotPossible),
        (PAID_FROM_WALLET, CorrectionNotPossible),
    ],
)
def test_what_cannot_be_corrected(before: tuple[Happening, ...], refusal: type[Refusal]) -> None:
    story = given(*before)
    story.when(FAILED).refused(refusal)


def test_a_payment_that_is_not_there_is_not_found() -> None:
    given(*PARTIES).when(FAILED).refused(PaymentNotFound)


def test_money_that_is_kept_apart_is_decided_about_first() -> None:
    story = given(*PARTIES, by_card(), attempt_of("pay_1", DECLINED), attempt_of("pay_1", charged()))
    assert payment_view(story.stream("pay_1")).status == "failed"
    story.when(FOUND).refused(CorrectionNotPossible)
