"""Channel calls: the work list of what channels are asked for, one row for each charge and refund.

The log sets it in motion: `follow` reads it by position and commits its rows with its checkpoint, so every intent
becomes one call, exactly once. `claim` gives a call to one worker and commits that it is `sent` before anything is: who
dies after that leaves a question behind and never a second charge.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier, Literal

from commands.channels.requests import Errand
from commands.processes.books import WORK_IS_DUE
from commands.processes.intents import INTENTS, OUTCOMES, closed_by, intent_of
from commands.processes.next_steps import UNRESOLVED_AFTER_TRIES, Call, Step
from ledger.events.event import Recorded
from ledger.store.append import recorded
from ledger.store.arrays import Bigints, Bytes, Texts
from ledger.store.connection import in_book
from ledger.store.schema import schema_of

# In positions of the log.
PAGE = 5_000
FARTHEST_BEHIND = 20_000
# What a hint says that is not about the log.

_TOPICS = Texts(sorted({event.topic for event in (*INTENTS, *OUTCOMES)}))

_POSITIONS = """
SELECT c.position, h.position
  FROM {schema}.process_checkpoints AS c, {schema}.log_head AS h
 WHERE c.process = 'channel_calls'
"""
_LOCK_CHECKPOINT = """
SELECT position FROM {schema}.process_checkpoints WHERE process = 'channel_calls' FOR UPDATE
"""
_MOVE_CHECKPOINT = "UPDATE {schema}.process_checkpoints SET position = %s WHERE process = 'channel_calls'"
_READ = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE notification_id > %s AND notification_id <= %s AND topic = ANY(%s)
 ORDER BY notification_id
"""
_OPEN = """
INSERT INTO {schema}.channel_calls (id, kind, subject, channel, request, correlation, causation)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::text[], %b::text[])
    ON CONFLICT DO NOTHING
"""
# Who changes many calls locks them in an order, so that two of them never wait for each other.
_CLOSE = """
UPDATE {schema}.channel_calls AS c SET state = 'done'
  FROM (SELECT id FROM {schema}.channel_calls WHERE id = ANY(%b) AND state <> 'done' ORDER BY id FOR UPDATE) AS closed
 WHERE c.id = closed.id
"""
# A claimed call that nobody puts back is claimed again when its lease has run out; as `sent` it is asked about.
_CLAIM = """
UPDATE {schema}.channel_calls AS c
   SET state = 'sent', sends = c.sends + (due.state = 'due')::int,
       claimed_at = clock_timestamp(), claimed_until = now() + %(lease_s)s * interval '1 second',
       next_at = now() + %(lease_s)s * interval '1 second'
  FROM (SELECT id, state FROM {schema}.channel_calls
         WHERE state <> 'done' AND next_at <= now()
         ORDER BY next_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS due
 WHERE c.id = due.id
RETURNING c.id, c.channel, c.request, due.state, c.sends, c.tries, c.not_found, c.last_answer,
          c.correlation, c.causation, c.claimed_at
"""
_NEXT = """
SELECT extract(epoch FROM min(next_at) - now())::float8 FROM {schema}.channel_calls WHERE state <> 'done'
"""
# Only by whoever still holds the claim: a worker that slept through its lease has nothing to say any more.
_PUT_BACK = """
UPDATE {schema}.channel_calls AS c
   SET state = held.state, next_at = now() + held.pause_ms * interval '1 millisecond', claimed_until = now(),
       tries = held.tries, not_found = held.not_found, last_answer = held.last_answer
  FROM (SELECT back.*
          FROM unnest(%b::text[], %b::text[]::timestamptz[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[],
                      %b::text[])
               AS back (id, claimed_at, state, pause_ms, tries, not_found, last_answer)
          JOIN {schema}.channel_calls AS k ON k.id = back.id AND k.claimed_at = back.claimed_at AND k.state = 'sent'
         ORDER BY back.id FOR UPDATE OF k) AS held
 WHERE c.id = held.id
"""
# Not while the question is under way (both times are then the end of the lease), not when it is due anyway, and not
# again at once: many who ask at the same time cause one question.
_NUDGE = """
UPDATE {schema}.channel_calls AS c SET next_at = c.claimed_until
  FROM (SELECT id FROM {schema}.channel_calls
         WHERE subject = %s AND state = 'sent' AND next_at > greatest(now(), claimed_until)
           AND claimed_at < now() - interval '500 milliseconds'
         ORDER BY id FOR UPDATE) AS asked
 WHERE c.id = asked.id
"""
_UNRESOLVED = """
SELECT id, kind, subject, channel, tries, last_answer, next_at
  FROM {schema}.channel_calls
 WHERE state <> 'done' AND tries >= %s AND id > %s AND coalesce(last_answer, '') NOT IN ('ActionRequired', 'Authorized')
 ORDER BY id
 LIMIT %s
"""
_HINT = SQL("NOTIFY {schema}, {words}")

_errands: msgspec.json.Decoder[Errand] = msgspec.json.Decoder(Errand)


class Claim(msgspec.Struct, frozen=True):
    """A call in the hands of one worker, and the event that set it in motion."""

    call: Call
    correlation: str
    causation: str
    claimed_at: datetime


