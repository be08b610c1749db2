"""/merchants: who is paid, on which terms, and what they are owed."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.answers import answer
from api.dependencies import AsOf, Caller, Calling, KnownAtParameter, MinPosition
from api.fields import Currency, Metadata, Name, PartyId, Request
from api.routing import Router
from commands.channel_facts import LARGEST_ORDER
from commands.funds import ReleaseFunds, ReleaseReceipt
from commands.merchants import MOST_DAYS, CreateMerchant, MerchantReceipt
from commands.payer_letters import PayerLettersReceipt, SwitchPayerLetters, are_wanted
from ledger import chart
from ledger.errors import (
    CurrencyUnknown,
    IdExistsDifferent,
    MerchantNotFound,
    PositionNotReached,
    ReleaseOvertaken,
    TimestampFormat,
)
from ledger.events.merchants import AfterSaleTerms, FeeTerms, MerchantCreated, SettlementTerms, merchant_stream
from ledger.ids import MERCHANT, new_id
from ledger.money import BASIS_POINTS, LARGEST
from ledger.store import read
from projections.balances import balances
from projections.funds import DueFunds, Funds, due_funds

router = Router("/v1/merchants", "merchants")

_TRIES = 3

_EXAMPLE: dict[str, Any] = {
    "id": "shop",
    "name": "The shop",
    "fee": {"percent_bps": 150, "fixed": 25},
    "settlement_currency": "EUR",
}
_TERMS = {"days": 2, "reserve_bps": 0, "reserve_days": 90, "payout_fee": 0, "approve_above": None}
_AFTER_SALE = {"dispute_fee": 0, "dispute_liability": "merchant", "late_success": "refund", "returns_fee": False}
_TIME = "2026-11-21T10:20:30.123456Z"
_CREATED = {"position": 20, **_EXAMPLE, "metadata": {}, "settlement": _TERMS, "after_sale": _AFTER_SALE}
_CREATED["created_at"] = _TIME
_LETTERS = {"position": 21, "merchant": "shop", "to_payers": True}


class FeeRequest(Request):
    """What a payment costs the merchant: ten-thousandths of it, and a fixed number of minor units.

    On top comes tax, `tax_bps` ten-thousandths of the fee. `invoiced`: fee and tax are not taken from what was sold.
    """

    percent_bps: Annotated[int, Field(ge=0, le=BASIS_POINTS)]
    fixed: Annotated[int, Field(ge=0, le=LARGEST)]
    tax_bps: Annotated[int, Field(ge=0, le=BASIS_POINTS)] = 0
    invoiced: bool = False

    def to_terms(self) -> FeeTerms:
        return FeeTerms(self.percent_bps, self.fixed, self.tax_bps, self.invoiced)


class SettlementTermsRequest(Request):
    """When the merchant may have what it sold, what is kept back for how long, and what a payout costs."""

    days: Annotated[int, Field(ge=0, le=MOST_DAYS)] = 2
    reserve_bps: Annotated[int, Field(ge=0, le=BASIS_POINTS)] = 0
    reserve_days: Annotated[int, Field(ge=0, le=MOST_DAYS)] = 90
    payout_fee: Annotated[int, Field(ge=0, le=LARGEST)] = 0
    approve_above: Annotated[int, Field(ge=0, le=LARGEST)] | None = None

    def to_terms(self) -> SettlementTerms:
        return SettlementTerms(self.days, self.reserve_bps, self.reserve_days, self.payout_fee, self.approve_above)


class AfterSaleTermsRequest(Request):
    """What is done about disputes and late successes, and whether a refund gives back a part of the fee.

    `dispute_fee` in minor units of the settlement currency. `late_success`: what is paid for an order that was given up
    is accepted for it, or given back.
    """

    dispute_fee: Annotated[int, Field(ge=0, le=LARGEST_ORDER)] = 0
    dispute_liability: Literal["merchant", "platform"] = "merchant"
    late_success: Literal["accept", "refund"] = "refund"
    returns_fee: bool = False

    def to_terms(self) -> AfterSaleTerms:
        return AfterSaleTerms(self.dispute_fee, self.dispute_liability, self.late_success, self.returns_fee)


class MerchantRequest(Request):
    """Who is paid, and on which terms."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: PartyId | None = None
    name: Name
    fee: FeeRequest
    settlement_currency: Currency
    metadata: Metadata = {}
    settlement: SettlementTermsRequest | None = None
    after_sale: AfterSaleTermsRequest | None = None


class PayerLettersRequest(Request):
    """Whether the merchant's payers are written to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"to_payers": True}]})

    to_payers: bool


class FundsReleaseRequest(Request):
    """Nothing more than who asks."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class MerchantBalance(msgspec.Struct):
    """What a merchant is owed, in minor units: not settled yet, ready to be paid out, held back, on its way.

    `receivable` is what the merchant owes us; `net` is all that it is owed, less that. Fees that are `invoiced` apart,
    with their tax, are not in it: nothing is taken for them.
    """

    merchant: str
    currency: str
    pending: int
    available: int
    reserved: int
    in_transit: int
    disputed: int
    receivable: int
    invoiced: int
    net: int
    position: int


