"""/audit: who did what, with which key, when and why."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.access_log import Sensitive
from api.dependencies import Calling, Cursor, Limit, MinPosition
from api.fields import DEFAULT_PAGE, Reference
from api.routing import Router
from ledger.errors import CursorInvalid, LimitRange
from projections.audit_trail import AuditTrail, Fact, trail
from projections.holds import Holds
from projections.postings import Postings

router = Router("/v1/audit", "audit")

FACT_EXAMPLE = {
    "position": 3,
    "topic": "transfers.posted.v1",
    "stream": "ent_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "version": 1,
    "who": "4f3c2b1a09f8e7d6",
    "person": "ann",
    "key": "order-1729-a",
    "when": "2026-11-21T10:20:30.123456Z",
    "why": "",
    "causation": "",
    "correlation": "cor_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f",
    "data": {"debit_account": "cash", "credit_account": "customer:17", "amount": 1250, "currency": "EUR"},
}


@router.reads(
    "/trail",
    Fact,
    FACT_EXAMPLE,
    scope="audit:read",
    page=True,
    refuses=(CursorInvalid, LimitRange),
    sensitive=Sensitive.FIRST,
)
async def show_audit_trail(
    caller: Calling,
    entity: Annotated[Reference, Query(description="Any id or reference that the book knows.")],
    limit: Limit = DEFAULT_PAGE,
    cursor: Cursor = None,
    min_position: MinPosition = None,
) -> Response:
    """List every event that concerns an account, an entry, a payment or anything else with an id, oldest first.

    `who` is the id of the API key, or the part of the service that acted; `key` the Idempotency-Key.
    """
    await caller.see(min_position, AuditTrail.name, Postings.name, Holds.name)
    after = 0 if cursor is None else int(caller.continue_after(cursor, "audit", {"entity": entity})[0])
    async with caller.world.snapshot() as connection:
        found = await trail(connection, caller.book, entity, after=after, limit=limit + 1)
    return caller.page("audit", found, limit, lambda fact: [fact.position], {"entity": entity})
