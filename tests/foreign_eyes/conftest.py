"""Two books of all kinds, and how they are exported."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ledger.store.connection import Database
from tests.cli import word
from tests.foreign_eyes.book_of_all_kinds import fill
from tests.projections.reading import Reader, catch_up, reading
from tests.writing import pen


class Kept(NamedTuple):
    """A book with its views kept up, somebody who reads it, and where its files go."""

    book: str
    reader: Reader
    database: Database
    folder: Path

    def export(self, format_: str, name: str = "", *options: str) -> Path:
        """The file that `ledger export-journal` writes."""
        return self.exported(format_, name, *options)[0]

    def exported(self, format_: str, name: str = "", *options: str) -> tuple[Path, dict[str, Any]]:
        """The file, and what was said about it."""
        file = self.folder / f"{name or 'whole'}.{format_}"
        words = ("export-journal", "--book", self.book, "--format", format_, *options)
        return file, word.answer(*words, "--to", file, **self.environment)

    @property
    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.database.conninfo, "LEDGER_STATE": str(self.folder)}


@pytest.fixture(scope="session")
def keep(
    database: Database, make_book: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[int, int], Kept]]:
    """Make a book with so many transfers and payments."""
    with ExitStack() as open_until_the_end:

        def kept(transfers: int, payments: int) -> Kept:
            book = make_book()
            with pen(database, book) as held:
                fill(held, transfers, payments)
            catch_up(database, book)
            reader = open_until_the_end.enter_context(reading(database, book))
            return Kept(book, reader, database, tmp_path_factory.mktemp(book))

        yield kept


@pytest.fixture(scope="session")
def large(keep: Callable[[int, int], Kept]) -> Kept:
    """More than 10,000 entries."""
    return keep(6_000, 2_400)


@pytest.fixture(scope="session")
def small(keep: Callable[[int, int], Kept]) -> Kept:
    """Some hundred entries."""
    return keep(150, 60)


@pytest.fixture
def reader(database: Database, book: str) -> Iterator[Reader]:
    """Somebody who reads a fresh book."""
    with reading(database, book) as asker:
        yield asker
