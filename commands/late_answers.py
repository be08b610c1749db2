"""Late answers: the body of a first answer that tells of what happened after its commit, kept like any other answer.

The effect of a command and its key are one transaction; what a channel says a moment later cannot be in it.
So the first body that is sent is put down here before it is sent, and every later request with the key reads it back:
equal requests have equal answers, however many there are and whenever they come.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from commands.outcomes import STILL_TO_COME, Outcomes, View
from ledger.events.event import Recorded
from ledger.store.connection import in_book

PATIENCE_S = 2.5
CREATED, ACCEPTED = 201, 202

_FIX = "INSERT INTO {schema}.late_answers (key, status, answer) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_FIND = "SELECT status, answer FROM {schema}.late_answers WHERE key = %s"


async def find(connection: AsyncConnection[Any], book: str, key: str) -> tuple[int, bytes] | None:
    """The status and body that were sent first for this key, if any were."""
    row = await (await connection.execute(in_book(_FIND, book), (key,))).fetchone()
    return None if row is None else (int(row[0]), bytes(row[1]))


async def fix(connection: AsyncConnection[Any], book: str, key: str, status: int, body: bytes) -> tuple[int, bytes]:
    """Put this down as the first answer, unless another was quicker; returns what stands."""
    put_down = await connection.execute(in_book(_FIX, book), (key, status, body))
    if put_down.rowcount:
        return status, body
    stands = await find(connection, book, key)
    if stands is None:
        raise AssertionError(f"the answer to {key} in {book} was put down and is not there")
    return stands


async def first_answer(
    pool: AsyncConnectionPool,
    outcomes: Outcomes,
    book: str,
    key: str,
    stream: str,
    show: Callable[[list[Recorded]], View],
    *,
    patience_s: float = PATIENCE_S,
    settled: int = CREATED,
    fresh: bool = False,
) -> tuple[int, bytes]:
    """The answer to a command whose outcome was still to come (status 202): with the outcome if it comes in time.

    `show` makes the view of the payment, refund or top-up from its stream. Status `settled` with an outcome, else 202.
    `fresh`: it was carried out just now, so that no answer can have been sent before.
    """
    if not fresh:
        async with pool.connection() as connection:
            stands = await find(connection, book, key)
        if stands is not None:
            return stands
    view = await outcomes.settled(book, stream, show, patience_s)
    status = ACCEPTED if view.status in STILL_TO_COME else settled
    async with pool.connection() as connection:
        return await fix(connection, book, key, status, msgspec.json.encode(view))
