"""Settled exchanges: a channel settles in the currency of the merchant, and the position comes to nothing."""

from commands.fx import QuoteExchange
from commands.fx_settlements import SettleExchange
from commands.settlements import SettlementReceipt
from ledger.errors import (
    BatchPaidAlready,
    SettlementMismatch,
)
from tests.commands.dispute_stories import word
from tests.commands.given import given
from tests.commands.held import payment_of
from tests.commands.product_stories import PAID_ABROAD, foreign
from tests.commands.settlement_stories import (
    BATCH,
    by_batch,
    cleared,
    item_of,
    line,
    settled,
    undo,
)
from tests.commands.stories import (
    CHANNEL_FEE,
    RECEIVABLE,
    attempt_of,
    charged,
    refund,
    refund_result,
    refunded,
)
from tests.commands.test_receivable_items import check_log

USD_PENDING = "sys:1120:card_simulator:2026-03-15:usd"
POSITIONS = ("sys:1410:card_simulator:eur-usd:eur", "sys:1410:card_simulator:eur-usd:usd")


def test_a_sale_is_settled_in_the_currency_of_its_merchant() -> None:
    story = given(*PAID_ABROAD)
    told = story.when(line(item_of(story, "sale"), currency="USD", gross=12_600, fee=75)).receipt(SettlementReceipt)
    assert (told.gain, told.loss, told.reported_currency) == (100, 0, "USD")
    assert [story.balance(name) for name in (RECEIVABLE, *POSITIONS, USD_PENDING)] == [0, 0, 0, 12_525]
    assert (story.balance(CHANNEL_FEE), story.balance("sys:5010:card_simulator:usd")) == (0, 75)
    check_log(story.log)


def test_a_refund_of_it_too() -> None:
    story = given(*PAID_ABROAD, refund(4_000), refund_result(1, refunded(4_000)))
    settled(story, "refund", currency="USD", gross=-5_100, fee=0)
    assert story.balance("sys:5040:card_simulator:usd") == 100
    assert story.balance(USD_PENDING) == -5_100
    settled(story, "sale", currency="USD", gross=12_500, fee=0)
    assert [story.balance(name) for name in (RECEIVABLE, *POSITIONS)] == [0, 0, 0]


def test_a_dispute_of_it_and_that_it_was_won_too() -> None:
    story = given(*PAID_ABROAD, word(amount=10_000, fee=1_500))
    settled(story, "chargeback", currency="USD", gross=-12_400, fee=1_900)
    assert story.balance("sys:4030:card_simulator:usd") == 100
    story.given(word("won", amount=10_000))
    settled(story, "chargeback_reversed", currency="USD", gross=12_300, fee=0)
    assert story.balance("sys:5040:card_simulator:usd") == 200
    settled(story, "sale", currency="USD", gross=12_500, fee=0)
    assert [story.balance(name) for name in (RECEIVABLE, *POSITIONS)] == [0, 0, 0]
    check_log(story.log)


def test_an_exchange_is_undone_exactly() -> None:
    story = given(*PAID_ABROAD)
    before = story.balances()
    settled(story, currency="USD", gross=12_600, fee=75).given(undo(item_of(story, "sale")))
    assert story.balances() == before
    assert payment_of(story).settled_exchanges == ()
    settled(story, currency="USD", gross=12_400, fee=0)
    check_log(story.log)


def test_an_exchange_told_by_hand_is_not_added_to_a_batch_that_was_paid() -> None:
    other = (QuoteExchange("fxq_2", "EUR", "USD", 10_000, 900), foreign("pay_2", "fxq_2"))
    story = given(*PAID_ABROAD, *other, attempt_of("pay_2", charged(10_000, "ch_2")))
    settled(story, "sale", currency="USD", gross=12_600, fee=0)
    story.given(cleared(12_600, by_batch(), currency="USD"))
    story.when(SettleExchange("pay_1", 12_600, 0, batch=BATCH)).refused(BatchPaidAlready, batch=BATCH)
    story.given(SettleExchange("pay_1", 12_600, 0, batch="another"))


def test_an_exchange_the_other_way_round_is_refused() -> None:
    story = given(*PAID_ABROAD)
    story.when(line(item_of(story, "sale"), currency="USD", gross=-12_600)).refused(SettlementMismatch)
    story.when(line(item_of(story, "sale"), currency="JPY", gross=12_600)).refused(SettlementMismatch)
