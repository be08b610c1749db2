"""The runner: every event exactly once and in order, whoever dies, whoever else is at it, and never past a failure."""

import threading
import time
from collections.abc import Callable
from typing import ClassVar

import psycopg
import pytest
from psycopg import Connection

from ledger.store.connection import Database, in_book
from ledger.store.migrate import create_book, migrate_control
from projections import runner
from projections.holds import Holds
from projections.postings import Postings
from projections.projection import Page, Projection, Writing
from projections.rebuild import rebuild
from projections.register import PROJECTIONS
from projections.runner import BookRunner
from tests.forked import Forked
from tests.projections.days_work import DaysWork, open_accounts
from tests.projections.keeping import Stumbles, writing
from tests.projections.reading import catch_up
from tests.projections.rows import all_rows, check_views, positions, rows_of
from tests.writing import pen


@pytest.fixture
def written(database: Database, book: str) -> str:
    """A book with a day's work, whose views nobody has begun."""
    with pen(database, book) as held:
        open_accounts(held)
        DaysWork(held, seed=1).do(150)
    return book


class Witness(Projection):
    """Notes each position it is given, in a table that takes each only once."""

    name = "witness"
    version = 1
    tables = ("witness",)
    doubles: ClassVar[list[Exception]] = []

    def project(self, page: Page, cursor: Writing) -> None:
        try:
            with cursor.copy(self.statement("COPY {witness} (position, stream, version) FROM STDIN")) as sink:
                for fact in page:
                    sink.write_row((fact.position, fact.stream, fact.version))
        except psycopg.errors.UniqueViolation as double:
            self.doubles.append(double)
            raise

    def forget(self) -> None:
        """Nothing is remembered."""


def make_witness(database: Database, book: str) -> None:
    with database.owner() as connection:
        connection.execute(
            in_book(
                "CREATE TABLE {schema}.witness (n bigserial, position bigint PRIMARY KEY, stream text, version bigint)",
                book,
            )
        )
        if database.role:
            connection.execute(in_book("GRANT ALL ON {schema}.witness TO ledger_app", book))
            connection.execute(in_book("GRANT ALL ON SEQUENCE {schema}.witness_n_seq TO ledger_app", book))


def test_a_reader_following_while_eight_writers_append_sees_every_position_once_in_order(
    database: Database, book: str
) -> None:
    make_witness(database, book)
    with pen(database, book) as held:
        open_accounts(held)
    follower = BookRunner(book, [Witness, Postings])
    with database.connect() as connection:
        with writing(database, book, writers=8, size=5):
            end = time.monotonic() + 2
            while time.monotonic() < end:
                follower.step(connection)
        while follower.step(connection):
            pass
        statement = in_book("SELECT position, stream, version FROM {schema}.witness ORDER BY n", book)
        seen = connection.execute(statement).fetchall()
    head = positions(database, book)["log"]
    assert head > 100
    assert [position for position, _, _ in seen] == list(range(1, head + 1))
    versions: dict[str, int] = {}
    for _, stream, version in seen:
        assert version == versions.get(stream, 0) + 1
        versions[stream] = version


