"""Freshness: who waits for a view is told as soon as it has come, or that it has not."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import PoolTimeout

from ledger.errors import NotCaughtUp, PositionNotReached
from ledger.store.connection import Database
from projections import freshness
from projections.freshness import LOG, Checkpoint, Freshness, checkpoints, position_known_at, seen_by
from projections.holds import Holds
from projections.postings import Postings
from projections.register import BY_NAME
from tests.projections.days_work import DaysWork, open_accounts
from tests.projections.reading import catch_up, reading
from tests.projections.rows import positions
from tests.writing import pen

VIEWS = (Postings.name, Holds.name)


@pytest.fixture
def behind(database: Database, book: str) -> str:
    """A book whose log has seven events more than its views."""
    with pen(database, book) as held:
        open_accounts(held)
    catch_up(database, book)
    with pen(database, book) as held:
        DaysWork(held, seed=1).do(8)
    return book


def test_a_view_that_comes_in_time_is_waited_for(database: Database, behind: str) -> None:
    head = positions(database, behind)["log"]

    async def wait() -> float:
        async with database.pool(size=2) as pool:
            fresh = Freshness(pool)
            begun = time.monotonic()
            waiting = asyncio.create_task(fresh.wait(behind, VIEWS, head, patience_s=10))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            await asyncio.to_thread(catch_up, database, behind)
            await waiting
            await fresh.wait(behind, VIEWS, head)  # It knows already.
            return time.monotonic() - begun

    assert 0.1 < asyncio.run(wait()) < 5


def test_a_view_that_does_not_come_is_not_caught_up(database: Database, behind: str) -> None:
    found = positions(database, behind)

    async def wait() -> None:
        async with database.pool(size=2) as pool:
            fresh = Freshness(pool)
            await fresh.wait(behind, VIEWS, found["postings"])
            await fresh.wait(behind, (LOG,), found["log"])
            for views, position in (((Postings.name,), found["log"]), ((LOG,), found["log"] + 1), (("nothing",), 1)):
                with pytest.raises(NotCaughtUp) as refused:
                    await fresh.wait(behind, views, position, patience_s=0.05)
                assert refused.value.facts["wanted"] == position

    asyncio.run(wait())


def test_one_look_serves_all_who_wait(database: Database, behind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head, looks = positions(database, behind)["log"], list[str]()
    look = freshness.checkpoints

    async def counted(connection: AsyncConnection[Any], of: str) -> dict[str, Checkpoint]:
        looks.append(of)
        return await look(connection, of)

    monkeypatch.setattr(freshness, "checkpoints", counted)

    async def wait() -> None:
        async with database.pool(size=1) as pool:
            fresh = Freshness(pool)
            waiting = [fresh.wait(behind, VIEWS, head, patience_s=0.3) for _ in range(500)]
            answers = await asyncio.gather(*waiting, return_exceptions=True)
            assert {type(answer) for answer in answers} == {NotCaughtUp}
            so_far = len(looks)
            assert so_far <= 0.3 / 0.01 + 2
            await asyncio.sleep(0.1)
            assert len(looks) <= so_far + 1, "nobody waits, and somebody looks"

    asyncio.run(wait())


def test_a_database_that_is_away_is_told_to_all_who_wait(database: Database, behind: str) -> None:
    nowhere = Database("host=127.0.0.1 port=1 dbname=nothing", role=None)

    async def wait() -> None:
        pool = nowhere.pool(size=1)
        await pool.open()
        try:
            waiting = [Freshness(pool).wait(behind, VIEWS, 5, patience_s=5) for _ in range(3)]
            answers = await asyncio.gather(*waiting, return_exceptions=True)
            assert all(isinstance(answer, PoolTimeout | OperationalError) for answer in answers), answers
        finally:
            await pool.close()

    asyncio.run(wait())


def test_checkpoints_say_how_far_each_view_is_behind(database: Database, behind: str) -> None:
    found = positions(database, behind)
    with reading(database, behind) as reader:
        told = reader.ask(checkpoints)
    assert told.keys() == {LOG, *BY_NAME}
    assert told[LOG] == Checkpoint(LOG, found["log"], 0)
    assert told["postings"] == Checkpoint("postings", found["postings"], found["log"] - found["postings"])


def test_a_book_that_nobody_follows_has_its_log_only(database: Database, book: str) -> None:
    with reading(database, book) as reader:
        assert reader.ask(checkpoints) == {LOG: Checkpoint(LOG, 0, 0)}
        assert reader.ask(seen_by, VIEWS, None) == 0


def test_a_time_means_the_last_position_that_was_recorded_until_then(database: Database, behind: str) -> None:
    head = positions(database, behind)["log"]
    with reading(database, behind) as reader:
        assert reader.ask(position_known_at, datetime.now(UTC)) == head
        assert reader.ask(position_known_at, datetime.now(UTC) - timedelta(days=1)) == 0
        assert reader.ask(position_known_at, 3) == 3
        with pytest.raises(PositionNotReached):
            reader.ask(position_known_at, head + 1)
