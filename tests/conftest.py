"""What every test may ask for: a PostgreSQL of this test run, an empty database in it, a fresh book."""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from psycopg import Connection, errors, sql
from psycopg.conninfo import make_conninfo

from ledger.store.connection import Database
from ledger.store.embedded import Embedded
from ledger.store.migrate import application_role, create_book, migrate_control

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The PostgreSQL server that DATABASE_URL names, else an embedded one for this run alone."""
    given = os.environ.get("DATABASE_URL", "").strip()
    if given:
        yield given
        return
    state = Path(tempfile.mkdtemp(prefix="ledger-tests-"))
    # A test run that is killed cannot tidy up, so another process waits for its end; Ctrl-C is not meant for that one.
    with subprocess.Popen(
        [sys.executable, "-m", "tests.last_one_out", str(state)],
        stdin=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    ):
        url = Embedded.start(state).url
        # What is written outlives every process that a test kills; only a machine that loses its power would lose it.
        with Connection.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url


@pytest.fixture(scope="session")
def make_database(server_url: str) -> Iterator[Callable[[], str]]:
    """Make an empty database and return its conninfo; all are dropped in the end."""
    made = []

    def make() -> str:
        name = f"ledger_test_{secrets.token_hex(6)}"
        with Connection.connect(server_url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        made.append(name)
        return make_conninfo(server_url, dbname=name)

    yield make
    with Connection.connect(server_url, autocommit=True) as connection:
        for name in made:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def empty_database_url(make_database: Callable[[], str]) -> str:
    """A database with nothing in it, for this test alone."""
    try:
        return make_database()
    except errors.InsufficientPrivilege:
        pytest.skip("the user of DATABASE_URL may not make databases")


@pytest.fixture(scope="session")
def database_url(server_url: str, make_database: Callable[[], str]) -> str:
    """The database of this run, migrated; tests share it and have books of their own."""
    try:
        url = make_database()
    except errors.InsufficientPrivilege:
        url = server_url
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
    return url


@pytest.fixture(scope="session")
def database(database_url: str) -> Database:
    """The same as `database_url`, with the application's role where there is one."""
    with Connection.connect(database_url, autocommit=True) as connection:
        return Database(database_url, role=application_role(connection))


@pytest.fixture(scope="session")
def make_book(database_url: str) -> Iterator[Callable[[], str]]:
    """Make a fresh book and return its name."""
    run, numbers = secrets.token_hex(4), count(1)
    with Connection.connect(database_url, autocommit=True) as connection:

        def make() -> str:
            name = f"t{run}_{next(numbers)}"
            create_book(connection, name)
            return name

        yield make


@pytest.fixture
def book(make_book: Callable[[], str]) -> str:
    """The name of a fresh book in the database of this run."""
    return make_book()
