"""/errands: what channels were asked for and nobody knows the outcome of."""

from starlette.responses import Response

from api.access_log import Sensitive
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE
from api.routing import Router
from commands.processes.channel_calls import OpenCall, unresolved
from ledger.errors import CursorInvalid, LimitRange

router = Router("/v1/errands", "errands")

_PAYMENT = "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_OPEN = {
    "id": f"{_PAYMENT}-1",
    "errand": "charge",
    "payment": _PAYMENT,
    "channel": "card_simulator",
    "tries": 61,
    "last_answer": "ReadTimeout",
    "next_try_at": "2026-11-21T10:20:30.123456Z",
}


@router.reads(
    "/unresolved",
    OpenCall,
    _OPEN,
    scope="payments:read",
    page=True,
    refuses=(CursorInvalid, LimitRange),
    sensitive=Sensitive.NOTED,
)
async def list_unresolved_errands(
    caller: Calling, limit: Limit = DEFAULT_PAGE, cursor: Cursor = None, min_position: MinPosition = None
) -> Response:
    """List what channels were asked for so often without an answer that somebody has to look at it.

    None of it has failed: each is asked for on and on, and ends when its channel, a callback or a report says how.
    """
    await caller.see(min_position)
    after = "" if cursor is None else str(caller.continue_after(cursor, "unresolved")[0])
    async with caller.world.reading() as connection:
        found = await unresolved(connection, caller.book, after=after, limit=limit + 1)
    return caller.page("unresolved", found, limit, lambda one: [one.id])
