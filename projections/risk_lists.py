"""Risk lists: which values are allowed, blocked or reviewed, by whom, why, and until when?"""

from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from ledger.events.event import Recorded
from ledger.events.risk import RiskListed, RiskUnlisted
from ledger.store.connection import in_book
from projections.projection import Page, Projection, Writing

_PUT = """
INSERT INTO {risk_lists} (list, type, value, reason, author, added_at, expires_at, position)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[], %b::timestamptz[],
                     %b::bigint[])
    ON CONFLICT (list, type, value) DO UPDATE
   SET reason = excluded.reason, author = excluded.author, added_at = excluded.added_at,
       expires_at = excluded.expires_at, position = excluded.position
"""
_TAKE_OFF = """
DELETE FROM {risk_lists}
 WHERE (list, type, value) IN (SELECT * FROM unnest(%b::text[], %b::text[], %b::text[]))
"""

# --- writing


class RiskLists(Projection):
    """One row per value and list; `position` is that of the event that put it there last."""

    name = "risk_lists"
    version = 1
    tables = ("risk_lists",)

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        # The last word on each value counts.
        last: dict[tuple[str, str, str], Recorded] = {}
        for recorded in page:
            event = recorded.event
            if isinstance(event, RiskListed | RiskUnlisted):
                last[event.list, event.type, event.value] = recorded
        if not last:
            return
        off = [place for place, recorded in last.items() if isinstance(recorded.event, RiskUnlisted)]
        rows = [_row(recorded) for recorded in last.values() if isinstance(recorded.event, RiskListed)]
        for statement, found in ((_TAKE_OFF, off), (_PUT, rows)):
            if found:
                columns: list[list[Any]] = [list(column) for column in zip(*found, strict=True)]
                cursor.execute(self.statement(statement), columns)


def _row(recorded: Recorded) -> tuple[Any, ...]:
    event = recorded.event
    if not isinstance(event, RiskListed):
        raise AssertionError(f"{event} puts nothing on a list")
    author, at = recorded.metadata.actor, recorded.recorded_at
    return (event.list, event.type, event.value, event.reason, author, at, event.expires_at, recorded.position)


# --- reading

_LIST: LiteralString = """
SELECT position, list, type, value, reason, author, added_at, expires_at
  FROM {schema}.risk_lists
 WHERE position > %(after)s AND (expires_at IS NULL OR expires_at > %(now)s)
"""
_OF_LIST: LiteralString = " AND list = %(list)s"
_OF_TYPE: LiteralString = " AND type = %(type)s"
_IN_ORDER: LiteralString = " ORDER BY position LIMIT %(limit)s"


class ListedValue(msgspec.Struct, frozen=True):
    """A value on a list; `position` is that of the event that put it there."""

    position: int
    list: str
    type: str
    value: str
    reason: str
    author: str
    added_at: datetime
    expires_at: datetime | None


async def listed(
    connection: AsyncConnection[Any],
    book: str,
    now: datetime,
    *,
    of_list: str | None = None,
    kind: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[ListedValue]:
    """What stands on lists and has not expired, in the order in which it was put there."""
    statement = _LIST + (_OF_LIST if of_list else "") + (_OF_TYPE if kind else "") + _IN_ORDER
    wanted = {"after": after, "now": now, "list": of_list, "type": kind, "limit": limit}
    rows = await (await connection.execute(in_book(statement, book), wanted)).fetchall()
    return [ListedValue(*row) for row in rows]
