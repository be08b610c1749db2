"""Trial balance: do all accounts together sum to zero, in each currency, now and at any time before?"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from ledger.accounts import DEBIT_NORMAL
from ledger.store.connection import in_book
from projections import accounts, past_postings
from projections.freshness import KnownAt, seen_by
from projections.moments import END, just_after
from projections.postings import Postings
from projections.turnover import Turnover

# One statement, so that all balances are those of one position.
_NOW = """
SELECT h.position, b.account, b.kind, b.currency, b.posted_debits, b.posted_credits
  FROM {schema}.log_head AS h
  LEFT JOIN {schema}.balances AS b ON true
 ORDER BY b.account
"""


class Totals(msgspec.Struct):
    """All accounts of one currency, in minor units; the difference is zero, or the books are wrong."""

    debits: int = 0
    credits: int = 0
    difference: int = 0


class Row(msgspec.Struct, frozen=True):
    """One account: both sides, and the balance on its normal side, in minor units."""

    account: str
    kind: str
    currency: str
    debits: int
    credits: int
    balance: int


class TrialBalance(msgspec.Struct, frozen=True):
    """Every account that was there, as it is known at `position`."""

    currencies: dict[str, Totals]
    accounts: list[Row]
    position: int


async def trial_balance(
    connection: AsyncConnection[Any], book: str, *, as_of: datetime | None = None, known_at: KnownAt = None
) -> TrialBalance:
    """All balances with what took effect until `as_of` (and at it), as it was known at `known_at`.

    Raises PositionNotReached and NotCaughtUp for a `known_at` that the log or the view does not have.
    """
    if as_of is None and known_at is None:
        rows = await (await connection.execute(in_book(_NOW, book))).fetchall()
        return _drawn_up((_row(*row[1:]) for row in rows if row[1] is not None), rows[0][0])
    position = await seen_by(connection, book, (Postings.name,), known_at)
    before = END if as_of is None else just_after(as_of)
    turnover = await past_postings.turnover_of_all(connection, book, before, position)
    listed = await accounts.opened_until(connection, book, position)
    nothing = Turnover()
    return _drawn_up(
        (_row(one.account, one.kind, one.currency, *turnover.get(one.account, nothing)) for one in listed), position
    )


def _row(account: str, kind: str, currency: str, debits: int, credits_: int) -> Row:
    balance = debits - credits_ if kind in DEBIT_NORMAL else credits_ - debits
    return Row(account, kind, currency, debits, credits_, balance)


def _drawn_up(rows: Iterable[Row], position: int) -> TrialBalance:
    listed, currencies = list(rows), dict[str, Totals]()
    for row in listed:
        totals = currencies.setdefault(row.currency, Totals())
        totals.debits += row.debits
        totals.credits += row.credits
        totals.difference += row.debits - row.credits
    return TrialBalance(dict(sorted(currencies.items())), listed, position)
