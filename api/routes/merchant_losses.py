"""/merchants/…/losses: what a merchant owes us and will not pay is given up, by two people."""

from typing import Any

from pydantic import ConfigDict
from starlette.responses import Response

from api.dependencies import Calling
from api.fields import Amount, Currency, Request, Text500
from api.routing import Router
from commands.merchant_losses import DecideMerchantLoss, MerchantLossReceipt, ProposeMerchantLoss
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    CreditLossNotFound,
    LossExceedsDebt,
    MerchantNotFound,
    RouteNotFound,
    SecondPersonRequired,
)

router = Router("/v1/merchants", "merchants")

_EXAMPLE: dict[str, Any] = {"amount": 6000, "currency": "EUR", "reason": "Insolvent"}
_DECISION: dict[str, Any] = {"currency": "EUR", "agree": True, "reason": "Checked"}
_LOSS = {"position": 41, "merchant": "shop", "number": 1, **_EXAMPLE, "status": "proposed"}


class MerchantLossRequest(Request):
    """How much of its debt, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    amount: Amount
    currency: Currency
    reason: Text500


class MerchantLossDecisionRequest(Request):
    """Whether somebody else agrees."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DECISION]})

    currency: Currency
    agree: bool
    reason: Text500 = ""


@router.writes(
    "/{merchant}/losses",
    MerchantLossReceipt,
    _LOSS,
    scope="payments:write",
    refuses=(AmountType, AmountNotPositive, AmountOverflow, MerchantNotFound, LossExceedsDebt),
)
async def propose_merchant_loss(merchant: str, asked: MerchantLossRequest, caller: Calling) -> Response:
    """Propose to write off what a merchant owes us; nothing is booked until somebody else agrees."""
    command = ProposeMerchantLoss(merchant, asked.amount, asked.currency, asked.reason)
    return await caller.carry_out(command, asked)


@router.writes(
    "/{merchant}/losses/{number}/decision",
    MerchantLossReceipt,
    {**_LOSS, "status": "written_off"},
    scope="payments:write",
    refuses=(CreditLossNotFound, LossExceedsDebt, SecondPersonRequired),
)
async def decide_merchant_loss(
    merchant: str, number: str, asked: MerchantLossDecisionRequest, caller: Calling
) -> Response:
    """Agree to a loss, with another key than that of its maker, or reject it."""
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise RouteNotFound
    command = DecideMerchantLoss(merchant, asked.currency, int(number), asked.agree, asked.reason)
    return await caller.carry_out(command, asked)
