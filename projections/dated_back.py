"""Dated back: how much of what an account's past holds was recorded later, up to any effect and any position?

Postings that took effect before they were recorded, numbered in the order of positions, are sums over two orders at
once: by effect up to a moment, by number up to a position. So they stand a second time in blocks that are sorted by
effect, and any first n of them are a few whole blocks and a rest:

    level 3   [ 16,384 of them, sorted by effect, with running sums ] …    one look into each
    level 2                                        [ 1,024 ] … at most 15
    level 1                                                 [ 64 ] … at most 15
    one by one                                                      at most 63

A block is written when its last posting is there, and never changed.
"""

from typing import LiteralString

from ledger.events.event import Recorded
from ledger.events.transfers import TransferPosted
from ledger.journal import Direction
from ledger.posting_rules import effective_at, entry_for
from projections.projection import LIVE, Page, Projection, Target, Writing

# Level -> how many postings a block of it has; each is a multiple of the one below. A further level would save looks
# only where a single account has millions dated back, and make one page sort a second's worth of them.
LEVELS = {1: 64, 2: 1_024, 3: 16_384}

_COPY = """
COPY {dated_back} (account, position, leg, number, is_debit, amount, late_debits, late_credits, effective_at)
FROM STDIN
"""
_LAST = """
SELECT wanted.account, last.number, last.late_debits, last.late_credits
  FROM unnest(%b::text[]) AS wanted (account)
 CROSS JOIN LATERAL (
       SELECT number, late_debits, late_credits FROM {dated_back} AS d
        WHERE d.account = wanted.account ORDER BY position DESC, leg DESC LIMIT 1) AS last
"""
# A block is the last so many postings up to the one that completed it.
_SORT_BLOCKS = """
INSERT INTO {dated_back_blocks} (account, level, block, effective_at, position, leg, block_debits, block_credits)
SELECT whole.account, whole.level, whole.block, late.effective_at, late.position, late.leg,
       coalesce(sum(late.amount) FILTER (WHERE late.is_debit) OVER in_effect, 0)::bigint,
       coalesce(sum(late.amount) FILTER (WHERE NOT late.is_debit) OVER in_effect, 0)::bigint
  FROM unnest(%b::text[], %b::smallint[], %b::bigint[], %b::bigint[], %b::smallint[], %b::bigint[])
       AS whole (account, level, block, position, leg, size)
 CROSS JOIN LATERAL (
       SELECT effective_at, position, leg, is_debit, amount FROM {dated_back} AS d
        WHERE d.account = whole.account AND (d.position, d.leg) <= (whole.position, whole.leg)
        ORDER BY d.position DESC, d.leg DESC LIMIT whole.size) AS late
WINDOW in_effect AS (PARTITION BY whole.account, whole.level, whole.block
                     ORDER BY late.effective_at, late.position, late.leg)
"""

# --- writing


