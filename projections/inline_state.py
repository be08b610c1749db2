"""Inline state: what stands beside the log for decisions, made from the log alone: balances, references, periods."""

from datetime import datetime
from typing import Any

from psycopg.sql import SQL, Identifier

from ledger.events.entries import EntryPosted
from ledger.events.event import Event
from ledger.events.holds import HoldPlaced
from ledger.events.periods import PeriodClosed, PeriodReopened
from ledger.events.transfers import TransferPosted
from ledger.posting_rules.versions import OURS, PostingRules, RuleRefused
from projections.account_states import AccountStates
from projections.projection import Page, Writing

_BALANCES = """
COPY {balances} (account, kind, currency, min_balance, max_balance, status, protected, outside_limits,
                 posted_debits, posted_credits, pending_debits, pending_credits, last_position) FROM STDIN
"""
_REFERENCES = "COPY {entry_references} (reference, entry) FROM STDIN"
_PERIODS = "INSERT INTO {closed_periods} (period) SELECT * FROM unnest(%s::text[])"


class InlineState:
    """The inline state of a book after the events that were projected so far; balances are kept in memory."""

    tables = ("balances", "entry_references", "closed_periods")

    def __init__(self, schema: str, rules: PostingRules = OURS) -> None:
        """`schema` is written to."""
        self._states = AccountStates(rules)
        self.accounts = self._states.accounts
        self.closed_periods: set[str] = set()
        # account -> the event that changed it last, and the last one that was recorded at the same time: the batch
        # that both stand in ended at one of them, or between them.
        self.changed: dict[str, tuple[int, int]] = {}
        self._changed_now: dict[str, int] = {}
        self._now: datetime | None = None
        self._tables = {table: Identifier(schema, table) for table in self.tables}

    def project(self, page: Page, cursor: Writing) -> None:
        """Take these events, which follow on those before. Raises RuleRefused, with the position."""
        references: list[tuple[str, str]] = []
        for recorded in page:
            event = recorded.event
            if recorded.recorded_at != self._now:
                self._end_moment(recorded.position - 1)
                self._now = recorded.recorded_at
            try:
                for account in self._states.take(event):
                    self._changed_now[account] = recorded.position
            except RuleRefused as refused:
                raise RuleRefused(f"position {recorded.position}: {refused}") from refused
            if (reference := _reference_of(event)) is not None:
                references.append((reference, recorded.stream))
            match event:
                case PeriodClosed():
                    self.closed_periods.add(event.period)
                case PeriodReopened():
                    self.closed_periods.discard(event.period)
        if references:
            self._copy(cursor, _REFERENCES, references)

    def write(self, cursor: Writing, until: int) -> None:
        """Write what is kept in memory; `until` is the position of the last event that was taken."""
        self._end_moment(until)
        rows = []
        for name, account in self.accounts.items():
            limits = (account.min_balance, account.max_balance, str(account.status), account.protected, account.outside)
            last = self.changed.get(name, (0, 0))[1]
            rows.append((name, str(account.kind), account.currency, *limits, *account.turnover(), last))
        self._copy(cursor, _BALANCES, rows)
        cursor.execute(SQL(_PERIODS).format(**self._tables), (sorted(self.closed_periods),))

    def _end_moment(self, position: int) -> None:
        for account, changed in self._changed_now.items():
            self.changed[account] = changed, position
        self._changed_now.clear()

    def _copy(self, cursor: Writing, statement: str, rows: list[tuple[Any, ...]]) -> None:
        with cursor.copy(SQL(statement).format(**self._tables)) as sink:
            for row in rows:
                sink.write_row(row)


def _reference_of(event: Event) -> str | None:
    return event.reference if isinstance(event, TransferPosted | EntryPosted | HoldPlaced) else None
