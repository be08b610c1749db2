"""Outcomes: whoever begins to wait while others are looked for is shown his stream from its beginning, or not yet."""

import asyncio
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from psycopg_pool import AsyncConnectionPool

from commands.outcomes import Outcomes
from ledger.events.customers import CustomerCreated
from ledger.events.event import Metadata, Recorded
from ledger.store import read
from tests.commands.given import NOON

STREAM = [Recorded("s", n, n, NOON, CustomerCreated(str(n)), Metadata("")) for n in (1, 2, 3)]


class _Pool:
    @asynccontextmanager
    async def connection(self) -> Any:
        yield None


def test_who_comes_during_a_look_is_not_given_only_the_end_of_his_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    async def inside() -> tuple[list[Recorded], list[Recorded]]:
        outcomes = Outcomes(cast("AsyncConnectionPool", _Pool()))
        joined: list[asyncio.Task[list[Recorded]]] = []

        async def beyond(_: object, __: str, seen: Mapping[str, int]) -> dict[str, list[Recorded]]:
            if not joined:
                joined.append(asyncio.create_task(outcomes._news("book", "s", 0, 5)))
                await asyncio.sleep(0.01)  # He waits now, and what is looked for does not begin where he begins.
            return {"s": [event for event in STREAM if event.version > seen["s"]]}

        monkeypatch.setattr(read, "beyond", beyond)
        first = await outcomes._news("book", "s", 2, 5)
        return first, await joined[0]

    assert asyncio.run(inside()) == (STREAM[2:], STREAM)
