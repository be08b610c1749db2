"""Journal: every entry of a range once, in the order of effect, a page at a time; and what the accounts stood at.

Two streams are merged, each of which lies in order already, so that a book of any size is told with the memory of two
pages: the log, whose entries mostly take effect when they are recorded, and the index of those that were dated back.
The log only grows, so a position says all about what is told: no snapshot is held while somebody reads slowly.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from ledger.audit.plain_text import AccountLine, EntryLine
from ledger.events.accounts import AccountOpened
from ledger.events.event import Recorded
from ledger.posting_rules import effective_at, entry_for
from ledger.store import codec, read
from ledger.store.connection import in_book
from ledger.store.positions import events_at, position_before
from projections.entries import words_of
from projections.freshness import KnownAt, seen_by
from projections.moments import BEGINNING, END
from projections.past_postings import turnover_of_all
from projections.postings import Postings

# A connection for the moment of one page.
Reading = Callable[[], AbstractAsyncContextManager[AsyncConnection[Any]]]
# Hears how much is told, and of how much.
Told = Callable[[int, int], None]
# An entry's place in the order of effect.
_Place = tuple[datetime, int]

_ACCOUNTS_AT_ONCE = 2_000
_ACCOUNTS = """
SELECT b.account, b.kind, b.currency, e.topic, e.state, e.recorded_at, e.notification_id <= %(known_at)s
  FROM {schema}.balances AS b
  JOIN {schema}.events AS e ON e.originator_id = 'account/' || b.account AND e.originator_version = 1
 WHERE b.account > %(after)s
 ORDER BY b.account
 LIMIT %(limit)s
"""
_DATED_BACK = """
SELECT effective_at, position
  FROM {schema}.postings
 WHERE effective_at < recorded_at AND leg = 0 AND effective_at < %(until)s AND position <= %(known_at)s
   AND (effective_at, position) > (%(moment)s::timestamptz, %(position)s::bigint)
 ORDER BY effective_at, position
 LIMIT %(limit)s
"""
_HOW_MANY_DATED_BACK = """
SELECT count(*)
  FROM {schema}.postings
 WHERE effective_at < recorded_at AND leg = 0 AND effective_at >= %(since)s AND effective_at < %(until)s
   AND position <= %(known_at)s
