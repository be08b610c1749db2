"""Past streams: what of a thing's own history had happened by a time, and was known at a position of the log?

A state takes effect when it is recorded, so both axes cut the same history: what is asked for is what lies before both.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from psycopg import AsyncConnection

from ledger.events.event import Recorded
from ledger.store import read
from ledger.store.positions import position_before, streams
from projections.freshness import KnownAt, position_known_at
from projections.moments import just_after

State = TypeVar("State")

MOST_LOOKED_AT = 1_000
"""Of a list of the past, so many are looked at for one page where a state that they had is asked for."""


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


async def standing_then(
    connection: AsyncConnection[Any],
    book: str,
    there: Sequence[tuple[int, str]],
    until: int,
    limit: int,
    most: int,
    fold: Callable[[list[Recorded]], State | None],
    fits: Callable[[State], bool],
) -> tuple[list[tuple[int, State]], int | None]:
    """Of what was there (place in a list, stream), how each stood after the position `until`, where that fits.

    At most `limit` of them, after a look at `most`; and the place behind which the list goes on, None at its end.
    """
    found: list[tuple[int, State]] = []
    for start in range(0, min(len(there), most), limit):
        part = there[start : min(start + limit, most)]
        histories = await streams(connection, book, [stream for _, stream in part])
        for number, (place, stream) in enumerate(part, start + 1):
            standing = fold([fact for fact in histories[stream] if fact.position <= until])
            if standing is not None and fits(standing):
                found.append((place, standing))
            if len(found) == limit:
                return found, place if number < len(there) else None
    return found, there[most - 1][0] if len(there) > most else None


async def last_position(
    connection: AsyncConnection[Any], book: str, as_of: datetime | int | None, known_at: KnownAt
) -> int | None:
    """The last position of the log that both let see; None if neither is asked for. Raises PositionNotReached."""
    known = None if known_at is None else await position_known_at(connection, book, known_at)
    if isinstance(as_of, datetime):
        as_of = await position_before(connection, book, just_after(as_of))
    return min((position for position in (as_of, known) if position is not None), default=None)
