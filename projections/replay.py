"""Replay: the log from its first event into an empty schema, all views and inline state, compared with the live book.

    make the tables ─▶ replay in pages ─▶ snapshot of the live book ─▶ replay each view up to where that has it, compare

All that is compared is seen at one moment. A view that the live book has further than the replay is to go is compared
by what its rows say of the past; what they do not say is named in the report, with the reason.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import psycopg
from psycopg import Connection, sql

from ledger.store import follow
from ledger.store.connection import Database, in_book
from ledger.store.schema import schema_of
from projections.inline_state import InlineState
from projections.projection import Page, Projection, Target, Writing
from projections.register import PROJECTIONS
from projections.replay_comparison import Comparison, Seen, TableCompared, TrialBalances, not_compared
from projections.scratch_schemas import Scratch, scratch_schema

PAGE = 5_000
INLINE = "inline"

Progress = Callable[[int, int], None]
"""Is told how many events are replayed and how many there are."""

_PLACES = """
SELECT h.position, c.projection, c.position
  FROM {schema}.log_head AS h LEFT JOIN {schema}.projection_checkpoints AS c ON c.version > 0
"""
_KEEP_CHECKPOINT = "INSERT INTO {}.projection_checkpoints (projection, version, position) VALUES (%s, %s, %s)"
_KEEP_HEAD = "UPDATE {}.log_head SET position = %s, recorded_at = %s"


class PositionNotThere(ValueError):
    """The log does not go that far."""


class ReplayReport(msgspec.Struct, frozen=True):
    """What a replay up to `position` found; `head` is where the log ended when it was compared.

    `schema`: where the rows are kept, if they are. `not_compared`: tables of the book, and why each of them was not.
    """

    book: str
    position: int
    head: int
    seconds: float
    tables: list[TableCompared]
    trial_balance: dict[str, TrialBalances]
    not_compared: dict[str, str]
    schema: str | None = None

    @property
    def is_equal(self) -> bool:
        """Whether all that was compared is the same, and the books balance."""
        balanced = all(one.is_equal and not one.replayed.difference for one in self.trial_balance.values())
        return balanced and all(table.is_equal for table in self.tables)


def replay(
    database: Database,
    book: str,
    *,
    to: int | None = None,
    keep: str | None = None,
    progress: Progress = lambda done, total: None,
) -> ReplayReport:
    """Replay the log up to a position, or all of it, and compare; the rows stay in the schema `keep`, if one is named.

    Connects as the owner of the tables. Raises PositionNotThere, BadSchemaName, UnreadableEvent, AssertionError for a
    hole in the log, and what a projection raises at an event that it cannot take.
    """
    begun = time.monotonic()
    head = _places(database.owner, book)[0]
    if to is not None and not 0 <= to <= head:
        raise PositionNotThere(f"the log of {book} ends at {head}, and there is no position {to}")
    with scratch_schema(database, book, keep) as scratch:
        work = _Replay(database, book, scratch, progress)
        work.replay_most(to)
        with work.snapshot() as seen:
            until = seen.head if to is None else to
            tables, trial_balance = work.compare(seen, until)
            left_out = not_compared(seen, PROJECTIONS, tables)
            head = seen.head
        if keep is not None:
            work.finish(until)
    return ReplayReport(book, until, head, time.monotonic() - begun, tables, trial_balance, left_out, keep)


def _places(connect: Callable[[], Connection], book: str) -> tuple[int, dict[str, int]]:
    """Where the log ends, and where the live views stand."""
    with connect() as connection:
        return _places_seen_by(connection, book)


def _places_seen_by(connection: Connection, book: str) -> tuple[int, dict[str, int]]:
    rows = connection.execute(in_book(_PLACES, book)).fetchall()
    return int(rows[0][0]), {name: position for _, name, position in rows if name is not None}


class _Replay:
    """One replay: its tables, and how far each view and the inline state have come."""

    def __init__(self, database: Database, book: str, scratch: Scratch, progress: Progress) -> None:
        self._database, self._book, self._progress = database, book, progress
        self._connection, self._schema = scratch.connection, scratch.schema
        self._inline = InlineState(scratch.schema)
        self._views = {view.name: view(book, Target(scratch.schema)) for view in PROJECTIONS}
        self._places = dict.fromkeys((INLINE, *self._views), 0)
        self._compares = Comparison(scratch, self._inline)

    def replay_most(self, to: int | None) -> None:
        """Replay as far as all will surely have to come: what is left is done while a snapshot is open."""
        head, live = _places(self._database.owner, self._book)
        until = head if to is None else to
        wanted = {name: min(live.get(name, 0), until) for name in self._views}
        self._advance({INLINE: until, **wanted}, until)

    @contextmanager
    def snapshot(self) -> Iterator[Seen]:
        """The live book at one moment: nothing in it moves, and none of its tables is swapped, until the block ends."""
        with self._database.owner() as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            schema = schema_of(self._book)
            with connection.transaction():
                # As every reader holds them, only earlier: a table that a rebuild swapped in after the moment of the
                # snapshot would look empty. The first SELECT fixes what is seen; this is none.
                tables = [table for view in PROJECTIONS for table in view.tables]
                locked = sql.SQL(", ").join(sql.Identifier(schema, table) for table in tables)
                connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(locked))
                head, places = _places_seen_by(connection, self._book)
                yield Seen(self._book, schema, connection, head, places)

    def compare(self, seen: Seen, until: int) -> tuple[list[TableCompared], dict[str, TrialBalances]]:
        """Bring everything to where the snapshot has it, and no further than `until`, and compare."""
        wanted = {name: min(seen.places.get(name, 0), until) for name in self._views}
        self._advance({INLINE: until, **wanted}, until)
        with self._turn() as cursor:
            self._inline.write(cursor, until)
        tables = list(self._compares.inline(seen, until))
        for name, view in self._views.items():
            tables += self._compares.view(seen, view, wanted[name])
        return tables, self._compares.trial_balances(seen, until)

    def finish(self, until: int) -> None:
        """Bring every view to the end, for whoever looks at the schema that is kept."""
        self._advance(dict.fromkeys(self._views, until), until)
        schema = sql.Identifier(self._schema)
        with self._turn() as cursor:
            for name, view in self._views.items():
                cursor.execute(sql.SQL(_KEEP_CHECKPOINT).format(schema), (name, view.version, until))
            last = follow.page(cursor, self._book, after=until - 1, limit=1) if until else []
            for recorded in last:
                cursor.execute(sql.SQL(_KEEP_HEAD).format(schema), (until, recorded.recorded_at))

    def _advance(self, wanted: dict[str, int], total: int) -> None:
        """Replay until each of these has come to its position; those that stand at the same one share the pages."""
        while behind := {name for name, position in wanted.items() if self._places[name] < position}:
            after = min(self._places[name] for name in behind)
            group = [name for name in behind if self._places[name] == after]
            # Up to where the first of them is done, or another one joins them.
            stops = [wanted[name] for name in group] + [p for p in map(self._places.__getitem__, behind) if p > after]
            with self._turn() as cursor:
                page = follow.page(cursor, self._book, after=after, limit=min(PAGE, min(stops) - after))
                if not page:
                    raise AssertionError(
                        f"the log of {self._book} ends at {after}, and something stands at {min(stops)}"
                    )
                for name in sorted(group):
                    self._project(name, page, cursor)
            self._places |= dict.fromkeys(group, page[-1].position)
            self._progress(min(self._places[name] for name in wanted), total)

    def _project(self, name: str, page: Page, cursor: Writing) -> None:
        writer: InlineState | Projection = self._inline if name == INLINE else self._views[name]
        writer.project(page, cursor)

    @contextmanager
    def _turn(self) -> Iterator[Writing]:
        # Nobody needs these rows after a crash, so that nothing has to wait for the disk.
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
            yield cursor
