"""/refunds/{id}/resolve: what operations do with a refund that came back after it had succeeded."""

from typing import Literal

from pydantic import ConfigDict
from starlette.responses import Response

from api.dependencies import Calling
from api.fields import PartyId, Request, Text500
from api.routes.payments import REFUND_SHOWN
from api.routing import Router
from commands.returned_refunds import ResolveRefund
from ledger.errors import RefundNotFound, RefundNotSupported, RefundStateInvalid
from ledger.payment_views import RefundView

router = Router("/v1/refunds", "refunds")


class ResolveRefundRequest(Request):
    """How the payer has it now; `bank_account` is the one of ours that it went out of, `reference` the bank's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"by": "bank_transfer", "reference": "TRF-2026-0042"}]})

    by: Literal["bank_transfer", "return_to_merchant"]
    bank_account: PartyId = "main"
    reference: Text500 = ""


@router.writes(
    "/{refund}/resolve",
    RefundView,
    {**REFUND_SHOWN, "status": "paid_elsewhere"},
    scope="payments:write",
    status=200,
    refuses=(RefundNotFound, RefundStateInvalid, RefundNotSupported),
)
async def resolve_refund(refund: str, asked: ResolveRefundRequest, caller: Calling) -> Response:
    """Say what becomes of a refund that is `failed_after_success`: we still owe it to the payer.

    bank_transfer: he was paid by the bank. return_to_merchant: the merchant settles it with him and has it back.
    """
    return await caller.carry_out(ResolveRefund(refund, asked.by, asked.bank_account, asked.reference), asked)
