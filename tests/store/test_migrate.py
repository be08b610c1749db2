"""Migrations: each file once, in order, unchanged for ever; and an application that can only add to the log."""

import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import Connection, OperationalError, errors, sql
from psycopg.conninfo import make_conninfo

from ledger.errors import BookExists, FieldInvalid
from ledger.store import migrate, schema_sql
from ledger.store.connection import Database
from ledger.store.migrate import (
    Migration,
    MigrationRefused,
    application_role,
    create_book,
    list_books,
    migrate_books,
    migrate_control,
    migrations_of,
)
from ledger.store.schema import schema_of


@pytest.fixture
def connection(empty_database_url: str) -> Iterator[Connection]:
    """The owner's connection to a database with nothing in it."""
    with Connection.connect(empty_database_url, autocommit=True) as connection:
        yield connection


def names(folder: migrate.Folder) -> list[str]:
    return [migration.name for migration in migrations_of(folder)]


def put_files(monkeypatch: pytest.MonkeyPatch, **files: bytes) -> None:
    """Let these be the files of book/: `f0001_log=b"…"` is 0001_log.sql."""
    found = [Migration(f"{name[1:].replace('__', '.')}.sql", text) for name, text in files.items()]
    monkeypatch.setattr(migrate, "migrations_of", lambda folder: found if folder == "book" else migrations_of(folder))


def tables_of(connection: Connection, book: str) -> set[str]:
    rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema_of(book),))
    return {name for (name,) in rows} - {"schema_migrations"}


def test_every_file_is_applied_once_in_order_with_its_grants_after_it(connection: Connection) -> None:
    assert migrate_control(connection) == names("control")
    assert migrate_control(connection) == []
    create_book(connection, "shop")
    assert migrate_books(connection) == {"shop": []}
    seen = connection.execute("SELECT name FROM book_shop.schema_migrations ORDER BY applied_at, ctid").fetchall()
    assert [name for (name,) in seen] == names("book")
    assert names("book")[:2] == ["0001_log.sql", "0001_log.grants.sql"]


def test_a_dry_run_names_the_files_and_changes_nothing(connection: Connection) -> None:
    without_grants_that_wait_for_the_role = [name for name in names("control") if ".grants" not in name]
    told = migrate_control(connection, dry_run=True)
    assert [name for name in told if ".grants" not in name] == without_grants_that_wait_for_the_role
    assert connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'ledger_control'").fetchone() is None
    assert migrate_books(connection, dry_run=True) == {}


