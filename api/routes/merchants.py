"""/merchants: who is paid, on which terms, and what they are owed."""

from typing import Annotated, Any

import msgspec
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.answers import answer
from api.dependencies import Calling, MinPosition
from api.fields import Currency, Metadata, Name, PartyId, Request
from api.routing import Router
from commands.merchants import CreateMerchant, MerchantReceipt
from ledger import chart
from ledger.errors import CurrencyUnknown, IdExistsDifferent, MerchantNotFound
from ledger.events.merchants import FeeTerms, MerchantCreated, merchant_stream
from ledger.ids import MERCHANT, new_id
from ledger.money import BASIS_POINTS, LARGEST
from ledger.store import read

router = Router("/v1/merchants", "merchants")

_EXAMPLE: dict[str, Any] = {
    "id": "shop",
    "name": "The shop",
    "fee": {"percent_bps": 150, "fixed": 25},
    "settlement_currency": "EUR",
}
_CREATED = {"position": 20, **_EXAMPLE, "metadata": {}, "created_at": "2026-11-21T10:20:30.123456Z"}


class FeeRequest(Request):
    """What a payment costs the merchant: ten-thousandths of it, and a fixed number of minor units."""

    percent_bps: Annotated[int, Field(ge=0, le=BASIS_POINTS)]
    fixed: Annotated[int, Field(ge=0, le=LARGEST)]


class MerchantRequest(Request):
    """Who is paid, and on which terms."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: PartyId | None = None
    name: Name
    fee: FeeRequest
    settlement_currency: Currency
    metadata: Metadata = {}


class MerchantBalance(msgspec.Struct):
    """What a merchant is owed, in minor units: not settled yet, ready to be paid out, held back, on its way."""

    merchant: str
    currency: str
    pending: int
    available: int
    reserved: int
    in_transit: int
    position: int


@router.writes("", MerchantReceipt, _CREATED, scope="payments:write", refuses=(IdExistsDifferent, CurrencyUnknown))
async def create_merchant(asked: MerchantRequest, caller: Calling) -> Response:
    """Serve a merchant from now on. Without an `id` it gets a fresh one."""
    command = CreateMerchant(
        asked.id or new_id(MERCHANT),
        asked.name,
        FeeTerms(asked.fee.percent_bps, asked.fee.fixed),
        asked.settlement_currency,
        asked.metadata,
    )
    return await caller.carry_out(command, asked)


@router.reads("/{merchant}", MerchantReceipt, _CREATED, scope="payments:read", refuses=(MerchantNotFound,))
async def show_merchant(merchant: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show a merchant and its terms."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        recorded = await read.event(connection, caller.book, merchant_stream(merchant), 1)
    if recorded is None or not isinstance(recorded.event, MerchantCreated):
        raise MerchantNotFound
    created = recorded.event
    return answer(
        MerchantReceipt(
            recorded.position,
            created.id,
            created.name,
            created.fee,
            created.settlement_currency,
            created.metadata,
            recorded.recorded_at,
        )
    )


@router.reads(
    "/{merchant}/balance",
    MerchantBalance,
    {
        "merchant": "shop",
        "currency": "EUR",
        "pending": 9850,
        "available": 0,
        "reserved": 0,
        "in_transit": 0,
        "position": 27,
    },
    scope="payments:read",
    refuses=(MerchantNotFound,),
)
async def show_merchant_balance(merchant: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Tell what a merchant is owed in its settlement currency."""
    await caller.see(min_position)
    async with caller.world.snapshot() as connection:
        recorded = await read.event(connection, caller.book, merchant_stream(merchant), 1)
        if recorded is None or not isinstance(recorded.event, MerchantCreated):
            raise MerchantNotFound
        currency = recorded.event.settlement_currency
        names = [
            of(merchant, currency)
            for of in (
                chart.merchant_pending,
                chart.merchant_available,
                chart.merchant_reserve,
                chart.payout_in_transit,
            )
        ]
        opened = [await read.account(connection, caller.book, name) for name in names]
        position, _ = await read.head(connection, caller.book)
    pending, available, reserved, in_transit = [0 if found is None else found.account.balance for found in opened]
    return answer(MerchantBalance(merchant, currency, pending, available, reserved, in_transit, position))
