"""/events: the log of the book, page by page or as a stream."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
import psycopg
import psycopg_pool
from fastapi import Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import Page, answer, encode
from api.dependencies import Caller, Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, LARGEST_PAGE, PositionParameter, Topic
from api.routes.audit import FACT_EXAMPLE
from api.routing import Router
from ledger.errors import CursorInvalid, LimitRange
from ledger.store import read
from projections.audit_trail import Fact
from projections.events_feed import FeedPage, feed

router = Router("/v1/events", "events")

# A key that is revoked meanwhile ends the stream; this long at most it goes unasked.
_LOOK_UP_EVERY_S = 4.0

OfTopic = Annotated[Topic | None, Query(description="Only events of this topic, such as `transfers.posted.v1`.")]
After = Annotated[PositionParameter, Query(description="Only what was recorded behind this position.")]


class StreamedEvent(msgspec.Struct):
    """A stream of Server-Sent Events: `id` is the position, `data` the event as JSON, as in the list."""


@router.reads(
    "",
    Fact,
    FACT_EXAMPLE,
    scope="ledger:read",
    page=True,
    refuses=(CursorInvalid, LimitRange),
    sensitive=Sensitive.FIRST,
)
async def list_events(
    caller: Calling,
    after: After = 0,
    topic: OfTopic = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List what happened, in the order of positions.

    A topic is looked for in a bounded part of the log at a time: a page may be short, or empty, and lead to a next one.
    """
    await caller.see(min_position)
    filters = {"after": after, "topic": topic}
    begin = after if cursor is None else int(caller.continue_after(cursor, "events", filters)[0])
    async with caller.world.snapshot() as connection:
        found = await feed(connection, caller.book, after=begin, limit=limit, topic=topic)
        end, _ = await read.head(connection, caller.book)
    goes_on = found.until < end
    following = caller.next_cursor("events", [found.until], filters) if goes_on else None
    return answer(Page(list(found.facts), following))


@router.reads(
    "/stream",
    StreamedEvent,
    'id: 17\ndata: {"position":17,"topic":"transfers.posted.v1"}\n\n',
    scope="ledger:read",
    media_type="text/event-stream",
    response_class=EventSourceResponse,
    sensitive=Sensitive.FIRST,
)
async def stream_events(
    caller: Calling,
    after: After = 0,
    topic: OfTopic = None,
    last_event_id: Annotated[
        PositionParameter | None, Header(description="Go on behind this position, in place of `after`.")
    ] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow the log as Server-Sent Events: what there is, and then what comes.

    The `id` of each event is its position; after a broken connection, send the last one as `Last-Event-ID` to miss
    nothing. A comment every 15 seconds keeps the connection alive.
    """
    position = after if last_event_id is None else last_event_id
    while True:
        await caller.still_may()
        page = await _next_page(caller, position, topic)
        for fact in page.facts:
            yield ServerSentEvent(id=str(fact.position), raw_data=encode(fact).decode())
        if page.until > position:
            position = page.until
        else:
            await caller.world.log_watch.grows_beyond(caller.book, position, _LOOK_UP_EVERY_S)


async def _next_page(caller: Caller, position: int, topic: str | None) -> FeedPage:
    try:
        async with caller.world.reading() as connection:
            page = await feed(connection, caller.book, after=position, limit=LARGEST_PAGE, topic=topic)
            return await caller.world.vault.opened_value(connection, caller.book, page)
    except (psycopg.OperationalError, psycopg_pool.PoolTimeout, psycopg_pool.TooManyRequests):
        # The database will be back, and the reader is spared to begin anew.
        return FeedPage([], position)
