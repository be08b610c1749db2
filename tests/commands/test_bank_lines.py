"""Bank lines: what a bank's statement shows is cleared by exactly what it pays, or stands in suspense."""

from typing import Any

import pytest

from commands.bank_line_clearings import ByAccount, ByBatches, ByEntry, ByPayoutReturn, ByPayouts, ByRefund, Clearing
from commands.bank_lines import BankLineReceipt, SuspendBankLine, UndoBankLine
from commands.returned_refunds import ResolveRefund
from ledger.errors import (
    AccountUnknown,
    BankLineClearedAlready,
    BankLineMismatch,
    BankLineNotFound,
    BatchPaidAlready,
    EntryNotFound,
    EntrySeenAlready,
    FieldInvalid,
    PayoutNotFound,
    PayoutStateInvalid,
    RefundNotFound,
    RefundStateInvalid,
    SettlementNotUndoable,
)
from ledger.events.settlements import BatchPaid
from tests.commands.dispute_stories import returned, word
from tests.commands.given import Story, given
from tests.commands.payout_stories import (
    AVAILABLE,
    BANK_CLIENT,
    FUNDED,
    PAYOUT_IN_TRANSIT,
    at_the_bank,
    paid_out,
    payout,
    said,
    sent_back,
    withdrawal,
)
from tests.commands.settlement_stories import (
    BANK,
    BANK_FEES,
    PENDING,
    bank_line,
    by_batch,
    cleared,
    item_of,
    items_of,
    line,
    place,
    settled,
)
from tests.commands.stories import (
    IN_TRANSIT,
    PAID_BY_CARD,
    attempt_of,
    by_card,
    charged,
    refund,
    refund_result,
    refunded,
)
from tests.commands.test_receivable_items import check_log

LINE = bank_line(5_964)
IN_SUSPENSE = "sys:2910:bank:main:eur"
OUT_OF_SUSPENSE = "sys:1910:bank:main:eur"
BOUNCED = (*PAID_BY_CARD, refund(1_000), refund_result(1, refunded(1_000)), refund_result(1, returned(1_000)))


def reported() -> Story:
    return settled(given(*PAID_BY_CARD))


def undo(key: str = "stmt-1/1") -> UndoBankLine:
    return UndoBankLine("main", key, "another line's")


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bank_fee", [0, 14])
def test_a_batch_that_the_bank_shows_is_exactly_nothing(bank_fee: int) -> None:
    story = reported()
    told = story.when(cleared(5_964 - bank_fee, by_batch(bank_fee=bank_fee))).receipt(BankLineReceipt)
    assert (told.status, told.by, told.amount, told.bank_fee) == ("cleared", "batches", 5_964 - bank_fee, bank_fee)
    assert (story.balance(PENDING), story.balance(BANK), story.balance(BANK_FEES)) == (0, 5_964 - bank_fee, bank_fee)
    assert isinstance(story.stream("settlement/card_simulator/eur/2026-03-15")[-1].event, BatchPaid)


def test_a_line_that_is_not_over_the_batch_is_refused() -> None:
    story = reported()
    story.when(cleared(5_963, by_batch())).refused(BankLineMismatch, amount=5_963, expected=5_964)
    story.when(cleared(5_964, by_batch("another"))).refused(BankLineMismatch)
    story.when(cleared(5_964, by_batch(), currency="USD")).refused(BankLineMismatch)
    story.when(cleared(5_964, ByBatches(()))).refused(FieldInvalid)
    story.when(cleared(5_965, by_batch(bank_fee=-1))).refused(FieldInvalid, "/by/bank_fee")
    story.when(cleared(0, by_batch())).refused(FieldInvalid, "/line/amount")


def test_one_line_pays_several_batches_of_which_one_may_be_negative() -> None:
    story = given(*PAID_BY_CARD, by_card("pay_2"), attempt_of("pay_2", charged(reference="ch_2")), word(fee=1_500))
    first, second, taken = items_of(story)
    story.given(
        line(first, batch="one"), line(second, batch="two", row=place(2)), line(taken, batch="two", row=place(3))
    )
    story.given(cleared(5_964 - 1_536, by_batch("one", "two")))
    assert [story.balance(f"sys:1120:card_simulator:{name}:eur") for name in ("one", "two")] == [0, 0]


def test_a_channel_may_take_a_batch_from_the_bank() -> None:
    story = given(*PAID_BY_CARD, word(fee=1_500))
    settled(story, "chargeback").given(cleared(-7_500, by_batch()))
    assert (story.balance(PENDING), story.balance(BANK)) == (0, -7_500)


def test_a_batch_is_paid_once() -> None:
    story = reported().given(cleared(5_964, by_batch()))
    story.when(cleared(5_964, by_batch())).refused(BankLineClearedAlready, by="batches")
    story.when(cleared(5_964, by_batch(), "stmt-1/2")).refused(BatchPaidAlready)


