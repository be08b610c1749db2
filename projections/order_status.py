"""Order status: where is my payment now, where was it then, and which payments belong to an order or a merchant?

One payment, refund or top-up is folded from its stream and is as fresh as the log; lists come from the table, and
lists of the past from the streams of those that were there.
"""

from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger import payment_state, top_up_state
from ledger.events.event import Recorded
from ledger.ids import PAYMENT, REFUND, TOP_UP, stream_of
from ledger.payment import CREATED, REQUIRES_ACTION, Payment
from ledger.payment_views import PaymentView, RefundView, TopUpView, payment_view_of, refund_view_of, top_up_view_of
from ledger.store.connection import in_book
from projections import past_streams
from projections.freshness import KnownAt
from projections.projection import LIVE, Page, Projection, Target, Writing

_STATES = "SELECT payment, position, state FROM {order_status} WHERE payment = ANY(%b)"
# Set by value and not by change: a fact that were seen twice would change nothing.
_KEEP = """
INSERT INTO {order_status} AS known (payment, position, merchant, order_reference, status, state, expires_at)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::timestamptz[])
    ON CONFLICT (payment)
    DO UPDATE SET status = excluded.status, state = excluded.state, expires_at = excluded.expires_at
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Payment).decode

# --- writing


class OrderStatus(Projection):
    """One row per payment. `position` is that of its first event, in whose order payments are listed."""

    name = "order_status"
    version = 1
    tables = ("order_status",)

    MOST_PAYMENTS_REMEMBERED = 10_000

    def __init__(self, book: str, target: Target = LIVE) -> None:
        super().__init__(book, target)
        # payment -> the position of its first event, and what its events add up to
        self._payments: dict[str, tuple[int, Payment]] = {}

    def forget(self) -> None:
        self._payments.clear()

    def project(self, page: Page, cursor: Writing) -> None:
        # What was settled of other things is told by the same events, in their streams.
        facts = [fact for fact in page if type(fact.event) in payment_state.EVENTS and fact.stream.startswith(PAYMENT)]
        if not facts:
            return
        if len(self._payments) > self.MOST_PAYMENTS_REMEMBERED:
            self.forget()
        streams = {fact.stream for fact in facts}
        self._recall(streams, cursor)
        for fact in facts:
            first, payment = self._payments.get(fact.stream) or (fact.position, None)
            self._payments[fact.stream] = first, payment_state.evolve(payment, fact)
        changed = [self._payments[stream] for stream in sorted(streams)]
        cursor.execute(
            self.statement(_KEEP),
            (
                [payment.created.id for _, payment in changed],
                [first for first, _ in changed],
                [payment.created.merchant for _, payment in changed],
                [payment.created.order_reference for _, payment in changed],
                [payment.status for _, payment in changed],
                [_encode(payment) for _, payment in changed],
                [_expiry_of(payment) for _, payment in changed],
            ),
        )

    def _recall(self, streams: set[str], cursor: Writing) -> None:
        unknown = sorted(streams - self._payments.keys())
        if unknown:
            rows = cursor.execute(self.statement(_STATES), (unknown,), binary=True).fetchall()
            self._payments |= {payment: (first, _decode(state)) for payment, first, state in rows}


def _expiry_of(payment: Payment) -> datetime | None:
    """When its time is over: nobody has paid it, or what is held for it was not taken.

    What a channel was asked for, and what became of it is not known, has no such time.
    """
    if payment.status in (CREATED, REQUIRES_ACTION):
        return payment.expires_at
    held = payment.authorization
    return None if held is None or held.is_over or not held.open else held.capture_before


# --- reading

_LIST: LiteralString = """
SELECT position, state
  FROM {schema}.order_status
 WHERE position > %(after)s
"""
_FILTERS: dict[str, LiteralString] = {
    "order_reference": " AND order_reference = %(order_reference)s",
    "merchant": " AND merchant = %(merchant)s",
    "status": " AND status = %(status)s",
}
_IN_ORDER: LiteralString = " ORDER BY position LIMIT %(limit)s"


# In the order of the list, whatever became of them.
_THERE: LiteralString = """
SELECT position, payment
  FROM {schema}.order_status
 WHERE position > %(after)s AND position <= %(until)s
