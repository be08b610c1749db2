"""Entries: what did this entry post, was it taken back, and which entries are there?

One entry comes straight from the log. Lists are in the order in which entries were recorded.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from ledger.events.entries import Adjusting, EntryPosted, EntryReversed, ReversalPosted
from ledger.events.event import Event, Recorded, event_of_entry
from ledger.events.holds import HoldCaptured, HoldPlaced
from ledger.events.transfers import TransferPosted
from ledger.ids import HOLD
from ledger.journal import JournalEntry, Posting
from ledger.posting_rules import effective_at, entry_for
from ledger.store import read
from ledger.store.connection import in_book
from ledger.store.positions import events_at, position_before, streams
from projections import past_postings
from projections.freshness import seen_by
from projections.moments import BEGINNING, END
from projections.postings import Postings

# Without an account the log itself is looked through, so much of it for one page.
MOST_LOOKED_AT = 5_000
_CHUNK = 1_000

_REFERENCE = "SELECT entry FROM {schema}.entry_references WHERE reference = %s"


class Entry(msgspec.Struct, frozen=True):
    """A journal entry as it stands. Amounts in minor units.

    `reverses` is the entry it takes back, `reversed_by` are those that took it back, and `reversed_amounts` what was
    taken back of each posting, in their order. `adjusting`: it took effect in a period that was closed already.
    `carries`: the period whose revenue and expense it carries to retained earnings.
    """

    id: str
    position: int
    topic: str
    postings: tuple[Posting, ...]
    effective_at: datetime
    recorded_at: datetime
    reference: str | None
    description: str | None
    metadata: dict[str, str]
    reverses: str | None
    reason: str | None
    reversed_by: tuple[str, ...]
    reversed_amounts: tuple[int, ...]
    adjusting: Adjusting | None
    carries: str | None

    @property
    def is_reversed(self) -> bool:
        """Whether nothing of it is left."""
        return self.reversed_amounts == tuple(posting.amount for posting in self.postings)


class EntryPage(msgspec.Struct, frozen=True):
    """Entries of a list; it goes on after the position `next`, and ends where that is None.

    A page may hold fewer entries than it could, or none, and the list still go on.
    """

    entries: list[Entry]
    next: int | None


class Words(msgspec.Struct, frozen=True):
    """What an entry says of itself."""

    reference: str | None
    description: str | None


async def entry(connection: AsyncConnection[Any], book: str, name: str) -> Entry | None:
    """The entry with this id, as it stands now."""
    stream, version = event_of_entry(name)
    recorded = await read.event(connection, book, stream, version)
    if recorded is None or recorded.entry_id != name or entry_for(recorded.event) is None:
        return None
    return (await _entries(connection, book, [recorded]))[0]


async def entries(
    connection: AsyncConnection[Any],
    book: str,
    *,
    account: str | None = None,
    reference: str | None = None,
    since: datetime = BEGINNING,
    until: datetime = END,
    min_amount: int = 1,
    after: int = 0,
    limit: int = 100,
) -> EntryPage:
    """Entries with effect in [since, until) and a posting of at least `min_amount`, to the account if one is named."""
    if reference is not None:
        facts = await _with_reference(connection, book, reference)
        facts = _fitting(facts, account, since, until, min_amount, after)
        return EntryPage(await _entries(connection, book, facts), None)
    known_at = await seen_by(connection, book, (Postings.name,), None)
    if account is not None:
        positions = await past_postings.entries_of_account(
            connection,
            book,
            account,
            after=after,
            since=since,
            until=until,
            min_amount=min_amount,
            known_at=known_at,
            limit=limit + 1,
        )
        facts = await events_at(connection, book, positions[:limit])
        last = facts[-1].position if len(positions) > limit else None
        return EntryPage(await _entries(connection, book, facts), last)
    facts, goes_on_after = await looked_through(
        connection,
        book,
        since=since,
        until=until,
        min_amount=min_amount,
        after=after,
        limit=limit,
        known_at=known_at,
    )
    return EntryPage(await _entries(connection, book, facts), goes_on_after)


async def _with_reference(connection: AsyncConnection[Any], book: str, reference: str) -> list[Recorded]:
    """The entry that carries this reference, or what was captured of the hold that does."""
    row = await (await connection.execute(in_book(_REFERENCE, book), (reference,))).fetchone()
    if row is None:
        return []
    history = await read.stream(connection, book, row[0])
    return [recorded for recorded in history if entry_for(recorded.event) is not None]


def _fitting(
    facts: Sequence[Recorded], account: str | None, since: datetime, until: datetime, min_amount: int, after: int = 0
) -> list[Recorded]:
    def fits(recorded: Recorded) -> bool:
        found = entry_for(recorded.event)
        return (
            found is not None
            and recorded.position > after
            and since <= effective_at(recorded.event, recorded.recorded_at) < until
            and any(p.amount >= min_amount and account in (None, p.account) for p in found.postings)
        )

    return [recorded for recorded in facts if fits(recorded)]


async def looked_through(
    connection: AsyncConnection[Any],
    book: str,
    *,
    since: datetime = BEGINNING,
    until: datetime = END,
    min_amount: int = 1,
    after: int,
    limit: int,
    known_at: int,
) -> tuple[list[Recorded], int | None]:
    """What posts an entry with effect in [since, until), behind a position of the log, and where to go on.

    First what was recorded before `until`, all of it looked at; then what was recorded later and dated back.
    """
    end = min(known_at, await position_before(connection, book, until))
    # Nothing takes effect after it is recorded: what took effect since then was not recorded before.
    start = at = max(after, await position_before(connection, book, since))
    found: list[Recorded] = []
    while at < end and at - start < MOST_LOOKED_AT and len(found) < limit:
        # The first look is for what is asked for; if that is not enough, what fits is rare.
        chunk = limit if at == start else _CHUNK
        facts, _ = await read.log(connection, book, after=at, limit=min(chunk, end - at))
        found += _fitting(facts, None, since, until, min_amount)
        at = facts[-1].position
    if len(found) > limit:
        return found[:limit], found[limit - 1].position
    if at < end or len(found) == limit:
        return found, at
    positions = await past_postings.entries_dated_back(
        connection, book, after=max(at, end), since=since, until=until, known_at=known_at, limit=limit - len(found) + 1
    )
    room = limit - len(found)
    found += _fitting(await events_at(connection, book, positions[:room]), None, since, until, min_amount)
    return found, positions[room - 1] if len(positions) > room else None


async def _entries(connection: AsyncConnection[Any], book: str, facts: Sequence[Recorded]) -> list[Entry]:
    names = [recorded.entry_id for recorded in facts]
    words = await words_of(connection, book, facts)
    # What took an entry back is recorded in a stream of the entry's name.
    beside = await streams(connection, book, names)
    return [_entry(recorded, words[recorded.position], beside[recorded.entry_id]) for recorded in facts]


def _entry(recorded: Recorded, words: Words, beside: Sequence[Recorded]) -> Entry:
    event = recorded.event
    posted = entry_for(event) or JournalEntry(())
    taken_back = [fact.event for fact in beside if isinstance(fact.event, EntryReversed)]
    amounts = tuple(sum(column) for column in zip(*(fact.amounts for fact in taken_back), strict=True))
    reversal = event if isinstance(event, ReversalPosted) else None
    return Entry(
        id=recorded.entry_id,
        position=recorded.position,
        topic=event.topic,
        postings=posted.postings,
        effective_at=effective_at(event, recorded.recorded_at),
        recorded_at=recorded.recorded_at,
        reference=words.reference,
        description=words.description,
        metadata=event.metadata if isinstance(event, TransferPosted | EntryPosted) else {},
        reverses=None if reversal is None else reversal.reverses,
        reason=None if reversal is None else reversal.reason,
        reversed_by=tuple(fact.by for fact in taken_back),
        reversed_amounts=amounts or (0,) * len(posted.postings),
        adjusting=event.adjusting if isinstance(event, EntryPosted | ReversalPosted) else None,
        carries=(event.carries or None) if isinstance(event, EntryPosted) else None,
    )


async def words_of(connection: AsyncConnection[Any], book: str, facts: Sequence[Recorded]) -> dict[int, Words]:
    """Reference and description of each of these entries, by position; a capture has its hold's reference."""
    captured = {recorded.stream for recorded in facts if isinstance(recorded.event, HoldCaptured)}
    holds = await streams(connection, book, sorted(captured))
    placed = {stream: history[0].event for stream, history in holds.items() if history and stream.startswith(HOLD)}
    return {recorded.position: _words(recorded.event, placed.get(recorded.stream)) for recorded in facts}


def _words(event: Event, placed: Event | None) -> Words:
    match event:
        case TransferPosted() | EntryPosted():
            return Words(event.reference, event.description)
        case HoldCaptured():
            return Words(placed.reference if isinstance(placed, HoldPlaced) else None, event.description)
        case ReversalPosted():
            return Words(None, event.reason)
    # The system's own entries: `payments.captured.v1` says what it is.
    noun, happened, _ = event.topic.split(".")
    return Words(None, f"{noun.replace('_', ' ')}: {happened.replace('_', ' ')}")
