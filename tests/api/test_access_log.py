"""The access log with a database that does not take its lines: nothing is shown unseen, and nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import LiteralString

import pytest
from psycopg import errors
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request
from starlette.responses import Response

from api.access_log import PRINCIPAL, AccessLog, Sensitive, observed
from api.keys import Principal
from ledger.errors import Unavailable
from ledger.ids import ACCESS, new_id
from ledger.store import accesses
from ledger.store.accesses import Access
from ledger.store.connection import Database, in_book

ROOM = 3


def access(status: int = 200) -> Access:
    return Access(new_id(ACCESS), datetime.now(UTC), "k1", None, "GET /v1/x", ["ann"], {}, "cor_1", status)


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[tuple[AccessLog, AsyncConnectionPool]]:
    pool = database.pool(size=2)
    await pool.open()
    try:
        yield AccessLog(pool, most_waiting=ROOM, patience_s=0.3), pool
    finally:
        await pool.close()


def rename(database: Database, book: str, there: bool) -> None:
    with database.owner() as connection:
        if there:
            connection.execute(in_book("ALTER TABLE {schema}.lost_log RENAME TO access_log", book))
        else:
            connection.execute(in_book("ALTER TABLE {schema}.access_log RENAME TO lost_log", book))


async def written(pool: AsyncConnectionPool, book: str) -> list[Access]:
    """All lines, in the order of their times: ids of one millisecond have none."""
    async with pool.connection() as connection:
        return sorted(await accesses.find(connection, book), key=lambda one: one.at)


def test_a_line_that_comes_when_the_last_one_was_just_written_is_written_as_well(database: Database, book: str) -> None:
    async def scenario() -> None:
        async with opened(database) as (log, pool):
            lines = [access() for _ in range(5)]
            for one in lines:
                await log.write(book, one)
            assert await written(pool, book) == lines
            await log.close()

    asyncio.run(scenario())


def test_lines_are_written_in_bulk_behind_and_all_of_them(database: Database, book: str) -> None:
    async def scenario() -> None:
        async with opened(database) as (log, pool):
            noted = [access() for _ in range(2)]
            for one in noted:
                log.note(book, one)
            first = access()
            await log.write(book, first)
            assert await written(pool, book) == [*noted, first]
            last = access(404)
            log.note(book, last)
            await log.close()
            assert await written(pool, book) == [*noted, first, last]

    asyncio.run(scenario())


def test_without_its_table_nothing_is_read_unseen_and_what_waits_is_written_once_it_is_back(
    database: Database, book: str, other_book: str
) -> None:
    async def scenario() -> None:
        async with opened(database) as (log, pool):
            rename(database, book, there=False)
            kept = access()
            log.note(book, kept)
            refused = access()
            with pytest.raises(Unavailable):
                await log.write(book, refused)
            log.note(book, access())
            assert not log.has_room(book)
            assert log.has_room(other_book)
            rename(database, book, there=True)
            await log.close()
            assert log.has_room(book)
            found = await written(pool, book)
            assert len(found) == ROOM
            assert found[0] == kept
            assert [one.status for one in found if one.id == refused.id] == [Unavailable.status]

    asyncio.run(scenario())


def test_a_line_that_is_written_twice_is_one_and_stays_as_it_was(database: Database, book: str) -> None:
    async def scenario() -> None:
        async with opened(database) as (_, pool):
            one = access()
            async with pool.connection() as connection:
                await accesses.add(connection, book, [one])
                one.status = 500
                await accesses.add(connection, book, [one])
            assert [found.status for found in await written(pool, book)] == [200]

    asyncio.run(scenario())


def asking(log: AccessLog, book: str) -> Request:
    """A request for something sensitive, by a key of this book."""
    world = SimpleNamespace(access_log=log)
    return Request(
        {
            "type": "http",
            "method": "GET",
            "headers": [],
            "query_string": b"customer=ann&note=personal",
            "path_params": {"payment": "pay_1"},
            "route": SimpleNamespace(path_format="/v1/x/{payment}"),
            "app": SimpleNamespace(state=SimpleNamespace(world=world)),
            PRINCIPAL: Principal("k1", "clerk", book, frozenset({"payments:read"})),
        }
    )


def test_without_room_for_a_line_nothing_is_read(database: Database, book: str) -> None:
    async def scenario() -> None:
        async with opened(database) as (log, pool):
            read: list[int] = []

            async def admitted(request: Request) -> None:
                pass

            async def answered(request: Request) -> Response:
                read.append(1)
                return Response()

            await observed(asking(log, book), Sensitive.NOTED, admitted, answered)
            rename(database, book, there=False)
            for _ in range(ROOM):
                log.note(book, access())
            for sensitive in Sensitive:
                with pytest.raises(Unavailable):
                    await observed(asking(log, book), sensitive, admitted, answered)
            assert read == [1]
            rename(database, book, there=True)
            await log.close()
            (first, *_) = await written(pool, book)
            assert (first.entities, first.parameters) == (["pay_1", "ann"], {"customer": "ann", "note": "…"})

    asyncio.run(scenario())


@pytest.mark.parametrize("statement", ["UPDATE {schema}.access_log SET key = 'x'", "DELETE FROM {schema}.access_log"])
def test_the_application_may_not_change_what_was_written(
    database: Database, book: str, statement: LiteralString
) -> None:
    if database.role is None:
        pytest.skip("no role of the application here")
    with database.connect() as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(in_book(statement, book))


@pytest.fixture
def other_book(book: str) -> str:
    return f"{book}x"
