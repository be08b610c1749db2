"""/principals: for whom we collect money and pay it out, what they have put in, and what of it is on its way."""

from typing import Annotated, Any

import msgspec
from fastapi import Query
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.answers import answer
from api.dependencies import AsOf, Calling, KnownAtParameter, MinPosition
from api.fields import Amount, Currency, Identifier, Metadata, Name, PartyId, Reference, Request
from api.keys import ADMIN
from api.routes.merchants import FeeRequest
from api.routing import Router
from commands.principals import CreatePrincipal, FundingReceipt, FundPrincipal, PrincipalReceipt
from ledger import chart
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    CurrencyUnknown,
    IdExistsDifferent,
    PositionNotReached,
    PrincipalNotFound,
    TimestampFormat,
)
from ledger.events.merchants import FeeTerms
from ledger.events.principals import PrincipalCreated, principal_stream
from ledger.ids import FUNDING, PRINCIPAL, new_id
from ledger.money import LARGEST
from ledger.store import read
from projections.balances import balances

router = Router("/v1/principals", "payouts")

_EXAMPLE: dict[str, Any] = {"id": "payroll", "name": "Payroll services", "fee": 30}
_CREATED = {
    "position": 20,
    **_EXAMPLE,
    "approve_above": None,
    "metadata": {},
    "collection_fee": {"percent_bps": 0, "fixed": 0},
    "created_at": "2026-11-21T10:20:30.123456Z",
}
_FUNDING: dict[str, Any] = {"amount": 500_000, "currency": "EUR", "bank_account": "main", "reference": "MT940-77"}


class PrincipalRequest(Request):
    """For whom we collect and pay out; each payout costs `fee`, and one above `approve_above` needs a second person.

    Each payment that is collected for it costs `collection_fee`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: PartyId | None = None
    name: Name
    fee: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    approve_above: Annotated[int, Field(ge=0, le=LARGEST)] | None = None
    metadata: Metadata = {}
    collection_fee: FeeRequest | None = None


class FundingRequest(Request):
    """What came in, at which of our bank accounts, and what the statement calls it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FUNDING]})

    amount: Amount
    currency: Currency
    bank_account: PartyId = "main"
    reference: Reference | None = None


class PrincipalBalance(msgspec.Struct):
    """What a principal has with us in one currency, in minor units: to be paid out, on its way, disputed by payers.

    `receivable` is what it owes us, since its balance did not cover a dispute.
    """

    principal: str
    currency: str
    balance: int
    in_transit: int
    position: int
    disputed: int = 0
    receivable: int = 0


@router.writes("", PrincipalReceipt, _CREATED, scope="payments:write", refuses=(IdExistsDifferent,))
async def create_principal(asked: PrincipalRequest, caller: Calling) -> Response:
    """Serve a principal from now on. Without an `id` it gets a fresh one."""
    command = CreatePrincipal(
        asked.id or new_id(PRINCIPAL),
        asked.name,
        asked.fee,
        asked.approve_above,
        asked.metadata,
        FeeTerms(0, 0) if asked.collection_fee is None else asked.collection_fee.to_terms(),
    )
    return await caller.carry_out(command, asked)


@router.reads("/{principal}", PrincipalReceipt, _CREATED, scope="payments:read", refuses=(PrincipalNotFound,))
async def show_principal(principal: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show a principal and its terms."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        recorded = await read.event(connection, caller.book, principal_stream(principal), 1)
    if recorded is None or not isinstance(recorded.event, PrincipalCreated):
        raise PrincipalNotFound
    created = recorded.event
    receipt = PrincipalReceipt(
        recorded.position,
        created.id,
        created.name,
        created.fee,
        created.approve_above,
        created.metadata,
        created.collection_fee,
        recorded.recorded_at,
    )
    return answer(receipt)


@router.writes(
    "/{principal}/funding",
    FundingReceipt,
    {
        "position": 21,
        "id": "fnd_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
        "principal": "payroll",
        "amount": 500_000,
        "currency": "EUR",
        "balance": 500_000,
    }
    | {"reference": "MT940-77", "recovered": 0},
    scope=ADMIN,
    refuses=(AmountType, AmountNotPositive, AmountOverflow, CurrencyUnknown, PrincipalNotFound),
)
async def fund_principal(principal: str, asked: FundingRequest, caller: Calling) -> Response:
    """Say that the bank's statement shows money of a principal: it can be paid out then."""
    command = FundPrincipal(
        new_id(FUNDING), principal, asked.amount, asked.currency, asked.bank_account, asked.reference
    )
    return await caller.carry_out(command, asked)


@router.reads(
    "/{principal}/balance",
    PrincipalBalance,
    {"principal": "payroll", "currency": "EUR", "balance": 250_000, "in_transit": 249_970, "position": 27}
    | {"disputed": 0, "receivable": 0},
    scope="payments:read",
    refuses=(PrincipalNotFound, PositionNotReached, TimestampFormat),
)
async def show_principal_balance(
    principal: str,
    caller: Calling,
    currency: Annotated[Identifier, Query(description="In this currency.")] = "EUR",
    as_of: AsOf = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Tell what a principal has with us, in one currency: now, as of a past time, and as it was known then."""
    await caller.see_balances(min_position, as_of, known_at)
    async with caller.world.snapshot() as connection:
        recorded = await read.event(connection, caller.book, principal_stream(principal), 1)
        if recorded is None:
            raise PrincipalNotFound
        kinds = (
            chart.agency_balance,
            chart.agency_in_transit,
            chart.principal_dispute_hold,
            chart.principal_receivable,
        )
        names = [name_of(principal, currency) for name_of in kinds]
        found, position = await balances(connection, caller.book, names, as_of=as_of, known_at=known_at)
    balance, in_transit, disputed, receivable = [0 if one is None else one.posted.balance for one in found]
    return answer(PrincipalBalance(principal, currency, balance, in_transit, position, disputed, receivable))
