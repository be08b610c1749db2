"""Replay: a book made anew from its log beside the live one, and every row found that does not follow from the log."""

import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import LiteralString

import pytest
from psycopg import sql

from commands.accounts import ChangeLimits, OpenAccount
from commands.transfers import PostTransfer
from ledger.ids import ENTRY, new_id
from ledger.store.connection import APPLICATION_ROLE, Database, in_book
from ledger.store.schema import schema_of
from projections import replay as replaying
from projections.inline_state import InlineState
from projections.rebuild import RebuildReport, rebuild
from projections.register import BY_NAME, PROJECTIONS
from projections.replay import PositionNotThere, ReplayReport, replay
from projections.replay_comparison import NOT_KNOWN, Comparison, Seen, TableCompared
from projections.runner import BookRunner
from projections.scratch_schemas import BadSchemaName
from tests.projections.keeping import following, writing
from tests.projections.mixed_work import MixedWork, begin
from tests.projections.reading import catch_up
from tests.projections.rows import TABLES, all_rows, positions
from tests.writing import pen

INLINE = ("balances", "entry_references", "closed_periods")
# It takes many more entries that are dated back than the mixed work has.
EMPTY = {"dated_back_blocks"}


@pytest.fixture(scope="module")
def mixed(database: Database, make_book: Callable[[], str]) -> str:
    """A book in which everything has happened, its views caught up. Nobody changes it."""
    book = make_book()
    with pen(database, book) as held:
        begin(held)
        MixedWork(held, 5).do(50)
        # Limits that the balance does not keep: the mark of it is a part of the row.
        held.do(OpenAccount("cramped", "Cramped", "asset", "EUR"))
        held.do(ChangeLimits("cramped", 1_000, None))
    catch_up(database, book)
    return book


@pytest.fixture
def own(database: Database, mixed: str, book: str) -> str:
    """The same, row by row, to be changed."""
    with database.owner() as connection, connection.transaction():
        for (table,) in connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'", (schema_of(mixed),)
        ).fetchall():
            there, here = sql.Identifier(schema_of(mixed), table), sql.Identifier(schema_of(book), table)
            connection.execute(sql.SQL("DELETE FROM {}").format(here))
            connection.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(here, there))
    return book


def schemas(database: Database) -> set[str]:
    """Those that replays have made."""
    with database.owner() as connection:
        rows = connection.execute("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'replay_')").fetchall()
    return {name for (name,) in rows}


def tamper(database: Database, book: str, statement: LiteralString) -> None:
    with database.owner() as connection:
        assert connection.execute(in_book(statement, book)).rowcount == 1


def by_table(report: ReplayReport) -> dict[str, TableCompared]:
    return {table.table: table for table in report.tables}


# --- the whole log


def test_a_mixed_book_replays_to_the_same_rows_in_every_table(database: Database, mixed: str) -> None:
    before = all_rows(database, mixed)
    seen: list[tuple[int, int]] = []
    report = replay(database, mixed, progress=lambda done, total: seen.append((done, total)))
    head = positions(database, mixed)["log"]
    assert report.is_equal, report
    assert (report.position, report.head, report.schema) == (head, head, None)
    assert seen[-1] == (head, head)
    found = by_table(report)
    assert found.keys() == {*TABLES, *INLINE}
    assert {table: one.live_rows for table, one in found.items() if table in TABLES} == {
        table: len(rows) for table, rows in before.items()
    }
    assert {(one.position, one.by) for one in report.tables} == {(head, "all rows")}
    assert {table for table in TABLES if not found[table].live_rows} <= EMPTY
    assert {currency: sums.is_equal for currency, sums in report.trial_balance.items()} == {"EUR": True, "USD": True}
    assert all_rows(database, mixed) == before
    assert schemas(database) == set()


