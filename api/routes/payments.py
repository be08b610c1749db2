"""/payments: ask for money to move, then see where it is."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import ConfigDict
from starlette.responses import Response

from api import late
from api.answers import Page, answer
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import (
    DEFAULT_PAGE,
    Amount,
    Currency,
    Identifier,
    Metadata,
    PositionOrTimeParameter,
    Reference,
    Request,
    Text500,
)
from api.routing import Router
from commands.payments import CreatePayment
from commands.processes.channel_calls import nudge
from commands.refunds import RequestRefund
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    CaptureNotSupported,
    ChannelUnavailable,
    CurrencyMismatch,
    CurrencyUnknown,
    CursorInvalid,
    CustomerUnknown,
    FeeExceedsAmount,
    InsufficientFunds,
    LimitRange,
    MerchantUnknown,
    MethodNotSupported,
    PaymentNotFound,
    PaymentStateInvalid,
    ProductNotSupported,
    RefundExceedsPayment,
    RefundNotFound,
    WalletUnknown,
)
from ledger.events.payments import Method
from ledger.ids import PAYMENT, new_id, stream_of
from ledger.payment import PROCESSING
from ledger.payment_views import PaymentView, RefundView, payment_view, refund_view
from projections.order_status import OrderStatus, payments
from projections.order_status import payment as find_payment
from projections.order_status import refund as find_refund

router = Router("/v1/payments", "payments")
refunds_router = Router("/v1/refunds", "refunds")

_ID = "019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_TIME = "2026-11-21T10:20:30.123456Z"
_EXAMPLE: dict[str, Any] = {
    "merchant": "shop",
    "customer": "ann",
    "amount": 6000,
    "currency": "EUR",
    "product": "quick_pay",
    "method": {"type": "card", "token": "tok_approved"},
    "capture": "automatic",
    "order_reference": "order-1729",
}
_SHOWN = {
    "position": 30,
    "id": f"pay_{_ID}",
    "status": "succeeded",
    "next_action": None,
    "merchant": "shop",
    "customer": "ann",
    "amount": 6000,
    "currency": "EUR",
    "product": "quick_pay",
    "capture": "automatic",
    "amount_captured": 6000,
    "amount_refunded": 0,
    "refund_status": "none",
    "attempts": [{"id": f"pay_{_ID}-1", "channel": "card_simulator", "status": "succeeded", "error": None}],
    "refunds": [],
    "risk": {"decision": "accept", "score": 0, "reasons": []},
    "routing": {"channel": "card_simulator", "because": "the only channel for card"},
    "error": None,
    "order_reference": "order-1729",
    "description": None,
    "metadata": {},
    "created_at": _TIME,
}
_REFUND = {
    "position": 34,
    "id": f"ref_{_ID}-1",
    "payment": f"pay_{_ID}",
    "status": "succeeded",
    "next_action": None,
    "amount": 2000,
    "currency": "EUR",
    "reason": "Came broken",
    "channel": "card_simulator",
    "error": None,
    "created_at": _TIME,
}


class MethodRequest(Request):
    """How the payer pays. `token` stands for a card that a vault knows; card numbers never come here."""

    type: Identifier
    token: Identifier | None = None

    def to_method(self) -> Method:
        return Method(self.type, self.token)


class PaymentRequest(Request):
    """An order to pay. `product` is what is offered to the payer, `method` what the payer has."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    merchant: Identifier
    customer: Identifier | None = None
    amount: Amount
    currency: Currency
    product: Identifier
    method: MethodRequest
    capture: Literal["automatic", "manual"] = "automatic"
    order_reference: Reference
    description: Text500 | None = None
    metadata: Metadata = {}
    client: Metadata = {}
    return_url: Text500 | None = None

    def to_command(self) -> CreatePayment:
        return CreatePayment(
            new_id(PAYMENT),
            self.merchant,
            self.amount,
            self.currency,
            self.product,
            self.method.to_method(),
            self.order_reference,
            self.customer,
            self.capture,
            self.description,
            self.metadata,
            self.client,
            self.return_url,
        )


