"""Rebuild: make a view anew from the log beside the one that is read, compare them, and put the new one in its place.

    make <table>__next ─▶ replay in pages ─▶ compare with a snapshot of the live rows at the same position
                       ─▶ in one transaction: lock the live checkpoint, replay what is left, rename

Readers see the old rows or the new ones; the live runner goes on meanwhile and is kept waiting only for the last step.
Pages are transactions of their own, because a long one would keep the whole database from tidying up. What a killed
rebuild leaves behind is cleared by the next one.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import LiteralString, Self

import msgspec
import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from ledger.store import follow
from ledger.store.connection import Database, in_book
from ledger.store.schema import schema_of
from projections import shadow_tables
from projections.projection import Projection, Target
from projections.register import BY_NAME
from projections.shadow_tables import NEXT

PAGE = 5_000

# How long readers that are under way may keep the swap waiting before it lets those behind it pass, and how often.
_SWAP_PATIENCE = "500ms"
_SWAP_TRIES = 60
_SWAP_PAUSE_S = 0.2

Progress = Callable[[int, int], None]
"""Is told how many events are replayed and how many there are."""


class UnknownProjection(Exception):
    """There is no projection of this name."""


class RebuildOvertaken(Exception):
    """Another rebuild of the same view has begun, and this one has ended."""


class TableReport(msgspec.Struct, frozen=True):
    """One table, live and rebuilt at the same position: how many rows, and up to five that only one of them has."""

    table: str
    live_rows: int
    rebuilt_rows: int
    is_equal: bool
    only_live: tuple[str, ...] = ()
    only_rebuilt: tuple[str, ...] = ()


class RebuildReport(msgspec.Struct, frozen=True):
    """What a rebuild did: its rows are those of `position`; `tables` is empty where nothing was compared."""

    projection: str
    book: str
    position: int
    seconds: float
    swapped: bool
    tables: list[TableReport]

    @property
    def is_equal(self) -> bool:
        """Whether the live rows were the rebuilt ones, as far as they were compared."""
        return all(table.is_equal for table in self.tables)


def rebuild(
    database: Database,
    book: str,
    name: str,
    *,
    swap: bool = True,
    compare: bool = True,
    progress: Progress = lambda done, total: None,
) -> RebuildReport:
    """Rebuild the view `name` of a book from its log.

    Connects as the owner of the tables. Where live and rebuilt rows differ, the report says so and the rebuilt ones are
    taken, for the log is the truth. Raises UnknownProjection, RebuildOvertaken, and what the projection raises at an
    event it cannot take; the live rows are as they were then.
    """
    if name not in BY_NAME:
        raise UnknownProjection(f"there is no projection {name}: {', '.join(sorted(BY_NAME))}")
    begun = time.monotonic()
    with _Rebuild(database, book, BY_NAME[name], progress) as work:
        work.replay(until=work.live_position())
        tables = work.compare() if compare else []
        if swap:
            work.take_over()
        return RebuildReport(name, book, work.position, time.monotonic() - begun, swap, tables)


class _Rebuild:
    """One rebuild: its connection, its tables, and how far it has come."""

    def __init__(self, database: Database, book: str, projection: type[Projection], progress: Progress) -> None:
        self.position = 0
        self._database, self._book, self._progress = database, book, progress
        self._schema = schema_of(book)
        self._projection = projection(book, Target(suffix=NEXT))
        self._name = self._projection.name
        self._mark = secrets.token_hex(8)
        self._connection = database.owner()

    def __enter__(self) -> Self:
        try:
            with self._connection.transaction():
                # The last one that begins owns the tables; a marker beside the checkpoints says who that is.
                self._run(
                    "INSERT INTO {schema}.projection_checkpoints AS c (projection, version, trouble) VALUES (%s, 0, %s)"
                    " ON CONFLICT (projection) DO UPDATE SET trouble = excluded.trouble",
                    (self._name + NEXT, self._mark),
                )
                for table in self._projection.tables:
                    shadow_tables.make(self._connection, self._schema, table)
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RebuildOvertaken, psycopg.Error), self._turn():
            self._clear()
        self._connection.close()

    def _run(self, statement: LiteralString, wanted: tuple[object, ...] = ()) -> list[TupleRow]:
        cursor = self._connection.execute(in_book(statement, self._book), wanted)
        return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """One transaction on tables that are still ours."""
        with self._connection.transaction():
            marks = self._run(
                "SELECT trouble FROM {schema}.projection_checkpoints WHERE projection = %s FOR UPDATE",
                (self._name + NEXT,),
            )
            if marks != [(self._mark,)]:
                raise RebuildOvertaken(f"another rebuild of {self._name} in {self._book} has begun")
            yield

    def _clear(self) -> None:
        for table in self._projection.tables:
            shadow_tables.drop(self._connection, self._schema, table)
        self._run("DELETE FROM {schema}.projection_checkpoints WHERE projection = %s", (self._name + NEXT,))

    # --- beside the live tables

    def live_position(self) -> int:
        """Where the live view stands, which goes on meanwhile."""
        return self._position_seen_by(self._connection)

    def _position_seen_by(self, connection: Connection) -> int:
        row = connection.execute(
            in_book("SELECT position FROM {schema}.projection_checkpoints WHERE projection = %s", self._book),
            (self._name,),
        ).fetchone()
        return 0 if row is None else int(row[0])

    def replay(self, until: int) -> None:
        """Project the log up to and with a position, in pages of their own transactions."""
        while self.position < until:
            with self._turn():
                self._connection.execute("SET LOCAL synchronous_commit = off")
                self._replay_page(until)
            self._progress(self.position, until)

    def _replay_page(self, until: int) -> None:
        with self._connection.cursor() as cursor:
            page = follow.page(cursor, self._book, after=self.position, limit=min(PAGE, until - self.position))
            if not page:
                raise AssertionError(f"the log of {self._book} ends at {self.position} and its checkpoints at {until}")
            self._projection.project(page, cursor)
            self.position = page[-1].position

    def compare(self) -> list[TableReport]:
        """The live rows against the rebuilt ones at one and the same position."""
        tables = self._projection.tables
        with self._database.owner() as snapshot:
            snapshot.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            snapshot.read_only = True
            with snapshot.transaction():
                # The first read fixes what the snapshot sees: checkpoint and rows of one moment.
                until = self._position_seen_by(snapshot)
                live = {table: shadow_tables.fingerprint(snapshot, self._schema, table) for table in tables}
        self.replay(until)
        reports = []
        for table in tables:
            rebuilt = shadow_tables.fingerprint(self._connection, self._schema, table + NEXT)
            reports.append(TableReport(table, live[table][0], rebuilt[0], live[table] == rebuilt))
        return reports if all(report.is_equal for report in reports) else self._with_examples(reports)

    def _with_examples(self, reports: list[TableReport]) -> list[TableReport]:
        """The report with rows that show the differences; the live view stands still while they are looked for."""
        with self._turn():
            self._lock_live()
            self._replay_in_this_turn(self.live_position())
            return [
                msgspec.structs.replace(
                    report,
                    only_live=self._only_in(report.table, report.table + NEXT),
                    only_rebuilt=self._only_in(report.table + NEXT, report.table),
                )
                for report in reports
            ]

    def _only_in(self, table: str, other: str) -> tuple[str, ...]:
        return shadow_tables.only_in(self._connection, self._schema, table, other)

    # --- in the place of the live tables

    def take_over(self) -> None:
        """Put the new tables in the place of the live ones, and let the live runner go on from here."""
        # Where the live view was behind, the new one need not be.
        self.replay(self._head())
        with self._turn():
            self._lock_live()
            self._replay_in_this_turn(self._head())
            for table in self._projection.tables:
                shadow_tables.analyze(self._connection, self._schema, table)
            self._swap_when_readers_let_us()
            self._run(
                "UPDATE {schema}.projection_checkpoints"
                "   SET version = %s, position = %s, generation = generation + 1, trouble = NULL"
                " WHERE projection = %s",
                (self._projection.version, self.position, self._name),
            )

    def _lock_live(self) -> None:
        """From here on the live view stands still."""
        self._run(
            "INSERT INTO {schema}.projection_checkpoints (projection, version) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (self._name, self._projection.version),
        )
        self._run(
            "SELECT FROM {schema}.projection_checkpoints WHERE projection = %s FOR UPDATE",
            (self._name,),
        )

    def _replay_in_this_turn(self, until: int) -> None:
        while self.position < until:
            self._replay_page(until)
            self._progress(self.position, until)

    def _head(self) -> int:
        ((head,),) = self._run("SELECT position FROM {schema}.log_head")
        return int(head)

    def _swap_when_readers_let_us(self) -> None:
        # Whoever waits for a table makes all wait who come after: so wait for a moment only, and try again.
        for tries_left in reversed(range(_SWAP_TRIES)):
            try:
                with self._connection.transaction():
                    self._connection.execute("SELECT set_config('lock_timeout', %s, true)", (_SWAP_PATIENCE,))
                    for table in self._projection.tables:
                        shadow_tables.swap(self._connection, self._schema, table)
                    return
            except psycopg.errors.LockNotAvailable:
                if not tries_left:
                    raise
                time.sleep(_SWAP_PAUSE_S)
