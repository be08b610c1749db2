"""/payments/{payment}/correct: an operator says what really became of a payment."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.dependencies import Calling
from api.fields import Reference, Request, Text500
from api.routes.payments import SHOWN
from api.routing import Router
from commands.corrections import CorrectPayment
from ledger.errors import ChangeUnderWay, CorrectionNotPossible, FieldMissing, PaymentNotFound, PaymentStateInvalid
from ledger.payment_views import PaymentView

router = Router("/v1/payments", "payments")

_EXAMPLE: dict[str, Any] = {
    "status": "succeeded",
    "channel_reference": "ch_0042",
    "reason": "The channel's bill of yesterday has it.",
}


class CorrectionRequest(Request):
    """What it is, by which reference its channel knows the money, and how you know."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    status: Literal["succeeded", "failed"]
    channel_reference: Reference | None = None
    reason: Annotated[Text500, Field(min_length=1)]


@router.writes(
    "/{payment}/correct",
    PaymentView,
    SHOWN,
    scope="admin",
    status=200,
    refuses=(PaymentNotFound, PaymentStateInvalid, ChangeUnderWay, CorrectionNotPossible, FieldMissing),
)
async def correct_payment(payment: str, asked: CorrectionRequest, caller: Calling) -> Response:
    """Correct what became of a payment: its entries are made, or undone by their opposites. Nothing goes to a channel.

    What it is already it stays, without a word. Who said so, and why, stands in the audit trail.
    """
    return await caller.carry_out(CorrectPayment(payment, asked.status, asked.reason, asked.channel_reference), asked)
