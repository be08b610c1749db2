"""Fx: rates that are set, and quotes that lock one for a payment."""

from datetime import datetime, timedelta

import msgspec

from commands.books import Books
from commands.channel_facts import check_amount
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from ledger.currencies import ASSETS
from ledger.errors import AmountNotPositive, AmountOverflow, CurrencyUnknown, FieldInvalid, RateUnknown
from ledger.events.fx import FxQuoted, FxRateSet, rates_stream
from ledger.fx_state import Quote, quote_view
from ledger.money import LARGEST
from ledger.rates import check_rate, converted

# A rate that is older than so many days is none.
A_RATE_IS_GOOD_FOR_DAYS = 7
LONGEST_QUOTE_S = 86_400


class SetRate(Command, frozen=True):
    """One whole unit of `from_currency` is worth `rate` of `to_currency`, says `source`."""

    from_currency: str
    to_currency: str
    rate: str
    source: str


class QuoteExchange(Command, frozen=True):
    """Lock the rate of now for `amount` minor units and one payment; `id` is fresh."""

    id: str
    from_currency: str
    to_currency: str
    amount: int
    valid_for_s: int


class RateReceipt(Receipt):
    """The rate as it was set."""

    from_currency: str = msgspec.field(name="from", default="")
    to_currency: str = msgspec.field(name="to", default="")
    rate: str = ""
    source: str = ""
    set_at: datetime | None = None


def set_rate(books: Books, command: SetRate, envelope: Envelope) -> Decision:
    _check_pair(command.from_currency, command.to_currency)
    check_rate(command.rate)
    rate = FxRateSet(command.from_currency, command.to_currency, command.rate, command.source)
    receipt = RateReceipt(None, rate.from_currency, rate.to_currency, rate.rate, rate.source, books.now)
    stream = _stream(rate.from_currency, rate.to_currency, books.now)
    # Which day it is, is known only here: the stream that the rate goes on is read now.
    books.recorded(stream)
    return Decision([(stream, rate)], receipt)


def _check_pair(from_currency: str, to_currency: str) -> None:
    for pointer, currency in (("/from", from_currency), ("/to", to_currency)):
        if currency not in ASSETS:
            raise CurrencyUnknown(pointer=pointer)
    if from_currency == to_currency:
        raise FieldInvalid("A rate lies between two units.", pointer="/to")


def _stream(from_currency: str, to_currency: str, moment: datetime) -> str:
    return rates_stream(from_currency, to_currency, moment.date().isoformat())


def rate_of(books: Books, from_currency: str, to_currency: str) -> tuple[FxRateSet, datetime]:
    """The newest rate and when it was set; raises RateUnknown."""
    for days in range(A_RATE_IS_GOOD_FOR_DAYS + 1):
        history = books.recorded(_stream(from_currency, to_currency, books.now - timedelta(days=days)))
        for recorded in reversed(history):
            if isinstance(recorded.event, FxRateSet):
                return recorded.event, recorded.recorded_at
    detail = f"There is no rate from {from_currency} to {to_currency} of the last {A_RATE_IS_GOOD_FOR_DAYS} days."
    raise RateUnknown(detail, pointer="/currency", from_currency=from_currency, to_currency=to_currency)


def quote(books: Books, command: QuoteExchange, envelope: Envelope) -> Decision:
    _check_pair(command.from_currency, command.to_currency)
    check_amount(command.amount)
    if not 1 <= command.valid_for_s <= LONGEST_QUOTE_S:
        raise FieldInvalid(f"A quote is good for 1 to {LONGEST_QUOTE_S} seconds.", pointer="/valid_for_s")
    rate, rated_at = rate_of(books, command.from_currency, command.to_currency)
    to_amount = converted(command.amount, command.from_currency, command.to_currency, rate.rate)
    check_converted(to_amount)
    quoted = FxQuoted(
        command.id,
        command.from_currency,
        command.to_currency,
        command.amount,
        to_amount,
        rate.rate,
        rate.source,
        rated_at,
        books.now + timedelta(seconds=command.valid_for_s),
    )
    return Decision([(command.id, quoted)], quote_view(Quote(quoted)))


def check_converted(amount: int) -> None:
    """Something has to come out, and it has to be an amount; raises AmountNotPositive, AmountOverflow."""
    if amount < 1:
        raise AmountNotPositive("It comes to less than one minor unit.", pointer="/amount")
    if amount > LARGEST:
        raise AmountOverflow(pointer="/amount")


def _quote_needs(command: QuoteExchange) -> Needs:
    return Needs(streams=(command.id,))


DECIDERS: dict[type[Command], Decider] = {
    SetRate: Decider(set_rate),
    QuoteExchange: Decider(quote, _quote_needs),
}
