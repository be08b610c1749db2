"""Past lists: a list as it stood at a time or as it was known at a position, page by page of the one moment."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from starlette.responses import Response

from api.answers import Page, answer
from api.dependencies import Caller
from projections.freshness import KnownAt, seen_by
from projections.past_streams import last_position


async def list_then(
    caller: Caller,
    list_name: str,
    view: str,
    marks: dict[str, str | None],
    as_of: datetime | None,
    known_at: KnownAt,
    limit: int,
    cursor: str | None,
    question: Callable[..., Awaitable[tuple[Sequence[Any], int | None]]],
    shown: Callable[[Any], Any],
) -> Response:
    """What `question` finds of the list at the position that both axes let see; all pages are of that position.

    `question` takes a connection, the book, the position, the marks by name, `after` and `limit`; `view` is what it
    reads. Raises PositionNotReached, NotCaughtUp, CursorInvalid.
    """
    filters = {**marks, "as_of": str(as_of), "known_at": str(known_at)}
    await caller.know(known_at, view)
    async with caller.world.snapshot() as connection:
        if cursor is None:
            after, until = 0, await last_position(connection, caller.book, as_of, known_at) or 0
            # What the view has yet to see is not listed, on this page or on a later one.
            until = min(until, await seen_by(connection, caller.book, (view,), None))
        else:
            after, until = map(int, caller.continue_after(cursor, list_name, filters))
        found, following = await question(connection, caller.book, until, **marks, after=after, limit=limit)
    going_on = None if following is None else caller.next_cursor(list_name, [following, until], filters)
    return answer(Page([shown(listed) for listed in found], going_on))