def test_a_changed_file_is_refused(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate_control(connection)
    put_files(monkeypatch, f0001_log=b"CREATE TABLE facts ();")
    create_book(connection, "shop")
    put_files(monkeypatch, f0001_log=b"CREATE TABLE facts (); -- improved")
    with pytest.raises(MigrationRefused, match=r"book/0001_log\.sql was changed after it was applied to book_shop"):
        migrate_books(connection)


def test_a_file_that_comes_before_what_was_applied_is_refused(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate_control(connection)
    put_files(monkeypatch, f0001_log=b"SELECT 1", f0003_late=b"SELECT 1")
    create_book(connection, "shop")
    put_files(monkeypatch, f0001_log=b"SELECT 1", f0002_forgotten=b"SELECT 1", f0003_late=b"SELECT 1")
    with pytest.raises(MigrationRefused, match="0002_forgotten"):
        migrate_books(connection)


def test_a_database_from_the_future_is_refused(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate_control(connection)
    put_files(monkeypatch, f0001_log=b"SELECT 1", f0002_new=b"SELECT 1")
    create_book(connection, "shop")
    put_files(monkeypatch, f0001_log=b"SELECT 1")
    with pytest.raises(MigrationRefused, match="too old"):
        migrate_books(connection)


def test_a_new_file_reaches_the_books_that_are_there(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate_control(connection)
    put_files(monkeypatch, f0001_log=b"CREATE TABLE facts ();")
    create_book(connection, "one")
    create_book(connection, "two")
    put_files(monkeypatch, f0001_log=b"CREATE TABLE facts ();", f0002_more=b"CREATE TABLE more ();")
    assert migrate_books(connection, dry_run=True) == {"one": ["0002_more.sql"], "two": ["0002_more.sql"]}
    assert migrate_books(connection) == {"one": ["0002_more.sql"], "two": ["0002_more.sql"]}
    assert tables_of(connection, "one") == tables_of(connection, "two") == {"facts", "more"}


def test_a_file_that_fails_leaves_nothing_behind(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate_control(connection)
    put_files(monkeypatch, f0001_log=b"CREATE TABLE facts ();", f0002_bad=b"CREATE TABLE bad (); SELECT 1 / 0")
    with pytest.raises(errors.DivisionByZero):
        create_book(connection, "shop")
    assert list_books(connection) == []
    assert tables_of(connection, "shop") == set()


@pytest.mark.parametrize("name", ["Shop", "1shop", "", "shop-1", "x" * 32, "shop; DROP SCHEMA public"])
def test_a_book_has_a_plain_name(connection: Connection, name: str) -> None:
    with pytest.raises(FieldInvalid):
        create_book(connection, name)


def test_a_book_is_made_once(connection: Connection) -> None:
    migrate_control(connection)
    create_book(connection, "shop")
    with pytest.raises(BookExists):
        create_book(connection, "shop")
    create_book(connection, "bank")
    assert list_books(connection) == ["bank", "shop"]


def test_an_open_transaction_is_refused(empty_database_url: str) -> None:
    with Connection.connect(empty_database_url) as connection:
        connection.execute("SELECT 1")
        with pytest.raises(ValueError, match="without an open transaction"):
            migrate_control(connection)


def test_two_first_starts_at_once_agree(empty_database_url: str, make_database: Callable[[], str]) -> None:
    """CREATE … IF NOT EXISTS of two sessions at the same moment: the slower one gets an error and has to try again."""
    for url in [empty_database_url, *(make_database() for _ in range(4))]:
        gate = threading.Barrier(4)
        outcomes: list[list[str] | Exception] = []

        def start(
            url: str = url, gate: threading.Barrier = gate, outcomes: list[list[str] | Exception] = outcomes
        ) -> None:
            with Connection.connect(url, autocommit=True) as connection:
                gate.wait()
                try:
                    outcomes.append(migrate_control(connection))
                except Exception as unexpected:
                    outcomes.append(unexpected)

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes, key=str) == [names("control"), [], [], []]


def test_two_that_make_the_same_book_at_once_make_one(empty_database_url: str) -> None:
    with Connection.connect(empty_database_url, autocommit=True) as connection:
        migrate_control(connection)
    gate = threading.Barrier(4)
    refused = []

    def make() -> None:
        with Connection.connect(empty_database_url, autocommit=True) as connection:
            gate.wait()
            try:
                create_book(connection, "shop")
            except BookExists as exists:
                refused.append(exists)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3


WRONGS = [
    "UPDATE events SET topic = 'nothing.happened.v1'",
    "DELETE FROM events",
    "TRUNCATE events",
    "LOCK TABLE events IN EXCLUSIVE MODE",
    "DROP TABLE events",
    "ALTER TABLE events DROP COLUMN metadata",
    "INSERT INTO events SELECT * FROM events ON CONFLICT (notification_id) DO UPDATE SET topic = 'nothing.happened.v1'",
    "UPDATE idempotency_keys SET answer = NULL",
    "DELETE FROM idempotency_keys",
    "UPDATE late_answers SET answer = ''",
    "UPDATE entry_references SET entry = ''",
    "DELETE FROM balances",
    "DELETE FROM log_head",
    "INSERT INTO log_head (position) VALUES (7)",
    "UPDATE schema_migrations SET checksum = ''",
    "INSERT INTO ledger_control.api_keys VALUES ('k', 'b', '', '', '{admin}')",
    "INSERT INTO ledger_control.books VALUES ('b')",
    "CREATE TABLE mine ()",
]


@pytest.mark.parametrize("wrong", WRONGS)
def test_the_application_can_only_add_to_the_log(database: Database, book: str, wrong: str) -> None:
    if database.role is None:
        pytest.skip("the user of DATABASE_URL may not make the application's role")
    with database.connect(autocommit=False) as connection:
        _add_event(connection, book)
        with pytest.raises(errors.InsufficientPrivilege) as refused:
            connection.execute(wrong.encode())
    assert refused.value.sqlstate == "42501"


def _add_event(connection: Connection, book: str) -> None:
    connection.execute(sql.SQL("SET search_path TO {}").format(sql.Identifier(schema_of(book))))
    connection.execute("""
        INSERT INTO events (originator_id, originator_version, topic, state, notification_id, recorded_at, metadata)
        VALUES ('ent_1', 1, 'entries.posted.v1', '{}', 1, now(), '{}')""")
    assert connection.execute("SELECT count(*) FROM events").fetchone() == (1,)


def test_without_the_right_to_make_roles_it_says_so_and_goes_on(
    connection: Connection, empty_database_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then grants wait; they are applied once somebody has made the role."""
    # A role name of this test's own, because roles are shared by all databases of a server.
    role, owner = f"{connection.info.dbname}_app", f"{connection.info.dbname}_owner"
    monkeypatch.setattr(migrate, "APPLICATION_ROLE", role)
    put_files(
        monkeypatch,
        f0001_log=b"CREATE TABLE facts ();",
        f0001_log__grants=f"GRANT SELECT ON facts TO {role}".encode(),
    )
    try:
        _execute(connection, "CREATE ROLE {owner} LOGIN", owner=owner)
    except errors.InsufficientPrivilege:
        pytest.skip("the user of DATABASE_URL may not make roles")
    try:
        _execute(connection, "GRANT {owner} TO CURRENT_USER", owner=owner)
        _execute(
            connection, "GRANT CREATE ON DATABASE {database} TO {owner}", database=connection.info.dbname, owner=owner
        )
        with Connection.connect(make_conninfo(empty_database_url, user=owner), autocommit=True) as theirs:
            with caplog.at_level(logging.WARNING):
                assert migrate_control(theirs) == [
                    "0001_control.sql",
                    "0002_callbacks.sql",
                    "0003_callbacks_in_time.sql",
                    "0004_persons.sql",
                ]
            assert role in caplog.text
            assert application_role(theirs) is None
            create_book(theirs, "shop")
            assert migrate_books(theirs) == {"shop": []}
            _execute(connection, "CREATE ROLE {role} NOLOGIN", role=role)
            _execute(connection, "GRANT {role} TO {owner}", role=role, owner=owner)
            assert application_role(theirs) == role
            assert migrate_books(theirs) == {"shop": ["0001_log.grants.sql"]}
    except OperationalError as unable:
        pytest.skip(f"DATABASE_URL does not let a user in without a password: {unable}")
    finally:
        _execute(connection, "DROP OWNED BY {owner} CASCADE", owner=owner)
        _execute(connection, "DROP ROLE IF EXISTS {role}, {owner}", role=role, owner=owner)


def _execute(connection: Connection, statement: str, **identifiers: str) -> None:
    named = {name: sql.Identifier(value).as_string() for name, value in identifiers.items()}
    connection.execute(statement.format(**named).encode())


def test_schema_sql_makes_the_same_database_again(connection: Connection) -> None:
    written = (Path(migrate.__file__).parents[2] / "migrations" / "schema.sql").read_text()
    connection.execute(written.encode())
    assert schema_sql.schema_sql(connection, schema_sql.EXAMPLE_BOOK) == written


@pytest.mark.parametrize("statement", ["CREATE VIEW v AS SELECT 1 AS one", "CREATE SEQUENCE s"])
def test_what_is_not_portable_is_refused_in_migrations(connection: Connection, statement: str) -> None:
    migrate_control(connection)
    create_book(connection, "shop")
    _execute(connection, "SET search_path TO book_shop")
    _execute(connection, statement)
    with pytest.raises(AssertionError, match="migrations are plain tables"):
        schema_sql.schema_sql(connection, "shop")
