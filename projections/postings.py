"""Postings: what was posted to an account, in which order, and how much was it together up to any point?

Two laws make the past cheap: nothing takes effect after it is recorded, and recorded times never run backwards. So all
that took effect until T and is known at position P is

    everything recorded until T                          the turnover beside the last posting up to there
    + what was recorded later, up to P, and dated back   the few rows of an index of their own
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from ledger.events.transfers import TransferPosted
from ledger.journal import Direction
from ledger.posting_rules import effective_at, entry_for
from ledger.store.connection import in_book
from ledger.store.positions import position_before
from projections.moments import BEGINNING, END, just_after
from projections.projection import Page, Projection, Writing

_COPY = """
COPY {postings} (account, position, leg, is_debit, amount, posted_debits, posted_credits, effective_at, recorded_at)
FROM STDIN (FORMAT BINARY)
"""
# The binary form spares the database the parsing of numbers and times. Each value stands behind its length in bytes;
# times are microseconds since 2000.
_COPY_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"
_COLUMNS_AND_LENGTH = Struct(">hi").pack
_BEHIND_THE_ACCOUNT = Struct(">iqihi?iqiqiqiqiq").pack
_YEAR_2000 = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_TURNOVER = """
SELECT wanted.account, last.posted_debits, last.posted_credits
  FROM unnest(%b::text[]) AS wanted (account)
 CROSS JOIN LATERAL (
       SELECT posted_debits, posted_credits FROM {postings} AS p
        WHERE p.account = wanted.account ORDER BY position DESC, leg DESC LIMIT 1) AS last
"""

# --- writing


class Postings(Projection):
    """Every posting with the account's turnover after it."""

    name = "postings"
    version = 1
    tables = ("postings",)

    # Beyond this many accounts the memory is emptied and grows anew: about 60 MB.
    MOST_ACCOUNTS_REMEMBERED = 200_000

    def __init__(self, book: str, *, suffix: str = "") -> None:
        super().__init__(book, suffix=suffix)
        self._copy = self.statement(_COPY)
        self._last_turnover = self.statement(_LAST_TURNOVER)
        # account -> [posted debits, posted credits] after its last posting, minor units
        self._turnover: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        self._knows_all = False

    def forget(self) -> None:
        self._turnover.clear()
        self._knows_all = False

    def project(self, page: Page, cursor: Writing) -> None:
        if page[0].position == 1:
            self.forget()
            self._knows_all = True  # There is nothing in the table that could be read.
        elif len(self._turnover) > self.MOST_ACCOUNTS_REMEMBERED:
            self.forget()
        if not self._knows_all:
            self._recall(page, cursor)
        if rows := self._rows(page):
            with cursor.copy(self._copy) as sink:
                sink.write(b"".join([_COPY_BEGIN, *rows, _COPY_END]))

    def _recall(self, page: Page, cursor: Writing) -> None:
        """Read the turnover of the accounts that are not remembered."""
        accounts: set[str] = set()
        for recorded in page:
            event = recorded.event
            if type(event) is TransferPosted:
                accounts.add(event.debit_account)
                accounts.add(event.credit_account)
            elif entry := entry_for(event):
                accounts.update(posting.account for posting in entry.postings)
        wanted = sorted(accounts - self._turnover.keys())
        if wanted:
            rows = cursor.execute(self._last_turnover, (wanted,), binary=True).fetchall()
            self._turnover |= {account: [debits, credits_] for account, debits, credits_ in rows}

    def _rows(self, page: Page) -> list[bytes]:
        """The rows as COPY reads them, each of them in two pieces."""
        rows: list[bytes] = []
        turnover = self._turnover
        last_time, recorded_at = None, 0

        def add(account: str, leg: int, is_debit: bool, amount: int) -> None:
            sides = turnover[account]
            sides[not is_debit] += amount
            debits, credits_ = sides
            name = account.encode()
            rows.append(_COLUMNS_AND_LENGTH(9, len(name)) + name)
            behind = (8, position, 2, leg, 1, is_debit, 8, amount, 8, debits, 8, credits_, 8, effect, 8, recorded_at)
            rows.append(_BEHIND_THE_ACCOUNT(*behind))

        for recorded in page:
            event, position = recorded.event, recorded.position
            if recorded.recorded_at != last_time:  # A batch has one time: it is reckoned once.
                last_time = recorded.recorded_at
                recorded_at = _microseconds(last_time)
            if type(event) is TransferPosted:
                # The commonest event by far, spared the general way.
                effect = recorded_at if event.effective_at is None else _microseconds(event.effective_at)
                add(event.debit_account, 0, True, event.amount)
                add(event.credit_account, 1, False, event.amount)
            elif entry := entry_for(event):
                effect = _microseconds(effective_at(event, recorded.recorded_at))
                for leg, posting in enumerate(entry.postings):
                    add(posting.account, leg, posting.direction == Direction.DEBIT, posting.amount)
        return rows


