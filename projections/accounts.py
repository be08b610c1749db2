"""Accounts: which accounts are there, with which rules, and since when?

No table of its own: an account's rules stand with its balance, its name in the first event of its stream, and both are
as fresh as the log.
"""

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from ledger.store import read
from ledger.store.connection import in_book
from ledger.store.read import OpenedAccount


class AccountView(msgspec.Struct, frozen=True):
    """An account and its rules as they stand at `position`. Limits on the normal side, minor units; None: no limit."""

    id: str
    name: str
    kind: str
    currency: str
    min_balance: int | None
    max_balance: int | None
    status: str
    metadata: dict[str, str]
    opened_at: datetime
    position: int


class Listed(msgspec.Struct, frozen=True):
    """What of an account never changes."""

    account: str
    kind: str
    currency: str


async def account(connection: AsyncConnection[Any], book: str, name: str) -> AccountView | None:
    """The account with this id."""
    found = await read.account(connection, book, name)
    return None if found is None else _view(found)


async def accounts(
    connection: AsyncConnection[Any], book: str, *, after: str = "", limit: int = 100
) -> list[AccountView]:
    """Accounts in the order of their ids, behind the id `after`."""
    return [_view(found) for found in await read.accounts(connection, book, after=after, limit=limit)]


def _view(found: OpenedAccount) -> AccountView:
    standing, opening = found.account, found.opening
    return AccountView(
        id=standing.id,
        name=opening.name,
        kind=standing.kind,
        currency=standing.currency,
        min_balance=standing.min_balance,
        max_balance=standing.max_balance,
        status=standing.status,
        metadata=opening.metadata,
        opened_at=found.opened_at,
        position=found.position,
    )


_OPENED_UNTIL = """
SELECT b.account, b.kind, b.currency
  FROM {schema}.balances AS b
  JOIN {schema}.events AS e ON e.originator_id = 'account/' || b.account AND e.originator_version = 1
 WHERE e.notification_id <= %s
 ORDER BY b.account
"""


async def opened_until(connection: AsyncConnection[Any], book: str, position: int) -> list[Listed]:
    """All accounts that were there at a position, in the order of their ids."""
    cursor = await connection.execute(in_book(_OPENED_UNTIL, book), (position,))
    return [Listed(*row) for row in await cursor.fetchall()]
