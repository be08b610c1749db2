"""Append: one transaction with keys, events and balances, then the log's head: all of it or nothing.

`Appender.open()` locks the head; reading comes after it, deciding in between, `Draft` collects what was decided, and
`Appending.write()` puts it down. Everything above the line in `write` may refuse; nothing below it may.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import sub
from typing import Any

import msgspec
from psycopg import Cursor
from psycopg.rows import TupleRow, tuple_row
from psycopg.sql import SQL, Identifier

from ledger.accounts import Account
from ledger.audit.leaf import leaf_hashes
from ledger.audit.merkle import Frontier
from ledger.events.event import Recorded
from ledger.store import codec
from ledger.store.arrays import Bigints, Bytes, Flags, Texts
from ledger.store.connection import Database
from ledger.store.recorder import BookDatastore, BookRecorder, Head
from ledger.store.sealed import frontier_of_log

_SELECT_KEYS = "SELECT key, fingerprint, status, position, answer FROM {schema}.idempotency_keys WHERE key = ANY(%b)"
_SELECT_BALANCES = """
SELECT account, kind, currency, min_balance, max_balance, status, protected,
       posted_debits, posted_credits, pending_debits, pending_credits, outside_limits
  FROM {schema}.balances
 WHERE account = ANY(%b)
"""
_SELECT_STREAMS = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE originator_id = ANY(%b)
 ORDER BY originator_id, originator_version
"""
# The last event of each, found from the end: what came before it is not read.
_SELECT_LATEST = """
SELECT e.originator_id, e.originator_version, e.topic, e.state, e.notification_id, e.recorded_at, e.metadata
  FROM unnest(%b::text[]) AS wanted (stream)
 CROSS JOIN LATERAL (SELECT * FROM {schema}.events
                      WHERE originator_id = wanted.stream
                      ORDER BY originator_version DESC LIMIT 1) AS e
"""
_SELECT_EVENTS_AT = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE notification_id = ANY(%b)
"""
_SELECT_REFERENCES = "SELECT reference, entry FROM {schema}.entry_references WHERE reference = ANY(%b)"
_SELECT_PERIODS = "SELECT period FROM {schema}.closed_periods"

_INSERT_KEYS = """
INSERT INTO {schema}.idempotency_keys (key, fingerprint, status, position, answer)
SELECT * FROM unnest(%b::text[], %b::bytea[], %b::bigint[], %b::bigint[], %b::bytea[])
"""
_INSERT_ACCOUNTS = """
INSERT INTO {schema}.balances
      (account, kind, currency, min_balance, max_balance, status, protected, outside_limits, last_position)
SELECT u.*, %b
  FROM unnest(%b::text[], %b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::text[], %b::bool[], %b::bool[]) AS u
"""
# With the deltas of the same accounts: an account may be emptied and closed in one batch, or given room and used.
_UPDATE_RULES = """
UPDATE {schema}.balances AS b
   SET min_balance = u.min_balance, max_balance = u.max_balance, status = u.status,
       outside_limits = u.outside_limits, last_position = %b,
       posted_debits   = b.posted_debits   + u.posted_debits,
       posted_credits  = b.posted_credits  + u.posted_credits,
       pending_debits  = b.pending_debits  + u.pending_debits,
       pending_credits = b.pending_credits + u.pending_credits
  FROM unnest(%b::text[], %b::bigint[], %b::bigint[], %b::text[], %b::bool[],
              %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[])
       AS u (account, min_balance, max_balance, status, outside_limits,
             posted_debits, posted_credits, pending_debits, pending_credits)
 WHERE b.account = u.account
"""
# Deltas and not values: whatever a writer remembers, the constraints judge what the row becomes. An account within its
# limits stays bound by them, because the mark can only be taken away here.
_UPDATE_BALANCES = """
UPDATE {schema}.balances AS b
   SET posted_debits   = b.posted_debits   + u.posted_debits,
       posted_credits  = b.posted_credits  + u.posted_credits,
       pending_debits  = b.pending_debits  + u.pending_debits,
       pending_credits = b.pending_credits + u.pending_credits,
       outside_limits  = b.outside_limits AND u.outside_limits,
       last_position   = %b
  FROM unnest(%b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bool[])
       AS u (account, posted_debits, posted_credits, pending_debits, pending_credits, outside_limits)
 WHERE b.account = u.account
