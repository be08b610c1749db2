"""/reconciliation/runs: reports are held against the books, as often as anybody likes, and to the same end."""

from typing import Annotated, Any

from fastapi import Query
from starlette.responses import Response

from api import late
from api.answers import answer
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Day, Identifier, Request
from api.routes.report_files import Source
from api.routing import Router
from commands.policies.reconciliation import is_bank
from commands.reconciliation import RequestReconciliation
from ledger.errors import CursorInvalid, FieldMissing, LimitRange, ReconciliationRunNotFound
from ledger.ids import RECONCILIATION_RUN, new_id
from ledger.reconciliation_state import RunStatus, RunView, shown
from projections.reconciliation import Reconciliation, run, runs

router = Router("/v1/reconciliation/runs", "reconciliation")

_TIME = "2026-11-21T10:20:30.123456Z"
_RUN: dict[str, Any] = {
    "id": "run_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "status": "completed",
    "source": "channel_csv",
    "account": "card_simulator",
    "date": "2026-11-20",
    "requested_at": _TIME,
    "ended_at": _TIME,
    "output_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "matches": 410,
    "settled": 410,
    "refused": 0,
    "breaks": 1,
    "opened": 1,
    "waiting": 1,
    "duplicates": 0,
    "found_by": {"exact_id": 410},
    "breaks_by_type": {"amount_ours_more": 1},
    "at_risk": {"EUR": 1200},
    "totals": [{"side": "rows", "state": "matched", "currency": "EUR", "count": 410, "gross": 512500, "fee": 6150}],
    "known_at": 4096,
    "reason": None,
    "position": 4600,
}


class RunRequest(Request):
    """Which report, of which channel or bank account, up to the end of which day."""

    model_config = {
        "json_schema_extra": {
            "examples": [{"source": "channel_csv", "account": "card_simulator", "date": "2026-11-20"}]
        }
    }

    source: Source
    account: Identifier | None = None
    date: Day


@router.writes("", RunView, _RUN, scope="reconciliation:write", may_be_late=True)
async def run_reconciliation(caller: Calling, asked: RunRequest) -> Response:
    """Hold the reports that came in against the books: what agrees is settled, what does not waits or is a break.

    It is carried out in the background; the answer waits a moment for its end. Run again, it comes to the same
    `output_hash`, and settles nothing twice.
    """
    if asked.account is None and is_bank(asked.source):
        raise FieldMissing("Say which of our bank accounts.", pointer="/account")
    name = new_id(RECONCILIATION_RUN)
    command = RequestReconciliation(name, asked.source, asked.account or asked.source, asked.date)
    return await late.carry_out(caller, command, asked, lambda run: run, lambda history, _: shown(history))


@router.reads("", RunView, _RUN, scope="ledger:read", page=True, refuses=(CursorInvalid, LimitRange))
async def list_reconciliation_runs(
    caller: Calling,
    source: Annotated[Source | None, Query(description="Only runs over this format.")] = None,
    account: Annotated[Identifier | None, Query(description="Only runs about this channel or bank account.")] = None,
    status: Annotated[RunStatus | None, Query(description="Only runs of this status.")] = None,
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List runs, in the order in which they were asked for."""
    await caller.see(min_position, Reconciliation.name)
    filters: dict[str, str | None] = {"source": source, "account": account, "status": status}
    after = 0 if cursor is None else int(caller.continue_after(cursor, "runs", filters)[0])
    async with caller.world.reading() as connection:
        found = await runs(connection, caller.book, filters, after=after, limit=limit + 1)
    return caller.page("runs", found, limit, lambda one: [one.place], filters, lambda one: one.run)


@router.reads("/{run_id}", RunView, _RUN, scope="ledger:read", refuses=(ReconciliationRunNotFound,))
async def get_reconciliation_run(caller: Calling, run_id: Identifier, min_position: MinPosition = None) -> Response:
    """Show a run: how it stands, and what it came to."""
    await caller.see(min_position)
    async with caller.world.reading() as connection:
        found = await run(connection, caller.book, run_id)
    if found is None:
        raise ReconciliationRunNotFound(id=run_id)
    return answer(found)
