"""The rows of views, to be compared: with those of another time, or with what a rebuild makes of the same log."""

from typing import Any, LiteralString

from psycopg import sql

from ledger.store.connection import Database, in_book
from ledger.store.schema import schema_of
from projections.rebuild import rebuild
from projections.register import BY_NAME, PROJECTIONS

TABLES = tuple(table for projection in PROJECTIONS for table in projection.tables)


def rows_of(database: Database, book: str, table: str) -> list[Any]:
    """All rows of a table, in order."""
    statement = sql.SQL("SELECT * FROM {} ORDER BY 1, 2").format(sql.Identifier(schema_of(book), table))
    with database.connect() as connection:
        return connection.execute(statement).fetchall()


def all_rows(database: Database, book: str) -> dict[str, list[Any]]:
    return {table: rows_of(database, book, table) for table in TABLES}


def positions(database: Database, book: str) -> dict[str, int]:
    """Where the views stand, and the log itself."""
    statement: LiteralString = (
        "SELECT 'log', position FROM {schema}.log_head"
        " UNION ALL SELECT projection, position FROM {schema}.projection_checkpoints"
    )
    with database.connect() as connection:
        return dict(connection.execute(in_book(statement, book)).fetchall())


def check_views(database: Database, book: str) -> None:
    """Every view holds what a rebuild from the log makes of it."""
    for name in BY_NAME:
        report = rebuild(database, book, name, swap=False)
        assert report.is_equal, report
