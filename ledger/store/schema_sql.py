"""Schema SQL: the sum of all migrations as one readable script, from the catalogs of a freshly migrated database.

    python -m ledger.store.schema_sql      writes migrations/schema.sql anew

Written from the catalogs and not by pg_dump, whose words differ between the versions 15 to 18 that we support. Tables,
columns, constraints, indexes and the rights of the application; no rows. What it does not know it refuses.
"""

import importlib.resources
import tempfile
from collections.abc import Iterator
from pathlib import Path

from psycopg import Connection
from psycopg.rows import dict_row

from ledger.store.connection import APPLICATION_ROLE
from ledger.store.embedded import Embedded
from ledger.store.migrate import create_book, migrate_control
from ledger.store.schema import CONTROL, schema_of

EXAMPLE_BOOK = "example"

_HEADER = """\
-- The sum of the migrations: what the database looks like after all of them. `book_example` stands for each book.
-- Written by `python -m ledger.store.schema_sql`, never by hand; a test compares.
"""

# Only tables and their indexes and constraints: no views, sequences, functions or triggers, on any engine we aim at.
_STRANGERS = """
SELECT 'relation ' || relname FROM pg_class WHERE relnamespace = %(schema)s::regnamespace AND relkind NOT IN ('r', 'i')
UNION ALL
SELECT 'function ' || proname FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
UNION ALL
SELECT 'trigger ' || tgname FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
 WHERE c.relnamespace = %(schema)s::regnamespace AND NOT tgisinternal
"""
_TABLES = """
SELECT oid, relname AS name, oid::regclass::text AS qualified, reloptions AS options
  FROM pg_class WHERE relnamespace = %(schema)s::regnamespace AND relkind = 'r' ORDER BY relname COLLATE "C"
"""
_COLUMNS = """
SELECT quote_ident(attname) AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS is_not_null,
       CASE WHEN attcollation <> typcollation THEN quote_ident(collname) END AS collation,
       pg_get_expr(adbin, adrelid) AS expression, attgenerated = 's' AS is_generated
  FROM pg_attribute
  JOIN pg_type ON pg_type.oid = atttypid
  LEFT JOIN pg_collation ON pg_collation.oid = attcollation
  LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
 WHERE attrelid = %(table)s AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
# 'n' is left out: only PostgreSQL 18 keeps NOT NULL among the constraints.
_CONSTRAINTS = """
SELECT quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition, contype = 'f' AS is_foreign
  FROM pg_constraint WHERE conrelid = %(table)s AND contype IN ('p', 'u', 'x', 'c', 'f')
 ORDER BY strpos('puxcf', contype::text), conname COLLATE "C"
"""
_INDEXES = """
SELECT pg_get_indexdef(indexrelid) AS definition FROM pg_index
 WHERE indrelid = %(table)s AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype <> 'f')
 ORDER BY indexrelid::regclass::text COLLATE "C"
"""
_RIGHTS = """
SELECT column_name, string_agg(privilege, ', ' ORDER BY privilege COLLATE "C") AS privileges
  FROM (SELECT '' AS column_name, (aclexplode(relacl)).* FROM pg_class WHERE oid = %(table)s
        UNION ALL
        SELECT quote_ident(attname), (aclexplode(attacl)).* FROM pg_attribute WHERE attrelid = %(table)s
       ) AS rights (column_name, grantor, grantee, privilege, is_grantable)
 WHERE grantee = (SELECT oid FROM pg_roles WHERE rolname = %(role)s)
 GROUP BY column_name ORDER BY column_name COLLATE "C"
"""


def schema_sql(connection: Connection, book: str) -> str:
    """The script for the control schema and one book's, whose name is written as the example's."""
    with connection.transaction():
        # Without a search path every name comes out with its schema.
        connection.execute("SET LOCAL search_path TO ''")
        connection.execute("SET LOCAL timezone TO 'UTC'")
        parts = [part for schema in (CONTROL, schema_of(book)) for part in _schema_parts(connection, schema)]
    script = "\n\n".join([_HEADER.rstrip(), *parts]) + "\n"
    return script.replace(f"{schema_of(book)}.", f"{schema_of(EXAMPLE_BOOK)}.").replace(
        f"SCHEMA {schema_of(book)}", f"SCHEMA {schema_of(EXAMPLE_BOOK)}"
    )


def _schema_parts(connection: Connection, schema: str) -> Iterator[str]:
    of_schema = {"schema": schema}
    if stranger := connection.execute(_STRANGERS, of_schema).fetchone():
        raise AssertionError(f"{schema} has a {stranger[0]}: migrations are plain tables")
    yield f"CREATE SCHEMA {schema};\nGRANT USAGE ON SCHEMA {schema} TO {APPLICATION_ROLE};"
    rows = connection.cursor(row_factory=dict_row)
    later = []
    for table in rows.execute(_TABLES, of_schema).fetchall():
        name = table["qualified"]
        of_table = {"table": table["oid"], "role": APPLICATION_ROLE}
        lines = [
            f"    {column['name']} {column['type']}{_column_rest(column)}"
            for column in rows.execute(_COLUMNS, of_table).fetchall()
        ]
        for constraint in rows.execute(_CONSTRAINTS, of_table).fetchall():
            definition = f"CONSTRAINT {constraint['name']} {constraint['definition']}"
            if constraint["is_foreign"]:  # its table may not be there yet
                later.append(f"ALTER TABLE {name} ADD {definition};")
            else:
                lines.append(f"    {definition}")
        options = f" WITH ({', '.join(table['options'])})" if table["options"] else ""
        statements = ["CREATE TABLE " + name + " (\n" + ",\n".join(lines) + f"\n){options};"]
        statements += [f"{index['definition']};" for index in rows.execute(_INDEXES, of_table).fetchall()]
        for right in rows.execute(_RIGHTS, of_table).fetchall():
            columns = f" ({right['column_name']})" if right["column_name"] else ""
            statements.append(f"GRANT {right['privileges']}{columns} ON {name} TO {APPLICATION_ROLE};")
        yield "\n".join(statements)
    yield from later


def _column_rest(column: dict[str, str | bool | None]) -> str:
    rest = f" COLLATE {column['collation']}" if column["collation"] else ""
    if column["expression"] and column["is_generated"]:
        rest += f" GENERATED ALWAYS AS ({column['expression']}) STORED"
    elif column["expression"]:
        rest += f" DEFAULT {column['expression']}"
    return rest + (" NOT NULL" if column["is_not_null"] else "")


def write_schema_sql() -> Path:
    """Write migrations/schema.sql from a throw-away database; returns where it lies."""
    path = Path(str(importlib.resources.files("migrations") / "schema.sql"))
    with tempfile.TemporaryDirectory(prefix="ledger-schema-") as folder:
        server = Embedded.start(Path(folder))
        try:
            with Connection.connect(server.url, autocommit=True) as connection:
                migrate_control(connection)
                create_book(connection, EXAMPLE_BOOK)
                path.write_text(schema_sql(connection, EXAMPLE_BOOK))
        finally:
            server.erase()
    return path


if __name__ == "__main__":
    write_schema_sql()
