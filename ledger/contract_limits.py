"""Contract limits: how much of a contract's limits is used, and whether one more charge fits. Pure.

A period is one of the calendar in UTC: a day, a week from Monday, a month. What is under way counts like what is paid,
so that charges which are decided at the same moment cannot exceed a limit together.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import msgspec

from ledger.contract_state import ContractCharge
from ledger.events.contracts import Limits

PERIODS = ("day", "week", "month")


class Excess(msgspec.Struct, frozen=True):
    """The limit that a charge would exceed: `limit` is `per_charge`, the word of the period, or `count`.

    In minor units, or in charges of the period.
    """

    limit: str
    most: int
    used: int

    @property
    def left(self) -> int:
        return max(0, self.most - self.used)


def period_of(at: datetime, period: str) -> date:
    """The first day of the period that a moment lies in."""
    day = at.astimezone(UTC).date()
    match period:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
    raise AssertionError(f"no period: {period}")


def in_period(charges: Iterable[ContractCharge], at: datetime, period: str) -> list[int]:
    """The amounts of the charges that count in the period of this moment, in minor units."""
    wanted = period_of(at, period)
    return [one.amount for one in charges if one.counts and period_of(one.counts_at, period) == wanted]


def excess(limits: Limits, charges: Iterable[ContractCharge], amount: int, at: datetime) -> Excess | None:
    """The limit that one more charge of `amount` minor units, counted at this moment, would exceed."""
    if limits.per_charge is not None and amount > limits.per_charge:
        return Excess("per_charge", limits.per_charge, 0)
    of_period = limits.per_period
    if of_period is None:
        return None
    used = in_period(charges, at, of_period.period)
    if sum(used) + amount > of_period.amount:
        return Excess(of_period.period, of_period.amount, sum(used))
    if of_period.count is not None and len(used) >= of_period.count:
        return Excess("count", of_period.count, len(used))
    return None
