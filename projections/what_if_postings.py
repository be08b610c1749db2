"""What-if of posting rules: the real history posted by other rules into a schema of its own, and what that changes.

Nothing is decided again: what happened stays what it was, and only what it does to accounts is another thing. So
accounts may come to stand where a decision would never have let them; the report names those.
"""

import time
from collections.abc import Iterator

import msgspec
from psycopg import sql

from ledger.accounts import Account
from ledger.events.event import Recorded
from ledger.journal import JournalEntry, Posting
from ledger.posting_rules import entry_for
from ledger.posting_rules.versions import PostingRules
from ledger.store import follow
from ledger.store.connection import Database, in_book
from projections.account_states import AccountStates
from projections.inline_state import InlineState
from projections.postings import Postings
from projections.projection import Target
from projections.replay import PAGE, PositionNotThere, Progress
from projections.scratch_schemas import Scratch, scratch_schema
from projections.trial_balance import Totals

EXAMPLES = 5

_HEAD = "SELECT position FROM {schema}.log_head"
# By other rules a closed account may have something on it, which is what somebody wants to know.
_LET_CLOSED_ACCOUNTS_BE = "ALTER TABLE {} DROP CONSTRAINT balances_closed_is_empty"


class Standing(msgspec.Struct, frozen=True):
    """Both sides of an account, and the balance on its normal side, in minor units."""

    debits: int
    credits: int
    balance: int


class AccountDiffers(msgspec.Struct, frozen=True):
    """An account that comes to something else; `difference` is what its balance would have more."""

    account: str
    kind: str
    currency: str
    then: Standing
    now: Standing
    difference: int


class EntryDiffers(msgspec.Struct, frozen=True):
    """An event that posts something else; no postings: it posts nothing."""

    position: int
    stream: str
    topic: str
    then: tuple[Posting, ...]
    now: tuple[Posting, ...]


class TotalsDiffer(msgspec.Struct, frozen=True):
    """All accounts of one currency, by the rules of then and by these."""

    then: Totals
    now: Totals


class PostingsReport(msgspec.Struct, frozen=True):
    """What other rules make of the history up to `position`.

    `beyond_limits`: accounts that would stand beyond limits which they keep, so that something would have been refused.
    `examples` are the first entries that differ, `topics` which events the rules are for.
    """

    book: str
    position: int
    topics: list[str]
    entries_then: int
    entries_now: int
    entries_differ: int
    examples: list[EntryDiffers]
    accounts: list[AccountDiffers]
    beyond_limits: list[str]
    trial_balance: dict[str, TotalsDiffer]
    seconds: float
    schema: str | None = None


def replay_postings(
    database: Database,
    book: str,
    rules: PostingRules,
    *,
    to: int | None = None,
    keep: str | None = None,
    progress: Progress = lambda done, total: None,
) -> PostingsReport:
    """Post the history by other rules; `postings` and `balances` of the schema `keep` hold it, if one is named.

    Raises RuleRefused for what does not balance, PositionNotThere, BadSchemaName, UnreadableEvent.
    """
    begun = time.monotonic()
    with scratch_schema(database, book, keep) as scratch:
        until = _until(scratch, book, to)
        work = _WhatIf(book, rules, scratch)
        for done in work.pages(until):
            progress(done, until)
        work.write(until)
        return work.report(until, time.monotonic() - begun, keep)


def _until(scratch: Scratch, book: str, to: int | None) -> int:
    ((head,),) = scratch.connection.execute(in_book(_HEAD, book)).fetchall()
    if to is not None and to > head:
        raise PositionNotThere(f"the log of {book} ends at {head}, and there is no position {to}")
    return head if to is None else to


class _WhatIf:
    """The same history, posted by the rules of then and by others."""

    def __init__(self, book: str, rules: PostingRules, scratch: Scratch) -> None:
        self._book, self._rules, self._scratch = book, rules, scratch
        self._then, self._now = AccountStates(), InlineState(scratch.schema, rules)
        self._postings = Postings(book, Target(scratch.schema), rules)
        self._entries_then = self._entries_now = self._differ = 0
        self._examples: list[EntryDiffers] = []

    def pages(self, until: int) -> Iterator[int]:
        """Post it in pages; how far each of them has come."""
        position, connection = 0, self._scratch.connection
        while position < until:
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit = off")
                page = follow.page(cursor, self._book, after=position, limit=min(PAGE, until - position))
                if not page:
                    raise AssertionError(f"the log of {self._book} ends at {position} and not at {until}")
                for recorded in page:
                    self._then.take(recorded.event)
                # In front of the view: it says at which position a rule was refused.
                self._now.project(page, cursor)
                self._postings.project(page, cursor)
                for recorded in page:
                    self._compare(recorded)
            position = page[-1].position
            yield position

    def _compare(self, recorded: Recorded) -> None:
        event = recorded.event
        then = entry_for(event)
        now = self._rules.entry_for(event) if type(event) in self._rules.others else then
        self._entries_then += then is not None
        self._entries_now += now is not None
        if then == now:
            return
        self._differ += 1
        if len(self._examples) < EXAMPLES:
            place = (recorded.position, recorded.stream, event.topic)
            self._examples.append(EntryDiffers(*place, _postings_of(then), _postings_of(now)))

    def write(self, until: int) -> None:
        """Write the balances, as they would be."""
        for account in self._now.accounts.values():
            account.outside = account.breaks_limits()
        balances = sql.Identifier(self._scratch.schema, "balances")
        with self._scratch.connection.transaction(), self._scratch.connection.cursor() as cursor:
            cursor.execute(sql.SQL(_LET_CLOSED_ACCOUNTS_BE).format(balances))
            self._now.write(cursor, until)

    def report(self, until: int, seconds: float, keep: str | None) -> PostingsReport:
        then, now = self._then.accounts, self._now.accounts
        names = sorted(name for name in now if _turnover(then.get(name)) != _turnover(now[name]))
        return PostingsReport(
            self._book,
            until,
            sorted(getattr(event, "topic", event.__name__) for event in self._rules.others),
            self._entries_then,
            self._entries_now,
            self._differ,
            self._examples,
            [_account_differs(then.get(name), now[name]) for name in names],
            [name for name in names if now[name].breaks_limits() and not (name in then and then[name].breaks_limits())],
            _totals_of(then, now),
            seconds,
            keep,
        )


def _postings_of(entry: JournalEntry | None) -> tuple[Posting, ...]:
    return () if entry is None else entry.postings


def _turnover(account: Account | None) -> tuple[int, int]:
    return (0, 0) if account is None else (account.posted_debits, account.posted_credits)


def _account_differs(then: Account | None, now: Account) -> AccountDiffers:
    before = 0 if then is None else then.balance
    return AccountDiffers(
        now.id,
        str(now.kind),
        now.currency,
        Standing(*_turnover(then), before),
        Standing(*_turnover(now), now.balance),
        now.balance - before,
    )


def _totals_of(then: dict[str, Account], now: dict[str, Account]) -> dict[str, TotalsDiffer]:
    found: dict[str, TotalsDiffer] = {}
    for accounts, side in ((then, "then"), (now, "now")):
        for account in accounts.values():
            totals = getattr(found.setdefault(account.currency, TotalsDiffer(Totals(), Totals())), side)
            totals.debits += account.posted_debits
            totals.credits += account.posted_credits
            totals.difference += account.posted_debits - account.posted_credits
    return dict(sorted(found.items()))
