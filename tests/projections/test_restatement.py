"""What has changed about a month since it was reported, against the whole log added up twice."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import Connection

from commands.entries import ReverseEntry
from commands.transfers import PostTransfer
from ledger.errors import FieldInvalid, PositionNotReached
from ledger.ids import ENTRY, new_id
from ledger.journal import Direction
from ledger.periods import begin_of, end_of, period_of
from ledger.store.connection import Database
from projections.moments import just_after
from projections.restatement import Restated, RestatedAccount, Restatement, RestatingEntry, restatement
from tests.projections.brute_force import Past
from tests.projections.days_work import DaysWork, open_accounts
from tests.projections.reading import Reader, catch_up, reading
from tests.writing import Pen, pen, read_log


@pytest.fixture(scope="module")
def worked_in(database: Database, make_book: Callable[[], str]) -> str:
    """A book with a day's work in it, dated back into three months; its views are caught up."""
    book = make_book()
    with pen(database, book) as held:
        open_accounts(held)
        DaysWork(held, seed=21).do(250)
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


def all_pages(reader: Reader, period: str, reported: int | datetime, known: int | None, limit: int) -> Restatement:
    """The first page with the entries of all pages."""
    first = reader.ask(restatement, period, reported_at=reported, known_at=known, limit=limit)
    entries, page = list(first.entries), first
    for _ in range(1_000):
        if page.next is None:
            return Restatement(first.period, first.reported_position, first.position, first.accounts, entries, None)
        page = reader.ask(
            restatement,
            period,
            reported_at=first.reported_position,
            known_at=first.position,
            after=page.next,
            limit=limit,
        )
        assert page.accounts is None
        assert len(page.entries) <= limit
        entries += page.entries
    raise AssertionError("the list does not end")


Sides = tuple[int, int]


def sums(entries: list[RestatingEntry], takes_effect: str) -> dict[str, Sides]:
    """Debits and credits by account."""
    found: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for entry in entries:
        if entry.takes_effect == takes_effect:
            for posting in entry.postings:
                found[posting.account][posting.direction == Direction.CREDIT] += posting.amount
    return {account: (debits, credits_) for account, (debits, credits_) in found.items()}


def until(past: Past, account: str, moment: datetime, known: int) -> Sides:
    """Debits and credits with effect before a moment."""
    return past.turnover(account, moment - timedelta(microseconds=1), known)


def by_hand(past: Past, account: str, period: str, reported: int, known: int) -> RestatedAccount:
    """The account's line of the report, of two recounts of the log."""
    begin, end, opened = begin_of(period), end_of(period), past.opened[account][1]
    sign = past.sign(account)
    numbers = []
    for position in (reported, known):
        before, at_end = until(past, account, begin, position), until(past, account, end, position)
        opening, closing = sign * (before[0] - before[1]), sign * (at_end[0] - at_end[1])
        numbers.append((opening, at_end[0] - before[0], at_end[1] - before[1], closing))
    restated = [Restated(then, now, now - then) for then, now in zip(*numbers, strict=True)]
    return RestatedAccount(account, opened.kind, opened.currency, *restated)


@settings(max_examples=100)
@given(
    back=st.sampled_from([0, 0, 1, 2, 3]),
    positions=st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)),
    limit=st.sampled_from([3, 50, 500]),
)
def test_the_entries_listed_add_up_to_every_difference_and_to_nothing_else(
    worked_reader: Reader, past: Past, back: int, positions: tuple[int, int], limit: int
) -> None:
    period = period_of(past.log[-1].recorded_at)
    for _ in range(back):
        period = period_of(begin_of(period) - timedelta(days=1))
    size = len(past.log)
    reported, known = sorted(position % (size + 1) for position in positions)
    found = all_pages(worked_reader, period, reported, known, limit)

    assert (found.period, found.reported_position, found.position) == (period, reported, known)
    expected = sorted(
        {
            (row.position, row.entry_id, "in_period" if row.effective_at >= begin_of(period) else "before_period")
            for row in past.rows
            if reported < row.position <= known and row.effective_at < end_of(period)
        }
    )
    assert [(entry.position, entry.id, entry.takes_effect) for entry in found.entries] == expected

    within, before = sums(found.entries, "in_period"), sums(found.entries, "before_period")
    assert found.accounts is not None
    assert [one.account for one in found.accounts] == sorted(within.keys() | before.keys())
    for one in found.accounts:
        assert one == by_hand(past, one.account, period, reported, known)
        debits, credits_ = within.get(one.account, (0, 0))
        early_debits, early_credits = before.get(one.account, (0, 0))
        assert (one.debits.difference, one.credits.difference) == (debits, credits_)
        brought_forward = past.sign(one.account) * (early_debits - early_credits)
        assert one.opening_balance.difference == brought_forward
        assert one.closing_balance.difference == brought_forward + past.sign(one.account) * (debits - credits_)
    for account in past.opened.keys() - {one.account for one in found.accounts}:
        unchanged = by_hand(past, account, period, reported, known)
        assert unchanged.debits.difference == unchanged.credits.difference == 0
        assert unchanged.opening_balance.difference == 0


