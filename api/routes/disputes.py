"""/disputes: what payers ask their banks for, and what the merchant answers."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import ConfigDict, Field
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, PartyId, Request, Text500
from api.routing import Router
from commands.disputes import AcceptDispute, ChallengeDispute
from ledger.dispute_views import DisputeView
from ledger.errors import (
    CursorInvalid,
    DisputeNotFound,
    DisputeStateInvalid,
    EvidenceTooLate,
    LimitRange,
)
from projections.disputes import Disputes, disputes
from projections.disputes import dispute as find_dispute

router = Router("/v1/disputes", "disputes")

_ID = "019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_TIME = "2026-11-21T10:20:30.123456Z"
_EVIDENCE: Any = {"delivery": "Signed for on 2026-11-14, parcel 1Z999", "invoice": "2026-1729"}
_SHOWN: dict[str, Any] = {
    "position": 41,
    "id": f"dis_{_ID}-1",
    "payment": f"pay_{_ID}",
    "merchant": "shop",
    "status": "opened",
    "stage": "dispute",
    "amount": 6000,
    "currency": "EUR",
    "reason": "fraudulent",
    "channel": "card_simulator",
    "channel_reference": "dp_8f14e45fceea167a",
    "money": "taken",
    "held": 6000,
    "suspended": 0,
    "fee": 1500,
    "evidence_due_at": "2026-12-01T00:00:00Z",
    "evidence": [],
    "contradictions": [],
    "needs_attention": False,
    "opened_at": _TIME,
    "answers": [],
    "borne": 6000,
    "borne_currency": "EUR",
}


def _answer(says: str) -> list[dict[str, Any]]:
    """On its way to the channel."""
    told = {"id": f"ans_{_ID}-1", "says": says, "stage": "dispute", "at": _TIME, "status": "processing"}
    return [{**told, "group": None, "message": ""}]


class AcceptDisputeRequest(Request):
    """Nothing more than who asks."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})


class EvidenceRequest(Request):
    """What speaks against the dispute: texts by name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"evidence": _EVIDENCE}]})

    evidence: Annotated[
        dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Text500], Field(min_length=1, max_length=20)
    ]


@router.reads(
    "",
    DisputeView,
    _SHOWN,
    scope="payments:read",
    page=True,
    refuses=(CursorInvalid, LimitRange),
    sensitive=Sensitive.NOTED,
)
async def list_disputes(
    caller: Calling,
    merchant: Annotated[PartyId | None, Query(description="Of this merchant.")] = None,
    status: Annotated[
        Literal["unopened", "opened", "challenged", "expired", "accepted", "canceled", "lost", "won"] | None,
        Query(description="In this state."),
    ] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List disputes in the order in which they were first heard of."""
    await caller.see(min_position, Disputes.name)
    filters = {"merchant": merchant, "status": status}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "disputes", filters)[0])
    async with caller.world.reading() as connection:
        found = await disputes(connection, caller.book, filters, after=after, limit=limit + 1)
    return caller.page("disputes", found, limit, lambda one: [one.place], filters, lambda one: one.dispute)


@router.reads(
    "/{dispute}", DisputeView, _SHOWN, scope="payments:read", refuses=(DisputeNotFound,), sensitive=Sensitive.NOTED
)
async def show_dispute(dispute: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show where a dispute stands, and where its money is; straight from the log."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        found = await find_dispute(connection, caller.book, dispute)
    if found is None:
        raise DisputeNotFound
    return answer(found)


@router.writes(
    "/{dispute}/accept",
    DisputeView,
    {**_SHOWN, "status": "accepted", "money": "lost", "answers": _answer("accept")},
    scope="payments:write",
    status=200,
    refuses=(DisputeNotFound, DisputeStateInvalid),
)
async def accept_dispute(dispute: str, asked: AcceptDisputeRequest, caller: Calling) -> Response:
    """Let the payer keep the money, and have the channel told so.

    `answers` says whether it has heard. Where it declines, since the dispute is decided already, nothing was given up.
    """
    return await caller.carry_out(AcceptDispute(dispute), asked)


@router.writes(
    "/{dispute}/challenge",
    DisputeView,
    {
        **_SHOWN,
        "status": "challenged",
        "evidence": [{"fields": _EVIDENCE, "at": _TIME}],
        "answers": _answer("challenge"),
    },
    scope="payments:write",
    status=200,
    refuses=(DisputeNotFound, DisputeStateInvalid, EvidenceTooLate),
)
async def challenge_dispute(dispute: str, asked: EvidenceRequest, caller: Calling) -> Response:
    """Answer a dispute with evidence, as often as needed until `evidence_due_at`.

    The channel is sent all of it. `answers` says whether each was `delivered`, `declined` (it does not count), or has
    to be told `by_hand`, since this channel takes none from us. Its bank's next word says how the dispute stands.
    """
    return await caller.carry_out(ChallengeDispute(dispute, asked.evidence), asked)
