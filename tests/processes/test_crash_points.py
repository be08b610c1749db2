"""Crash points, enumerated: whoever dies between any two steps of any errand leaves one effect and the right state.

intent       recorded, and nobody has read it
work list    read, and nobody has taken it up
sent         taken up and committed as sent, and nothing has left
done         the channel has done it, and its answer has gone with whoever asked
recorded     the answer is in the log, and the call is still out
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from commands.channel_results import command_for
from commands.channels.channel import Verdict
from commands.channels.dispatcher import Dispatcher
from commands.processes import channel_calls
from commands.processes.channel_calls import Claim
from commands.processes.next_steps import question_of, step_after
from ledger.ids import stream_of
from tests.processes.errands import ERRANDS, Errand, fund_seller
from tests.processes.house import House, until
from tests.processes.worker_process import POINTS

_Found = TypeVar("_Found")
# The deepest first: what is read from the log stays where it is while the next one is brought to its place.
STEPS = ("recorded", "done", "sent", "work list", "intent")
# Longer than it takes to bring all of them to their places.
LEASE_S = 1.0


@pytest.mark.parametrize("name", ERRANDS)
def test_whoever_dies_after_any_step_leaves_one_effect(house: House, name: str) -> None:
    errand = ERRANDS[name]
    subjects = dict(zip(STEPS, _begun(house, errand, len(STEPS)), strict=True))
    for step, subject in subjects.items():
        errand.ask(house, subject)
        _bring(house, subject, step)
    # Here the worker dies, at five places; another one comes.
    house.start_worker()
    for step, subject in subjects.items():
        _until_over(house, errand, subject, step)
    house.all_calls_done()
    for step, subject in subjects.items():
        assert _there(house, errand, subject) == [errand.there[1]], step
    assert _asked(house, errand) == len(STEPS)
    house.agrees_with_the_channel(given_back=name == "return of a receipt")


def test_kill_9_of_one_worker_after_another_at_each_point_leaves_one_effect_of_each_errand(house: House) -> None:
    with house.working():
        fund_seller(house)
        subjects = {name: errand.begin(house) for name, errand in ERRANDS.items()}
    for number, point in enumerate(POINTS):
        # What earlier workers left behind is taken up by later ones, who die in their turn.
        for name in list(ERRANDS)[number :: len(POINTS)]:
            ERRANDS[name].ask(house, subjects[name])
        assert house.worker_that_dies_at(point) == -signal.SIGKILL
    house.start_worker()
    for name, errand in ERRANDS.items():
        _until_over(house, errand, subjects[name], name)
    house.all_calls_done()
    for name, errand in ERRANDS.items():
        assert _there(house, errand, subjects[name]) == [errand.there[1]], name
    house.agrees_with_the_channel(given_back=True)


# --- how it is brought about ------------------------------------------------------------------------------------------


def _begun(house: House, errand: Errand, count: int) -> list[str]:
    """So many subjects of the errand; from now on the channel tells nobody by itself, and counts what it is asked."""
    with house.working():
        if errand.operation == "payout":
            fund_seller(house)
        subjects = [errand.begin(house) for _ in range(count)]
    until(lambda: None if house.simulator.owed() else True)
    house.simulator.set_faults({"match": {"operation": errand.operation}, "fault": "no_callback"})
    return subjects


def _bring(house: House, subject: str, step: str) -> None:
    """Take the errand of this subject so far as this step, and no farther."""
    if step == "intent":
        return
    _do(house, channel_calls.follow)
    if step == "work list":
        return
    held = next(held for held in _do(house, channel_calls.claim, limit=99, lease_s=LEASE_S) if _is_of(held, subject))
    if step == "sent":
        return
    verdict = _ask(house, held)
    if step == "recorded":
        said = step_after(held.call, verdict).record
        assert said is not None
        command = command_for(held.call.request.subject, held.call.channel, said)
        assert command is not None
        house.pen.do(command)


def _is_of(held: Claim, subject: str) -> bool:
    return held.call.was == "due" and subject in (held.call.id, stream_of(held.call.id))


def _until_over(house: House, errand: Errand, subject: str, what: str) -> None:
    def over() -> bool | None:
        house.nudge(subject)
        return True if errand.here(house, subject) else None

    try:
        until(over)
    except AssertionError as late:
        calls = house.sql("SELECT * FROM {book}.channel_calls WHERE subject = %s", subject)
        raise AssertionError(f"{what}: {house.topics(subject)}, {calls}") from late


def _there(house: House, errand: Errand, subject: str) -> list[str]:
    """How everything of this kind stands that the channels have of this subject."""
    kind, _ = errand.there
    books = [house.simulator.books(channel) for channel in house.simulator.channels]
    return [one["status"] for channel in books for one in channel[kind] if subject in (one["id"], stream_of(one["id"]))]


def _asked(house: House, errand: Errand) -> int:
    """How often the channel was asked to do it since the subjects began."""
    (rule,) = house.simulator.faults()
    assert rule["rule"]["match"]["operation"] == errand.operation
    return int(rule["seen"])


def _do(house: House, work: Callable[..., Awaitable[_Found]], **named: Any) -> _Found:
    async def inside() -> _Found:
        async with await house.database.connect_async() as connection:
            return await work(connection, house.book, **named)

    return asyncio.run(inside())


def _ask(house: House, held: Claim) -> Verdict:
    async def inside() -> Verdict:
        async with Dispatcher(house.channels) as dispatcher:
            return await dispatcher.ask(held.call.channel, question_of(held.call))

    return asyncio.run(inside())
