"""Coins: too few blocks, too few coins, too many, too late, and taken back by their chain."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from commands.cancellations import ExpirePayment
from commands.channels.channel import CoinsSeen, CoinTransfer
from commands.coin_moves import GiveCoinsBack, PayNetworkFee
from commands.fx import SetRate
from commands.payments import CreatePayment, RecordAttemptResult
from ledger.errors import (
    CoinNotSupported,
    CoinsNotUnapplied,
    FieldMissing,
    PaymentStateInvalid,
    RateUnknown,
    RefundNotSupported,
    SaleExceedsPosition,
)
from ledger.events.payments import Method, PaymentCreated, PaymentFailed
from ledger.payment import Payment
from ledger.payment_state import fold
from ledger.payment_views import payment_view
from tests.commands.given import NOON, Happening, Story, given
from tests.commands.product_stories import ADDRESS, GATEWAY, LOCKED_UNTIL, PRICE, coins, sale, waiting_for_coins
from tests.commands.stories import ANN, MERCHANT, PARTIES, refund

CUSTODY, APART = f"sys:1310:{GATEWAY}:btc", f"sys:2310:{GATEWAY}:btc"
COINS, EUROS = f"sys:1410:{GATEWAY}:btc-eur:btc", f"sys:1410:{GATEWAY}:btc-eur:eur"
WAITING: tuple[Happening, ...] = (*PARTIES, *waiting_for_coins())
PAID: tuple[Happening, ...] = (*WAITING, coins())


def payment(story: Story) -> Payment:
    found = fold(story.stream("pay_1"))
    assert found is not None
    return found


def standing(story: Story) -> tuple[str, int, int, int]:
    """Status, coins in custody, coins kept apart, what the merchant is owed."""
    return payment(story).status, story.balance(CUSTODY), story.balance(APART), story.balance(MERCHANT)


def test_p68_too_few_confirmations_move_nothing() -> None:
    story = given(*WAITING, coins(confirmations=0))
    assert story.balances() == {}
    story.when(coins(confirmations=1)).answered(effect="recorded")
    story.when(coins(confirmations=1)).answered(effect="ignored")
    assert story.balances() == {}
    assert [(one.confirmations, one.status) for one in payment(story).coins] == [(1, "seen")]
    story.given(coins(confirmations=2))
    assert standing(story) == ("succeeded", PRICE, 0, 5_870)


def test_a_transaction_counts_once_however_often_it_is_told() -> None:
    story = given(*PAID)
    before = story.turnover()
    for confirmations in (0, 1, 2, 3, 50):
        story.when(coins(confirmations=confirmations)).answered(effect="ignored")
    assert story.turnover() == before


def test_p68_under_paid_coins_are_kept_apart_and_the_payer_may_send_the_rest() -> None:
    story = given(*WAITING, coins(amount=40_000))
    assert standing(story) == ("requires_action", 40_000, 40_000, 0)
    action = payment_view(story.stream("pay_1")).next_action
    assert action is not None
    assert (action.type, action.data) == ("pay_to_address", {**ADDRESS, "amount": "60000"})
    story.given(coins("tx_2", 60_000))
    assert standing(story) == ("succeeded", PRICE, 0, 5_870)


def test_p68_of_an_over_payment_only_the_excess_is_kept_apart() -> None:
    story = given(*WAITING, coins(amount=40_000), coins("tx_2", 90_000))
    assert standing(story) == ("succeeded", 130_000, 30_000, 5_870)


def test_a_second_payment_of_what_is_paid_is_kept_apart() -> None:
    story = given(*PAID, coins("tx_2", 70_000))
    assert standing(story) == ("succeeded", 170_000, 70_000, 5_870)


def test_p68_what_is_sent_after_the_price_expired_pays_nothing() -> None:
    story = given(*WAITING, coins(late=True))
    assert standing(story) == ("requires_action", PRICE, PRICE, 0)
    story.given(coins("tx_2", 10, late=True), coins("tx_3", 99_999))
    assert standing(story) == ("requires_action", 2 * PRICE + 9, 2 * PRICE + 9, 0)


def test_what_was_sent_in_time_counts_when_it_is_confirmed_later() -> None:
    story = given(*WAITING, coins(confirmations=0), LOCKED_UNTIL + timedelta(minutes=5))
    story.when(ExpirePayment("pay_1")).refused(PaymentStateInvalid)
    story.given(coins(confirmations=2))
    assert standing(story) == ("succeeded", PRICE, 0, 5_870)


def test_nobody_waits_for_ever_for_a_transaction_that_is_never_confirmed() -> None:
    story = given(*WAITING, coins(confirmations=0), LOCKED_UNTIL + timedelta(days=2), ExpirePayment("pay_1"))
    story.given(coins(confirmations=2))
    assert standing(story) == ("expired", PRICE, PRICE, 0)


def test_p68_a_quote_that_nobody_paid_expires() -> None:
    story = given(*WAITING, LOCKED_UNTIL + timedelta(seconds=1), ExpirePayment("pay_1"))
    assert payment(story).status == "expired"
    story.given(coins())
    assert standing(story) == ("expired", PRICE, PRICE, 0)


# --- the chain takes it back


def test_p68_a_reorganisation_after_the_confirmation_takes_everything_back() -> None:
    story = given(*WAITING)
    before = story.balances()
    story.given(coins(), coins(confirmations=0, dropped=True))
    assert (payment(story).status, payment(story).captured, story.balances()) == ("processing", 0, before)
    story.given(coins())
    assert standing(story) == ("succeeded", PRICE, 0, 5_870)


def test_when_the_earlier_of_two_is_taken_back_the_later_one_is_too_few() -> None:
    story = given(*WAITING, coins(amount=40_000), coins("tx_2", 60_000))
    story.given(coins(amount=40_000, confirmations=0, dropped=True))
    assert standing(story) == ("processing", 60_000, 60_000, 0)
    story.given(coins("tx_3", 40_000))
    assert standing(story) == ("succeeded", PRICE, 0, 5_870)


def test_when_the_earlier_of_two_is_taken_back_the_later_one_may_be_enough_alone() -> None:
    story = given(*WAITING, coins(amount=40_000), coins("tx_2", 130_000))
    assert standing(story) == ("succeeded", 170_000, 70_000, 5_870)
    story.given(coins(amount=40_000, confirmations=0, dropped=True))
    assert standing(story) == ("succeeded", 130_000, 30_000, 5_870)


def test_what_was_kept_apart_is_taken_back_too_and_what_was_only_seen_moved_nothing() -> None:
    story = given(*WAITING, coins(amount=5), coins(amount=5, dropped=True), coins("tx_2", confirmations=1))
    story.given(coins("tx_2", dropped=True))
    assert story.balances() == {}
    assert payment(story).coins_apart == 0


def test_coins_of_another_kind_say_nothing() -> None:
    other = CoinsSeen("inv_1", "ETH", (CoinTransfer("tx_1", PRICE, 99, NOON),))
    story = given(*WAITING)
    story.when(RecordAttemptResult("pay_1-1", GATEWAY, other)).answered(effect="ignored")


def test_all_transactions_of_an_answer_are_taken() -> None:
    transfers = (CoinTransfer("tx_1", 30_000, 2, NOON), CoinTransfer("tx_2", 70_000, 2, NOON))
    story = given(*WAITING)
    story.when(RecordAttemptResult("pay_1-1", GATEWAY, CoinsSeen("inv_1", "BTC", transfers)))
    assert standing(story) == ("succeeded", PRICE, 0, 5_870)


# --- what we do with them


@pytest.mark.parametrize(("proceeds", "gain", "loss"), [(6_100, 100, 0), (5_900, 0, 100), (6_000, 0, 0)])
def test_after_the_sale_the_position_is_zero_in_both_units(proceeds: int, gain: int, loss: int) -> None:
    story = given(*PAID)
    assert (story.balance(COINS), story.balance(EUROS)) == (-PRICE, 6_000)
    story.when(sale(PRICE, proceeds)).answered(201, cost=6_000, gain=gain, loss=loss)
    assert (story.balance(COINS), story.balance(EUROS), story.balance(CUSTODY)) == (0, 0, 0)


def test_a_part_is_sold_at_its_part_of_the_cost() -> None:
    story = given(*PAID, sale(33_333, 2_000))
    assert (story.balance(COINS), story.balance(EUROS)) == (-66_667, 6_000 - 1_999)
    story.given(sale(66_667, 4_000, "coin_2"))
    assert (story.balance(COINS), story.balance(EUROS)) == (0, 0)


def test_what_is_kept_apart_is_not_sold() -> None:
    story = given(*WAITING, coins(amount=40_000))
    story.when(sale(1, 1)).refused(SaleExceedsPosition, position=0)
    story.when(PayNetworkFee("coin_1", GATEWAY, "BTC", 40_001)).refused(SaleExceedsPosition, held=40_000)
    story.when(PayNetworkFee("coin_1", "nobody", "BTC", 1)).refused(SaleExceedsPosition, held=0)


def test_a_network_fee_comes_out_of_custody() -> None:
    story = given(*PAID, PayNetworkFee("coin_1", GATEWAY, "BTC", 210, "tx_9"))
    assert (story.balance(CUSTODY), story.balance(f"sys:5010:{GATEWAY}:btc")) == (PRICE - 210, 210)


def test_coins_that_paid_nothing_go_back_once_the_payment_is_over() -> None:
    story = given(*WAITING, coins(amount=40_000))
    story.when(GiveCoinsBack("pay_1", 40_000, "bc1q", "tx_9")).refused(PaymentStateInvalid)
    story.given(("pay_1", PaymentFailed("session_expired")))
    story.when(GiveCoinsBack("pay_1", 40_001, "bc1q", "tx_9")).refused(CoinsNotUnapplied, apart=40_000)
    story.given(GiveCoinsBack("pay_1", 40_000, "bc1q", "tx_9"))
    assert story.balances() == {}


def test_a_refund_goes_into_the_wallet_in_the_currency_of_the_order() -> None:
    story = given(*PAID)
    story.when(refund(1_000)).answered(201, status="succeeded", channel=None)
    assert story.balance(ANN) == 1_000


# --- the order


def in_coins(coin: str | None = "BTC") -> CreatePayment:
    details = {} if coin is None else {"coin": coin}
    method = Method("coin", details=details)
    return CreatePayment(
        "pay_1", "acme", 6_001, "EUR", "virtual_currency", method, "order-1", customer="ann", confirm=False
    )


def test_the_price_in_coins_is_locked_with_the_order() -> None:
    story = given(*PARTIES, SetRate("BTC", "EUR", "60000", "treasury"), in_coins())
    created = story.stream("pay_1")[0].event
    assert isinstance(created, PaymentCreated)
    assert created.exchange is not None
    assert (created.exchange.amount, created.exchange.currency) == (100_017, "BTC")
    assert created.expires_at == created.exchange.expires_at == LOCKED_UNTIL


def test_what_cannot_be_paid_in_coins() -> None:
    given(*PARTIES).when(in_coins()).refused(RateUnknown)
    given(*PARTIES).when(in_coins("DOGE")).refused(CoinNotSupported, "/method/coin")
    given(*PARTIES).when(in_coins(None)).refused(FieldMissing, "/method/coin")


def test_coins_of_nobody_are_not_refunded() -> None:
    (stream, created), *rest = waiting_for_coins()
    assert isinstance(created, PaymentCreated)
    story = given(*PARTIES, (stream, replace(created, customer=None)), *rest, coins())
    story.when(refund(1)).refused(RefundNotSupported)
