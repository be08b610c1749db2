"""/customers/…/payment-methods: cards that a customer has bound and pays with by their name."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import ConfigDict
from starlette.responses import Response

from api import late
from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import Calling, Cursor, KnownAtParameter, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Identifier, Metadata, Request, Text500
from api.routes.contracts import AsOf, ContractAnswerRequest, EmptyRequest
from api.routing import Router
from commands.contracts import ConfirmContract
from commands.payment_methods import BindPaymentMethod, DeleteCustomer, DeletedReceipt, DeletePaymentMethod
from commands.processes.channel_calls import nudge
from ledger.contract_state import UNSIGNED, Status
from ledger.contract_views import PaymentMethodView, payment_method_view
from ledger.errors import (
    ContractAlreadyEnded,
    ContractStateInvalid,
    CursorInvalid,
    CustomerHasContracts,
    CustomerHasFunds,
    CustomerNotFound,
    LimitRange,
    MethodNotSupported,
    PaymentMethodInUse,
    PaymentMethodNotFound,
    PositionNotReached,
    TimestampFormat,
)
from ledger.events.customers import customer_stream
from ledger.events.payments import Method
from ledger.ids import PAYMENT_METHOD, new_id
from ledger.store import read
from projections.contracts import Contracts, payment_methods
from projections.contracts import payment_method as find_payment_method

router = Router("/v1/customers", "customers")

_TIME = "2026-11-21T10:20:30.123456Z"
_ID = "pm_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_EXAMPLE: dict[str, Any] = {"type": "card", "token": "tok_sms"}
_SHOWN: dict[str, Any] = {
    "position": 33,
    "id": _ID,
    "status": "active",
    "next_action": None,
    "customer": "ann",
    "type": "card",
    "channel": "card_simulator",
    "error": None,
    "metadata": {},
    "created_at": _TIME,
    "method_updated_at": None,
}
_WAITING = {
    **_SHOWN,
    "status": "pending_user",
    "next_action": {"type": "sms_code", "url": None, "data": {}, "expires_at": _TIME},
}


class PaymentMethodRequest(Request):
    """The card to bind. `token` stands for a card that a vault knows; card numbers never come here."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    type: Literal["card"]
    token: Identifier
    return_url: Text500 | None = None
    metadata: Metadata = {}


@router.writes(
    "/{customer}/payment-methods",
    PaymentMethodView,
    _WAITING,
    scope="payments:write",
    may_be_late=True,
    refuses=(CustomerNotFound, MethodNotSupported),
)
async def bind_payment_method(customer: str, asked: PaymentMethodRequest, caller: Calling) -> Response:
    """Bind a card; the customer confirms it by the code that his bank sends him. No money moves."""
    method = Method(asked.type, asked.token)
    command = BindPaymentMethod(new_id(PAYMENT_METHOD), customer, method, asked.return_url, asked.metadata)
    return await late.carry_out(
        caller, command, asked, lambda name: name, lambda history, _: payment_method_view(history)
    )


@router.writes(
    "/{customer}/payment-methods/{payment_method}/confirm",
    PaymentMethodView,
    _SHOWN,
    scope="payments:write",
    may_be_late=True,
    refuses=(PaymentMethodNotFound, ContractStateInvalid),
)
async def confirm_payment_method(
    customer: str, payment_method: str, asked: ContractAnswerRequest, caller: Calling
) -> Response:
    """Tell the channel the code that the customer was sent. A wrong code may be told again, a few times."""
    await _must_be_of(caller, customer, payment_method)
    return await late.carry_out(
        caller,
        ConfirmContract(payment_method, caller.world.seal.close(asked.answer)),
        asked,
        lambda name: name,
        lambda history, _: payment_method_view(history),
    )


@router.writes(
    "/{customer}/payment-methods/{payment_method}/delete",
    PaymentMethodView,
    {**_SHOWN, "status": "terminated"},
    scope="payments:write",
    status=200,
    refuses=(PaymentMethodNotFound, PaymentMethodInUse, ContractAlreadyEnded),
)
async def delete_payment_method(customer: str, payment_method: str, asked: EmptyRequest, caller: Calling) -> Response:
    """Forget a card, here and at the channel; refused while a contract is charged with it."""
    return await caller.carry_out(DeletePaymentMethod(customer, payment_method), asked)


@router.reads(
    "/{customer}/payment-methods/{payment_method}",
    PaymentMethodView,
    _SHOWN,
    scope="payments:read",
    refuses=(PaymentMethodNotFound, PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def show_payment_method(
    customer: str,
    payment_method: str,
    caller: Calling,
    as_of: AsOf = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Show a bound card as it stands now, or stood then; straight from the log."""
    await caller.see(min_position)
    now = as_of is None and known_at is None
    async with caller.world.reading() as connection:
        found = await find_payment_method(connection, caller.book, payment_method, as_of=as_of, known_at=known_at)
        if now and found is not None and found.status in UNSIGNED:
            await nudge(connection, caller.book, payment_method)
    if found is None or found.customer != customer:
        raise PaymentMethodNotFound
    return answer(found)


@router.reads(
    "/{customer}/payment-methods",
    PaymentMethodView,
    _SHOWN,
    scope="payments:read",
    page=True,
    refuses=(CustomerNotFound, CursorInvalid, LimitRange),
    sensitive=Sensitive.NOTED,
)
async def list_payment_methods(
    customer: str,
    caller: Calling,
    status: Annotated[Status | None, Query(description="In this state.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List the cards that a customer has bound or has begun to, oldest first."""
    await caller.see(min_position, Contracts.name)
    filters = {"customer": customer, "status": status}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "payment_methods", filters)[0])
    async with caller.world.reading() as connection:
        if await read.event(connection, caller.book, customer_stream(customer), 1) is None:
            raise CustomerNotFound
        found = await payment_methods(
            connection, caller.book, customer=customer, status=status, after=after, limit=limit + 1
        )
    return caller.page(
        "payment_methods", found, limit, lambda one: [one.place], filters, lambda one: one.payment_method
    )


@router.writes(
    "/{customer}/delete",
    DeletedReceipt,
    {"position": 52, "id": "ann"},
    scope="payments:write",
    status=200,
    refuses=(CustomerNotFound, CustomerHasContracts, CustomerHasFunds),
)
async def delete_customer(customer: str, asked: EmptyRequest, caller: Calling) -> Response:
    """Begin nothing new for a customer. Refused while a contract, a bound card or money of his is left."""
    return await caller.carry_out(DeleteCustomer(customer), asked)


async def _must_be_of(caller: Calling, customer: str, payment_method: str) -> None:
    """The bound card is one of this customer; raises PaymentMethodNotFound."""
    async with caller.world.reading() as connection:
        found = await find_payment_method(connection, caller.book, payment_method)
    if found is None or found.customer != customer:
        raise PaymentMethodNotFound
