"""Row comparison: are two sets of rows the same, also where nobody sees both of them at once? And which rows differ?"""

from collections import Counter

from psycopg import Connection, sql
from psycopg.sql import Composed

EXAMPLES = 5
# Rows that differ are looked for in those of so many parts in which the sums do, until so many rows are looked at.
_PARTS = 4_096
_ENOUGH_ROWS = 5_000

_NONE = (0, 0)

_SUM = "SELECT count(*), coalesce(sum(hash_record_extended(t, 0)::numeric), 0) FROM ({}) AS t"
_SUMS_OF_PARTS = """
SELECT hash_record_extended(t, 1) & {last_part}, count(*), sum(hash_record_extended(t, 0)::numeric)
  FROM ({rows}) AS t GROUP BY 1
"""
_OF_PARTS = "SELECT t::text FROM ({rows}) AS t WHERE hash_record_extended(t, 1) & {last_part} = ANY(%s)"


def fingerprint(connection: Connection, rows: Composed) -> tuple[int, int]:
    """How many rows a query has, and a sum over them that does not depend on their order."""
    found = connection.execute(sql.SQL(_SUM).format(rows)).fetchone()
    if found is None:
        raise AssertionError("the rows could not be counted")
    return int(found[0]), int(found[1])


def differing(
    connection: Connection, rows: Composed, other_connection: Connection, other_rows: Composed
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A few rows, as text, that only the first query has, and a few that only the other one has.

    Each connection may stand in a transaction of its own, at a moment of its own.
    """
    sums, other_sums = _sums_of_parts(connection, rows), _sums_of_parts(other_connection, other_rows)
    looked_at, rows_there = list[int](), 0
    for part in sorted(part for part in sums.keys() | other_sums.keys() if sums.get(part) != other_sums.get(part)):
        if rows_there >= _ENOUGH_ROWS:
            break
        looked_at.append(part)
        rows_there += max(sums.get(part, _NONE)[0], other_sums.get(part, _NONE)[0])
    here, there = _of_parts(connection, rows, looked_at), _of_parts(other_connection, other_rows, looked_at)
    return _few(here - there), _few(there - here)


def _sums_of_parts(connection: Connection, rows: Composed) -> dict[int, tuple[int, int]]:
    statement = sql.SQL(_SUMS_OF_PARTS).format(rows=rows, last_part=sql.Literal(_PARTS - 1))
    return {part: (count, int(total)) for part, count, total in connection.execute(statement)}


def _of_parts(connection: Connection, rows: Composed, parts: list[int]) -> Counter[str]:
    statement = sql.SQL(_OF_PARTS).format(rows=rows, last_part=sql.Literal(_PARTS - 1))
    return Counter(text for (text,) in connection.execute(statement, (parts,)))


def _few(rows: Counter[str]) -> tuple[str, ...]:
    return tuple(sorted(rows.elements())[:EXAMPLES])
