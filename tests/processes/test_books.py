"""Books at work: a hint wakes the loops of its book and no other, however long they would have rested."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from commands.accounts import OpenAccount
from commands.processes import books
from commands.processes.books import Book, for_each_book, wait_for
from ledger.store.connection import Database
from tests.writing import pen

_A_NIGHT_S = 3_600.0


class Looks:
    """A loop that counts how often it has looked at each book."""

    def __init__(self) -> None:
        self.at: Counter[str] = Counter()
        self.lost = 0

    async def look(self, book: Book) -> None:
        book.grown.clear()
        self.at[book.name] += 1
        await wait_for(book.grown, book.pause_s(_A_NIGHT_S))

    def lose(self) -> None:
        self.lost += 1

    async def until(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < end, "it did not come about in time"
            await asyncio.sleep(0.02)


@pytest.fixture
def looks() -> Looks:
    return Looks()


@asynccontextmanager
async def looking(database: Database, looks: Looks) -> AsyncIterator[None]:
    stop = asyncio.Event()
    working = asyncio.create_task(for_each_book(database, (looks.look,), stop, looks.lose))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(working, 20)


def write(database: Database, book: str, account: str) -> None:
    with pen(database, book) as writing:
        writing.do(OpenAccount(account, account, "asset", "EUR"))


def test_a_book_that_grows_is_looked_at_and_the_others_go_on_resting(
    database: Database, looks: Looks, make_book: Callable[[], str]
) -> None:
    grows, rests = make_book(), make_book()

    async def story() -> None:
        async with looking(database, looks):
            await looks.until(lambda: looks.at[grows] > 0 and looks.at[rests] > 0)
            await asyncio.sleep(0.2)
            before = looks.at[grows], looks.at[rests]
            await asyncio.to_thread(write, database, grows, "a")
            await looks.until(lambda: looks.at[grows] > before[0])
            assert looks.at[rests] == before[1]
            later = await asyncio.to_thread(make_book)
            await looks.until(lambda: looks.at[later] > 0)

    asyncio.run(story())


def test_who_has_lost_the_connection_looks_at_everything_and_hears_hints_again(
    database: Database, looks: Looks, make_book: Callable[[], str]
) -> None:
    ours = make_book()

    async def story() -> None:
        async with looking(database, looks):
            await looks.until(lambda: looks.at[ours] > 0)
            await asyncio.sleep(0.2)
            before = looks.at[ours]
            with database.owner() as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%' OR query = %s",
                    ("SELECT name FROM ledger_control.books ORDER BY name",),
                )
            await looks.until(lambda: looks.lost > 0 and looks.at[ours] > before)
            await asyncio.sleep(0.2)
            before = looks.at[ours]
            await asyncio.to_thread(write, database, ours, "b")
            await looks.until(lambda: looks.at[ours] > before)

    asyncio.run(story())


def test_only_a_book_that_has_not_grown_for_a_while_is_left_alone_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book("shop")
    assert book.pause_s(2.0) == 2.0
    monkeypatch.setattr(books, "_RESTS_AFTER_S", -1.0)
    assert (book.pause_s(2.0), book.pause_s(2.0, 5.0), book.pause_s(60.0)) == (15.0, 5.0, 60.0)
    monkeypatch.undo()
    book.grew()
    assert book.pause_s(2.0) == 2.0
    assert book.grown.is_set()
    assert not book.due.is_set()


def test_a_bug_in_a_loop_ends_all_of_them(database: Database, make_book: Callable[[], str]) -> None:
    make_book()

    async def broken(_: Book) -> None:
        raise LookupError("a bug")

    with pytest.raises(ExceptionGroup) as ended:
        asyncio.run(asyncio.wait_for(for_each_book(database, (broken,), asyncio.Event()), 20))
    assert ended.group_contains(LookupError, match="a bug")


def test_who_stops_waits_for_no_loop_whatever_it_waits_for(database: Database, make_book: Callable[[], str]) -> None:
    ours = make_book()
    waiting: list[str] = []

    async def waits_for(name: str, book: Book) -> None:
        event: asyncio.Event = getattr(book, name)
        event.clear()
        if book.name == ours:
            waiting.append(name)
        await wait_for(event, _A_NIGHT_S)

    async def story() -> None:
        stop = asyncio.Event()
        loops = [partial(waits_for, name) for name in ("grown", "read", "due")]
        working = asyncio.create_task(for_each_book(database, loops, stop))
        while not {"grown", "read", "due"} <= set(waiting):
            await asyncio.sleep(0.02)
        stop.set()
        await asyncio.wait_for(working, 20)

    asyncio.run(asyncio.wait_for(story(), 60))
