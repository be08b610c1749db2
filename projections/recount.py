"""Recount: are the inline balances what the log alone makes of them? It says where not, and changes nothing."""

import time
from collections.abc import Callable

import msgspec
from psycopg import Connection

from ledger.accounts import Account
from ledger.store import follow
from ledger.store.connection import Database, in_book
from projections.account_states import AccountStates

PAGE = 5_000

Progress = Callable[[int, int], None]

_FIELDS = (
    "kind",
    "currency",
    "min_balance",
    "max_balance",
    "status",
    "protected",
    "posted_debits",
    "posted_credits",
    "pending_debits",
    "pending_credits",
)
# One statement, so that the balances are those of this position.
_STORED = """
SELECT h.position, b.account, b.kind, b.currency, b.min_balance, b.max_balance, b.status, b.protected,
       b.posted_debits, b.posted_credits, b.pending_debits, b.pending_credits
  FROM {schema}.log_head AS h LEFT JOIN {schema}.balances AS b ON true
"""


class Difference(msgspec.Struct, frozen=True):
    """A value that the log makes otherwise; None where an account is missing on one side, or has no such limit."""

    account: str
    field: str
    stored: str | int | bool | None
    recounted: str | int | bool | None


class RecountReport(msgspec.Struct, frozen=True):
    """The balances of `position` against its events; an empty list says that they are right."""

    book: str
    position: int
    accounts: int
    seconds: float
    differences: list[Difference]

    @property
    def is_equal(self) -> bool:
        return not self.differences


def compare_balances(database: Database, book: str, *, progress: Progress = lambda done, total: None) -> RecountReport:
    """Add up the whole log in memory and compare the balances that were stored with it."""
    begun = time.monotonic()
    with database.connect() as connection:
        rows = connection.execute(in_book(_STORED, book)).fetchall()
        position: int = rows[0][0]
        stored = {row[1]: Account(*row[1:]) for row in rows if row[1] is not None}
        recounted = _recount(connection, book, position, progress)
    differences = [
        difference
        for name in sorted(stored.keys() | recounted.keys())
        for difference in _differences(name, stored.get(name), recounted.get(name))
    ]
    return RecountReport(book, position, len(recounted), time.monotonic() - begun, differences)


def _recount(connection: Connection, book: str, until: int, progress: Progress) -> dict[str, Account]:
    """Every account as the log alone makes it up to a position, from zero."""
    states, position = AccountStates(), 0
    with connection.cursor() as cursor:
        while position < until:
            page = follow.page(cursor, book, after=position, limit=min(PAGE, until - position))
            for recorded in page:
                states.take(recorded.event)
            position = page[-1].position
            progress(position, until)
    return states.accounts


def _differences(name: str, stored: Account | None, recounted: Account | None) -> list[Difference]:
    pairs = ((field, getattr(stored, field, None), getattr(recounted, field, None)) for field in _FIELDS)
    return [Difference(name, field, one, other) for field, one, other in pairs if one != other]
