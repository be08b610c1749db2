"""/callbacks: what channels have told us, as it came, and what was made of it."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from starlette.responses import Response

from api.access_log import Sensitive
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Identifier
from api.keys import ADMIN
from api.routing import Router
from commands.kept_callbacks import KeptCallback, kept_callbacks
from ledger.errors import CursorInvalid, LimitRange

router = Router("/v1/callbacks", "channels")

_SHOWN = {
    "channel": "card_simulator",
    "event_id": "evt_1729",
    "received_at": "2026-11-21T10:20:30.123456Z",
    "subject": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f-1",
    "book": "demo",
    "effect": "taken",
    "body_base64": "eyJvYmplY3QiOiJjaGFyZ2UifQ==",
}


@router.reads(
    "", KeptCallback, _SHOWN, scope=ADMIN, page=True, refuses=(CursorInvalid, LimitRange), sensitive=Sensitive.FIRST
)
async def list_callbacks(
    caller: Calling,
    channel: Annotated[Identifier | None, Query(description="Of this channel.")] = None,
    effect: Annotated[
        Literal["taken", "ignored", "open"] | None, Query(description="Of which this was made; open: nothing yet.")
    ] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List the messages of channels as they came, the newest first: those about this book, and those about none.

    Each was authentic, and was stored before anything was made of it.
    """
    await caller.see(min_position)
    filters = {"channel": channel, "effect": effect}
    before = None
    if cursor is not None:
        at, of, event = caller.continue_after(cursor, "callbacks", filters)
        before = datetime.fromisoformat(str(at)), str(of), str(event)
    async with caller.world.reading() as connection:
        found = await kept_callbacks(
            connection, caller.book, channel=channel, effect=effect, before=before, limit=limit + 1
        )
    return caller.page(
        "callbacks", found, limit, lambda one: [one.received_at.isoformat(), one.channel, one.event_id], filters
    )
