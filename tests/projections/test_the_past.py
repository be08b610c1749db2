"""Balances, statements and trial balances of any time, as known at any time, against the whole log added up."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import Connection

from ledger.errors import NotCaughtUp, PositionNotReached
from ledger.store.connection import Database, in_book
from ledger.store.positions import position_before
from projections.balances import Balance, balance
from projections.entries import entries
from projections.moments import BEGINNING, END, just_after
from projections.statements import StatementLine, statement
from projections.trial_balance import trial_balance
from tests.projections.brute_force import Past
from tests.projections.days_work import ACCOUNTS, DaysWork, open_accounts
from tests.projections.reading import Reader, catch_up, reading
from tests.writing import pen, read_log


@pytest.fixture(scope="module")
def worked_in(database: Database, make_book: Callable[[], str]) -> str:
    """A book with a day's work in it; its views are caught up."""
    book = make_book()
    with pen(database, book) as held:
        open_accounts(held)
        DaysWork(held, seed=7).do(600)
    catch_up(database, book)
    return book


@pytest.fixture(scope="module")
def reader(database: Database, worked_in: str) -> Iterator[Reader]:
    with reading(database, worked_in) as held:
        yield held


@pytest.fixture(scope="module")
def past(database_url: str, worked_in: str) -> Past:
    """The same book by brute force."""
    with Connection.connect(database_url, autocommit=True) as connection:
        return Past(read_log(connection, worked_in))


accounts = st.sampled_from(sorted(ACCOUNTS))
nth = st.integers(0, 10_000)
nudges = st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1), timedelta(days=-1)])
# Which of the moments, and how far beside it; None: not asked for.
moments = st.none() | st.tuples(nth, nudges)
known = st.none() | nth | st.tuples(nth, nudges)


def moment_in(past: Past, drawn: tuple[int, timedelta] | None) -> datetime | None:
    found = past.moments()
    return None if drawn is None else found[drawn[0] % len(found)] + drawn[1]


def known_in(past: Past, drawn: int | tuple[int, timedelta] | None) -> int | datetime | None:
    return drawn % (len(past.log) + 1) if isinstance(drawn, int) else moment_in(past, drawn)


@settings(max_examples=200)
@given(account=accounts, as_of=moments, known_at=known)
def test_a_balance_of_any_time_is_what_the_log_adds_up_to(
    reader: Reader,
    past: Past,
    account: str,
    as_of: tuple[int, timedelta] | None,
    known_at: int | tuple[int, timedelta] | None,
) -> None:
    when, knowing = moment_in(past, as_of), known_in(past, known_at)
    position = past.position_at(knowing)
    debits, credits_ = past.turnover(account, when, position)
    held, announced = past.pending(account, when, position)
    sign = past.sign(account)
    found = reader.ask(balance, account, as_of=when, known_at=knowing)
    assert isinstance(found, Balance)
    assert (found.posted.debits, found.posted.credits, found.posted.balance) == (
        debits,
        credits_,
        sign * (debits - credits_),
    )
    assert (found.pending.debits, found.pending.credits) == (held, announced)
    assert found.available == sign * (debits - credits_) - (announced if sign == 1 else held)
    assert found.position == position


@settings(max_examples=200)
@given(
    account=accounts,
    begin=moments,
    end=moments,
    known_at=known,
    page=st.sampled_from([1, 2, 7, 1_000]),
)
def test_a_statement_has_every_line_in_the_order_of_effect_with_the_balance_after_it(
    reader: Reader,
    past: Past,
    account: str,
    begin: tuple[int, timedelta] | None,
    end: tuple[int, timedelta] | None,
    known_at: int | tuple[int, timedelta] | None,
    page: int,
) -> None:
    since, until = moment_in(past, begin) or BEGINNING, moment_in(past, end) or END
    knowing = known_in(past, known_at)
    position = past.position_at(knowing)
    sign, total, before, expected = past.sign(account), 0, 0, []
    for row in past.known(account, None, position):
        total += sign * row.net
        if row.effective_at < since:
            before = total
        elif row.effective_at < until:
            expected.append((row.entry_id, row.position, row.effective_at, row.recorded_at, row.net, total))

    found = reader.ask(statement, account, since=since, until=until, known_at=knowing, limit=page)
    assert found is not None
    assert (found.opening_balance, found.position) == (before, position)
    lines = list[StatementLine](found.lines)
    # A page is asked for as the one before said; for long statements the first three pages will do.
    for _ in range(1_000 if page > 1 else 3):
        if found.next is None:
            break
        closing = found.closing_balance
        found = reader.ask(
            statement, account, since=since, until=until, known_at=found.position, after=found.next, limit=page
        )
        assert found is not None
        assert found.opening_balance == closing
        lines += found.lines
    assert [
        (
            line.entry_id,
            line.position,
            line.effective_at,
            line.recorded_at,
            line.amount if line.direction == "debit" else -line.amount,
            line.balance_after,
        )
        for line in lines
    ] == expected[: len(lines)]
    assert found.next is not None or len(lines) == len(expected)


