"""/reconciliation/flows: single-entry flows of what a channel owes us, beside the double-entry journal."""

from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from api.answers import answer
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Currency, Identifier
from api.routing import Router
from ledger.errors import CurrencyUnknown, CursorInvalid, LimitRange, NotCaughtUp
from projections.receivable_flows import VIEWS, ReceivableFlows, receivable_control, receivable_flows

router = Router("/v1/reconciliation/flows", "reconciliation")

_ACCOUNT = "sys:1110:card_simulator:eur"
_EXAMPLE: dict[str, Any] = {
    "channel": "card_simulator",
    "holds": True,
    "control": [
        {"channel": "card_simulator", "currency": "EUR", "items": 1, "open": 5964, "balance": 5964, "holds": True}
    ],
    "position": 4700,
    "data": [
        {
            "position": 17,
            "account": _ACCOUNT,
            "entry_id": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f.5",
            "topic": "payments.captured.v1",
            "recorded_at": "2026-11-21T10:20:30.123456Z",
            "flow": 5964,
            "journal": 5964,
            "holds": True,
            "items": [{"item": "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f.5", "amount": 5964}],
        }
    ],
    "next_cursor": None,
}


@router.reads(
    "",
    ReceivableFlows,
    _EXAMPLE,
    scope="ledger:read",
    refuses=(CurrencyUnknown, CursorInvalid, LimitRange, NotCaughtUp),
)
async def show_receivable_flows(
    caller: Calling,
    account: Annotated[Identifier, Query(description="The channel.")],
    currency: Annotated[Currency | None, Query(description="Only in this currency.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """Show what each event did to a channel's receivable: to its open items, and by the journal, in the log's order.

    `control` is the cross-check of the whole: what is open comes to the balance of 1110.
    """
    await caller.see(min_position, *VIEWS)
    filters = {"account": account, "currency": currency}
    place = (0, "") if cursor is None else caller.continue_after(cursor, "receivable_flows", filters)
    async with caller.world.reading() as connection:
        control = await receivable_control(connection, caller.book, account)
    async with caller.world.snapshot() as connection:
        position, found = await receivable_flows(
            connection,
            caller.book,
            account,
            currency=currency,
            after=(int(place[0]), str(place[1])),
            limit=limit + 1,
        )
    shown, following = found[:limit], None
    if len(found) > limit:
        following = caller.next_cursor("receivable_flows", (shown[-1].position, shown[-1].account), filters)
    control = [one for one in control if currency in (None, one.currency)]
    holds = all(one.holds for one in control) and all(one.holds for one in shown)
    return answer(ReceivableFlows(account, holds, control, position, shown, following))
