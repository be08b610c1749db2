"""Waiting: what is alone and young waits, across midnight and in the zone of its source; after that it is a break."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from ledger.matching.matcher import match
from ledger.matching.policy import EVERY_DAY, BusinessDays, Calendar, Policy, Tolerance
from tests.matching.given import LATELY, NOW, item, outcome, row

SHANGHAI = timezone(timedelta(hours=8))


def test_a_row_across_midnight_waits_and_matches_the_next_day_without_a_break() -> None:
    """Ours at 23:59 of one day, theirs at 00:01 of the next, in a file that comes a day later."""
    ours = item(at=datetime(2026, 11, 19, 23, 59, tzinfo=UTC), channel_references=("c",))
    first = match([], [ours], Policy(), datetime(2026, 11, 20, 9, tzinfo=UTC))
    assert (first.waiting_items, first.breaks) == (("pay_1",), ())
    theirs = row(at=datetime(2026, 11, 20, 0, 1, tzinfo=UTC), external_id="c")
    second = match([theirs], [ours], Policy(), datetime(2026, 11, 21, 9, tzinfo=UTC))
    assert len(second.matches) == 1
    assert (second.breaks, second.waiting_items) == ((), ())


@pytest.mark.parametrize(
    ("day", "is_break"),
    [
        (18, False),  # Wednesday, two business days before the Friday
        (17, True),
    ],
)
def test_what_is_alone_waits_so_many_business_days(day: int, is_break: bool) -> None:
    at = datetime(2026, 11, day, 23, 59, tzinfo=UTC)
    told = outcome([row(at=at, external_id="c")], [item(at=at)])
    assert len(told.breaks) == (2 if is_break else 0)
    assert bool(told.waiting_rows) is bool(told.waiting_items) is not is_break


def test_days_begin_at_midnight_of_the_source() -> None:
    late = datetime(2026, 11, 17, 17, tzinfo=UTC)  # 01:00 of the 18th in Shanghai
    assert outcome([row(at=late)], [], Policy()).breaks
    assert outcome([row(at=late)], [], Policy(zone=SHANGHAI)).waiting_rows == ("f:1",)


def test_a_row_with_only_a_value_date_waits_by_that() -> None:
    assert outcome([row(at=None, value_date=date(2026, 11, 19))], []).waiting_rows == ("f:1",)
    assert outcome([row(at=None, value_date=date(2026, 11, 10))], []).breaks


def test_what_has_no_day_has_waited_long_enough() -> None:
    assert len(outcome([row(at=None)], [item(at=None)]).breaks) == 2


def test_an_instant_without_a_zone_is_none() -> None:
    with pytest.raises(AssertionError, match="no zone"):
        outcome([row(at=NOW.replace(tzinfo=None))], [])


def test_an_item_whose_row_is_announced_waits_with_it() -> None:
    told = outcome(
        [row(kind="credit", external_id="b", posted=False, at=LATELY)], [item("x", 10_00, "b", kind="credit")]
    )
    assert (told.waiting_rows, told.waiting_items, told.breaks) == (("f:1",), ("x",), ())


def test_a_batch_that_does_not_add_up_yet_waits_for_the_rest_of_it() -> None:
    told = outcome([row(gross=8, kind="credit", batch="b", at=LATELY)], [item("i", 10, batch="b")])
    assert (told.waiting_rows, told.waiting_items, told.breaks) == (("f:1",), ("i",), ())


def test_days_are_counted_by_the_calendar() -> None:
    days = BusinessDays(Calendar(holidays=frozenset({date(2026, 12, 25), date(2026, 12, 26), date(2026, 12, 28)})))
    numbers = [days.number(date(2026, 12, day)) for day in range(23, 31)]
    # Wed 23, Thu 24, Fri 25 holiday, Sat, Sun, Mon 28 holiday, Tue 29, Wed 30
    assert [number - numbers[0] for number in numbers] == [0, 1, 2, 2, 2, 2, 2, 3]


@pytest.mark.parametrize("calendar", [EVERY_DAY, Calendar(), Calendar(weekend=frozenset({4, 5}))])
def test_a_year_of_days_is_numbered_without_gaps(calendar: Calendar) -> None:
    first, days = date(2026, 1, 1), BusinessDays(calendar)
    for one in (first + timedelta(days=n) for n in range(400)):
        step = days.number(one + timedelta(days=1)) - days.number(one)
        assert step == (one.weekday() not in calendar.weekend)


def test_a_policy_that_means_nothing_is_refused() -> None:
    with pytest.raises(AssertionError, match="without any limit"):
        Tolerance(None)
    with pytest.raises(AssertionError, match="subset_units"):
        Policy(subset_units=17)
    with pytest.raises(AssertionError, match="without business days"):
        BusinessDays(Calendar(weekend=frozenset(range(7))))


def test_what_may_be_shown_or_not_is_matched_by_its_name_and_else_missed_by_nobody() -> None:
    old = NOW - timedelta(days=40)
    ours = item(at=old, state="optional", our_references=("pay_1-1",))
    assert outcome([], [ours]).breaks == ()
    assert len(outcome([row(at=old, our_reference="pay_1-1")], [ours]).matches) == 1