def test_pages_of_any_size_make_the_same_rows(
    database: Database, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PAGE", 3)
    assert catch_up(database, written) == positions(database, written)["log"]
    small = all_rows(database, written)
    assert small["postings"]
    assert small["pending_turnover"]
    check_views(database, written)  # replays in pages of 5,000


def test_a_runner_that_knows_nothing_goes_on_where_another_stopped(database: Database, written: str) -> None:
    catch_up(database, written)
    for seed in range(3):
        with pen(database, written) as held:
            DaysWork(held, seed=seed).do(40)
        catch_up(database, written)
    check_views(database, written)


def test_two_runners_at_once_take_every_event_once(
    database: Database, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "PAGE", 7)
    make_witness(database, written)
    failures: list[BaseException] = []
    taken: dict[int, int] = {}
    stop = threading.Event()

    def follow(number: int) -> None:
        try:
            mine = BookRunner(written, (*PROJECTIONS, Witness))
            with database.connect() as connection:
                while not stop.is_set():
                    taken[number] = taken.get(number, 0) + mine.step(connection)
                    time.sleep(0.001)  # So that the other one gets its turn.
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=follow, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    with writing(database, written, size=20, pause_s=0.01):
        time.sleep(1.5)
    deadline = time.monotonic() + 60
    while len(set(positions(database, written).values())) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert min(taken.values()) > 0
    # The table takes each position once, and would have refused a second one.
    assert Witness.doubles == []
    assert [row[1] for row in rows_of(database, written, "witness")] == list(
        range(1, positions(database, written)["log"] + 1)
    )
    check_views(database, written)


def test_a_runner_killed_at_any_moment_is_continued_exactly_once(
    make_database: Callable[[], str], database: Database
) -> None:
    url = make_database()
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
        create_book(connection, "killed")
    own = Database(url, role=database.role)
    with pen(own, "killed") as held:
        open_accounts(held)
        DaysWork(held, seed=3).do(100)
    with writing(own, "killed", size=400, pause_s=0.1):
        for moment_ms in range(0, 40, 4):
            with Forked("tests.projections.following_process", url, database.role or "") as process:
                began, deadline = positions(own, "killed").get("postings", 0), time.monotonic() + 20
                while positions(own, "killed").get("postings", 0) == began and time.monotonic() < deadline:
                    time.sleep(0.005)
                time.sleep(moment_ms / 1_000)
                process.kill()
    found = positions(own, "killed")
    assert found["postings"] > 2_000
    catch_up(own, "killed")
    assert set(positions(own, "killed").values()) == {found["log"]}
    check_views(own, "killed")


def test_a_projection_that_is_behind_catches_up_while_the_others_go_on(database: Database, written: str) -> None:
    catch_up(database, written, (Postings,))
    assert rows_of(database, written, "pending_turnover") == []
    with writing(database, written, size=10, pause_s=0.02):
        time.sleep(0.3)
        catch_up(database, written)
    catch_up(database, written)
    assert len(set(positions(database, written).values())) == 1
    check_views(database, written)


# --- failures


def trouble_of(database: Database, book: str, name: str) -> str | None:
    statement = in_book("SELECT trouble FROM {schema}.projection_checkpoints WHERE projection = %s", book)
    with database.connect() as connection:
        row = connection.execute(statement, (name,)).fetchone()
    assert row is not None
    trouble: str | None = row[0]
    return trouble


def test_a_projection_stops_right_in_front_of_the_event_it_cannot_take_and_the_others_do_not(
    database: Database, written: str, caplog: pytest.LogCaptureFixture
) -> None:
    Stumbles.seen.clear()
    catch_up(database, written, (*PROJECTIONS, Stumbles))
    found = positions(database, written)
    assert found.pop("stumbles") == Stumbles.at - 1
    assert len(set(found.values())) == 1
    assert Stumbles.seen == list(range(1, Stumbles.at))
    evidence = f"stopped in front of position {Stumbles.at}: ValueError('a bug in a projection')"
    assert trouble_of(database, written, "stumbles") == evidence
    assert any(evidence in record.getMessage() for record in caplog.records)
    check_views(database, written)


def test_a_mended_projection_goes_on_where_it_stopped(
    database: Database, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(database, written, (Stumbles,))
    monkeypatch.setattr(Stumbles, "at", 0)
    Stumbles.seen.clear()
    catch_up(database, written, (Stumbles,))
    head = positions(database, written)["log"]
    assert Stumbles.seen == list(range(77, head + 1))
    assert trouble_of(database, written, "stumbles") is None


def test_an_event_that_this_program_cannot_read_stops_every_view_in_front_of_it(
    database: Database, written: str
) -> None:
    with database.owner() as connection:
        changed = connection.execute(
            in_book("UPDATE {schema}.events SET topic = 'transfers.teleported.v1' WHERE notification_id = 40", written)
        )
        assert changed.rowcount == 1
    catch_up(database, written)
    found = positions(database, written)
    assert found.pop("log") > 40
    assert set(found.values()) == {39}
    trouble = trouble_of(database, written, "postings")
    assert trouble is not None
    assert "stopped in front of position 40" in trouble
    assert "transfers.teleported.v1" in trouble


def test_a_hole_in_the_log_is_never_stepped_over(database: Database, written: str) -> None:
    with database.owner() as connection:
        connection.execute(in_book("DELETE FROM {schema}.events WHERE notification_id = 50", written))
    catch_up(database, written)
    assert positions(database, written)["postings"] == 49
    assert "a hole in the log" in str(trouble_of(database, written, "postings"))


def test_rows_of_another_version_stand_still_until_they_are_rebuilt(
    database: Database, written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(database, written)
    monkeypatch.setattr(Holds, "version", 2)
    mine = BookRunner(written)
    with pen(database, written) as held, database.connect() as connection:
        DaysWork(held, seed=5).do(30)
        while mine.step(connection):
            pass
        found = positions(database, written)
        assert found["holds"] < found["postings"] == found["log"]
        rebuild(database, written, "holds")
        DaysWork(held, seed=6).do(30)
        while mine.step(connection):
            pass
    assert len(set(positions(database, written).values())) == 1
    check_views(database, written)


def test_what_is_remembered_is_forgotten_when_somebody_else_has_written(database: Database, written: str) -> None:
    first, second = BookRunner(written), BookRunner(written)
    with pen(database, written) as held, database.connect() as connection:
        for seed, mine in enumerate((first, second, first, second, first)):
            while mine.step(connection):
                pass
            DaysWork(held, seed=seed).do(20)
    catch_up(database, written)
    check_views(database, written)


def test_what_was_not_committed_is_not_remembered(database: Database, written: str) -> None:
    mine = BookRunner(written, [Postings, LosesThePage])
    with database.connect() as connection:
        for seed in range(3):
            with pen(database, written) as held:
                DaysWork(held, seed=seed).do(20)
            LosesThePage.times = 1
            with pytest.raises(psycopg.OperationalError):
                mine.step(connection)
            while mine.step(connection):
                pass
    assert rebuild(database, written, "postings", swap=False).is_equal


class LosesThePage(Projection):
    """Loses the database so many times, after the others have written."""

    name = "zzz"
    version = 1
    tables = ()
    times: ClassVar[int] = 0

    def project(self, page: Page, cursor: Writing) -> None:
        if LosesThePage.times:
            LosesThePage.times -= 1
            raise psycopg.OperationalError("the page is lost")

    def forget(self) -> None:
        """Nothing is remembered."""