def test_what_is_undone_waits_for_its_payment_again() -> None:
    story = reported()
    before = story.balances()
    story.given(cleared(5_950, by_batch(bank_fee=14)), undo())
    assert story.balances() == before
    story.given(cleared(5_964, by_batch()))
    assert story.balance(PENDING) == 0


# --- payouts ----------------------------------------------------------------------------------------------------------

PAID_OUT = (*FUNDED, payout(), said(paid_out()))


def test_a_payout_leaves_by_its_line() -> None:
    story = given(*PAID_OUT)
    before = story.balance(BANK_CLIENT)
    story.given(cleared(-6_000, ByPayouts(("po_1",))))
    assert (story.balance(BANK_CLIENT), story.balance(PAYOUT_IN_TRANSIT)) == (before - 6_000, 0)
    story.when(cleared(-6_000, ByPayouts(("po_1",)), "stmt-1/2")).refused(PayoutStateInvalid)


def test_several_payouts_leave_by_one_line_with_what_the_bank_takes() -> None:
    story = given(*PAID_OUT, withdrawal("po_2"))
    before = story.balance(BANK_CLIENT)
    story.given(cleared(-8_014, ByPayouts(("po_1", "po_2"), bank_fee=14)))
    assert (story.balance(BANK_CLIENT), story.balance(BANK_FEES)) == (before - 8_014, 14)


def test_a_line_that_is_not_over_the_payout_is_refused() -> None:
    story = given(*PAID_OUT)
    story.when(cleared(-5_999, ByPayouts(("po_1",)))).refused(BankLineMismatch, expected=-6_000)
    story.when(cleared(6_000, ByPayouts(("po_1",)))).refused(BankLineMismatch)
    story.when(cleared(-6_000, ByPayouts(("po_9",)))).refused(PayoutNotFound)
    story.when(cleared(-6_000, ByPayouts(("po_1",)), own=True)).refused(PayoutStateInvalid)


def test_a_payout_that_comes_back_is_its_owners_again() -> None:
    story = given(*PAID_OUT)
    before = (story.balance(BANK_CLIENT), story.balance(AVAILABLE))
    story.given(cleared(-6_000, ByPayouts(("po_1",))), cleared(5_990, ByPayoutReturn("po_1", 10), "stmt-2/1"))
    assert (story.balance(BANK_CLIENT), story.balance(AVAILABLE)) == (before[0] - 10, before[1] + 6_000)
    assert story.balance(BANK_FEES) == 10
    story.when(cleared(6_000, ByPayoutReturn("po_1"), "stmt-3/1")).refused(PayoutStateInvalid)
    story.when(undo()).refused(SettlementNotUndoable)
    story.when(undo("stmt-2/1")).refused(SettlementNotUndoable)


def test_what_has_not_left_us_does_not_come_back() -> None:
    given(*PAID_OUT).when(cleared(6_000, ByPayoutReturn("po_1"))).refused(PayoutStateInvalid)


def test_a_return_that_the_channel_told_of_first_is_only_seen_at_the_bank() -> None:
    story = given(*PAID_OUT, cleared(-6_000, ByPayouts(("po_1",))), said(sent_back()))
    entry = next(one.entry_id for one in story.stream("po_1") if one.event.topic == "payouts.returned.v1")
    before = story.balances()
    story.given(cleared(6_000, ByEntry(entry), "stmt-2/1"))
    assert story.balances() == before


def test_a_debit_is_undone_exactly() -> None:
    story = given(*PAID_OUT)
    before = story.balances()
    story.given(cleared(-6_000, ByPayouts(("po_1",))), undo())
    assert story.balances() == before
    story.given(cleared(-6_000, ByPayouts(("po_1",)), "stmt-1/2"))
    assert story.balance(PAYOUT_IN_TRANSIT) == 0


# --- refunds ----------------------------------------------------------------------------------------------------------


def test_a_refund_that_came_back_is_paid_by_a_line() -> None:
    story = given(*BOUNCED)
    story.given(cleared(-1_000, ByRefund("ref_1-1")))
    assert (story.balance(BANK), story.balance(IN_TRANSIT)) == (-1_000, 0)
    story.when(cleared(-1_000, ByRefund("ref_1-1"), "stmt-1/2")).refused(RefundStateInvalid)
    story.when(undo()).refused(SettlementNotUndoable)


def test_a_line_that_is_not_over_the_refund_is_refused() -> None:
    story = given(*BOUNCED)
    story.when(cleared(-999, ByRefund("ref_1-1"))).refused(BankLineMismatch, expected=-1_000)
    story.when(cleared(-1_000, ByRefund("ref_1-9"))).refused(RefundNotFound)
    story.when(cleared(-1_000, ByRefund("ref_1-1"), currency="USD")).refused(BankLineMismatch)


