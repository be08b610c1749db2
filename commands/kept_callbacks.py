"""Kept callbacks: every authentic message of a channel is stored as it came, once, before anything is made of it.

A message about something that no book knows stays here, marked: whatever turns up later can be compared with it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from commands.callbacks import find_books
from commands.channels.channel import CallbackNotice
from commands.rounds import Rounds
from ledger.store.arrays import Bytes, Texts

# Each in an order, so that two who write many never wait for each other.
_KEEP = """
INSERT INTO ledger_control.channel_callbacks (channel, event_id, headers, body, subject, book)
SELECT channel, event_id, headers::jsonb, body, subject, nullif(book, '')
  FROM unnest(%b::text[], %b::text[], %b::text[], %b::bytea[], %b::text[], %b::text[])
       AS kept (channel, event_id, headers, body, subject, book)
 ORDER BY channel, event_id
    ON CONFLICT DO NOTHING
"""
_MARK = """
UPDATE ledger_control.channel_callbacks AS c SET effect = news.effect
  FROM (SELECT k.channel, k.event_id, marked.effect
          FROM unnest(%b::text[], %b::text[], %b::text[]) AS marked (channel, event_id, effect)
          JOIN ledger_control.channel_callbacks AS k USING (channel, event_id)
         WHERE k.effect IS DISTINCT FROM marked.effect
         ORDER BY k.channel, k.event_id FOR UPDATE OF k) AS news
 WHERE c.channel = news.channel AND c.event_id = news.event_id
"""
# What no book knew is shown to every book's administrator: it may have been meant for any of them.
_LIST = """
SELECT channel, event_id, received_at, subject, book, effect, encode(body, 'base64')
  FROM ledger_control.channel_callbacks
 WHERE (book IS NULL OR book = %(book)s)
   AND (%(channel)s::text IS NULL OR channel = %(channel)s)
   AND (%(effect)s::text IS NULL OR coalesce(effect, 'open') = %(effect)s)
   AND (%(before)s::timestamptz IS NULL OR (received_at, channel, event_id) < (%(before)s, %(of)s, %(event)s))
 ORDER BY received_at DESC, channel DESC, event_id DESC
 LIMIT %(limit)s
"""
# What may let somebody in is not kept.
_NOT_KEPT = frozenset(("authorization", "cookie", "proxy-authorization"))


class KeptCallback(msgspec.Struct, frozen=True):
    """A message as it came over the wire; `subject` is our id of what it is about, `book` the one that knew it.

    `effect`: `taken`, `ignored` because it is about nothing of ours, or `open` while nothing was made of it.
    """

    channel: str
    event_id: str
    received_at: datetime
    subject: str
    book: str | None
    effect: str
    body_base64: str


class Arrived(msgspec.Struct, frozen=True):
    """An authentic message as it came."""

    channel: str
    notice: CallbackNotice
    headers: Mapping[str, str]
    body: bytes


async def keep(connection: AsyncConnection[Any], arrived: Sequence[Arrived], books: Sequence[str | None]) -> None:
    """Store messages with the books that know of them; one that is stored already stays as it came first."""
    columns = (
        Texts([one.channel for one in arrived]),
        Texts([one.notice.event_id for one in arrived]),
        Texts([_kept_headers(one.headers) for one in arrived]),
        Bytes([one.body for one in arrived]),
        Texts([one.notice.subject_id for one in arrived]),
        Texts([book or "" for book in books]),
    )
    await connection.execute(_KEEP, columns, prepare=True)


def _kept_headers(headers: Mapping[str, str]) -> str:
    kept = json.dumps({name: value for name, value in headers.items() if name.lower() not in _NOT_KEPT})
    # PostgreSQL's JSON knows no null character.
    return kept.replace("\\u0000", "\\ufffd")


async def mark(connection: AsyncConnection[Any], effects: Mapping[tuple[str, str], str]) -> None:
    """Note what became of messages (channel, event id): `taken`, or `ignored` because it is about nothing of ours."""
    columns = ([channel for channel, _ in effects], [event_id for _, event_id in effects], effects.values())
    await connection.execute(_MARK, [Texts(column) for column in columns], prepare=True)


class Callbacks:
    """Keeps the messages of channels, those that come at once together. One for a process and its event loop."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool
        self._arriving: Rounds[Arrived, str | None] = Rounds(self._keep)
        self._marking: Rounds[tuple[str, str, str], None] = Rounds(self._mark)

    async def keep(self, arrived: Arrived) -> str | None:
        """Store a message as it came; returns the book that knows what it is about, if any does."""
        return await self._arriving.ask(arrived)

    async def mark(self, channel: str, event_id: str, effect: str) -> None:
        """Note what became of it."""
        await self._marking.ask((channel, event_id, effect))

    async def _keep(self, arrived: Sequence[Arrived]) -> Sequence[str | None]:
        async with self._pool.connection() as connection:
            books = await find_books(connection, [one.notice for one in arrived])
            await keep(connection, arrived, books)
        return books

    async def _mark(self, marked: Sequence[tuple[str, str, str]]) -> Sequence[None]:
        async with self._pool.connection() as connection:
            await mark(connection, {(channel, event_id): effect for channel, event_id, effect in marked})
        return [None] * len(marked)


async def kept_callbacks(
    connection: AsyncConnection[Any],
    book: str,
    *,
    channel: str | None = None,
    effect: str | None = None,
    before: tuple[datetime, str, str] | None = None,
    limit: int,
) -> list[KeptCallback]:
    """At most `limit` messages about this book or about none, the newest first, before a time, channel and event id."""
    at, of, event = before or (None, "", "")
    wanted = {"book": book, "channel": channel, "effect": effect, "before": at, "of": of, "event": event}
    rows = await (await connection.execute(_LIST, {**wanted, "limit": limit})).fetchall()
    return [_kept(*row) for row in rows]


def _kept(channel: str, event: str, at: datetime, subject: str, *rest: Any) -> KeptCallback:
    book, effect, body = rest
    # PostgreSQL breaks the lines of what it encodes.
    return KeptCallback(channel, event, at.astimezone(UTC), subject, book, effect or "open", body.replace("\n", ""))
