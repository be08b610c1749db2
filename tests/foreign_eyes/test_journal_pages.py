"""Journal pages: two streams are merged into one, and every entry is told once, in the order of effect."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from psycopg import AsyncConnection

from api.dependencies import Caller
from api.journal_files import prepare
from api.routes.journal import pieces
from ledger.audit.plain_text import EntryLine
from ledger.errors import Unauthenticated
from ledger.posting_rules import effective_at, entry_for
from projections.journal import Reading, Span, accounts, entries, span
from projections.moments import BEGINNING, END
from tests.foreign_eyes.conftest import Kept
from tests.writing import read_log

A_WHILE_AGO = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=20)


async def _told(
    connection: AsyncConnection[Any], book: str, of: Span, page_size: int
) -> tuple[list[list[EntryLine]], list[tuple[int, int]]]:
    @asynccontextmanager
    async def reading() -> AsyncIterator[AsyncConnection[Any]]:
        yield connection

    steps: list[tuple[int, int]] = []
    told = entries(reading, book, of, page_size=page_size, told=lambda done, total: steps.append((done, total)))
    return [page async for page in told], steps


@pytest.mark.parametrize("page_size", [1, 2, 7, 50, 5_000])
@pytest.mark.parametrize("since", [None, A_WHILE_AGO])
@pytest.mark.parametrize("until", [None, A_WHILE_AGO + timedelta(days=6)])
@pytest.mark.parametrize("known_at", [None, 200])
def test_every_entry_is_told_once_and_in_the_order_of_effect(
    small: Kept, page_size: int, since: datetime | None, until: datetime | None, known_at: int | None
) -> None:
    with small.database.connect() as connection:
        log = read_log(connection, small.book)
    places = sorted(
        (effective_at(fact.event, fact.recorded_at), fact.position)
        for fact in log
        if entry_for(fact.event) is not None and (known_at is None or fact.position <= known_at)
    )
    expected = [place for place in places if (since or BEGINNING) <= place[0] < (until or END)]
    of = small.reader.ask(span, since, until, known_at)
    pages, steps = small.reader.ask(_told, of, page_size)
    assert [(line.effective_at, line.position) for page in pages for line in page] == expected
    assert expected
    # Two pages are the most that is ever held.
    assert max(map(len, pages)) <= 2 * page_size
    assert steps == sorted(steps)
    assert not steps or steps[-1][0] == steps[-1][1]


def test_accounts_are_those_that_were_there(small: Kept) -> None:
    async def known(connection: AsyncConnection[Any], book: str, position: int) -> list[str]:
        @asynccontextmanager
        async def reading() -> AsyncIterator[AsyncConnection[Any]]:
            yield connection

        return [one.id for one in await accounts(reading, book, await span(connection, book, None, None, position))]

    whole, early = small.reader.ask(known, 400), small.reader.ask(known, 5)
    assert len(early) == 5
    assert set(early) < set(whole)
    assert small.reader.ask(known, 0) == []


def test_a_key_that_is_revoked_ends_a_long_answer(small: Kept) -> None:
    class Revoked:
        """A caller whose key is revoked between one page and the next."""

        def __init__(self, reading: Reading) -> None:
            self.world = SimpleNamespace(reading=reading)
            self.asked = 0

        async def still_may(self) -> None:
            self.asked += 1
            if self.asked > 2:
                raise Unauthenticated

    async def told(connection: AsyncConnection[Any], book: str) -> int:
        @asynccontextmanager
        async def reading() -> AsyncIterator[AsyncConnection[Any]]:
            yield connection

        prepared = await prepare(reading, book, await span(connection, book, None, None, None))
        count = 0
        with suppress(Unauthenticated):
            async for _ in pieces(cast(Caller, Revoked(reading)), prepared, "hledger"):
                count += 1
        return count

    assert small.reader.ask(told) == 2
