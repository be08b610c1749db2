"""/reconciliation/breaks: what does not agree, who looks into it, and how it is resolved by two people."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Identifier, Name, Request, Text500
from api.routes.report_files import Source
from api.routing import Router
from commands.breaks import ApproveResolution, AssignBreak, ProposeResolution, RejectResolution, ReopenBreak
from ledger.break_state import BreakStatus, BreakView
from ledger.errors import (
    AccountUnknown,
    BankLineClearedAlready,
    BankLineMismatch,
    BatchPaidAlready,
    BreakNotFound,
    BreakNotUndoable,
    BreakStateInvalid,
    ChangeUnderWay,
    ClaimExceedsOpen,
    CorrectionNotPossible,
    CursorInvalid,
    FieldInvalid,
    FieldMissing,
    ItemSettledAlready,
    ItemsNotOpposite,
    LimitRange,
    PaymentNotFound,
    PaymentStateInvalid,
    ProposalOutdated,
    ReceivableItemNotFound,
    RefundNotFound,
    SecondPersonRequired,
    SettlementAmountDiffers,
    SettlementMismatch,
    ToleranceExhausted,
    UnknownField,
)
from ledger.matching.outcome import BreakType
from projections.reconciliation import Reconciliation, breaks, reconciliation_break

router = Router("/v1/reconciliation/breaks", "reconciliation")

_TIME = "2026-11-21T10:20:30.123456Z"
_PENDING = "sys:1120:card_simulator:2026-11-20:eur"
_BREAK: dict[str, Any] = {
    "id": "brk_3f7a1c9e5b2d8046f1e7c3a95d0b4826",
    "status": "proposed",
    "type": "amount_ours_more",
    "side": "both",
    "source": "channel_csv",
    "account": "card_simulator",
    "kind": "sale",
    "currency": "EUR",
    "ours": 6000,
    "theirs": 5800,
    "at_risk": 200,
    "their_currency": "",
    "rows": [],
    "items": ["pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f.5"],
    "related": [],
    "since": "2026-11-20",
    "opened_at": _TIME,
    "run": "run_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "suggested": {"row": "K3", "amounts": {"d": 200}, "currency": "EUR"},
    "assignee": "key_019aa3c0",
    "proposal": {
        "number": 1,
        "resolution": "platform_bears",
        "parameters": {},
        "postings": [
            {"account": "sys:1110:card_simulator:eur", "direction": "credit", "amount": 6000, "currency": "EUR"},
            {"account": _PENDING, "direction": "debit", "amount": 5800, "currency": "EUR"},
            {"account": "sys:5080:card_simulator:eur", "direction": "debit", "amount": 200, "currency": "EUR"},
        ],
        "maker": "key_019aa3c0",
        "four_eyes": True,
        "reason": "The channel has confirmed it by telephone",
    },
    "resolved_by": None,
    "checker": "",
    "position": 4700,
}
ResolutionName = Literal[
    "merchant_bears",
    "platform_bears",
    "settle_with",
    "clear_with",
    "suspend",
    "take_evidence",
    "correct_payment",
    "give_up_claim",
    "claim_paid",
    "offset",
    "ignore",
    "undo",
]
_REFUSALS = (BreakNotFound, BreakStateInvalid)
_OF_RESOLUTIONS = (
    AccountUnknown,
    BankLineClearedAlready,
    BankLineMismatch,
    BatchPaidAlready,
    BreakNotUndoable,
    ChangeUnderWay,
    ClaimExceedsOpen,
    CorrectionNotPossible,
    FieldInvalid,
    FieldMissing,
    ItemSettledAlready,
    ItemsNotOpposite,
    PaymentNotFound,
    PaymentStateInvalid,
    ReceivableItemNotFound,
    RefundNotFound,
    SettlementAmountDiffers,
    SettlementMismatch,
    ToleranceExhausted,
    UnknownField,
)


class AssignBreakRequest(Request):
    """Who looks into it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"assignee": "ann", "note": "asks the channel"}]})

    assignee: Name
    note: Text500 = ""


