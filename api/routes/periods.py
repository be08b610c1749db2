"""/periods: accounting periods, closed after their last day with what they came to, and reopened by two people."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.closing import evidence_for
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Request, Text500
from api.routing import Router
from commands.periods import ClosePeriod, PeriodReceipt, ReopenPeriod
from ledger.errors import (
    AccountClosed,
    AccountFrozen,
    BalanceLimitExceeded,
    CursorInvalid,
    InsufficientFunds,
    LimitRange,
    NotCaughtUp,
    NotSealed,
    PeriodChecksFailed,
    PeriodClosed,
    PeriodNotClosed,
    PeriodNotOver,
    RouteNotFound,
)
from ledger.ids import ENTRY, new_id
from ledger.periods import is_period
from projections.period_checks import PeriodView, periods

router = Router("/v1/periods", "periods")

_NOTE = "ledger.local/demo\n18\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n— ledger.local/demo Az3grl…\n"
_CLOSED: dict[str, Any] = {
    "position": 19,
    "period": "2026-03",
    "status": "closed",
    "totals": {"EUR": [1250, 1250]},
    "checkpoint_size": 18,
    "checkpoint": _NOTE,
    "carried": [],
    "warnings": [{"check": "holds_active", "count": 1, "detail": "Accounts with money on hold.", "blocking": False}],
}
_SHOWN: dict[str, Any] = {
    "period": "2026-03",
    "status": "closed",
    "by": "ann",
    "at": "2026-04-02T10:20:30.123456Z",
    "reason": "Month-end",
    "checkpoint_size": 18,
    "checkpoint": _NOTE,
    "totals": {"EUR": [1250, 1250]},
    "carried": [],
    "overridden": [],
    "approval": None,
}
Check = Literal[
    "payments_unknown",
    "payouts_unknown",
    "breaks_open",
    "reconciliations_running",
    "files_being_read",
    "approvals_pending",
]


class ReopenPeriodRequest(Request):
    """Why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "An invoice came late"}]})

    reason: Text500


class ClosePeriodRequest(Request):
    """Why. `carry_forward`: take revenue and expense to retained earnings; without it that is done in December.

    `override` names checks that the period is closed in spite of: a second person has to agree to that.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Month-end"}]})

    reason: Text500
    carry_forward: bool | None = None
    override: Annotated[list[Check], Field(max_length=6)] = []


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
    needs_two=True,
    refuses=(
        PeriodClosed,
        PeriodNotOver,
        PeriodChecksFailed,
        NotCaughtUp,
        NotSealed,
        AccountClosed,
        AccountFrozen,
        InsufficientFunds,
        BalanceLimitExceeded,
    ),
)
async def close_period(period: str, asked: ClosePeriodRequest, caller: Calling) -> Response:
    """Let nothing take effect in a month (`2026-03`, in UTC) any more.

    All that speaks against it is named in one answer. The log then holds what the period came to, and a signed
    checkpoint of itself. What takes a closed period after all is an adjusting entry, by two people.
    """
    checked = _checked(period)
    command = ClosePeriod(
        checked,
        asked.reason,
        asked.carry_forward,
        tuple(dict.fromkeys(asked.override)),
        new_id(ENTRY),
        await evidence_for(caller, checked),
    )
    return await caller.carry_out(command, asked)


@router.writes(
    "/{period}/reopen",
    PeriodReceipt,
    {**_CLOSED, "status": "open", "totals": {}, "checkpoint_size": 0, "checkpoint": "", "warnings": []},
    scope="admin",
    status=200,
    needs_two=True,
    refuses=(PeriodNotClosed,),
)
async def reopen_period(period: str, asked: ReopenPeriodRequest, caller: Calling) -> Response:
    """Let entries take effect in a month again. A second person has to agree, always."""
    return await caller.carry_out(ReopenPeriod(_checked(period), asked.reason), asked)


@router.reads(
    "",
    PeriodView,
    _SHOWN,
    scope="ledger:read",
    page=True,
    refuses=(CursorInvalid, LimitRange),
)
async def list_periods(
    caller: Calling, limit: Limit = DEFAULT_PAGE, cursor: Cursor = None, min_position: MinPosition = None
) -> Response:
    """List the periods that are closed, or were: by whom, when, and with which checkpoint. All others are open."""
    await caller.see(min_position)
    after = "" if cursor is None else str(caller.continue_after(cursor, "periods")[0])
    async with caller.world.reading() as connection:
        found = await periods(connection, caller.book, after=after, limit=limit + 1)
    return caller.page("periods", found, limit, lambda view: [view.period])
