"""Positions: which position the log had reached at a moment, and what stands at given positions or in many streams."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from ledger.events.event import Recorded
from ledger.store.append import recorded
from ledger.store.connection import in_book

_EVENTS_AT: LiteralString = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE notification_id = ANY(%s)
 ORDER BY notification_id
"""
_STREAMS: LiteralString = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE originator_id = ANY(%s)
 ORDER BY originator_id, originator_version
"""
# Streams first and order afterwards: asked in one go, the planner walks the whole log in order and looks for them.
_POSITIONS_OF_STREAMS: LiteralString = """
WITH of_streams AS MATERIALIZED (
    SELECT notification_id FROM {schema}.events WHERE originator_id = ANY(%s)
)
SELECT notification_id FROM of_streams WHERE notification_id > %s ORDER BY notification_id LIMIT %s
"""
# Positions are dense and times never run backwards, so the log is searched by halves: as many look-ups by position as
# the head has bits (0.05 ms measured), and neither an index on times nor a table of them.
_BEFORE: LiteralString = """
WITH RECURSIVE halving (low, high) AS (
    SELECT 0::bigint, position FROM {schema}.log_head
    UNION ALL
    SELECT CASE WHEN e.recorded_at < %(moment)s THEN e.notification_id ELSE low END,
           CASE WHEN e.recorded_at < %(moment)s THEN high ELSE e.notification_id - 1 END
      FROM halving JOIN {schema}.events AS e ON e.notification_id = (low + high + 1) / 2
     WHERE low < high
)
SELECT low FROM halving WHERE low = high
"""
# Each look is a subquery of its own, behind a fence: of a join PostgreSQL would rather sort the whole log.
_ALL_BEFORE: LiteralString = """
WITH RECURSIVE halving (number, moment, low, high) AS (
    SELECT asked.number, asked.moment, 0::bigint, h.position
      FROM {schema}.log_head AS h, unnest(%s::timestamptz[]) WITH ORDINALITY AS asked (moment, number)
    UNION ALL
    SELECT number, moment,
           CASE WHEN is_before THEN middle ELSE low END,
           CASE WHEN is_before THEN high ELSE middle - 1 END
      FROM (SELECT number, moment, low, high, (low + high + 1) / 2 AS middle,
                   (SELECT e.recorded_at FROM {schema}.events AS e
                     WHERE e.notification_id = (low + high + 1) / 2) < moment AS is_before
              FROM halving
             WHERE low < high
            OFFSET 0) AS looked_at
     WHERE is_before IS NOT NULL
)
SELECT low FROM halving WHERE low = high ORDER BY number
"""


async def position_before(connection: AsyncConnection[Any], book: str, moment: datetime) -> int:
    """The last position that was recorded before a moment; 0 if there is none."""
    cursor = await connection.execute(in_book(_BEFORE, book), {"moment": moment})
    row: TupleRow | None = await cursor.fetchone()
    if row is None:
        raise AssertionError(f"the log of {book} cannot be searched: its head is lost, or it has a hole")
    position: int = row[0]
    return position


async def positions_before(connection: AsyncConnection[Any], book: str, moments: Sequence[datetime]) -> list[int]:
    """The last position that was recorded before each of these moments; 0 where there is none."""
    cursor = await connection.execute(in_book(_ALL_BEFORE, book), (list(moments),))
    found = [position for (position,) in await cursor.fetchall()]
    if len(found) != len(moments):
        raise AssertionError(f"the log of {book} cannot be searched: its head is lost, or it has a hole")
    return found


async def events_at(connection: AsyncConnection[Any], book: str, positions: Sequence[int]) -> list[Recorded]:
    """The events at these positions, in the order of positions."""
    return await _read(connection, _EVENTS_AT, book, (list(positions),)) if positions else []


async def streams(connection: AsyncConnection[Any], book: str, names: Sequence[str]) -> dict[str, list[Recorded]]:
    """All events of these streams, oldest first; an empty list for a stream that has none."""
    found: dict[str, list[Recorded]] = {name: [] for name in names}
    for event in await _read(connection, _STREAMS, book, (list(found),)) if found else []:
        found[event.stream].append(event)
    return found


async def positions_of_streams(
    connection: AsyncConnection[Any], book: str, names: Sequence[str], *, after: int, limit: int
) -> list[int]:
    """Where the events of these streams stand, in the order of positions."""
    cursor = await connection.execute(in_book(_POSITIONS_OF_STREAMS, book), (list(names), after, limit))
    return [position for (position,) in await cursor.fetchall()]


async def _read(
    connection: AsyncConnection[Any], statement: LiteralString, book: str, wanted: tuple[Any, ...]
) -> list[Recorded]:
    cursor = await connection.execute(in_book(statement, book), wanted, binary=True)
    return [recorded(row) for row in await cursor.fetchall()]
