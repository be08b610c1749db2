"""Settlement batches: rows that are about none of their lines, and that a paid batch is exactly nothing."""

from typing import Literal

import pytest
from msgspec.structs import replace

from commands.settlement_batches import BatchReceipt, RoundBatch, SettleBatchRow, UndoBatchRow
from ledger.chart import batch_key, settlement_pending
from ledger.errors import (
    BatchPaidAlready,
    BatchRowNotFound,
    CurrencyUnknown,
    FieldInvalid,
    FieldMissing,
    ItemSettledAlready,
    SettlementAmountDiffers,
    SettlementNotUndoable,
)
from ledger.events.accounts import AccountOpened
from ledger.events.payments import PaymentCaptured
from tests.commands.given import Story, given
from tests.commands.settlement_stories import (
    BATCH,
    CLAIMS,
    PENDING,
    RESERVE_THERE,
    ROUNDING,
    TOO_LITTLE,
    by_batch,
    cleared,
    item_of,
    place,
    settled,
    undo,
)
from tests.commands.stories import CHANNEL, CHANNEL_FEE, PAID_BY_CARD, RECEIVABLE
from tests.commands.test_receivable_items import check_log

PAYABLE = "sys:2510:card_simulator:eur"


def row(
    amount: int,
    purpose: Literal["fee", "reserve", "suspense"] = "fee",
    number: int = 7,
    *,
    currency: str = "EUR",
    batch: str = BATCH,
) -> SettleBatchRow:
    return SettleBatchRow(CHANNEL, currency, batch, purpose, amount, place(number))


def rounding(amount: int, number: int = 8) -> RoundBatch:
    return RoundBatch(CHANNEL, "EUR", BATCH, amount, place(number), "36.4")


def undone(number: int = 7) -> UndoBatchRow:
    return UndoBatchRow(CHANNEL, "EUR", BATCH, place(number), "another batch's")


def opening(account: str) -> AccountOpened:
    return AccountOpened(account, account, "liability", "EUR", protected=True)


def reported() -> Story:
    return settled(given(*PAID_BY_CARD))


@pytest.mark.parametrize(
    ("told", "account", "balance"),
    [
        (row(-75), CHANNEL_FEE, 36 + 75),
        (row(75), CHANNEL_FEE, 36 - 75),
        (row(-600, "reserve"), RESERVE_THERE, 600),
        (row(600, "reserve"), RESERVE_THERE, -600),
        (row(-9, "suspense"), CLAIMS, 9),
        (row(9, "suspense"), TOO_LITTLE, 9),
    ],
)
def test_a_row_of_a_batch_changes_what_it_pays(told: SettleBatchRow, account: str, balance: int) -> None:
    story = reported()
    before = story.balances()
    answered = story.when(told).receipt(BatchReceipt)
    assert (answered.amount, answered.balance) == (told.amount, 5_964 + told.amount)
    assert story.balance(account) == balance
    assert story.balance(PENDING) == 5_964 + told.amount
    story.given(undone())
    assert story.balances() == before


def test_a_fee_that_is_invoiced_was_a_cost_before() -> None:
    """A6b accrued 36 for the invoice; what the channel keeps beyond that is a new cost."""
    *before, (stream, sale) = [(recorded.stream, recorded.event) for recorded in given(*PAID_BY_CARD).log]
    assert isinstance(sale, PaymentCaptured)
    story = given(*before, ("account/x", opening(PAYABLE)), (stream, replace(sale, fee_payable=True)))
    assert (story.balance(PAYABLE), story.balance(CHANNEL_FEE)) == (36, 36)
    settled(story).given(row(-40))
    assert (story.balance(PAYABLE), story.balance(CHANNEL_FEE), story.balance(PENDING)) == (0, 40, 5_960)


def test_a_line_that_keeps_an_invoiced_fee_pays_it() -> None:
    *before, (stream, sale) = [(recorded.stream, recorded.event) for recorded in given(*PAID_BY_CARD).log]
    assert isinstance(sale, PaymentCaptured)
    story = given(*before, ("account/x", opening(PAYABLE)), (stream, replace(sale, fee_payable=True)))
    settled(story, fee=37)
    assert (story.balance(PAYABLE), story.balance(CHANNEL_FEE), story.balance(PENDING)) == (0, 37, 5_963)


def test_fractions_are_an_item_that_its_batch_settles() -> None:
    story = reported().given(rounding(2))
    assert (story.balance(ROUNDING), story.balance(RECEIVABLE), story.balance(PENDING)) == (2, 0, 5_962)
    item = item_of(story, "fee")
    assert (item.status, item.fee) == ("settled", 2)
    story.when(undo(item)).refused(SettlementNotUndoable)
    story.given(undone(8))
    assert (story.balance(ROUNDING), story.balance(RECEIVABLE), story.balance(PENDING)) == (0, 0, 5_964)
    assert item_of(story, "fee").status == "offset"
    story.given(rounding(-2))
    assert story.balance(PENDING) == 5_966
    check_log(story.log)


def test_fractions_come_to_little() -> None:
    reported().when(rounding(501)).refused(SettlementAmountDiffers, most=500)
    reported().when(rounding(0)).refused(SettlementAmountDiffers)


def test_a_row_is_settled_once() -> None:
    story = reported().given(row(-75), rounding(1))
    story.when(row(-75)).refused(ItemSettledAlready)
    story.when(rounding(1)).refused(ItemSettledAlready)
    story.given(row(-75, number=9), undone(), row(-75))
    assert story.balance(CHANNEL_FEE) == 36 + 150


def test_what_a_batch_does_not_have_is_not_undone() -> None:
    reported().when(undone()).refused(BatchRowNotFound)
    reported().given(row(-1), undone()).when(undone()).refused(BatchRowNotFound)


def test_what_makes_no_sense_is_refused() -> None:
    story = reported()
    story.when(row(0)).refused(FieldInvalid, "/amount")
    story.when(row(1, batch="")).refused(FieldMissing, "/batch")
    story.when(row(1, currency="XXZ")).refused(CurrencyUnknown)


def test_nothing_is_added_to_a_paid_batch_and_nothing_taken_from_it() -> None:
    story = reported().given(row(-64), cleared(5_900, by_batch()))
    assert story.balance(PENDING) == 0
    for command in (row(-1, number=9), rounding(1), undone()):
        story.when(command).refused(BatchPaidAlready)


@pytest.mark.parametrize(
    ("batch", "key"),
    [("2026-03-15", "2026-03-15"), ("po_1", "po_1"), ("", ""), ("po_A", "po_a."), ("批次 7", "7."), ("批次", "")],
)
def test_any_name_of_a_batch_makes_an_account(batch: str, key: str) -> None:
    assert batch_key(batch).startswith(key)
    account = settlement_pending("card", "EUR", batch)
    assert account.startswith("sys:1120:card:")
    assert account.isascii()
    assert account.count(":") == (4 if batch else 3)


def test_no_two_batches_are_one_account() -> None:
    names = ["po_a", "po_A", "PO_A", "po a", "po-a", "po:a", "x" * 41, "x" * 42, "批次", "批次1", "po_a "]
    assert len({settlement_pending("card", "EUR", name) for name in names}) == len(names)
