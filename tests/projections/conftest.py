"""A book to write to and to read from, and how hypothesis looks for counterexamples here."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings

from ledger.store.connection import Database
from tests.projections.days_work import open_accounts
from tests.projections.reading import Reader, catch_up, reading
from tests.writing import Pen, pen

# A machine that others share is slow at times, and slowness is no counterexample.
settings.register_profile("ledger", deadline=None, print_blob=True)
settings.load_profile("ledger")


@pytest.fixture
def held(database: Database, book: str) -> Iterator[Pen]:
    with pen(database, book) as writer:
        open_accounts(writer)
        yield writer


@pytest.fixture
def reader(database: Database, book: str) -> Iterator[Reader]:
    with reading(database, book) as asker:
        yield asker


@pytest.fixture
def keep_up(database: Database, book: str) -> Callable[[], object]:
    return lambda: catch_up(database, book)
