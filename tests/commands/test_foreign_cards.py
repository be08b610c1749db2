"""Foreign cards: a quote is locked, the merchant is owed its own currency, and the difference is ours."""

from datetime import timedelta

import pytest

from commands.fx import QuoteExchange, SetRate
from commands.fx_settlements import SettleExchange
from commands.payments import RecordAttemptResult
from ledger.errors import (
    AmountNotPositive,
    CurrencyUnknown,
    ExchangeSettledAlready,
    FieldInvalid,
    PaymentStateInvalid,
    QuoteExpired,
    QuoteMismatch,
    QuoteUnknown,
    QuoteUsed,
    RateInvalid,
    RateUnknown,
)
from ledger.events.payments import PaymentAttemptInitiated, PaymentCreated
from ledger.rates import converted, worth
from tests.commands.given import NOON, Story, given
from tests.commands.product_stories import AMERICAN, PAID_ABROAD, QUOTED, foreign
from tests.commands.stories import CHANNEL, DECLINED, PARTIES, REFUND_DECLINED, charged, refund, refund_result, refunded

EUROS, DOLLARS = "sys:1410:card_simulator:eur-usd:eur", "sys:1410:card_simulator:eur-usd:usd"
OWED = "sys:2110:usco:usd"
GAIN, LOSS = "sys:4030:card_simulator:usd", "sys:5040:card_simulator:usd"


def position(story: Story) -> tuple[int, int]:
    return story.balance(EUROS), story.balance(DOLLARS)


# --- rates and quotes


@pytest.mark.parametrize(
    ("amount", "pair", "rate", "expected"),
    [
        (10_000, ("EUR", "USD"), "1.25", 12_500),
        (1, ("EUR", "USD"), "1.999999999999", 1),
        (100, ("EUR", "JPY"), "163.5", 163),
        (163, ("JPY", "EUR"), "0.0061", 99),
        (1_000, ("KWD", "EUR"), "3", 300),
        (10**17, ("EUR", "USD"), "1.000000000001", 100_000_000_000_100_000),
    ],
)
def test_amounts_are_converted_exactly_and_rounded_down(
    amount: int, pair: tuple[str, str], rate: str, expected: int
) -> None:
    assert converted(amount, *pair, rate) == expected


def test_coins_are_rounded_up() -> None:
    assert worth(6_000, "EUR", "BTC", "60000") == 100_000
    assert worth(6_001, "EUR", "BTC", "60000") == 100_017


def test_a_quote_locks_the_newest_rate() -> None:
    story = given(*QUOTED, SetRate("EUR", "USD", "1.5", "treasury"))
    story.when(QuoteExchange("fxq_2", "EUR", "USD", 10_000, 900)).answered(201, to_amount=15_000, rate="1.5")
    story.when(foreign()).answered(202)
    created = story.stream("pay_1")[0].event
    assert isinstance(created, PaymentCreated)
    assert created.exchange is not None
    assert (created.exchange.amount, created.exchange.rate, created.exchange.source) == (12_500, "1.25", "treasury")
    assert (created.exchange.rated_at, created.exchange.expires_at) == (NOON, NOON + timedelta(minutes=15))


def test_yesterday_s_rate_is_good_and_an_old_one_is_none() -> None:
    story = given(*QUOTED, NOON + timedelta(days=7))
    story.when(QuoteExchange("fxq_2", "EUR", "USD", 1_000, 60)).answered(201, to_amount=1_250)
    story.given(NOON + timedelta(days=8))
    story.when(QuoteExchange("fxq_3", "EUR", "USD", 1_000, 60)).refused(RateUnknown)


@pytest.mark.parametrize("rate", ["0", "0.0", "1,5", "-1", "1e3", "1.2.3", "", "1.", "1.1234567890123"])
def test_what_is_no_rate(rate: str) -> None:
    given().when(SetRate("EUR", "USD", rate, "x")).refused(RateInvalid, "/rate")


def test_what_is_no_pair() -> None:
    given().when(SetRate("EUR", "EUR", "1", "x")).refused(FieldInvalid, "/to")
    given().when(SetRate("EUR", "XXX", "1", "x")).refused(CurrencyUnknown, "/to")
    given().when(QuoteExchange("fxq_1", "EUR", "USD", 1, 60)).refused(RateUnknown)
    story = given(SetRate("JPY", "KWD", "0.0001", "x"))
    story.when(QuoteExchange("fxq_1", "JPY", "KWD", 1, 60)).refused(AmountNotPositive)


# --- payments


def test_the_payer_has_to_prove_that_it_is_him() -> None:
    story = given(*QUOTED, foreign())
    (intent,) = [r.event for r in story.stream("pay_1") if isinstance(r.event, PaymentAttemptInitiated)]
    assert (intent.authenticate, intent.amount, intent.currency) == (True, 10_000, "EUR")


