"""/treasury: what the house moves between its own places: floats at channels are fed, earned fees are swept."""

from typing import Any

from pydantic import ConfigDict
from starlette.responses import Response

from api.dependencies import Calling
from api.fields import Amount, Currency, Identifier, PartyId, Reference, Request
from api.keys import ADMIN
from api.routing import Router
from commands.treasury import FeedFloat, FloatReceipt, SweepFees, SweepReceipt
from ledger.accounts import Kind
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    ChannelNotFound,
    CurrencyUnknown,
    SweepExceedsEarned,
)
from ledger.ids import FLOAT_FEED, SWEEP, new_id
from ledger.store import read

router = Router("/v1/treasury", "treasury")

_FLOAT: dict[str, Any] = {"channel": "card_simulator_b", "amount": 500_000, "currency": "EUR", "bank_account": "main"}
_SWEEP: dict[str, Any] = {"amount": 12_000, "currency": "EUR", "bank_account": "main"}
# All accounts of revenue and expense have ids from here up to there.
_EARNED_FROM, _EARNED_UNTIL = "sys:4", "sys:6"
_PAGE = 1_000


class FloatRequest(Request):
    """How much went from which of our bank accounts to which channel."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FLOAT]})

    channel: Identifier
    amount: Amount
    currency: Currency
    bank_account: PartyId = "main"
    reference: Reference | None = None


class SweepRequest(Request):
    """How much of what was earned, at which of our banks."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SWEEP]})

    amount: Amount
    currency: Currency
    bank_account: PartyId = "main"
    reference: Reference | None = None


@router.writes(
    "/floats",
    FloatReceipt,
    {
        "position": 22,
        "id": "flt_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
        "channel": "card_simulator_b",
        "amount": 500_000,
        "currency": "EUR",
        "balance": 500_000,
    },
    scope=ADMIN,
    refuses=(AmountType, AmountNotPositive, AmountOverflow, CurrencyUnknown, ChannelNotFound),
)
async def feed_float(asked: FloatRequest, caller: Calling) -> Response:
    """Say that client money went to a channel which pays out of what it was given before."""
    command = FeedFloat(
        new_id(FLOAT_FEED), asked.channel, asked.amount, asked.currency, asked.bank_account, asked.reference
    )
    return await caller.carry_out(command, asked)


@router.writes(
    "/sweeps",
    SweepReceipt,
    {"position": 40, "id": "swp_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f", "amount": 12_000, "currency": "EUR", "left": 340},
    scope=ADMIN,
    refuses=(AmountType, AmountNotPositive, AmountOverflow, CurrencyUnknown, SweepExceedsEarned),
)
async def sweep_fees(asked: SweepRequest, caller: Calling) -> Response:
    """Move what was earned out of the client money, up to revenue less expenses and less what was swept before."""
    earned_on = await _earned_on(caller, asked.currency)
    command = SweepFees(new_id(SWEEP), asked.amount, asked.currency, asked.bank_account, earned_on, asked.reference)
    return await caller.carry_out(command, asked)


async def _earned_on(caller: Calling, currency: str) -> tuple[str, ...]:
    """Every account of revenue and of expense in this currency."""
    names: list[str] = []
    after = _EARNED_FROM
    async with caller.world.snapshot() as connection:
        while True:
            page = await read.accounts(connection, caller.book, after=after, limit=_PAGE)
            found = [opened.account for opened in page if opened.account.id < _EARNED_UNTIL]
            earning = [one for one in found if one.kind in (Kind.REVENUE, Kind.EXPENSE)]
            names += [one.id for one in earning if one.currency == currency]
            if len(found) < _PAGE:
                return tuple(names)
            after = found[-1].id
