"""Webhook deliveries: the list of messages owed to endpoints, one row for each event that an endpoint hears of.

The log sets it in motion: `follow` reads it by position and commits its rows with its checkpoint, so an event is owed
exactly once; it is delivered at least once, under the same message id each time. `claim` gives a message to one sender.
What happened to one payment is told in order; an ordered endpoint is given all its messages one after another.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from ledger.events.event import Event, Recorded
from ledger.events.webhooks import (
    WebhookEndpointChanged,
    WebhookEndpointCreated,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookReplayRequested,
    WebhookSecretRotated,
)
from ledger.store.append import recorded
from ledger.store.arrays import Texts
from ledger.store.connection import in_book
from ledger.webhook_state import fits

# In positions of the log.
PAGE = 5_000
FARTHEST_BEHIND = 20_000

# After the n-th try that failed: about three days in all, then the message is dead.
PAUSES_S = (5, 30, 120, 600, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
MOST_ATTEMPTS_KEPT = 20

_ABOUT_ENDPOINTS: tuple[type[Event], ...] = (
    WebhookEndpointCreated,
    WebhookEndpointChanged,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookSecretRotated,
    WebhookReplayRequested,
)
_TOPICS_ABOUT_ENDPOINTS = {event.topic for event in _ABOUT_ENDPOINTS}

_POSITIONS = """
SELECT c.position, h.position
  FROM {schema}.process_checkpoints AS c, {schema}.log_head AS h
 WHERE c.process = 'webhooks'
"""
_LOCK_CHECKPOINT = "SELECT position FROM {schema}.process_checkpoints WHERE process = 'webhooks' FOR UPDATE"
_MOVE_CHECKPOINT = "UPDATE {schema}.process_checkpoints SET position = %s WHERE process = 'webhooks'"
_ENDPOINTS = "SELECT id, url, topics, ordered, enabled, generation, rotated_at, headers FROM {schema}.webhook_endpoints"
_READ = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE notification_id > %(after)s AND notification_id <= %(until)s
   AND (%(all)s OR topic LIKE ANY(%(like)s))
 ORDER BY notification_id
"""
_KEEP_ENDPOINT = """
INSERT INTO {schema}.webhook_endpoints (id, url, topics, ordered, enabled, generation, rotated_at, headers)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE
   SET url = excluded.url, topics = excluded.topics, ordered = excluded.ordered, enabled = excluded.enabled,
       generation = excluded.generation, rotated_at = excluded.rotated_at, headers = excluded.headers
"""
_OWE = """
INSERT INTO {schema}.webhook_deliveries (endpoint, position, stream, topic)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[])
    ON CONFLICT DO NOTHING
"""
_GIVE_UP = "UPDATE {schema}.webhook_deliveries SET state = 'dead' WHERE endpoint = %s AND state = 'due'"
_REPLAY = """
INSERT INTO {schema}.webhook_deliveries (endpoint, position, stream, topic)
SELECT %(endpoint)s, notification_id, originator_id, topic
  FROM {schema}.events
 WHERE notification_id BETWEEN %(first)s AND %(last)s AND (%(all)s OR topic LIKE ANY(%(like)s))
    ON CONFLICT (endpoint, position) DO UPDATE SET state = 'due', tries = 0, next_at = now()
"""
# A claimed message that nobody settles falls due again when its lease has run out. Of a stream, and of an ordered
# endpoint altogether, only the first one that is due may go: what happened to a payment is told in order.
_CLAIM = """
UPDATE {schema}.webhook_deliveries AS d
   SET claimed_at = clock_timestamp(), tries = d.tries + 1, next_at = now() + %(lease_s)s * interval '1 second'
  FROM (SELECT due.endpoint, due.position
          FROM {schema}.webhook_deliveries AS due JOIN {schema}.webhook_endpoints AS e ON e.id = due.endpoint
         WHERE due.state = 'due' AND due.next_at <= now() AND e.enabled
           AND NOT EXISTS (
                SELECT FROM {schema}.webhook_deliveries AS before
                 WHERE before.endpoint = due.endpoint AND before.state = 'due' AND before.position < due.position
                   AND (e.ordered OR before.stream = due.stream))
         ORDER BY due.next_at, due.position LIMIT %(limit)s FOR UPDATE OF due SKIP LOCKED) AS chosen,
       {schema}.webhook_endpoints AS e
 WHERE d.endpoint = chosen.endpoint AND d.position = chosen.position AND e.id = d.endpoint
RETURNING d.endpoint, d.position, d.tries, d.claimed_at, e.url, e.generation, e.rotated_at, e.headers
"""
_NEXT = """
SELECT extract(epoch FROM min(d.next_at) - now())::float8
  FROM {schema}.webhook_deliveries AS d JOIN {schema}.webhook_endpoints AS e ON e.id = d.endpoint
 WHERE d.state = 'due' AND e.enabled
"""
_SETTLE = """
UPDATE {schema}.webhook_deliveries
   SET state = %(state)s, next_at = now() + %(pause_s)s * interval '1 second',
       delivered_at = CASE WHEN %(state)s = 'delivered' THEN now() ELSE delivered_at END,
       attempts = (CASE WHEN jsonb_array_length(attempts) >= %(most)s THEN attempts - 0 ELSE attempts END)
                  || %(attempt)s::jsonb
 WHERE endpoint = %(endpoint)s AND position = %(position)s AND claimed_at = %(claimed_at)s
"""
_LIST = """
SELECT endpoint, position, topic, state, tries, CASE WHEN state = 'due' THEN next_at END, created_at, delivered_at,
       attempts::text
  FROM {schema}.webhook_deliveries
 WHERE endpoint = %(endpoint)s AND position < %(before)s AND (%(state)s::text IS NULL OR state = %(state)s)
 ORDER BY position DESC
 LIMIT %(limit)s
"""