@settings(max_examples=60)
@given(as_of=moments, known_at=known)
def test_a_trial_balance_of_any_time_is_zero_and_the_sum_of_its_accounts(
    reader: Reader, past: Past, as_of: tuple[int, timedelta] | None, known_at: int | tuple[int, timedelta] | None
) -> None:
    when, knowing = moment_in(past, as_of), known_in(past, known_at)
    position = past.position_at(knowing)
    found = reader.ask(trial_balance, as_of=when, known_at=knowing)
    assert found.position == position
    assert {totals.difference for totals in found.currencies.values()} <= {0}
    assert [(row.account, row.kind, row.currency, row.debits, row.credits, row.balance) for row in found.accounts] == [
        (name, opened.kind, opened.currency, debits, credits_, past.sign(name) * (debits - credits_))
        for name, (opened_at, opened) in sorted(past.opened.items())
        if opened_at <= position
        for debits, credits_ in [past.turnover(name, when, position)]
    ]
    for currency, totals in found.currencies.items():
        assert totals.debits == sum(row.debits for row in found.accounts if row.currency == currency)


def test_at_every_position_of_the_log_the_trial_balance_is_zero_and_the_sum_of_what_was_posted(
    reader: Reader, past: Past
) -> None:
    posted: Counter[str] = Counter()
    rows = sorted(past.rows, key=lambda row: row.position)
    for position in range(len(past.log) + 1):
        while rows and rows[0].position <= position:
            row = rows.pop(0)
            if row.is_debit:
                posted[past.opened[row.account][1].currency] += row.amount
        found = reader.ask(trial_balance, known_at=position)
        assert {totals.difference for totals in found.currencies.values()} <= {0}
        assert {currency: totals.debits for currency, totals in found.currencies.items() if totals.debits} == posted


def test_what_is_asked_here_is_answered_from_sorted_blocks_too(database: Database, worked_in: str) -> None:
    blocks = in_book("SELECT count(DISTINCT (account, block)) FROM {schema}.dated_back_blocks", worked_in)
    with database.connect() as connection:
        row = connection.execute(blocks).fetchone()
    assert row is not None
    assert row[0] >= 2


@settings(max_examples=100)
@given(
    account=st.none() | accounts,
    begin=moments,
    end=moments,
    min_amount=st.sampled_from([1, 20, 90]),
    page=st.sampled_from([1, 3, 50, 500]),
)
def test_entries_are_listed_once_in_the_order_of_the_log(
    reader: Reader,
    past: Past,
    account: str | None,
    begin: tuple[int, timedelta] | None,
    end: tuple[int, timedelta] | None,
    min_amount: int,
    page: int,
) -> None:
    since, until = moment_in(past, begin) or BEGINNING, moment_in(past, end) or END
    expected = sorted(
        {
            (row.position, row.entry_id)
            for row in past.rows
            if since <= row.effective_at < until and row.amount >= min_amount and account in (None, row.account)
        }
    )
    listed: list[tuple[int, str]] = []
    after: int | None = 0
    for _ in range(1_000 if page > 1 else 5):
        if after is None:
            break
        found = reader.ask(
            entries, account=account, since=since, until=until, min_amount=min_amount, after=after, limit=page
        )
        assert len(found.entries) <= page
        listed += [(one.position, one.id) for one in found.entries]
        after = found.next
    assert listed == expected[: len(listed)]
    assert after is not None or len(listed) == len(expected)


def test_the_position_before_any_moment_is_found_by_halves(reader: Reader, past: Past) -> None:
    for moment in past.moments():
        for asked in (moment, just_after(moment), moment - timedelta(microseconds=1)):
            assert reader.ask(position_before, asked) == sum(fact.recorded_at < asked for fact in past.log)
    assert reader.ask(position_before, BEGINNING) == 0
    assert reader.ask(position_before, END) == len(past.log)


def test_an_account_that_does_not_exist_has_no_balance_and_no_statement(reader: Reader) -> None:
    assert reader.ask(balance, "nobody") is None
    assert reader.ask(balance, "nobody", known_at=1) is None
    assert reader.ask(statement, "nobody") is None


def test_a_position_beyond_the_log_is_refused(reader: Reader, past: Past) -> None:
    for question in (balance, statement):
        with pytest.raises(PositionNotReached):
            reader.ask(question, "cash", known_at=len(past.log) + 1)
    with pytest.raises(PositionNotReached):
        reader.ask(trial_balance, known_at=len(past.log) + 1)


def test_a_position_that_a_view_has_yet_to_reach_is_not_caught_up(
    database: Database, reader: Reader, past: Past
) -> None:
    move = in_book(
        "UPDATE {schema}.projection_checkpoints SET position = %s WHERE projection = 'postings'", reader.book
    )
    with database.connect() as connection:
        connection.execute(move, (5,))
        try:
            with pytest.raises(NotCaughtUp):
                reader.ask(balance, "cash", known_at=6)
            found = reader.ask(balance, "cash", as_of=END)
            assert found is not None
            assert found.position == 5
        finally:
            connection.execute(move, (len(past.log),))


def test_nothing_in_the_views_takes_effect_after_it_is_recorded(database: Database, worked_in: str) -> None:
    wrong = in_book(
        "INSERT INTO {schema}.postings VALUES ('cash', 1, 0, true, 1, 1, 0, now() + interval '1 second', now())",
        worked_in,
    )
    with database.connect() as connection, pytest.raises(Exception, match="postings_never_in_the_future"):
        connection.execute(wrong)
