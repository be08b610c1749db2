"""Fx state: what a quote's stream adds up to, and how a quote is shown."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ledger.events.event import Recorded
from ledger.events.fx import FxQuoted, FxQuoteUsed
from ledger.events.payments import Exchange


class Quote(msgspec.Struct, frozen=True):
    """A quote and the payment that took it, if one did."""

    quoted: FxQuoted
    payment: str | None = None
    position: int = 0

    def to_exchange(self) -> Exchange:
        """What a payment keeps of it."""
        quoted = self.quoted
        return Exchange(
            quoted.to_amount,
            quoted.to_currency,
            quoted.rate,
            quoted.source,
            quoted.rated_at,
            quoted.expires_at,
            quoted.id,
        )


class QuoteView(msgspec.Struct):
    """A quote as commands answer and reads show it: `amount` of `from` is `to_amount` of `to`, in minor units."""

    position: int | None
    id: str
    from_: str = msgspec.field(name="from")
    to: str
    amount: int
    to_amount: int
    rate: str
    source: str
    rated_at: datetime
    expires_at: datetime
    payment: str | None


def fold(history: Sequence[Recorded]) -> Quote | None:
    """The quote after all of its history; None for no history."""
    quote: Quote | None = None
    for recorded in history:
        match recorded.event:
            case FxQuoted() as quoted:
                quote = Quote(quoted, position=recorded.position)
            case FxQuoteUsed(payment=payment) if quote is not None:
                quote = Quote(quote.quoted, payment, recorded.position)
            case other:
                raise AssertionError(f"{other} does not belong into the stream of a quote")
    return quote


def quote_view(quote: Quote) -> QuoteView:
    quoted = quote.quoted
    return QuoteView(
        quote.position or None,
        quoted.id,
        quoted.from_currency,
        quoted.to_currency,
        quoted.amount,
        quoted.to_amount,
        quoted.rate,
        quoted.source,
        quoted.rated_at,
        quoted.expires_at,
        quote.payment,
    )
