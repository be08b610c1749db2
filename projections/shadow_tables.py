"""Shadow tables: a table made like a live one under another name, compared with it, and put in its place."""

from typing import LiteralString

from psycopg import Connection, sql

from projections import row_comparison
from projections.row_comparison import EXAMPLES

NEXT = "__next"
_OLD = "__old"

_RIGHTS = """
SELECT rolname, privilege_type
  FROM pg_class, aclexplode(relacl) AS granted
  JOIN pg_roles ON pg_roles.oid = granted.grantee
 WHERE pg_class.oid = %s::regclass AND granted.grantee <> relowner
"""
# An index is known by what it does; its name is what is to be found out.
_INDEXES = """
SELECT regexp_replace(pg_get_indexdef(indexrelid), '^.* USING ', ''), relname
  FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
 WHERE indrelid = %s::regclass
"""


def make(connection: Connection, schema: str, table: str) -> None:
    """An empty `<table>__next` with the columns, indexes, constraints and rights of the live table."""
    drop(connection, schema, table)
    live, made = sql.Identifier(schema, table), sql.Identifier(schema, table + NEXT)
    connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(made, live))
    # LIKE leaves the storage parameters of the table out.
    options = connection.execute(
        "SELECT option_name, option_value FROM pg_class, pg_options_to_table(reloptions) WHERE oid = %s::regclass",
        (_name(schema, table),),
    ).fetchall()
    for option, value in options:
        setting = sql.SQL("ALTER TABLE {} SET ({} = {})").format(made, sql.Identifier(option), sql.Literal(value))
        connection.execute(setting)
    for role, right in connection.execute(_RIGHTS, (_name(schema, table),)).fetchall():
        connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(right), made, sql.Identifier(role)))


def drop(connection: Connection, schema: str, table: str) -> None:
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, table + NEXT)))


def analyze(connection: Connection, schema: str, table: str) -> None:
    """Let the planner know the new table before anybody reads it."""
    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table + NEXT)))


def fingerprint(connection: Connection, schema: str, table: str) -> tuple[int, int]:
    """How many rows, and a sum over them that does not depend on their order."""
    return row_comparison.fingerprint(connection, sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table)))


def only_in(connection: Connection, schema: str, table: str, other: str) -> tuple[str, ...]:
    """A few rows that the other table does not have, as text."""
    statement = sql.SQL("SELECT t::text FROM (SELECT * FROM {} EXCEPT ALL SELECT * FROM {}) AS t ORDER BY 1 LIMIT {}")
    rows = connection.execute(
        statement.format(sql.Identifier(schema, table), sql.Identifier(schema, other), sql.Literal(EXAMPLES))
    )
    return tuple(text for (text,) in rows)


def swap(connection: Connection, schema: str, table: str) -> None:
    """Put `<table>__next` in the place of the live table, under the same names of indexes and constraints too."""
    names = _index_names(connection, schema, table)
    _rename(connection, "TABLE", schema, table, table + _OLD)
    _rename(connection, "TABLE", schema, table + NEXT, table)
    connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(schema, table + _OLD)))
    for made, name in names:
        _rename(connection, "INDEX", schema, made, name)


def _index_names(connection: Connection, schema: str, table: str) -> list[tuple[str, str]]:
    """Each index of the new table, and what the same one is called on the live table."""
    live: dict[str, str] = dict(connection.execute(_INDEXES, (_name(schema, table),)).fetchall())
    made: dict[str, str] = dict(connection.execute(_INDEXES, (_name(schema, table + NEXT),)).fetchall())
    if live.keys() != made.keys():
        raise AssertionError(f"{table}: the indexes {made} do not fit {live}")
    return [(made[definition], live[definition]) for definition in live]


def _rename(connection: Connection, what: LiteralString, schema: str, name: str, to: str) -> None:
    statement = sql.SQL("ALTER {} {} RENAME TO {}")
    connection.execute(statement.format(sql.SQL(what), sql.Identifier(schema, name), sql.Identifier(to)))


def _name(schema: str, table: str) -> str:
    return f"{schema}.{table}"
