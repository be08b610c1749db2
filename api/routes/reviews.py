"""/reviews: payments that wait for a person, and what that person decides."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import AliasChoices, ConfigDict, Field
from starlette.responses import Response

from api import late
from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Request, Text500
from api.routes.payments import SHOWN
from api.routing import Router
from commands.reviews import ApproveReview, RejectReview
from ledger.errors import (
    ChannelUnavailable,
    CursorInvalid,
    InsufficientFunds,
    LimitRange,
    PaymentStateInvalid,
    ReviewNotFound,
    ReviewNotOpen,
    SelfApproval,
)
from ledger.payment_views import PaymentView, payment_view
from projections.reviews import Reviews, ReviewView, reviews
from projections.reviews import review as find_review

router = Router("/v1/reviews", "risk")

_ID = "019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
_SHOWN: dict[str, Any] = {
    "position": 47,
    "id": f"rev_{_ID}-1",
    "payment": f"pay_{_ID}",
    "status": "open",
    "reasons": ["reviewed by a list"],
    "merchant": "shop",
    "amount": 6000,
    "currency": "EUR",
    "after_authorization": False,
    "opened_at": "2026-11-21T10:20:30.123456Z",
    "deadline": "2026-11-24T10:20:30.123456Z",
    "on_deadline": "reject",
    "decided_at": None,
    "decided_by": "",
    "note": "",
}


class DecisionRequest(Request):
    """Why, for whoever looks at it later; `reason` is understood as well."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "The customer was called"}]})

    note: Annotated[Text500, Field(validation_alias=AliasChoices("note", "reason"))] = ""


@router.reads(
    "", ReviewView, _SHOWN, scope="risk:read", page=True, refuses=(CursorInvalid, LimitRange), sensitive=Sensitive.NOTED
)
async def list_reviews(
    caller: Calling,
    status: Annotated[
        Literal["open", "approved", "rejected", "withdrawn"] | None, Query(description="In this state.")
    ] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List reviews in the order in which they were opened."""
    await caller.see(min_position, Reviews.name)
    filters = {"status": status}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "reviews", filters)[0])
    async with caller.world.reading() as connection:
        found = await reviews(connection, caller.book, status=status, after=after, limit=limit + 1)
    return caller.page("reviews", found, limit, lambda row: (row.position,), filters)


@router.reads("/{review}", ReviewView, _SHOWN, scope="risk:read", refuses=(ReviewNotFound,), sensitive=Sensitive.NOTED)
async def show_review(review: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show a review: why it was opened, until when it waits, and who decided what."""
    await caller.see(min_position, Reviews.name)
    async with caller.world.reading() as connection:
        found = await find_review(connection, caller.book, review)
    if found is None:
        raise ReviewNotFound
    return answer(found)


@router.writes(
    "/{review}/approve",
    PaymentView,
    SHOWN,
    scope="risk:write",
    status=200,
    may_be_late=True,
    refuses=(
        ReviewNotFound,
        ReviewNotOpen,
        SelfApproval,
        PaymentStateInvalid,
        InsufficientFunds,
        ChannelUnavailable,
    ),
)
async def approve_review(review: str, asked: DecisionRequest, caller: Calling) -> Response:
    """Let the payment go on: it begins, or what is authorized is captured. Not by whoever created it."""
    return await _decide(ApproveReview(review, asked.note), asked, caller)


@router.writes(
    "/{review}/reject",
    PaymentView,
    {**SHOWN, "status": "rejected", "amount_captured": 0, "attempts": []},
    scope="risk:write",
    status=200,
    may_be_late=True,
    refuses=(ReviewNotFound, ReviewNotOpen, PaymentStateInvalid),
)
async def reject_review(review: str, asked: DecisionRequest, caller: Calling) -> Response:
    """Let the payment go no further: it is rejected, or what is authorized is let go."""
    return await _decide(RejectReview(review, asked.note), asked, caller)


async def _decide(command: ApproveReview | RejectReview, asked: DecisionRequest, caller: Calling) -> Response:
    return await late.carry_out(
        caller, command, asked, lambda name: name, lambda history, _: payment_view(history), settled=200
    )
