"""Migrate: applies the numbered SQL of migrations/, once each, to the control schema and to every book.

Which files a schema has seen stands in its own `schema_migrations`, with their SHA-256: a file that was applied never
changes again. All files that a schema lacks are applied in one transaction. One row, locked FOR UPDATE, makes migrators
wait for each other. `NNNN_*.grants.sql` waits until the application's role exists.
"""

import hashlib
import importlib.resources
import logging
import re
import time
from collections.abc import Callable
from typing import Literal

import msgspec
from psycopg import Connection, errors, sql
from psycopg.pq import TransactionStatus

from ledger.errors import BookExists, BookNotFound, FieldInvalid
from ledger.store.connection import APPLICATION_ROLE
from ledger.store.schema import CONTROL, schema_of

Folder = Literal["control", "book"]

_FILE = re.compile(r"(?P<number>\d{4})_[a-z0-9_]+(?P<grants>\.grants)?\.sql")
_FIRST_START_TRIES = 50
_FIRST_START_PAUSE_S = 0.05
# What PostgreSQL answers to the slower of two that make the same thing at once, IF NOT EXISTS or not.
_RACES = (
    errors.DeadlockDetected,
    errors.DuplicateObject,
    errors.DuplicateSchema,
    errors.DuplicateTable,
    errors.SerializationFailure,
    errors.UniqueViolation,
)

log = logging.getLogger(__name__)


class MigrationRefused(RuntimeError):
    """The files and the database do not fit together; nothing was changed. The message names the file."""


class Migration(msgspec.Struct, frozen=True):
    """One file: its name such as `0001_log.sql`, and what is in it."""

    name: str
    statements: bytes

    @property
    def number(self) -> int:
        return int(self.name[:4])

    @property
    def is_grants(self) -> bool:
        return self.name.endswith(".grants.sql")

    @property
    def checksum(self) -> bytes:
        return hashlib.sha256(self.statements).digest()


def migrations_of(folder: Folder) -> list[Migration]:
    """The files of a folder in the order they are applied: by number, each with its grants after it."""
    found = []
    for file in (importlib.resources.files("migrations") / folder).iterdir():
        if not file.name.endswith(".sql"):
            continue
        if not _FILE.fullmatch(file.name):
            raise MigrationRefused(f"{folder}/{file.name} is not named like 0001_words.sql or 0001_words.grants.sql")
        found.append(Migration(file.name, file.read_bytes()))
    found.sort(key=lambda migration: (migration.number, migration.is_grants))
    numbers = [migration.number for migration in found if not migration.is_grants]
    if len(numbers) != len(set(numbers)):
        raise MigrationRefused(f"two files in {folder} have the same number: {numbers}")
    return found


def migrate_control(connection: Connection, *, dry_run: bool = False) -> list[str]:
    """Bring the control schema up to date; returns the names of the files applied, or of those that would be."""
    if dry_run:
        return [migration.name for migration in _missing(connection, CONTROL, "control")]
    _prepare(connection)
    with connection.transaction():
        _wait_for_turn(connection)
        return _apply(connection, CONTROL, "control")


def migrate_books(connection: Connection, *, dry_run: bool = False) -> dict[str, list[str]]:
    """Bring every book up to date, each in a transaction of its own; book → names of the files applied."""
    applied = {}
    for book in list_books(connection):
        if dry_run:
            applied[book] = [migration.name for migration in _missing(connection, schema_of(book), "book")]
            continue
        with connection.transaction():
            _wait_for_turn(connection)
            applied[book] = _apply(connection, schema_of(book), "book")
    return applied


def create_book(connection: Connection, name: str) -> None:
    """Make a book: its schema, its tables, its line in the list. Raises BookExists, or FieldInvalid for a bad name."""
    try:
        schema = schema_of(name)
    except BookNotFound:
        raise FieldInvalid("A book's name is 1 to 31 of a-z 0-9 _, beginning with a letter.", pointer="/name") from None
    with connection.transaction():
        _wait_for_turn(connection)
        if connection.execute("SELECT 1 FROM ledger_control.books WHERE name = %s", (name,)).fetchone():
            raise BookExists(book=name)
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        _apply(connection, schema, "book")
        connection.execute("INSERT INTO ledger_control.books (name) VALUES (%s)", (name,))


def create_tables(connection: Connection, schema: str) -> None:
    """Make a schema with the tables of a book and the rights on them, which is no book; in the open transaction."""
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    _apply(connection, schema, "book")


def list_books(connection: Connection) -> list[str]:
    """The names of all books, in order; none before the first migration."""
    if not _exists(connection, "ledger_control.books"):
        return []
    return [name for (name,) in connection.execute("SELECT name FROM ledger_control.books ORDER BY name")]


