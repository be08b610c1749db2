"""Period checks: each kind of work that is not settled keeps its period open, and no other one."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple

import pytest
from msgspec.structs import asdict
from psycopg import Connection

from commands.accounts import OpenAccount
from commands.periods import ClosePeriod
from commands.transfers import PlaceHold, PostTransfer
from ledger.periods import period_of, start_of
from ledger.store.connection import Database, in_book
from projections.period_checks import open_work
from tests.projections.reading import Reader
from tests.writing import Pen, fresh, pen

NOW = period_of(datetime.now(UTC))
BEFORE = period_of(start_of(NOW) - timedelta(days=1))
LONG_AGO = "2001-02"
NOTHING: dict[str, Any] = {
    "payments_unknown": 0,
    "payouts_unknown": 0,
    "breaks_open": 0,
    "reconciliations_running": 0,
    "files_being_read": 0,
    "approvals_pending": 0,
    "accounts_with_holds": 0,
    "earlier_period_open": False,
}


class Row(NamedTuple):
    """A row of a view, to be put there with a status: one of what is not settled, and one of what is."""

    statement: LiteralString
    unsettled: str
    settled: str


# `1` is the position of the first event.
ROWS = {
    "payments_unknown": Row(
        """INSERT INTO {schema}.order_status (payment, position, merchant, order_reference, status, state)
           VALUES ('pay_1', 1, 'm', 'o', %s, '')""",
        "unknown",
        "succeeded",
    ),
    "payouts_unknown": Row(
        """INSERT INTO {schema}.payouts (payout, position, source, party, status, state)
           VALUES ('po_1', 1, 'merchant', 'm', %s, '')""",
        "unknown",
        "paid",
    ),
    "breaks_open": Row(
        """INSERT INTO {schema}.reconciliation_breaks
                  (break, position, source, account, type, status, since, currency, at_risk, state)
           VALUES ('brk_1', 1, 's', 'a', 't', %s, now() AT TIME ZONE 'UTC', 'EUR', 1, '')""",
        "proposed",
        "written_off",
    ),
    "reconciliations_running": Row(
        """INSERT INTO {schema}.reconciliation_runs (run, position, source, account, status, state)
           VALUES ('run_1', 1, 's', 'a', %s, '')""",
        "running",
        "completed",
    ),
    "files_being_read": Row(
        """INSERT INTO {schema}.report_files (file, position, source, account, status, view)
           VALUES ('file_1', 1, 's', 'a', %s, '')""",
        "reading",
        "imported",
    ),
    "approvals_pending": Row(
        """INSERT INTO {schema}.approvals (approval, position, kind, status, period, expires_at, state)
           VALUES ('apr_1', 1, 'k', %s, to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM'), now() + interval '1 day', '')""",
        "pending",
        "executed",
    ),
}
# What runs or is read in is not of one month.
_OF_ALL_TIMES = {"reconciliations_running", "files_being_read"}


@pytest.fixture
def writer(database: Database, book: str) -> Iterator[Pen]:
    with pen(database, book) as held:
        held.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        held.do(OpenAccount("owed", "Owed", "liability", "EUR"))
        yield held


@pytest.fixture
def owner(database: Database, writer: Pen) -> Iterator[Connection]:
    with database.owner() as connection:
        connection.autocommit = True
        yield connection


@pytest.fixture
def work(reader: Reader, writer: Pen) -> Callable[[str], dict[str, Any]]:
    """What is not settled at the end of a period."""
    return lambda period: asdict(reader.ask(open_work, period))


@pytest.mark.parametrize("check", ROWS)
def test_what_is_not_settled_keeps_its_own_period_open(
    book: str, owner: Connection, work: Callable[[str], dict[str, Any]], check: str
) -> None:
    statement, unsettled, _ = ROWS[check]
    owner.execute(in_book(statement, book), (unsettled,))
    assert work(NOW) == NOTHING | {check: 1}
    if check not in _OF_ALL_TIMES:
        assert work(LONG_AGO) == NOTHING


@pytest.mark.parametrize("check", ROWS)
def test_what_is_settled_does_not(
    book: str, owner: Connection, work: Callable[[str], dict[str, Any]], check: str
) -> None:
    statement, _, settled = ROWS[check]
    owner.execute(in_book(statement, book), (settled,))
    assert work(NOW) == NOTHING


def test_an_approval_that_nobody_can_give_any_more_keeps_nothing_open(
    book: str, owner: Connection, work: Callable[[str], dict[str, Any]]
) -> None:
    owner.execute(in_book(ROWS["approvals_pending"].statement, book), ("pending",))
    owner.execute(in_book("UPDATE {schema}.approvals SET expires_at = now()", book))
    assert work(NOW) == NOTHING


def test_money_on_hold_is_told(writer: Pen, work: Callable[[str], dict[str, Any]]) -> None:
    writer.do(PlaceHold(fresh("hold_"), "cash", "owed", 5, "EUR"))
    assert work(NOW) == NOTHING | {"accounts_with_holds": 2}


def test_an_earlier_period_that_is_open_is_told_where_there_is_something_in_it(
    book: str, owner: Connection, writer: Pen, work: Callable[[str], dict[str, Any]]
) -> None:
    assert not work(NOW)["earlier_period_open"]
    at = start_of(BEFORE)
    writer.do(PostTransfer(fresh("ent_"), "cash", "owed", 5, "EUR", at))
    owner.execute(
        in_book(
            "INSERT INTO {schema}.postings (account, position, leg, is_debit, amount, posted_debits, posted_credits,"
            " effective_at, recorded_at) VALUES ('cash', 3, 0, true, 5, 5, 0, %s, now())",
            book,
        ),
        (at,),
    )
    assert work(NOW)["earlier_period_open"]
    assert not work(BEFORE)["earlier_period_open"], "before that there is nothing"
    writer.do(ClosePeriod(BEFORE, "done"))
    assert not work(NOW)["earlier_period_open"]
