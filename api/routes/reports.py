"""/reports: what has changed about a month since it was reported."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query
from starlette.responses import Response

from api.access_log import Sensitive
from api.answers import answer
from api.dependencies import Calling, Cursor, KnownAtParameter, Limit, MinPosition
from api.fields import DEFAULT_PAGE, PeriodParameter, PositionOrTimeParameter
from api.routing import Router
from ledger.errors import CursorInvalid, FieldInvalid, FieldMissing, LimitRange, PositionNotReached, TimestampFormat
from projections.postings import Postings
from projections.restatement import RestatedAccount, RestatingEntry, restatement

router = Router("/v1/reports", "reports")

_SAME = {"then": 0, "now": 0, "difference": 0}
_EXAMPLE: dict[str, Any] = {
    "period": "2026-03",
    "reported_position": 17,
    "position": 40,
    "accounts": [
        {
            "account": "cash",
            "kind": "asset",
            "currency": "EUR",
            "opening_balance": _SAME,
            "debits": {"then": 1250, "now": 1500, "difference": 250},
            "credits": _SAME,
            "closing_balance": {"then": 1250, "now": 1500, "difference": 250},
        },
        {
            "account": "sales",
            "kind": "revenue",
            "currency": "EUR",
            "opening_balance": _SAME,
            "debits": _SAME,
            "credits": {"then": 1250, "now": 1500, "difference": 250},
            "closing_balance": {"then": 1250, "now": 1500, "difference": 250},
        },
    ],
    "data": [
        {
            "position": 23,
            "id": "ent_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
            "topic": "entries.posted.v1",
            "takes_effect": "in_period",
            "effective_at": "2026-03-31T16:00:00Z",
            "recorded_at": "2026-04-07T09:12:44.123456Z",
            "postings": [
                {"account": "cash", "direction": "debit", "amount": 250, "currency": "EUR"},
                {"account": "sales", "direction": "credit", "amount": 250, "currency": "EUR"},
            ],
            "reverses": None,
            "reference": "invoice-88",
            "why": "Sale of 31 March, its slip came late",
            "who": "4f3c2b1a09f8e7d6",
            "key": "invoice-88-a",
        }
    ],
    "next_cursor": None,
}


class RestatementPage(msgspec.Struct):
    """What has changed about a month since it was reported: all accounts on the first page, then null; and entries.

    The entries of all pages add up to the differences: those `in_period` to the debits and credits, those
    `before_period` to the opening balances, all of them to the closing balances.
    """

    period: str
    reported_position: int
    position: int
    accounts: list[RestatedAccount] | None
    data: list[RestatingEntry]
    next_cursor: str | None


@router.reads(
    "/restatement",
    RestatementPage,
    _EXAMPLE,
    scope="ledger:read",
    refuses=(FieldMissing, PositionNotReached, TimestampFormat, CursorInvalid, LimitRange),
    sensitive=Sensitive.NOTED,
)
async def show_restatement(
    caller: Calling,
    period: Annotated[PeriodParameter, Query(description="The month, in UTC.")],
    reported_at: Annotated[
        PositionOrTimeParameter,
        Query(description="When the month was reported: the position that was known then, or the time."),
    ],
    known_at: KnownAtParameter = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """Show what has changed about a month since it was reported, account by account and entry by entry.

    All pages show what was known when the first was asked for. A page may be short, or empty, and lead to a next one.
    """
    _check_order(reported_at, known_at)
    await caller.see(min_position, Postings.name)
    await caller.know(known_at, Postings.name)
    filters = {"period": period, "reported_at": str(reported_at), "known_at": str(known_at)}
    after = None
    if cursor is not None:
        after, reported_at, known_at = map(int, caller.continue_after(cursor, "restatement", filters))
    async with caller.world.snapshot() as connection:
        found = await restatement(
            connection, caller.book, period, reported_at=reported_at, known_at=known_at, after=after, limit=limit
        )
    following = None
    if found.next is not None:
        last = [found.next, found.reported_position, found.position]
        following = caller.next_cursor("restatement", last, filters)
    return answer(
        RestatementPage(found.period, found.reported_position, found.position, found.accounts, found.entries, following)
    )


def _check_order(reported_at: int | datetime, known_at: int | datetime | None) -> None:
    """Raises FieldInvalid for what positions cannot tell: after a report of tomorrow nothing would have changed."""
    if not isinstance(reported_at, datetime):
        return
    if reported_at > datetime.now(UTC):
        raise FieldInvalid("Nothing was reported in the future.", pointer="/query/reported_at")
    if isinstance(known_at, datetime) and known_at < reported_at:
        raise FieldInvalid("It was reported later than it is looked back at.", pointer="/query/reported_at")
