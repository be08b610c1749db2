"""A book to write to and to read from, and how hypothesis looks for counterexamples here."""

from collections.abc import Callable, Iterator
from typing import LiteralString

import pytest
from hypothesis import settings

from commands.envelope import Command
from ledger.store.connection import Database, in_book
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


@pytest.fixture
def tell(held: Pen, keep_up: Callable[[], object]) -> Callable[..., None]:
    """Commands that are carried out, and the views behind them."""

    def told(*commands: Command) -> None:
        for command in commands:
            held.do(command)
        keep_up()

    return told


@pytest.fixture
def falsify(database: Database, book: str) -> Callable[[LiteralString], None]:
    """Somebody writes into a table what no event says."""

    def falsified(statement: LiteralString) -> None:
        with database.owner() as connection:
            connection.execute(in_book(statement, book))

    return falsified
