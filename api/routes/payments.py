"""/payments: ask for money to move, then see where it is."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import ConfigDict
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from api import late
from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import (
    CALLER,
    AsOfState,
    Caller,
    Calling,
    Cursor,
    KnownAtParameter,
    Limit,
    MinPosition,
    Rules,
    body_of,
    understood,
)
from api.fields import (
    DEFAULT_PAGE,
    Amount,
    Identifier,
    PositionOrTimeParameter,
    Reference,
    Request,
    Text500,
)
from api.judging import hand_over_code, with_signals
from api.past_lists import list_then
from api.payment_requests import PaymentRequest
from api.routing import Router
from commands.processes.channel_calls import nudge
from commands.refunds import RequestRefund
from ledger.errors import (
    AmountNotPositive,
    AmountOutsideLimits,
    AmountOverflow,
    AmountType,
    BankUnavailable,
    BankUnknown,
    CapExceeded,
    CaptureNotSupported,
    ChannelUnavailable,
    CoinNotSupported,
    ContractLimitExceeded,
    ContractMismatch,
    ContractNotActive,
    ContractUnknown,
    ContractUsedUp,
    CreditLimitExceeded,
    CreditLineUnknown,
    CurrencyMismatch,
    CurrencyUnknown,
    CursorInvalid,
    CustomerUnknown,
    DiscountNotSupported,
    FeeExceedsAmount,
    InsufficientFunds,
    LimitRange,
    MerchantUnknown,
    MethodNotSupported,
    PaymentMethodUnknown,
    PaymentNotFound,
    PaymentStateInvalid,
    PositionNotReached,
    PrincipalUnknown,
    ProductNotSupported,
    QuoteExpired,
    QuoteMismatch,
    QuoteUnknown,
    QuoteUsed,
    RateUnknown,
    RefundExceedsPayment,
    RefundNotFound,
    RefundNotSupported,
    ScheduleInPast,
    ScheduleNotSupported,
    TimestampFormat,
    WalletUnknown,
)
from ledger.ids import stream_of
from ledger.payment import PROCESSING, REQUIRES_ACTION, Status
from ledger.payment_views import PaymentView, RefundView, payment_view, refund_view
from projections.order_status import OrderStatus, payments, payments_then
from projections.order_status import payment as find_payment
from projections.order_status import refund as find_refund

router = Router("/v1/payments", "payments")
refunds_router = Router("/v1/refunds", "refunds")

_ID = "019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_TIME = "2026-11-21T10:20:30.123456Z"
SHOWN: dict[str, Any] = {
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
    "amount_authorized": 6000,
    "amount_capturable": 0,
    "partially_authorized": False,
    "capture_before": None,
    "amount_captured": 6000,
    "amount_refunded": 0,
    "refund_status": "none",
    "attempts": [{"id": f"pay_{_ID}-1", "channel": "card_simulator", "status": "succeeded", "error": None}],
    "captures": [],
    "refunds": [],
    "dispute_status": "none",
    "disputes": [],
    "receipts": [],
    "risk": {"decision": "accept", "score": 0, "reasons": [], "flagged": False},
    "routing": {
        "channel": "card_simulator",
        "because": "the first of 2 for card",
        "candidates": ["card_simulator", "card_simulator_b"],
        "rules": None,
        "considered": {"card_simulator_b": "stands at place 2 of 2"},
    },
    "error": None,
    "order_reference": "order-1729",
    "description": None,
    "metadata": {},
    "created_at": _TIME,
    "expires_at": None,
    "scheduled_at": None,
    "discount": None,
    "exchange": None,
}
REFUND_SHOWN = {
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


# Whose channel is asked when somebody looks: what became of it, or whether the payer is done.
_ASKED_NOW = {PROCESSING, REQUIRES_ACTION}


def _stands_open(payment: PaymentView) -> bool:
    """Whether a channel is still to say something about it, or about a capture or a refund of it."""
    parts = [*(capture.status for capture in payment.captures), *(refund.status for refund in payment.refunds)]
    return not _ASKED_NOW.isdisjoint((payment.status, *parts))


PAYMENT_REFUSALS = (
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
    ContractUnknown,
    ContractMismatch,
    ContractNotActive,
    ContractUsedUp,
    ContractLimitExceeded,
    PaymentMethodUnknown,
    ScheduleInPast,
    ScheduleNotSupported,
    FeeExceedsAmount,
    DiscountNotSupported,
    PrincipalUnknown,
    CreditLineUnknown,
    CreditLimitExceeded,
    QuoteUnknown,
    QuoteExpired,
    QuoteUsed,
    QuoteMismatch,
    RateUnknown,
    CoinNotSupported,
    CapExceeded,
    BankUnknown,
    BankUnavailable,
    AmountOutsideLimits,
    InsufficientFunds,
    ChannelUnavailable,
)


class RefundRequest(Request):
    """Without an amount all that is left is given back."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 2000, "reason": "Came broken"}]})

    amount: Amount | None = None
    reason: Text500


