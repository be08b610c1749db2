"""A database of their own: a worker serves every book that it finds, and shall find nobody else's."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import Connection, errors

from ledger.store.connection import Database
from ledger.store.migrate import application_role, create_book, migrate_control
from tests.processes.house import House


@pytest.fixture(scope="session")
def own_database(make_database: Callable[[], str]) -> Database:
    try:
        url = make_database()
    except errors.InsufficientPrivilege:
        pytest.skip("the user of DATABASE_URL may not make databases")
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
        return Database(url, role=application_role(connection))


@pytest.fixture
def own_book(own_database: Database) -> Iterator[str]:
    """The only book that workers see during this test."""
    name = f"p{secrets.token_hex(4)}"
    with own_database.owner() as connection:
        create_book(connection, name)
    yield name
    with own_database.owner() as connection:
        connection.execute("DELETE FROM ledger_control.books WHERE name = %s", (name,))


@pytest.fixture
def house(own_database: Database, own_book: str, tmp_path: Path) -> Iterator[House]:
    """A house whose worker is not started yet."""
    with House(own_database, own_book, tmp_path) as whole:
        yield whole
