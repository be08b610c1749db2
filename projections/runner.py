"""Runner: follows the log of a book and keeps its views; each event is taken exactly once, in order, or not at all.

    one transaction: lock the checkpoints ─▶ read a page ─▶ let the projections write ─▶ move the checkpoints

Projections at the same position share a page. One that is behind catches up alone. One that fails is tried again with
smaller pages, so that it stops right in front of the event it cannot take, says so, and never skips it.
"""

import logging
from collections.abc import Sequence

import msgspec
import psycopg
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from ledger.events.event import Recorded
from ledger.store import follow
from ledger.store.connection import in_book
from projections.projection import Projection
from projections.register import PROJECTIONS

logger = logging.getLogger(__name__)

# Much of what a page costs, it costs whatever its size: 9.8 µs an event in pages of 1,000, 8.3 µs in pages of 4,000.
PAGE = 4_000

DATABASE_TROUBLE = (psycopg.OperationalError, psycopg.InterfaceError)

_BEGIN_CHECKPOINTS = """
INSERT INTO {schema}.projection_checkpoints (projection, version)
SELECT * FROM unnest(%b::text[], %b::integer[])
    ON CONFLICT DO NOTHING
"""
# Rows that another runner or a rebuild holds are left to it.
_LOCK = """
SELECT projection, version, position, generation
  FROM {schema}.projection_checkpoints
 WHERE projection = ANY(%b)
 ORDER BY projection
   FOR UPDATE SKIP LOCKED
"""
_MOVE = "UPDATE {schema}.projection_checkpoints SET position = %b, trouble = NULL WHERE projection = ANY(%b)"
_STOP = "UPDATE {schema}.projection_checkpoints SET trouble = %s WHERE projection = %s"
# What is lost in a crash is projected again, checkpoint and all: nothing here has to wait for the disk.
_DO_NOT_WAIT_FOR_THE_DISK = "SET LOCAL synchronous_commit = off"


class _Place(msgspec.Struct, frozen=True):
    """Where a projection stands: its rows are those of this position, in tables of this generation."""

    position: int
    generation: int


class _Follower:
    """One projection with what the runner has to know of it."""

    def __init__(self, projection: Projection) -> None:
        self.projection = projection
        self.name = projection.name
        self.place: _Place | None = None
        self.remembers: _Place | None = None
        self.page = PAGE
        # Where it stopped for good, and why.
        self.stopped_at: _Place | None = None
        self.is_old = False

    def may_run(self, version: int, place: _Place) -> bool:
        """Whether it can take the next page here; says once why not."""
        self.place = place
        if version != self.projection.version:
            if not self.is_old:
                logger.error(
                    "the view %s of %s is of version %s, this program writes version %s: rebuild it",
                    self.name,
                    self.projection.book,
                    version,
                    self.projection.version,
                )
            self.is_old = True
            return False
        self.is_old = False
        if self.stopped_at != place:  # A rebuild has moved it.
            self.stopped_at = None
        return self.stopped_at is None

    def take(self, page: Sequence[Recorded], cursor: Cursor[TupleRow]) -> None:
        if self.remembers != self.place:
            self.projection.forget()
        # Until the commit is known, what is remembered is worth nothing.
        self.remembers = None
        self.projection.project(page, cursor)

    def committed(self, position: int) -> None:
        if self.place is None:
            raise AssertionError(f"{self.name} moved without a place")
        self.place = self.remembers = _Place(position, self.place.generation)
        self.page = min(PAGE, self.page * 2)


class _Failed(Exception):
    """These followers cannot take a page of so many events; the cause says why."""

    def __init__(self, followers: Sequence[_Follower], events: int) -> None:
        super().__init__(", ".join(follower.name for follower in followers))
        self.followers = followers
        self.events = events


class BookRunner:
    """Keeps the views of one book. Not for concurrent use; any number of runners may work on one book."""

    def __init__(self, book: str, projections: Sequence[type[Projection]] = PROJECTIONS) -> None:
        self.book = book
        self._followers = {projection.name: _Follower(projection(book)) for projection in projections}
        self._has_begun = False
        self._turn = 0

    @property
    def position(self) -> int:
        """Up to where all views have come, as far as this runner knows."""
        return min(follower.place.position if follower.place else 0 for follower in self._followers.values())

    def step(self, connection: Connection) -> int:
        """Take one page; how many events it had. 0: nothing to do, or another one is at it.

        Raises what the database raises when it is in trouble; a projection's failure is kept to itself.
        """
        if not self._has_begun:
            versions = [follower.projection.version for follower in self._followers.values()]
            connection.execute(in_book(_BEGIN_CHECKPOINTS, self.book), (list(self._followers), versions))
            self._has_begun = True
        try:
            return self._take_page(connection)
        except DATABASE_TROUBLE:
            raise
        except _Failed as failed:
            for follower in failed.followers:
                self._fail(connection, follower, failed)
            return failed.events

    def _take_page(self, connection: Connection) -> int:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute(_DO_NOT_WAIT_FOR_THE_DISK)
            # Locked first and read afterwards: in one statement the wait would make the reading stale.
            rows = cursor.execute(in_book(_LOCK, self.book), (list(self._followers),), prepare=True).fetchall()
            group: list[_Follower] = []
            page: list[Recorded] = []
            for group in self._groups(rows):
                page = self._read(cursor, group)
                if page:
                    break
            if not page:
                return 0
            for follower in group:
                self._project(follower, page, cursor)
            last = page[-1].position
            names = [follower.name for follower in group]
            cursor.execute(in_book(_MOVE, self.book), (last, names), prepare=True)
        for follower in group:
            follower.committed(last)
        return len(page)

    def _groups(self, rows: list[TupleRow]) -> list[list[_Follower]]:
        """Who can share a page, beginning with another group at each turn, so that none has to wait for the others."""
        groups: dict[tuple[int, str], list[_Follower]] = {}
        for name, version, position, generation in rows:
            follower = self._followers[name]
            if follower.may_run(version, _Place(position, generation)):
                alone = name if follower.page < PAGE else ""
                groups.setdefault((position, alone), []).append(follower)
        ordered = [groups[key] for key in sorted(groups, reverse=True)]
        self._turn += 1
        first = self._turn % len(ordered) if ordered else 0
        return ordered[first:] + ordered[:first]

    def _read(self, cursor: Cursor[TupleRow], group: list[_Follower]) -> list[Recorded]:
        place, limit = group[0].place, min(follower.page for follower in group)
        try:
            return follow.page(cursor, self.book, after=place.position if place else 0, limit=limit)
        except DATABASE_TROUBLE:
            raise
        except Exception as error:
            raise _Failed(group, limit) from error

    def _project(self, follower: _Follower, page: list[Recorded], cursor: Cursor[TupleRow]) -> None:
        try:
            follower.take(page, cursor)
        except DATABASE_TROUBLE:
            raise
        except Exception as error:
            raise _Failed([follower], len(page)) from error

    def _fail(self, connection: Connection, follower: _Follower, failed: _Failed) -> None:
        """Try again with half of it, until one event is left; then stop in front of that one."""
        if failed.events > 1:
            follower.page = failed.events // 2
            return
        place = follower.stopped_at = follower.place
        position = place.position + 1 if place else 1
        evidence = f"stopped in front of position {position}: {failed.__cause__!r}"
        logger.error("the view %s of %s %s", follower.name, self.book, evidence, exc_info=failed.__cause__)
        connection.execute(in_book(_STOP, self.book), (evidence, follower.name))
