"""Kept callbacks: every authentic message of a channel is stored as it came, once, before anything is made of it.

A message about something that no book knows stays here, marked: whatever turns up later can be compared with it.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from commands.channels.channel import CallbackNotice

_KEEP = """
INSERT INTO ledger_control.channel_callbacks (channel, event_id, headers, body, subject, book)
VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""
_MARK = """
UPDATE ledger_control.channel_callbacks SET effect = %(effect)s
 WHERE channel = %(channel)s AND event_id = %(event_id)s AND effect IS DISTINCT FROM %(effect)s
"""
_OPEN = """
SELECT channel, event_id, received_at, subject, book, effect, encode(body, 'base64')
  FROM ledger_control.channel_callbacks
 WHERE effect IS DISTINCT FROM 'taken'
 ORDER BY received_at
 LIMIT %s
"""
# What may let somebody in is not kept.
_NOT_KEPT = frozenset(("authorization", "cookie", "proxy-authorization"))


class KeptCallback(msgspec.Struct, frozen=True):
    """A message that had no effect yet; `body_base64` is what came over the wire."""

    channel: str
    event_id: str
    received_at: datetime
    subject: str
    book: str | None
    effect: str | None
    body_base64: str


async def keep(
    connection: AsyncConnection[Any],
    channel: str,
    notice: CallbackNotice,
    headers: Mapping[str, str],
    body: bytes,
    book: str | None,
) -> None:
    """Store a message; one that is stored already stays as it came first."""
    kept = json.dumps({name: value for name, value in headers.items() if name.lower() not in _NOT_KEPT})
    # PostgreSQL's JSON knows no null character.
    kept = kept.replace("\\u0000", "\\ufffd")
    await connection.execute(_KEEP, (channel, notice.event_id, kept, body, notice.subject_id, book))


async def mark(connection: AsyncConnection[Any], channel: str, event_id: str, effect: str) -> None:
    """Note what became of a message: `taken`, or `ignored` because it is about nothing of ours."""
    await connection.execute(_MARK, {"effect": effect, "channel": channel, "event_id": event_id})


async def open_callbacks(connection: AsyncConnection[Any], limit: int) -> list[KeptCallback]:
    """The oldest messages without an effect, at most so many."""
    rows = await (await connection.execute(_OPEN, (limit,))).fetchall()
    return [KeptCallback(*row) for row in rows]
