"""/payments/{payment}/retry: try a failed payment once more."""

from typing import Any

from pydantic import ConfigDict
from starlette.responses import Response

from api import late
from api.dependencies import Calling
from api.fields import Request
from api.routes.payments import SHOWN
from api.routing import Router
from commands.retries import RetryPayment
from ledger.errors import ChannelUnavailable, PaymentNotFound, PaymentStateInvalid, RetryNotAllowed
from ledger.payment_views import PaymentView, payment_view

router = Router("/v1/payments", "payments")

_EXAMPLE: dict[str, Any] = {}


class RetryRequest(Request):
    """Nothing has to be said: it is tried again as it was, with the same method."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


@router.writes(
    "/{payment}/retry",
    PaymentView,
    SHOWN,
    scope="payments:write",
    may_be_late=True,
    refuses=(PaymentNotFound, PaymentStateInvalid, RetryNotAllowed, ChannelUnavailable),
)
async def retry_payment(payment: str, asked: RetryRequest, caller: Calling) -> Response:
    """Try a payment that failed once more, as long as the routing rules allow it (`retry_minutes`).

    Not what was refused for good, and not what the payer has to be asked for anew.
    """
    command = RetryPayment(payment)
    return await late.carry_out(caller, command, asked, lambda name: name, lambda history, _: payment_view(history))
