"""Late answers: the first body tells the outcome if it comes in time, and is the same for ever after."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import msgspec
import pytest

from commands import late_answers
from commands.late_answers import LateAnswers
from commands.outcomes import Outcomes
from ledger.errors import IdempotencyInProgress
from ledger.payment_views import payment_view, refund_view, top_up_view
from tests.commands.stories import PATIENCE
from tests.processes.house import House

_Found = TypeVar("_Found")
Answer = tuple[int, bytes]


@asynccontextmanager
async def reading(house: House) -> AsyncIterator[tuple[LateAnswers, Outcomes]]:
    async with house.database.pool(size=3) as pool:
        outcomes = Outcomes(pool)
        yield LateAnswers(pool, outcomes), outcomes


def answers(house: House, payment: str, times: int = 1, patience_s: float = 2.5) -> list[Answer]:
    """What so many equal requests for one payment are answered at the same time."""

    async def inside() -> list[Answer]:
        async with reading(house) as (late, _):
            one = partial(late.first, house.book, f"key/{payment}", payment, payment_view, patience_s=patience_s)
            return list(await asyncio.gather(*(one() for _ in range(times))))

    return asyncio.run(inside())


def told(body: bytes) -> dict[str, object]:
    return msgspec.json.decode(body, type=dict[str, object])


def test_an_outcome_that_comes_in_time_is_in_the_first_answer(house: House) -> None:
    house.start_worker()
    ((status, body),) = answers(house, house.pay())
    assert (status, told(body)["status"], told(body)["next_action"]) == (201, "succeeded", None)
    ((status, body),) = answers(house, house.pay("tok_insufficient_funds"))
    assert (status, told(body)["status"]) == (201, "failed")


def test_an_answer_that_could_not_wait_says_processing_for_ever(house: House) -> None:
    payment = house.pay()
    ((status, body),) = answers(house, payment, patience_s=0.2)
    assert (status, told(body)["status"], told(body)["next_action"]) == (202, "processing", PATIENCE)
    asked_at = time.monotonic()
    assert answers(house, payment, patience_s=20) == [(status, body)]
    assert time.monotonic() - asked_at < 10  # what was said once is not waited for again
    house.start_worker()
    (view,) = house.settled(payment)
    assert view.status == "succeeded"
    assert answers(house, payment) == [(status, body)]


def test_fifty_equal_requests_have_equal_answers_whenever_they_come(house: House) -> None:
    house.misbehave("tok_soon", "late_success", delay_ms=300)
    house.start_worker()
    payment = house.pay("tok_soon")
    first = answers(house, payment, times=50)
    assert len(set(first)) == 1
    assert first[0][0] == 201
    assert answers(house, payment, times=3) == first[:3]


def test_who_asks_again_meanwhile_is_told_so_unless_nobody_can_be_waiting_any_more(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's process may have died: then whoever comes next puts the answer down."""
    payment = house.pay()

    async def inside() -> Answer:
        async with reading(house) as (late, _):
            again = partial(late.first, house.book, "first", payment, payment_view, position=house.position())
            began = time.monotonic()
            with pytest.raises(IdempotencyInProgress):
                await again()
            assert time.monotonic() - began > late_answers.PATIENCE_WITH_ANOTHER_S - 0.1
            monkeypatch.setattr(late_answers, "_RUNS_FOR_S", 0.0)
            answer = await again(patience_s=0.1)
            assert await again() == answer
            return answer

    assert asyncio.run(inside())[0] == 202


def test_whoever_is_quicker_puts_the_answer_down(house: House) -> None:
    async def inside() -> list[Answer]:
        async with reading(house) as (one, _), reading(house) as (other, _):
            asked = [late.fix(house.book, "key", 201, b"%d" % number) for number in range(20) for late in (one, other)]
            return list(await asyncio.gather(*asked))

    assert len(set(asyncio.run(inside()))) == 1


def test_refunds_and_top_ups_are_answered_alike(house: House) -> None:
    house.start_worker()
    payment, top_up = house.pay(), house.top_up()
    house.settled(payment)
    refund = house.refund(payment, 1_000)

    async def inside() -> tuple[Answer, Answer]:
        async with reading(house) as (late, _):
            show = partial(refund_view, refund=refund)
            return (
                await late.first(house.book, "r", payment, show),
                await late.first(house.book, "t", top_up, top_up_view),
            )

    (refund_status, refund_body), (top_up_status, top_up_body) = asyncio.run(inside())
    assert (refund_status, told(refund_body)["id"], told(refund_body)["status"]) == (201, refund, "succeeded")
    assert (top_up_status, told(top_up_body)["id"], told(top_up_body)["status"]) == (201, top_up, "succeeded")


def looking() -> int:
    return sum("Outcomes._look" in repr(task.get_coro()) for task in asyncio.all_tasks())


def test_nothing_is_looked_for_when_nobody_waits(house: House) -> None:
    async def inside() -> None:
        async with reading(house) as (_, outcomes):
            payment = house.pay()
            wait: Callable[[], Awaitable[object]] = partial(
                outcomes.settled, house.book, payment, payment_view, patience_s=0.1
            )
            waiting = asyncio.gather(wait(), wait())
            await asyncio.sleep(0.05)
            assert looking() == 1
            await waiting
            await asyncio.sleep(0.1)
            assert looking() == 0

    asyncio.run(inside())
