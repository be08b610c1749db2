"""Past postings: what was posted to an account, in which order, and how much was it together up to any point?

Two laws make the past cheap: nothing takes effect after it is recorded, and recorded times never run backwards. So all
that took effect until T and is known at position P is

    everything recorded until T                          the turnover beside the last posting up to there
    + what was recorded later, up to P, and dated back   rows of an index of their own, and `dated_back` where they
                                                         may be very many
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from ledger.store.connection import in_book
from ledger.store.positions import position_before
from projections.accounts import Listed
from projections.dated_back import COUNT_LATE, LATE_PARTS
from projections.moments import BEGINNING, END, just_after
from projections.turnover import Place, Turnover

# Up to and with a place, but for what was dated back behind `settled`: the last position that was recorded before its
# moment. `at_moment` is the last one that was recorded at it.
_IN_TIME: LiteralString = """
        (SELECT posted_debits AS debits, posted_credits AS credits
           FROM {schema}.postings
          WHERE account = %(account)s AND position <= %(settled)s
          ORDER BY position DESC, leg DESC LIMIT 1)
        UNION ALL
        (SELECT sum(amount) FILTER (WHERE is_debit), sum(amount) FILTER (WHERE NOT is_debit)
           FROM {schema}.postings
          WHERE account = %(account)s AND NOT effective_at < recorded_at AND position > %(settled)s
            AND position <= %(at_moment)s
            AND (position, leg) <= (%(position)s::bigint, %(leg)s::smallint))