class ProposeResolutionRequest(Request):
    """How it is to be resolved, and why; which parameters there are depends on the resolution.

    `merchant_bears`, `platform_bears`, `settle_with`, `give_up_claim`, `claim_paid`: `item`. `offset`: `against`.
    `clear_with`: `account`. `correct_payment`: `status`. The others take none: `suspend`, `take_evidence` (the row is
    its channel's word), `ignore`, and `undo`, which takes back what was done for the break last. What was suspended may
    be cleared later, and a claim given up, as a second proposal on the same break. `batch`: in which one a row is paid,
    where that which it names was paid without it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"resolution": "platform_bears", "parameters": {}, "reason": "Confirmed by the channel"}]
        }
    )

    resolution: ResolutionName
    parameters: Annotated[dict[Identifier, Text500], Field(max_length=5)] = {}
    reason: Name


class ApproveResolutionRequest(Request):
    """Nothing but the decision."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class BreakReasonRequest(Request):
    """Why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "The file of the next day shows it"}]})

    reason: Name


@router.reads(
    "",
    BreakView,
    _BREAK,
    scope="ledger:read",
    page=True,
    refuses=(CursorInvalid, LimitRange),
    sensitive=Sensitive.NOTED,
)
async def list_breaks(
    caller: Calling,
    status: Annotated[BreakStatus | None, Query(description="Only breaks of this status.")] = None,
    type_: Annotated[BreakType | None, Query(alias="type", description="Only breaks of this type.")] = None,
    source: Annotated[Source | None, Query(description="Only breaks in reports of this format.")] = None,
    account: Annotated[Identifier | None, Query(description="Only of this channel or bank account.")] = None,
    min_age_days: Annotated[int | None, Query(ge=0, le=36_500, description="Only what is at least that old.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List breaks, in the order in which they were found."""
    await caller.see(min_position, Reconciliation.name)
    since = None if min_age_days is None else datetime.now(UTC).date() - timedelta(days=min_age_days)
    asked = {"status": status, "type": type_, "source": source, "account": account, "min_age_days": min_age_days}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "breaks", asked)[0])
    filters = {"status": status, "type": type_, "source": source, "account": account, "since": since}
    async with caller.world.reading() as connection:
        found = await breaks(connection, caller.book, filters, after=after, limit=limit + 1)
    return caller.page("breaks", found, limit, lambda one: [one.place], asked, lambda one: one.found)


@router.reads(
    "/{break_id}", BreakView, _BREAK, scope="ledger:read", refuses=(BreakNotFound,), sensitive=Sensitive.NOTED
)
async def get_break(caller: Calling, break_id: Identifier, min_position: MinPosition = None) -> Response:
    """Show a break: what differs, and how far its resolution has come."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        found = await reconciliation_break(connection, caller.book, break_id)
    if found is None:
        raise BreakNotFound(id=break_id)
    return answer(found)


@router.writes("/{break_id}/assign", BreakView, _BREAK, scope="reconciliation:write", status=200, refuses=_REFUSALS)
async def assign_break(caller: Calling, break_id: Identifier, asked: AssignBreakRequest) -> Response:
    """Say who looks into it."""
    return await caller.carry_out(AssignBreak(break_id, asked.assignee, asked.note), asked)


@router.writes(
    "/{break_id}/propose",
    BreakView,
    _BREAK,
    scope="reconciliation:write",
    status=200,
    refuses=(*_REFUSALS, *_OF_RESOLUTIONS),
)
async def propose_resolution(caller: Calling, break_id: Identifier, asked: ProposeResolutionRequest) -> Response:
    """Propose how to resolve it: the answer shows the postings that would be made, and none is made yet."""
    command = ProposeResolution(break_id, asked.resolution, dict(asked.parameters), asked.reason)
    return await caller.carry_out(command, asked)


@router.writes(
    "/{break_id}/approve",
    BreakView,
    {**_BREAK, "status": "resolved"},
    scope="reconciliation:write",
    status=200,
    refuses=(*_REFUSALS, SecondPersonRequired, ProposalOutdated),
)
async def approve_resolution(caller: Calling, break_id: Identifier, asked: ApproveResolutionRequest) -> Response:
    """Carry out what was proposed, with exactly the postings that were shown; above a limit by another key."""
    return await caller.carry_out(ApproveResolution(break_id), asked)


@router.writes(
    "/{break_id}/reject",
    BreakView,
    {**_BREAK, "status": "investigating", "proposal": None},
    scope="reconciliation:write",
    status=200,
    refuses=_REFUSALS,
)
async def reject_resolution(caller: Calling, break_id: Identifier, asked: BreakReasonRequest) -> Response:
    """Drop what was proposed."""
    return await caller.carry_out(RejectResolution(break_id, asked.reason), asked)


@router.writes(
    "/{break_id}/reopen",
    BreakView,
    {**_BREAK, "status": "reopened", "proposal": None},
    scope="reconciliation:write",
    status=200,
    refuses=_REFUSALS,
)
async def reopen_break(caller: Calling, break_id: Identifier, asked: BreakReasonRequest) -> Response:
    """Say that a break which agreed by itself does not. What was posted for one is taken back by proposing `undo`."""
    return await caller.carry_out(ReopenBreak(break_id, asked.reason), asked)
