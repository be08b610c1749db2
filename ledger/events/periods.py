"""Periods: closed, and opened again."""

from typing import ClassVar

from ledger.events.event import Event


def period_stream(period: str) -> str:
    return f"period/{period}"


class PeriodClosed(Event, frozen=True):
    """Nothing takes effect in this period (`2026-03`, UTC) any more.

    `totals`: debits and credits of all accounts by currency, minor units, of what had taken effect until its end and
    was recorded before this event, carried forward included. `checkpoint` is the signed note of the log's tree at
    `checkpoint_size` events. `carried` are the entries that carry revenue and expense to retained earnings.
    `overridden` are the checks that it was closed in spite of, by the approval named.
    """

    topic: ClassVar[str] = "periods.closed.v1"

    period: str
    reason: str
    totals: dict[str, tuple[int, int]] = {}
    checkpoint_size: int = 0
    checkpoint: str = ""
    carried: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    approval: str = ""


class PeriodReopened(Event, frozen=True):
    """Entries may take effect in this period again, by an approval."""

    topic: ClassVar[str] = "periods.reopened.v1"

    period: str
    reason: str
    approval: str = ""


PeriodEvent = PeriodClosed | PeriodReopened