def test_an_entry_says_why_it_changed_a_month_and_who_did_it(
    held: Pen, reader: Reader, keep_up: Callable[[], object]
) -> None:
    march, april = datetime(2026, 3, 31, 16, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    sale, mistake, later = new_id(ENTRY), new_id(ENTRY), new_id(ENTRY)
    held.do(PostTransfer(mistake, "cash", "fees", 700, "EUR", march))
    reported = held.do(PostTransfer(new_id(ENTRY), "cash", "fees", 1, "EUR", april)).position
    held.do(PostTransfer(sale, "cash", "fees", 250, "EUR", march, "slip-88", "the slip came late"))
    held.do(ReverseEntry(new_id(ENTRY), mistake, "posted twice", None, "original"))
    held.do(PostTransfer(later, "cash", "fees", 9, "EUR", april))
    keep_up()
    found = reader.ask(restatement, "2026-03", reported_at=reported)
    late, reversal = found.entries
    assert (late.id, late.why, late.reference, late.reverses) == (sale, "the slip came late", "slip-88", None)
    assert (reversal.why, reversal.reverses, reversal.topic) == ("posted twice", mistake, "entries.reversal_posted.v1")
    assert {entry.who for entry in found.entries} == {"key_tests"}
    assert found.accounts is not None
    cash = {one.account: one for one in found.accounts}["cash"]
    assert (cash.debits, cash.credits) == (Restated(700, 950, 250), Restated(0, 700, 700))
    assert cash.closing_balance == Restated(700, 250, -450)
    # In April what was brought forward has changed, and its own sale.
    april_report = reader.ask(restatement, "2026-04", reported_at=reported)
    assert [entry.takes_effect for entry in april_report.entries] == ["before_period", "before_period", "in_period"]


def test_a_report_may_be_named_by_its_time(held: Pen, reader: Reader, keep_up: Callable[[], object]) -> None:
    march = datetime(2026, 3, 5, tzinfo=UTC)
    position = held.do(PostTransfer(new_id(ENTRY), "cash", "fees", 1, "EUR", march)).position
    keep_up()
    told = reader.ask(restatement, "2026-03", reported_at=0)
    recorded = told.entries[-1].recorded_at
    held.do(PostTransfer(new_id(ENTRY), "cash", "fees", 2, "EUR", march))
    keep_up()
    by_time = reader.ask(restatement, "2026-03", reported_at=recorded)
    assert by_time.reported_position == position
    assert [entry.postings[0].amount for entry in by_time.entries] == [2]
    before = recorded - timedelta(microseconds=1)
    assert reader.ask(restatement, "2026-03", reported_at=before).reported_position < position
    assert reader.ask(restatement, "2026-03", reported_at=just_after(recorded)).reported_position == position


def test_a_report_is_looked_back_at_and_not_forward_to(worked_reader: Reader, past: Past) -> None:
    with pytest.raises(FieldInvalid, match="later than it is looked back at"):
        worked_reader.ask(restatement, "2026-03", reported_at=8, known_at=7)
    with pytest.raises(PositionNotReached):
        worked_reader.ask(restatement, "2026-03", reported_at=len(past.log) + 1)