# --- what was posted before -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "amount"),
    [("fnd_1.1", 20_000), ("flt_1.1", -20_000)],
)
def test_what_people_told_before_is_only_seen_at_the_bank(entry: str, amount: int) -> None:
    story = given(*FUNDED)
    before = story.balances()
    story.given(cleared(amount, ByEntry(entry)))
    assert story.balances() == before
    story.when(cleared(amount, ByEntry(entry), "stmt-1/2")).refused(EntrySeenAlready)
    story.given(undo(), cleared(amount, ByEntry(entry), "stmt-1/2"))


def test_a_debit_that_was_told_by_hand_is_seen_too() -> None:
    story = given(*PAID_OUT, at_the_bank())
    story.given(cleared(-6_000, ByEntry(story.stream("po_1")[-1].entry_id)))


def test_a_refund_that_was_paid_by_hand_is_seen_too() -> None:
    story = given(*BOUNCED, ResolveRefund("ref_1-1", "bank_transfer"))
    story.given(cleared(-1_000, ByEntry(story.stream("pay_1")[-1].entry_id)))


def test_an_entry_is_seen_over_what_it_moved_at_this_account() -> None:
    story = given(*FUNDED)
    story.when(cleared(19_999, ByEntry("fnd_1.1"))).refused(BankLineMismatch, expected=20_000)
    story.when(cleared(20_000, ByEntry("fnd_1.1"), own=True)).refused(BankLineMismatch, expected=0)
    for name in ("fnd_1.2", "fnd_9.1", "", "fnd_1.0"):
        story.when(cleared(20_000, ByEntry(name))).refused(EntryNotFound)


def test_what_a_line_posted_is_not_seen_by_another() -> None:
    story = given(*PAID_OUT, cleared(-6_000, ByPayouts(("po_1",))))
    debit = story.stream("po_1")[-1].entry_id
    story.when(cleared(-6_000, ByEntry(debit), "stmt-1/2")).refused(EntrySeenAlready)
    story.given(SuspendBankLine(bank_line(-7, "stmt-1/3")))
    story.when(cleared(-7, ByEntry(story.log[-1].entry_id), "stmt-1/4")).refused(EntrySeenAlready)


# --- nobody knows -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("amount", "account"), [(500, IN_SUSPENSE), (-500, OUT_OF_SUSPENSE)])
def test_what_nobody_knows_stands_in_suspense(amount: int, account: str) -> None:
    story = given()
    story.when(SuspendBankLine(bank_line(amount))).answered(201, status="suspended")
    assert (story.balance(account), story.balance(BANK)) == (500, amount)
    story.when(SuspendBankLine(bank_line(amount))).answered(200, status="suspended").then()
    story.when(SuspendBankLine(bank_line(amount + 1))).refused(BankLineMismatch)
    story.given(undo())
    assert story.balances() == {}


def test_what_is_known_at_last_leaves_suspense_for_the_right_account() -> None:
    story = given(SuspendBankLine(LINE), *PAID_BY_CARD)
    settled(story).given(cleared(5_964, by_batch()))
    assert (story.balance(IN_SUSPENSE), story.balance(PENDING), story.balance(BANK)) == (0, 0, 5_964)
    story.when(SuspendBankLine(LINE)).refused(BankLineClearedAlready)


def test_somebody_may_name_the_account() -> None:
    story = given(SuspendBankLine(bank_line(-30)))
    story.given(cleared(-30, ByAccount(BANK_FEES)))
    assert (story.balance(OUT_OF_SUSPENSE), story.balance(BANK_FEES), story.balance(BANK)) == (0, 30, -30)
    story.given(undo())
    assert story.balances() == {}


@pytest.mark.parametrize("account", ["sys:1110:card_simulator:eur", PENDING, BANK])
def test_nobody_moves_what_has_events_of_its_own(account: str) -> None:
    story = reported().given(SuspendBankLine(bank_line(1, "stmt-9/9")))
    story.when(cleared(30, ByAccount(account))).refused(FieldInvalid, "/by/account")


def test_an_account_that_is_named_is_there() -> None:
    given().when(cleared(30, ByAccount("sys:4010:gifts:eur"))).refused(AccountUnknown)
    given().when(cleared(30, ByAccount("nobody"))).refused(AccountUnknown)


def test_what_was_never_said_is_not_undone() -> None:
    given().when(undo()).refused(BankLineNotFound)
    reported().given(cleared(5_964, by_batch()), undo()).when(undo()).refused(BankLineNotFound)


BY: list[Clearing] = [by_batch(), ByPayouts(("po_1",)), ByPayoutReturn("po_1"), ByRefund("ref_1-1"), ByEntry("fnd_1.1")]


@pytest.mark.parametrize("by", BY, ids=lambda by: type(by).__name__)
def test_the_law_of_items_holds_whatever_the_bank_shows(by: Any) -> None:
    story = reported()
    story.when(cleared(5_964, by))
    check_log(story.log)
    assert item_of(story, "sale").status == "settled"