class Target(msgspec.Struct):
    """An endpoint as the follower knows it."""

    id: str
    url: str
    topics: list[str]
    ordered: bool
    enabled: bool
    generation: int = 1
    rotated_at: datetime | None = None
    headers: dict[str, str] = {}


class Message(msgspec.Struct, frozen=True):
    """A message in the hands of one sender; `tries` counts this one."""

    endpoint: str
    position: int
    tries: int
    claimed_at: datetime
    url: str
    generation: int
    rotated_at: datetime | None
    headers: dict[str, str] = {}
    """The endpoint's own, their values in seals."""


class Attempt(msgspec.Struct, frozen=True):
    """One try to deliver: what was answered, or what went wrong, and how long that took."""

    at: datetime
    status: int | None
    error: str | None
    took_ms: int


class Delivery(msgspec.Struct, frozen=True):
    """A message as it is shown."""

    id: str
    endpoint: str
    position: int
    topic: str
    status: str
    tries: int
    next_try_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    attempts: list[Attempt]


class Page(msgspec.Struct, frozen=True):
    """How far the log was read, whether it goes on, and whether messages became due."""

    position: int
    more: bool
    owed: bool = False


def delivery_id(endpoint: str, position: int) -> str:
    """A delivery's id: `whe_…-17` tells the event at position 17."""
    return f"{endpoint}-{position}"


def position_of(endpoint: str, delivery: str) -> int | None:
    """The position that a delivery of this endpoint tells of; None where it is no such id."""
    name, _, position = delivery.rpartition("-")
    return int(position) if name == endpoint and position.isascii() and position.isdigit() else None


def pause_s(tries: int) -> int | None:
    """How long to wait after this many tries; None: no longer at all."""
    return PAUSES_S[tries - 1] if tries <= len(PAUSES_S) else None


async def follow(connection: AsyncConnection[Any], book: str, after: int = 0) -> Page:
    """Take one page of the log into the list of messages. `after`: how far this process has read already."""
    checkpoint, head = await _one(connection, _POSITIONS, book)
    start = after if checkpoint <= after <= head else checkpoint
    until = min(head, start + PAGE)
    if until <= start:
        return Page(start, more=False)
    targets = await _targets(connection, book)
    wanted = {
        "after": start,
        "until": until,
        **_filter([*(one for target in targets.values() for one in target.topics), *_TOPICS_ABOUT_ENDPOINTS]),
    }
    cursor = await connection.execute(in_book(_READ, book), wanted, binary=True)
    facts = [recorded(row) for row in await cursor.fetchall()]
    if not facts and until - checkpoint < FARTHEST_BEHIND:
        return Page(until, more=until < head)
    if any(isinstance(fact.event, WebhookEndpointCreated | WebhookEndpointChanged) for fact in facts):
        # It may want to hear of what this page left out: read up to it, and then on with it.
        begun = next(fact for fact in facts if isinstance(fact.event, WebhookEndpointCreated | WebhookEndpointChanged))
        until = begun.position
        facts = [fact for fact in facts if fact.position <= until]
    async with connection.transaction():
        (stands,) = await _one(connection, _LOCK_CHECKPOINT, book)
        if stands != checkpoint:
            return Page(start, more=True)  # another worker was quicker: look again
        owed = await _take(connection, book, targets, facts)
        await connection.execute(in_book(_MOVE_CHECKPOINT, book), (until,))
    return Page(until, more=until < head, owed=owed)


