"""Replay comparison: what a replay has made against what the live book held at one moment, table by table.

Where both stand at the same position, all rows are compared. Where the live book is further, it is asked for its past:
rows that are never changed and say their position, balances and trial balance as they are known at it.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec
from psycopg import Connection, sql
from psycopg.sql import Composed

from ledger.store.connection import in_book
from projections import row_comparison
from projections.holds import Holds
from projections.inline_state import InlineState
from projections.postings import Postings
from projections.projection import Projection
from projections.row_comparison import EXAMPLES
from projections.scratch_schemas import Scratch
from projections.trial_balance import Totals

_ALL = "SELECT * FROM {}"
_UP_TO = "SELECT * FROM {} WHERE position <= {}"
# Without last_position: where a batch ended does not stand in the log.
_BALANCES = """
SELECT account, kind, currency, min_balance, max_balance, status, protected, outside_limits,
       posted_debits, posted_credits, pending_debits, pending_credits FROM {}
"""
_LAST_POSITIONS = "SELECT account, last_position FROM {schema}.balances ORDER BY account"
_REFERENCES_UP_TO = """
SELECT r.* FROM {} AS r
  JOIN {} AS e ON e.originator_id = r.entry AND e.originator_version = 1 AND e.notification_id <= {}
"""
# Accounts that were opened until then, with what the views say of them.
_KNOWN_AT = """
SELECT b.account, b.kind, b.currency, b.protected,
       coalesce(p.posted_debits, 0), coalesce(p.posted_credits, 0),
       coalesce(t.pending_debits, 0), coalesce(t.pending_credits, 0)
  FROM {schema}.balances AS b
  JOIN {schema}.events AS e ON e.originator_id = 'account/' || b.account AND e.originator_version = 1
  LEFT JOIN LATERAL (
       SELECT posted_debits, posted_credits FROM {schema}.postings AS p
        WHERE p.account = b.account AND p.position <= %(position)s
        ORDER BY position DESC, leg DESC LIMIT 1) AS p ON true
  LEFT JOIN LATERAL (
       SELECT pending_debits, pending_credits FROM {schema}.pending_turnover AS t
        WHERE t.account = b.account AND t.position <= %(position)s
        ORDER BY position DESC LIMIT 1) AS t ON true
 WHERE e.notification_id <= %(position)s
