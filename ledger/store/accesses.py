"""Accesses: who read what among the sensitive queries of a book, added to and never changed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from ledger.store.connection import in_book


class Access(msgspec.Struct):
    """One sensitive query: who asked, for what, and with which status it was answered.

    `entities` are the ids that the request named; `parameters` the rest of its address, without personal values.
    """

    id: str
    at: datetime
    key: str
    person: str | None
    route: str
    entities: Sequence[str]
    parameters: Mapping[str, str]
    correlation: str
    status: int


# What was written without our hearing of it is not written again.
_ADD: LiteralString = """
INSERT INTO {schema}.access_log (id, at, key, person, route, entities, parameters, correlation, status)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO NOTHING
"""
_FIND: LiteralString = """
SELECT id, at, key, person, route, entities, parameters, correlation, status
  FROM {schema}.access_log
 WHERE id > %(after)s
   AND (%(entity)s::text IS NULL OR entities @> ARRAY[%(entity)s::text])
   AND (%(key)s::text IS NULL OR key = %(key)s)
   AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
 ORDER BY id
 LIMIT %(limit)s
"""


async def add(connection: AsyncConnection[Any], book: str, accesses: Sequence[Access]) -> None:
    """Write these down in one transaction; those that stand there already stay as they are."""
    rows = [
        msgspec.structs.astuple(
            msgspec.structs.replace(one, entities=list(one.entities), parameters=Jsonb(dict(one.parameters)))
        )
        for one in accesses
    ]
    async with connection.transaction(), connection.cursor() as cursor:
        await cursor.executemany(in_book(_ADD, book), rows)


async def find(
    connection: AsyncConnection[Any],
    book: str,
    *,
    entity: str | None = None,
    key: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str = "",
    limit: int = 100,
) -> list[Access]:
    """At most `limit` accesses behind one of them, the oldest first."""
    wanted = {"entity": entity, "key": key, "since": since, "until": until, "after": after, "limit": limit}
    cursor = await connection.execute(in_book(_FIND, book), wanted)
    return [Access(*row) for row in await cursor.fetchall()]
