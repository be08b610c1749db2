"""/payouts: money that goes out to a merchant or for a principal, approved by a second person where it is large."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import AliasChoices, ConfigDict, Field
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import AsOfState, Calling, Cursor, KnownAtParameter, Limit, MinPosition
from api.fields import (
    DEFAULT_PAGE,
    Amount,
    Currency,
    Identifier,
    Metadata,
    Name,
    PartyId,
    Reference,
    Request,
    Text500,
)
from api.past_lists import list_then
from api.routing import Router
from commands.payouts import ApprovePayout, CancelPayout, CreatePayout
from commands.processes.channel_calls import nudge
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    ChannelUnavailable,
    CurrencyMismatch,
    CurrencyUnknown,
    CursorInvalid,
    FieldInvalid,
    FieldMissing,
    InsufficientFunds,
    LimitRange,
    MerchantUnknown,
    PayoutNotFound,
    PayoutStateInvalid,
    PositionNotReached,
    PrincipalUnknown,
    SelfApproval,
    TimestampFormat,
)
from ledger.events.payouts import MERCHANT, PRINCIPAL, Destination
from ledger.ids import PAYOUT, new_id
from ledger.payout_state import OPEN
from ledger.payout_views import PayoutView
from projections.payouts import Payouts, payouts, payouts_then
from projections.payouts import payout as find_payout

ROUTE = "POST /v1/payouts"
router = Router("/v1/payouts", "payouts")

_BANK: dict[str, Any] = {
    "type": "bank_account",
    "account_number": "DE89370400440532013000",
    "name": "Shop GmbH",
    "entity": "company",
}
_EXAMPLE: dict[str, Any] = {"merchant": "shop", "amount": 5000, "currency": "EUR", "destination": _BANK}
SHOWN: dict[str, Any] = {
    "position": 31,
    "id": "po_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "status": "in_transit",
    "next_action": {"type": "wait"},
    "merchant": "shop",
    "principal": None,
    "customer": None,
    "amount": 5000,
    "currency": "EUR",
    "fee": 25,
    "destination": {**_BANK, "account_number": "******************3000", "bank": "", "country": "", "token": ""},
    "channel": "card_simulator",
    "routing": {
        "channel": "card_simulator",
        "because": "the only channel for bank_account",
        "candidates": ["card_simulator"],
        "rules": None,
        "considered": {
            "card_simulator_b": "pays out of a float",
            "instant_payouts": "neither the rules nor the list of channels name it",
        },
    },
    "channel_reference": None,
    "approval": "not_needed",
    "error": None,
    "reference": None,
    "metadata": {},
    "created_at": "2026-11-21T10:20:30.123456Z",
}
PAYOUT_REFUSALS = (
    AmountType,
    AmountNotPositive,
    AmountOverflow,
    CurrencyUnknown,
    CurrencyMismatch,
    MerchantUnknown,
    PrincipalUnknown,
    InsufficientFunds,
    ChannelUnavailable,
)


class PayoutDestinationRequest(Request):
    """Where the money goes: `bank_account` with its number and holder, or `token`, which stands for a card or wallet.

    The number is kept whole for the channel, and shown by its last four characters only. Card numbers are refused.
    `iban` and `holder` are understood as other words for `account_number` and `name`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_BANK]})

    type: Identifier
    account_number: Annotated[Identifier, Field(validation_alias=AliasChoices("account_number", "iban"))] = ""
    bank: Name = ""
    name: Annotated[Name, Field(validation_alias=AliasChoices("name", "holder"))] = ""
    country: Identifier = ""
    token: Identifier = ""
    entity: Identifier = "individual"

    def to_destination(self) -> Destination:
        return Destination(
            self.type,
            self.account_number,
            self.bank,
            self.name,
            self.country,
            self.token,
            self.entity,
        )