def test_every_table_of_the_book_is_compared_or_named_with_the_reason(database: Database, mixed: str) -> None:
    for to in (None, 100):
        report = replay(database, mixed, to=to)
        with database.owner() as connection:
            rows = connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r'",
                (schema_of(mixed),),
            ).fetchall()
        compared = set(by_table(report))
        assert compared | report.not_compared.keys() == {name for (name,) in rows}
        assert not compared & report.not_compared.keys()
        assert NOT_KNOWN not in report.not_compared.values(), "a new table: is it made from the log, or why not?"


_OTHER_AMOUNT: LiteralString = (
    "UPDATE {schema}.postings SET amount = 987654 WHERE (account, position, leg) ="
    " (SELECT account, position, leg FROM {schema}.postings WHERE position >= 100 ORDER BY 2, 3 LIMIT 1)"
)
WRONGS: list[tuple[str, LiteralString, str, str]] = [
    ("postings", _OTHER_AMOUNT, "987654", "("),
    (
        "order_status",
        "UPDATE {schema}.order_status SET status = 'nonsense' WHERE payment = 'pay_0'",
        "nonsense",
        "pay_0",
    ),
    ("risk_lists", "INSERT INTO {schema}.risk_lists VALUES ('block', 'ip', 'x', '', '', now(), NULL, 3)", "block", ""),
    (
        "payouts",
        "DELETE FROM {schema}.payouts WHERE position = (SELECT min(position) FROM {schema}.payouts)",
        "",
        "po_",
    ),
    ("balances", "UPDATE {schema}.balances SET outside_limits = true WHERE account = 'ann'", "(ann", "(ann"),
    ("balances", "UPDATE {schema}.balances SET max_balance = 999999999 WHERE account = 'ann'", "999999999", "ann"),
    ("balances", "UPDATE {schema}.balances SET last_position = 3 WHERE account = 'ann'", "last_position 3", ""),
    ("entry_references", "INSERT INTO {schema}.entry_references VALUES ('mine', 'ent_1')", "mine", ""),
    ("closed_periods", "INSERT INTO {schema}.closed_periods VALUES ('2026-02')", "2026-02", ""),
    ("closed_periods", "DELETE FROM {schema}.closed_periods", "", "2026-01"),
]


@pytest.mark.parametrize(("table", "statement", "live", "replayed"), WRONGS)
def test_a_row_that_does_not_follow_from_the_log_is_found_and_shown(
    database: Database, own: str, table: str, statement: LiteralString, live: str, replayed: str
) -> None:
    tamper(database, own, statement)
    report = replay(database, own)
    assert not report.is_equal
    (wrong,) = [one for one in report.tables if not one.is_equal]
    assert wrong.table == table
    assert bool(wrong.only_live) == bool(live)
    assert live in "".join(wrong.only_live)
    assert replayed in "".join(wrong.only_replayed)
    assert len(wrong.only_live) <= 1
    assert schemas(database) == set()


def test_at_most_five_rows_of_each_side_are_shown_however_many_differ(database: Database, own: str) -> None:
    with database.owner() as connection:
        connection.execute(in_book("UPDATE {schema}.postings SET leg = leg + 1000", own))
    (wrong,) = [one for one in replay(database, own).tables if not one.is_equal]
    assert (len(wrong.only_live), len(wrong.only_replayed)) == (5, 5)
    assert all(",10" in row for row in wrong.only_live)


def test_balances_that_are_wrong_together_are_told_by_the_trial_balance_too(database: Database, own: str) -> None:
    tamper(database, own, "UPDATE {schema}.balances SET posted_debits = posted_debits + 1 WHERE account = 'cash'")
    report = replay(database, own)
    assert report.trial_balance["EUR"].live.difference == 1
    assert report.trial_balance["EUR"].replayed.difference == 0
    assert not report.is_equal


def test_each_view_is_compared_where_it_stands(database: Database, own: str) -> None:
    then = positions(database, own)["log"]
    with pen(database, own) as held:
        MixedWork(held, 6, "b").do(10)
    catch_up(database, own, (BY_NAME["postings"],))
    head = positions(database, own)["log"]
    report = replay(database, own)
    assert report.is_equal
    places = {table: one.position for table, one in by_table(report).items()}
    assert places == dict.fromkeys(TABLES, then) | dict.fromkeys((*INLINE, "postings"), head)