"""
_INSERT_REFERENCES = "INSERT INTO {schema}.entry_references SELECT * FROM unnest(%b::text[], %b::text[])"
_CLOSE_PERIODS = "INSERT INTO {schema}.closed_periods SELECT * FROM unnest(%b::text[])"
_REOPEN_PERIODS = "DELETE FROM {schema}.closed_periods WHERE period = ANY(%b)"


# So many commands are sent to the database while more are decided: fewer would cost more than the time they save.
WORTH_BEGINNING = 250


class StoredKey(msgspec.Struct, frozen=True, gc=False):
    """What was answered to a key: `answer` is the body, or None where the event at `position` tells it all."""

    key: str
    fingerprint: bytes
    status: int
    position: int
    answer: bytes | None


class Draft(msgspec.Struct):
    """What a batch has decided so far, as columns: events in order, keys with their answers, what changes beside.

    `entries` is what each event posts, as it is sealed with it.
    """

    streams: list[str] = []
    versions: list[int] = []
    topics: list[str] = []
    states: list[bytes] = []
    metadata: list[bytes] = []
    entries: list[bytes] = []
    keys: list[StoredKey] = []
    opened: dict[str, Account] = {}
    rules_changed: dict[str, Account] = {}
    # account -> its turnover before the batch moved it
    moved: dict[str, tuple[int, int, int, int]] = {}
    references: dict[str, str] = {}
    periods_closed: set[str] = set()
    periods_reopened: set[str] = set()


class Appending:
    """One transaction at the end of the log, which nobody else can reach until it is over."""

    def __init__(self, appender: "Appender", cursor: Cursor[TupleRow], head: Head) -> None:
        self.position = head.position
        # Never earlier than what stands before it, so that a time in the log means a position.
        self.recorded_at = max(datetime.now(UTC), head.recorded_at)
        self._frontier = appender.frontier_at(cursor, head)
        self._appender = appender
        self.connection = cursor.connection
        self._events_begun = self._keys_begun = 0
        self._balances: Cursor[Any] | None = None
        self._balances_to_change = 0

    def _execute(self, statement: str, wanted: Sequence[Any], *, prepare: bool = True) -> Cursor[TupleRow]:
        # A cursor of its own for each statement: in a pipeline the results of earlier ones may come in later.
        cursor = self.connection.cursor(row_factory=tuple_row)
        return cursor.execute(self._appender.sql[statement], wanted, prepare=prepare, binary=True)

    def _read(self, statement: str, wanted: Any) -> list[TupleRow]:
        return self._execute(statement, (wanted,)).fetchall()

    def keys(self, keys: list[str]) -> dict[str, StoredKey]:
        """The keys among these that were answered before."""
        return {row[0]: StoredKey(*row) for row in self._read(_SELECT_KEYS, Texts(keys))} if keys else {}

    def accounts(self, accounts: Iterable[str]) -> dict[str, Account | None]:
        """These accounts as they stand; None for those that do not exist."""
        found: dict[str, Account | None] = dict.fromkeys(accounts)
        if found:
            for row in self._read(_SELECT_BALANCES, Texts(sorted(found))):
                found[row[0]] = Account(*row)
        return found

    def streams(self, streams: Iterable[str]) -> dict[str, list[Recorded]]:
        """All events of these streams, oldest first; an empty list for a stream that has none."""
        found: dict[str, list[Recorded]] = {stream: [] for stream in streams}
        if found:
            for row in self._read(_SELECT_STREAMS, Texts(sorted(found))):
                found[row[0]].append(recorded(row))
        return found

    def latest(self, streams: Iterable[str]) -> dict[str, Recorded | None]:
        """The last event of each of these streams; None for a stream that has none."""
        found: dict[str, Recorded | None] = dict.fromkeys(streams)
        if found:
            for row in self._read(_SELECT_LATEST, Texts(sorted(found))):
                found[row[0]] = recorded(row)
        return found

    def events_at(self, positions: list[int]) -> dict[int, Recorded]:
        """The events at these positions."""
        rows = self._read(_SELECT_EVENTS_AT, Bigints(positions)) if positions else []
        return {row[4]: recorded(row) for row in rows}

    def references(self, references: Iterable[str]) -> dict[str, str | None]:
        """Which entry holds each of these references; None for those that are free."""
        found: dict[str, str | None] = dict.fromkeys(references)
        if found:
            found |= self._read(_SELECT_REFERENCES, Texts(sorted(found)))
        return found

    def closed_periods(self) -> set[str]:
        return {row[0] for row in self._execute(_SELECT_PERIODS, ()).fetchall()}

    def begin(self, draft: Draft) -> None:
        """Let the database begin with what stands in the draft for good, if that is much, while more is decided."""
        if len(draft.keys) - self._keys_begun >= WORTH_BEGINNING:
            self._insert(draft)

    def _insert(self, draft: Draft) -> None:
        """Send the events and keys that were not sent yet."""
        begun = self._events_begun
        if len(draft.streams) > begun:
            columns = (
                draft.streams[begun:],
                draft.versions[begun:],
                draft.topics[begun:],
                draft.states[begun:],
                draft.metadata[begun:],
            )
            self._appender.recorder.insert_columns(
                self.connection.cursor(), self.position + begun, self.recorded_at, columns
            )
            self._events_begun = len(draft.streams)
        if keys := draft.keys[self._keys_begun :]:
            self._execute(
                _INSERT_KEYS,
                (
                    Texts([stored.key for stored in keys]),
                    Bytes([stored.fingerprint for stored in keys]),
                    Bigints([stored.status for stored in keys]),
                    Bigints([stored.position for stored in keys]),
                    Bytes([stored.answer for stored in keys]),
                ),
            )
            self._keys_begun = len(draft.keys)

    def write(self, draft: Draft) -> int:
        """Put the draft down and return the new end of the log; the commit follows when the block ends."""
        # After this point, the batch must succeed.
        last = self.position + len(draft.streams)
        self._insert(draft)
        if draft.opened:
            accounts = [draft.opened[account] for account in sorted(draft.opened)]
            self._execute(
                _INSERT_ACCOUNTS,
                (
                    last,
                    [account.id for account in accounts],
                    [str(account.kind) for account in accounts],
                    [account.currency for account in accounts],
                    [account.min_balance for account in accounts],
                    [account.max_balance for account in accounts],
                    [str(account.status) for account in accounts],
                    [account.protected for account in accounts],
                    # At the zero it begins with, and loosely where the same batch goes on to change its rules.
                    [
                        (account.min_balance or 0) > 0
                        or (account.max_balance or 0) < 0
                        or account.id in draft.rules_changed
                        for account in accounts
                    ],
                ),
            )
        if draft.rules_changed:
            self._update_rules(draft, last)
        if moved := sorted(draft.moved.keys() - draft.rules_changed.keys()):
            self._update_balances(draft, moved, last)
        if draft.references:
            self._execute(_INSERT_REFERENCES, (Texts(draft.references), Texts(draft.references.values())))
        if draft.periods_closed:
            self._execute(_CLOSE_PERIODS, (Texts(sorted(draft.periods_closed)),))
        if draft.periods_reopened:
            self._execute(_REOPEN_PERIODS, (Texts(sorted(draft.periods_reopened)),))
        if draft.streams:
            # While the database is busy with what was sent.
            columns = (draft.streams, draft.versions, draft.topics, draft.states, draft.metadata)
            leaves = leaf_hashes(self.position, self.recorded_at, columns, draft.entries)
            self._appender.recorder.move_head_and_tree(
                self.connection.cursor(), self.recorded_at, self._frontier.extended(leaves), leaves
            )
        return last

    def _update_rules(self, draft: Draft, last: int) -> None:
        accounts = [draft.rules_changed[account] for account in sorted(draft.rules_changed)]
        self._execute(
            _UPDATE_RULES,
            (
                last,
                [account.id for account in accounts],
                [account.min_balance for account in accounts],
                [account.max_balance for account in accounts],
                [str(account.status) for account in accounts],
                [account.outside for account in accounts],
                *_deltas(accounts, draft),
            ),
        )

    def _update_balances(self, draft: Draft, names: list[str], last: int) -> None:
        accounts = [self._appender.accounts[name] for name in names]
        outside = Flags([account.outside for account in accounts])
        columns = (last, Texts(names), *_deltas(accounts, draft), outside)
        self._balances = self._execute(_UPDATE_BALANCES, columns)
        self._balances_to_change = len(names)

    def check(self) -> None:
        """Raise AssertionError unless all balances were there to be changed; asked once everything is carried out."""
        if self._balances is not None and self._balances.rowcount != self._balances_to_change:
            raise AssertionError(f"{self._balances_to_change} balances were to change, {self._balances.rowcount} did")


def _deltas(accounts: list[Account], draft: Draft) -> list[Bigints]:
    """How far the batch has moved each account, a column for each part of its turnover."""
    now = [account.turnover() for account in accounts]
    before = [draft.moved.get(account.id, turnover) for account, turnover in zip(accounts, now, strict=True)]
    columns = zip(zip(*now, strict=True), zip(*before, strict=True), strict=True)
    return [Bigints(map(sub, after, earlier)) for after, earlier in columns]


def recorded(row: TupleRow) -> Recorded:
    """A row of the log as the event in its place."""
    stream, version, topic, state, position, recorded_at, metadata = row
    event = codec.decode(topic, bytes(state))
    return Recorded(stream, version, position, recorded_at, event, codec.decode_metadata(bytes(metadata)))


class Appender:
    """The writer's end of one book: its connection, its statements, and the accounts it remembers between batches.

    What is remembered holds only while nobody else has written: `open` compares the head's position and forgets all of
    it otherwise, and the caller calls `forget` after any failure.
    """

    # Beyond this many accounts the memory is emptied and grows anew: about 60 MB.
    MOST_ACCOUNTS_REMEMBERED = 150_000

    def __init__(self, database: Database, book: str) -> None:
        self.book = book
        self.recorder = BookRecorder(BookDatastore(database, book))
        schema = Identifier(self.recorder.datastore.schema)
        self.sql = {
            # As bytes, because psycopg would put a composed statement together at every use.
            text: SQL(text).format(schema=schema).as_bytes()
            for text in (
                _SELECT_KEYS,
                _SELECT_BALANCES,
                _SELECT_STREAMS,
                _SELECT_LATEST,
                _SELECT_EVENTS_AT,
                _SELECT_REFERENCES,
                _SELECT_PERIODS,
                _INSERT_KEYS,
                _INSERT_ACCOUNTS,
                _UPDATE_RULES,
                _UPDATE_BALANCES,
                _INSERT_REFERENCES,
                _CLOSE_PERIODS,
                _REOPEN_PERIODS,
            )
        }
        self.accounts: dict[str, Account] = {}
        self.closed_periods: set[str] | None = None
        self._position_remembered = -1
        # How much of the log the newest signed checkpoint holds, as of the last batch.
        self.sealed_size = 0

    @contextmanager
    def open(self) -> Iterator[Appending]:
        """Lock the head and begin; commits when the block ends well. Raises DatabaseTrouble and LawBroken."""
        with self.recorder.writing() as cursor:
            head = self.recorder.lock_head(cursor)
            if head.position != self._position_remembered or len(self.accounts) > self.MOST_ACCOUNTS_REMEMBERED:
                self.forget()
            self.sealed_size = head.sealed_size
            appending = Appending(self, cursor, head)
            # Statements are sent without waiting for what becomes of them, which is told when the pipeline ends.
            with cursor.connection.pipeline():
                yield appending
            appending.check()

    def frontier_at(self, cursor: Cursor[TupleRow], head: Head) -> Frontier:
        """The tree of hashes at the head; reckoned from the log where the head does not say it yet."""
        if head.frontier is None:
            return frontier_of_log(cursor, self.book, head.position)
        return Frontier.parse(head.position, head.frontier)

    def remember(self, position: int) -> None:
        """What is remembered is the state at this position, which was committed."""
        self._position_remembered = position

    def forget(self) -> None:
        """Trust nothing that is remembered."""
        self.accounts.clear()
        self.closed_periods = None
        self._position_remembered = -1

    def probe(self) -> bool:
        """Whether the database answers."""
        return self.recorder.answers()

    def close(self) -> None:
        self.recorder.datastore.close()
