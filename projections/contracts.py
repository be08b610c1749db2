"""Contracts: which contracts has a customer or a merchant, which cards has a customer bound, and what falls due?

One contract is folded from its stream and is as fresh as the log; lists come from the table.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger import contract_state
from ledger.contract_state import Contract
from ledger.contract_views import ContractView, PaymentMethodView, contract_view_of, payment_method_view_of
from ledger.events.event import Recorded
from ledger.events.payments import (
    PaymentAttemptInitiated,
    PaymentCanceled,
    PaymentCreated,
    PaymentExpired,
    PaymentFailed,
    PaymentPostponed,
    PaymentRejected,
)
from ledger.ids import CONTRACT, PAYMENT_METHOD
from ledger.store.connection import in_book
from projections import past_streams
from projections.freshness import KnownAt
from projections.projection import Page, Projection, Writing

_STATES = "SELECT contract, position, state FROM {contracts} WHERE contract = ANY(%b)"
# Set by value and not by change: a fact that were seen twice would change nothing.
_KEEP = """
INSERT INTO {contracts} AS known (contract, position, customer, merchant, status, state)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::bytea[])
    ON CONFLICT (contract) DO UPDATE SET status = excluded.status, state = excluded.state
"""
_FORGET_DUES = "DELETE FROM {contract_dues} WHERE subject = ANY(%b)"
_KEEP_DUES = """
INSERT INTO {contract_dues} AS known (subject, due_at) SELECT * FROM unnest(%b::text[], %b::timestamptz[])
    ON CONFLICT (subject) DO UPDATE SET due_at = excluded.due_at
"""
# A scheduled payment waits until one of these.
_BEGUN = (PaymentAttemptInitiated, PaymentCanceled, PaymentExpired, PaymentFailed, PaymentRejected)

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Contract).decode

# --- writing


class Contracts(Projection):
    """One row per contract, in the order in which they were drafted, and what falls due because of them."""

    name = "contracts"
    version = 1
    tables = ("contracts", "contract_dues")

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        dues = _scheduled(page)
        facts = [recorded for recorded in page if type(recorded.event) in contract_state.EVENTS]
        if facts:
            changed = self._changed(facts, cursor)
            dues |= {contract.drafted.id: contract.due_at for _, contract in changed}
            self._write(changed, cursor)
        over = [subject for subject, due_at in dues.items() if due_at is None]
        if over:
            cursor.execute(self.statement(_FORGET_DUES), (over,))
        waiting = {subject: due_at for subject, due_at in dues.items() if due_at is not None}
        if waiting:
            cursor.execute(self.statement(_KEEP_DUES), (list(waiting), list(waiting.values())))

    def _changed(self, facts: Sequence[Recorded], cursor: Writing) -> list[tuple[int, Contract]]:
        streams = sorted({fact.stream for fact in facts})
        rows = cursor.execute(self.statement(_STATES), (streams,), binary=True).fetchall()
        known: dict[str, tuple[int, Contract]] = {name: (first, _decode(state)) for name, first, state in rows}
        for fact in facts:
            first, contract = known.get(fact.stream) or (fact.position, None)
            known[fact.stream] = first, contract_state.evolve(contract, fact)
        return [known[stream] for stream in streams]

    def _write(self, changed: Sequence[tuple[int, Contract]], cursor: Writing) -> None:
        cursor.execute(
            self.statement(_KEEP),
            (
                [contract.drafted.id for _, contract in changed],
                [first for first, _ in changed],
                [contract.drafted.customer for _, contract in changed],
                [contract.drafted.merchant for _, contract in changed],
                [contract.status for _, contract in changed],
                [_encode(contract) for _, contract in changed],
            ),
        )


def _scheduled(page: Page) -> dict[str, datetime | None]:
    """payment -> when it is to be sent, at the latest, or None where it has begun or will not."""
    dues: dict[str, datetime | None] = {}
    for recorded in page:
        match recorded.event:
            case PaymentCreated(scheduled_at=datetime() as scheduled_at):
                dues[recorded.stream] = scheduled_at
            case PaymentPostponed(until=until):
                dues[recorded.stream] = until
            case event if isinstance(event, _BEGUN):
                dues[recorded.stream] = None
    return dues


# --- reading

_LIST: LiteralString = """
SELECT position, state
  FROM {schema}.contracts
 WHERE position > %(after)s
"""
# In the order of the list, whatever became of them.
_THERE: LiteralString = """
SELECT position, contract
  FROM {schema}.contracts
 WHERE merchant IS NOT NULL AND position > %(after)s AND position <= %(until)s
