"""/accounts: opened, limited, frozen, unfrozen, closed; and where they stand."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query
from pydantic import ConfigDict
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import AsOf, Calling, Cursor, KnownAtParameter, Limit, MinPosition, check_range
from api.fields import (
    DEFAULT_PAGE,
    Currency,
    Metadata,
    Name,
    NewAccountId,
    Request,
    SignedAmount,
    Text500,
    TimeParameter,
)
from api.routing import Router
from commands.accounts import AccountReceipt, ChangeLimits, CloseAccount, FreezeAccount, OpenAccount, UnfreezeAccount
from ledger.errors import (
    AccountClosed,
    AccountCodeInvalid,
    AccountFrozen,
    AccountNotEmpty,
    AccountNotFound,
    AccountNotFrozen,
    AccountProtected,
    CurrencyUnknown,
    CursorInvalid,
    FieldMissing,
    IdExistsDifferent,
    LimitRange,
    LimitsInvalid,
    PositionNotReached,
    TimestampFormat,
    TimestampRange,
)
from ledger.ids import ACCOUNT, new_id
from projections.accounts import AccountView, accounts
from projections.accounts import account as find_account
from projections.balance_history import BalanceHistory, Step, balance_history
from projections.balances import Balance, balance
from projections.moments import BEGINNING, END, microseconds_of, moment_of
from projections.postings import Postings
from projections.statements import STATEMENT_VIEWS, StatementLine, statement
from projections.turnover import Place

router = Router("/v1/accounts", "accounts")

_EXAMPLE: dict[str, Any] = {
    "id": "customer:17",
    "name": "Customer 17",
    "kind": "liability",
    "currency": "EUR",
    "min_balance": 0,
}
_OPENED = {
    "position": 1,
    **_EXAMPLE,
    "max_balance": None,
    "status": "open",
    "metadata": {},
    "opened_at": "2026-11-21T10:20:30.123456Z",
}


class AccountRequest(Request):
    """Limits are on the account's normal side, in minor units; null is no limit."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: NewAccountId | None = None
    name: Name
    kind: Literal["asset", "liability", "equity", "revenue", "expense"]
    currency: Currency
    min_balance: SignedAmount | None = None
    max_balance: SignedAmount | None = None
    metadata: Metadata = {}


class LimitsRequest(Request):
    """Both limits anew; null is no limit."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"min_balance": 0, "max_balance": None}]})

    min_balance: SignedAmount | None
    max_balance: SignedAmount | None


class ReasonRequest(Request):
    """Why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Asked for by the customer"}]})

    reason: Text500


_BALANCE = {
    "account": "customer:17",
    "currency": "EUR",
    "posted": {"debits": 0, "credits": 1250, "balance": 1250},
    "pending": {"debits": 250, "credits": 0},
    "available": 1000,
    "position": 17,
}
_STATEMENT = {
    "account": "customer:17",
    "currency": "EUR",
    "opening_balance": 0,
    "data": [
        {
            "entry_id": "ent_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
            "position": 17,
            "effective_at": "2026-11-21T10:20:30.123456Z",
            "recorded_at": "2026-11-21T10:20:30.123456Z",
            "direction": "credit",
            "amount": 1250,
            "balance_after": 1250,
            "description": "Payment of order 1729",
            "reference": "order-1729",
        }
    ],
    "closing_balance": 1250,
    "position": 17,
    "next_cursor": None,
}
_HISTORY = {
    "account": "customer:17",
    "currency": "EUR",
    "step": "day",
    "opening": {"at": "2026-11-20T00:00:00Z", "debits": 0, "credits": 0, "balance": 0},
    "points": [
        {"at": "2026-11-21T00:00:00Z", "debits": 0, "credits": 0, "balance": 0},
        {"at": "2026-11-22T00:00:00Z", "debits": 0, "credits": 1250, "balance": 1250},
    ],
    "position": 17,
}
_UNKNOWN_OR_PROTECTED = (AccountNotFound, AccountProtected, AccountClosed)


@router.writes(
    "",
    AccountReceipt,
    _OPENED,
    scope="ledger:write",
    refuses=(AccountCodeInvalid, CurrencyUnknown, IdExistsDifferent, LimitsInvalid),
)
async def open_account(asked: AccountRequest, caller: Calling) -> Response:
    """Open an account. Without an `id` it gets a fresh one."""
    command = OpenAccount(
        asked.id or new_id(ACCOUNT),
        asked.name,
        asked.kind,
        asked.currency,
        asked.min_balance,
        asked.max_balance,
        asked.metadata,
    )
    return await caller.carry_out(command, asked)


@router.reads("", AccountView, _OPENED, scope="ledger:read", page=True, refuses=(LimitRange, CursorInvalid))
async def list_accounts(
    caller: Calling, limit: Limit = DEFAULT_PAGE, cursor: Cursor = None, min_position: MinPosition = None
) -> Response:
    """List accounts in the order of their ids, the system's own among them."""
    await caller.see(min_position)
    after = "" if cursor is None else str(caller.continue_after(cursor, "accounts")[0])
    async with caller.world.reading() as connection:
        found = await accounts(connection, caller.book, after=after, limit=limit + 1)
    return caller.page("accounts", found, limit, lambda account: [account.id])


