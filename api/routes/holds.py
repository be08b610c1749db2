"""/holds: pending transfers, captured in parts, released, expired."""

from typing import Any

from pydantic import ConfigDict
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import Calling, MinPosition
from api.fields import Amount, Request, Text500
from api.routing import Router
from commands.holds import CaptureHold, HoldReceipt, ReleaseHold
from ledger.errors import (
    AccountClosed,
    AccountFrozen,
    AmountNotPositive,
    AmountType,
    BalanceLimitExceeded,
    BalanceOverflow,
    CaptureExceedsHold,
    HoldNotActive,
    HoldNotFound,
)
from projections.holds import Hold
from projections.holds import hold as find_hold

router = Router("/v1/holds", "holds")

_HOLD = "hold_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_CAPTURED: dict[str, Any] = {
    "position": 18,
    "id": _HOLD,
    "hold_id": _HOLD,
    "status": "active",
    "amount": 1250,
    "captured": 1000,
    "remaining": 250,
    "currency": "EUR",
    "debit_account": "customer:17",
    "credit_account": "sales",
    "expires_at": None,
    "entry_id": f"{_HOLD}.2",
    "captured_now": 1000,
}
_SHOWN = {
    "id": _HOLD,
    "status": "active",
    "amount": 1250,
    "captured": 1000,
    "remaining": 250,
    "currency": "EUR",
    "debit_account": "customer:17",
    "credit_account": "sales",
    "expires_at": None,
    "placed_at": "2026-11-21T10:20:30.123456Z",
    "reference": None,
    "description": None,
    "metadata": {},
    "reason": None,
    "entries": [f"{_HOLD}.2"],
    "position": 18,
}


class CaptureRequest(Request):
    """Without an amount all that is left is captured; a final capture lets go of the rest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 1000, "final": False}]})

    amount: Amount | None = None
    final: bool = False


class ReleaseRequest(Request):
    """Why, if somebody wants to know."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The order was cancelled"}]})

    reason: Text500 | None = None


@router.writes(
    "/{hold}/capture",
    HoldReceipt,
    _CAPTURED,
    scope="ledger:write",
    refuses=(
        HoldNotFound,
        HoldNotActive,
        CaptureExceedsHold,
        AmountType,
        AmountNotPositive,
        AccountFrozen,
        AccountClosed,
        BalanceLimitExceeded,
        BalanceOverflow,
    ),
)
async def capture_hold(hold: str, asked: CaptureRequest, caller: Calling) -> Response:
    """Post what was held, or a part of it."""
    return await caller.carry_out(CaptureHold(hold, asked.amount, asked.final), asked)


@router.writes(
    "/{hold}/release",
    HoldReceipt,
    {**_CAPTURED, "status": "released", "remaining": 0, "entry_id": None, "captured_now": None},
    scope="ledger:write",
    status=200,
    refuses=(HoldNotFound, HoldNotActive),
)
async def release_hold(hold: str, asked: ReleaseRequest, caller: Calling) -> Response:
    """Let go of what is still held."""
    return await caller.carry_out(ReleaseHold(hold, asked.reason), asked)


@router.reads("/{hold}", Hold, _SHOWN, scope="ledger:read", refuses=(HoldNotFound,), sensitive=Sensitive.NOTED)
async def show_hold(hold: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show a hold, straight from the log."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        found = await find_hold(connection, caller.book, hold)
    if found is None:
        raise HoldNotFound
    return answer(found)
