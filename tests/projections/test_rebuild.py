"""Rebuild: beside the live rows, compared with them, and in their place without anybody noticing."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString

import pytest
from psycopg import Connection

from commands.accounts import ChangeLimits, CloseAccount, FreezeAccount, OpenAccount, UnfreezeAccount
from ledger.store import follow
from ledger.store.connection import Database, in_book
from ledger.store.migrate import create_book, migrate_control
from ledger.store.schema_sql import schema_sql
from projections import rebuild as rebuilding
from projections.balances import balance
from projections.freshness import LOG, checkpoints
from projections.postings import Postings
from projections.rebuild import RebuildOvertaken, RebuildReport, UnknownProjection, rebuild
from projections.recount import Difference, compare_balances
from projections.register import BY_NAME
from projections.runner import BookRunner
from tests.projections.days_work import KINDS, DaysWork, open_accounts
from tests.projections.keeping import Stumbles, caught_up, following, writing
from tests.projections.reading import catch_up, reading
from tests.projections.rows import all_rows, check_views, positions, rows_of
from tests.writing import pen


@pytest.fixture
def kept(database: Database, book: str) -> str:
    """A book with a day's work, its views caught up."""
    with pen(database, book) as held:
        open_accounts(held)
        DaysWork(held, seed=2).do(150)
        held.do(ChangeLimits("bob", -1_000_000, 1_000_000))
        held.do(FreezeAccount("carl", "a question"))
        held.do(FreezeAccount("till", "a question"))
        held.do(UnfreezeAccount("till", "no more"))
        held.do(OpenAccount("box", "The box", "asset", "EUR", min_balance=0))
        held.do(CloseAccount("box", "not needed"))
    catch_up(database, book)
    return book


def tamper(database: Database, book: str, statement: LiteralString) -> None:
    with database.owner() as connection:
        assert connection.execute(in_book(statement, book)).rowcount == 1


@pytest.mark.parametrize("name", BY_NAME)
def test_a_rebuilt_view_has_the_same_rows_and_goes_on(database: Database, kept: str, name: str) -> None:
    before = all_rows(database, kept)
    seen: list[tuple[int, int]] = []
    report = rebuild(database, kept, name, progress=lambda done, total: seen.append((done, total)))
    head = positions(database, kept)["log"]
    assert report.is_equal
    assert report.swapped
    assert report.position == head
    assert {table.table: table.live_rows for table in report.tables} == {
        table: len(before[table]) for table in BY_NAME[name].tables
    }
    assert seen[-1] == (head, head)
    assert all_rows(database, kept) == before
    with pen(database, kept) as held:
        DaysWork(held, seed=9).do(30)
    catch_up(database, kept)
    check_views(database, kept)


def test_a_wrong_row_is_reported_and_mended(database: Database, kept: str) -> None:
    tamper(
        database,
        kept,
        "UPDATE {schema}.postings SET posted_debits = 12345 WHERE (account, position, leg) ="
        " (SELECT account, position, leg FROM {schema}.postings ORDER BY 1, 2, 3 LIMIT 1)",
    )
    for swap in (False, True):
        report = rebuild(database, kept, "postings", swap=swap)
        assert not report.is_equal
        (table,) = report.tables
        assert table.live_rows == table.rebuilt_rows
        assert len(table.only_live) == len(table.only_rebuilt) == 1
        assert "12345" in table.only_live[0]
        assert "12345" not in table.only_rebuilt[0]
    check_views(database, kept)


def test_missing_and_additional_rows_are_reported(database: Database, kept: str) -> None:
    tamper(database, kept, "INSERT INTO {schema}.audit_links VALUES ('nobody', 1)")
    (table,) = rebuild(database, kept, "audit_trail", swap=False).tables
    assert (table.live_rows - table.rebuilt_rows, table.only_live, table.only_rebuilt) == (1, ("(nobody,1)",), ())


def test_rebuilds_under_write_load_are_equal_and_readers_and_the_runner_survive_them(
    make_own: Callable[[], Database],
) -> None:
    own = make_own()
    with pen(own, "first") as held:
        open_accounts(held)
        DaysWork(held, seed=4).do(60)
    answers: list[int] = []
    stop = threading.Event()

    def look() -> None:
        """Reads of the past go on meanwhile, none of them fails, and what is known at 60 never changes."""
        with reading(own, "first") as reader:
            while not stop.is_set():
                found = reader.ask(balance, "cash", known_at=60)
                assert found is not None
                answers.append(found.posted.debits)

    with following(own) as thread:
        caught_up(own, "first")
        looking = threading.Thread(target=look)
        with writing(own, "first", size=100, pause_s=0.1):
            looking.start()
            # All of them are rebuilt under load in test_rebuild_under_load.py; these two are what is asked meanwhile.
            for name in ["postings", "holds"] * 3:
                report = rebuild(own, "first", name)
                assert report.is_equal, report
            assert thread.is_alive()
        stop.set()
        looking.join()
        caught_up(own, "first", patience_s=60)
    assert len(answers) > 5
    assert len(set(answers)) == 1
    check_views(own, "first")