"""

_DUE = """
SELECT payment FROM {schema}.order_status WHERE expires_at <= %s ORDER BY expires_at, payment LIMIT %s
"""


class ListedPayment(msgspec.Struct, frozen=True):
    """A payment in a list; `place` is what the list goes on after."""

    place: int
    payment: PaymentView


async def payment(
    connection: AsyncConnection[Any],
    book: str,
    name: str,
    *,
    as_of: datetime | int | None = None,
    known_at: KnownAt = None,
) -> PaymentView | None:
    """The payment as it stands, or as it stood at a time or after a position of the log, as it was known at `known_at`.

    None where it was not there yet. Raises PositionNotReached for a `known_at` that the log does not have.
    """
    found = payment_state.fold(await _history(connection, book, name, PAYMENT, as_of, known_at))
    return None if found is None else payment_view_of(found)


async def refund(
    connection: AsyncConnection[Any],
    book: str,
    name: str,
    *,
    as_of: datetime | None = None,
    known_at: KnownAt = None,
) -> RefundView | None:
    """The refund as it stands, or as it stood then, as it was known at `known_at`; raises PositionNotReached."""
    stream = stream_of(name) if name.startswith(REFUND) else ""
    found = payment_state.fold(await _history(connection, book, stream, PAYMENT, as_of, known_at))
    begun = None if found is None else found.refund(name)
    return None if found is None or begun is None else refund_view_of(found, begun)


async def top_up(
    connection: AsyncConnection[Any],
    book: str,
    name: str,
    *,
    as_of: datetime | None = None,
    known_at: KnownAt = None,
) -> TopUpView | None:
    """The top-up as it stands, or as it stood then, as it was known at `known_at`; raises PositionNotReached."""
    found = top_up_state.fold(await _history(connection, book, name, TOP_UP, as_of, known_at))
    return None if found is None else top_up_view_of(found)


async def payments(
    connection: AsyncConnection[Any],
    book: str,
    *,
    order_reference: str | None = None,
    status: str | None = None,
    merchant: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[ListedPayment]:
    """Payments with all these marks, in the order in which they were created, behind a place of the list."""
    filters = {"order_reference": order_reference, "status": status, "merchant": merchant}
    # Only what is asked for: a condition that may be empty would keep PostgreSQL from its indexes.
    asked = [condition for name, condition in _FILTERS.items() if filters[name] is not None]
    statement = _LIST + "".join(asked) + _IN_ORDER
    wanted = {**filters, "after": after, "limit": limit}
    cursor = await connection.execute(in_book(statement, book), wanted, binary=True)
    return [ListedPayment(place, payment_view_of(_decode(state))) for place, state in await cursor.fetchall()]


async def payments_then(
    connection: AsyncConnection[Any],
    book: str,
    until: int,
    *,
    order_reference: str | None = None,
    status: str | None = None,
    merchant: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> tuple[list[ListedPayment], int | None]:
    """Payments as they stood after the position `until`, in the order of the list, and where it goes on.

    A part of the list is looked through at a time: of a status that was rare, a page may be short, or empty.
    """
    marks = {"order_reference": order_reference, "merchant": merchant}
    asked = [_FILTERS[name] for name, mark in marks.items() if mark is not None]
    most = limit if status is None else past_streams.MOST_LOOKED_AT
    wanted = {**marks, "after": after, "until": until, "limit": most + 1}
    cursor = await connection.execute(in_book(_THERE + "".join(asked) + _IN_ORDER, book), wanted, binary=True)
    found, following = await past_streams.standing_then(
        connection,
        book,
        await cursor.fetchall(),
        until,
        limit,
        most,
        payment_state.fold,
        lambda standing: status in (None, standing.status),
    )
    return [ListedPayment(place, payment_view_of(standing)) for place, standing in found], following


async def due_payments(connection: AsyncConnection[Any], book: str, now: datetime, limit: int) -> list[str]:
    """Payments that wait for somebody whose time has run out, the longest overdue first."""
    cursor = await connection.execute(in_book(_DUE, book), (now, limit))
    return [name for (name,) in await cursor.fetchall()]


async def _history(
    connection: AsyncConnection[Any],
    book: str,
    name: str,
    prefix: str,
    as_of: datetime | int | None,
    known_at: KnownAt,
) -> list[Recorded]:
    if not name.startswith(prefix):
        return []
    return await past_streams.history(connection, book, name, as_of=as_of, known_at=known_at)