class DatedBack(Projection):
    """Every posting that took effect before it was recorded, one by one and in sorted blocks."""

    name = "dated_back"
    version = 1
    tables = ("dated_back", "dated_back_blocks")
    growing = ("dated_back",)

    MOST_ACCOUNTS_REMEMBERED = 100_000

    def __init__(self, book: str, target: Target = LIVE) -> None:
        super().__init__(book, target)
        # account -> [how many were dated back, their debits, their credits], minor units
        self._late: dict[str, list[int]] = {}

    def forget(self) -> None:
        self._late.clear()

    def project(self, page: Page, cursor: Writing) -> None:
        facts = [recorded for recorded in page if _is_dated_back(recorded)]
        if not facts:
            return
        entries = [(recorded, entry) for recorded in facts if (entry := entry_for(recorded.event))]
        self._recall({posting.account for _, entry in entries for posting in entry.postings}, cursor)
        # account, level, block, position and leg of the posting that completed it, size
        whole: list[tuple[str, int, int, int, int, int]] = []
        with cursor.copy(self.statement(_COPY)) as sink:
            for recorded, entry in entries:
                effect, position = effective_at(recorded.event, recorded.recorded_at), recorded.position
                for leg, posting in enumerate(entry.postings):
                    account, is_debit = posting.account, posting.direction == Direction.DEBIT
                    late = self._late.setdefault(account, [0, 0, 0])
                    late[0] += 1
                    late[1 if is_debit else 2] += posting.amount
                    number, debits, credits_ = late
                    row = (account, position, leg, number, is_debit, posting.amount, debits, credits_, effect)
                    sink.write_row(row)
                    for level, size in LEVELS.items():
                        if number % size == 0:
                            whole.append((account, level, number // size - 1, position, leg, size))
        if whole:
            cursor.execute(self.statement(_SORT_BLOCKS), [list(column) for column in zip(*whole, strict=True)])

    def _recall(self, accounts: set[str], cursor: Writing) -> None:
        if len(self._late) > self.MOST_ACCOUNTS_REMEMBERED:
            self.forget()
        unknown = sorted(accounts - self._late.keys())
        if unknown:
            rows = cursor.execute(self.statement(_LAST), (unknown,), binary=True).fetchall()
            self._late |= {account: list(late) for account, *late in rows}


def _is_dated_back(recorded: Recorded) -> bool:
    event = recorded.event
    if type(event) is TransferPosted and event.effective_at is None:  # The commonest event by far.
        return False
    return effective_at(event, recorded.recorded_at) < recorded.recorded_at


# --- reading

# All that is late at a moment is what took effect until then, of all that is known; less what was recorded before the
# moment, for that is settled: it took effect before it as well. Blocks of a level are taken from where the whole ones
# of the next level end. (The sizes stand here in digits, and the blocks go through an array, so that PostgreSQL does
# not expect thousands of them: then it would plan anew for each account, which takes longer than the look.)
COUNT_LATE: LiteralString = """
WITH known AS (
    SELECT coalesce(max(number), 0) AS count
      FROM (SELECT number FROM {schema}.dated_back
             WHERE account = %(account)s AND position <= %(known_at)s
             ORDER BY position DESC, leg DESC LIMIT 1) AS last),
whole AS (
    SELECT level, block
      FROM known,
           (VALUES (1::smallint, 64, 1024), (2, 1024, 16384), (3, 16384, 4611686018427387904))
           AS of (level, size, larger),
           unnest(ARRAY(SELECT generate_series((count - count %% larger) / size, count / size - 1))) AS block)
"""
"""Goes before a statement that holds `LATE_PARTS`."""
LATE_PARTS: LiteralString = """
        SELECT block_debits AS debits, block_credits AS credits
          FROM whole CROSS JOIN LATERAL (
               SELECT block_debits, block_credits
                 FROM {schema}.dated_back_blocks AS b
                WHERE b.account = %(account)s AND b.level = whole.level AND b.block = whole.block
                  AND (b.effective_at, b.position, b.leg)
                      <= (%(moment)s::timestamptz, %(position)s::bigint, %(leg)s::smallint)
                ORDER BY b.effective_at DESC, b.position DESC, b.leg DESC LIMIT 1) AS up_to
        UNION ALL
        SELECT CASE WHEN is_debit THEN amount ELSE 0 END, CASE WHEN is_debit THEN 0 ELSE amount END
          FROM (SELECT is_debit, amount, effective_at, position, leg
                  FROM {schema}.dated_back
                 WHERE account = %(account)s AND position <= %(known_at)s
                 ORDER BY position DESC, leg DESC
                 LIMIT (SELECT count %% 64 FROM known)) AS rest
         WHERE (effective_at, position, leg) <= (%(moment)s::timestamptz, %(position)s::bigint, %(leg)s::smallint)
        UNION ALL
        (SELECT -late_debits, -late_credits
           FROM {schema}.dated_back
          WHERE account = %(account)s AND position <= %(settled)s
          ORDER BY position DESC, leg DESC LIMIT 1)
"""
"""Debits and credits that together are what was recorded behind the position `settled`, up to `known_at`, with effect
up to and with a place; `settled` is the last position before the place's moment, or `known_at` if that is less."""
