"""Scratch schemas: where a replay writes beside the live book; dropped at its end, or by the next one if it was killed.

What a schema is for stands in its comment, and so does who works in it: a backend of the database, by its number and
its beginning. A comment whose backend has ended is what a killed replay left behind.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec
import psycopg
from psycopg import Connection, sql

from ledger.store.connection import Database
from ledger.store.migrate import create_tables
from ledger.store.schema import CONTROL

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NOT_OURS = ("book_", "pg_", "information_schema", "public", CONTROL)
_UNDER_WAY = "ledger replay under way: "

_MYSELF = "SELECT pid, extract(epoch FROM backend_start)::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_COMMENTS = """
SELECT nspname, description
  FROM pg_namespace JOIN pg_description ON objoid = pg_namespace.oid AND classoid = 'pg_namespace'::regclass
 WHERE starts_with(description, %s)
"""
_LIVES = """
SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE pid = %s AND coalesce(extract(epoch FROM backend_start)::text, %s) = %s)
"""


class BadSchemaName(ValueError):
    """A schema of this name cannot be made for a replay, and the message says why."""


class _Mark(msgspec.Struct):
    """Who works in a schema, and for which book."""

    book: str
    backend: int
    since: str


class Scratch(msgspec.Struct, frozen=True):
    """A schema to write to, and the connection that owns it."""

    schema: str
    connection: Connection


@contextmanager
def scratch_schema(
    database: Database,
    book: str,
    keep: str | None = None,
    make: Callable[[Connection, str], None] = create_tables,
) -> Iterator[Scratch]:
    """A schema that `make` makes for the length of a block; by default with the tables of a book, all empty.

    `keep`: the name under which it stays when the block ends well. Raises BadSchemaName.
    """
    schema = f"replay_{book}_{secrets.token_hex(4)}" if keep is None else _checked(keep)
    with database.owner() as connection:
        drop_leftovers(connection)
        pid, since = connection.execute(_MYSELF).fetchone() or (0, "")
        mark = msgspec.json.encode(_Mark(book, pid, since)).decode()
        try:
            with connection.transaction():
                make(connection, schema)
                _comment(connection, schema, _UNDER_WAY + mark)
        except psycopg.errors.DuplicateSchema:
            raise BadSchemaName(f"there is a schema {schema} already") from None
        try:
            yield Scratch(schema, connection)
        except BaseException:
            # What was wrong is more worth knowing than that nobody could tidy up after it.
            with suppress(psycopg.Error):
                _drop(connection, schema)
            raise
        if keep is None:
            _drop(connection, schema)
        else:
            _comment(connection, schema, f"ledger replay of {book}, kept")


def drop_leftovers(connection: Connection) -> list[str]:
    """Drop what killed replays have left behind, of whatever book; returns the names of the schemas."""
    dropped = []
    for schema, comment in connection.execute(_COMMENTS, (_UNDER_WAY,)).fetchall():
        mark = msgspec.json.decode(comment.removeprefix(_UNDER_WAY), type=_Mark)
        lives = connection.execute(_LIVES, (mark.backend, mark.since, mark.since)).fetchone()
        if lives == (False,):
            _drop(connection, schema)
            dropped.append(schema)
    return dropped


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name) or name.startswith(_NOT_OURS):
        raise BadSchemaName(
            f"{name} cannot be the name of a kept schema: 1 to 63 of a-z 0-9 _, beginning with a letter, and with none"
            f" of {', '.join(_NOT_OURS)}"
        )
    return name


def _comment(connection: Connection, schema: str, comment: str) -> None:
    statement = sql.SQL("COMMENT ON SCHEMA {} IS {}")
    connection.execute(statement.format(sql.Identifier(schema), sql.Literal(comment)))


def _drop(connection: Connection, schema: str) -> None:
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