class PayoutRequest(Request):
    """How much to whom, out of what is available to a merchant, or of what a principal has put in."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    merchant: PartyId | None = None
    principal: PartyId | None = None
    amount: Amount
    currency: Currency
    destination: PayoutDestinationRequest
    reference: Reference | None = None
    metadata: Metadata = {}

    def to_command(self) -> CreatePayout:
        """Raises FieldMissing and FieldInvalid where not exactly one says whose money it is."""
        if self.merchant is None and self.principal is None:
            raise FieldMissing("A payout is of a merchant or of a principal.", pointer="/merchant")
        if self.merchant is not None and self.principal is not None:
            raise FieldInvalid("A payout is of a merchant or of a principal, not of both.", pointer="/principal")
        return CreatePayout(
            new_id(PAYOUT),
            MERCHANT if self.principal is None else PRINCIPAL,
            self.merchant or self.principal or "",
            self.amount,
            self.currency,
            self.destination.to_destination(),
            self.reference,
            self.metadata,
        )


class PayoutApproveRequest(Request):
    """Nothing more than who asks."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class PayoutCancelRequest(Request):
    """Why, if somebody wants to know."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Asked for by mistake"}]})

    reason: Text500 = ""


@router.writes(
    "", PayoutView, SHOWN, scope="payments:write", may_be_late=True, refuses=(*PAYOUT_REFUSALS, FieldMissing)
)
async def create_payout(asked: PayoutRequest, caller: Calling) -> Response:
    """Pay money out. 202: it is on its way, and stays so until the channel says what became of it.

    201: it is large, and waits for the approval of somebody else.
    """
    return await caller.carry_out(asked.to_command(), asked)


@router.writes(
    "/{payout}/approve",
    PayoutView,
    {**SHOWN, "approval": "given"},
    scope="payments:write",
    status=202,
    refuses=(PayoutNotFound, PayoutStateInvalid, SelfApproval, InsufficientFunds),
)
async def approve_payout(payout: str, asked: PayoutApproveRequest, caller: Calling) -> Response:
    """Agree to a large payout with another key than the one that asked for it; it is on its way then."""
    return await caller.carry_out(ApprovePayout(payout), asked)


@router.writes(
    "/{payout}/cancel",
    PayoutView,
    {**SHOWN, "status": "canceled", "next_action": None, "approval": "waiting"},
    scope="payments:write",
    status=200,
    refuses=(PayoutNotFound, PayoutStateInvalid),
)
async def cancel_payout(payout: str, asked: PayoutCancelRequest, caller: Calling) -> Response:
    """Take back a payout that waits for its approval."""
    return await caller.carry_out(CancelPayout(payout, asked.reason), asked)


@router.reads(
    "/{payout}",
    PayoutView,
    SHOWN,
    scope="payments:read",
    refuses=(PayoutNotFound, PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def show_payout(
    payout: str,
    caller: Calling,
    as_of: AsOfState = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Show a payout, or how it stood then; straight from the log. While it is in transit, the channel is asked now."""
    await caller.see(min_position)
    now = as_of is None and known_at is None
    async with caller.world.reading() as connection:
        found = await find_payout(connection, caller.book, payout, as_of=as_of, known_at=known_at)
        if now and found is not None and found.status in OPEN:
            await nudge(connection, caller.book, payout)
    if found is None:
        raise PayoutNotFound
    return answer(found)


@router.reads(
    "",
    PayoutView,
    SHOWN,
    scope="payments:read",
    page=True,
    refuses=(CursorInvalid, LimitRange, PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def list_payouts(
    caller: Calling,
    merchant: Annotated[Identifier | None, Query(description="Of this merchant.")] = None,
    principal: Annotated[Identifier | None, Query(description="For this principal.")] = None,
    customer: Annotated[Identifier | None, Query(description="Out of this customer's wallets.")] = None,
    status: Annotated[Identifier | None, Query(description="In this state.")] = None,
    as_of: AsOfState = None,
    known_at: KnownAtParameter = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List payouts in the order in which they were created, as they stand or as they stood then.

    Of the past, a part of the list is looked through at a time: a page may be short, or empty, and lead to a next one.
    """
    await caller.see(min_position, Payouts.name)
    filters = {"merchant": merchant, "principal": principal, "customer": customer, "status": status}
    if as_of is not None or known_at is not None:
        return await list_then(
            caller,
            "payouts",
            Payouts.name,
            filters,
            as_of,
            known_at,
            limit,
            cursor,
            payouts_then,
            lambda listed: listed.payout,
        )
    after = 0 if cursor is None else int(caller.continue_after(cursor, "payouts", filters)[0])
    async with caller.world.reading() as connection:
        found = await payouts(connection, caller.book, filters, after=after, limit=limit + 1)
    return caller.page("payouts", found, limit, lambda one: [one.place], filters, lambda one: one.payout)