def _microseconds(time: datetime) -> int:
    return (time - _YEAR_2000) // _MICROSECOND


# --- reading

# Up to and with a place. `settled` is the last position that was recorded before its moment, and `at_moment` the last
# one that was recorded at it.
_TURNOVER = """
SELECT coalesce(sum(debits), 0)::bigint AS debits, coalesce(sum(credits), 0)::bigint AS credits
  FROM ((SELECT posted_debits AS debits, posted_credits AS credits
           FROM {schema}.postings
          WHERE account = %(account)s AND position <= %(settled)s
          ORDER BY position DESC, leg DESC LIMIT 1)
        UNION ALL
        (SELECT sum(amount) FILTER (WHERE is_debit), sum(amount) FILTER (WHERE NOT is_debit)
           FROM {schema}.postings
          WHERE account = %(account)s AND effective_at < recorded_at AND position > %(settled)s
            AND position <= %(known_at)s
            AND (effective_at, position, leg) <= (%(moment)s::timestamptz, %(position)s::bigint, %(leg)s::smallint))
        UNION ALL
        (SELECT sum(amount) FILTER (WHERE is_debit), sum(amount) FILTER (WHERE NOT is_debit)
           FROM {schema}.postings
          WHERE account = %(account)s AND NOT effective_at < recorded_at AND position > %(settled)s
            AND position <= %(at_moment)s
            AND (position, leg) <= (%(position)s::bigint, %(leg)s::smallint))) AS parts
"""
_TURNOVER_OF_ALL = """
SELECT b.account,
       (coalesce(settled.posted_debits, 0) + coalesce(late.debits, 0))::bigint AS debits,
       (coalesce(settled.posted_credits, 0) + coalesce(late.credits, 0))::bigint AS credits
  FROM {schema}.balances AS b
  LEFT JOIN LATERAL (
       SELECT posted_debits, posted_credits
         FROM {schema}.postings AS p
        WHERE p.account = b.account AND p.position <= %(settled)s
        ORDER BY position DESC, leg DESC LIMIT 1) AS settled ON true
  LEFT JOIN (
       SELECT account,
              sum(amount) FILTER (WHERE is_debit) AS debits,
              sum(amount) FILTER (WHERE NOT is_debit) AS credits
         FROM {schema}.postings
        WHERE effective_at < recorded_at AND effective_at < %(moment)s
          AND position > %(settled)s AND position <= %(known_at)s
        GROUP BY account) AS late ON late.account = b.account
 WHERE settled.posted_debits IS NOT NULL OR late.account IS NOT NULL
"""
# In the order of effect: those that took effect when recorded lie in the order of positions, the others in their index.
# (Said with NOT, because the planner takes an equality of two columns for rare, and would sort them all.)
_LINES = """
SELECT position, leg, is_debit, amount, effective_at, recorded_at
  FROM ((SELECT position, leg, is_debit, amount, effective_at, recorded_at
           FROM {schema}.postings
          WHERE account = %(account)s AND NOT effective_at < recorded_at
            AND position > %(settled)s AND position <= %(until_position)s
            AND (effective_at, position, leg) > (%(moment)s::timestamptz, %(position)s::bigint, %(leg)s::smallint)
          ORDER BY position, leg LIMIT %(limit)s)
        UNION ALL
        (SELECT position, leg, is_debit, amount, effective_at, recorded_at
           FROM {schema}.postings
          WHERE account = %(account)s AND effective_at < recorded_at
            AND position <= %(known_at)s AND effective_at < %(until)s
            AND (effective_at, position, leg) > (%(moment)s::timestamptz, %(position)s::bigint, %(leg)s::smallint)
          ORDER BY effective_at, position, leg LIMIT %(limit)s)) AS both_ways
 ORDER BY effective_at, position, leg LIMIT %(limit)s
"""
_ENTRIES_OF_ACCOUNT = """
SELECT DISTINCT position
  FROM ((SELECT DISTINCT position
           FROM {schema}.postings
          WHERE account = %(account)s AND amount >= %(min_amount)s
            AND position > %(after)s AND position <= %(until_position)s AND effective_at >= %(since)s
          ORDER BY position LIMIT %(limit)s)
        UNION ALL
        (SELECT DISTINCT position
           FROM {schema}.postings
          WHERE account = %(account)s AND amount >= %(min_amount)s
            AND effective_at < recorded_at AND effective_at >= %(since)s AND effective_at < %(until)s
            AND position > greatest(%(after)s, %(until_position)s) AND position <= %(known_at)s
          ORDER BY position LIMIT %(limit)s)) AS both_ways
 ORDER BY position LIMIT %(limit)s
"""
_ENTRIES_DATED_BACK = """
SELECT position
  FROM {schema}.postings
 WHERE effective_at < recorded_at AND leg = 0 AND effective_at >= %(since)s AND effective_at < %(until)s
   AND position > %(after)s AND position <= %(known_at)s
 ORDER BY position LIMIT %(limit)s
"""
_POSITIONS = """
SELECT DISTINCT position FROM {schema}.postings WHERE account = %s AND position > %s ORDER BY position LIMIT %s
"""