class Page(msgspec.Struct, frozen=True):
    """How far the log was read, whether it goes on, and how many calls became due."""

    position: int
    more: bool
    opened: int = 0


async def follow(connection: AsyncConnection[Any], book: str, after: int = 0) -> Page:
    """Take one page of the log into the work list. `after`: how far this worker has read already.

    Where a page holds nothing for us, nothing is written: the checkpoint lies behind, at most so far, and whoever
    begins there finds nothing again.
    """
    checkpoint, head = await _one(connection, _POSITIONS, book)
    start = after if checkpoint <= after <= head else checkpoint
    until = min(head, start + PAGE)
    if until <= start:
        return Page(start, more=False)
    cursor = await connection.execute(in_book(_READ, book), (start, until, _TOPICS), binary=True)
    facts = [recorded(row) for row in await cursor.fetchall()]
    if not facts and until - checkpoint < FARTHEST_BEHIND:
        return Page(until, more=until < head)
    opened = [row for fact in facts if (row := _opened(fact)) is not None]
    closed = [name for fact in facts if (name := closed_by(fact.event)) is not None]
    async with connection.transaction():
        (stands,) = await _one(connection, _LOCK_CHECKPOINT, book)
        if stands != checkpoint:
            return Page(start, more=True)  # another worker was quicker: look again
        if opened:
            columns = [
                Texts(column) if isinstance(column[0], str) else Bytes(column) for column in zip(*opened, strict=True)
            ]
            await connection.execute(in_book(_OPEN, book), columns, prepare=True)
        if closed:
            await connection.execute(in_book(_CLOSE, book), (Texts(closed),), prepare=True)
        await connection.execute(in_book(_MOVE_CHECKPOINT, book), (until,))
    return Page(until, more=until < head, opened=len(opened))


def _opened(fact: Recorded) -> tuple[str, str, str, str, bytes, str, str] | None:
    intent = intent_of(fact.event)
    if intent is None:
        return None
    errand = intent.errand
    kind: str = errand.__struct_config__.tag  # type: ignore[assignment]
    causation = f"{fact.stream}.{fact.version}"
    whole = msgspec.json.encode(errand)
    return errand.id, kind, fact.stream, intent.channel, whole, fact.metadata.correlation, causation


async def claim(connection: AsyncConnection[Any], book: str, *, limit: int, lease_s: float) -> list[Claim]:
    """Take at most `limit` calls whose time has come; that they are sent is committed when this returns."""
    cursor = await connection.execute(in_book(_CLAIM, book), {"limit": limit, "lease_s": lease_s})
    return [
        Claim(Call(name, channel, _errands.decode(request), *call), correlation, causation, claimed_at)
        for name, channel, request, *call, correlation, causation, claimed_at in await cursor.fetchall()
    ]


class Return(msgspec.Struct, frozen=True):
    """A call that is let go of: what becomes of it next, and in a word what was answered."""

    held: Claim
    step: Step
    answer: str


async def put_back(connection: AsyncConnection[Any], book: str, returned: Sequence[Return]) -> None:
    """Let go of calls."""
    columns = (
        Texts([back.held.call.id for back in returned]),
        Texts([back.held.claimed_at.isoformat() for back in returned]),
        Texts([back.step.state for back in returned]),
        Bigints([round(back.step.pause_s * 1_000) for back in returned]),
        Bigints([back.step.tries for back in returned]),
        Bigints([back.step.not_found for back in returned]),
        Texts([back.answer for back in returned]),
    )
    await connection.execute(in_book(_PUT_BACK, book), columns, prepare=True)


async def seconds_to_next(connection: AsyncConnection[Any], book: str) -> float | None:
    """How long until a call falls due, negative if it is overdue; None when nothing is open."""
    (seconds,) = await _one(connection, _NEXT, book)
    return None if seconds is None else float(seconds)


class OpenCall(msgspec.Struct, frozen=True):
    """A call whose outcome nobody knows, as it is shown; `errand` says what the channel was asked for."""

    id: str
    errand: str
    payment: str
    channel: str
    tries: int
    last_answer: str | None
    next_try_at: datetime


async def unresolved(connection: AsyncConnection[Any], book: str, *, after: str, limit: int) -> list[OpenCall]:
    """At most `limit` calls behind an id that were asked about so often that somebody has to look at them."""
    cursor = await connection.execute(in_book(_UNRESOLVED, book), (UNRESOLVED_AFTER_TRIES, after, limit))
    return [OpenCall(*row) for row in await cursor.fetchall()]


async def nudge(connection: AsyncConnection[Any], book: str, subject: str) -> bool:
    """Have the channel asked now about a payment or top-up (with its refunds) whose outcome is unknown."""
    cursor = await connection.execute(in_book(_NUDGE, book), (subject,))
    if not cursor.rowcount:
        return False
    await connection.execute(_HINT.format(schema=Identifier(schema_of(book)), words=Literal(WORK_IS_DUE)))
    return True


async def _one(connection: AsyncConnection[Any], statement: LiteralString, book: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await (await connection.execute(in_book(statement, book))).fetchone()
    if row is None:
        raise AssertionError(f"no row in {book}: {statement}")
    return row