"""


class Span(msgspec.Struct, frozen=True):
    """Entries with effect in [since, until), as known at a position, which was recorded at `recorded_at`."""

    known_at: int
    recorded_at: datetime
    since: datetime | None = None
    until: datetime | None = None


async def span(
    connection: AsyncConnection[Any], book: str, since: datetime | None, until: datetime | None, known_at: KnownAt
) -> Span:
    """What is asked for, as far as it is known now; raises PositionNotReached and NotCaughtUp."""
    position = await seen_by(connection, book, (Postings.name,), known_at)
    last = await events_at(connection, book, [position] if position else [])
    return Span(position, last[0].recorded_at if last else datetime(1970, 1, 1, tzinfo=UTC), since, until)


async def accounts(reading: Reading, book: str, of: Span) -> list[AccountLine]:
    """All accounts that were there, in the order of their ids."""
    found: list[AccountLine] = []
    after = ""
    while True:
        wanted = {"known_at": of.known_at, "after": after, "limit": _ACCOUNTS_AT_ONCE}
        async with reading() as connection:
            rows = await (await connection.execute(in_book(_ACCOUNTS, book), wanted)).fetchall()
        for account, kind, currency, topic, state, opened_at, was_there in rows:
            opening = codec.decode(topic, bytes(state))
            if was_there and isinstance(opening, AccountOpened):
                found.append(AccountLine(account, kind, currency, opening.name, opened_at))
        if len(rows) < _ACCOUNTS_AT_ONCE:
            return found
        after = rows[-1][0]


async def balances_before(reading: Reading, book: str, moment: datetime | None, of: Span) -> dict[str, int]:
    """Debits less credits by account, of what took effect before a moment (None: of all); minor units."""
    async with reading() as connection:
        turnover = await turnover_of_all(connection, book, END if moment is None else moment, of.known_at)
    return {account: sides.debits - sides.credits for account, sides in turnover.items()}


async def entries(
    reading: Reading, book: str, of: Span, *, page_size: int, told: Told = lambda done, total: None
) -> AsyncIterator[list[EntryLine]]:
    """All entries of the span in the order of effect, in pages of about this size."""
    async with reading() as connection:
        begin = await position_before(connection, book, of.since) if of.since else 0
        end = min(of.known_at, await position_before(connection, book, of.until)) if of.until else of.known_at
        late = _DatedBack(reading, book, of, page_size)
        total = max(0, end - begin) + await late.how_many(connection)
    at = begin
    while at < end:
        async with reading() as connection:
            facts, _ = await read.log(connection, book, after=at, limit=min(page_size, end - at))
            page = await _lines(connection, book, [fact for fact in facts if not _is_dated_back(fact)])
        at = facts[-1].position
        while page:
            before = await late.until(_place(page[-1]))
            # There may be more of them before the page's last entry: then only so much of the page has its turn.
            is_all = len(before) < page_size
            turn = len(page) if is_all else sum(_place(line) < _place(before[-1]) for line in page)
            yield sorted(page[:turn] + before, key=_place)
            page = page[turn:]
        told(at - begin + late.count, total)
    while rest := await late.until((END, 0)):
        yield rest
        told(at - begin + late.count, total)


class _DatedBack:
    """The entries that took effect before they were recorded, in the order of effect."""

    def __init__(self, reading: Reading, book: str, of: Span, page_size: int) -> None:
        self._reading, self._book, self._page_size = reading, book, page_size
        self._wanted = {
            "since": of.since or BEGINNING,
            "until": of.until or END,
            "known_at": of.known_at,
            "limit": page_size,
        }
        self._read_until: _Place = (of.since or BEGINNING, 0)
        self._is_read = False
        self._waiting: list[EntryLine] = []
        self.count = 0

    async def how_many(self, connection: AsyncConnection[Any]) -> int:
        """How many there are in all."""
        row = await (await connection.execute(in_book(_HOW_MANY_DATED_BACK, self._book), self._wanted)).fetchone()
        return 0 if row is None else int(row[0])

    async def until(self, place: _Place) -> list[EntryLine]:
        """The next ones up to a place, at most a page of them; fewer only if that is all."""
        while len(self._waiting) < self._page_size and not self._is_read and self._read_until < place:
            await self._read()
        turn = sum(_place(line) <= place for line in self._waiting[: self._page_size])
        found, self._waiting = self._waiting[:turn], self._waiting[turn:]
        self.count += turn
        return found

    async def _read(self) -> None:
        moment, position = self._read_until
        wanted = {**self._wanted, "moment": moment, "position": position}
        async with self._reading() as connection:
            rows = await (await connection.execute(in_book(_DATED_BACK, self._book), wanted)).fetchall()
            facts = await events_at(connection, self._book, [position for _, position in rows])
            self._waiting += sorted(await _lines(connection, self._book, facts), key=_place)
        self._is_read = len(rows) < self._page_size
        if rows:
            self._read_until = rows[-1]


def _is_dated_back(fact: Recorded) -> bool:
    return effective_at(fact.event, fact.recorded_at) < fact.recorded_at


def _place(line: EntryLine) -> _Place:
    return line.effective_at, line.position


async def _lines(connection: AsyncConnection[Any], book: str, facts: Sequence[Recorded]) -> list[EntryLine]:
    """What these events post; those that post nothing are left out."""
    posting = [(fact, entry) for fact in facts if (entry := entry_for(fact.event)) is not None]
    words = await words_of(connection, book, [fact for fact, _ in posting])
    return [
        EntryLine(
            position=fact.position,
            id=fact.entry_id,
            stream=fact.stream,
            topic=fact.event.topic,
            effective_at=effective_at(fact.event, fact.recorded_at),
            recorded_at=fact.recorded_at,
            postings=entry.postings,
            reference=words[fact.position].reference,
            description=words[fact.position].description,
        )
        for fact, entry in posting
    ]