class Turnover(NamedTuple):
    """Both sides of an account, in minor units."""

    debits: int = 0
    credits: int = 0


class Line(NamedTuple):
    """One posting of an account."""

    position: int
    leg: int
    is_debit: bool
    amount: int
    effective_at: datetime
    recorded_at: datetime


class Place(NamedTuple):
    """A posting's place in the order of effect; with position 0 the beginning of the moment."""

    moment: datetime
    position: int = 0
    leg: int = 0


async def turnover_until(
    connection: AsyncConnection[Any], book: str, account: str, place: Place, known_at: int
) -> Turnover:
    """What had been posted with effect up to and with this place, as far as it is known at the position `known_at`."""
    settled = await position_before(connection, book, place.moment)
    at_moment = settled
    if place.position:
        at_moment = await position_before(connection, book, just_after(place.moment))
    wanted = {
        "account": account,
        "settled": min(settled, known_at),
        "at_moment": min(at_moment, known_at),
        "known_at": known_at,
        **place._asdict(),
    }
    async with connection.cursor(row_factory=class_row(Turnover)) as cursor:
        await cursor.execute(in_book(_TURNOVER, book), wanted)
        return await cursor.fetchone() or Turnover()


async def turnover_known_at(connection: AsyncConnection[Any], book: str, account: str, known_at: int) -> Turnover:
    """All that had been posted up to the position `known_at`."""
    wanted = {"account": account, "settled": known_at, "at_moment": 0, "known_at": 0, **Place(BEGINNING)._asdict()}
    async with connection.cursor(row_factory=class_row(Turnover)) as cursor:
        await cursor.execute(in_book(_TURNOVER, book), wanted)
        return await cursor.fetchone() or Turnover()


async def turnover_of_all(
    connection: AsyncConnection[Any], book: str, before: datetime, known_at: int
) -> dict[str, Turnover]:
    """What had been posted to each account with effect before a moment, as far as it is known at `known_at`.

    Accounts without postings are left out.
    """
    settled = min(await position_before(connection, book, before), known_at)
    cursor = await connection.execute(
        in_book(_TURNOVER_OF_ALL, book), {"settled": settled, "moment": before, "known_at": known_at}
    )
    return {account: Turnover(debits, credits_) for account, debits, credits_ in await cursor.fetchall()}


async def lines(
    connection: AsyncConnection[Any],
    book: str,
    account: str,
    *,
    after: Place,
    until: datetime,
    known_at: int,
    limit: int,
) -> list[Line]:
    """The account's postings behind a place, with effect before `until`, in the order of effect."""
    wanted = {
        "account": account,
        "settled": min(await position_before(connection, book, after.moment), known_at),
        "until_position": min(await position_before(connection, book, until), known_at),
        "until": until,
        "known_at": known_at,
        "limit": limit,
        **after._asdict(),
    }
    async with connection.cursor(row_factory=class_row(Line)) as cursor:
        await cursor.execute(in_book(_LINES, book), wanted)
        return await cursor.fetchall()


async def entries_of_account(
    connection: AsyncConnection[Any],
    book: str,
    account: str,
    *,
    after: int,
    since: datetime = BEGINNING,
    until: datetime = END,
    min_amount: int = 1,
    known_at: int,
    limit: int,
) -> list[int]:
    """Positions of entries with a posting of at least `min_amount` to the account and effect in [since, until)."""
    wanted = {
        "account": account,
        # Nothing takes effect after it is recorded: what took effect since then was not recorded before.
        "after": max(after, await position_before(connection, book, since)),
        "until_position": min(await position_before(connection, book, until), known_at),
        "since": since,
        "until": until,
        "min_amount": min_amount,
        "known_at": known_at,
        "limit": limit,
    }
    return await _positions(connection, _ENTRIES_OF_ACCOUNT, book, wanted)


async def entries_dated_back(
    connection: AsyncConnection[Any],
    book: str,
    *,
    after: int,
    since: datetime,
    until: datetime,
    known_at: int,
    limit: int,
) -> list[int]:
    """Positions of entries that took effect before they were recorded, in [since, until)."""
    wanted = {"after": after, "since": since, "until": until, "known_at": known_at, "limit": limit}
    return await _positions(connection, _ENTRIES_DATED_BACK, book, wanted)


async def positions_of(
    connection: AsyncConnection[Any], book: str, account: str, *, after: int, limit: int
) -> list[int]:
    """Positions of the events that posted to the account."""
    return await _positions(connection, _POSITIONS, book, (account, after, limit))


async def _positions(connection: AsyncConnection[Any], statement: LiteralString, book: str, wanted: Any) -> list[int]:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(in_book(statement, book), wanted)
        found: Iterable[int] = await cursor.fetchall()
        return list(found)
