"""Statements: what moved on this account, in the order of its effect, and what did it hold after each line?

A line's balance holds what took effect until then, also what was recorded later and dated back, as far as it is known.
"""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from ledger.accounts import DEBIT_NORMAL
from ledger.journal import Direction
from ledger.store import read
from ledger.store.positions import events_at
from projections import past_postings
from projections.dated_back import DatedBack
from projections.entries import words_of
from projections.freshness import KnownAt, seen_by
from projections.moments import BEGINNING, END
from projections.postings import Postings
from projections.turnover import Place

STATEMENT_VIEWS = (Postings.name, DatedBack.name)
"""What a statement is read from."""


class StatementLine(msgspec.Struct, frozen=True):
    """One posting. `balance_after` is on the normal side of the account's kind; amounts in minor units."""

    entry_id: str
    position: int
    effective_at: datetime
    recorded_at: datetime
    direction: Direction
    amount: int
    balance_after: int
    description: str | None
    reference: str | None


class Statement(msgspec.Struct, frozen=True):
    """Lines of an account as it is known at `position`, oldest first, behind what it held before them.

    The next page is asked for with `after=next` and `known_at=position`; `next` is None at the end.
    """

    account: str
    currency: str
    opening_balance: int
    lines: list[StatementLine]
    closing_balance: int
    position: int
    next: Place | None


async def statement(
    connection: AsyncConnection[Any],
    book: str,
    account: str,
    *,
    since: datetime = BEGINNING,
    until: datetime = END,
    known_at: KnownAt = None,
    after: Place | None = None,
    limit: int = 100,
) -> Statement | None:
    """What took effect on the account in [since, until), as it was known at `known_at`, behind a place of the list.

    None for an account that does not exist. Raises PositionNotReached and NotCaughtUp for a `known_at` that the log or
    the view does not have.
    """
    found = await read.account(connection, book, account)
    if found is None:
        return None
    position = await seen_by(connection, book, STATEMENT_VIEWS, known_at)
    begin = max(after or Place(since), Place(since))
    sign = 1 if found.account.kind in DEBIT_NORMAL else -1
    before = await past_postings.turnover_until(connection, book, account, begin, position)
    rows = await past_postings.lines(
        connection, book, account, after=begin, until=until, known_at=position, limit=limit + 1
    )
    rows, more = rows[:limit], rows[limit:]
    events = {fact.position: fact for fact in await events_at(connection, book, sorted({row.position for row in rows}))}
    words = await words_of(connection, book, list(events.values()))
    opening = balance = sign * (before.debits - before.credits)
    lines = []
    for row in rows:
        balance += sign * (row.amount if row.is_debit else -row.amount)
        said = words[row.position]
        lines.append(
            StatementLine(
                entry_id=events[row.position].entry_id,
                position=row.position,
                effective_at=row.effective_at,
                recorded_at=row.recorded_at,
                direction=Direction.DEBIT if row.is_debit else Direction.CREDIT,
                amount=row.amount,
                balance_after=balance,
                description=said.description,
                reference=said.reference,
            )
        )
    last = Place(rows[-1].effective_at, rows[-1].position, rows[-1].leg) if more else None
    return Statement(account, found.account.currency, opening, lines, balance, position, last)