def test_an_expired_quote_is_refused_and_one_that_is_taken_too() -> None:
    story = given(*QUOTED, NOON + timedelta(minutes=15))
    story.when(foreign()).refused(QuoteExpired, "/quote")
    assert QuoteExpired.status == 410
    story = given(*PAID_ABROAD)
    story.when(foreign("pay_2")).refused(QuoteUsed, "/quote", payment="pay_1")


def test_a_quote_is_for_its_amount_and_currencies() -> None:
    story = given(*PARTIES, *QUOTED)
    story.when(foreign(amount=9_999)).refused(QuoteMismatch, "/quote")
    story.when(foreign(quote="fxq_9")).refused(QuoteUnknown, "/quote")
    story.when(foreign(quote="pay_9")).refused(QuoteUnknown, "/quote")


def test_who_brings_no_quote_takes_the_rate_of_now() -> None:
    story = given(*QUOTED, SetRate("EUR", "USD", "1.5", "treasury"), foreign(quote=None))
    story.given(SetRate("EUR", "USD", "2", "treasury"), RecordAttemptResult("pay_1-1", CHANNEL, charged(10_000)))
    assert (story.balance(OWED), position(story)) == (15_000 - 300, (-10_000, 15_000))
    story.when(SettleExchange("pay_1", 15_100)).answered(201, quoted=15_000, settled=15_100, gain=100, loss=0)


def test_without_a_quote_and_without_a_rate_nothing_is_exchanged() -> None:
    given(*PARTIES, AMERICAN).when(foreign(quote=None)).refused(RateUnknown, "/currency")


def test_the_merchant_is_owed_what_was_quoted_whatever_the_rate_is_later() -> None:
    story = given(*QUOTED, foreign(), NOON + timedelta(hours=5), SetRate("EUR", "USD", "2", "treasury"))
    story.given(RecordAttemptResult("pay_1-1", CHANNEL, charged(10_000)))
    assert (story.balance(OWED), position(story)) == (12_500 - 250, (-10_000, 12_500))


def test_a_declined_foreign_card_moves_nothing() -> None:
    story = given(*QUOTED, foreign(), RecordAttemptResult("pay_1-1", CHANNEL, DECLINED))
    assert story.balances() == {}


# --- what it came to


@pytest.mark.parametrize(("settled", "gain", "loss"), [(12_600, 100, 0), (12_400, 0, 100), (12_500, 0, 0)])
def test_the_difference_to_the_quote_is_realised_and_the_position_is_zero(settled: int, gain: int, loss: int) -> None:
    story = given(*PAID_ABROAD)
    story.when(SettleExchange("pay_1", settled)).answered(201, quoted=12_500, settled=settled, gain=gain, loss=loss)
    assert (position(story), story.balance(GAIN), story.balance(LOSS)) == ((0, 0), gain, loss)
    assert story.balance("sys:1120:card_simulator:usd") == settled
    story.when(SettleExchange("pay_1", settled)).refused(ExchangeSettledAlready)


def test_the_fee_that_was_kept_takes_the_place_of_the_one_that_was_expected() -> None:
    story = given(*PAID_ABROAD, SettleExchange("pay_1", 12_600, kept_fee=80))
    assert story.balance("sys:1110:card_simulator:eur") == 0
    assert story.balance("sys:5010:card_simulator:eur") == 0
    assert story.balance("sys:5010:card_simulator:usd") == 80
    assert story.balance("sys:1120:card_simulator:usd") == 12_520


def test_only_what_was_exchanged_and_paid_is_settled() -> None:
    story = given(*QUOTED, foreign())
    story.when(SettleExchange("pay_1", 1)).refused(PaymentStateInvalid)


# --- refunds


def test_a_refund_goes_back_in_the_payment_s_currency_at_the_same_quote() -> None:
    story = given(*PAID_ABROAD, SetRate("EUR", "USD", "2", "treasury"))
    story.when(refund(4_000)).answered(202, amount=4_000, currency="EUR")
    assert story.balance(OWED) == 12_250 - 5_000
    story.given(refund_result(1, refunded(4_000)))
    story.given(SettleExchange("pay_1", 12_600), SettleExchange("ref_1-1", 5_030))
    assert (position(story), story.balance(GAIN), story.balance(LOSS)) == ((0, 0), 100, 30)


def test_parts_of_a_refund_cost_the_merchant_no_more_than_the_whole() -> None:
    story = given(AMERICAN, SetRate("EUR", "USD", "1.1111", "x"), QuoteExchange("fxq_1", "EUR", "USD", 10_000, 60))
    story.given(foreign(), RecordAttemptResult("pay_1-1", CHANNEL, charged(10_000)))
    for number, amount in enumerate((3_333, 3_333, 3_334), 1):
        story.given(refund(amount), refund_result(number, refunded(amount, f"re_{number}")))
    assert position(story) == (0, 0)
    assert story.balance(OWED) - story.balance("sys:1210:usco:usd") == -222


def test_a_refused_refund_is_taken_back_on_both_sides() -> None:
    story = given(*PAID_ABROAD)
    before = story.balances()
    story.given(refund(), refund_result(1, REFUND_DECLINED))
    assert story.balances() == before
