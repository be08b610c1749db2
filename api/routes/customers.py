"""/customers: who pays, and the wallets they hold."""

from typing import Any

import msgspec
from pydantic import ConfigDict
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import AsOf, Calling, KnownAtParameter, MinPosition
from api.fields import Currency, Metadata, Name, PartyId, Request
from api.routing import Router
from commands.customers import CreateCustomer, CustomerReceipt, OpenWallet, WalletReceipt
from ledger.chart import wallet_available, wallet_frozen
from ledger.currencies import ASSETS
from ledger.errors import (
    CurrencyUnknown,
    CustomerNotFound,
    IdExistsDifferent,
    PositionNotReached,
    TimestampFormat,
    WalletExists,
    WalletNotFound,
)
from ledger.events.customers import CustomerCreated, customer_stream
from ledger.ids import CUSTOMER, new_id
from ledger.store import read
from projections.balances import balances

router = Router("/v1/customers", "customers")

_EXAMPLE: dict[str, Any] = {"id": "ann", "name": "Ann"}
_TIME = "2026-11-21T10:20:30.123456Z"
_CREATED = {"position": 21, **_EXAMPLE, "metadata": {}, "created_at": _TIME}


class CustomerRequest(Request):
    """Who pays; a name is not needed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: PartyId | None = None
    name: Name | None = None
    metadata: Metadata = {}


class WalletRequest(Request):
    """In which currency."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"currency": "EUR"}]})

    currency: Currency


class WalletView(msgspec.Struct):
    """What a wallet holds, in minor units: what can be spent, and what is set aside."""

    customer: str
    currency: str
    available: int
    frozen: int
    position: int


@router.writes("", CustomerReceipt, _CREATED, scope="payments:write", refuses=(IdExistsDifferent,))
async def create_customer(asked: CustomerRequest, caller: Calling) -> Response:
    """Know a customer from now on. Without an `id` it gets a fresh one."""
    return await caller.carry_out(CreateCustomer(asked.id or new_id(CUSTOMER), asked.name, asked.metadata), asked)


@router.reads(
    "/{customer}",
    CustomerReceipt,
    _CREATED,
    scope="payments:read",
    refuses=(CustomerNotFound,),
    sensitive=Sensitive.NOTED,
)
async def show_customer(customer: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show a customer."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        recorded = await read.event(connection, caller.book, customer_stream(customer), 1)
    if recorded is None or not isinstance(recorded.event, CustomerCreated):
        raise CustomerNotFound
    created = recorded.event
    return answer(CustomerReceipt(recorded.position, created.id, created.name, created.metadata, recorded.recorded_at))


@router.writes(
    "/{customer}/wallets",
    WalletReceipt,
    {"position": 24, "customer": "ann", "currency": "EUR", "available": 0, "frozen": 0, "opened_at": _TIME},
    scope="payments:write",
    refuses=(CustomerNotFound, CurrencyUnknown, WalletExists),
)
async def open_wallet(customer: str, asked: WalletRequest, caller: Calling) -> Response:
    """Give a customer a wallet; one for each currency."""
    return await caller.carry_out(OpenWallet(customer, asked.currency), asked)


@router.reads(
    "/{customer}/wallets/{currency}",
    WalletView,
    {"customer": "ann", "currency": "EUR", "available": 5000, "frozen": 0, "position": 27},
    scope="payments:read",
    refuses=(WalletNotFound, PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def show_wallet(
    customer: str,
    currency: str,
    caller: Calling,
    as_of: AsOf = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Tell what a wallet holds: now, as of a past time, and as it was known then."""
    await caller.see_balances(min_position, as_of, known_at)
    if currency not in ASSETS:
        raise WalletNotFound
    async with caller.world.snapshot() as connection:
        names = [wallet_available(customer, currency), wallet_frozen(customer, currency)]
        (available, frozen), _ = await balances(connection, caller.book, names, as_of=as_of, known_at=known_at)
    if available is None or frozen is None:
        raise WalletNotFound
    return answer(WalletView(customer, currency, available.available, frozen.posted.balance, available.position))
