"""/payments/…/shares: parts of a payment that its merchant passes on to another merchant (profit sharing)."""

from typing import Any

from pydantic import ConfigDict
from starlette.responses import Response

from api.answers import Page, answer
from api.dependencies import Calling, MinPosition
from api.fields import Amount, PartyId, Request, Text500
from api.routing import Router
from commands.shares import ReturnShare, SharePayment, ShareReceipt
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    CurrencyMismatch,
    InsufficientFunds,
    MerchantUnknown,
    PaymentNotFound,
    PaymentStateInvalid,
    SameAccount,
    ShareExceedsPayment,
    ShareExceedsReturn,
    ShareNotFound,
)
from ledger.ids import PAYMENT
from ledger.payment_state import fold
from ledger.store import read

router = Router("/v1/payments", "payments")

_EXAMPLE: dict[str, Any] = {"receiver": "designer", "amount": 1500, "description": "For the pattern"}
_SHARED: dict[str, Any] = {
    "position": 28,
    "id": "shr_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f-1",
    "payment": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "receiver": "designer",
    "amount": 1500,
    "returned": 0,
    "currency": "EUR",
    "created_at": "2026-11-21T10:20:30.123456Z",
}
_OF_SHARES = (
    AmountType,
    AmountNotPositive,
    AmountOverflow,
    PaymentNotFound,
    PaymentStateInvalid,
    InsufficientFunds,
)


class PaymentShareRequest(Request):
    """How much, and to which other merchant."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    receiver: PartyId
    amount: Amount
    description: Text500 | None = None


class ShareReturnRequest(Request):
    """Without an amount all that is left of the share goes back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 500}]})

    amount: Amount | None = None


@router.writes(
    "/{payment}/shares",
    ShareReceipt,
    _SHARED,
    scope="payments:write",
    refuses=(*_OF_SHARES, MerchantUnknown, CurrencyMismatch, SameAccount, ShareExceedsPayment),
)
async def share_payment(payment: str, asked: PaymentShareRequest, caller: Calling) -> Response:
    """Owe a part of a payment to another merchant, while it is pending."""
    return await caller.carry_out(SharePayment(payment, asked.receiver, asked.amount, asked.description), asked)


@router.writes(
    "/{payment}/shares/{share}/return",
    ShareReceipt,
    {**_SHARED, "returned": 500},
    scope="payments:write",
    refuses=(*_OF_SHARES, ShareNotFound, ShareExceedsReturn),
)
async def return_share(payment: str, share: str, asked: ShareReturnRequest, caller: Calling) -> Response:
    """Take a share back, whole or in part, while it is pending with its receiver."""
    return await caller.carry_out(ReturnShare(payment, share, asked.amount), asked)


@router.reads("/{payment}/shares", ShareReceipt, _SHARED, scope="payments:read", page=True, refuses=(PaymentNotFound,))
async def list_shares(payment: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """List the shares of a payment, straight from the log. There is one page."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        history = await read.stream(connection, caller.book, payment) if payment.startswith(PAYMENT) else []
    found = fold(history)
    if found is None:
        raise PaymentNotFound
    currency = found.created.currency
    shares = [
        ShareReceipt(
            share.position, share.id, payment, share.receiver, share.amount, share.returned, currency, share.created_at
        )
        for share in found.shares
    ]
    return answer(Page(shares))
