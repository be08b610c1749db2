"""Pricing: what an order costs its merchant, and in which unit it is owed and paid, before anything is asked for.

Most orders are owed in the currency that they are paid in. A foreign card is charged in another one, at a quote; a
payment in coins is charged in coins, at a price that is locked for it.
"""

from datetime import datetime, timedelta

import msgspec

from commands.books import Books
from commands.fx import check_converted, rate_of
from commands.payees import Payee
from commands.phone_bills import claim
from commands.policies.charges import COIN
from commands.policies.fees import Fee, merchant_fee
from commands.system_accounts import StreamEvents
from ledger.errors import CurrencyMismatch, QuoteExpired, QuoteMismatch, QuoteUnknown, QuoteUsed
from ledger.events.fx import FxQuoteUsed
from ledger.events.payments import Exchange, Method
from ledger.fx_state import Quote, fold
from ledger.ids import QUOTE
from ledger.rates import converted, worth

# How long a price in another unit is good where the order does not say it.
PRICE_IS_GOOD_FOR = timedelta(minutes=15)


class Order(msgspec.Struct, frozen=True):
    """What is to be priced. Amounts in minor units; `subsidy` is owed on top of what is paid."""

    payment: str
    product: str
    amount: int
    currency: str
    method: Method
    quote: str | None
    expires_at: datetime | None
    subsidy: int = 0


class Price(msgspec.Struct, frozen=True):
    """The fee, in the currency that it is owed; the exchange, if any; and what is recorded by it."""

    fee: Fee
    exchange: Exchange | None = None
    expires_at: datetime | None = None
    taken: StreamEvents = []


def price(books: Books, order: Order, payee: Payee) -> Price:
    """Raises CurrencyMismatch, what is wrong with a quote, RateUnknown, CapExceeded, FeeExceedsAmount."""
    if order.product == "foreign_card" and order.quote is not None:
        return _quoted(books, order, payee, order.quote)
    if payee.currency not in (None, order.currency):
        if order.product == "foreign_card":
            return _at_the_rate_of_now(books, order, payee, payee.currency)
        detail = f"{payee.id} is settled in {payee.currency}, and nothing is exchanged here."
        raise CurrencyMismatch(detail, pointer="/currency", currency=payee.currency)
    if order.quote is not None:
        raise QuoteMismatch("Nothing is exchanged here.", pointer="/quote")
    fee = merchant_fee(payee.fee, order.amount + order.subsidy)
    if order.method.type == COIN:
        return _in_coins(books, order, fee)
    taken = []
    if order.product == "mobile_bill":
        taken = claim(books, order.payment, order.method, order.amount, order.currency)
    return Price(fee, None, order.expires_at, taken)


def _quoted(books: Books, order: Order, payee: Payee, name: str) -> Price:
    """The merchant is owed what was quoted, whatever the channel will settle it for."""
    quote = _quote(books, name)
    quoted = quote.quoted
    asked = (order.currency, payee.currency, order.amount)
    if (quoted.from_currency, quoted.to_currency, quoted.amount) != asked:
        raise QuoteMismatch(
            pointer="/quote",
            quote=name,
            from_currency=quoted.from_currency,
            to_currency=quoted.to_currency,
            amount=quoted.amount,
        )
    if quote.payment is not None:
        raise QuoteUsed(pointer="/quote", quote=name, payment=quote.payment)
    if quoted.expires_at <= books.now:
        raise QuoteExpired(pointer="/quote", quote=name)
    fee = merchant_fee(payee.fee, quoted.to_amount)
    used = FxQuoteUsed(name, order.payment)
    return Price(fee, quote.to_exchange(), order.expires_at, [(name, used)])


def _at_the_rate_of_now(books: Books, order: Order, payee: Payee, to_currency: str) -> Price:
    """Who brings no quote takes the rate that he finds: it is locked for this payment, as one in a quote would be."""
    rate, rated_at = rate_of(books, order.currency, to_currency)
    amount = converted(order.amount, order.currency, to_currency, rate.rate)
    check_converted(amount)
    expires_at = order.expires_at or books.now + PRICE_IS_GOOD_FOR
    exchange = Exchange(amount, to_currency, rate.rate, rate.source, rated_at, expires_at)
    return Price(merchant_fee(payee.fee, amount), exchange, order.expires_at)


def _quote(books: Books, name: str) -> Quote:
    quote = fold(books.recorded(name)) if name.startswith(QUOTE) else None
    if quote is None:
        raise QuoteUnknown(pointer="/quote", quote=name)
    return quote


def _in_coins(books: Books, order: Order, fee: Fee) -> Price:
    coin = order.method.details["coin"]
    rate, rated_at = rate_of(books, coin, order.currency)
    amount = worth(order.amount, order.currency, coin, rate.rate)
    check_converted(amount)
    expires_at = order.expires_at or books.now + PRICE_IS_GOOD_FOR
    return Price(fee, Exchange(amount, coin, rate.rate, rate.source, rated_at, expires_at), expires_at)
