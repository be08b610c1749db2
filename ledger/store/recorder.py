"""Recorder: `eventsourcing`'s PostgreSQL recorder on our table, without its table lock, its retries and its DDL.

What differs from the library, and why:

- Positions come from the book's head row and not from a sequence, so they are dense and in commit order; the head row's
  lock replaces LOCK TABLE, which an append-only role may not take and which waits for VACUUM and ANALYZE.
- Nothing is retried here. After a lost acknowledgement a second insert would report a conflict although the first was
  stored; the handler asks for the command's key instead.
- The library's database functions are refused: they skip the lock, and the transaction that keys and balances share.
- Tables are made by migrations only.
- Events are inserted column by column through unnest, with the time and the metadata of the command beside them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from eventsourcing.persistence import IntegrityError, InterfaceError, OperationalError, StoredEvent
from eventsourcing.postgres import ConnectionPool, PostgresApplicationRecorder, PostgresDatastore
from psycopg import Connection, Cursor
from psycopg.rows import DictRow, TupleRow, dict_row, tuple_row
from psycopg.sql import SQL, Identifier, Literal

from ledger.audit.merkle import Frontier
from ledger.store.arrays import Bigints, Bytes, Texts, register
from ledger.store.connection import Database
from ledger.store.schema import schema_of

# The library's words for what PostgreSQL says, under ours: a constraint refused it, or the database did not answer.
LawBroken = IntegrityError
DatabaseTrouble = (OperationalError, InterfaceError)

# A writer has its connection to itself: it waits only where the connection was lost.
_CONNECTION_PATIENCE_S = 0.5
# A book that nobody writes to gives its connection back, at the latest after twice as long.
_REST_AFTER_S = 10.0
# So many of them may hold one until then: of more the one that has rested longest gives it back at once. A server has
# about a hundred, and there are several processes; opening one anew takes a write some 10 ms longer.
MOST_AT_REST = 24

_LOCK_HEAD = """
SELECT position, recorded_at, frontier, (SELECT coalesce(max(size), 0) FROM {schema}.checkpoints)
  FROM {schema}.log_head FOR UPDATE
"""
_MOVE_HEAD = """
UPDATE {schema}.log_head SET position = %b, recorded_at = %b, frontier = NULL RETURNING pg_notify({channel}, '')
"""
# In one statement, because most batches are small.
_MOVE_HEAD_AND_TREE = """
WITH leaves AS (INSERT INTO {schema}.new_leaves (after, hashes) VALUES (%b, %b))
UPDATE {schema}.log_head SET position = %b, recorded_at = %b, frontier = %b RETURNING pg_notify({channel}, '')
"""
_INSERT_EVENTS = """
INSERT INTO {schema}.events
      (originator_id, originator_version, topic, state, notification_id, recorded_at, metadata)
SELECT e.originator_id, e.originator_version, e.topic, e.state, %b + e.ordinality, %b, e.metadata
  FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::bytea[], %b::bytea[])
       WITH ORDINALITY AS e (originator_id, originator_version, topic, state, metadata, ordinality)
"""


class Head(NamedTuple):
    """Where the log ends, and since when; `frontier` is the tree of hashes over it, None where nobody reckoned it yet.

    `sealed_size` is how much of it the newest signed checkpoint holds.
    """

    position: int
    recorded_at: datetime
    frontier: bytes | None
    sealed_size: int


class BookDatastore(PostgresDatastore):
    """The library's datastore over our connection settings and roles, one book's schema."""

    def __init__(self, database: Database, book: str, *, pool_size: int = 1) -> None:
        # The parent's constructor is not run: it builds a pool from a name and a password; we have a URL and a role.
        self.schema = schema_of(book)
        self.originator_id_type = "text"
        self.enable_db_functions = False
        self.lock_timeout = 0
        self.single_row_tracking = True
        self.pool_open_timeout = None
        self.db_type_names = set[str]()
        self.psycopg_type_adapters = {}
        self.psycopg_python_types = {}
        self._database, self._pool_size = database, pool_size
        self._users, self._lock = 0, Lock()
        self.pool = self._new_pool()

    def _new_pool(self) -> ConnectionPool[Connection[DictRow]]:
        database = self._database
        return ConnectionPool(
            database.conninfo,
            connection_class=Connection[DictRow],
            kwargs={**database.connection_kwargs, "row_factory": dict_row, "autocommit": True},
            # A server has about a hundred connections, and there may be more books that rest.
            min_size=0,
            max_size=self._pool_size,
            max_idle=_REST_AFTER_S,
            num_workers=1,
            open=False,
            timeout=_CONNECTION_PATIENCE_S,
            max_waiting=64,
            # Not checked before use: one that has died fails at BEGIN, and the writer tries again with another.
            reconnect_timeout=1.0,
            configure=register,
        )

    def register_type_adapters(self) -> None:
        """None are needed, so that a recorder can be made while the database is away."""

    @contextmanager
    def get_connection(self) -> Iterator[Connection[DictRow]]:
        """A connection of this book's; behind it the book is at rest, and others have been for longer."""
        with self._lock:
            self._users += 1
        try:
            with super().get_connection() as connection:
                yield connection
        finally:
            with self._lock:
                self._users -= 1
            for book in _rests(self):
                book.give_back()

    def give_back(self) -> None:
        """Close what is open, unless it is in use; the next use opens it anew."""
        with self._lock:
            if not self._users:
                self.pool.close(timeout=_CONNECTION_PATIENCE_S)
                self.pool = self._new_pool()

    def close(self) -> None:
        """For good."""
        with _resting_lock:
            _resting.pop(self, None)
        super().close()

    def __del__(self) -> None:
        # At any moment, in any thread, which may hold the lock: who is gone is not listed any more anyway.
        super().close()


