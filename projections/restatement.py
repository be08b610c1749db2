"""Restatement: what has changed about a month since it was reported, and which entries changed it?

Nothing that is recorded changes. So the difference is what was recorded since the report and takes effect before the
month is over: within the month it changes its turnover, before the month what was brought forward into it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection

from ledger.accounts import DEBIT_NORMAL
from ledger.errors import FieldInvalid
from ledger.events.entries import ReversalPosted
from ledger.events.event import Recorded
from ledger.journal import JournalEntry, Posting
from ledger.periods import begin_of, end_of
from ledger.posting_rules import effective_at, entry_for
from projections import past_postings
from projections.accounts import Listed
from projections.entries import Words, looked_through, words_of
from projections.freshness import KnownAt, position_known_at, seen_by
from projections.postings import Postings
from projections.turnover import Turnover


class Restated(msgspec.Struct, frozen=True):
    """A number as it was reported, as it is known now, and how much it has changed; minor units."""

    then: int
    now: int
    difference: int


class RestatedAccount(msgspec.Struct, frozen=True):
    """An account that has changed: both sides of the month's turnover, and its balances on the normal side."""

    account: str
    kind: str
    currency: str
    opening_balance: Restated
    debits: Restated
    credits: Restated
    closing_balance: Restated


class RestatingEntry(msgspec.Struct, frozen=True):
    """An entry that was recorded since the report: what it posts, who recorded it, and why.

    One that takes effect before the month changes what was brought forward into it, and not its turnover.
    """

    position: int
    id: str
    topic: str
    takes_effect: Literal["in_period", "before_period"]
    effective_at: datetime
    recorded_at: datetime
    postings: tuple[Posting, ...]
    reverses: str | None
    reference: str | None
    why: str
    who: str
    key: str


class Restatement(msgspec.Struct, frozen=True):
    """What is known at `position` about a month that was reported at `reported_position`.

    `accounts` are all that have changed, and None behind the first page; the list of entries goes on after `next`.
    """

    period: str
    reported_position: int
    position: int
    accounts: list[RestatedAccount] | None
    entries: list[RestatingEntry]
    next: int | None


async def restatement(
    connection: AsyncConnection[Any],
    book: str,
    period: str,
    *,
    reported_at: int | datetime,
    known_at: KnownAt = None,
    after: int | None = None,
    limit: int = 100,
) -> Restatement:
    """What has changed about a month (`2026-03`, UTC) between `reported_at` and `known_at`, entries behind `after`.

    Raises PositionNotReached and NotCaughtUp for what the log or the view does not have, and FieldInvalid for a report
    that was made later than it is looked back at.
    """
    position = await seen_by(connection, book, (Postings.name,), known_at)
    reported = await position_known_at(connection, book, reported_at)
    if reported > position:
        raise FieldInvalid("It was reported later than it is looked back at.", pointer="/query/reported_at")
    begin, end = begin_of(period), end_of(period)
    changed = None
    if after is None:
        changed = await _accounts(connection, book, begin, end, reported, position)
    facts, following = await looked_through(
        connection, book, until=end, after=max(reported, after or 0), limit=limit, known_at=position
    )
    words = await words_of(connection, book, facts)
    listed = [_entry(fact, words[fact.position], begin) for fact in facts]
    return Restatement(period, reported, position, changed, listed, following)


async def _accounts(
    connection: AsyncConnection[Any], book: str, begin: datetime, end: datetime, reported: int, position: int
) -> list[RestatedAccount]:
    """Every account with a difference, each number by the way that answers for balances of the past."""
    moved = await past_postings.accounts_moved(connection, book, before=end, after=reported, known_at=position)
    names = [one.account for one in moved]
    standing = [
        await past_postings.turnover_of_all(connection, book, moment, known, names)
        for known in (reported, position)
        for moment in (begin, end)
    ]
    nothing = Turnover()
    return [_account(one, [at.get(one.account, nothing) for at in standing]) for one in moved]


def _account(listed: Listed, standing: Sequence[Turnover]) -> RestatedAccount:
    """`standing` is before the month and at its end as reported, and both as known now."""
    opened_then, closed_then, opened_now, closed_now = standing
    sign = 1 if listed.kind in DEBIT_NORMAL else -1

    def balance(turnover: Turnover) -> int:
        return sign * (turnover.debits - turnover.credits)

    return RestatedAccount(
        account=listed.account,
        kind=listed.kind,
        currency=listed.currency,
        opening_balance=_restated(balance(opened_then), balance(opened_now)),
        debits=_restated(closed_then.debits - opened_then.debits, closed_now.debits - opened_now.debits),
        credits=_restated(closed_then.credits - opened_then.credits, closed_now.credits - opened_now.credits),
        closing_balance=_restated(balance(closed_then), balance(closed_now)),
    )


def _restated(then: int, now: int) -> Restated:
    return Restated(then, now, now - then)


def _entry(fact: Recorded, words: Words, begin: datetime) -> RestatingEntry:
    event, metadata = fact.event, fact.metadata
    effect = effective_at(event, fact.recorded_at)
    posted = entry_for(event) or JournalEntry(())
    return RestatingEntry(
        position=fact.position,
        id=fact.entry_id,
        topic=event.topic,
        takes_effect="in_period" if effect >= begin else "before_period",
        effective_at=effect,
        recorded_at=fact.recorded_at,
        postings=posted.postings,
        reverses=event.reverses if isinstance(event, ReversalPosted) else None,
        reference=words.reference,
        why=metadata.reason or words.description or "",
        who=metadata.actor,
        key=metadata.key,
    )
