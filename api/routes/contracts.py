"""/contracts: agreements by which a merchant may charge a customer without asking again."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import AliasChoices, ConfigDict, Field, StringConstraints
from starlette.responses import Response

from api import late
from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import AsOfState, Calling, Cursor, KnownAtParameter, Limit, MinPosition
from api.fields import (
    DEFAULT_PAGE,
    Amount,
    Currency,
    Identifier,
    Metadata,
    PositionOrTimeParameter,
    Request,
    Text500,
    Timestamp,
)
from api.past_lists import list_then
from api.payment_requests import MethodRequest
from api.routing import Router
from commands.contract_updates import UpdateContractMethod
from commands.contracts import ConfirmContract, CreateContract, ResumeContract, SuspendContract, TerminateContract
from commands.processes.channel_calls import nudge
from ledger.contract_state import UNSIGNED, UPDATING, Status
from ledger.contract_views import ContractView, contract_view
from ledger.errors import (
    AmountNotPositive,
    AmountOverflow,
    AmountType,
    ContractAlreadyEnded,
    ContractMismatch,
    ContractNotFound,
    ContractStateInvalid,
    CurrencyMismatch,
    CurrencyUnknown,
    CursorInvalid,
    CustomerUnknown,
    ExpiryInPast,
    FieldInvalid,
    LimitRange,
    MerchantUnknown,
    MethodNotSupported,
    PaymentMethodUnknown,
    PositionNotReached,
    ProductNotSupported,
    TimestampFormat,
)
from ledger.events.contracts import Limits, PeriodLimit
from ledger.ids import CONTRACT, new_id
from projections.contracts import Contracts, contracts, contracts_then
from projections.contracts import contract as find_contract

router = Router("/v1/contracts", "contracts")

_TIME = "2026-11-21T10:20:30.123456Z"
_EXAMPLE: dict[str, Any] = {
    "customer": "ann",
    "merchant": "shop",
    "product": "protocol_pay",
    "method": {"type": "card", "token": "tok_sms"},
    "limits": {"currency": "EUR", "per_charge": 5000, "per_period": {"amount": 20000, "period": "month"}},
}
_SHOWN: dict[str, Any] = {
    "position": 41,
    "id": "con_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "status": "active",
    "next_action": None,
    "customer": "ann",
    "merchant": "shop",
    "product": "protocol_pay",
    "method": "card",
    "limits": {
        "currency": "EUR",
        "per_charge": 5000,
        "per_period": {"amount": 20000, "period": "month", "count": None},
    },
    "single_use": False,
    "expires_at": None,
    "channel": "card_simulator",
    "terminated_by": None,
    "reason": None,
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
_UPDATING = {**_WAITING, "status": "updating"}
_ENDED = {**_SHOWN, "status": "terminated", "terminated_by": "merchant", "reason": "The subscription ended"}

Answer = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=64)]
AsOf = Annotated[
    PositionOrTimeParameter | None, Query(description="As it stood at a time, or at a position of the log.")
]


class PeriodLimitRequest(Request):
    """At most so much, and so many charges, in each day, week (from Monday) or month of the calendar, in UTC."""

    amount: Amount
    period: Literal["day", "week", "month"]
    count: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None


class ContractLimitsRequest(Request):
    """What may be charged; without a limit the payer agrees to any amount."""

    currency: Currency
    per_charge: Amount | None = None
    per_period: PeriodLimitRequest | None = None

    def to_limits(self) -> Limits:
        of_period = self.per_period
        return Limits(
            self.currency,
            self.per_charge,
            None if of_period is None else PeriodLimit(of_period.amount, of_period.period, of_period.count),
        )


class ContractRequest(Request):
    """Who may charge whom, by which method and up to which limits. `single_use`: for one charge only.

    For agency_pay `merchant` names the principal that is collected for, and may be called `principal`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    customer: Identifier
    merchant: Annotated[Identifier, Field(validation_alias=AliasChoices("merchant", "principal"))]
    product: Identifier
    method: MethodRequest
    limits: ContractLimitsRequest
    single_use: bool = False
    expires_at: Timestamp | None = None
    return_url: Text500 | None = None
    metadata: Metadata = {}

    def to_command(self) -> CreateContract:
        return CreateContract(
            id=new_id(CONTRACT),
            customer=self.customer,
            merchant=self.merchant,
            product=self.product,
            method=self.method.to_method(),
            limits=self.limits.to_limits(),
            single_use=self.single_use,
            expires_at=self.expires_at,
            return_url=self.return_url,
            metadata=self.metadata,
        )


class ContractAnswerRequest(Request):
    """The code that the payer was sent; `code` is understood as well."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"answer": "123456"}]})

    answer: Annotated[Answer, Field(validation_alias=AliasChoices("answer", "code"))]


class ContractMethodRequest(Request):
    """The card that is to be charged from now on, by its token or by the name of a bound one."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"method": {"type": "card", "token": "tok_new"}}]})

    method: MethodRequest
    return_url: Text500 | None = None


class ContractReasonRequest(Request):
    """Why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The subscription ended"}]})

    reason: Text500


class EmptyRequest(Request):
    """An empty object."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


