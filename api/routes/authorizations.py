"""/payments/{id}/capture, /increment, /extend and /revoke: what a merchant does with money that is held or taken."""

from typing import Any

from pydantic import ConfigDict
from starlette.responses import Response

from api import late
from api.dependencies import Calling
from api.fields import Amount, Request, Text500
from api.routes.payments import SHOWN
from api.routing import Router
from commands.authorizations import CapturePayment, ExtendPayment, IncrementPayment
from commands.revocations import RevokePayment
from ledger.authorization_views import RevocationView, change_view, revocation_view
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    AuthExpired,
    CaptureExceedsAuthorization,
    ChangeNotSupported,
    ChangeUnderWay,
    InsufficientFunds,
    PaymentNotFound,
    PaymentStateInvalid,
    RefundExceedsPayment,
)
from ledger.ids import stream_of
from ledger.payment_views import PaymentView

router = Router("/v1/payments", "payments")

_ID = "019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_AUTHORIZED: dict[str, Any] = {
    **SHOWN,
    "status": "authorized",
    "capture": "manual",
    "amount_capturable": 6000,
    "capture_before": "2026-11-28T10:20:30Z",
    "amount_captured": 0,
    "attempts": [{**SHOWN["attempts"][0], "status": "authorized"}],
}
_CAPTURED: dict[str, Any] = {
    **_AUTHORIZED,
    "status": "partially_captured",
    "amount_capturable": 2000,
    "amount_captured": 4000,
    "captures": [{"id": f"cap_{_ID}-1", "status": "succeeded", "amount": 4000, "final": False, "error": None}],
    "attempts": SHOWN["attempts"],
}
_REVOKED: dict[str, Any] = {
    "position": 34,
    "id": f"void_{_ID}-1",
    "revoked_by": "void",
    "status": "succeeded",
    "next_action": None,
    "payment": f"pay_{_ID}",
    "payment_status": "canceled",
    "amount": 6000,
    "currency": "EUR",
    "reason": "The order was changed",
    "takes_back": None,
    "error": None,
}


class CapturePaymentRequest(Request):
    """Without an amount all that is held is taken; a final capture lets go of the rest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 4000, "final": False}]})

    amount: Amount | None = None
    final: bool = False


class IncrementRequest(Request):
    """How much more is to be held, in minor units."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 2000}]})

    amount: Amount


class ExtendRequest(Request):
    """Nothing more than to hold it for longer: for how long is the channel's to say."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class RevokeRequest(Request):
    """Why, if somebody wants to know."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The order was changed"}]})

    reason: Text500 | None = None


@router.writes(
    "/{payment}/capture",
    PaymentView,
    _CAPTURED,
    scope="payments:write",
    may_be_late=True,
    refuses=(
        AmountType,
        AmountNotPositive,
        AmountOverflow,
        PaymentNotFound,
        PaymentStateInvalid,
        AuthExpired,
        CaptureExceedsAuthorization,
        ChangeUnderWay,
    ),
)
async def capture_payment(payment: str, asked: CapturePaymentRequest, caller: Calling) -> Response:
    """Take what is held for a payment, or a part of it; in as many parts as there is money left.

    Answers with the payment. 202, and `processing`, while the channel has not said what became of the capture; one that
    it refuses stands in `captures` as `failed`, and its amount can be captured again.
    """
    command = CapturePayment(payment, asked.amount, asked.final)
    return await late.carry_out(caller, command, asked, stream_of, change_view)


@router.writes(
    "/{payment}/increment",
    PaymentView,
    {**_AUTHORIZED, "amount_authorized": 8000, "amount_capturable": 8000},
    scope="payments:write",
    may_be_late=True,
    refuses=(
        AmountType,
        AmountNotPositive,
        AmountOverflow,
        PaymentNotFound,
        PaymentStateInvalid,
        AuthExpired,
        ChangeUnderWay,
        ChangeNotSupported,
        InsufficientFunds,
    ),
)
async def increment_payment(payment: str, asked: IncrementRequest, caller: Calling) -> Response:
    """Have more held than was asked for at first. Answers with the payment: `amount_authorized` says what is held."""
    command = IncrementPayment(payment, asked.amount)
    return await late.carry_out(caller, command, asked, stream_of, change_view)


@router.writes(
    "/{payment}/extend",
    PaymentView,
    {**_AUTHORIZED, "capture_before": "2026-12-05T10:20:30Z"},
    scope="payments:write",
    may_be_late=True,
    refuses=(PaymentNotFound, PaymentStateInvalid, AuthExpired, ChangeUnderWay, ChangeNotSupported),
)
async def extend_payment(payment: str, asked: ExtendRequest, caller: Calling) -> Response:
    """Have what is held be held for longer. Answers with the payment: `capture_before` says until when."""
    return await late.carry_out(caller, ExtendPayment(payment), asked, stream_of, change_view)


@router.writes(
    "/{payment}/revoke",
    RevocationView,
    _REVOKED,
    scope="payments:write",
    may_be_late=True,
    refuses=(PaymentNotFound, PaymentStateInvalid, AuthExpired, ChangeUnderWay, RefundExceedsPayment),
)
async def revoke_payment(payment: str, asked: RevokeRequest, caller: Calling) -> Response:
    """Undo a payment in whichever way its state asks for; `revoked_by` says which way that is.

    void: what is held is let go; or what was taken today, in one go, is as if it had not been (`takes_back`): where it
    was held before, it is held again, and revoking once more lets go of it. refund: what was taken is given back.
    """
    command = RevokePayment(payment, asked.reason or "")
    return await late.carry_out(caller, command, asked, stream_of, revocation_view)
