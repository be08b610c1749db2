"""Policy: how much two sides may differ and still agree, and how long something may stay alone."""

from bisect import bisect_left
from datetime import UTC, date, datetime, tzinfo

from msgspec import Struct

MOST_SUBSET_UNITS = 16
_DAYS_OF_WEEK = 7


class Tolerance(Struct, frozen=True):
    """How far a figure may be from what we expect; where both limits are given, both must hold."""

    absolute: int | None = 0
    """In minor units; None: as far as `basis_points` allow."""
    basis_points: int | None = None
    """In 1/10,000 of what we expect."""

    def __post_init__(self) -> None:
        if self.absolute is None and self.basis_points is None:
            raise AssertionError("a tolerance without any limit")

    def allows(self, ours: int, theirs: int) -> bool:
        difference = abs(theirs - ours)
        if self.absolute is not None and difference > self.absolute:
            return False
        return self.basis_points is None or difference * 10_000 <= self.basis_points * abs(ours)


class Calendar(Struct, frozen=True):
    """Which days are no business days."""

    weekend: frozenset[int] = frozenset({5, 6})
    """Days of the week, Monday is 0."""
    holidays: frozenset[date] = frozenset()


EVERY_DAY = Calendar(weekend=frozenset())


class Policy(Struct, frozen=True):
    """What holds for one source. Days are business days, and begin at midnight in `zone`."""

    amount: Tolerance = Tolerance()
    fee: Tolerance = Tolerance()
    tolerated_at_most: int | None = None
    """How much all tolerated differences of amount may come to, in each currency; None: any sum."""
    window_days: int = 2
    """How far apart two may be that agree by amount, and not by name."""
    wait_days: int = 3
    """How old something may be that is still alone, and not yet a break."""
    calendar: Calendar = Calendar()
    zone: tzinfo = UTC
    subset_units: int = 10
    """Among how many batches and items at most those are sought that a bank's line pays; with more, nothing is sought.
    Of n there are 2^n sums: with many, one of them fits by chance."""
    standing_kinds: frozenset[str] = frozenset({"fee", "reserve_held", "reserve_released"})
    """Rows that need nothing of ours beside them: they are posted as they are (A8, A9)."""
    suggested_rows: int = 1_000
    """For how many rows at most something is suggested."""
    suggested_from: int = 60
    """How alike two must be to be suggested, of 100."""

    def __post_init__(self) -> None:
        if not 0 <= self.subset_units <= MOST_SUBSET_UNITS:
            raise AssertionError(f"subset_units is {self.subset_units}, and at most {MOST_SUBSET_UNITS}")


class BusinessDays:
    """Numbers days so that neighbours are one apart; a day that is none has the number of the next that is one."""

    def __init__(self, calendar: Calendar) -> None:
        self._of_week = [day for day in range(_DAYS_OF_WEEK) if day not in calendar.weekend]
        if not self._of_week:
            raise AssertionError("a week without business days")
        self._holidays = sorted(day for day in calendar.holidays if day.weekday() not in calendar.weekend)
        self._known: dict[date, int] = {}

    def number(self, day: date) -> int:
        """How many business days there were before it."""
        known = self._known.get(day)
        if known is None:
            weeks, rest = divmod(day.toordinal() - 1, _DAYS_OF_WEEK)  # the first of all days was a Monday
            in_rest = bisect_left(self._of_week, rest)
            known = weeks * len(self._of_week) + in_rest - bisect_left(self._holidays, day)
            self._known[day] = known
        return known


def day_in(zone: tzinfo, at: datetime | None) -> date | None:
    """Which day it is there then."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise AssertionError(f"{at} has no zone, and so is no instant")
    return at.astimezone(zone).date()
