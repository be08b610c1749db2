"""Projection: a view of the log, its tables, and how a page of events is written into them.

A page is projected in memory and written in one go; the runner commits it together with the checkpoint. Each view's
file holds what writes its tables and what reads them, and nobody else knows their columns.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, LiteralString

import msgspec
from psycopg import Cursor
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from ledger.events.event import Recorded
from ledger.store.schema import schema_of

Page = Sequence[Recorded]
Writing = Cursor[TupleRow]


class Target(msgspec.Struct, frozen=True):
    """Where rows are written: in which schema (None: the book's own), and what stands behind the tables' names."""

    schema: str | None = None
    suffix: str = ""


LIVE = Target()
"""The tables that are read."""


class Projection(ABC):
    """One view of one book. Not for concurrent use: it remembers what it wrote last."""

    name: ClassVar[str]
    version: ClassVar[int]
    """Raise it when a row changes its meaning: the view then stands still until it is rebuilt."""
    tables: ClassVar[tuple[str, ...]]
    growing: ClassVar[tuple[str, ...]] = ()
    """Those of them whose rows are never changed and say their `position`: what they held at any position of the past
    is what they hold up to it."""

    def __init__(self, book: str, target: Target = LIVE) -> None:
        """The log is always the book's; rows may be written beside the live ones."""
        self.book = book
        self._schema = Identifier(schema_of(book))
        schema = target.schema or schema_of(book)
        self._tables = {table: Identifier(schema, table + target.suffix) for table in self.tables}
        self._statements: dict[str, bytes] = {}

    def statement(self, text: LiteralString) -> bytes:
        """The statement with `{schema}`, the book's, and the names of the own tables filled in."""
        filled_in = self._statements.get(text)
        if filled_in is None:
            # As bytes, because psycopg would put a composed statement together at every use.
            filled_in = self._statements[text] = SQL(text).format(schema=self._schema, **self._tables).as_bytes()
        return filled_in

    @abstractmethod
    def project(self, page: Page, cursor: Writing) -> None:
        """Write what these events change. Their positions follow one another, and on what was projected before."""

    @abstractmethod
    def forget(self) -> None:
        """Trust nothing that is remembered: somebody else wrote, or what we wrote was not committed."""
