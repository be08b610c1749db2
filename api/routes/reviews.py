"""/reviews: payments that wait for a person, and what that person decides."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import ConfigDict
from starlette.responses import Response

from api import late
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Request, Text500
from api.routes.payments import SHOWN
from api.routing import Router
from commands.reviews import ApproveReview, RejectReview
from ledger.errors import (
    ChannelUnavailable,
    CursorInvalid,
    SelfApproval,
    InsufficientFunds,
    LimitRange,
    PaymentStateInvalid,
    ReviewNotFound,
    ReviewNotOpen,
)
from ledger.payment_views import PaymentView, payment_view
from projections.reviews import Reviews, ReviewView, reviews

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
    """Why, for whoever looks at it later."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "The customer was called"}]})

    note: Text500 = ""


@router.reads("", ReviewView, _SHOWN, scope="risk:read", page=True, refuses=(CursorInvalid, LimitRange))
async def list_reviews(
    caller: Calling,
    status: Annotated[Literal["open", "approved", "rejected"] | None, Query(description="In this state.")] = None,
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
