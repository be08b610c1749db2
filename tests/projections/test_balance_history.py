"""A balance as a series: every point is what is answered to who asks for it alone, and what the log adds up to."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import Connection

from ledger.errors import FieldInvalid, PositionNotReached
from ledger.store.connection import Database
from ledger.store.positions import position_before, positions_before
from projections import past_postings
from projections.balance_history import MOST_POINTS, Point, Step, balance_history, ends_of_steps
from projections.balances import balance
from projections.moments import BEGINNING, END
from tests.projections.brute_force import Past
from tests.projections.days_work import ACCOUNTS, DaysWork, open_accounts
from tests.projections.reading import Reader, catch_up, reading
from tests.writing import pen, read_log

MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(scope="module")
def worked_in(database: Database, make_book: Callable[[], str]) -> str:
    """A book with a day's work in it; its views are caught up."""
    book = make_book()
    with pen(database, book) as held:
        open_accounts(held)
        DaysWork(held, seed=33).do(300)
    catch_up(database, book)
    return book


@pytest.fixture(scope="module")
def worked_reader(database: Database, worked_in: str) -> Iterator[Reader]:
    with reading(database, worked_in) as held:
        yield held


@pytest.fixture(scope="module")
def past(database_url: str, worked_in: str) -> Past:
    """The same book by brute force."""
    with Connection.connect(database_url, autocommit=True) as connection:
        return Past(read_log(connection, worked_in))


steps: st.SearchStrategy[Step] = st.sampled_from(["hour", "day", "week", "month"])
accounts = st.sampled_from(sorted(ACCOUNTS))
lengths = {
    "hour": timedelta(hours=30),
    "day": timedelta(days=5),
    "week": timedelta(days=60),
    "month": timedelta(days=90),
}


@settings(max_examples=100)
@given(account=accounts, step=steps, nth=st.integers(0, 10_000), back=st.floats(0, 1), known=st.integers(0, 10_000))
def test_each_point_is_what_the_log_adds_up_to_and_what_is_answered_to_who_asks_for_it_alone(
    worked_reader: Reader, past: Past, account: str, step: Step, nth: int, back: float, known: int
) -> None:
    moments = past.moments()
    since = moments[nth % len(moments)] - lengths[step] * back
    until = since + lengths[step]
    position = known % (len(past.log) + 1)
    found = worked_reader.ask(balance_history, account, since=since, until=until, step=step, known_at=position)
    assert found is not None
    assert (found.account, found.step, found.position) == (account, step, position)
    assert [point.at for point in found.points] == ends_of_steps(since, until, step)
    for point in (found.opening, *found.points):
        debits, credits_ = past.turnover(account, point.at - MICROSECOND, position)
        assert point == Point(point.at, debits, credits_, past.sign(account) * (debits - credits_))
    alone = worked_reader.ask(balance, account, as_of=found.points[-1].at - MICROSECOND, known_at=position)
    assert alone is not None
    assert alone.posted.balance == found.points[-1].balance


@settings(max_examples=100)
@given(
    account=accounts,
    picked=st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from([0, 1, -1])), min_size=1, max_size=60),
    known=st.integers(0, 10_000),
)
def test_moments_however_close_to_one_another_are_kept_apart(
    worked_reader: Reader, past: Past, account: str, picked: list[tuple[int, int]], known: int
) -> None:
    """At and beside the very moments of the log, also twice the same."""
    of_log = past.moments()
    moments = sorted(of_log[nth % len(of_log)] + beside * MICROSECOND for nth, beside in picked)
    position = known % (len(past.log) + 1)
    before = worked_reader.ask(positions_before, moments)
    assert before == [worked_reader.ask(position_before, moment) for moment in moments]
    settled = [min(one, position) for one in before]
    found = worked_reader.ask(past_postings.turnover_at_each, account, moments, settled, position)
    assert found == [past.turnover(account, moment - MICROSECOND, position) for moment in moments]


def test_of_all_time_the_positions_are_those_of_an_empty_and_of_the_whole_log(
    worked_reader: Reader, past: Past
) -> None:
    assert worked_reader.ask(positions_before, [BEGINNING, END]) == [0, len(past.log)]


def test_steps_end_where_hours_days_weeks_and_months_end() -> None:
    since, until = datetime(2026, 1, 30, 22, 30, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    assert ends_of_steps(since, until, "month") == [
        datetime(2026, 2, 1, tzinfo=UTC),
        datetime(2026, 3, 1, tzinfo=UTC),
        until,
    ]
    # 2 February 2026 is a Monday, and so is 2 March.
    mondays = [datetime(2026, 2, 2, tzinfo=UTC) + timedelta(days=7 * week) for week in range(5)]
    assert ends_of_steps(since, until, "week") == mondays
    assert mondays[-1] == until
    assert ends_of_steps(since, since + timedelta(days=2), "day") == [
        datetime(2026, 1, 31, tzinfo=UTC),
        datetime(2026, 2, 1, tzinfo=UTC),
        since + timedelta(days=2),
    ]
    assert ends_of_steps(since, since + timedelta(hours=1), "hour") == [
        datetime(2026, 1, 30, 23, tzinfo=UTC),
        since + timedelta(hours=1),
    ]
    december = datetime(2026, 12, 31, 23, 59, tzinfo=UTC)
    assert ends_of_steps(december, december + timedelta(days=1), "month")[0] == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_series_has_an_end_after_its_beginning_and_a_thousand_points_at_most() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    assert len(ends_of_steps(since, since + timedelta(hours=MOST_POINTS), "hour")) == MOST_POINTS
    with pytest.raises(FieldInvalid, match="At most 1,000 points"):
        ends_of_steps(since, since + timedelta(hours=MOST_POINTS, microseconds=1), "hour")
    for until in (since, since - timedelta(days=1)):
        with pytest.raises(FieldInvalid, match="ends before it begins"):
            ends_of_steps(since, until, "day")


def test_what_is_not_there_has_no_series(worked_reader: Reader, past: Past) -> None:
    since, until = past.moments()[0], past.moments()[-1]
    assert worked_reader.ask(balance_history, "nobody", since=since, until=until, step="day") is None
    with pytest.raises(PositionNotReached):
        worked_reader.ask(balance_history, "cash", since=since, until=until, step="day", known_at=len(past.log) + 1)
