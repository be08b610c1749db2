"""/customers/…/credit-lines: what a customer may buy on our credit, owes, and pays back."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from starlette.responses import Response

from api import late
from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import Calling, MinPosition
from api.fields import Amount, Currency, Request, Text500
from api.payment_requests import MethodRequest
from api.routing import Router
from commands.credit_lines import ChangeCreditLimit, ChargeInterest, CreditLineReceipt, OpenCreditLine, receipt_of
from commands.credit_losses import CreditLossReceipt, DecideCreditLoss, ProposeCreditLoss
from commands.processes.channel_calls import nudge
from commands.repayments import RequestRepayment
from ledger.chart import credit_principal
from ledger.credit_line_state import fold
from ledger.currencies import ASSETS
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    ChannelUnavailable,
    CreditLineExists,
    CreditLineNotFound,
    CreditLossNotFound,
    CurrencyUnknown,
    CustomerNotFound,
    InterestChargedAlready,
    InterestNotDue,
    LossExceedsPrincipal,
    MethodNotSupported,
    RepaymentNotFound,
    RouteNotFound,
    SecondPersonRequired,
)
from ledger.events.credit_lines import credit_line_stream
from ledger.ids import REPAYMENT, new_id
from ledger.money import BASIS_POINTS, LARGEST
from ledger.payment import PROCESSING
from ledger.repayment_state import RepaymentView, repayment_view
from ledger.store import read

router = Router("/v1/customers", "credit")
repayments_router = Router("/v1/repayments", "credit")

_TIME = "2026-11-21T10:20:30.123456Z"
_TERMS: dict[str, Any] = {"currency": "EUR", "limit": 100000, "interest_bps_per_month": 150, "instalment_fee": 0}
_LINE = {
    "position": 40,
    "customer": "ann",
    "currency": "EUR",
    "limit": 100000,
    "available": 94000,
    "principal": 6000,
    "interest": 90,
    "fees": 0,
    "total": 6090,
    "allowance": 0,
    "written_off": 0,
    "interest_bps_per_month": 150,
    "instalment_fee": 0,
    "opened_at": _TIME,
}
_LOSS = {
    "position": 41,
    "customer": "ann",
    "currency": "EUR",
    "number": 1,
    "kind": "write_off",
    "amount": 6000,
    "reason": "Insolvent",
    "status": "proposed",
}
_REPAYMENT = {
    "position": 46,
    "id": "rep_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "customer": "ann",
    "status": "succeeded",
    "next_action": None,
    "amount": 5000,
    "currency": "EUR",
    "channel": "card_simulator",
    "fees": 0,
    "interest": 90,
    "principal": 4910,
    "to_wallet": 0,
    "error": None,
    "created_at": _TIME,
}
_Whole = Annotated[int, Field(strict=True, ge=0, le=LARGEST)]


class CreditLineRequest(Request):
    """How much is lent, in minor units, and what it costs each month."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TERMS]})

    currency: Currency
    limit: _Whole
    interest_bps_per_month: Annotated[int, Field(strict=True, ge=0, le=BASIS_POINTS)] = 0
    instalment_fee: _Whole = 0


class LimitRequest(Request):
    """How much is lent from now on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"limit": 50000}]})

    limit: _Whole


class InterestRequest(Request):
    """For which month."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"period": "2026-11"}]})

    period: Annotated[str, Field(strict=True, pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]


class RepaymentRequest(Request):
    """How much, and by which method."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"amount": 5000, "method": {"type": "card", "token": "tok_approved"}}]}
    )

    amount: Amount
    method: MethodRequest


class LossRequest(Request):
    """What is not expected to come back: written down, or given up."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"kind": "write_off", "amount": 6000, "reason": "Insolvent"}]}
    )

    kind: Literal["impairment", "write_off"]
    amount: Amount
    reason: Text500


class LossDecisionRequest(Request):
    """Whether somebody else agrees."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"agree": True, "reason": "Checked"}]})

    agree: bool
    reason: Text500 = ""


@router.writes(
    "/{customer}/credit-lines",
    CreditLineReceipt,
    {**_LINE, "available": 100000, "principal": 0, "interest": 0, "total": 0},
    scope="payments:write",
    refuses=(CustomerNotFound, CurrencyUnknown, CreditLineExists),
)
async def open_credit_line(customer: str, asked: CreditLineRequest, caller: Calling) -> Response:
    """Lend a customer money for purchases; one line for each currency."""
    command = OpenCreditLine(customer, asked.currency, asked.limit, asked.interest_bps_per_month, asked.instalment_fee)
    return await caller.carry_out(command, asked)


@router.reads(
    "/{customer}/credit-lines/{currency}",
    CreditLineReceipt,
    _LINE,
    scope="payments:read",
    refuses=(CreditLineNotFound,),
    sensitive=Sensitive.NOTED,
)
async def show_credit_line(customer: str, currency: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Tell what is owed on a credit line: principal, interest and fees, and what is left of the limit."""
    await caller.see(min_position)
    if currency not in ASSETS:
        raise CreditLineNotFound
    async with caller.world.snapshot() as connection:
        line = fold(await read.stream(connection, caller.book, credit_line_stream(customer, currency)))
        account = await read.account(connection, caller.book, credit_principal(customer, currency))
        position, _ = await read.head(connection, caller.book)
    if line is None:
        raise CreditLineNotFound
    return answer(receipt_of(line, 0 if account is None else account.account.balance, position))


