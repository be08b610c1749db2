"""/payments/{id}/confirm and /cancel: the payer's part of a payment, and giving it up."""

from typing import Annotated, Any

from msgspec import to_builtins
from pydantic import AliasChoices, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from api import late
from api.dependencies import Calling
from api.fields import Request, Text500
from api.judging import confirmation_of, hand_over_code
from api.routes.payments import SHOWN
from api.routing import Router
from commands.cancellations import CancelPayment
from ledger.authorization_views import change_view
from ledger.declines import failure_of
from ledger.errors import (
    AuthExpired,
    ChangeUnderWay,
    ChannelUnavailable,
    InsufficientFunds,
    PaymentNotFound,
    PaymentStateInvalid,
)
from ledger.ids import stream_of
from ledger.payment_views import PaymentView, payment_view

router = Router("/v1/payments", "payments")

_ASKS_AGAIN: dict[str, Any] = {
    **SHOWN,
    "status": "requires_action",
    "next_action": {
        "type": "sms_code",
        "data": {"sent_to": "+49 *** 678", "tries_left": "2"},
        "expires_at": "2026-11-21T10:50:30.123456Z",
    },
    "amount_captured": 0,
    "attempts": [{**SHOWN["attempts"][0], "status": "requires_action"}],
}
_CANCELED: dict[str, Any] = {
    **SHOWN,
    "status": "canceled",
    "amount_captured": 0,
    "attempts": [{**SHOWN["attempts"][0], "status": "closed"}],
    "error": to_builtins(failure_of("cancelled_by_user")),
}


class ConfirmRequest(Request):
    """What the payer answered, such as the `code` that he was sent. A payment that is only created needs no answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"answer": "123456"}]})

    answer: Annotated[
        Annotated[str, StringConstraints(strict=True, pattern=r"^[!-~]{1,64}$")] | None,
        Field(validation_alias=AliasChoices("answer", "code")),
    ] = None


class CancelRequest(Request):
    """Why, if somebody wants to know."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The order was changed"}]})

    reason: Text500 | None = None


@router.writes(
    "/{payment}/confirm",
    PaymentView,
    _ASKS_AGAIN,
    scope="payments:write",
    status=200,
    may_be_late=True,
    refuses=(PaymentNotFound, PaymentStateInvalid, InsufficientFunds, ChannelUnavailable),
)
async def confirm_payment(payment: str, asked: ConfirmRequest, caller: Calling) -> Response:
    """Begin a payment that was only created, or pass on what its payer answered to whoever asked.

    A wrong code asks again: `requires_action`, with the `tries_left` in `next_action.data`; after the last one the
    payment has failed with `authentication_failed`. An order is paid once, however often it is confirmed.
    """
    command = await confirmation_of(caller, payment, asked.answer)
    answer = await late.carry_out(
        caller, command, asked, lambda name: name, lambda history, _: payment_view(history), settled=200
    )
    await hand_over_code(caller, answer)
    return answer


@router.writes(
    "/{payment}/cancel",
    PaymentView,
    _CANCELED,
    scope="payments:write",
    status=200,
    may_be_late=True,
    refuses=(PaymentNotFound, PaymentStateInvalid, AuthExpired, ChangeUnderWay),
)
async def cancel_payment(payment: str, asked: CancelRequest, caller: Calling) -> Response:
    """Give a payment up before it is paid; its order is closed at the channel first, so that nobody pays it any more.

    202 while the channel has not said that it is closed. Money that came in between pays the order: look at the status.
    """
    command = CancelPayment(payment, asked.reason)
    return await late.carry_out(caller, command, asked, lambda name: stream_of(name) or name, change_view, settled=200)