def test_a_book_with_nothing_in_it_replays_to_nothing(database: Database, book: str) -> None:
    assert replay(database, book).is_equal
    assert replay(database, book, to=0).is_equal


def test_replays_under_write_load_are_equal(database: Database, own: str) -> None:
    with following(database), writing(database, own, size=50, pause_s=0.05):
        reports = [replay(database, own) for _ in range(3)]
    assert all(report.is_equal for report in reports), reports
    assert [report.position for report in reports] == sorted({report.position for report in reports})


def test_batches_that_were_recorded_in_the_same_microsecond_are_told_apart_by_nobody(
    database: Database, own: str
) -> None:
    """The clock went back: times stand still until it has caught up, and where a batch ended is not known."""
    with pen(database, own) as held:
        for _ in range(3):
            held.do(PostTransfer(new_id(ENTRY), "cash", "bob", 1, "EUR"))
            held.do(PostTransfer(new_id(ENTRY), "till", "carl", 1, "USD"))
    with database.owner() as connection:
        connection.execute(
            in_book(
                "UPDATE {schema}.events SET recorded_at = (SELECT recorded_at FROM {schema}.log_head)"
                " WHERE notification_id > (SELECT position - 6 FROM {schema}.log_head)",
                own,
            )
        )
    catch_up(database, own)
    assert replay(database, own).is_equal


# --- up to a position of the past


def test_the_past_is_compared_as_far_as_the_live_book_tells_it(database: Database, mixed: str) -> None:
    head = positions(database, mixed)["log"]
    growing = {table for view in PROJECTIONS for table in view.growing}
    for to in [1, *sorted(random.Random(7).sample(range(2, head), 6)), head - 1]:
        report = replay(database, mixed, to=to)
        assert report.is_equal, report
        found = by_table(report)
        assert found.keys() == {*growing, "balances", "entry_references"}
        assert {one.position for one in report.tables} == {to}
        assert found["balances"].by == "as it is known at that position"
        with database.connect() as connection:
            rows = connection.execute(
                in_book("SELECT count(*) FROM {schema}.postings WHERE position <= %s", mixed), (to,)
            ).fetchone()
        assert rows == (found["postings"].replayed_rows,)
        assert "only its rows of now are kept" in report.not_compared["order_status"]


def test_what_was_changed_behind_the_position_is_not_looked_at_and_what_was_before_it_is(
    database: Database, own: str
) -> None:
    tamper(
        database,
        own,
        "UPDATE {schema}.postings SET posted_debits = posted_debits + 1 WHERE (account, position, leg) ="
        " (SELECT account, position, leg FROM {schema}.postings WHERE position > 300 ORDER BY 2, 3 LIMIT 1)",
    )
    assert replay(database, own, to=300).is_equal
    report = replay(database, own, to=positions(database, own)["log"] - 1)
    assert not by_table(report)["postings"].is_equal


def test_balances_of_the_past_are_held_against_the_replayed_ones(database: Database, own: str) -> None:
    with database.owner() as connection:
        connection.execute(in_book("DELETE FROM {schema}.pending_turnover", own))
    report = replay(database, own, to=300)
    assert {one.table for one in report.tables if not one.is_equal} == {"balances", "pending_turnover"}
    assert report.trial_balance["EUR"].is_equal


def test_views_that_have_not_come_so_far_cannot_tell_balances_of_the_past(database: Database, own: str) -> None:
    with pen(database, own) as held:
        for _ in range(3):
            held.do(PostTransfer(new_id(ENTRY), "cash", "bob", 1, "EUR"))
    report = replay(database, own, to=positions(database, own)["log"] - 1)
    assert report.is_equal
    assert report.not_compared["balances"] == "the live views have not come so far"
    assert report.trial_balance == {}


def test_a_position_that_the_log_does_not_have_is_said_to_be_none(database: Database, mixed: str) -> None:
    head = positions(database, mixed)["log"]
    for to in (-1, head + 1):
        with pytest.raises(PositionNotThere, match=f"ends at {head}"):
            replay(database, mixed, to=to)


