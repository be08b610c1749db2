"""Read: the log as it was written, and accounts as they stand; asynchronous, because only answers wait for it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from ledger.accounts import Account
from ledger.events.accounts import AccountOpened
from ledger.events.event import Recorded
from ledger.store import codec
from ledger.store.append import recorded
from ledger.store.arrays import Bigints, Texts
from ledger.store.connection import in_book

_STREAM: LiteralString = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE originator_id = %s
 ORDER BY originator_version
"""
_BEYOND: LiteralString = """
SELECT e.originator_id, e.originator_version, e.topic, e.state, e.notification_id, e.recorded_at, e.metadata
  FROM unnest(%s::text[], %s::bigint[]) AS wanted (stream, seen)
  JOIN {schema}.events AS e ON e.originator_id = wanted.stream AND e.originator_version > wanted.seen
 ORDER BY e.originator_id, e.originator_version
"""
_EVENT: LiteralString = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE originator_id = %s AND originator_version = %s
"""
_LATEST: LiteralString = """
SELECT e.originator_id, e.originator_version, e.topic, e.state, e.notification_id, e.recorded_at, e.metadata
  FROM unnest(%s::text[]) AS wanted (stream)
 CROSS JOIN LATERAL (SELECT * FROM {schema}.events
                      WHERE originator_id = wanted.stream
                      ORDER BY originator_version DESC LIMIT 1) AS e
"""
_LAST: LiteralString = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE originator_id = %s
 ORDER BY originator_version DESC
 LIMIT 1
"""
_LOG: LiteralString = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE notification_id > %s AND notification_id <= %s
 ORDER BY notification_id
 LIMIT %s
"""
_LOG_OF_TOPIC: LiteralString = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE notification_id > %s AND notification_id <= %s AND topic = %s
 ORDER BY notification_id
 LIMIT %s
"""
_LOG_OF_TOPICS: LiteralString = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE notification_id > %s AND notification_id <= %s AND topic = ANY(%s)
 ORDER BY notification_id
"""
_NAMES: LiteralString = """
SELECT originator_id FROM {schema}.events
 WHERE originator_id > %s AND originator_id < %s AND originator_version = 1
 ORDER BY originator_id
 LIMIT %s
"""
_HEAD: LiteralString = "SELECT position, recorded_at FROM {schema}.log_head"
_BOOKS: LiteralString = "SELECT name FROM ledger_control.books ORDER BY name"
_CLOSED_PERIODS: LiteralString = "SELECT period FROM {schema}.closed_periods WHERE period > %s ORDER BY period LIMIT %s"

# One statement, so that the position is the one that the balance was read at.
_ACCOUNT_COLUMNS: LiteralString = """
SELECT b.account, b.kind, b.currency, b.min_balance, b.max_balance, b.status, b.protected,
       b.posted_debits, b.posted_credits, b.pending_debits, b.pending_credits, b.outside_limits,
       e.topic, e.state, e.recorded_at, (SELECT position FROM {schema}.log_head)
  FROM {schema}.balances b
  JOIN {schema}.events e ON e.originator_id = 'account/' || b.account AND e.originator_version = 1
