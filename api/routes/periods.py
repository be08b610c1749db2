"""/periods: accounting periods, closed after their last day and reopened for a reason."""

import msgspec
from pydantic import ConfigDict
from starlette.responses import Response

from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Request, Text500
from api.routing import Router
from commands.periods import ClosePeriod, PeriodReceipt, ReopenPeriod
from ledger.errors import CursorInvalid, LimitRange, PeriodClosed, PeriodNotClosed, PeriodNotOver, RouteNotFound
from ledger.periods import is_period
from ledger.store import read

router = Router("/v1/periods", "periods")

_CLOSED = {"position": 19, "period": "2026-03", "status": "closed"}


class PeriodRequest(Request):
    """Why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Month-end"}]})

    reason: Text500


class PeriodView(msgspec.Struct):
    """A period that is closed; all others are open."""

    period: str
    status: str


def _checked(period: str) -> str:
    if not is_period(period):
        raise RouteNotFound
    return period


@router.writes(
    "/{period}/close",
    PeriodReceipt,
    _CLOSED,
    scope="admin",
    status=200,
    refuses=(PeriodClosed, PeriodNotOver),
)
async def close_period(period: str, asked: PeriodRequest, caller: Calling) -> Response:
    """Let nothing take effect in a month (`2026-03`, in UTC) any more."""
    return await caller.carry_out(ClosePeriod(_checked(period), asked.reason), asked)


@router.writes(
    "/{period}/reopen",
    PeriodReceipt,
    {**_CLOSED, "status": "open"},
    scope="admin",
    status=200,
    refuses=(PeriodNotClosed,),
)
async def reopen_period(period: str, asked: PeriodRequest, caller: Calling) -> Response:
    """Let entries take effect in a month again."""
    return await caller.carry_out(ReopenPeriod(_checked(period), asked.reason), asked)


@router.reads(
    "",
    PeriodView,
    {"period": "2026-03", "status": "closed"},
    scope="ledger:read",
    page=True,
    refuses=(CursorInvalid, LimitRange),
)
async def list_periods(
    caller: Calling, limit: Limit = DEFAULT_PAGE, cursor: Cursor = None, min_position: MinPosition = None
) -> Response:
    """List the periods that are closed."""
    await caller.see(min_position)
    after = "" if cursor is None else str(caller.continue_after(cursor, "periods")[0])
    async with caller.world.reading() as connection:
        closed = await read.closed_periods(connection, caller.book, after=after, limit=limit + 1)
    views = [PeriodView(period, "closed") for period in closed]
    return caller.page("periods", views, limit, lambda view: [view.period])