async def _take(connection: AsyncConnection[Any], book: str, targets: dict[str, Target], facts: list[Recorded]) -> bool:
    """Have each fact change what it is about, and owe it to whom it concerns; whether anything is owed now."""
    rows: list[tuple[str, int, str, str]] = []
    replayed = False
    for fact in facts:
        topic = type(fact.event).topic
        rows += [
            (target.id, fact.position, fact.stream, topic)
            for target in targets.values()
            if target.enabled and fits(target.topics, topic)
        ]
        if topic in _TOPICS_ABOUT_ENDPOINTS:
            replayed |= await _change(connection, book, targets, fact)
    if rows:
        await connection.execute(in_book(_OWE, book), [list(column) for column in zip(*rows, strict=True)])
    return bool(rows) or replayed


async def _change(connection: AsyncConnection[Any], book: str, targets: dict[str, Target], fact: Recorded) -> bool:
    """What a fact about an endpoint does; whether messages are owed again."""
    event = fact.event
    match event:
        case WebhookEndpointCreated():
            targets[event.id] = Target(
                event.id, event.url, list(event.topics), event.ordered, enabled=True, headers=event.headers
            )
        case WebhookEndpointChanged():
            target = targets[event.id]
            target.url, target.topics, target.ordered = event.url, list(event.topics), event.ordered
            target.headers = target.headers if event.headers is None else event.headers
        case WebhookEndpointDisabled():
            targets[event.id].enabled = False
            await connection.execute(in_book(_GIVE_UP, book), (event.id,))
        case WebhookEndpointEnabled():
            targets[event.id].enabled = True
        case WebhookSecretRotated():
            targets[event.id].generation, targets[event.id].rotated_at = event.generation, fact.recorded_at
        case WebhookReplayRequested():
            target = targets[event.id]
            wanted = {"endpoint": target.id, "first": event.from_position, "last": event.to_position}
            cursor = await connection.execute(in_book(_REPLAY, book), wanted | _filter(target.topics))
            return cursor.rowcount > 0
        case _:
            raise AssertionError(f"{event} is about no endpoint")
    target = targets[event.id]
    *values, headers = msgspec.structs.astuple(target)
    await connection.execute(in_book(_KEEP_ENDPOINT, book), (*values, Jsonb(headers)))
    return False


def _filter(filters: Iterable[str]) -> dict[str, Any]:
    """The filters as patterns of topics: `payments.*` is `payments.%`."""
    # An underscore would be any one character.
    like = {one: one.replace("_", r"\_").replace(".*", ".%") for one in filters}
    return {"all": "*" in like, "like": Texts(sorted(like.values()))}


async def _targets(connection: AsyncConnection[Any], book: str) -> dict[str, Target]:
    rows = await (await connection.execute(in_book(_ENDPOINTS, book))).fetchall()
    return {row[0]: Target(*row) for row in rows}


async def claim(connection: AsyncConnection[Any], book: str, *, limit: int, lease_s: float) -> list[Message]:
    """Take at most `limit` messages whose time has come."""
    cursor = await connection.execute(in_book(_CLAIM, book), {"limit": limit, "lease_s": lease_s})
    return [Message(*row) for row in await cursor.fetchall()]


async def settle(
    connection: AsyncConnection[Any], book: str, message: Message, attempt: Attempt, *, done: bool
) -> None:
    """Note what came of a try: delivered, due again later, or dead."""
    pause = pause_s(message.tries)
    state = "delivered" if done else "dead" if pause is None else "due"
    values = {
        "endpoint": message.endpoint,
        "position": message.position,
        "claimed_at": message.claimed_at,
        "state": state,
        "pause_s": pause or 0,
        "most": MOST_ATTEMPTS_KEPT,
        "attempt": msgspec.json.encode([attempt]).decode(),
    }
    await connection.execute(in_book(_SETTLE, book), values)


async def seconds_to_next(connection: AsyncConnection[Any], book: str) -> float | None:
    """How long until a message falls due, negative if it is overdue; None when nothing is owed."""
    (seconds,) = await _one(connection, _NEXT, book)
    return None if seconds is None else float(seconds)


async def deliveries(
    connection: AsyncConnection[Any], book: str, endpoint: str, *, before: int, state: str | None, limit: int
) -> list[Delivery]:
    """At most `limit` messages of an endpoint before a position, the newest first."""
    wanted = {"endpoint": endpoint, "before": before, "state": state, "limit": limit}
    rows = await (await connection.execute(in_book(_LIST, book), wanted)).fetchall()
    return [_delivery(*row) for row in rows]


def _delivery(endpoint: str, position: int, topic: str, state: str, tries: int, *rest: Any) -> Delivery:
    next_at, created_at, delivered_at, attempts = rest
    known = msgspec.json.decode(attempts, type=list[Attempt])
    name = delivery_id(endpoint, position)
    return Delivery(name, endpoint, position, topic, state, tries, next_at, created_at, delivered_at, known)


async def _one(connection: AsyncConnection[Any], statement: LiteralString, book: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = await (await connection.execute(in_book(statement, book))).fetchone()
    if row is None:
        raise AssertionError(f"no row in {book}: {statement}")
    return row
