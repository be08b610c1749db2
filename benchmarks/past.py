"""Past: how long a balance of any time takes, as it was known at any position, in a book with very many postings."""

import asyncio
import random
import statistics
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import LiteralString

import msgspec
import uvloop

from benchmarks.batch_writer import BatchWriter
from benchmarks.bench import Bench
from benchmarks.figures import Figure, Round
from benchmarks.mix import CURRENCY, Pattern
from benchmarks.processes import child
from ledger.events.entries import EntryPosted
from ledger.events.event import Metadata, Recorded
from ledger.journal import credit, debit
from ledger.store.connection import Database, in_book
from projections.balance_history import balance_history
from projections.balances import balance
from projections.dated_back import DatedBack
from projections.holds import Holds
from projections.postings import Postings

LEGS = 10
"""Postings of an entry: one to the hot account, the others to those of the crowd in turn."""
_ACCOUNTS = 1_000
_LATE_OF = 10
"""One in so many entries is dated back, by up to a month."""
_MONTH_S = 30 * 86_400
_BETWEEN_S = 30
_QUESTIONS = 400
_CHECKED = 10
_POINTS = 1_000
_PAGE = 2_000

# As the writer and the followers would have written them, but in one go. Amounts are 1 a leg of the crowd.
_EVENTS: LiteralString = """
INSERT INTO {schema}.events
       (originator_id, originator_version, topic, state, notification_id, recorded_at, metadata)
SELECT 'ent_' || n, 1, 'entries.posted.v1', '', %(first)s + n, %(begin)s + n * %(between)s, ''
  FROM generate_series(1, %(entries)s::bigint) AS n
"""
_POSTINGS: LiteralString = """
INSERT INTO {schema}.postings
       (account, position, leg, is_debit, amount, posted_debits, posted_credits, effective_at, recorded_at)
SELECT accounts[CASE WHEN leg = 0 THEN 1 ELSE 2 + place %% others END], %(first)s + n, leg, leg = 0,
       CASE WHEN leg = 0 THEN legs - 1 ELSE 1 END,
       CASE WHEN leg = 0 THEN n * (legs - 1) ELSE 0 END,
       CASE WHEN leg = 0 THEN 0 ELSE place / others + 1 END,
       %(begin)s + n * %(between)s
           - CASE WHEN n %% %(late_of)s = 0 THEN (1 + n * 7919 %% %(month)s) * interval '1 second'
                  ELSE interval '0' END,
       %(begin)s + n * %(between)s
  FROM (SELECT n, leg, legs, accounts, cardinality(accounts) - 1 AS others, (n - 1) * (legs - 1) + leg - 1 AS place
          FROM (VALUES (%(accounts)s::text[], %(legs)s::bigint)) AS book (accounts, legs),
               generate_series(1, %(entries)s::bigint) AS n, generate_series(0, %(legs)s - 1) AS leg) AS legs_of_entries
"""
_HEAD: LiteralString = "SELECT position, recorded_at FROM {schema}.log_head"
_MOVE_HEAD: LiteralString = "UPDATE {schema}.log_head SET position = %s, recorded_at = %s"
_CHECKPOINTS: LiteralString = """
INSERT INTO {schema}.projection_checkpoints AS known (projection, version, position)
SELECT *, %s::bigint FROM unnest(%s::text[], %s::integer[])
    ON CONFLICT (projection) DO UPDATE SET position = excluded.position
"""
_ADDED_UP: LiteralString = """
SELECT coalesce(sum(CASE WHEN is_debit THEN -amount ELSE amount END), 0)
  FROM {schema}.postings WHERE account = %s AND effective_at <= %s AND position <= %s
"""


class Asked(msgspec.Struct, frozen=True):
    """Milliseconds of many questions: the median and the slowest of 100."""

    median_ms: float
    p99_ms: float


