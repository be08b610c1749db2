"""/approvals: what waits for a second person, exactly as it would be carried out; and what needs one."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query
from pydantic import ConfigDict, Field, StringConstraints
from starlette.responses import Response

from api.answers import answer
from api.closing import evidence_for
from api.dependencies import Caller, Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Currency, Request, Text500
from api.problems import EVERY_WRITE
from api.routing import Router
from commands.approval_policy import ApprovalPolicyReceipt, ChangeApprovalPolicy, receipt_of
from commands.approvals import (
    ApprovalPreview,
    ApprovalReceipt,
    CancelApproval,
    GiveApproval,
    PreviewApproval,
    RejectApproval,
)
from commands.guarding import BY_KIND
from commands.periods import ClosePeriod, Evidence
from ledger.approval_state import PENDING
from ledger.errors import (
    ApprovalExpired,
    ApprovalMismatch,
    ApprovalNotFound,
    ApprovalNotPending,
    CurrencyUnknown,
    CursorInvalid,
    LimitRange,
    MakerOnly,
    PersonRequired,
    Refusal,
    ScopeMissing,
    SelfApproval,
)
from ledger.events.approvals import DEFAULT_EXPIRY_S
from ledger.journal import Posting
from ledger.money import LARGEST
from projections.approvals import Approvals, ApprovalView, approvals, policy
from projections.approvals import approval as find_approval

router = Router("/v1/approvals", "approvals")

_ID = "apr_4c9f1f0f6a1b27c3d8e4f5a6b7c8d9e0"
_TIME = "2026-11-21T10:20:30.123456Z"
_POSTINGS = [
    {"account": "cash", "direction": "debit", "amount": 1250, "currency": "EUR"},
    {"account": "sales", "direction": "credit", "amount": 1250, "currency": "EUR"},
]
_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_SHOWN: dict[str, Any] = {
    "position": 17,
    "id": _ID,
    "status": "pending",
    "kind": "entries.post",
    "command": '{"id":"ent_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f","postings":[]}',
    "digest": _DIGEST,
    "maker": "ann",
    "maker_key": "4f3c2b1a09f8e7d6",
    "requested_at": _TIME,
    "expires_at": "2026-11-28T10:20:30.123456Z",
    "checker": None,
    "checker_key": None,
    "decided_at": None,
    "reason": None,
}
_DECIDED: dict[str, Any] = {
    "position": 19,
    "id": _ID,
    "status": "executed",
    "kind": "entries.post",
    "digest": _DIGEST,
    "maker": "ann",
    "checker": "ben",
    "result": {"position": 19, "id": "ent_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"},
}
_POLICY: dict[str, Any] = {
    "transfers": {"EUR": 1_000_000},
    "entries": {"EUR": 100_000},
    "payouts": {"EUR": 500_000},
    "reversals": True,
    "account_limits": True,
    "only_persons": True,
    "expire_after_s": DEFAULT_EXPIRY_S,
    "reason": "Auditor's finding 7",
}
_OF_DECIDING: tuple[type[Refusal], ...] = (
    ApprovalNotFound,
    ApprovalNotPending,
    ApprovalExpired,
    SelfApproval,
    PersonRequired,
    ScopeMissing,
)

Limits = Annotated[
    dict[Currency, Annotated[int, Field(strict=True, ge=0, le=LARGEST)]],
    Field(max_length=200, description="By currency: above so many minor units. One that is not named: always."),
]


class ApprovalPolicyRequest(Request):
    """All of it: what is left out needs no second person. Periods and write-offs always need one."""

    model_config = ConfigDict(json_schema_extra={"examples": [_POLICY]})

    transfers: Limits | None = None
    entries: Limits | None = None
    payouts: Limits | None = None
    reversals: bool = False
    account_limits: bool = False
    only_persons: bool = False
    expire_after_s: Annotated[int, Field(strict=True, ge=60, le=366 * 24 * 3600)] = DEFAULT_EXPIRY_S
    reason: Text500


class GiveApprovalRequest(Request):
    """The digest of what is agreed to, as the approval shows it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"digest": _DIGEST}]})

    digest: Annotated[str, StringConstraints(strict=True, pattern="^[0-9a-f]{64}$")]


class RejectApprovalRequest(Request):
    """Why not."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Not without the contract"}]})

    reason: Text500


class CancelApprovalRequest(Request):
    """Why, if there is something to say."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Posted otherwise"}]})

    reason: Text500 = ""


class RefusedNow(msgspec.Struct, frozen=True):
    """Why it could not be carried out at this moment."""

    code: str
    detail: str


class ApprovalDetail(ApprovalView, frozen=True):
    """An approval, and while it waits what carrying it out now would post and answer, or why it could not."""

    postings: tuple[Posting, ...] = ()
    result: dict[str, Any] | None = None
    refused_now: RefusedNow | None = None