@router.reads("/{account}", AccountView, _OPENED, scope="ledger:read", refuses=(AccountNotFound,))
async def show_account(account: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show an account and its rules."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        found = await find_account(connection, caller.book, account)
    if found is None:
        raise AccountNotFound
    return answer(found)


@router.reads(
    "/{account}/balance",
    Balance,
    _BALANCE,
    scope="ledger:read",
    refuses=(AccountNotFound, PositionNotReached, TimestampFormat),
)
async def show_balance(
    account: str,
    caller: Calling,
    as_of: AsOf = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Tell what an account holds: now, as of a past time, and as it was known then."""
    past = as_of is not None or known_at is not None
    await caller.see_balances(min_position, as_of, known_at)
    async with caller.world.snapshot() if past else caller.world.reading() as connection:
        found = await balance(connection, caller.book, account, as_of=as_of, known_at=known_at)
    if found is None:
        raise AccountNotFound
    return answer(found)


class StatementPage(msgspec.Struct):
    """Lines of an account, oldest first, between what it held before and after them; balances on its normal side."""

    account: str
    currency: str
    opening_balance: int
    data: list[StatementLine]
    closing_balance: int
    position: int
    next_cursor: str | None


@router.reads(
    "/{account}/statement",
    StatementPage,
    _STATEMENT,
    scope="ledger:read",
    refuses=(AccountNotFound, PositionNotReached, TimestampFormat, CursorInvalid, LimitRange),
    sensitive=Sensitive.NOTED,
)
async def show_statement(
    account: str,
    caller: Calling,
    since: Annotated[TimeParameter | None, Query(alias="from", description="With effect from this time on.")] = None,
    until: Annotated[TimeParameter | None, Query(alias="to", description="With effect before this time.")] = None,
    known_at: KnownAtParameter = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List what moved on an account, in the order of its effect, with the balance after each line.

    All pages show what was known when the first was asked for.
    """
    check_range(since, until)
    await caller.see(min_position, *STATEMENT_VIEWS)
    await caller.know(known_at, *STATEMENT_VIEWS)
    filters = {"account": account, "from": str(since), "to": str(until), "known_at": str(known_at)}
    place = None
    if cursor is not None:
        moment, position, leg, known_at = map(int, caller.continue_after(cursor, "statement", filters))
        place = Place(moment_of(moment), position, leg)
    async with caller.world.snapshot() as connection:
        found = await statement(
            connection,
            caller.book,
            account,
            since=since or BEGINNING,
            until=until or END,
            known_at=known_at,
            after=place,
            limit=limit,
        )
    if found is None:
        raise AccountNotFound
    following = None
    if found.next is not None:
        last = [microseconds_of(found.next.moment), found.next.position, found.next.leg, found.position]
        following = caller.next_cursor("statement", last, filters)
    return answer(
        StatementPage(
            found.account,
            found.currency,
            found.opening_balance,
            found.lines,
            found.closing_balance,
            found.position,
            following,
        )
    )


@router.reads(
    "/{account}/balance-history",
    BalanceHistory,
    _HISTORY,
    scope="ledger:read",
    refuses=(AccountNotFound, FieldMissing, PositionNotReached, TimestampFormat, TimestampRange),
)
async def show_balance_history(
    account: str,
    caller: Calling,
    since: Annotated[TimeParameter, Query(alias="from", description="The beginning of the first step.")],
    until: Annotated[TimeParameter, Query(alias="to", description="The end of the last step.")],
    step: Annotated[Step, Query(description="How far the points lie apart: at ends of hours, days, … in UTC.")],
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Show what an account held at the end of each hour, day, week or month, as points to be drawn: 1,000 at most.

    A point holds what took effect before `at`, as the statement up to there does.
    """
    await caller.see(min_position, Postings.name)
    await caller.know(known_at, Postings.name)
    async with caller.world.snapshot() as connection:
        found = await balance_history(
            connection, caller.book, account, since=since, until=until, step=step, known_at=known_at
        )
    if found is None:
        raise AccountNotFound
    return answer(found)


@router.writes(
    "/{account}/limits",
    AccountReceipt,
    _OPENED,
    scope="ledger:write",
    status=200,
    needs_two=True,
    refuses=(*_UNKNOWN_OR_PROTECTED, LimitsInvalid),
)
async def change_limits(account: str, asked: LimitsRequest, caller: Calling) -> Response:
    """Set both limits anew. A balance that lies outside of them stays, and may only move back towards them."""
    return await caller.carry_out(ChangeLimits(account, asked.min_balance, asked.max_balance), asked)


@router.writes(
    "/{account}/freeze",
    AccountReceipt,
    {**_OPENED, "status": "frozen"},
    scope="ledger:write",
    status=200,
    refuses=(*_UNKNOWN_OR_PROTECTED, AccountFrozen),
)
async def freeze_account(account: str, asked: ReasonRequest, caller: Calling) -> Response:
    """Let the account take no postings until it is unfrozen."""
    return await caller.carry_out(FreezeAccount(account, asked.reason), asked)


@router.writes(
    "/{account}/unfreeze",
    AccountReceipt,
    _OPENED,
    scope="ledger:write",
    status=200,
    refuses=(*_UNKNOWN_OR_PROTECTED, AccountNotFrozen),
)
async def unfreeze_account(account: str, asked: ReasonRequest, caller: Calling) -> Response:
    """Let the account take postings again."""
    return await caller.carry_out(UnfreezeAccount(account, asked.reason), asked)


@router.writes(
    "/{account}/close",
    AccountReceipt,
    {**_OPENED, "status": "closed"},
    scope="ledger:write",
    status=200,
    refuses=(*_UNKNOWN_OR_PROTECTED, AccountNotEmpty),
)
async def close_account(account: str, asked: ReasonRequest, caller: Calling) -> Response:
    """Let the account take no postings any more; it has to stand at zero, with nothing pending."""
    return await caller.carry_out(CloseAccount(account, asked.reason), asked)