class PastReader:
    """Fills a book with entries, some of them dated back, and asks it for balances of the past as a route does."""

    def __init__(self, database: Database, book: str, entries: int, seed: int) -> None:
        self._database, self._book, self._random = database, book, random.Random(seed)
        pattern = Pattern(_ACCOUNTS)
        writer = BatchWriter(database, book, pattern, seed)
        writer.close()
        self._accounts = list(pattern.names)
        with database.owner() as connection:
            row = connection.execute(in_book(_HEAD, book)).fetchone()
            if row is None:
                raise AssertionError(f"the log of {book} has lost its head")
            self._first, self._begin = int(row[0]), row[1] + timedelta(seconds=1)
            between = timedelta(seconds=_BETWEEN_S)
            asked = {
                "first": self._first,
                "begin": self._begin,
                "between": between,
                "entries": entries,
                "legs": LEGS,
                "accounts": self._accounts,
                "late_of": _LATE_OF,
                "month": _MONTH_S,
            }
            self._end = self._begin + entries * between
            self._head = self._first + entries
            for statement in (_EVENTS, _POSTINGS):
                connection.execute(in_book(statement, book), asked)
            connection.execute(in_book(_MOVE_HEAD, book), (self._head, self._end))
            views = (Postings, DatedBack, Holds)
            standing = ([view.name for view in views], [view.version for view in views])
            connection.execute(in_book(_CHECKPOINTS, book), (self._head, *standing))
        self._follow_what_is_late(entries)
        with database.owner() as connection:
            for table in ("events", "postings", "dated_back", "dated_back_blocks"):
                connection.execute(in_book("VACUUM ANALYZE {schema}.", book) + table.encode())
        # The loop that the service answers on.
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._connection = self._runner.run(database.connect_async())
        self._check()

    def _follow_what_is_late(self, entries: int) -> None:
        view = DatedBack(self._book)
        with self._database.connect() as connection:
            late = range(_LATE_OF, entries + 1, _LATE_OF)
            for start in range(0, len(late), _PAGE):
                with connection.transaction(), connection.cursor() as cursor:
                    view.project([self._fact(n) for n in late[start : start + _PAGE]], cursor)

    def _fact(self, n: int) -> Recorded:
        """A late entry as its event."""
        others = len(self._accounts) - 1
        crowd = (self._accounts[1 + ((n - 1) * (LEGS - 1) + leg) % others] for leg in range(LEGS - 1))
        postings = (debit(self._accounts[0], LEGS - 1, CURRENCY), *(credit(name, 1, CURRENCY) for name in crowd))
        recorded_at = self._begin + timedelta(seconds=n * _BETWEEN_S)
        effect = recorded_at - timedelta(seconds=1 + n * 7919 % _MONTH_S)
        return Recorded(f"ent_{n}", 1, self._first + n, recorded_at, EntryPosted(postings, effect), Metadata("bench"))

    def _check(self) -> None:
        """A figure of wrong answers is worth nothing; raises AssertionError."""
        for account in (self._accounts[0], self._accounts[1]):
            for _ in range(_CHECKED):
                as_of, known_at = self._question()
                found = self._runner.run(balance(self._connection, self._book, account, as_of=as_of, known_at=known_at))
                with self._database.connect() as connection:
                    row = connection.execute(in_book(_ADDED_UP, self._book), (account, as_of, known_at)).fetchone()
                if found is None or row is None or found.posted.balance != row[0]:
                    raise AssertionError(f"{account} as of {as_of} known at {known_at}: {found} is not {row}")

    def _question(self) -> tuple[datetime, int]:
        """Any time, as it was known at any position that is not before it."""
        part = self._random.random()
        settled = self._first + int(part * (self._head - self._first))
        return self._begin + part * (self._end - self._begin), self._random.randint(settled, self._head)

    def ask(self, hot: bool) -> Asked:
        """So many balances of the hot account, or of those of the crowd."""
        names = self._accounts[:1] if hot else self._accounts[1:]
        return _asked(self._runner.run(self._time_balances(names)))

    async def _time_balances(self, names: list[str]) -> list[float]:
        spent = []
        for _ in range(_QUESTIONS):
            account, (as_of, known_at) = self._random.choice(names), self._question()
            begun = time.perf_counter()
            await balance(self._connection, self._book, account, as_of=as_of, known_at=known_at)
            spent.append(1_000 * (time.perf_counter() - begun))
        return spent

    def draw(self) -> float:
        """Milliseconds of a series of the hot account by the hour, up to the end of the book."""
        until = self._end
        since = until - timedelta(hours=_POINTS - 1)
        begun = time.perf_counter()
        self._runner.run(
            balance_history(self._connection, self._book, self._accounts[0], since=since, until=until, step="hour")
        )
        return 1_000 * (time.perf_counter() - begun)

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()


def _asked(spent: Iterable[float]) -> Asked:
    ordered = sorted(spent)
    return Asked(statistics.median(ordered), ordered[len(ordered) * 99 // 100])


def past(bench: Bench) -> list[Figure]:
    """Balances of the hot account, where a tenth of all that was posted is dated back, beside those of the crowd."""
    postings = bench.scale.past
    as_of = Figure(
        "as-of", f"a balance as of any time, as known at any, of {postings:,} postings", "ms", 1, at_most=True
    )
    series = Figure("series", f"a series of {_POINTS:,} points, of {postings:,} postings", "ms", 300, at_most=True)
    bench.tell("as-of: filling a book")
    book = bench.ground.new_book()
    with child(PastReader, bench.database, book, postings // LEGS, bench.next_seed()) as reader:
        for _ in bench.rounds("as-of"):
            hot, crowd = reader.call("ask", True), reader.call("ask", False)
            seen = {"p99 ms": hot.p99_ms, "ms in the crowd": crowd.median_ms, "p99 ms in the crowd": crowd.p99_ms}
            as_of.rounds.append(Round(hot.median_ms, seen=seen))
            series.rounds.append(Round(reader.call("draw")))
    return [as_of, series]
