"""Accounting periods: calendar months in UTC, open until they are closed."""

import re
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta

from ledger.errors import AdjustmentMisplaced, EffectiveDateInFuture, PeriodClosed, PeriodNotClosed

_HINT = "That period is closed: post it with a later time, or, by two people, as an adjusting entry."
_PERIOD = re.compile(r"(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])")


def is_period(text: str) -> bool:
    """Whether this is the name of a period."""
    return _PERIOD.fullmatch(text) is not None


def period_of(moment: datetime) -> str:
    """The period that holds this moment, such as `2026-03`."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def begin_of(period: str) -> datetime:
    """The first moment of the period."""
    return datetime(int(period[:4]), int(period[5:]), 1, tzinfo=UTC)


def end_of(period: str) -> datetime:
    """The first moment after the period."""
    year, month = int(period[:4]), int(period[5:])
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def start_of(period: str) -> datetime:
    """The first moment of the period."""
    return datetime(int(period[:4]), int(period[5:]), 1, tzinfo=UTC)


def last_moment_of(period: str) -> datetime:
    """The last moment that belongs to the period."""
    return end_of(period) - timedelta(microseconds=1)


def check_effective(effective_at: datetime, now: datetime, closed: AbstractSet[str]) -> None:
    """An effective time lies in an open period and not in the future."""
    # Balances as of a past time are read by position, which is sound because nothing takes effect after it is recorded.
    if effective_at > now:
        raise EffectiveDateInFuture(pointer="/effective_at")
    if period_of(effective_at) in closed:
        raise PeriodClosed(_HINT, pointer="/effective_at", period=period_of(effective_at))


def check_adjusting(effective_at: datetime | None, period: str, now: datetime, closed: AbstractSet[str]) -> datetime:
    """When an adjusting entry of this period takes effect: as stated, else at its last moment."""
    if period not in closed:
        raise PeriodNotClosed("An entry is posted there as any other.", pointer="/adjusting/period", period=period)
    effective_at = last_moment_of(period) if effective_at is None else effective_at
    if effective_at > now:
        raise EffectiveDateInFuture(pointer="/effective_at")
    if period_of(effective_at) != period:
        raise AdjustmentMisplaced(pointer="/effective_at", period=period)
    return effective_at
