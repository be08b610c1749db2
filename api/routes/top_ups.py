"""/wallets/…/top-ups: a customer puts money into a wallet through a channel."""

from typing import Any

from pydantic import ConfigDict
from starlette.responses import Response

from api import late
from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import AsOfState, Calling, KnownAtParameter, MinPosition
from api.payment_requests import MethodRequest, WalletRequest
from api.routing import Router
from commands.processes.channel_calls import nudge
from commands.top_ups import RequestTopUp
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    ChannelUnavailable,
    CurrencyMismatch,
    CurrencyUnknown,
    CustomerNotFound,
    MethodNotSupported,
    PositionNotReached,
    TimestampFormat,
    TopUpNotFound,
    WalletNotFound,
)
from ledger.ids import TOP_UP, new_id
from ledger.payment import PROCESSING
from ledger.payment_views import TopUpView, top_up_view
from projections.order_status import top_up as find_top_up

router = Router("/v1/wallets", "wallets")
top_ups_router = Router("/v1/top-ups", "wallets")

_EXAMPLE: dict[str, Any] = {"amount": 5000, "method": {"type": "card", "token": "tok_approved"}}
_SHOWN = {
    "position": 26,
    "id": "top_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "customer": "ann",
    "status": "succeeded",
    "next_action": None,
    "amount": 5000,
    "currency": "EUR",
    "channel": "card_simulator",
    "error": None,
    "created_at": "2026-11-21T10:20:30.123456Z",
}


class TopUpRequest(WalletRequest):
    """How much, and by which method."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    method: MethodRequest


@router.writes(
    "/{customer}/{currency}/top-ups",
    TopUpView,
    _SHOWN,
    scope="payments:write",
    may_be_late=True,
    refuses=(
        AmountType,
        AmountNotPositive,
        AmountOverflow,
        MethodNotSupported,
        CustomerNotFound,
        WalletNotFound,
        CurrencyUnknown,
        CurrencyMismatch,
        ChannelUnavailable,
    ),
)
async def top_up_wallet(customer: str, currency: str, asked: TopUpRequest, caller: Calling) -> Response:
    """Charge a card for a wallet. 202 while the channel has not said what became of it."""
    asked.check_currency(currency)
    command = RequestTopUp(new_id(TOP_UP), customer, asked.amount, currency, asked.method.to_method())
    return await late.carry_out(caller, command, asked, lambda name: name, lambda history, _: top_up_view(history))


@top_ups_router.reads(
    "/{top_up}",
    TopUpView,
    _SHOWN,
    scope="payments:read",
    refuses=(TopUpNotFound, PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def show_top_up(
    top_up: str,
    caller: Calling,
    as_of: AsOfState = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Show a top-up as it stands, or stood then; straight from the log."""
    await caller.see(min_position)
    now = as_of is None and known_at is None
    async with caller.world.reading() as connection:
        found = await find_top_up(connection, caller.book, top_up, as_of=as_of, known_at=known_at)
        if now and found is not None and found.status == PROCESSING:
            await nudge(connection, caller.book, top_up)
    if found is None:
        raise TopUpNotFound
    return answer(found)
