"""Balances: how much does this account hold, now or as of a past time, as it is known now or as it was known then?

Now: the inline balances, which are the log's own. Then: from postings and the history of what was pending.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from ledger.accounts import Account
from ledger.store import read
from ledger.store.positions import position_before
from projections import holds, past_postings
from projections.dated_back import DatedBack
from projections.freshness import KnownAt, seen_by
from projections.holds import Holds
from projections.moments import just_after
from projections.postings import Postings
from projections.turnover import Place


class Posted(msgspec.Struct, frozen=True):
    """Both sides, and the balance on the normal side of the account's kind; minor units."""

    debits: int
    credits: int
    balance: int


class Pending(msgspec.Struct, frozen=True):
    """What holds have set aside and announced; minor units."""

    debits: int
    credits: int


class Balance(msgspec.Struct, frozen=True):
    """An account's balance as it is known at `position`. `available` is the balance less what is pending against it."""

    account: str
    currency: str
    posted: Posted
    pending: Pending
    available: int
    position: int


PAST_VIEWS = (Postings.name, DatedBack.name, Holds.name)
"""What a balance of the past is read from."""


async def balance(
    connection: AsyncConnection[Any],
    book: str,
    account: str,
    *,
    as_of: datetime | None = None,
    known_at: KnownAt = None,
) -> Balance | None:
    """The balance of an account with what took effect until `as_of` (and at it), as it was known at `known_at`.

    None for an account that does not exist. Raises PositionNotReached and NotCaughtUp for a `known_at` that the log or
    the views do not have.
    """
    found = await read.account(connection, book, account)
    if found is None:
        return None
    if as_of is None and known_at is None:
        return _balance_of(found.account, found.position)
    position = await seen_by(connection, book, PAST_VIEWS, known_at)
    pending_until = position
    if as_of is None:
        turnover = await past_postings.turnover_known_at(connection, book, account, position)
    else:
        until = just_after(as_of)
        settled = await position_before(connection, book, until)
        turnover = await past_postings.turnover_until(connection, book, account, Place(until), position, settled)
        # A hold counts from when it was recorded.
        pending_until = min(position, settled)
    pending_debits, pending_credits = await holds.pending_at(connection, book, account, pending_until)
    then = Account(
        found.account.id,
        found.account.kind,
        found.account.currency,
        posted_debits=turnover.debits,
        posted_credits=turnover.credits,
        pending_debits=pending_debits,
        pending_credits=pending_credits,
    )
    return _balance_of(then, position)


async def balances(
    connection: AsyncConnection[Any],
    book: str,
    accounts: Sequence[str],
    *,
    as_of: datetime | None = None,
    known_at: KnownAt = None,
) -> tuple[list[Balance | None], int]:
    """The balances of these accounts, as `balance` tells them, and the position at which they are known.

    In a snapshot, or they are not of the same moment.
    """
    found = [await balance(connection, book, account, as_of=as_of, known_at=known_at) for account in accounts]
    if as_of is None and known_at is None:
        position, _ = await read.head(connection, book)
        return found, position
    return found, await seen_by(connection, book, PAST_VIEWS, known_at)


def _balance_of(account: Account, position: int) -> Balance:
    return Balance(
        account.id,
        account.currency,
        Posted(account.posted_debits, account.posted_credits, account.balance),
        Pending(account.pending_debits, account.pending_credits),
        account.available,
        position,
    )
