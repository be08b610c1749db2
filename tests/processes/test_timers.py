"""Timers: what has run out of time is let go, once, whatever the view says."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

import msgspec
import pytest

from commands.accounts import OpenAccount
from commands.envelope import Answer, Part
from commands.holds import CaptureHold
from commands.payments import CreatePayment
from commands.processes import timers
from commands.processes.timers import expire_holds, expire_payments, keep_dates
from commands.transfers import PlaceHold
from ledger.events.holds import HoldExpired
from ledger.events.payments import PaymentCreated, PaymentExpired
from ledger.ids import PAYMENT, new_id
from tests.commands.stories import by_card
from tests.processes.house import House, until


def place(house: House, name: str, lasts_s: float) -> None:
    expires_at = datetime.now(UTC) + timedelta(seconds=lasts_s)
    house.pen.do(PlaceHold(name, "a", "b", 5, "EUR", expires_at))


def opened(house: House) -> House:
    house.pen.do(OpenAccount("a", "A", "asset", "EUR"))
    house.pen.do(OpenAccount("b", "B", "liability", "EUR"))
    return house


def test_the_worker_lets_holds_expire_when_they_are_due_and_not_before(house: House) -> None:
    opened(house)
    place(house, "hold_soon", 1.5)
    place(house, "hold_later", 3600)

    async def all_holds(book: str, now: datetime) -> Sequence[str]:
        # A view that names too many, again and again: the decision looks for itself.
        return ("hold_soon", "hold_later", "hold_nobody") if book == house.book else ()

    house.start_worker(all_holds)
    until(lambda: True if len(house.history("hold_soon")) > 1 else None)
    time.sleep(1.2)
    assert [type(recorded.event) for recorded in house.history("hold_soon")[1:]] == [HoldExpired]
    assert len(house.history("hold_later")) == 1
    expired = house.history("hold_soon")[1]
    assert (expired.metadata.actor, expired.recorded_at >= house.history("hold_soon")[0].recorded_at) == ("timer", True)


def test_a_hold_that_was_captured_in_between_stays_captured(house: House) -> None:
    opened(house)
    place(house, "hold_1", 0.2)
    house.pen.do(CaptureHold("hold_1"))
    time.sleep(0.3)

    async def due(book: str, now: datetime) -> Sequence[str]:
        return ("hold_1",)

    async def submit(book: str, part: Part) -> Answer:
        return await asyncio.to_thread(lambda: house.pen.submit([part])()[0])

    assert asyncio.run(expire_holds(house.book, due, submit)) == ("hold_1",)
    assert len(house.history("hold_1")) == 2


def test_a_payment_that_nobody_paid_in_time_expires_once_and_what_is_under_way_does_not(house: House) -> None:
    def order(name: str, **more: object) -> CreatePayment:
        changed: CreatePayment = msgspec.structs.replace(by_card(name), **more)
        return changed

    late, later, under_way = names = tuple(new_id(PAYMENT) for _ in range(3))
    house.pen.do(order(late, confirm=False, expires_in_s=1))
    house.pen.do(order(later, confirm=False))
    house.pen.do(order(under_way, expires_in_s=1))
    time.sleep(1.1)

    async def due(book: str, now: datetime) -> Sequence[str]:
        return (*names, "pay_nobody")

    async def submit(book: str, part: Part) -> Answer:
        return await asyncio.to_thread(lambda: house.pen.submit([part])()[0])

    for _ in range(2):
        asyncio.run(expire_payments(house.book, due, submit))
    assert [type(recorded.event) for recorded in house.history(late)] == [PaymentCreated, PaymentExpired]
    assert len(house.history(later)) == 1
    assert not any(isinstance(recorded.event, PaymentExpired) for recorded in house.history(under_way))


def test_what_falls_due_once_more_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract's update may run out of time, and much later the contract: the first key is answered already."""
    keys: list[str] = []

    async def due(book: str, now: datetime) -> Sequence[str]:
        return ["con_1", "pay_1"]

    async def submit(book: str, part: Part) -> Answer:
        keys.append(part.envelope.key)
        return Answer(200, 1)

    class Clock(datetime):
        past_noon = 0

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls(2026, 3, 15, 12, Clock.past_noon, tzinfo=tz)

    monkeypatch.setattr(timers, "datetime", Clock)
    for minutes in (0, 0, 1):
        Clock.past_noon = minutes
        asyncio.run(keep_dates("book", due, submit))
    assert len(keys) == 6
    assert len(set(keys)) == 4
