"""Periods: closed after their last day, opened again for a reason."""

from datetime import UTC, datetime, timedelta

import pytest

from commands.accounts import OpenAccount
from commands.periods import ClosePeriod, ReopenPeriod
from commands.transfers import PostTransfer
from ledger.errors import PeriodClosed, PeriodNotClosed, PeriodNotOver
from ledger.events import periods as events
from ledger.periods import end_of, period_of
from tests.commands.given import NOON, given

ACCOUNTS = (OpenAccount("a", "A", "asset", "EUR"), OpenAccount("b", "B", "asset", "EUR"))
LAST_MOMENT = datetime(2026, 3, 1, tzinfo=UTC) - timedelta(microseconds=1)


def test_a_period_is_closed_when_its_last_day_is_over() -> None:
    story = given(datetime(2026, 3, 1, tzinfo=UTC))
    story.when(ClosePeriod("2026-02", "month end")).then(events.PeriodClosed("2026-02", "month end")).answered(
        200, period="2026-02", status="closed"
    )


@pytest.mark.parametrize("moment", [LAST_MOMENT, NOON.replace(month=2)])
def test_a_period_that_is_not_over_is_not_closed(moment: datetime) -> None:
    given(moment).when(ClosePeriod("2026-02", "early")).refused(PeriodNotOver, period="2026-02")


def test_a_closed_period_is_not_closed_again_and_an_open_one_not_opened() -> None:
    given(ClosePeriod("2026-02", "month end")).when(ClosePeriod("2026-02", "again")).refused(PeriodClosed)
    given().when(ReopenPeriod("2026-02", "why")).refused(PeriodNotClosed)


def test_a_reopened_period_takes_entries_again() -> None:
    story = given(*ACCOUNTS, ClosePeriod("2026-02", "month end"))
    late = PostTransfer("ent_1", "a", "b", 1, "EUR", effective_at=LAST_MOMENT)
    story.when(late).refused(PeriodClosed, period="2026-02")
    story.when(ReopenPeriod("2026-02", "an invoice")).then(events.PeriodReopened("2026-02", "an invoice")).answered(
        200, status="open"
    )
    story.when(late).answered(201)


@pytest.mark.parametrize(
    ("moment", "period"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01"),
        (datetime(2025, 12, 31, 23, 59, 59, 999_999, UTC), "2025-12"),
        (datetime.fromisoformat("2026-01-01T00:30:00+01:00"), "2025-12"),
    ],
)
def test_periods_are_months_in_utc(moment: datetime, period: str) -> None:
    assert period_of(moment) == period
    assert moment < end_of(period)


@pytest.mark.parametrize(("period", "end"), [("2026-12", (2027, 1)), ("2026-02", (2026, 3))])
def test_a_period_ends_with_the_first_moment_of_the_next(period: str, end: tuple[int, int]) -> None:
    assert end_of(period) == datetime(*end, 1, tzinfo=UTC)
