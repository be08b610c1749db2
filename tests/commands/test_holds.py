"""Holds: captured in parts, released, expired; each rule, as given, when, then."""

from datetime import timedelta

import pytest
from hypothesis import given as sampled
from hypothesis import strategies as st

from commands.accounts import OpenAccount
from commands.envelope import Command
from commands.holds import CaptureHold, ExpireHold, ReleaseHold
from commands.transfers import PlaceHold, PostTransfer
from ledger.errors import CaptureExceedsHold, HoldNotActive, HoldNotFound
from ledger.events.holds import HoldCaptured, HoldExpired, HoldReleased
from tests.commands.given import NOON, Story, given

LATER = NOON + timedelta(hours=1)
OPENED: tuple[Command, ...] = (
    OpenAccount("world", "World", "asset", "EUR"),
    OpenAccount("alice", "Alice", "liability", "EUR", min_balance=0),
    OpenAccount("bob", "Bob", "liability", "EUR", min_balance=0),
    PostTransfer("ent_0", "world", "alice", 100, "EUR"),
)
HELD = (*OPENED, PlaceHold("hold_1", "alice", "bob", 100, "EUR", LATER, description="table 7"))


def pending(story: Story) -> tuple[int, int]:
    return story.accounts["alice"].pending_debits, story.accounts["bob"].pending_credits


def test_a_capture_posts_and_the_rest_stays_held() -> None:
    outcome = given(*HELD).when(CaptureHold("hold_1", 40))
    outcome.then(HoldCaptured("alice", "bob", 40, "EUR", False, 0, "table 7"))
    outcome.answered(201, status="active", captured=40, captured_now=40, remaining=60, entry_id="hold_1.2")
    assert (outcome.story.balance("alice"), outcome.story.balance("bob"), pending(outcome.story)) == (60, 40, (60, 60))


def test_a_final_capture_lets_go_of_the_rest() -> None:
    outcome = given(*HELD).when(CaptureHold("hold_1", 40, final=True))
    outcome.then(HoldCaptured("alice", "bob", 40, "EUR", True, 60, "table 7"))
    outcome.answered(status="captured", captured=40, remaining=0)
    assert (outcome.story.balance("alice"), pending(outcome.story)) == (60, (0, 0))


def test_a_capture_without_an_amount_takes_all_that_is_left() -> None:
    outcome = given(*HELD, CaptureHold("hold_1", 30)).when(CaptureHold("hold_1"))
    outcome.then(HoldCaptured("alice", "bob", 70, "EUR", True, 0, "table 7"))
    outcome.answered(status="captured", captured=100, entry_id="hold_1.3")


def test_a_capture_takes_no_more_than_is_still_held() -> None:
    story = given(*HELD, CaptureHold("hold_1", 40))
    story.when(CaptureHold("hold_1", 61)).refused(CaptureExceedsHold, "/amount", remaining=60)
    story.when(CaptureHold("hold_1", 60)).answered(status="captured")


def test_a_release_gives_back_what_is_left() -> None:
    outcome = given(*HELD, CaptureHold("hold_1", 40)).when(ReleaseHold("hold_1", "left early"))
    outcome.then(HoldReleased("alice", "bob", 60, "EUR", "left early")).answered(200, status="released", captured=40)
    assert (outcome.story.accounts["alice"].available, pending(outcome.story)) == (60, (0, 0))


def test_a_hold_expires_when_its_time_has_run_out_and_not_before() -> None:
    story = given(*HELD)
    story.when(ExpireHold("hold_1")).refused(HoldNotActive, hold_status="active")
    outcome = given(*HELD, LATER).when(ExpireHold("hold_1"))
    outcome.then(HoldExpired("alice", "bob", 100, "EUR")).answered(200, status="expired", remaining=0)


def test_a_hold_without_an_end_does_not_expire() -> None:
    endless = PlaceHold("hold_1", "alice", "bob", 100, "EUR")
    given(*OPENED, endless, LATER).when(ExpireHold("hold_1")).refused(HoldNotActive)


def test_the_clock_has_the_last_word_and_not_the_timer() -> None:
    # The timer has not come by yet, and it is too late all the same; to let go is never too late.
    given(*HELD, LATER).when(CaptureHold("hold_1", 1)).refused(HoldNotActive, hold_status="expired")
    given(*HELD, LATER).when(ReleaseHold("hold_1")).answered(200, status="released")


ENDS: dict[str, tuple[Command, ...]] = {
    "captured": (CaptureHold("hold_1"),),
    "captured in part, finally": (CaptureHold("hold_1", 1, final=True),),
    "released": (ReleaseHold("hold_1"),),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("command", [CaptureHold("hold_1", 1), ReleaseHold("hold_1"), ExpireHold("hold_1")])
def test_what_is_over_stays_over(end: str, command: Command) -> None:
    story = given(*HELD, *ENDS[end])
    before = story.turnover()
    story.when(command).refused(HoldNotActive, hold="hold_1")
    assert story.turnover() == before


@pytest.mark.parametrize("name", ["hold_2", "ent_0", "alice", ""])
@pytest.mark.parametrize("kind", [CaptureHold, ReleaseHold, ExpireHold])
def test_what_is_no_hold_is_not_found(kind: type[CaptureHold | ReleaseHold | ExpireHold], name: str) -> None:
    given(*HELD).when(kind(name)).refused(HoldNotFound)


steps = st.lists(
    st.one_of(
        st.builds(CaptureHold, st.just("hold_1"), st.none() | st.integers(1, 60), st.booleans()),
        st.builds(ReleaseHold, st.just("hold_1")),
        st.just(LATER),
        st.builds(ExpireHold, st.just("hold_1")),
    ),
    max_size=8,
)


@sampled(steps)
def test_whatever_happens_to_a_hold_its_amount_is_captured_let_go_or_still_held(happenings: list[object]) -> None:
    story = given(*HELD)
    for happening in happenings:
        if isinstance(happening, Command):
            story.when(happening)
        else:
            story.books.now = LATER
    events = [recorded.event for recorded in story.stream("hold_1")[1:]]
    captured = sum(event.amount for event in events if isinstance(event, HoldCaptured))
    let_go = sum(event.released for event in events if isinstance(event, HoldCaptured))
    let_go += sum(event.amount for event in events if isinstance(event, HoldReleased | HoldExpired))
    assert story.balance("bob") == captured == 100 - story.balance("alice")
    assert pending(story) == (100 - captured - let_go, 100 - captured - let_go)