def application_role(connection: Connection) -> str | None:
    """The role that the application acts as, or None where this connection's user may not act as it."""
    try:
        with connection.transaction():
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(APPLICATION_ROLE)))
    except (errors.InvalidParameterValue, errors.UndefinedObject, errors.InsufficientPrivilege):
        return None
    return APPLICATION_ROLE


def _prepare(connection: Connection) -> None:
    """Make what has to be there before anybody can wait for a turn: the role, the control schema, the row to lock."""
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise ValueError("migrations need a connection without an open transaction, so that each is committed at once")
    _despite_races(connection, _make_role)
    if (
        not _exists(connection, "ledger_control.migration_lock")
        or not connection.execute("SELECT 1 FROM ledger_control.migration_lock").fetchone()
    ):
        _despite_races(connection, _make_lock)


def _despite_races(connection: Connection, make: Callable[[Connection], None]) -> None:
    for _ in range(_FIRST_START_TRIES):
        try:
            with connection.transaction():
                return make(connection)
        except _RACES:
            time.sleep(_FIRST_START_PAUSE_S)
        except errors.InternalError as clash:  # "tuple concurrently updated": two that GRANT the same
            if "concurrently" not in str(clash):
                raise
            time.sleep(_FIRST_START_PAUSE_S)
    raise MigrationRefused("another process is for ever making the same schema")


def _make_lock(connection: Connection) -> None:
    connection.execute("CREATE SCHEMA IF NOT EXISTS ledger_control")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS ledger_control.migration_lock"
        " (one boolean CONSTRAINT migration_lock_pkey PRIMARY KEY CONSTRAINT migration_lock_is_one_row CHECK (one))"
    )
    connection.execute("INSERT INTO ledger_control.migration_lock VALUES (true) ON CONFLICT DO NOTHING")


def _make_role(connection: Connection) -> None:
    """Make the application's role and let this user act as it; where that is not allowed, say so and go on without."""
    role = sql.Identifier(APPLICATION_ROLE)
    try:
        with connection.transaction():
            if not _role_exists(connection):
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
            if application_role(connection) is None:
                connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    except errors.InsufficientPrivilege:
        log.warning(
            "this database user may not make or take the role %s: the application acts as the user itself, "
            "and that events are only ever added rests on the code alone",
            APPLICATION_ROLE,
        )


def _wait_for_turn(connection: Connection) -> None:
    connection.execute("SELECT 1 FROM ledger_control.migration_lock FOR UPDATE")


def _apply(connection: Connection, schema: str, folder: Folder) -> list[str]:
    """Apply what a schema lacks, in the open transaction."""
    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(schema)))
    connection.execute("""
        CREATE TABLE IF NOT EXISTS schema_migrations (
            name       text COLLATE "C" CONSTRAINT schema_migrations_pkey PRIMARY KEY,
            checksum   bytea       NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )""")
    missing = _missing(connection, schema, folder)
    if any(migration.is_grants for migration in missing):
        connection.execute(
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), sql.Identifier(APPLICATION_ROLE))
        )
    for migration in missing:
        connection.execute(migration.statements)
        connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES (%s, %s)", (migration.name, migration.checksum)
        )
        log.info("applied %s/%s to %s", folder, migration.name, schema)
    return [migration.name for migration in missing]


def _missing(connection: Connection, schema: str, folder: Folder) -> list[Migration]:
    """The files that a schema has not seen and can have now; refuses a history that the files do not continue."""
    table = sql.Identifier(schema, "schema_migrations")
    seen: dict[str, bytes] = {}
    if _exists(connection, f"{schema}.schema_migrations"):
        seen = dict(connection.execute(sql.SQL("SELECT name, checksum FROM {}").format(table)).fetchall())
    files = migrations_of(folder)
    if unknown := sorted(seen.keys() - {migration.name for migration in files}):
        raise MigrationRefused(
            f"{schema} has seen {folder}/{unknown[0]}, which is not here: this program is too old for it"
        )
    for migration in files:
        if seen.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationRefused(f"{folder}/{migration.name} was changed after it was applied to {schema}")
    has_role = _role_exists(connection)
    missing = [migration for migration in files if migration.name not in seen and (has_role or not migration.is_grants)]
    newest = max((int(name[:4]) for name in seen), default=0)
    for migration in missing:
        if migration.number <= newest and not migration.is_grants:
            raise MigrationRefused(
                f"{folder}/{migration.name} comes before {newest:04}, which {schema} has seen already"
            )
    return missing


def _role_exists(connection: Connection) -> bool:
    return connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (APPLICATION_ROLE,)).fetchone() is not None


def _exists(connection: Connection, table: str) -> bool:
    found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
    return found == (True,)
