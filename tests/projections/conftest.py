"""Books that were worked in, with their views caught up."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from psycopg import Connection

from ledger.store.connection import Database
from tests.projections.brute_force import Past
from tests.projections.days_work import DaysWork, open_accounts
from tests.projections.reading import Reader, catch_up, reading
from tests.writing import pen, read_log

# A machine that others share is slow at times, and slowness is no counterexample.
settings.register_profile("ledger", deadline=None, print_blob=True)
settings.load_profile("ledger")


@pytest.fixture(scope="module")
def worked_in(database: Database, make_book: Callable[[], str]) -> str:
    """A book with a day's work in it; its views are caught up."""
    book = make_book()
    with pen(database, book) as held:
        open_accounts(held)
        DaysWork(held, seed=7).do(400)
    catch_up(database, book)
    return book


@pytest.fixture(scope="module")
def reader(database: Database, worked_in: str) -> Iterator[Reader]:
    with reading(database, worked_in) as held:
        yield held


@pytest.fixture(scope="module")
def past(database_url: str, worked_in: str) -> Past:
    """The same book by brute force."""
    with Connection.connect(database_url, autocommit=True) as connection:
        return Past(read_log(connection, worked_in))