class RefundRequest(Request):
    """Without an amount all that is left is given back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 2000, "reason": "Came broken"}]})

    amount: Amount | None = None
    reason: Text500


@router.writes(
    "",
    PaymentView,
    _SHOWN,
    scope="payments:write",
    may_be_late=True,
    refuses=(
        AmountType,
        AmountNotPositive,
        AmountOverflow,
        CurrencyUnknown,
        CurrencyMismatch,
        MerchantUnknown,
        CustomerUnknown,
        WalletUnknown,
        ProductNotSupported,
        MethodNotSupported,
        CaptureNotSupported,
        FeeExceedsAmount,
        InsufficientFunds,
        ChannelUnavailable,
    ),
)
async def create_payment(asked: PaymentRequest, caller: Calling) -> Response:
    """Ask for a payment. 202 while the channel has not said what became of it: it is asked until it is known.

    A payment that the channel declines is created and `failed`, with an `error` that the payer may read.
    """
    command = asked.to_command()
    return await late.carry_out(caller, command, asked, lambda name: name, lambda history, _: payment_view(history))


@router.reads("/{payment}", PaymentView, _SHOWN, scope="payments:read", refuses=(PaymentNotFound,))
async def show_payment(
    payment: str,
    caller: Calling,
    as_of: Annotated[
        PositionOrTimeParameter | None, Query(description="As it stood at a time, or at a position of the log.")
    ] = None,
    min_position: MinPosition = None,
) -> Response:
    """Show where a payment is now, or was then; straight from the log."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        found = await find_payment(connection, caller.book, payment, as_of=as_of)
        if found is not None and PROCESSING in (found.status, *(refund.status for refund in found.refunds)):
            # Who asks wants to know now: the channel is asked now, and not when its turn comes.
            await nudge(connection, caller.book, payment)
    if found is None:
        raise PaymentNotFound
    return answer(found)


@router.reads("", PaymentView, _SHOWN, scope="payments:read", page=True, refuses=(CursorInvalid, LimitRange))
async def list_payments(
    caller: Calling,
    order_reference: Annotated[Reference | None, Query(description="Of this order.")] = None,
    status: Annotated[Identifier | None, Query(description="In this state.")] = None,
    merchant: Annotated[Identifier | None, Query(description="For this merchant.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List payments in the order in which they were created."""
    await caller.see(min_position, OrderStatus.name)
    filters = {"order_reference": order_reference, "status": status, "merchant": merchant}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "payments", filters)[0])
    async with caller.world.reading() as connection:
        found = await payments(
            connection,
            caller.book,
            order_reference=order_reference,
            status=status,
            merchant=merchant,
            after=after,
            limit=limit + 1,
        )
    shown, more = found[:limit], len(found) > limit
    following = caller.next_cursor("payments", [shown[-1].place], filters) if more else None
    return answer(Page([listed.payment for listed in shown], following))


@router.writes(
    "/{payment}/refunds",
    RefundView,
    _REFUND,
    scope="payments:write",
    may_be_late=True,
    refuses=(AmountType, AmountNotPositive, AmountOverflow, PaymentNotFound, PaymentStateInvalid, RefundExceedsPayment),
)
async def refund_payment(payment: str, asked: RefundRequest, caller: Calling) -> Response:
    """Give a payment back, whole or in part. 202 while the channel has not said what became of it."""
    command = RequestRefund(payment, asked.amount, asked.reason)
    return await late.carry_out(caller, command, asked, stream_of, refund_view)


@refunds_router.reads("/{refund}", RefundView, _REFUND, scope="payments:read", refuses=(RefundNotFound,))
async def show_refund(refund: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show a refund, straight from the log."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        found = await find_refund(connection, caller.book, refund)
        if found is not None and found.status == PROCESSING:
            await nudge(connection, caller.book, found.payment)
    if found is None:
        raise RefundNotFound
    return answer(found)