@pytest.fixture
def make_own(make_database: Callable[[], str], database: Database) -> Callable[[], Database]:
    """Make a database with one book, `first`."""

    def make() -> Database:
        url = make_database()
        with Connection.connect(url, autocommit=True) as connection:
            migrate_control(connection)
            create_book(connection, "first")
        return Database(url, role=database.role)

    return make


def test_nothing_of_a_table_is_lost_in_a_swap(database: Database, kept: str) -> None:
    """Columns, constraints, indexes, storage and rights are the migrations' own, under the same names."""
    with database.owner() as connection:
        before = schema_sql(connection, kept)
        for name in BY_NAME:
            rebuild(database, kept, name)
        assert schema_sql(connection, kept) == before


def test_a_view_that_nobody_keeps_is_rebuilt_to_the_end_of_the_log(database: Database, book: str) -> None:
    with pen(database, book) as held:
        open_accounts(held)
    report = rebuild(database, book, "postings")
    assert report.position == positions(database, book)["postings"] == len(KINDS) + 2
    with pen(database, book) as held:
        DaysWork(held, seed=3).do(20)
    catch_up(database, book)
    check_views(database, book)


def test_a_book_with_nothing_in_it_can_be_rebuilt(database: Database, book: str) -> None:
    for name in BY_NAME:
        assert rebuild(database, book, name).is_equal


def test_a_stopped_view_goes_on_after_a_rebuild(database: Database, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stumbles, "tables", ("pending_turnover",))
    monkeypatch.setitem(BY_NAME, "stumbles", Stumbles)
    catch_up(database, kept, (Stumbles,))
    with pytest.raises(ValueError, match="a bug"):
        rebuild(database, kept, "stumbles")
    assert positions(database, kept)["stumbles"] == Stumbles.at - 1
    monkeypatch.setattr(Stumbles, "at", 0)
    rebuild(database, kept, "stumbles", compare=False)
    assert positions(database, kept)["stumbles"] == positions(database, kept)["log"]


def test_a_runner_remembers_nothing_of_rows_that_were_replaced(database: Database, kept: str) -> None:
    live = BookRunner(kept)
    with database.connect() as connection:

        def go_on(seed: int) -> None:
            with pen(database, kept) as held:
                DaysWork(held, seed=seed).do(40)
            while live.step(connection):
                pass

        # The runner reads what the accounts came to from wrong rows, and goes on from there.
        with database.owner() as owner:
            owner.execute(in_book("UPDATE {schema}.postings SET posted_debits = posted_debits + 1000000", kept))
        go_on(1)
        assert not rebuild(database, kept, "postings").is_equal
        go_on(2)
    check_views(database, kept)


def test_the_rebuild_that_began_last_wins(database: Database, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilding, "PAGE", 20)
    reports: list[RebuildReport] = []

    def overtake(done: int, total: int) -> None:
        if not reports:
            reports.append(rebuild(database, kept, "postings"))

    with pytest.raises(RebuildOvertaken):
        rebuild(database, kept, "postings", progress=overtake)
    assert reports[0].swapped
    assert reports[0].is_equal
    check_views(database, kept)


def test_what_a_killed_rebuild_leaves_behind_is_cleared_by_the_next(database: Database, kept: str) -> None:
    with database.owner() as connection:
        connection.execute(in_book("CREATE TABLE {schema}.postings__next (LIKE {schema}.postings INCLUDING ALL)", kept))
        connection.execute(
            in_book(
                "INSERT INTO {schema}.projection_checkpoints (projection, version, trouble)"
                " VALUES ('postings__next', 0, 'the mark of one who died')",
                kept,
            )
        )
    assert rebuild(database, kept, "postings").is_equal
    assert positions(database, kept).keys() == {"log", *BY_NAME}


