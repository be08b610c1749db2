"""Rounds: who asks together is asked for once, nobody waits for company, and one's trouble is nobody else's."""

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from commands.rounds import MOST_IN_A_ROUND, Rounds


class Asker:
    """Doubles numbers, and remembers the rounds; a negative number is trouble."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.rounds: list[list[int]] = []
        self._trouble = trouble

    async def __call__(self, asked: Sequence[int]) -> Sequence[int]:
        self.rounds.append(list(asked))
        await asyncio.sleep(0.01)
        if self._trouble is not None and any(number < 0 for number in asked):
            raise self._trouble
        return [2 * number for number in asked]


def told(asker: Asker, *numbers: int) -> list[int | BaseException]:
    async def inside() -> list[int | BaseException]:
        rounds: Rounds[int, int] = Rounds(asker)
        return await asyncio.gather(*(rounds.ask(number) for number in numbers), return_exceptions=True)

    return asyncio.run(inside())


def test_who_comes_while_one_is_asked_for_is_in_the_next_round() -> None:
    async def inside() -> list[int]:
        rounds: Rounds[int, int] = Rounds(asker)
        first = asyncio.create_task(rounds.ask(1))
        await asyncio.sleep(0.005)
        return [*await asyncio.gather(*(rounds.ask(number) for number in (2, 3))), await first, await rounds.ask(4)]

    asker = Asker()
    assert asyncio.run(inside()) == [4, 6, 2, 8]
    assert asker.rounds == [[1], [2, 3], [4]]


def test_a_round_is_not_larger_than_the_database_likes() -> None:
    asker = Asker()
    assert told(asker, *range(MOST_IN_A_ROUND + 1)) == [2 * number for number in range(MOST_IN_A_ROUND + 1)]
    assert [len(asked) for asked in asker.rounds] == [MOST_IN_A_ROUND, 1]


def test_what_may_be_the_doing_of_one_is_told_to_that_one() -> None:
    trouble = ValueError("no such number")
    asker = Asker(trouble)
    assert told(asker, 1, -2, 3) == [2, trouble, 6]
    assert asker.rounds == [[1, -2, 3], [1], [-2], [3]]


def test_a_database_that_is_away_is_away_for_all_and_asked_once() -> None:
    trouble = psycopg.OperationalError("the connection is lost")
    asker = Asker(trouble)
    assert told(asker, 1, -2, 3) == [trouble] * 3
    assert asker.rounds == [[1, -2, 3]]


def test_who_has_left_is_not_asked_for_and_the_others_are_told() -> None:
    async def inside() -> list[int]:
        rounds: Rounds[int, int] = Rounds(asker)
        first = asyncio.create_task(rounds.ask(1))
        await asyncio.sleep(0.005)
        leaving, staying = asyncio.create_task(rounds.ask(2)), asyncio.create_task(rounds.ask(3))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        return [await first, await staying]

    asker = Asker()
    assert asyncio.run(inside()) == [2, 6]
    assert asker.rounds == [[1], [3]]