"""
_TOTALS = "SELECT currency, sum(posted_debits)::bigint, sum(posted_credits)::bigint FROM {schema}.balances GROUP BY 1"
_TABLES = "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind = 'r' ORDER BY relname"

_ALL_ROWS = "all rows"
_ROWS_UP_TO = "its rows up to there, of more"
_AS_KNOWN = "as it is known at that position"

_ANSWERS = "what was answered to callers, which the log does not tell"
_THE_LOG = "the log and its seal, which `ledger verify` looks at"
_WORK = "a list of work of the worker, and what became of it"
_WHY_NOT = {
    "events": "the log itself: it is what was replayed",
    **dict.fromkeys(("log_head", "new_leaves", "sealer", "tiles", "checkpoints", "cosignatures"), _THE_LOG),
    **dict.fromkeys(("idempotency_keys", "late_answers"), _ANSWERS),
    **dict.fromkeys(("process_checkpoints", "channel_calls", "one_time_codes"), _WORK),
    **dict.fromkeys(("webhook_endpoints", "webhook_deliveries", "payer_letters", "letter_wishes"), _WORK),
    "report_file_contents": "files as they came: the log has what was read from them",
    "subject_keys": "keys of personal data, which the log does not hold",
    "access_log": "who read what, which is no fact of the books",
    "projection_checkpoints": "where the live views stand; each was compared there",
    "schema_migrations": "which migrations were applied",
}
NOT_KNOWN = "nobody has said what it is made from"
_ONLY_NOW = "only its rows of now are kept, and the live book is further"
_VIEWS_BEHIND = "the live views have not come so far"


class Seen(msgspec.Struct, frozen=True):
    """The live book as a snapshot sees it: where its log ends, and where its views stand."""

    book: str
    schema: str
    connection: Connection
    head: int
    places: Mapping[str, int]


class TableCompared(msgspec.Struct, frozen=True):
    """One table, live and replayed, both as of `position`; up to five rows that only one of them has.

    `by` says what was compared of it.
    """

    table: str
    position: int
    by: str
    live_rows: int
    replayed_rows: int
    is_equal: bool
    only_live: tuple[str, ...] = ()
    only_replayed: tuple[str, ...] = ()


class TrialBalances(msgspec.Struct, frozen=True):
    """All accounts of one currency, live and replayed."""

    live: Totals
    replayed: Totals

    @property
    def is_equal(self) -> bool:
        return self.live == self.replayed


_Known = tuple[str, str, str, bool, int, int, int, int]
"""Account, kind, currency, protected, posted debits and credits, pending debits and credits."""


class Comparison:
    """Compares the tables of a replay with those of a snapshot."""

    def __init__(self, scratch: Scratch, inline: InlineState) -> None:
        self._connection, self._schema, self._inline = scratch.connection, scratch.schema, inline
        self._known: list[_Known] = []

    def view(self, seen: Seen, view: Projection, position: int) -> Iterator[TableCompared]:
        """The tables of a view that was replayed up to a position; those that cannot be compared there are left out."""
        is_past = position < seen.places.get(view.name, 0)
        for table in view.tables:
            live, replayed = sql.Identifier(seen.schema, table), sql.Identifier(self._schema, table)
            if not is_past:
                rows = sql.SQL(_ALL).format(live)
            elif table in view.growing:
                rows = sql.SQL(_UP_TO).format(live, position)
            else:
                continue
            by = _ROWS_UP_TO if is_past else _ALL_ROWS
            yield self._compared(seen, table, position, by, rows, sql.SQL(_ALL).format(replayed))

    def inline(self, seen: Seen, until: int) -> Iterator[TableCompared]:
        """Balances, references and periods, as far as the live book tells them of this position."""
        live = {table: sql.Identifier(seen.schema, table) for table in (*InlineState.tables, "events")}
        replayed = {table: sql.Identifier(self._schema, table) for table in InlineState.tables}
        references = sql.SQL(_ALL).format(replayed["entry_references"])
        if until == seen.head:
            balances = [sql.SQL(_BALANCES).format(where["balances"]) for where in (live, replayed)]
            yield self._with_last_positions(seen, self._compared(seen, "balances", until, _ALL_ROWS, *balances))
            rows = sql.SQL(_ALL).format(live["entry_references"])
            yield self._compared(seen, "entry_references", until, _ALL_ROWS, rows, references)
            periods = [sql.SQL(_ALL).format(where["closed_periods"]) for where in (live, replayed)]
            yield self._compared(seen, "closed_periods", until, _ALL_ROWS, *periods)
            return
        if _past_is_told(seen, until):
            self._known = seen.connection.execute(in_book(_KNOWN_AT, seen.book), {"position": until}).fetchall()
            yield self._balances_of_the_past(until)
        rows = sql.SQL(_REFERENCES_UP_TO).format(live["entry_references"], live["events"], until)
        yield self._compared(seen, "entry_references", until, _ROWS_UP_TO, rows, references)

    def trial_balances(self, seen: Seen, until: int) -> dict[str, TrialBalances]:
        """Both sides of all accounts, by currency; empty where the live book does not tell them of this position."""
        if until != seen.head and not _past_is_told(seen, until):
            return {}
        replayed = _totals((a.currency, a.posted_debits, a.posted_credits) for a in self._inline.accounts.values())
        if until == seen.head:
            live = _totals(seen.connection.execute(in_book(_TOTALS, seen.book)).fetchall())
        else:
            live = _totals((currency, debits, credits_) for _, _, currency, _, debits, credits_, _, _ in self._known)
        nothing = Totals()
        return {
            currency: TrialBalances(live.get(currency, nothing), replayed.get(currency, nothing))
            for currency in sorted(live.keys() | replayed.keys())
        }

    def _compared(
        self, seen: Seen, table: str, position: int, by: str, live: Composed, replayed: Composed
    ) -> TableCompared:
        there, here = (
            row_comparison.fingerprint(seen.connection, live),
            row_comparison.fingerprint(self._connection, replayed),
        )
        only_live: tuple[str, ...] = ()
        only_replayed: tuple[str, ...] = ()
        if there != here:
            only_live, only_replayed = row_comparison.differing(seen.connection, live, self._connection, replayed)
        return TableCompared(table, position, by, there[0], here[0], there == here, only_live, only_replayed)

    def _with_last_positions(self, seen: Seen, found: TableCompared) -> TableCompared:
        """Where each balance says that it was changed last lies in the batch of the event that did."""
        wrong = []
        for account, last in seen.connection.execute(in_book(_LAST_POSITIONS, seen.book)):
            changed, latest = self._inline.changed.get(account, (last, last))
            if not changed <= last <= latest:
                wrong.append(f"({account}) with last_position {last}, which is {changed} to {latest}")
        if not wrong:
            return found
        only_live = (*found.only_live, *wrong)[:EXAMPLES]
        return msgspec.structs.replace(found, is_equal=False, only_live=only_live)

    def _balances_of_the_past(self, until: int) -> TableCompared:
        live = set(self._known)
        replayed = {(a.id, str(a.kind), a.currency, a.protected, *a.turnover()) for a in self._inline.accounts.values()}
        return TableCompared(
            "balances",
            until,
            _AS_KNOWN,
            len(live),
            len(replayed),
            live == replayed,
            tuple(map(str, sorted(live - replayed)[:EXAMPLES])),
            tuple(map(str, sorted(replayed - live)[:EXAMPLES])),
        )


def not_compared(seen: Seen, views: Iterable[type[Projection]], compared: Iterable[TableCompared]) -> dict[str, str]:
    """Every other table of the live book, and why it was not compared."""
    tables = [name for (name,) in seen.connection.execute(_TABLES, (seen.schema,))]
    done = {one.table for one in compared}
    of_the_past = {table for view in views for table in view.tables} | {"closed_periods"}
    found = {}
    for table in tables:
        if table in of_the_past:
            why = _ONLY_NOW
        elif table == "balances":
            why = _VIEWS_BEHIND
        else:
            why = _WHY_NOT.get(table, NOT_KNOWN)
        if table not in done:
            found[table] = why
    return found


def _past_is_told(seen: Seen, until: int) -> bool:
    return all(seen.places.get(view.name, 0) >= until for view in (Postings, Holds))


def _totals(rows: Iterable[tuple[str, int, int]]) -> dict[str, Totals]:
    found: dict[str, Totals] = {}
    for currency, debits, credits_ in rows:
        totals = found.setdefault(currency, Totals())
        totals.debits += debits
        totals.credits += credits_
        totals.difference += debits - credits_
    return found
