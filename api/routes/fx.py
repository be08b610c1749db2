"""/fx: rates between units of account, quotes that lock one, and what an exchange came to in the end."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints
from starlette.responses import Response

from api.answers import answer
from api.dependencies import Calling, MinPosition
from api.fields import Amount, Currency, Identifier, Reference, Request
from api.routing import Router
from commands.fx import LONGEST_QUOTE_S, QuoteExchange, RateReceipt, SetRate
from commands.fx_settlements import ExchangeReceipt, SettleExchange
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    CurrencyUnknown,
    DisputeNotFound,
    DisputeStateInvalid,
    ExchangeSettledAlready,
    PaymentNotFound,
    PaymentStateInvalid,
    QuoteNotFound,
    RateInvalid,
    RateUnknown,
    RefundNotFound,
)
from ledger.fx_state import QuoteView, fold, quote_view
from ledger.ids import QUOTE, new_id
from ledger.money import LARGEST
from ledger.store import read

router = Router("/v1/fx", "exchange")

_TIME = "2026-11-21T10:20:30.123456Z"
_RATE: dict[str, Any] = {"from": "EUR", "to": "USD", "rate": "1.0845", "source": "treasury"}
_QUOTED = {
    "position": 51,
    "id": "fxq_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "from": "EUR",
    "to": "USD",
    "amount": 10000,
    "to_amount": 10845,
    "rate": "1.0845",
    "source": "treasury",
    "rated_at": _TIME,
    "expires_at": "2026-11-21T10:35:30.123456Z",
    "payment": None,
}
_SETTLED = {
    "position": 58,
    "subject": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "amount": 10000,
    "currency": "EUR",
    "quoted": 10845,
    "settled": 10871,
    "settled_currency": "USD",
    "gain": 26,
    "loss": 0,
}


class RateRequest(Request):
    """One whole unit of `from` is worth `rate` of `to`: a decimal number as text. For a coin, `from` is the coin."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RATE]})

    from_currency: Annotated[Currency, Field(alias="from")]
    to_currency: Annotated[Currency, Field(alias="to")]
    rate: Annotated[str, StringConstraints(strict=True, max_length=25)]
    source: Identifier


class QuoteRequest(Request):
    """How much of which unit for which other, and how long the answer has to be good."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"from": "EUR", "to": "USD", "amount": 10000}]})

    from_currency: Annotated[Currency, Field(alias="from")]
    to_currency: Annotated[Currency, Field(alias="to")]
    amount: Amount
    valid_for_s: Annotated[int, Field(strict=True, ge=1, le=LONGEST_QUOTE_S)] = 900


class SettlementRequest(Request):
    """For how much of the merchant's currency the channel settled it, what it kept, and where that stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"subject": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f", "settled": 10871, "kept_fee": 0}]
        }
    )

    subject: Identifier
    settled: Amount
    kept_fee: Annotated[int, Field(strict=True, ge=0, le=LARGEST)] | None = None
    rate: Annotated[str, StringConstraints(strict=True, max_length=30)] = ""
    reference: Reference | None = None


@router.writes(
    "/rates",
    RateReceipt,
    {"position": 50, **_RATE, "set_at": _TIME},
    scope="admin",
    refuses=(CurrencyUnknown, RateInvalid),
)
async def set_rate(asked: RateRequest, caller: Calling) -> Response:
    """Set a rate. It holds from now on, and for seven days at most."""
    return await caller.carry_out(SetRate(asked.from_currency, asked.to_currency, asked.rate, asked.source), asked)


@router.writes(
    "/quotes",
    QuoteView,
    _QUOTED,
    scope="payments:write",
    refuses=(AmountType, AmountNotPositive, AmountOverflow, CurrencyUnknown, RateUnknown),
)
async def quote_exchange(asked: QuoteRequest, caller: Calling) -> Response:
    """Lock the rate of now for one payment: its merchant is owed `to_amount`, whatever the channel settles it for."""
    command = QuoteExchange(new_id(QUOTE), asked.from_currency, asked.to_currency, asked.amount, asked.valid_for_s)
    return await caller.carry_out(command, asked)


@router.reads("/quotes/{quote}", QuoteView, _QUOTED, scope="payments:read", refuses=(QuoteNotFound,))
async def show_quote(quote: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show a quote, and the payment that took it."""
    await caller.see(min_position)
    if not quote.startswith(QUOTE):
        raise QuoteNotFound
    async with caller.world.reading() as connection:
        found = fold(await read.stream(connection, caller.book, quote))
    if found is None:
        raise QuoteNotFound
    return answer(quote_view(found))


@router.writes(
    "/settlements",
    ExchangeReceipt,
    _SETTLED,
    scope="reconciliation:write",
    refuses=(
        AmountType,
        AmountNotPositive,
        AmountOverflow,
        PaymentNotFound,
        RefundNotFound,
        DisputeNotFound,
        PaymentStateInvalid,
        DisputeStateInvalid,
        ExchangeSettledAlready,
    ),
)
async def settle_exchange(asked: SettlementRequest, caller: Calling) -> Response:
    """Tell what the channel settled a foreign payment, refund or lost dispute for; the difference is realised."""
    command = SettleExchange(asked.subject, asked.settled, asked.kept_fee, asked.rate, asked.reference or "")
    return await caller.carry_out(command, asked)
