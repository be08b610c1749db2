"""Funds: what merchants have sold becomes theirs to take, after some days, less what is kept in reserve for a while."""

from datetime import date
from typing import ClassVar

from ledger.events.event import Event


def funds_stream(merchant: str, currency: str, day: date) -> str:
    """One for each day (UTC): who looks whether something was released meanwhile need not read years of it."""
    return f"funds/{merchant}/{currency.lower()}/{day.isoformat()}"


class FundsReleased(Event, frozen=True, omit_defaults=True):
    """`amount` of pending sales has become due: `recovered` of it pays the merchant's debt to us, `reserve` is kept
    back, and the rest is available."""

    topic: ClassVar[str] = "funds.released.v1"

    merchant: str
    amount: int
    currency: str
    reserve: int = 0
    recovered: int = 0


class ReserveReleased(Event, frozen=True, omit_defaults=True):
    """`amount` of the merchant's reserve was kept long enough: it is available."""

    topic: ClassVar[str] = "funds.reserve_released.v1"

    merchant: str
    amount: int
    currency: str


FundsEvent = FundsReleased | ReserveReleased
