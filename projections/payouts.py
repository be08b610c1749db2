"""Payouts: where is a payout now, and which payouts does a merchant, a principal or a customer have?

One payout is folded from its stream and is as fresh as the log; lists come from the table.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger import payout_state
from ledger.ids import PAYOUT
from ledger.payout_state import Payout
from ledger.payout_views import PayoutView, payout_view_of
from ledger.store.connection import in_book
from projections import past_streams
from projections.freshness import KnownAt
from projections.projection import LIVE, Page, Projection, Target, Writing

_STATES = "SELECT payout, position, state FROM {payouts} WHERE payout = ANY(%b)"
# Set by value and not by change: a fact that were seen twice would change nothing.
_KEEP = """
INSERT INTO {payouts} AS known (payout, position, source, party, status, state)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::bytea[])
    ON CONFLICT (payout) DO UPDATE SET status = excluded.status, state = excluded.state
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Payout).decode

# --- writing


class Payouts(Projection):
    """One row per payout. `position` is that of its first event, in whose order payouts are listed."""

    name = "payouts"
    version = 1
    tables = ("payouts",)

    MOST_REMEMBERED = 10_000

    def __init__(self, book: str, target: Target = LIVE) -> None:
        super().__init__(book, target)
        # payout -> the position of its first event, and what its events add up to
        self._payouts: dict[str, tuple[int, Payout]] = {}

    def forget(self) -> None:
        self._payouts.clear()

    def project(self, page: Page, cursor: Writing) -> None:
        facts = [recorded for recorded in page if type(recorded.event) in payout_state.EVENTS]
        if not facts:
            return
        if len(self._payouts) > self.MOST_REMEMBERED:
            self.forget()
        streams = {fact.stream for fact in facts}
        self._recall(streams, cursor)
        for fact in facts:
            first, payout = self._payouts.get(fact.stream) or (fact.position, None)
            self._payouts[fact.stream] = first, payout_state.evolve(payout, fact)
        changed = [self._payouts[stream] for stream in sorted(streams)]
        cursor.execute(
            self.statement(_KEEP),
            (
                [payout.created.id for _, payout in changed],
                [first for first, _ in changed],
                [payout.created.source for _, payout in changed],
                [payout.created.party for _, payout in changed],
                [payout.status for _, payout in changed],
                [_encode(payout) for _, payout in changed],
            ),
        )

    def _recall(self, streams: set[str], cursor: Writing) -> None:
        unknown = sorted(streams - self._payouts.keys())
        if unknown:
            rows = cursor.execute(self.statement(_STATES), (unknown,), binary=True).fetchall()
            self._payouts |= {payout: (first, _decode(state)) for payout, first, state in rows}


# --- reading

_LIST: LiteralString = "SELECT position, state FROM {schema}.payouts WHERE position > %(after)s"
# In the order of the list, whatever became of them.
_THERE: LiteralString = (
    "SELECT position, payout FROM {schema}.payouts WHERE position > %(after)s AND position <= %(until)s"
)
_FILTERS: dict[str, LiteralString] = {
    "merchant": " AND source = 'merchant' AND party = %(merchant)s",
    "principal": " AND source = 'principal' AND party = %(principal)s",
    "customer": " AND source = 'customer' AND party = %(customer)s",
    "status": " AND status = %(status)s",
}
_IN_ORDER: LiteralString = " ORDER BY position LIMIT %(limit)s"


_PAID_AT_BANK = "SELECT state FROM {schema}.payouts WHERE status = 'paid' ORDER BY position"
_NAMED = "SELECT state FROM {schema}.payouts WHERE payout = ANY(%s) ORDER BY position"


class ListedPayout(msgspec.Struct, frozen=True):
    """A payout in a list; `place` is what the list goes on after."""

    place: int
    payout: PayoutView


async def payout(
    connection: AsyncConnection[Any],
    book: str,
    name: str,
    *,
    as_of: datetime | None = None,
    known_at: KnownAt = None,
) -> PayoutView | None:
    """The payout as it stands, or as it stood then, as it was known at `known_at`; raises PositionNotReached."""
    if not name.startswith(PAYOUT):
        return None
    history = await past_streams.history(connection, book, name, as_of=as_of, known_at=known_at)
    found = payout_state.fold(history)
    return None if found is None else payout_view_of(found)


async def payouts(
    connection: AsyncConnection[Any], book: str, filters: dict[str, str | None], *, after: int = 0, limit: int = 100
) -> list[ListedPayout]:
    """Payouts with all these marks (merchant, principal, customer, status), in their order, behind a place."""
    asked = [condition for name, condition in _FILTERS.items() if filters.get(name) is not None]
    statement = _LIST + "".join(asked) + _IN_ORDER
    wanted = {**filters, "after": after, "limit": limit}
    cursor = await connection.execute(in_book(statement, book), wanted, binary=True)
    return [ListedPayout(place, payout_view_of(_decode(state))) for place, state in await cursor.fetchall()]


async def payouts_then(
    connection: AsyncConnection[Any],
    book: str,
    until: int,
    *,
    merchant: str | None = None,
    principal: str | None = None,
    customer: str | None = None,
    status: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> tuple[list[ListedPayout], int | None]:
    """Payouts as they stood after the position `until`, in the order of the list, and where it goes on.

    A part of the list is looked through at a time: of a status that was rare, a page may be short, or empty.
    """
    marks = {"merchant": merchant, "principal": principal, "customer": customer}
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
        payout_state.fold,
        lambda standing: status in (None, standing.status),
    )
    return [ListedPayout(place, payout_view_of(standing)) for place, standing in found], following


async def paid_at_bank(connection: AsyncConnection[Any], book: str) -> list[Payout]:
    """Payouts that the bank has shown leaving, and that may come back."""
    cursor = await connection.execute(in_book(_PAID_AT_BANK, book), binary=True)
    found = (_decode(state) for (state,) in await cursor.fetchall())
    return [payout for payout in found if payout.bank_account and not payout.created.prefunded]


async def payouts_of(connection: AsyncConnection[Any], book: str, names: Sequence[str]) -> list[Payout]:
    """Those of these payouts that there are, whatever has become of them."""
    cursor = await connection.execute(in_book(_NAMED, book), (list(names),), binary=True)
    return [_decode(state) for (state,) in await cursor.fetchall()]
