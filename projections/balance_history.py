"""Balance history: what did this account hold at the end of each hour, day, week or month, as points to be drawn?

A fixed number of statements, however many points there are; the law of `past_postings` holds at each of them.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection

from ledger.accounts import DEBIT_NORMAL
from ledger.errors import FieldInvalid
from ledger.store import read
from ledger.store.positions import positions_before
from projections import past_postings
from projections.freshness import KnownAt, seen_by
from projections.postings import Postings
from projections.turnover import Turnover

Step = Literal["hour", "day", "week", "month"]

MOST_POINTS = 1_000


class Point(msgspec.Struct, frozen=True):
    """Both sides of an account and its balance with what took effect before `at`; minor units, on its normal side."""

    at: datetime
    debits: int
    credits: int
    balance: int


class BalanceHistory(msgspec.Struct, frozen=True):
    """An account as it is known at `position`: where it stood at the beginning, and at the end of each step."""

    account: str
    currency: str
    step: Step
    opening: Point
    points: list[Point]
    position: int


def ends_of_steps(since: datetime, until: datetime, step: Step) -> list[datetime]:
    """The ends of the hours, days, weeks (from Monday) or months in UTC that lie in [since, until), and `until` itself.

    Raises FieldInvalid for more than 1,000, and where it ends before it begins.
    """
    if until <= since:
        raise FieldInvalid("It ends before it begins.", pointer="/query/to")
    ends = list(islice(_ends(since, until, step), MOST_POINTS + 1))
    if len(ends) > MOST_POINTS:
        raise FieldInvalid(f"At most {MOST_POINTS:,} points are drawn at once.", pointer="/query/step")
    return ends


def _ends(since: datetime, until: datetime, step: Step) -> Iterator[datetime]:
    end = since
    while (end := _next_begin(end, step)) < until:
        yield end
    yield until


def _next_begin(moment: datetime, step: Step) -> datetime:
    """Where the next step begins, behind the one that holds the moment."""
    moment = moment.astimezone(UTC)
    hour = moment.replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    match step:
        case "hour":
            return hour + timedelta(hours=1)
        case "day":
            return day + timedelta(days=1)
        case "week":
            return day + timedelta(days=7 - day.weekday())
        case "month":
            return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


async def balance_history(
    connection: AsyncConnection[Any],
    book: str,
    account: str,
    *,
    since: datetime,
    until: datetime,
    step: Step,
    known_at: KnownAt = None,
) -> BalanceHistory | None:
    """The account at the end of each step of [since, until), as it was known at `known_at`.

    None for an account that does not exist. Raises FieldInvalid for what cannot be drawn, PositionNotReached and
    NotCaughtUp for a `known_at` that the log or the view does not have.
    """
    moments = [since, *ends_of_steps(since, until, step)]
    found = await read.account(connection, book, account)
    if found is None:
        return None
    position = await seen_by(connection, book, (Postings.name,), known_at)
    settled = [min(before, position) for before in await positions_before(connection, book, moments)]
    turnovers = await past_postings.turnover_at_each(connection, book, account, moments, settled, position)
    sign = 1 if found.account.kind in DEBIT_NORMAL else -1
    opening, *points = _points(moments, turnovers, sign)
    return BalanceHistory(account, found.account.currency, step, opening, points, position)


def _points(moments: Sequence[datetime], turnovers: Sequence[Turnover], sign: int) -> Iterator[Point]:
    for moment, (debits, credits_) in zip(moments, turnovers, strict=True):
        yield Point(moment, debits, credits_, sign * (debits - credits_))
