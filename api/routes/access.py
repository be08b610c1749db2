"""/audit/access: who read what, among the queries that are sensitive."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query
from starlette.responses import Response

from api.access_log import Sensitive
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Identifier, TimeParameter
from api.routing import Router
from ledger.errors import CursorInvalid, LimitRange
from ledger.store import accesses

router = Router("/v1/audit", "audit")


class AccessView(msgspec.Struct):
    """One sensitive query: by which key and person, when, for what, and with which status it was answered.

    `entities` are the ids that the request named; of other parameters only numbers, times and words of the interface
    are kept with their values. What the answer said is not kept.
    """

    id: str
    at: datetime
    key: str
    person: str | None
    route: str
    entities: list[str]
    parameters: dict[str, str]
    correlation: str
    status: int


_EXAMPLE: dict[str, Any] = {
    "id": "acs_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "at": "2026-11-21T10:20:30.123456Z",
    "key": "4f3c2b1a09f8e7d6",
    "person": None,
    "route": "GET /v1/customers/{customer}",
    "entities": ["ann"],
    "parameters": {},
    "correlation": "cor_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "status": 200,
}


@router.reads(
    "/access",
    AccessView,
    _EXAMPLE,
    scope="audit:read",
    page=True,
    refuses=(CursorInvalid, LimitRange),
    sensitive=Sensitive.FIRST,
)
async def list_accesses(
    caller: Calling,
    entity: Annotated[Identifier | None, Query(description="Of queries that named this id.")] = None,
    key: Annotated[Identifier | None, Query(description="By the key with this id.")] = None,
    since: Annotated[TimeParameter | None, Query(alias="from", description="At this time or later.")] = None,
    until: Annotated[TimeParameter | None, Query(alias="to", description="Before this time.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List who asked for what is sensitive, the oldest first; also those who were refused, and readers of this list.

    A query is listed within a second of its answer; one for the log itself, files, secrets or this list, before it.
    """
    await caller.see(min_position)
    filters = {
        "entity": entity,
        "key": key,
        "from": since.isoformat() if since else None,
        "to": until.isoformat() if until else None,
    }
    after = "" if cursor is None else str(caller.continue_after(cursor, "accesses", filters)[0])
    async with caller.world.reading() as connection:
        found = await accesses.find(
            connection, caller.book, entity=entity, key=key, since=since, until=until, after=after, limit=limit + 1
        )
    views = [msgspec.convert(one, AccessView, from_attributes=True) for one in found]
    return caller.page("accesses", views, limit, lambda one: [one.id], filters)
