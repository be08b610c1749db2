"""Approvals: what waits for a second person, who asked for it, and what became of it?

One approval is folded from its stream and is as fresh as the log; lists come from the table.
"""

from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.approval_state import EXPIRED, PENDING, Approval, evolve, fold
from ledger.events.approvals import POLICY_STREAM, ApprovalEvent, ApprovalPolicyChanged
from ledger.events.event import Recorded
from ledger.ids import APPROVAL
from ledger.store import read
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

_STATES = "SELECT state FROM {approvals} WHERE approval = ANY(%b)"
_KEEP = """
INSERT INTO {approvals} AS known (approval, position, kind, status, period, expires_at, state)
VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (approval) DO UPDATE SET status = excluded.status, state = excluded.state
"""
_encode = msgspec.json.Encoder().encode
_approval_in = msgspec.json.Decoder(Approval).decode

# --- writing


class Approvals(Projection):
    """One row per approval; `position` is that of its request, in whose order they are listed."""

    name = "approvals"
    version = 1
    tables = ("approvals",)

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        facts = [fact for fact in page if isinstance(fact.event, ApprovalEvent) and fact.stream != POLICY_STREAM]
        if not facts:
            return
        streams = sorted({fact.stream for fact in facts})
        rows = cursor.execute(self.statement(_STATES), (streams,), binary=True).fetchall()
        known = {one.requested.id: one for one in (_approval_in(bytes(row[0])) for row in rows)}
        for fact in facts:
            known[fact.stream] = evolve(known.get(fact.stream), fact)
        for name in streams:
            cursor.execute(self.statement(_KEEP), _row(known[name]))


def _row(approval: Approval) -> tuple[Any, ...]:
    asked = approval.requested
    return (
        asked.id,
        approval.position,
        asked.kind,
        approval.status,
        asked.period,
        asked.expires_at,
        _encode(approval),
    )


# --- reading

_LIST: LiteralString = "SELECT position, state FROM {schema}.approvals WHERE position > %(after)s"
_OF_STATUS: LiteralString = " AND status = %(stored)s"
_IN_TIME: LiteralString = " AND expires_at > now()"
_TOO_LATE: LiteralString = " AND expires_at <= now()"
_IN_ORDER: LiteralString = " ORDER BY position LIMIT %(limit)s"


class ApprovalView(msgspec.Struct, frozen=True):
    """What waits for a second person, or did. `maker` and `checker` are persons, or keys whose person is not known.

    `command` is the JSON that would be carried out, exactly; `digest` the SHA-256 of `kind`, a newline and that.
    """

    position: int
    id: str
    status: str
    kind: str
    command: str
    digest: str
    maker: str
    maker_key: str
    requested_at: datetime
    expires_at: datetime
    checker: str | None
    checker_key: str | None
    decided_at: datetime | None
    reason: str | None


async def approvals(
    connection: AsyncConnection[Any],
    book: str,
    *,
    now: datetime,
    status: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[ApprovalView]:
    """Approvals in the order in which they were asked for, behind a position."""
    statement = _LIST + ("" if status is None else _OF_STATUS)
    if status in (PENDING, EXPIRED):
        statement += _IN_TIME if status == PENDING else _TOO_LATE
    stored = PENDING if status == EXPIRED else status
    wanted = {"after": after, "stored": stored, "limit": limit}
    rows = await (await connection.execute(in_book(statement + _IN_ORDER, book), wanted)).fetchall()
    return [_view(position, _approval_in(bytes(state)), now) for position, state in rows]


async def approval(connection: AsyncConnection[Any], book: str, name: str, now: datetime) -> ApprovalView | None:
    """The approval as it stands, straight from the log; None if there is none."""
    history = await read.stream(connection, book, name) if name.startswith(APPROVAL) else []
    found = fold(history)
    return None if found is None else _view(found.position, found, now)


async def policy(connection: AsyncConnection[Any], book: str) -> tuple[ApprovalPolicyChanged | None, int]:
    """What a second person has to agree to, and where that was said."""
    last: Recorded | None = (await read.latest(connection, book, [POLICY_STREAM])).get(POLICY_STREAM)
    if last is None or not isinstance(last.event, ApprovalPolicyChanged):
        return None, 0
    return last.event, last.position


def _view(position: int, found: Approval, now: datetime) -> ApprovalView:
    asked = found.requested
    return ApprovalView(
        position=position,
        id=asked.id,
        status=found.status_at(now),
        kind=asked.kind,
        command=asked.command,
        digest=asked.digest,
        maker=asked.maker,
        maker_key=found.maker_key,
        requested_at=found.requested_at,
        expires_at=asked.expires_at,
        checker=found.checker,
        checker_key=found.checker_key,
        decided_at=found.decided_at,
        reason=found.reason,
    )
