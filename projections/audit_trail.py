"""Audit trail: everything that concerns this entity, who did it, when and why, in the order in which it was recorded.

its own streams           the events of ent_1, account/cash, merchant/shop, customer/ann, period/2026-03
postings and holds        the events that move an account's money
links                     the events of other streams that name it: a merchant's payments, an entry's reversal
batches                   in which its channel settled it: that they were paid, and the line of the bank that shows it
"""

from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from psycopg import AsyncConnection

from ledger.events.event import Event, Recorded, event_of_entry
from ledger.events.payouts import PayoutCreated, PayoutReserved
from ledger.events.settlements import BatchPaid, batch_stream
from ledger.events.transfers import TransferPosted
from ledger.store import read
from ledger.store.connection import in_book
from ledger.store.positions import events_at, positions_of_streams
from projections import holds, past_postings, receivable_items
from projections.projection import Page, Projection, Writing

# The fields by which events name what has a trail. Accounts are found by what was posted to them, and entries that
# carry a reference by the list of references.
_NAMING = (
    "id",
    "merchant",
    "customer",
    "payment",
    "attempt",
    "party",
    "receiver",
    "to_customer",
    "principal",
    "order_reference",
    "channel_reference",
    "reverses",
    "by",
    "bank_line",
)
_OWN_STREAMS = ("{}", "account/{}", "merchant/{}", "customer/{}", "principal/{}", "period/{}")

_KEEP = "INSERT INTO {audit_links} (entity, position) SELECT * FROM unnest(%b::text[], %b::bigint[])"

# --- writing


class AuditTrail(Projection):
    """Which events name an entity although they stand in another's stream and do not post to it."""

    name = "audit_trail"
    version = 1
    tables = growing = ("audit_links",)

    def forget(self) -> None:
        """Nothing is remembered from page to page."""

    def project(self, page: Page, cursor: Writing) -> None:
        facts = [recorded for recorded in page if type(recorded.event) is not TransferPosted]
        links = [(entity, recorded.position) for recorded in facts for entity in sorted(_named_by(recorded))]
        if links:
            entities, positions = map(list, zip(*links, strict=True))
            cursor.execute(self.statement(_KEEP), (entities, positions))


@cache
def _naming_fields(event_type: type[Event]) -> tuple[str, ...]:
    # By the type as well: of a credit, `principal` is an amount.
    fields = {field.name for field in msgspec.structs.fields(event_type) if field.type in (str, str | None)}
    return tuple(name for name in _NAMING if name in fields)


def _named_by(recorded: Recorded) -> set[str]:
    """What the event names beside the owner of its stream."""
    named = {getattr(recorded.event, name) for name in _naming_fields(type(recorded.event))} - {None, ""}
    return {name for name in named if recorded.stream not in _own_streams(name)}


def _own_streams(entity: str) -> list[str]:
    return [stream.format(entity) for stream in _OWN_STREAMS]


# --- reading

_LINKS = """
SELECT DISTINCT position FROM {schema}.audit_links
 WHERE entity = ANY(%s) AND position > %s
 ORDER BY position LIMIT %s
"""
_REFERENCE = "SELECT entry FROM {schema}.entry_references WHERE reference = %s"


_STREAMS_NAMING = """
SELECT DISTINCT e.originator_id
  FROM {schema}.audit_links AS l
  JOIN {schema}.events AS e ON e.notification_id = l.position
 WHERE l.entity = %s
 ORDER BY e.originator_id
"""


async def streams_naming(connection: AsyncConnection[Any], book: str, entity: str) -> list[str]:
    """The streams of others in which the entity is named."""
    cursor = await connection.execute(in_book(_STREAMS_NAMING, book), (entity,))
    return [stream for (stream,) in await cursor.fetchall()]


class Fact(msgspec.Struct, frozen=True):
    """One event: what happened, in which place, by whom and with which key, when, why, and caused by what.

    `who` is an API key's id or a part of the service, `person` whose hands that key is in, where that is known.
    `causation` is the event that set it in motion, as `<stream>.<version>`; `data` is the event itself.
    """

    position: int
    topic: str
    stream: str
    version: int
    who: str
    person: str
    key: str
    when: datetime
    why: str
    causation: str
    correlation: str
    data: dict[str, Any]


def fact_of(recorded: Recorded) -> Fact:
    """A recorded event as people and feeds read it."""
    event, metadata = recorded.event, recorded.metadata
    stated = getattr(event, "reason", None)
    return Fact(
        position=recorded.position,
        topic=event.topic,
        stream=recorded.stream,
        version=recorded.version,
        who=metadata.actor,
        person=metadata.person,
        key=metadata.key,
        when=recorded.recorded_at,
        why=metadata.reason or stated or "",
        causation=metadata.causation,
        correlation=metadata.correlation,
        data=_shown(event),
    )


def _shown(event: Event) -> dict[str, Any]:
    """The event as it is, but for what is personal: the number of an account that money was sent to."""
    data: dict[str, Any] = msgspec.to_builtins(event)
    if isinstance(event, PayoutCreated | PayoutReserved):
        data["destination"] = msgspec.to_builtins(event.destination.masked())
    return data


async def trail(
    connection: AsyncConnection[Any], book: str, entity: str, *, after: int = 0, limit: int = 100
) -> list[Fact]:
    """Every event that concerns the entity, behind a position, oldest first.

    The entity is any id the book knows: an account, entry, hold, payment, refund, attempt, merchant, customer, period,
    or a reference that a caller or a channel gave. Its own streams are as fresh as the log, the rest as the views.
    """
    names = [entity]
    row = await (await connection.execute(in_book(_REFERENCE, book), (entity,))).fetchone()
    if row is not None:
        names.append(row[0])
    streams = [stream for name in names for stream in _own_streams(name)]
    found = set(await positions_of_streams(connection, book, streams, after=after, limit=limit))
    stream, version = event_of_entry(entity)
    if stream != entity and (posted := await read.event(connection, book, stream, version)) and posted.position > after:
        found.add(posted.position)
    found |= set(await past_postings.positions_of(connection, book, entity, after=after, limit=limit))
    found |= set(await holds.positions_of(connection, book, entity, after=after, limit=limit))
    cursor = await connection.execute(in_book(_LINKS, book), (names, after, limit))
    found |= {position for (position,) in await cursor.fetchall()}
    found |= {position for position in await _at_the_bank(connection, book, entity) if position > after}
    return [fact_of(recorded) for recorded in await events_at(connection, book, sorted(found)[:limit])]


async def _at_the_bank(connection: AsyncConnection[Any], book: str, entity: str) -> list[int]:
    """Where it is recorded that the batches were paid in which its channel settled it, and by which lines."""
    items = await receivable_items.items_of_stream(connection, book, entity)
    told = [(one.channel, one.settled) for one in items if one.settled is not None and one.settled.batch]
    if not told:
        return []
    batches = {batch_stream(channel, settled.currency, settled.batch) for channel, settled in told}
    last = (await read.latest(connection, book, sorted(batches))).values()
    paid = {one.event.bank_line: one.position for one in last if isinstance(one.event, BatchPaid)}
    lines = await read.latest(connection, book, sorted(paid))
    return [*paid.values(), *(line.position for line in lines.values())]