def test_rows_of_growing_tables_are_never_changed_and_say_their_position(database: Database, mixed: str) -> None:
    """What makes them comparable at a position of the past; the rights of the application are the guard of it."""
    if database.role != APPLICATION_ROLE:
        pytest.skip("the user of DATABASE_URL may not make the application's role")
    growing = [table for view in PROJECTIONS for table in view.growing]
    assert {"postings", "pending_turnover", "audit_links"} <= {*growing}
    with database.owner() as connection:
        for table in growing:
            name = f"{schema_of(mixed)}.{table}"
            may = [
                connection.execute("SELECT has_table_privilege(%s, %s, %s)", (APPLICATION_ROLE, name, right)).fetchone()
                for right in ("INSERT", "UPDATE", "DELETE")
            ]
            assert may == [(True,), (False,), (False,)], table
            assert connection.execute(sql.SQL("SELECT max(position) FROM {}").format(sql.SQL(name))).fetchone()


# --- beside others


def test_what_is_kept_has_every_view_at_the_position_and_stays(database: Database, mixed: str) -> None:
    with database.owner() as connection:
        try:
            report = replay(database, mixed, to=250, keep="looked_at")
            assert report.schema == "looked_at"
            places = connection.execute("SELECT projection, position FROM looked_at.projection_checkpoints").fetchall()
            assert dict(places) == dict.fromkeys(BY_NAME, 250)
            assert connection.execute("SELECT position FROM looked_at.log_head").fetchone() == (250,)
            live = connection.execute(
                in_book("SELECT * FROM {schema}.audit_links WHERE position <= 250 ORDER BY 1, 2", mixed)
            ).fetchall()
            assert connection.execute("SELECT * FROM looked_at.audit_links ORDER BY 1, 2").fetchall() == live
            with pytest.raises(BadSchemaName, match="already"):
                replay(database, mixed, keep="looked_at")
            replay(database, mixed, to=1)
            assert connection.execute("SELECT to_regclass('looked_at.postings') IS NOT NULL").fetchone() == (True,)
        finally:
            connection.execute("DROP SCHEMA IF EXISTS looked_at CASCADE")


@pytest.mark.parametrize("name", ["book_main", "pg_mine", "public", "ledger_control", "Mine", "", "a" * 64, "x;drop"])
def test_names_that_belong_to_others_are_not_taken(database: Database, mixed: str, name: str) -> None:
    with pytest.raises(BadSchemaName):
        replay(database, mixed, keep=name)


def test_a_rebuild_swaps_no_table_away_while_it_is_compared(
    database: Database, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that came in after the snapshot would look empty in it."""
    inline = Comparison.inline
    rebuilt: list[Future[RebuildReport]] = []

    def inline_while_rebuilding(self: Comparison, seen: Seen, until: int) -> object:
        rebuilt.append(threads.submit(rebuild, database, own, "postings"))
        time.sleep(1)
        assert not rebuilt[0].done()
        return inline(self, seen, until)

    monkeypatch.setattr(Comparison, "inline", inline_while_rebuilding)
    with ThreadPoolExecutor() as threads:
        assert replay(database, own).is_equal
        assert rebuilt[0].result(timeout=30).is_equal


def test_a_projection_that_fails_leaves_no_schema_behind(
    database: Database, mixed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InlineState, "write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        replay(database, mixed, keep="never")
    with database.owner() as connection:
        assert connection.execute("SELECT FROM pg_namespace WHERE nspname = 'never'").fetchone() is None
    assert schemas(database) == set()


def test_pages_end_where_a_view_is_to_end(database: Database, own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views that stand apart are each replayed to their own place, whatever a page holds."""
    runner = BookRunner(own, (BY_NAME["holds"],))
    with pen(database, own) as held:
        MixedWork(held, 8, "c").do(20)
    with database.connect() as connection:
        runner.step(connection)
    for size in (1_000, 7):
        monkeypatch.setattr(replaying, "PAGE", size)
        assert replay(database, own).is_equal