@router.writes("", MerchantReceipt, _CREATED, scope="payments:write", refuses=(IdExistsDifferent, CurrencyUnknown))
async def create_merchant(asked: MerchantRequest, caller: Calling) -> Response:
    """Serve a merchant from now on. Without an `id` it gets a fresh one."""
    command = CreateMerchant(
        asked.id or new_id(MERCHANT),
        asked.name,
        asked.fee.to_terms(),
        asked.settlement_currency,
        asked.metadata,
        SettlementTerms() if asked.settlement is None else asked.settlement.to_terms(),
        AfterSaleTerms() if asked.after_sale is None else asked.after_sale.to_terms(),
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
            created.settlement,
            created.after_sale,
            recorded.recorded_at,
        )
    )


@router.writes(
    "/{merchant}/payer-letters",
    PayerLettersReceipt,
    _LETTERS,
    scope="payments:write",
    status=200,
    refuses=(MerchantNotFound,),
)
async def switch_payer_letters(merchant: str, asked: PayerLettersRequest, caller: Calling) -> Response:
    """Write to a merchant's payers from now on, or no more: when a payment succeeded, and when a refund did.

    By e-mail, in the payer's language, where the customer or the order has an `email`. Unasked, nobody is written to.
    """
    return await caller.carry_out(SwitchPayerLetters(merchant, asked.to_payers), asked)


@router.reads(
    "/{merchant}/payer-letters", PayerLettersReceipt, _LETTERS, scope="payments:read", refuses=(MerchantNotFound,)
)
async def show_payer_letters(merchant: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Tell whether a merchant's payers are written to."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        history = await read.stream(connection, caller.book, merchant_stream(merchant))
    if not history:
        raise MerchantNotFound
    return answer(PayerLettersReceipt(history[-1].position, merchant, are_wanted(history)))


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
        "disputed": 0,
        "receivable": 0,
        "invoiced": 0,
        "net": 9850,
        "position": 27,
    },
    scope="payments:read",
    refuses=(MerchantNotFound, PositionNotReached, TimestampFormat),
)
async def show_merchant_balance(
    merchant: str,
    caller: Calling,
    as_of: AsOf = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Tell what a merchant is owed in its settlement currency: now, as of a past time, and as it was known then."""
    await caller.see_balances(min_position, as_of, known_at)
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
                chart.merchant_dispute_hold,
                chart.merchant_receivable,
            )
        ]
        names.append(chart.invoiced_fees("", merchant, currency))
        found, position = await balances(connection, caller.book, names, as_of=as_of, known_at=known_at)
    posted = [0 if one is None else one.posted.balance for one in found]
    pending, available, reserved, in_transit, disputed, receivable, invoiced = posted
    net = pending + available + reserved + in_transit + disputed - receivable
    return answer(
        MerchantBalance(
            merchant, currency, pending, available, reserved, in_transit, disputed, receivable, invoiced, net, position
        )
    )


@router.writes(
    "/{merchant}/releases",
    ReleaseReceipt,
    {"position": 33, "merchant": "shop", "currency": "EUR", "released": 8865, "reserved": 985, "recovered": 0}
    | {"reserve_released": 0, "available": 8865},
    scope="payments:write",
    status=200,
    refuses=(MerchantNotFound, ReleaseOvertaken),
)
async def release_funds(merchant: str, asked: FundsReleaseRequest, caller: Calling) -> Response:
    """Make available what has waited as long as was agreed; it happens by itself too, a little later.

    What the merchant owes us is taken first, and its reserve is kept. Where nothing is due, all sums are 0.
    """
    await caller.see(None, Funds.name)
    for _ in range(_TRIES):
        command = await _due_release(merchant, caller)
        try:
            return await caller.carry_out(command, asked)
        except ReleaseOvertaken as overtaken:
            # The timer was quicker: look again once the view knows of it.
            await caller.see(int(str(overtaken.facts["position"])), Funds.name)
    raise ReleaseOvertaken(merchant=merchant)


async def _due_release(merchant: str, caller: Caller) -> ReleaseFunds:
    async with caller.world.reading() as connection:
        recorded = await read.event(connection, caller.book, merchant_stream(merchant), 1)
        if recorded is None or not isinstance(recorded.event, MerchantCreated):
            raise MerchantNotFound
        found = await due_funds(connection, caller.book, datetime.now(UTC), merchant=merchant)
        position, _ = await read.head(connection, caller.book)
    currency = recorded.event.settlement_currency
    due = next((one for one in found if one.currency == currency), DueFunds(merchant, currency, 0, 0, position))
    return ReleaseFunds(merchant, currency, due.pending_due, due.reserve_due, due.known_at)
