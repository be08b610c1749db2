"""Periods: closed, and opened again."""

from typing import ClassVar

from ledger.events.event import Event


def period_stream(period: str) -> str:
    return f"period/{period}"


class PeriodClosed(Event, frozen=True):
    """Nothing takes effect in this period (`2026-03`, UTC) any more."""

    topic: ClassVar[str] = "periods.closed.v1"

    period: str
    reason: str


class PeriodReopened(Event, frozen=True):
    """Entries may take effect in this period again."""

    topic: ClassVar[str] = "periods.reopened.v1"

    period: str
    reason: str


PeriodEvent = PeriodClosed | PeriodReopened
