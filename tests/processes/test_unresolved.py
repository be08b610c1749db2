"""Unresolved: what nobody knows is asked for on and on, is put on record for people to see, and is never guessed."""

import msgspec
import pytest

from commands.channels.channel import NotFound, Unknown
from commands.errands import ReportUnresolved
from commands.processes import channel_calls, next_steps
from commands.processes.channel_calls import OpenCall
from commands.processes.next_steps import (
    ACTION_REQUIRED,
    PAUSE_WHEN_UNRESOLVED_S,
    UNRESOLVED_AFTER_TRIES,
    becomes_unresolved,
    step_after,
)
from ledger.events.errands import ErrandUnresolved
from tests.commands.given import given
from tests.processes.house import House, until
from tests.processes.test_next_steps import ASKED, CHARGED, FIRST, SILENCE

LAST = msgspec.structs.replace(ASKED, tries=UNRESOLVED_AFTER_TRIES - 1)
REPORT = ReportUnresolved("pay_1-1", "pay_1", "card_simulator", "charge", 60, "ReadTimeout")


def test_the_question_after_which_it_is_unresolved_is_one() -> None:
    assert becomes_unresolved(LAST, step_after(LAST, SILENCE))
    assert becomes_unresolved(LAST, step_after(LAST, NotFound()))
    after = msgspec.structs.replace(LAST, tries=UNRESOLVED_AFTER_TRIES)
    for call in (FIRST, ASKED, after):
        assert not becomes_unresolved(call, step_after(call, SILENCE))


def test_an_outcome_and_a_payer_who_takes_his_time_are_not_unresolved() -> None:
    assert not becomes_unresolved(LAST, step_after(LAST, CHARGED))
    waiting = msgspec.structs.replace(LAST, last_answer=ACTION_REQUIRED)
    assert not becomes_unresolved(waiting, step_after(waiting, Unknown("http 500")))


def test_it_is_asked_for_on_and_on_and_never_fails_by_time_alone() -> None:
    old = msgspec.structs.replace(ASKED, tries=100_000)
    step = step_after(old, SILENCE)
    assert (step.state, step.pause_s, step.record) == ("sent", PAUSE_WHEN_UNRESOLVED_S, None)


def test_it_is_put_on_record_once() -> None:
    event = ErrandUnresolved("pay_1-1", "pay_1", "card_simulator", "charge", 60, "ReadTimeout")
    given().when(REPORT).then(event)
    given(REPORT).when(REPORT).then()


def test_a_channel_that_never_says_leaves_the_payment_open_and_on_the_list(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(next_steps, "UNRESOLVED_AFTER_TRIES", 3)
    monkeypatch.setattr(next_steps, "PAUSES_S", (0.05,))
    monkeypatch.setattr(next_steps, "PAUSE_WHEN_UNRESOLVED_S", 0.05)
    monkeypatch.setattr(channel_calls, "UNRESOLVED_AFTER_TRIES", 3)
    house.misbehave("tok_silent", "timeout_after", "no_callback", times=1)
    house.misbehave_when_asked("tok_silent", "error_500_before")
    house.start_worker()
    payment = house.pay("tok_silent")

    def on_record() -> list[OpenCall] | None:
        found = house.unresolved()
        return found if found and house.history(f"errand/{payment}-1") else None

    (open_call,) = until(on_record)
    assert (open_call.id, open_call.errand, open_call.payment) == (f"{payment}-1", "charge", payment)
    assert open_call.tries >= 3
    house.wait_for_tries(payment, 6)
    assert house.payment(payment).status == "processing"
    assert len(house.history(f"errand/{payment}-1")) == 1
    # The channel speaks at last, and that is what counts.
    house.set_right()
    (view,) = house.settled(payment)
    assert view.status == "succeeded"
    assert house.unresolved() == []
    house.agrees_with_the_channel()
