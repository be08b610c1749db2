"""Channel calls: the log becomes work exactly once, and one call is in the hands of one worker."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
import pytest
from psycopg import errors

from commands.channels.requests import Charge, RefundCharge
from commands.processes import channel_calls
from commands.processes.channel_calls import Claim, Return
from commands.processes.intents import closed_by
from commands.processes.next_steps import Step, ask_again
from commands.refunds import RequestRefund
from commands.top_ups import RequestTopUp
from ledger.events.event import Event
from ledger.store.connection import Database, in_book
from tests.commands.stories import CARD, CHANNEL, PARTIES, attempt_of, by_card, charged, from_wallet, topped_up
from tests.writing import Pen, pen

_Found = TypeVar("_Found")


class Desk:
    """One book, its writer, and its work list."""

    def __init__(self, database: Database, book: str, held: Pen) -> None:
        self.database, self.book, self.pen = database, book, held

    def do(self, work: Callable[..., Awaitable[_Found]], *given: Any, **named: Any) -> _Found:
        async def inside() -> _Found:
            async with await self.database.connect_async() as connection:
                return await work(connection, self.book, *given, **named)

        return asyncio.run(inside())

    def at_once(self, times: int, work: Callable[..., Awaitable[_Found]], **named: Any) -> list[_Found]:
        """The same work on so many connections at the same time."""

        async def inside() -> list[_Found]:
            connections = [await self.database.connect_async() for _ in range(times)]
            try:
                return list(await asyncio.gather(*(work(each, self.book, **named) for each in connections)))
            finally:
                for each in connections:
                    await each.close()

        return asyncio.run(inside())

    def follow(self) -> None:
        page = self.do(channel_calls.follow)
        while page.more:
            page = self.do(channel_calls.follow, page.position)

    def claim(self, limit: int = 10, lease_s: float = 60) -> list[Claim]:
        return self.do(channel_calls.claim, limit=limit, lease_s=lease_s)

    def states(self) -> dict[str, str]:
        with self.database.connect() as connection:
            rows = connection.execute(in_book("SELECT id, state FROM {schema}.channel_calls", self.book))
            return dict(rows.fetchall())

    def age_claims(self) -> None:
        """As if every claim had been taken a minute earlier, and lasted as long as it does."""
        statement = "UPDATE {schema}.channel_calls SET claimed_at = claimed_at - interval '1 minute'"
        with self.database.connect() as connection:
            connection.execute(in_book(statement, self.book))

    def checkpoint(self) -> tuple[int, int]:
        """Where the process stands, and where the log ends."""
        statement = (
            "SELECT c.position, h.position FROM {schema}.process_checkpoints c, {schema}.log_head h"
            " WHERE c.process = 'channel_calls'"
        )
        with self.database.connect() as connection:
            row = connection.execute(in_book(statement, self.book)).fetchone()
        assert row is not None
        return row[0], row[1]


@pytest.fixture
def desk(own_database: Database, own_book: str) -> Iterator[Desk]:
    with pen(own_database, own_book) as held:
        for command in PARTIES:
            held.do(command)
        yield Desk(own_database, own_book, held)


def test_every_intent_becomes_one_call_and_nothing_else_does(desk: Desk) -> None:
    for command in (*topped_up(10_000), by_card("pay_1"), attempt_of("pay_1", charged())):
        desk.pen.do(command)
    for command in (from_wallet("pay_2"), RequestRefund("pay_1", 100, "r"), RequestRefund("pay_2", 100, "r")):
        desk.pen.do(command)
    desk.pen.do(RequestTopUp("top_1", "ann", 5, "EUR", msgspec.structs.replace(CARD, token=None)))
    desk.follow()
    assert desk.states() == {"top_0-1": "done", "pay_1-1": "done", "ref_1-1": "due", "top_1-1": "due"}
    calls = {held.call.id: held.call for held in desk.claim()}
    assert calls["ref_1-1"].request == RefundCharge("ref_1-1", "pay_1-1", "ch_1", 100, "EUR")
    assert calls["top_1-1"].request == Charge("top_1-1", 5, "EUR", "on_file", "top_1", "house")
    assert {call.channel for call in calls.values()} == {CHANNEL}


def test_a_call_knows_the_event_that_set_it_in_motion(desk: Desk) -> None:
    desk.pen.do(by_card())
    desk.follow()
    (held,) = desk.claim()
    assert (held.causation, held.call.request) == (
        "pay_1.4",
        Charge("pay_1-1", 6_000, "EUR", "tok_visa", "order-1", "acme"),
    )


def test_the_log_is_read_in_pages_to_its_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_calls, "PAGE", 2)
    for number in range(5):
        desk.pen.do(by_card(f"pay_{number}"))
    desk.pen.do(attempt_of("pay_3", charged()))
    desk.follow()
    position, end = desk.checkpoint()
    assert position == end
    assert desk.states() == {f"pay_{n}-1": "done" if n == 3 else "due" for n in range(5)}


def test_a_log_without_work_for_channels_is_read_and_nothing_is_written(desk: Desk) -> None:
    desk.follow()
    read = desk.do(channel_calls.follow)
    position, end = desk.checkpoint()
    assert (position, read.position, read.more) == (0, end, False)
    # What was read is not read again, and what comes behind it is.
    desk.pen.do(by_card())
    page = desk.do(channel_calls.follow, read.position)
    assert (page.opened, desk.states()) == (1, {"pay_1-1": "due"})
    assert desk.checkpoint() == (page.position, page.position)


def test_a_long_log_without_work_moves_the_checkpoint_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_calls, "FARTHEST_BEHIND", 5)
    desk.follow()
    position, end = desk.checkpoint()
    assert position == end == 5


def test_who_has_read_beyond_the_end_of_the_log_begins_at_the_checkpoint(desk: Desk) -> None:
    # The database was put back to an older state under the worker.
    desk.pen.do(by_card())
    assert desk.do(channel_calls.follow, 10_000).opened == 1


def test_followers_at_the_same_time_make_each_call_once(desk: Desk) -> None:
    for number in range(10):
        desk.pen.do(by_card(f"pay_{number}"))
    desk.at_once(8, channel_calls.follow)
    desk.follow()
    assert desk.states() == {f"pay_{n}-1": "due" for n in range(10)}


def test_a_follower_that_was_overtaken_looks_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    overtaken: list[bool] = []

    def overtake(event: Event) -> str | None:
        if not overtaken:
            overtaken.append(True)
            with ThreadPoolExecutor(1) as elsewhere:
                elsewhere.submit(lambda: desk.pen.do(by_card("pay_2"))).result()
                elsewhere.submit(desk.follow).result()
        return closed_by(event)

    desk.pen.do(by_card("pay_1"))
    monkeypatch.setattr(channel_calls, "closed_by", overtake)
    page = desk.do(channel_calls.follow)
    position, end = desk.checkpoint()
    assert (page.more, page.opened, position) == (True, 0, end)
    assert desk.states() == {"pay_1-1": "due", "pay_2-1": "due"}


def test_a_page_that_is_interrupted_leaves_no_trace(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.pen.do(by_card())
    before = desk.checkpoint()
    monkeypatch.setattr(channel_calls, "_MOVE_CHECKPOINT", "UPDATE {schema}.process_checkpoints SET position = %s / 0")
    with pytest.raises(errors.DivisionByZero):
        desk.do(channel_calls.follow)
    assert (desk.states(), desk.checkpoint()) == ({}, before)
    monkeypatch.undo()
    desk.follow()
    assert desk.states() == {"pay_1-1": "due"}


def test_workers_at_the_same_time_never_claim_the_same_call(desk: Desk) -> None:
    for number in range(40):
        desk.pen.do(by_card(f"pay_{number}"))
    desk.follow()
    claimed = [held.call.id for claims in desk.at_once(8, channel_calls.claim, limit=10, lease_s=60) for held in claims]
    assert len(claimed) == len(set(claimed))
    claimed += [held.call.id for held in desk.claim(limit=40)]
    assert sorted(claimed) == sorted(f"pay_{number}-1" for number in range(40))


def test_a_call_is_sent_before_anything_is_and_then_only_asked_about(desk: Desk) -> None:
    desk.pen.do(by_card())
    desk.follow()
    (first,) = desk.claim(lease_s=0)
    assert desk.states() == {"pay_1-1": "sent"}
    assert (first.call.was, first.call.sends) == ("due", 1)
    # The lease has run out and nobody has put it back: whoever had it is dead.
    (second,) = desk.claim(lease_s=60)
    assert (second.call.was, second.call.sends) == ("sent", 1)
    assert desk.claim() == []


def test_who_slept_through_the_lease_has_nothing_to_say_any_more(desk: Desk) -> None:
    desk.pen.do(by_card())
    desk.follow()
    (slow,) = desk.claim(lease_s=0)
    (quick,) = desk.claim(lease_s=60)
    desk.do(channel_calls.put_back, [Return(slow, Step("due", 0), "late")])
    assert (desk.states(), desk.claim()) == ({"pay_1-1": "sent"}, [])
    desk.do(channel_calls.put_back, [Return(quick, Step("due", 0), "in time")])
    (third,) = desk.claim()
    assert (third.call.was, third.call.sends, third.call.last_answer) == ("due", 2, "in time")


def test_what_was_put_back_waits_for_its_time(desk: Desk) -> None:
    desk.pen.do(by_card())
    desk.follow()
    (held,) = desk.claim()
    desk.do(channel_calls.put_back, [Return(held, ask_again(held.call, not_found=1), "ReadTimeout")])
    assert desk.claim() == []
    to_next = desk.do(channel_calls.seconds_to_next)
    assert to_next is not None
    assert 0 < to_next <= 0.5


def test_an_outcome_that_came_by_another_way_ends_the_call_in_whosever_hands_it_is(desk: Desk) -> None:
    desk.pen.do(by_card())
    desk.follow()
    (held,) = desk.claim()
    desk.pen.do(attempt_of("pay_1", charged()))
    desk.follow()
    desk.do(channel_calls.put_back, [Return(held, ask_again(held.call), "ReadTimeout")])
    assert desk.states() == {"pay_1-1": "done"}
    assert desk.do(channel_calls.seconds_to_next) is None


def test_many_who_ask_at_the_same_time_cause_one_question(desk: Desk) -> None:
    desk.pen.do(by_card())
    desk.follow()

    async def nudge(connection: Any, book: str) -> bool:
        return await channel_calls.nudge(connection, book, "pay_1")

    assert desk.at_once(4, nudge) == [False] * 4  # not sent yet
    (held,) = desk.claim()
    desk.do(channel_calls.put_back, [Return(held, Step("sent", 3600), "ReadTimeout")])
    assert desk.at_once(4, nudge) == [False] * 4  # it was asked a moment ago
    desk.age_claims()
    assert sorted(desk.at_once(4, nudge)) == [False, False, False, True]
    (again,) = desk.claim()
    assert (again.call.id, again.call.was) == (held.call.id, "sent")
    desk.age_claims()
    assert desk.at_once(4, nudge) == [False] * 4  # the question is under way


def test_the_application_removes_nothing_from_its_work_list(desk: Desk) -> None:
    if desk.database.role is None:
        pytest.skip("this database has no roles for us")
    with desk.database.connect() as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(in_book("DELETE FROM {schema}.channel_calls", desk.book))