@router.writes(
    "/{customer}/credit-lines/{currency}/limit",
    CreditLineReceipt,
    {**_LINE, "limit": 50000, "available": 44000},
    scope="payments:write",
    refuses=(CreditLineNotFound,),
)
async def change_credit_limit(customer: str, currency: str, asked: LimitRequest, caller: Calling) -> Response:
    """Lend more or less from now on. What is owed already is owed still."""
    return await caller.carry_out(ChangeCreditLimit(customer, _known(currency), asked.limit), asked)


@router.writes(
    "/{customer}/credit-lines/{currency}/interest",
    CreditLineReceipt,
    _LINE,
    scope="payments:write",
    refuses=(CreditLineNotFound, InterestNotDue, InterestChargedAlready),
)
async def charge_interest(customer: str, currency: str, asked: InterestRequest, caller: Calling) -> Response:
    """Charge a month's interest and fee on the principal of now, once; months that are over are charged by a timer."""
    return await caller.carry_out(ChargeInterest(customer, _known(currency), asked.period), asked)


@router.writes(
    "/{customer}/credit-lines/{currency}/repayments",
    RepaymentView,
    _REPAYMENT,
    scope="payments:write",
    may_be_late=True,
    refuses=(
        AmountType,
        AmountNotPositive,
        AmountOverflow,
        MethodNotSupported,
        CreditLineNotFound,
        ChannelUnavailable,
    ),
)
async def repay(customer: str, currency: str, asked: RepaymentRequest, caller: Calling) -> Response:
    """Pay back by card: fees first, then interest, then principal. What is too much goes into the wallet."""
    command = RequestRepayment(new_id(REPAYMENT), customer, asked.amount, _known(currency), asked.method.to_method())
    return await late.carry_out(caller, command, asked, lambda name: name, lambda history, _: repayment_view(history))


@router.writes(
    "/{customer}/credit-lines/{currency}/losses",
    CreditLossReceipt,
    _LOSS,
    scope="payments:write",
    refuses=(AmountType, AmountNotPositive, AmountOverflow, CreditLineNotFound, LossExceedsPrincipal),
)
async def propose_credit_loss(customer: str, currency: str, asked: LossRequest, caller: Calling) -> Response:
    """Propose to write principal down or off; nothing is booked until somebody else agrees."""
    command = ProposeCreditLoss(customer, _known(currency), asked.kind, asked.amount, asked.reason)
    return await caller.carry_out(command, asked)


@router.writes(
    "/{customer}/credit-lines/{currency}/losses/{number}/decision",
    CreditLossReceipt,
    {**_LOSS, "status": "written_off"},
    scope="payments:write",
    refuses=(CreditLineNotFound, CreditLossNotFound, LossExceedsPrincipal, SecondPersonRequired),
)
async def decide_credit_loss(
    customer: str, currency: str, number: str, asked: LossDecisionRequest, caller: Calling
) -> Response:
    """Agree to a loss, with another key than that of its maker, or reject it."""
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise RouteNotFound
    command = DecideCreditLoss(customer, _known(currency), int(number), asked.agree, asked.reason)
    return await caller.carry_out(command, asked)


@repayments_router.reads(
    "/{repayment}",
    RepaymentView,
    _REPAYMENT,
    scope="payments:read",
    refuses=(RepaymentNotFound,),
    sensitive=Sensitive.NOTED,
)
async def show_repayment(repayment: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show a repayment and what it paid, straight from the log."""
    await caller.see(min_position)
    if not repayment.startswith(REPAYMENT):
        raise RepaymentNotFound
    async with caller.world.reading() as connection:
        history = await read.stream(connection, caller.book, repayment)
        found = repayment_view(history) if history else None
        if found is not None and found.status == PROCESSING:
            await nudge(connection, caller.book, repayment)
    if found is None:
        raise RepaymentNotFound
    return answer(found)


def _known(currency: str) -> str:
    if currency not in ASSETS:
        raise CreditLineNotFound
    return currency
