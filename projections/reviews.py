"""Reviews: which payments wait for a person, until when, and who decided what?"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from ledger.events.event import Recorded
from ledger.events.payments import PaymentCreated
from ledger.events.reviews import (
    PaymentReviewApproved,
    PaymentReviewOpened,
    PaymentReviewRejected,
    PaymentReviewWithdrawn,
)
from ledger.payment import APPROVED, OPEN, REJECTED, WITHDRAWN
from ledger.store import codec
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

_BY_DEADLINE = "deadline"

_ORDERS = """
SELECT originator_id, topic, state FROM {schema}.events WHERE originator_id = ANY(%b) AND originator_version = 1
"""
_OPEN = """
INSERT INTO {reviews} (review, position, payment, status, reasons, merchant, amount, currency, after_authorization,
                       opened_at, deadline, on_deadline, decided_by, note)
VALUES (%s, %s, %s, 'open', %s, %s, %s, %s, %s, %s, %s, %s, '', '')
"""
_DECIDE = "UPDATE {reviews} SET status = %s, decided_at = %s, decided_by = %s, note = %s WHERE review = %s"

# --- writing


class Reviews(Projection):
    """One row per review."""

    name = "reviews"
    version = 1
    tables = ("reviews",)

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        opened = [recorded for recorded in page if isinstance(recorded.event, PaymentReviewOpened)]
        orders = self._orders([recorded.stream for recorded in opened], cursor)
        for recorded in page:
            event = recorded.event
            match event:
                case PaymentReviewOpened():
                    cursor.execute(self.statement(_OPEN), _row(recorded, event, orders[recorded.stream]))
                case PaymentReviewApproved() | PaymentReviewRejected():
                    status = APPROVED if isinstance(event, PaymentReviewApproved) else REJECTED
                    by = _BY_DEADLINE if event.by_deadline else recorded.metadata.who
                    decided = (status, recorded.recorded_at, by, event.note, event.id)
                    cursor.execute(self.statement(_DECIDE), decided)
                case PaymentReviewWithdrawn():
                    over = (WITHDRAWN, recorded.recorded_at, recorded.metadata.who, event.reason, event.id)
                    cursor.execute(self.statement(_DECIDE), over)

    def _orders(self, payments: list[str], cursor: Writing) -> dict[str, PaymentCreated]:
        """How these payments began, from the log: a review seldom is in the page of its payment alone."""
        if not payments:
            return {}
        rows = cursor.execute(self.statement(_ORDERS), (payments,), binary=True).fetchall()
        found: dict[str, PaymentCreated] = {}
        for payment, topic, state in rows:
            created = codec.decode(topic, bytes(state))
            if isinstance(created, PaymentCreated):
                found[payment] = created
        return found


def _row(recorded: Recorded, event: PaymentReviewOpened, created: PaymentCreated) -> tuple[Any, ...]:
    return (
        event.id,
        recorded.position,
        recorded.stream,
        msgspec.json.encode(event.reasons),
        created.merchant,
        created.amount,
        created.currency,
        event.after_authorization,
        recorded.recorded_at,
        event.deadline,
        event.on_deadline,
    )


# --- reading

_SELECT: LiteralString = """
SELECT position, review, payment, status, reasons, merchant, amount, currency, after_authorization,
       opened_at, deadline, on_deadline, decided_at, decided_by, note
  FROM {schema}.reviews
"""
_LIST: LiteralString = _SELECT + " WHERE position > %(after)s"
_ONE: LiteralString = _SELECT + " WHERE review = %s"
_OF_STATUS: LiteralString = " AND status = %(status)s"
_IN_ORDER: LiteralString = " ORDER BY position LIMIT %(limit)s"
_DUE_REVIEWS = "SELECT review FROM {schema}.reviews WHERE status = 'open' AND deadline <= %s ORDER BY deadline LIMIT %s"
STATUSES = (OPEN, APPROVED, REJECTED, WITHDRAWN)
_reasons_in = msgspec.json.Decoder(tuple[str, ...]).decode


class ReviewView(msgspec.Struct, frozen=True):
    """A payment that waits, or waited, for a person. `decided_by` is a key's id, or `deadline`."""

    position: int
    id: str
    payment: str
    status: str
    reasons: tuple[str, ...]
    merchant: str
    amount: int
    currency: str
    after_authorization: bool
    opened_at: datetime
    deadline: datetime
    on_deadline: str
    decided_at: datetime | None
    decided_by: str
    note: str


async def reviews(
    connection: AsyncConnection[Any], book: str, *, status: str | None = None, after: int = 0, limit: int = 100
) -> list[ReviewView]:
    """Reviews in the order in which they were opened, behind a position."""
    statement = _LIST + (_OF_STATUS if status else "") + _IN_ORDER
    wanted = {"after": after, "status": status, "limit": limit}
    rows = await (await connection.execute(in_book(statement, book), wanted)).fetchall()
    return [_view(row) for row in rows]


async def review(connection: AsyncConnection[Any], book: str, name: str) -> ReviewView | None:
    """The review of this id, or None."""
    row = await (await connection.execute(in_book(_ONE, book), (name,))).fetchone()
    return None if row is None else _view(row)


def _view(row: TupleRow) -> ReviewView:
    position, review, payment, status, reasons, *rest = row
    return ReviewView(position, review, payment, status, _reasons_in(bytes(reasons)), *rest)


async def due_reviews(connection: AsyncConnection[Any], book: str, now: datetime, limit: int) -> Sequence[str]:
    """Open reviews whose deadline has passed."""
    rows = await (await connection.execute(in_book(_DUE_REVIEWS, book), (now, limit))).fetchall()
    return [review for (review,) in rows]