def test_a_page_that_is_being_written_is_waited_for(database: Database, kept: str) -> None:
    """The live runner holds its checkpoint first and the table second: a swap that did otherwise would lock it up."""
    head = positions(database, kept)["log"]
    with pen(database, kept) as held:
        DaysWork(held, seed=11).do(10)
    with ThreadPoolExecutor() as threads, database.connect(autocommit=False) as connection:
        cursor = connection.cursor()
        cursor.execute(
            in_book("SELECT FROM {schema}.projection_checkpoints WHERE projection = 'postings' FOR UPDATE", kept)
        )
        rebuilt = threads.submit(rebuild, database, kept, "postings")
        time.sleep(0.7)
        assert not rebuilt.done()
        page = follow.page(cursor, kept, after=head, limit=3)
        Postings(kept).project(page, cursor)
        cursor.execute(
            in_book("UPDATE {schema}.projection_checkpoints SET position = %s WHERE projection = 'postings'", kept),
            (head + 3,),
        )
        connection.commit()
        assert rebuilt.result(timeout=30).is_equal
    catch_up(database, kept)
    check_views(database, kept)


def test_a_rebuild_that_is_under_way_is_nobodys_view(database: Database, kept: str) -> None:
    seen: list[set[str]] = []

    def look(done: int, total: int) -> None:
        with reading(database, kept) as reader:
            seen.append(set(reader.ask(checkpoints)))

    rebuild(database, kept, "holds", progress=look)
    assert seen
    assert all(views == {LOG, *BY_NAME} for views in seen)


def test_readers_who_take_long_are_waited_for(database: Database, kept: str) -> None:
    before = rows_of(database, kept, "postings")
    with database.connect(autocommit=False) as connection:
        statement = in_book("SELECT count(*) FROM {schema}.postings", kept)
        connection.execute(statement)
        rebuilding_it = threading.Thread(target=rebuild, args=(database, kept, "postings"))
        rebuilding_it.start()
        time.sleep(1)
        assert rebuilding_it.is_alive()
        # Nobody else waits behind the rebuild for longer than a moment.
        assert rows_of(database, kept, "postings") == before
        connection.rollback()
        rebuilding_it.join(timeout=30)
        assert not rebuilding_it.is_alive()
        assert connection.execute(statement).fetchone() == (len(before),)


def test_an_unknown_view_is_said_to_be_one(database: Database, kept: str) -> None:
    with pytest.raises(UnknownProjection, match=", ".join(sorted(BY_NAME))):
        rebuild(database, kept, "nothing")


# --- the inline balances


def test_the_stored_balances_are_what_the_log_makes_of_them(database: Database, kept: str) -> None:
    seen: list[tuple[int, int]] = []
    report = compare_balances(database, kept, progress=lambda done, total: seen.append((done, total)))
    head = positions(database, kept)["log"]
    assert report.is_equal
    assert (report.position, report.accounts) == (head, 8)
    assert seen[-1] == (head, head)


WRONGS: list[tuple[LiteralString, str]] = [
    ("UPDATE {schema}.balances SET posted_debits = posted_debits + 1 WHERE account = 'cash'", "posted_debits"),
    ("UPDATE {schema}.balances SET pending_credits = pending_credits + 1 WHERE account = 'ann'", "pending_credits"),
    ("UPDATE {schema}.balances SET status = 'frozen' WHERE account = 'ann'", "status"),
    ("UPDATE {schema}.balances SET min_balance = -1000000 WHERE account = 'ann'", "min_balance"),
]


@pytest.mark.parametrize(("statement", "field"), WRONGS)
def test_a_wrong_balance_is_reported_and_left_alone(
    database: Database, kept: str, statement: LiteralString, field: str
) -> None:
    tamper(database, kept, statement)
    stored = rows_of(database, kept, "balances")
    (difference,) = compare_balances(database, kept).differences
    assert difference.field == field
    assert difference.stored != difference.recounted
    assert rows_of(database, kept, "balances") == stored


def test_an_account_that_nobody_opened_is_reported(database: Database, kept: str) -> None:
    tamper(
        database,
        kept,
        "INSERT INTO {schema}.balances (account, kind, currency, status, protected, outside_limits, last_position)"
        " VALUES ('ghost', 'asset', 'EUR', 'open', false, false, 1)",
    )
    differences = compare_balances(database, kept).differences
    assert {difference.account for difference in differences} == {"ghost"}
    assert Difference("ghost", "kind", "asset", None) in differences


def test_balances_are_compared_while_others_write(database: Database, kept: str) -> None:
    with writing(database, kept, size=20):
        for _ in range(5):
            assert compare_balances(database, kept).is_equal
