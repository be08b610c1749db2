"""A PostgreSQL that a test may stop, freeze and kill: the one that all tests share stays out of it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import Connection

from ledger.store.connection import Database
from ledger.store.embedded import Embedded
from ledger.store.migrate import application_role, create_book, migrate_control

BOOK = "main"


@pytest.fixture(scope="module")
def victim() -> Iterator[Embedded]:
    """An embedded server of this module's own, with one empty book."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-victim-"))
    server = Embedded.start(folder)
    with Connection.connect(server.url, autocommit=True) as connection:
        migrate_control(connection)
        create_book(connection, BOOK)
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def victims_database(victim: Embedded) -> Database:
    with Connection.connect(victim.url, autocommit=True) as connection:
        return Database(victim.url, role=application_role(connection))