@router.reads("/policy", ApprovalPolicyReceipt, {"position": 16, "version": 1, **_POLICY}, scope="ledger:read")
async def show_approval_policy(caller: Calling, min_position: MinPosition = None) -> Response:
    """Show what a second person has to agree to in this book."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        found, position = await policy(connection, caller.book)
    told = ApprovalPolicyReceipt() if found is None else receipt_of(found)
    told.position = position
    return answer(told)


@router.writes(
    "/policy",
    ApprovalPolicyReceipt,
    {"position": 16, "version": 1, **_POLICY},
    scope="admin",
    status=200,
    needs_two=True,
    method="PUT",
    refuses=(CurrencyUnknown,),
)
async def change_approval_policy(asked: ApprovalPolicyRequest, caller: Calling) -> Response:
    """Set what a second person has to agree to, all of it. While something does, that is changed by two people too."""
    return await caller.carry_out(ChangeApprovalPolicy(**dict(asked)), asked)


@router.reads("", ApprovalView, _SHOWN, scope="ledger:read", page=True, refuses=(CursorInvalid, LimitRange))
async def list_approvals(
    caller: Calling,
    status: Annotated[
        Literal["pending", "executed", "rejected", "canceled", "expired"] | None, Query(description="In this state.")
    ] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List what waits, or waited, for a second person, in the order in which it was asked for."""
    await caller.see(min_position, Approvals.name)
    filters = {"status": status}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "approvals", filters)[0])
    async with caller.world.reading() as connection:
        found = await approvals(
            connection, caller.book, now=datetime.now(UTC), status=status, after=after, limit=limit + 1
        )
    return caller.page("approvals", found, limit, lambda row: (row.position,), filters)


@router.reads(
    "/{approval}",
    ApprovalDetail,
    {**_SHOWN, "postings": _POSTINGS, "result": _DECIDED["result"], "refused_now": None},
    scope="ledger:read",
    refuses=(ApprovalNotFound,),
)
async def show_approval(approval: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show what would be carried out, exactly; and, while it waits, what it would post as the books are now."""
    await caller.see(min_position)
    found = await _found(approval, caller)
    view = msgspec.structs.asdict(found)
    if found.status != PENDING:
        return answer(ApprovalDetail(**view))
    try:
        evidence = await _evidence(found, caller)
        envelope = caller.envelope("", hashlib.sha256(approval.encode()).digest(), dry_run=True)
        given = await caller.ask(PreviewApproval(approval, evidence), envelope)
        if given.refusal is not None:
            raise given.refusal
    except Refusal as refusal:
        return answer(ApprovalDetail(**view, refused_now=RefusedNow(refusal.code(), refusal.detail)))
    if given.error is not None:
        raise given.error
    preview = msgspec.json.decode(given.body, type=ApprovalPreview)
    return answer(ApprovalDetail(**view, postings=preview.postings, result=preview.result))


@router.writes(
    "/{approval}/approve",
    ApprovalReceipt,
    _DECIDED,
    scope="ledger:write",
    status=200,
    refuses=(*_OF_DECIDING, ApprovalMismatch, *EVERY_WRITE),
)
async def approve(approval: str, asked: GiveApprovalRequest, caller: Calling) -> Response:
    """Agree to exactly this: it is carried out at once, as the books are now. Not by whoever asked, with any key.

    Where it cannot be carried out, the answer is its refusal, and the approval waits on.
    """
    evidence = await _evidence(await _found(approval, caller), caller)
    return await caller.carry_out(GiveApproval(approval, asked.digest, evidence), asked)


@router.writes(
    "/{approval}/reject",
    ApprovalReceipt,
    {**_DECIDED, "status": "rejected", "result": None},
    scope="ledger:write",
    status=200,
    refuses=_OF_DECIDING,
)
async def reject(approval: str, asked: RejectApprovalRequest, caller: Calling) -> Response:
    """Do not agree: it is never carried out."""
    return await caller.carry_out(RejectApproval(approval, asked.reason), asked)


@router.writes(
    "/{approval}/cancel",
    ApprovalReceipt,
    {**_DECIDED, "status": "canceled", "checker": None, "result": None},
    scope="ledger:write",
    status=200,
    refuses=(ApprovalNotFound, ApprovalNotPending, ApprovalExpired, MakerOnly),
)
async def cancel(approval: str, asked: CancelApprovalRequest, caller: Calling) -> Response:
    """Take back what one asked for oneself."""
    return await caller.carry_out(CancelApproval(approval, asked.reason), asked)


async def _found(name: str, caller: Caller) -> ApprovalView:
    async with caller.world.reading() as connection:
        found = await find_approval(connection, caller.book, name, datetime.now(UTC))
    if found is None:
        raise ApprovalNotFound
    return found


async def _evidence(found: ApprovalView, caller: Caller) -> Evidence | None:
    """What the closing of a period goes by; nothing else needs any."""
    if found.status != PENDING:
        return None
    command = BY_KIND[found.kind].thawed(found.command)
    return await evidence_for(caller, command.period) if isinstance(command, ClosePeriod) else None