# Whose books were written to by this process and may still hold a connection, the longest at rest first.
_resting: WeakKeyDictionary[BookDatastore, None] = WeakKeyDictionary()
_resting_lock = Lock()


def _rests(book: BookDatastore) -> list[BookDatastore]:
    """Note that this one is at rest since now; returns those that are too many."""
    with _resting_lock:
        _resting.pop(book, None)
        _resting[book] = None
        too_many = list(_resting)[: max(0, len(_resting) - MOST_AT_REST)]
        for other in too_many:
            del _resting[other]
        return too_many


class BookRecorder(PostgresApplicationRecorder):
    """The log of one book, as the library's application recorder."""

    def __init__(self, datastore: PostgresDatastore, *, events_table_name: str = "events") -> None:
        if datastore.enable_db_functions:
            raise ValueError("POSTGRES_ENABLE_DB_FUNCTIONS skips the log's lock: readers would lose events")
        super().__init__(datastore, events_table_name=events_table_name)
        schema = Identifier(datastore.schema)
        self.sql_create_statements = []
        self.lock_table_statements = []
        self.channel_name = datastore.schema
        channel = Literal(self.channel_name)
        # As bytes, because psycopg would put a composed statement together at every use.
        self._lock_head_statement = SQL(_LOCK_HEAD).format(schema=schema).as_bytes()
        self._move_head_statement = SQL(_MOVE_HEAD).format(schema=schema, channel=channel).as_bytes()
        self._move_head_and_tree_statement = SQL(_MOVE_HEAD_AND_TREE).format(schema=schema, channel=channel).as_bytes()
        self._insert_columns_statement = SQL(_INSERT_EVENTS).format(schema=schema).as_bytes()

    @contextmanager
    def writing(self) -> Iterator[Cursor[TupleRow]]:
        """One transaction on a connection of this book's writer; it commits when the block ends well."""
        with self.datastore.get_connection() as connection, connection.transaction():
            yield connection.cursor(row_factory=tuple_row)

    def lock_head(self, cursor: Cursor[Any]) -> Head:
        """Wait for the log to be ours; all that a decision needs is read after this, in statements of its own."""
        # Locking and reading in one statement would read what was there before the wait.
        reading = cursor.connection.cursor(row_factory=tuple_row, binary=True)
        head = reading.execute(self._lock_head_statement, prepare=True).fetchone()
        if head is None:
            raise AssertionError(f"{self.datastore.schema}.log_head has lost its row")
        return Head(*head)

    def answers(self) -> bool:
        """Whether the database can be reached and speaks."""
        try:
            with self.datastore.get_connection() as connection:
                connection.execute("SELECT 1")
        except DatabaseTrouble:
            return False
        return True

    def insert_columns(
        self,
        cursor: Cursor[Any],
        after_position: int,
        recorded_at: datetime,
        columns: tuple[list[str], list[int], list[str], list[bytes], list[bytes]],
    ) -> None:
        """Insert events as columns (streams, versions, topics, states, metadata) at the next positions."""
        streams, versions, topics, states, metadata = columns
        cursor.execute(
            self._insert_columns_statement,
            (
                after_position,
                recorded_at,
                Texts(streams),
                Bigints(versions),
                Texts(topics),
                Bytes(states),
                Bytes(metadata),
            ),
            prepare=True,
        )

    def move_head(self, cursor: Cursor[Any], position: int, recorded_at: datetime) -> None:
        """Let the log end here, and wake whoever follows it: one hint a batch, for polling is the truth.

        The tree of hashes is left to the next writer to reckon.
        """
        cursor.execute(self._move_head_statement, (position, recorded_at), prepare=True)

    def move_head_and_tree(
        self, cursor: Cursor[Any], recorded_at: datetime, frontier: Frontier, leaves: Sequence[bytes]
    ) -> None:
        """The same with the tree of hashes, which has grown by these hashes of leaves up to the end of the log."""
        size = frontier.size
        values = (size - len(leaves), b"".join(leaves), size, recorded_at, frontier.stored())
        cursor.execute(self._move_head_and_tree_statement, values, prepare=True)

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """The library's way in: the events alone, at the next positions, in a transaction of their own; no retry."""
        if not stored_events:
            return []
        with self.writing() as cursor:
            head = self.lock_head(cursor)
            position, recorded_at = head.position, max(datetime.now(UTC), head.recorded_at)
            self._insert_stored_events(
                cursor, stored_events, after_position=position, recorded_at=recorded_at, **kwargs
            )
            self.move_head(cursor, position + len(stored_events), recorded_at)
        return list(range(position + 1, position + len(stored_events) + 1))

    def _insert_stored_events(self, curs: Cursor[Any], stored_events: Sequence[StoredEvent], **kwargs: Any) -> None:
        self.insert_columns(
            curs,
            kwargs["after_position"],
            kwargs["recorded_at"],
            (
                [str(event.originator_id) for event in stored_events],
                [event.originator_version for event in stored_events],
                [event.topic for event in stored_events],
                [event.state for event in stored_events],
                kwargs.get("metadata") or [b'{"actor":"system"}'] * len(stored_events),
            ),
        )