"""
_SUM_OF: LiteralString = (
    "SELECT coalesce(sum(debits), 0)::bigint AS debits, coalesce(sum(credits), 0)::bigint AS credits FROM ("
)
_TURNOVER: LiteralString = _SUM_OF + _IN_TIME + ") AS parts"
_TURNOVER_AND_LATE: LiteralString = COUNT_LATE + _SUM_OF + _IN_TIME + "UNION ALL" + LATE_PARTS + ") AS parts"
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
 WHERE (settled.posted_debits IS NOT NULL OR late.account IS NOT NULL)
   AND (%(accounts)s::text[] IS NULL OR b.account = ANY(%(accounts)s))
"""
# What was recorded before the moment took effect before it; what was recorded later is there if it was dated back.
_MOVED = """
SELECT b.account, b.kind, b.currency
  FROM {schema}.balances AS b
 WHERE b.account IN (
       SELECT account
         FROM {schema}.postings
        WHERE effective_at < recorded_at AND effective_at < %(moment)s
          AND position > %(after)s AND position <= %(known_at)s)
    OR (%(after)s::bigint < %(settled)s::bigint AND EXISTS (
       SELECT FROM {schema}.postings AS p
        WHERE p.account = b.account AND p.position > %(after)s AND p.position <= %(settled)s))
 ORDER BY b.account
"""
_SETTLED_AT_EACH = """
SELECT coalesce(last.posted_debits, 0)::bigint, coalesce(last.posted_credits, 0)::bigint
  FROM unnest(%(settled)s::bigint[]) WITH ORDINALITY AS point (settled, number)
  LEFT JOIN LATERAL (
       SELECT posted_debits, posted_credits
         FROM {schema}.postings
        WHERE account = %(account)s AND position <= point.settled
        ORDER BY position DESC, leg DESC LIMIT 1) AS last ON true
 ORDER BY point.number
"""
# What was dated back is late at the points behind its effect, up to the last one before its recording. So one look at
# each row tells all points: sums by the number of points before the effect, and by that of points before the recording.
_LATE_AT_EACH = """
SELECT since, until,
       coalesce(sum(amount) FILTER (WHERE is_debit), 0)::bigint,
       coalesce(sum(amount) FILTER (WHERE NOT is_debit), 0)::bigint
  FROM (SELECT width_bucket(effective_at, %(moments)s::timestamptz[]) AS since,
               width_bucket(position - 1, %(settled)s::bigint[]) AS until,
               is_debit, amount
          FROM {schema}.postings
         WHERE account = %(account)s AND effective_at < recorded_at AND effective_at < %(last)s
           AND position > %(first)s AND position <= %(known_at)s) AS late
 WHERE since < until
 GROUP BY GROUPING SETS ((since), (until))
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


class Line(NamedTuple):
    """One posting of an account."""

    position: int
    leg: int
    is_debit: bool
    amount: int
    effective_at: datetime
    recorded_at: datetime


async def turnover_until(
    connection: AsyncConnection[Any],
    book: str,
    account: str,
    place: Place,
    known_at: int,
    settled: int | None = None,
) -> Turnover:
    """What had been posted with effect up to and with this place, as far as it is known at the position `known_at`.

    Who knows the last position before the place's moment already gives it as `settled`.
    """
    if settled is None:
        settled = await position_before(connection, book, place.moment)
    at_moment = settled
    if place.position:
        at_moment = await position_before(connection, book, just_after(place.moment))
    settled, at_moment = min(settled, known_at), min(at_moment, known_at)
    wanted = {
        "account": account,
        "settled": settled,
        "at_moment": at_moment,
        "known_at": known_at,
        **place._asdict(),
    }
    # All that is known is settled: nothing is late.
    return await _turnover(connection, _TURNOVER if settled == known_at else _TURNOVER_AND_LATE, book, wanted)


async def turnover_known_at(connection: AsyncConnection[Any], book: str, account: str, known_at: int) -> Turnover:
    """All that had been posted up to the position `known_at`."""
    wanted = {"account": account, "settled": known_at, "at_moment": 0, **Place(BEGINNING)._asdict()}
    return await _turnover(connection, _TURNOVER, book, wanted)


async def _turnover(
    connection: AsyncConnection[Any], statement: LiteralString, book: str, wanted: dict[str, Any]
) -> Turnover:
    async with connection.cursor(row_factory=class_row(Turnover)) as cursor:
        await cursor.execute(in_book(statement, book), wanted)
        return await cursor.fetchone() or Turnover()


async def turnover_of_all(
    connection: AsyncConnection[Any],
    book: str,
    before: datetime,
    known_at: int,
    accounts: Sequence[str] | None = None,
) -> dict[str, Turnover]:
    """What had been posted to each account with effect before a moment, as far as it is known at `known_at`.

    Of these accounts, or of all; those without postings are left out.
    """
    settled = min(await position_before(connection, book, before), known_at)
    asked = None if accounts is None else list(accounts)
    wanted = {"settled": settled, "moment": before, "known_at": known_at, "accounts": asked}
    cursor = await connection.execute(in_book(_TURNOVER_OF_ALL, book), wanted)
    return {account: Turnover(debits, credits_) for account, debits, credits_ in await cursor.fetchall()}


async def turnover_at_each(
    connection: AsyncConnection[Any],
    book: str,
    account: str,
    moments: Sequence[datetime],
    settled: Sequence[int],
    known_at: int,
) -> list[Turnover]:
    """What had been posted with effect before each of these moments, as far as it is known at `known_at`.

    The moments are in order, and `settled` are the last positions that were recorded before each, up to `known_at`.
    """
    wanted = {
        "account": account,
        "moments": list(moments),
        "settled": list(settled),
        "first": settled[0],
        "last": moments[-1],
        "known_at": known_at,
    }
    cursor = await connection.execute(in_book(_SETTLED_AT_EACH, book), wanted)
    found = [Turnover(*row) for row in await cursor.fetchall()]
    cursor = await connection.execute(in_book(_LATE_AT_EACH, book), wanted)
    # What is added at each point to what was late at the one before.
    debits, credits_ = [0] * (len(moments) + 1), [0] * (len(moments) + 1)
    for since, until, late_debits, late_credits in await cursor.fetchall():
        sign, point = (1, since) if until is None else (-1, until)
        debits[point] += sign * late_debits
        credits_[point] += sign * late_credits
    late = list(map(Turnover, accumulate(debits), accumulate(credits_)))[: len(found)]
    return [
        Turnover(in_time.debits + behind.debits, in_time.credits + behind.credits)
        for in_time, behind in zip(found, late, strict=True)
    ]


async def accounts_moved(
    connection: AsyncConnection[Any], book: str, *, before: datetime, after: int, known_at: int
) -> list[Listed]:
    """Accounts with postings behind a position, up to another, that take effect before a moment; by their ids."""
    settled = min(await position_before(connection, book, before), known_at)
    wanted = {"settled": settled, "moment": before, "after": after, "known_at": known_at}
    async with connection.cursor(row_factory=class_row(Listed)) as cursor:
        await cursor.execute(in_book(_MOVED, book), wanted)
        return await cursor.fetchall()


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
