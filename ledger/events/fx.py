"""Fx: rates between units of account, quotes that lock one, and what an exchange came to in the end."""

from datetime import datetime
from typing import ClassVar

from ledger.events.event import Event


def rates_stream(from_currency: str, to_currency: str, day: str) -> str:
    """The rates of one day (`2026-11-21`): a stream of all days would grow for ever and is read whole."""
    return f"fx/{from_currency}-{to_currency}/{day}".lower()


class FxRateSet(Event, frozen=True):
    """From here on one whole unit of `from_currency` is worth `rate` of `to_currency`, says `source`."""

    topic: ClassVar[str] = "fx.rate_set.v1"

    from_currency: str
    to_currency: str
    rate: str
    source: str


class FxQuoted(Event, frozen=True):
    """`amount` of one currency is `to_amount` of another for one payment, if it is asked for until `expires_at`."""

    topic: ClassVar[str] = "fx.quoted.v1"

    id: str
    from_currency: str
    to_currency: str
    amount: int
    to_amount: int
    rate: str
    source: str
    rated_at: datetime
    expires_at: datetime


class FxQuoteUsed(Event, frozen=True):
    """A payment was asked for with this quote."""

    topic: ClassVar[str] = "fx.quote_used.v1"

    id: str
    payment: str


class FxSettled(Event, frozen=True, omit_defaults=True):
    """The channel settled `amount` for `settled` of the merchant's currency, by its own rate.

    `subject` is the payment, or with `back` a refund or a lost dispute. `accrued_fee` was expected in the currency of
    the payment, and `channel_fee` is what the channel kept in the merchant's.
    """

    topic: ClassVar[str] = "fx.settled.v1"

    subject: str
    channel: str
    amount: int
    currency: str
    settled: int
    settled_currency: str
    back: bool = False
    accrued_fee: int = 0
    kept_fee: int = 0
    rate: str = ""
    reference: str = ""
    batch: str = ""
    """Of the channel's report; empty where it was told by hand."""
    item: str = ""
    """Which item of the channel's receivable it was; empty: what the subject had left there."""


class FxRealized(Event, frozen=True, omit_defaults=True):
    """What the position came to, once both sides are known: a gain or a loss. `subject`: payment, refund, sale.

    `units` are those of the position: what came in, and what was owed for it.
    """

    topic: ClassVar[str] = "fx.realized.v1"

    subject: str
    channel: str
    from_currency: str
    to_currency: str
    currency: str
    gain: int = 0
    loss: int = 0