@router.writes(
    "",
    PaymentView,
    SHOWN,
    scope="payments:write",
    may_be_late=True,
    refuses=PAYMENT_REFUSALS,
    rules=Rules("payments:write", takes_key=True, thin=True),
    body=PaymentRequest,
)
async def create_payment(request: HttpRequest) -> Response:
    """Ask for a payment. 202 while the channel has not said what became of it: it is asked until it is known.

    A payment that the channel declines is created and `failed`, with an `error` that the payer may read. With `confirm`
    false it is only `created`, and begins with /confirm. While it `requires_action`, `next_action` says what the payer
    has to do, and until when. Under a contract, with `scheduled_at`, it stays `created` until then.
    """
    caller: Caller = request.scope[CALLER]
    asked = understood(PaymentRequest, body_of(request))
    command = await with_signals(caller, asked.to_command())
    answer = await late.carry_out(caller, command, asked, lambda name: name, lambda history, _: payment_view(history))
    await hand_over_code(caller, answer)
    return answer


@router.reads(
    "/{payment}",
    PaymentView,
    SHOWN,
    scope="payments:read",
    refuses=(PaymentNotFound, PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def show_payment(
    payment: str,
    caller: Calling,
    as_of: Annotated[
        PositionOrTimeParameter | None, Query(description="As it stood at a time, or at a position of the log.")
    ] = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Show where a payment is now, or was then, as it was known then; straight from the log."""
    await caller.see(min_position)
    now = as_of is None and known_at is None
    async with caller.world.reading() as connection:
        found = await find_payment(connection, caller.book, payment, as_of=as_of, known_at=known_at)
        if now and found is not None and _stands_open(found):
            # Who asks wants to know now: the channel is asked now, and not when its turn comes.
            await nudge(connection, caller.book, payment)
    if found is None:
        raise PaymentNotFound
    shown = answer(found)
    if now:
        await hand_over_code(caller, shown)
    return shown


@router.reads(
    "",
    PaymentView,
    SHOWN,
    scope="payments:read",
    page=True,
    refuses=(CursorInvalid, LimitRange, PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def list_payments(
    caller: Calling,
    order_reference: Annotated[Reference | None, Query(description="Of this order.")] = None,
    status: Annotated[Status | None, Query(description="In this state.")] = None,
    merchant: Annotated[Identifier | None, Query(description="For this merchant.")] = None,
    as_of: AsOfState = None,
    known_at: KnownAtParameter = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List payments in the order in which they were created, as they stand or as they stood then.

    Of the past, a part of the list is looked through at a time: a page may be short, or empty, and lead to a next one.
    """
    await caller.see(min_position, OrderStatus.name)
    filters = {"order_reference": order_reference, "status": status, "merchant": merchant}
    if as_of is not None or known_at is not None:
        return await list_then(
            caller,
            "payments",
            OrderStatus.name,
            filters,
            as_of,
            known_at,
            limit,
            cursor,
            payments_then,
            lambda listed: listed.payment,
        )
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
    return caller.page("payments", found, limit, lambda one: [one.place], filters, lambda one: one.payment)


@router.writes(
    "/{payment}/refunds",
    RefundView,
    REFUND_SHOWN,
    scope="payments:write",
    may_be_late=True,
    refuses=(
        AmountType,
        AmountNotPositive,
        AmountOverflow,
        PaymentNotFound,
        PaymentStateInvalid,
        RefundExceedsPayment,
        RefundNotSupported,
        InsufficientFunds,
    ),
)
async def refund_payment(payment: str, asked: RefundRequest, caller: Calling) -> Response:
    """Give a payment back, whole or in part. 202 while the channel has not said what became of it."""
    command = RequestRefund(payment, asked.amount, asked.reason)
    return await late.carry_out(caller, command, asked, stream_of, refund_view)


@refunds_router.reads(
    "/{refund}",
    RefundView,
    REFUND_SHOWN,
    scope="payments:read",
    refuses=(RefundNotFound, PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def show_refund(
    refund: str,
    caller: Calling,
    as_of: AsOfState = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Show a refund as it stands, or stood then; straight from the log."""
    await caller.see(min_position)
    now = as_of is None and known_at is None
    async with caller.world.reading() as connection:
        found = await find_refund(connection, caller.book, refund, as_of=as_of, known_at=known_at)
        if now and found is not None and found.status == PROCESSING:
            await nudge(connection, caller.book, found.payment)
    if found is None:
        raise RefundNotFound
    return answer(found)
