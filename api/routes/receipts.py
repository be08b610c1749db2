"""/payments/{id}/receipts/{n}: what operations do with money that came and that no order was waiting for."""

from typing import Any

from pydantic import ConfigDict
from starlette.responses import Response

from api.dependencies import Calling
from api.fields import Request
from api.routes.payments import SHOWN
from api.routing import Router
from commands.receipts import AcceptReceipt, ReturnReceipt
from ledger.errors import PaymentNotFound, ReceiptNotFound, ReceiptStateInvalid
from ledger.payment_views import PaymentView

router = Router("/v1/payments", "payments")

_RECEIPT: dict[str, Any] = {
    "number": 1,
    "status": "accepted",
    "attempt": SHOWN["attempts"][0]["id"],
    "amount": 6000,
    "currency": "EUR",
    "because": "the payment is expired already",
    "error": None,
}
_REFUSES = (PaymentNotFound, ReceiptNotFound, ReceiptStateInvalid)


class ReceiptRequest(Request):
    """Nothing more than who asks."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


@router.writes(
    "/{payment}/receipts/{receipt}/accept",
    PaymentView,
    {**SHOWN, "receipts": [_RECEIPT]},
    scope="payments:write",
    status=200,
    refuses=_REFUSES,
)
async def accept_receipt(payment: str, receipt: str, asked: ReceiptRequest, caller: Calling) -> Response:
    """Take a receipt that is kept apart for its order: it is the whole of it, and nobody else has paid."""
    return await caller.carry_out(AcceptReceipt(payment, _number(payment, receipt)), asked)


@router.writes(
    "/{payment}/receipts/{receipt}/return",
    PaymentView,
    {
        **SHOWN,
        "status": "expired",
        "amount_captured": 0,
        "receipts": [{**_RECEIPT, "status": "returning"}],
    },
    scope="payments:write",
    status=200,
    refuses=_REFUSES,
)
async def return_receipt(payment: str, receipt: str, asked: ReceiptRequest, caller: Calling) -> Response:
    """Have the channel give a receipt back that is kept apart, once more: the first time it is tried by itself."""
    return await caller.carry_out(ReturnReceipt(payment, _number(payment, receipt)), asked)


def _number(payment: str, receipt: str) -> int:
    if not (receipt.isascii() and receipt.isdigit() and len(receipt) < 5):
        raise ReceiptNotFound(payment=payment, receipt=receipt)
    return int(receipt)
