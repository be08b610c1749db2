"""Holds: what is set aside, for how long, what became of it, and how much was pending on an account at any position?"""

from datetime import datetime
from typing import Any, get_args

import msgspec
from psycopg import AsyncConnection

from ledger.events.event import Event, Recorded
from ledger.events.holds import HoldCaptured, HoldEvent, HoldExpired, HoldPlaced, HoldReleased
from ledger.ids import HOLD
from ledger.posting_rules import movements_for
from ledger.store import read
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

_EVENTS = frozenset(get_args(HoldEvent))

_LAST_PENDING = """
SELECT wanted.account, last.pending_debits, last.pending_credits
  FROM unnest(%b::text[]) AS wanted (account)
 CROSS JOIN LATERAL (
       SELECT pending_debits, pending_credits FROM {pending_turnover} AS p
        WHERE p.account = wanted.account ORDER BY position DESC LIMIT 1) AS last
"""
_COPY_PENDING = "COPY {pending_turnover} (account, position, pending_debits, pending_credits) FROM STDIN"
_FORGET_EXPIRIES = "DELETE FROM {hold_expiries} WHERE hold = ANY(%b)"
_INSERT_EXPIRIES = "INSERT INTO {hold_expiries} (hold, expires_at) SELECT * FROM unnest(%b::text[], %b::timestamptz[])"

# --- writing


class Holds(Projection):
    """What is pending on each account after each event of a hold, and which holds will expire."""

    name = "holds"
    version = 1
    tables = ("pending_turnover", "hold_expiries")
    growing = ("pending_turnover",)

    def project(self, page: Page, cursor: Writing) -> None:
        found = [recorded for recorded in page if type(recorded.event) in _EVENTS]
        if found:
            self._write_pending(found, cursor)
            self._write_expiries(found, cursor)

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def _write_pending(self, page: Page, cursor: Writing) -> None:
        changes = [(recorded.position, movements_for(recorded.event)) for recorded in page]
        accounts = sorted({movement.account for _, movements in changes for movement in movements})
        rows = cursor.execute(self.statement(_LAST_PENDING), (accounts,), binary=True).fetchall()
        pending = {account: [debits, credits_] for account, debits, credits_ in rows}
        with cursor.copy(self.statement(_COPY_PENDING)) as sink:
            for position, movements in changes:
                for movement in movements:
                    sides = pending.setdefault(movement.account, [0, 0])
                    sides[0] += movement.pending_debit
                    sides[1] += movement.pending_credit
                    sink.write_row((movement.account, position, *sides))

    def _write_expiries(self, page: Page, cursor: Writing) -> None:
        placed: dict[str, datetime] = {}
        over: list[str] = []
        for recorded in page:
            event = recorded.event
            if isinstance(event, HoldPlaced):
                if event.expires_at is not None:
                    placed[recorded.stream] = event.expires_at
            elif (not isinstance(event, HoldCaptured) or event.final) and placed.pop(recorded.stream, None) is None:
                over.append(recorded.stream)
        if over:
            cursor.execute(self.statement(_FORGET_EXPIRIES), (over,))
        if placed:
            cursor.execute(self.statement(_INSERT_EXPIRIES), (list(placed), list(placed.values())))


# --- reading

_PENDING = """
SELECT pending_debits, pending_credits
  FROM {schema}.pending_turnover
 WHERE account = %s AND position <= %s
 ORDER BY position DESC LIMIT 1
"""
_POSITIONS = """
SELECT position FROM {schema}.pending_turnover WHERE account = %s AND position > %s ORDER BY position LIMIT %s
"""
_DUE = "SELECT hold, expires_at FROM {schema}.hold_expiries WHERE expires_at <= %s ORDER BY expires_at, hold LIMIT %s"


class Hold(msgspec.Struct, frozen=True):
    """A hold as its stream tells it. Amounts in minor units; `entries` are those that captures posted."""

    id: str
    status: str
    amount: int
    captured: int
    remaining: int
    currency: str
    debit_account: str
    credit_account: str
    expires_at: datetime | None
    placed_at: datetime
    reference: str | None
    description: str | None
    metadata: dict[str, str]
    reason: str | None
    entries: tuple[str, ...]
    position: int


class DueHold(msgspec.Struct, frozen=True):
    """A hold whose time has run out."""

    id: str
    expires_at: datetime


async def hold(connection: AsyncConnection[Any], book: str, name: str) -> Hold | None:
    """The hold as it stands now, straight from the log."""
    history = await read.stream(connection, book, name) if name.startswith(HOLD) else []
    return _folded(history) if history and isinstance(history[0].event, HoldPlaced) else None


def _folded(history: list[Recorded]) -> Hold:
    status, captured, gone, reason = "active", 0, 0, None
    entries: list[str] = []
    for recorded in history:
        event: Event = recorded.event
        match event:
            case HoldCaptured():
                captured += event.amount
                gone += event.amount + event.released
                entries.append(recorded.entry_id)
                status = "captured" if event.final else status
            case HoldReleased():
                gone, status, reason = gone + event.amount, "released", event.reason
            case HoldExpired():
                gone, status = gone + event.amount, "expired"
    first = history[0]
    placed = first.event
    if not isinstance(placed, HoldPlaced):
        raise AssertionError(f"a hold begins with its placing, not with {placed}")
    return Hold(
        id=first.stream,
        status=status,
        amount=placed.amount,
        captured=captured,
        remaining=placed.amount - gone,
        currency=placed.currency,
        debit_account=placed.debit_account,
        credit_account=placed.credit_account,
        expires_at=placed.expires_at,
        placed_at=first.recorded_at,
        reference=placed.reference,
        description=placed.description,
        metadata=placed.metadata,
        reason=reason,
        entries=tuple(entries),
        position=history[-1].position,
    )


async def due(connection: AsyncConnection[Any], book: str, now: datetime, limit: int) -> list[DueHold]:
    """Active holds whose time has run out, the longest overdue first."""
    cursor = await connection.execute(in_book(_DUE, book), (now, limit))
    return [DueHold(*row) for row in await cursor.fetchall()]


async def pending_at(connection: AsyncConnection[Any], book: str, account: str, position: int) -> tuple[int, int]:
    """Pending debits and credits of an account after the events up to a position, in minor units."""
    cursor = await connection.execute(in_book(_PENDING, book), (account, position))
    return await cursor.fetchone() or (0, 0)


async def positions_of(
    connection: AsyncConnection[Any], book: str, account: str, *, after: int, limit: int
) -> list[int]:
    """Positions of the events that changed what is pending on the account."""
    cursor = await connection.execute(in_book(_POSITIONS, book), (account, after, limit))
    return [position for (position,) in await cursor.fetchall()]
