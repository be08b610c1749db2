"""Past streams: what of a thing's own history had happened by a time, and was known at a position of the log?

A state takes effect when it is recorded, so both axes cut the same history: what is asked for is what lies before both.
"""

from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from ledger.events.event import Recorded
from ledger.store import read
from ledger.store.positions import position_before
from projections.freshness import KnownAt, position_known_at
from projections.moments import just_after


async def history(
    connection: AsyncConnection[Any],
    book: str,
    stream: str,
    *,
    as_of: datetime | int | None = None,
    known_at: KnownAt = None,
) -> list[Recorded]:
    """The events of a stream up to `as_of`, as far as they were known at `known_at`; all of them if neither is asked.

    Raises PositionNotReached for a `known_at` that the log does not have.
    """
    if isinstance(known_at, int):
        await position_known_at(connection, book, known_at)
    found = await read.stream(connection, book, stream)
    return [recorded for recorded in found if _is_by(recorded, as_of) and _is_by(recorded, known_at)]


def _is_by(recorded: Recorded, limit: datetime | int | None) -> bool:
    match limit:
        case None:
            return True
        case int():
            return recorded.position <= limit
        case datetime():
            return recorded.recorded_at <= limit


async def last_position(
    connection: AsyncConnection[Any], book: str, as_of: datetime | int | None, known_at: KnownAt
) -> int | None:
    """The last position of the log that both let see; None if neither is asked for. Raises PositionNotReached."""
    known = None if known_at is None else await position_known_at(connection, book, known_at)
    if isinstance(as_of, datetime):
        as_of = await position_before(connection, book, just_after(as_of))
    return min((position for position in (as_of, known) if position is not None), default=None)