"""
_FILTERS: dict[str, LiteralString] = {
    "customer": " AND customer = %(customer)s",
    "merchant": " AND merchant = %(merchant)s",
    "status": " AND status = %(status)s",
}
_IN_ORDER: LiteralString = " ORDER BY position LIMIT %(limit)s"
_DUE = "SELECT subject FROM {schema}.contract_dues WHERE due_at <= %s ORDER BY due_at, subject LIMIT %s"


class ListedContract(msgspec.Struct, frozen=True):
    """A contract in a list; `place` is what the list goes on after."""

    place: int
    contract: ContractView


class ListedPaymentMethod(msgspec.Struct, frozen=True):
    """A bound card in a list; `place` is what the list goes on after."""

    place: int
    payment_method: PaymentMethodView


async def contract(
    connection: AsyncConnection[Any],
    book: str,
    name: str,
    *,
    as_of: datetime | int | None = None,
    known_at: KnownAt = None,
) -> ContractView | None:
    """The contract as it stands, or as it stood at a time or after a position, as it was known at `known_at`.

    None where it was not there yet. Raises PositionNotReached for a `known_at` that the log does not have.
    """
    found = await _folded(connection, book, name, CONTRACT, as_of, known_at)
    return None if found is None else contract_view_of(found)


async def payment_method(
    connection: AsyncConnection[Any],
    book: str,
    name: str,
    *,
    as_of: datetime | int | None = None,
    known_at: KnownAt = None,
) -> PaymentMethodView | None:
    """The bound card as it stands, or as it stood then, as it was known at `known_at`; raises PositionNotReached."""
    found = await _folded(connection, book, name, PAYMENT_METHOD, as_of, known_at)
    return None if found is None else payment_method_view_of(found)


async def contracts(
    connection: AsyncConnection[Any],
    book: str,
    *,
    customer: str | None = None,
    merchant: str | None = None,
    status: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[ListedContract]:
    """Contracts with all these marks, in the order in which they were drafted, behind a place of the list."""
    filters = {"customer": customer, "merchant": merchant, "status": status}
    # Only what is asked for: a condition that may be empty would keep PostgreSQL from its indexes.
    asked = [condition for name, condition in _FILTERS.items() if filters[name] is not None]
    statement = _LIST + " AND merchant IS NOT NULL" + "".join(asked) + _IN_ORDER
    wanted = {**filters, "after": after, "limit": limit}
    cursor = await connection.execute(in_book(statement, book), wanted, binary=True)
    return [ListedContract(place, contract_view_of(_decode(state))) for place, state in await cursor.fetchall()]


async def contracts_then(
    connection: AsyncConnection[Any],
    book: str,
    until: int,
    *,
    customer: str | None = None,
    merchant: str | None = None,
    status: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> tuple[list[ListedContract], int | None]:
    """Contracts as they stood after the position `until`, in the order of the list, and where it goes on.

    A part of the list is looked through at a time: of a status that was rare, a page may be short, or empty.
    """
    marks = {"customer": customer, "merchant": merchant}
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
        contract_state.fold,
        lambda standing: status in (None, standing.status),
    )
    return [ListedContract(place, contract_view_of(standing)) for place, standing in found], following


async def payment_methods(
    connection: AsyncConnection[Any],
    book: str,
    *,
    customer: str,
    status: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[ListedPaymentMethod]:
    """Cards that the customer has bound, or has begun to, oldest first, behind a place of the list."""
    only = "" if status is None else _FILTERS["status"]
    statement = _LIST + " AND merchant IS NULL" + _FILTERS["customer"] + only + _IN_ORDER
    wanted = {"customer": customer, "status": status, "after": after, "limit": limit}
    cursor = await connection.execute(in_book(statement, book), wanted, binary=True)
    return [
        ListedPaymentMethod(place, payment_method_view_of(_decode(state))) for place, state in await cursor.fetchall()
    ]


async def due_subjects(connection: AsyncConnection[Any], book: str, now: datetime, limit: int) -> list[str]:
    """Contracts whose time has run out and payments whose time has come, the longest overdue first."""
    cursor = await connection.execute(in_book(_DUE, book), (now, limit))
    return [subject for (subject,) in await cursor.fetchall()]


async def _folded(
    connection: AsyncConnection[Any],
    book: str,
    name: str,
    prefix: str,
    as_of: datetime | int | None,
    known_at: KnownAt,
) -> Contract | None:
    if not name.startswith(prefix):
        return None
    return contract_state.fold(await past_streams.history(connection, book, name, as_of=as_of, known_at=known_at))
