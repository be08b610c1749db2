"""Disputes: which disputes does a merchant have, and how does each of them stand?

One dispute is folded from its payment's stream and is as fresh as the log; lists come from the table.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger import payment_state
from ledger.dispute_views import DisputeView, dispute_view_of
from ledger.events.disputes import DisputeMoved
from ledger.events.event import Metadata, Recorded
from ledger.evolving.disputes import EVOLVERS
from ledger.ids import DISPUTE, stream_of
from ledger.store import codec, read
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

# Disputes are few: their payments are read from the log again each time, as far as this page of it goes.
_HISTORIES = """
SELECT originator_id, originator_version, notification_id, recorded_at, topic, state
  FROM {schema}.events
 WHERE originator_id = ANY(%b) AND notification_id <= %b
 ORDER BY originator_id, originator_version
"""
_KEEP = """
INSERT INTO {disputes} (dispute, position, merchant, status, view)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::text[], %b::bytea[])
    ON CONFLICT (dispute) DO UPDATE SET status = excluded.status, view = excluded.view
"""
_NOBODY = Metadata("")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(DisputeView).decode

# --- writing


class Disputes(Projection):
    """One row per dispute. `position` is that of the first word on it, in whose order disputes are listed."""

    name = "disputes"
    version = 1
    tables = ("disputes",)

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        streams = sorted({recorded.stream for recorded in page if type(recorded.event) in EVOLVERS})
        if not streams:
            return
        rows: list[tuple[int, DisputeView]] = []
        for history in self._histories(streams, page[-1].position, cursor):
            payment = payment_state.fold(history)
            if payment is not None:
                rows += [(_begun_at(history, one.id), dispute_view_of(payment, one)) for one in payment.disputes]
        columns = (
            [view.id for _, view in rows],
            [begun for begun, _ in rows],
            [view.merchant for _, view in rows],
            [view.status for _, view in rows],
            [_encode(view) for _, view in rows],
        )
        cursor.execute(self.statement(_KEEP), columns)

    def _histories(self, streams: list[str], until: int, cursor: Writing) -> Sequence[list[Recorded]]:
        found: dict[str, list[Recorded]] = {}
        rows = cursor.execute(self.statement(_HISTORIES), (streams, until), binary=True).fetchall()
        for stream, version, position, recorded_at, topic, state in rows:
            event = codec.decode(topic, bytes(state))
            found.setdefault(stream, []).append(Recorded(stream, version, position, recorded_at, event, _NOBODY))
        return list(found.values())


def _begun_at(history: list[Recorded], dispute: str) -> int:
    """The position of the first word on it."""
    return next(one.position for one in history if isinstance(one.event, DisputeMoved) and one.event.id == dispute)


# --- reading

_LIST: LiteralString = "SELECT position, view FROM {schema}.disputes WHERE position > %(after)s"
_FILTERS: dict[str, LiteralString] = {
    "merchant": " AND merchant = %(merchant)s",
    "status": " AND status = %(status)s",
}
_IN_ORDER: LiteralString = " ORDER BY position LIMIT %(limit)s"


class ListedDispute(msgspec.Struct, frozen=True):
    """A dispute in a list; `place` is what the list goes on after."""

    place: int
    dispute: DisputeView


async def dispute(connection: AsyncConnection[Any], book: str, name: str) -> DisputeView | None:
    """The dispute as it stands."""
    stream = stream_of(name) if name.startswith(DISPUTE) else ""
    payment = payment_state.fold(await read.stream(connection, book, stream)) if stream else None
    found = None if payment is None else payment.dispute(name)
    return None if payment is None or found is None else dispute_view_of(payment, found)


async def disputes(
    connection: AsyncConnection[Any], book: str, filters: dict[str, str | None], *, after: int = 0, limit: int = 100
) -> list[ListedDispute]:
    """Disputes with all these marks (merchant, status), in the order in which they began, behind a place."""
    asked = [condition for name, condition in _FILTERS.items() if filters.get(name) is not None]
    statement = _LIST + "".join(asked) + _IN_ORDER
    wanted = {**filters, "after": after, "limit": limit}
    cursor = await connection.execute(in_book(statement, book), wanted, binary=True)
    return [ListedDispute(place, _decode(view)) for place, view in await cursor.fetchall()]
