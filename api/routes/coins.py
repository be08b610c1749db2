"""/coins: coins that payments brought are sold, cost fees on their chain, and go back where nothing was paid."""

from typing import Annotated, Any

from pydantic import ConfigDict, StringConstraints
from starlette.responses import Response

from api.dependencies import Calling
from api.fields import Amount, Currency, Identifier, Reference, Request
from api.routing import Router
from commands.coin_moves import CoinMoveReceipt, GiveCoinsBack, PayNetworkFee, SellCoins
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    CoinNotSupported,
    CoinsNotUnapplied,
    CurrencyUnknown,
    PaymentNotFound,
    PaymentStateInvalid,
    SaleExceedsPosition,
)
from ledger.ids import COIN_MOVE, new_id

router = Router("/v1/coins", "coins")

_ID = "coin_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_SALE: dict[str, Any] = {
    "channel": "coin_gateway",
    "coin": "BTC",
    "amount": 100000,
    "currency": "EUR",
    "proceeds": 6012,
    "exchange": "coin_gateway",
}
_SOLD = {
    "position": 70,
    "id": _ID,
    "channel": "coin_gateway",
    "coin": "BTC",
    "amount": 100000,
    "currency": "EUR",
    "proceeds": 6012,
    "cost": 6000,
    "gain": 12,
    "loss": 0,
}
_MOVED = {**_SOLD, "currency": None, "proceeds": 0, "cost": 0, "gain": 0}

_TransactionId = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
_Word = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}$")]


class SaleRequest(Request):
    """How many coins (in their minor units) out of which custody were sold where, and for how much."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SALE]})

    channel: Identifier
    coin: Currency
    amount: Amount
    currency: Currency
    proceeds: Amount
    exchange: _Word
    reference: Reference | None = None


class NetworkFeeRequest(Request):
    """What moving coins cost, in minor units of the coin."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"channel": "coin_gateway", "coin": "BTC", "amount": 210, "txid": "ab12"}]}
    )

    channel: Identifier
    coin: Currency
    amount: Amount
    txid: _TransactionId


class GiveBackRequest(Request):
    """How many of the coins that are kept apart for a payment went back, where, and by which transaction."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "payment": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
                    "amount": 5000,
                    "address": "bc1qxy2kgdygjrsqtzq2n0yrf2493p83kkfjhx0wlh",
                    "txid": "cd34",
                }
            ]
        }
    )

    payment: Identifier
    amount: Amount
    address: _TransactionId
    txid: _TransactionId


@router.writes(
    "/sales",
    CoinMoveReceipt,
    _SOLD,
    scope="reconciliation:write",
    refuses=(
        AmountType,
        AmountNotPositive,
        AmountOverflow,
        CurrencyUnknown,
        CoinNotSupported,
        SaleExceedsPosition,
    ),
)
async def sell_coins(asked: SaleRequest, caller: Calling) -> Response:
    """Book a sale of coins; what it came to against what their payments were owed is realised with it."""
    command = SellCoins(
        new_id(COIN_MOVE),
        asked.channel,
        asked.coin,
        asked.amount,
        asked.currency,
        asked.proceeds,
        asked.exchange,
        asked.reference or "",
    )
    return await caller.carry_out(command, asked)


@router.writes(
    "/network-fees",
    CoinMoveReceipt,
    _MOVED,
    scope="reconciliation:write",
    refuses=(AmountType, AmountNotPositive, AmountOverflow, CoinNotSupported, SaleExceedsPosition),
)
async def pay_network_fee(asked: NetworkFeeRequest, caller: Calling) -> Response:
    """Book what moving coins on their chain cost."""
    command = PayNetworkFee(new_id(COIN_MOVE), asked.channel, asked.coin, asked.amount, asked.txid)
    return await caller.carry_out(command, asked)


@router.writes(
    "/returns",
    CoinMoveReceipt,
    {**_MOVED, "id": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"},
    scope="reconciliation:write",
    refuses=(AmountType, AmountNotPositive, AmountOverflow, PaymentNotFound, PaymentStateInvalid, CoinsNotUnapplied),
)
async def give_coins_back(asked: GiveBackRequest, caller: Calling) -> Response:
    """Book that coins which paid nothing went back to whoever sent them."""
    return await caller.carry_out(GiveCoinsBack(asked.payment, asked.amount, asked.address, asked.txid), asked)