"""
_ACCOUNT: LiteralString = _ACCOUNT_COLUMNS + " WHERE b.account = %s"
_ACCOUNTS: LiteralString = _ACCOUNT_COLUMNS + " WHERE b.account > %s ORDER BY b.account LIMIT %s"

# There is no index on topics, for it would cost every insert: a page looks at so many events and then says how far.
MOST_LOOKED_AT = 50_000


async def stream(connection: AsyncConnection[Any], book: str, name: str) -> list[Recorded]:
    """All events of a stream, oldest first; an empty list for a stream that has none."""
    return await _read(connection, _STREAM, book, (name,))


async def beyond(connection: AsyncConnection[Any], book: str, seen: Mapping[str, int]) -> dict[str, list[Recorded]]:
    """What streams hold beyond these versions, oldest first; a stream that holds nothing more is left out."""
    found: dict[str, list[Recorded]] = {}
    for one in await _read(connection, _BEYOND, book, (Texts(seen), Bigints(seen.values()))):
        found.setdefault(one.stream, []).append(one)
    return found


async def names(connection: AsyncConnection[Any], book: str, prefix: str, *, after: str = "", limit: int) -> list[str]:
    """At most `limit` streams whose names begin so, in the order of their names, behind one of them."""
    end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    cursor = await connection.execute(in_book(_NAMES, book), (after or prefix, end, limit))
    return [name for (name,) in await cursor.fetchall()]


async def event(connection: AsyncConnection[Any], book: str, stream_name: str, version: int) -> Recorded | None:
    """The event with this version in a stream."""
    found = await _read(connection, _EVENT, book, (stream_name, version))
    return found[0] if found else None


async def latest(connection: AsyncConnection[Any], book: str, names: Sequence[str]) -> dict[str, Recorded]:
    """The last event of each of these streams that has one."""
    return {found.stream: found for found in await _read(connection, _LATEST, book, (list(names),))}


async def last(connection: AsyncConnection[Any], book: str, stream_name: str) -> Recorded | None:
    """The last event of a stream."""
    found = await _read(connection, _LAST, book, (stream_name,))
    return found[0] if found else None


async def log(
    connection: AsyncConnection[Any], book: str, *, after: int, limit: int, topic: str | None = None
) -> tuple[list[Recorded], int]:
    """At most `limit` events behind a position, in order, and the position up to which these are all there are."""
    end, _ = await head(connection, book)
    until = min(end, after + MOST_LOOKED_AT) if topic else end
    wanted = (after, until, limit) if topic is None else (after, until, topic, limit)
    found = await _read(connection, _LOG if topic is None else _LOG_OF_TOPIC, book, wanted)
    return found, found[-1].position if len(found) == limit else max(until, after)


async def log_of(
    connection: AsyncConnection[Any], book: str, *, after: int, until: int, topics: Sequence[str]
) -> list[Recorded]:
    """The events of these topics behind one position and up to another, in order."""
    return await _read(connection, _LOG_OF_TOPICS, book, (after, until, Texts(topics)))


async def head(connection: AsyncConnection[Any], book: str) -> tuple[int, datetime]:
    """The end of the log: its last position, 0 for an empty log, and when that was recorded."""
    cursor = await connection.execute(in_book(_HEAD, book))
    row: TupleRow | None = await cursor.fetchone()
    if row is None:
        raise AssertionError(f"the log of {book} has lost its head")
    return row[0], row[1]


async def _read(
    connection: AsyncConnection[Any], statement: LiteralString, book: str, wanted: tuple[Any, ...]
) -> list[Recorded]:
    cursor = await connection.execute(in_book(statement, book), wanted, binary=True)
    return [recorded(row) for row in await cursor.fetchall()]


class OpenedAccount(msgspec.Struct, frozen=True):
    """An account as it stands at a position, and how it began."""

    account: Account
    opening: AccountOpened
    opened_at: datetime
    position: int


async def account(connection: AsyncConnection[Any], book: str, name: str) -> OpenedAccount | None:
    """The account with this id, as it stands now."""
    row = await (await connection.execute(in_book(_ACCOUNT, book), (name,), binary=True)).fetchone()
    return None if row is None else _opened(row)


async def accounts(connection: AsyncConnection[Any], book: str, *, after: str, limit: int) -> list[OpenedAccount]:
    """At most `limit` accounts whose ids come after this text, in the order of their ids."""
    rows = await (await connection.execute(in_book(_ACCOUNTS, book), (after, limit), binary=True)).fetchall()
    return [_opened(row) for row in rows]


def _opened(row: TupleRow) -> OpenedAccount:
    *standing, topic, state, opened_at, position = row
    opening = codec.decode(topic, bytes(state))
    if not isinstance(opening, AccountOpened):
        raise AssertionError(f"{row[0]} does not begin with its opening: {topic}")
    return OpenedAccount(Account(*standing), opening, opened_at, position)


async def closed_periods(connection: AsyncConnection[Any], book: str, *, after: str, limit: int) -> list[str]:
    """At most `limit` closed periods behind one, in order."""
    rows = await (await connection.execute(in_book(_CLOSED_PERIODS, book), (after, limit))).fetchall()
    return [period for (period,) in rows]


async def books(connection: AsyncConnection[Any]) -> list[str]:
    """The names of all books, in order."""
    return [name for (name,) in await (await connection.execute(_BOOKS)).fetchall()]