@router.writes(
    "",
    ContractView,
    _WAITING,
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
        ProductNotSupported,
        MethodNotSupported,
        PaymentMethodUnknown,
        ExpiryInPast,
    ),
)
async def create_contract(asked: ContractRequest, caller: Calling) -> Response:
    """Have a customer asked for a contract. `next_action` says what the customer has to do before it is active."""
    return await late.carry_out(
        caller, asked.to_command(), asked, lambda name: name, lambda history, _: contract_view(history)
    )


@router.writes(
    "/{contract}/confirm",
    ContractView,
    _SHOWN,
    scope="payments:write",
    may_be_late=True,
    refuses=(ContractNotFound, ContractStateInvalid),
)
async def confirm_contract(contract: str, asked: ContractAnswerRequest, caller: Calling) -> Response:
    """Tell the channel the code that the customer was sent. A wrong code may be told again, a few times."""
    if not contract.startswith(CONTRACT):
        raise ContractNotFound
    return await late.carry_out(
        caller,
        ConfirmContract(contract, caller.world.seal.close(asked.answer)),
        asked,
        lambda name: name,
        lambda history, _: contract_view(history),
    )


@router.writes(
    "/{contract}/update-method",
    ContractView,
    _UPDATING,
    scope="payments:write",
    may_be_late=True,
    refuses=(
        ContractNotFound,
        ContractStateInvalid,
        ContractMismatch,
        FieldInvalid,
        MethodNotSupported,
        PaymentMethodUnknown,
    ),
)
async def update_contract_method(contract: str, asked: ContractMethodRequest, caller: Calling) -> Response:
    """Replace the card that an active contract is charged to; the customer may have to agree, as when he signed.

    Until the channel has taken it the contract is `updating`: charges are refused, and those whose time comes wait.
    """
    return await late.carry_out(
        caller,
        UpdateContractMethod(contract, asked.method.to_method(), asked.return_url),
        asked,
        lambda name: name,
        lambda history, _: contract_view(history),
    )


@router.writes(
    "/{contract}/terminate",
    ContractView,
    _ENDED,
    scope="payments:write",
    status=200,
    refuses=(ContractNotFound, ContractAlreadyEnded),
)
async def terminate_contract(contract: str, asked: ContractReasonRequest, caller: Calling) -> Response:
    """End a contract, here at once and then at the channel. Charges that no channel was asked for yet are canceled."""
    return await caller.carry_out(TerminateContract(contract, asked.reason), asked)


@router.writes(
    "/{contract}/suspend",
    ContractView,
    {**_SHOWN, "status": "suspended"},
    scope="payments:write",
    status=200,
    refuses=(ContractNotFound, ContractStateInvalid),
)
async def suspend_contract(contract: str, asked: ContractReasonRequest, caller: Calling) -> Response:
    """Have nothing charged under a contract until it is resumed."""
    return await caller.carry_out(SuspendContract(contract, asked.reason), asked)


@router.writes(
    "/{contract}/resume",
    ContractView,
    _SHOWN,
    scope="payments:write",
    status=200,
    refuses=(ContractNotFound, ContractStateInvalid),
)
async def resume_contract(contract: str, asked: EmptyRequest, caller: Calling) -> Response:
    """Have it charged again."""
    return await caller.carry_out(ResumeContract(contract), asked)


@router.reads(
    "/{contract}",
    ContractView,
    _SHOWN,
    scope="payments:read",
    refuses=(ContractNotFound, PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def show_contract(
    contract: str,
    caller: Calling,
    as_of: AsOf = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Show how a contract stands now, or stood then; straight from the log."""
    await caller.see(min_position)
    now = as_of is None and known_at is None
    async with caller.world.reading() as connection:
        found = await find_contract(connection, caller.book, contract, as_of=as_of, known_at=known_at)
        if now and found is not None and found.status in (*UNSIGNED, UPDATING):
            await nudge(connection, caller.book, contract)
    if found is None:
        raise ContractNotFound
    return answer(found)


@router.reads(
    "",
    ContractView,
    _SHOWN,
    scope="payments:read",
    page=True,
    refuses=(CursorInvalid, LimitRange, PositionNotReached, TimestampFormat),
    sensitive=Sensitive.NOTED,
)
async def list_contracts(
    caller: Calling,
    customer: Annotated[Identifier | None, Query(description="Of this customer.")] = None,
    merchant: Annotated[Identifier | None, Query(description="With this merchant.")] = None,
    status: Annotated[Status | None, Query(description="In this state.")] = None,
    as_of: AsOfState = None,
    known_at: KnownAtParameter = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List contracts in the order in which they were drafted, as they stand or as they stood then.

    Of the past, a part of the list is looked through at a time: a page may be short, or empty, and lead to a next one.
    """
    await caller.see(min_position, Contracts.name)
    filters = {"customer": customer, "merchant": merchant, "status": status}
    if as_of is not None or known_at is not None:
        return await list_then(
            caller,
            "contracts",
            Contracts.name,
            filters,
            as_of,
            known_at,
            limit,
            cursor,
            contracts_then,
            lambda listed: listed.contract,
        )
    after = 0 if cursor is None else int(caller.continue_after(cursor, "contracts", filters)[0])
    async with caller.world.reading() as connection:
        found = await contracts(connection, caller.book, **filters, after=after, limit=limit + 1)
    return caller.page("contracts", found, limit, lambda one: [one.place], filters, lambda one: one.contract)
