"""Settlements: a line of a channel's report is brought home to what it is about, once, or refused by name."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from commands.corrections import CorrectPayment
from commands.policies import settlements as policy
from commands.policies.settlements import SettlementTolerance
from commands.settlements import CloseClaim, OffsetItems, SettlementReceipt
from ledger.errors import (
    BatchPaidAlready,
    ClaimExceedsOpen,
    CorrectionNotPossible,
    FieldInvalid,
    FieldMissing,
    ItemNotSettled,
    ItemSettledAlready,
    ItemsNotOpposite,
    ReceivableItemNotFound,
    SettlementAmountDiffers,
    SettlementMismatch,
    SettlementNotUndoable,
    ToleranceExhausted,
)
from ledger.events.entries import EntryPosted
from ledger.events.payments import PaymentCaptured
from ledger.events.settlements import LineSettled, tolerance_stream
from tests.commands.dispute_stories import returned, word
from tests.commands.given import NOON, Happening, Story, given
from tests.commands.held import changed, payment_of, revoke, shown, void_result
from tests.commands.product_stories import WITH_CREDIT, on_credit
from tests.commands.product_stories import repaid as paid_back
from tests.commands.settlement_stories import (
    BATCH,
    CLAIMS,
    DIFFERENCES,
    PENDING,
    TOO_LITTLE,
    by_batch,
    cleared,
    item_of,
    items_of,
    line,
    place,
    settled,
    undo,
)
from tests.commands.stories import (
    CHANNEL_FEE,
    MERCHANT,
    PAID_BY_CARD,
    PARTIES,
    RECEIVABLE,
    attempt_of,
    by_card,
    charged,
    refund,
    refund_result,
    refunded,
    topped_up,
)
from tests.commands.test_receivable_items import BY_HAND, check_log

REFUNDED = (*PAID_BY_CARD, refund(1_000), refund_result(1, refunded(1_000)))


def paid() -> Story:
    return given(*PAID_BY_CARD)


# --- a line as it was expected ----------------------------------------------------------------------------------------


def test_a_sale_as_expected_stands_in_its_batch_and_nowhere_else() -> None:
    story = settled(paid())
    assert story.balance(RECEIVABLE) == 0
    assert story.balance(PENDING) == 5_964
    item = item_of(story, "sale")
    assert item.status == "settled"
    assert item.settled is not None
    assert (item.settled.file, item.settled.number, item.settled.external_id) == ("file_1", 1, "txn_1")
    assert (item.settled.batch, item.settled.currency) == (BATCH, "EUR")
    assert story.log[-1].stream == "pay_1"
    assert shown(story).status == "succeeded"


def test_the_answer_says_what_was_expected_and_what_was_reported() -> None:
    story = paid()
    item = item_of(story, "sale")
    told = story.when(line(item, fee=37)).receipt(SettlementReceipt)
    assert (told.item, told.stream, told.status, told.batch) == (item.id, "pay_1", "settled", BATCH)
    assert (told.gross, told.fee, told.reported_gross, told.reported_fee) == (6_000, 36, 6_000, 37)
    assert (told.difference, told.fee_difference, told.claimed) == (0, 1, 0)


@pytest.mark.parametrize(
    ("happenings", "kind", "pending"),
    [
        (REFUNDED, "refund", -1_000),
        ((*REFUNDED, refund_result(1, returned(1_000))), "refund_returned", 1_000),
        ((*PAID_BY_CARD, word(fee=1_500)), "chargeback", -7_500),
        ((*PAID_BY_CARD, word(fee=1_500), word("won")), "chargeback_reversed", 6_000),
        ((*PAID_BY_CARD, revoke, void_result(1, changed(6_000, "vo_1"))), "reversed", -5_964),
        ((*PARTIES, *topped_up(5_000)), "sale", 4_970),
        ((*WITH_CREDIT, on_credit(), *paid_back(4_000)), "sale", 3_976),
    ],
)
def test_whatever_a_channel_moves_is_settled_by_its_line(
    happenings: tuple[Happening, ...], kind: str, pending: int
) -> None:
    story = settled(given(*happenings), kind)
    assert story.balance(PENDING) == pending
    check_log(story.log)


def test_a_channel_may_call_a_revocation_a_refund() -> None:
    story = given(*PAID_BY_CARD, revoke, void_result(1, changed(6_000, "vo_1")))
    settled(story, "reversed", kind="refund")
    assert item_of(story, "reversed").status == "settled"


# --- fees -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fee", "cost", "claim", "little"), [(38, 38, 0, 0), (34, 34, 0, 0), (136, 36, 100, 0), (6, 36, 0, 30)]
)
def test_a_fee_is_trued_up_within_the_tolerance_and_claimed_beyond_it(
    fee: int, cost: int, claim: int, little: int
) -> None:
    story = settled(paid(), fee=fee)
    assert story.balance(PENDING) == 6_000 - fee
    assert story.balance(CHANNEL_FEE) == cost
    assert story.balance(CLAIMS) == claim
    assert story.balance(TOO_LITTLE) == little
    assert item_of(story, "sale").claimed == claim - little


def test_the_tolerance_of_a_fee_grows_with_the_amount() -> None:
    large = settled(given(*PARTIES, by_card(amount=1_000_000), attempt_of("pay_1", charged(1_000_000))), fee=6_500)
    assert large.balance(CLAIMS) == 0
    larger = settled(given(*PARTIES, by_card(amount=1_000_000), attempt_of("pay_1", charged(1_000_000))), fee=6_501)
    assert larger.balance(CLAIMS) == 501


def test_a_refund_fee_is_a_cost_up_to_a_bound_and_a_claim_beyond_it() -> None:
    assert settled(given(*REFUNDED), "refund", fee=500).balance(CLAIMS) == 0
    assert settled(given(*REFUNDED), "refund", fee=501).balance(CLAIMS) == 501


def test_what_a_channel_keeps_for_a_dispute_is_a_cost_of_disputes() -> None:
    story = settled(given(*PAID_BY_CARD, word(fee=1_500)), "chargeback", fee=1_502)
    assert (story.balance("sys:5030:card_simulator:eur"), story.balance(CHANNEL_FEE)) == (1_502, 36)


@pytest.mark.parametrize("told", [{"gross": -1_500, "fee": 0}, {"gross": 0, "fee": 1_500}])
def test_a_fee_alone_may_be_reported_as_an_amount_that_was_taken(told: dict[str, Any]) -> None:
    story = settled(given(*PAID_BY_CARD, word(stage="pre_dispute", fee=1_500)), "fee", **told)
    assert (story.balance(PENDING), story.balance(RECEIVABLE)) == (-1_500, 5_964)


def test_a_claim_is_paid_back_or_given_up() -> None:
    story = settled(paid(), fee=136)
    item = item_of(story, "sale")
    story.given(CloseClaim(item.id, 60, "next", place(9)))
    assert (story.balance(CLAIMS), story.balance("sys:1120:card_simulator:next:eur")) == (40, 60)
    story.when(CloseClaim(item.id, 41)).refused(ClaimExceedsOpen, claimed=40)
    story.when(CloseClaim(item.id, -1)).refused(ClaimExceedsOpen)
    story.given(CloseClaim(item.id))
    assert (story.balance(CLAIMS), story.balance(CHANNEL_FEE)) == (0, 76)
    story.when(CloseClaim(item.id)).refused(ClaimExceedsOpen)


def test_what_was_kept_too_little_is_ours_in_the_end() -> None:
    story = settled(paid(), fee=6)
    story.given(CloseClaim(item_of(story, "sale").id))
    assert (story.balance(TOO_LITTLE), story.balance(CHANNEL_FEE)) == (0, 6)


# --- amounts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gross", [5_998, 6_002])
def test_a_small_difference_is_ours_without_asking(gross: int) -> None:
    story = settled(paid(), gross=gross)
    assert story.balance(PENDING) == gross - 36
    assert story.balance(DIFFERENCES) == 6_000 - gross


@pytest.mark.parametrize("gross", [5_997, 6_003])
def test_a_larger_one_needs_a_decision(gross: int) -> None:
    story = paid()
    item = item_of(story, "sale")
    story.when(line(item, gross=gross)).refused(
        SettlementAmountDiffers, expected=6_000, reported=gross, difference=6_000 - gross
    )
    borne = story.balance(MERCHANT) - (6_000 - gross)
    story.given(line(item, gross=gross, bears="merchant"))
    assert story.balance(MERCHANT) == borne
    assert (story.balance(RECEIVABLE), story.balance(DIFFERENCES)) == (0, 0)


def test_the_platform_may_bear_it() -> None:
    story = settled(paid(), gross=5_000, bears="platform")
    assert (story.balance(DIFFERENCES), story.balance(PENDING), story.balance(RECEIVABLE)) == (1_000, 4_964, 0)


def test_nobody_bears_what_he_was_not_paid_by() -> None:
    story = given(*PARTIES, *topped_up(5_000))
    story.when(line(item_of(story, "sale"), gross=4_000, bears="merchant")).refused(FieldInvalid, "/bears")


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(policy.TOLERANCES, "card_simulator", SettlementTolerance(amount=2, amount_per_day=3))


@pytest.mark.usefixtures("tight")
def test_small_differences_of_a_day_are_capped_together() -> None:
    story = given(*PARTIES)
    for number in (1, 2, 3):
        story.given(by_card(f"pay_{number}"), attempt_of(f"pay_{number}", charged(reference=f"ch_{number}")))
    first, second, third = items_of(story)
    story.given(line(first, gross=5_998))
    story.when(line(second, gross=6_002)).refused(ToleranceExhausted, difference=2, borne=2, most=3)
    story.given(line(second, gross=6_001))
    story.when(line(third, gross=5_999)).refused(ToleranceExhausted, borne=3)
    # What is undone may be borne again, and another day is another day.
    story.given(undo(second), line(third, gross=5_999), NOON + timedelta(days=1), line(second, gross=5_998))
    assert story.balance(DIFFERENCES) == 2 + 1 + 2
    assert tolerance_stream("card_simulator", "EUR", "2026-03-15") in {recorded.stream for recorded in story.log}


# --- what is refused --------------------------------------------------------------------------------------------------


def test_an_item_is_settled_once() -> None:
    story = settled(paid())
    item = item_of(story, "sale")
    story.when(line(item, row=place(2))).refused(ItemSettledAlready, item_status="settled", batch=BATCH, file="file_1")


@pytest.mark.parametrize(
    "wrong", [{"kind": "refund"}, {"channel": "alipay"}, {"currency": "USD"}, {"currency": "USD", "gross": -1}]
)
def test_a_line_about_something_else_is_refused(wrong: dict[str, Any]) -> None:
    story = paid()
    story.when(line(item_of(story, "sale"), **wrong)).refused(SettlementMismatch)


def test_what_is_no_item_is_not_found() -> None:
    story = paid()
    item = item_of(story, "sale")
    for name in ("pay_1.1", "pay_9.1", "ent_9", "", "pay_1"):
        story.when(line(item, item=name)).refused(ReceivableItemNotFound)


def test_a_batch_has_a_name() -> None:
    story = paid()
    story.when(line(item_of(story, "sale"), batch="")).refused(FieldMissing, "/batch")


def test_nothing_is_added_to_a_batch_that_was_paid() -> None:
    story = given(*PAID_BY_CARD, by_card("pay_2"), attempt_of("pay_2", charged(reference="ch_2")))
    first, second = items_of(story)
    story.given(line(first), cleared(5_964, by_batch()))
    story.when(line(second)).refused(BatchPaidAlready, batch=BATCH)
    story.when(undo(first)).refused(BatchPaidAlready)


# --- what is settled stays so -----------------------------------------------------------------------------------------


def test_what_was_reported_is_refunded_and_no_longer_taken_back() -> None:
    story = settled(paid()).given(revoke)
    assert [refund_.status for refund_ in payment_of(story).refunds] == ["processing"]
    assert payment_of(story).voids == ()
    assert payment_of(paid().given(revoke)).voids


def test_what_was_reported_cannot_be_said_never_to_have_been_taken() -> None:
    settled(paid()).when(CorrectPayment("pay_1", "failed", "asked back")).refused(CorrectionNotPossible)


def test_a_revocation_that_was_under_way_is_an_item_beside_the_settled_sale() -> None:
    story = settled(paid().given(revoke)).given(void_result(1, changed(6_000, "vo_1")))
    settled(story, "reversed", row=place(2))
    assert (story.balance(PENDING), story.balance(RECEIVABLE)) == (0, 0)
    check_log(story.log)


# --- undoing and offsetting -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"fee": 37},
        {"fee": 136},
        {"gross": 5_998},
        {"gross": 5_000, "bears": "merchant"},
        {"gross": 7_000, "bears": "platform"},
    ],
)
def test_what_is_undone_is_as_it_was_exactly(told: dict[str, Any]) -> None:
    story = paid()
    before = story.balances()
    settled(story, **told).given(undo(item_of(story, "sale")))
    assert story.balances() == before
    assert item_of(story, "sale").is_open
    settled(story)
    check_log(story.log)


def test_what_was_not_settled_is_not_undone() -> None:
    story = paid()
    story.when(undo(item_of(story, "sale"))).refused(ItemNotSettled)


def test_what_was_claimed_and_closed_is_not_undone() -> None:
    story = settled(paid(), fee=136)
    item = item_of(story, "sale")
    story.given(CloseClaim(item.id, 1))
    story.when(undo(item)).refused(SettlementNotUndoable)


def test_a_sale_and_its_revocation_that_nobody_reports_are_offset() -> None:
    story = given(*PAID_BY_CARD, revoke, void_result(1, changed(6_000, "vo_1")))
    sale, back = items_of(story)
    balances = story.balances()
    story.given(OffsetItems(sale.id, back.id, "the channel nets them"))
    assert [item.status for item in items_of(story)] == ["offset", "offset"]
    assert story.balances() == balances
    story.when(line(sale)).refused(ItemSettledAlready, item_status="offset")
    check_log(story.log)


def test_only_what_is_nothing_together_is_offset() -> None:
    story = given(*REFUNDED)
    sale, back = items_of(story)
    story.when(OffsetItems(sale.id, back.id)).refused(ItemsNotOpposite, together=4_964)
    story.when(OffsetItems(sale.id, sale.id)).refused(ItemsNotOpposite)


def test_what_belongs_to_two_payments_is_not_offset() -> None:
    other = (by_card("pay_2"), attempt_of("pay_2", charged(reference="ch_2")))
    story = given(*PAID_BY_CARD, *other, revoke, void_result(1, changed(6_000, "vo_1")))
    sale = next(item for item in items_of(story) if item.stream == "pay_2")
    story.when(OffsetItems(sale.id, item_of(story, "reversed").id)).refused(ItemsNotOpposite, together=0)


def test_an_item_that_is_nothing_is_not_offset_against_itself() -> None:
    *before, (stream, sale) = [(recorded.stream, recorded.event) for recorded in given(*PAID_BY_CARD).log]
    assert isinstance(sale, PaymentCaptured)
    story = given(*before, (stream, replace(sale, channel_fee=6_000)))
    (item,) = items_of(story)
    story.when(OffsetItems(item.id, item.id)).refused(ItemsNotOpposite, together=0)


def test_an_entry_by_hand_is_settled_beside_its_own_stream() -> None:
    story = paid().given(("ent_1", EntryPosted(BY_HAND)))
    settled(story, "adjustment", kind="unknown", row=place(2))
    assert isinstance(story.log[-1].event, LineSettled)
    assert story.log[-1].stream == "receivable/ent_1"
    item = item_of(story, "adjustment")
    assert (item.id, item.status) == ("ent_1", "settled")
    story.given(undo(item))
    check_log(story.log)
