"""Events feed: what happened after this position, for those who follow the book from outside?"""

from typing import Any

import msgspec
from psycopg import AsyncConnection

from ledger.store import read
from projections.audit_trail import Fact, fact_of


class FeedPage(msgspec.Struct, frozen=True):
    """Events in order. `until` is how far the log was looked through: the place to go on after, also when none fits."""

    facts: list[Fact]
    until: int


async def feed(
    connection: AsyncConnection[Any], book: str, *, after: int = 0, limit: int = 100, topic: str | None = None
) -> FeedPage:
    """At most `limit` events behind a position, of one topic if it is named.

    A topic is looked for in a bounded part of the log at a time: a page may be empty and the log go on behind `until`.
    """
    found, until = await read.log(connection, book, after=after, limit=limit, topic=topic)
    return FeedPage([fact_of(recorded) for recorded in found], until)
