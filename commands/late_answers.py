"""Late answers: the body of a first answer that tells of what happened after its commit, kept like any other answer.

The effect of a command and its key are one transaction; what a channel says a moment later cannot be in it.
So the first body that is sent is put down here before it is sent, and every later request with the key reads it back:
equal requests have equal answers, however many there are and whenever they come. One that comes while the first is
still waiting waits with it for a moment, and is then told to come again.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from commands.outcomes import Outcomes, View, is_still_to_come
from commands.rounds import Rounds
from ledger.errors import IdempotencyInProgress
from ledger.events.event import Recorded
from ledger.store.arrays import Bigints, Bytes, Texts
from ledger.store.connection import in_book

PATIENCE_S = 2.5
PATIENCE_WITH_ANOTHER_S = 1.5
"""For so long a request waits for what an equal one, which came before it, is still waiting for."""
# Longer than any request waits: if nothing is put down by then, whoever was to do it is no more.
_RUNS_FOR_S = PATIENCE_S + 1
CREATED, ACCEPTED = 201, 202

# In an order, so that two who put down many never wait for each other.
_FIX = """
INSERT INTO {schema}.late_answers (key, status, answer)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::bytea[]) AS answer (key, status, answer) ORDER BY key
    ON CONFLICT DO NOTHING
RETURNING key
"""
_FIND = "SELECT key, status, answer FROM {schema}.late_answers WHERE key = ANY(%b)"
_IS_RECENT = """
SELECT recorded_at > clock_timestamp() - %s * interval '1 second' FROM {schema}.events WHERE notification_id = %s
"""

Answer = tuple[int, bytes]
"""A status and a body."""


async def find(connection: AsyncConnection[Any], book: str, keys: Sequence[str]) -> dict[str, Answer]:
    """The status and body that were sent first for each of these keys, if any were."""
    rows = await (await connection.execute(in_book(_FIND, book), (Texts(keys),), binary=True)).fetchall()
    return {key: (int(status), bytes(body)) for key, status, body in rows}


async def fix(connection: AsyncConnection[Any], book: str, given: Sequence[tuple[str, int, bytes]]) -> list[Answer]:
    """Put these down as the first answers to their keys, unless others were quicker; returns what stands for each."""
    first: dict[str, Answer] = {}
    for key, status, body in given:
        first.setdefault(key, (status, body))
    columns = (
        Texts(first),
        Bigints(status for status, _ in first.values()),
        Bytes(body for _, body in first.values()),
    )
    rows = await (await connection.execute(in_book(_FIX, book), columns, prepare=True)).fetchall()
    if others := first.keys() - {key for (key,) in rows}:
        found = await find(connection, book, sorted(others))
        if missing := others - found.keys():
            raise AssertionError(f"the answers to {sorted(missing)} in {book} were put down and are not there")
        first |= found
    return [first[key] for key, _, _ in given]


class LateAnswers:
    """One for a process and its event loop."""

    def __init__(self, pool: AsyncConnectionPool, outcomes: Outcomes) -> None:
        self._pool, self._outcomes = pool, outcomes
        self._fixing: dict[str, Rounds[tuple[str, int, bytes], Answer]] = {}

    async def first(
        self,
        book: str,
        key: str,
        stream: str,
        show: Callable[[list[Recorded]], View],
        *,
        patience_s: float = PATIENCE_S,
        settled: int = CREATED,
        fresh: bool = False,
        position: int = 0,
    ) -> Answer:
        """The answer to a command whose outcome was still to come (status 202): with the outcome if it comes in time.

        `show` makes the view of the payment, refund or top-up from its stream. Status `settled` with an outcome, else
        202. `fresh`: it was carried out just now, so that no answer can have been sent before. `position`: where its
        last event stands. Raises IdempotencyInProgress while an equal request waits for longer than this one does.
        """
        runs = False
        if not fresh:
            async with self._pool.connection() as connection:
                stands = await find(connection, book, [key])
                if key in stands:
                    return stands[key]
                runs = await _is_recent(connection, book, position)
        view = await self._outcomes.settled(
            book, stream, show, min(patience_s, PATIENCE_WITH_ANOTHER_S) if runs else patience_s
        )
        status = ACCEPTED if is_still_to_come(view) else settled
        if runs and status == ACCEPTED:
            async with self._pool.connection() as connection:
                stands = await find(connection, book, [key])
                if key in stands:
                    return stands[key]
                if await _is_recent(connection, book, position):
                    raise IdempotencyInProgress
        return await self.fix(book, key, status, msgspec.json.encode(view))

    async def fix(self, book: str, key: str, status: int, body: bytes) -> Answer:
        """Put this down as the first answer, unless another was quicker; returns what stands."""
        fixing = self._fixing.get(book)
        if fixing is None:
            fixing = self._fixing[book] = Rounds(partial(self._fix, book))
        return await fixing.ask((key, status, body))

    async def _fix(self, book: str, given: Sequence[tuple[str, int, bytes]]) -> list[Answer]:
        async with self._pool.connection() as connection:
            return await fix(connection, book, given)


async def _is_recent(connection: AsyncConnection[Any], book: str, position: int) -> bool:
    """Whether so little time has passed since this was recorded that the request for it may still be waiting."""
    row = await (await connection.execute(in_book(_IS_RECENT, book), (_RUNS_FOR_S, position))).fetchone()
    return row is not None and bool(row[0])
