"""Circuits: when a channel is given a rest, tried again and trusted again, and what people decide by hand."""

from datetime import timedelta

import pytest

from commands.circuits import JudgeCircuit, SwitchCircuit, TakeStatistics
from commands.policies.circuits import Result
from commands.policies.routing_rules import CircuitTerms, Priority, RoutingRules, SuccessRate
from commands.routing_rules import ActivateRoutingRules, DeactivateRoutingRules, RulesVersion, version_in
from ledger.errors import (
    ChannelNotFound,
    ChannelUnavailable,
    MethodNotSupported,
    RoutingRulesInvalid,
    RoutingRulesNotActive,
    RoutingRulesNotFound,
)
from ledger.events.circuits import CircuitClosed, CircuitHalfOpened, CircuitOpened
from ledger.events.payments import PaymentRouted
from ledger.events.routing import (
    RULES_STREAM,
    RoutingRulesActivated,
    RoutingRulesDeactivated,
    RoutingStatisticsTaken,
)
from tests.commands.given import NOON, Happening, Story, given
from tests.commands.stories import CHANNEL, OTHER_CHANNEL, PARTIES, by_card

A, B = CHANNEL, OTHER_CHANNEL
TERMS = ActivateRoutingRules(
    RoutingRules(circuit=CircuitTerms(failures=3, of=5, slow_s=4, open_s=30, probes=2, probe_percent=10))
)
LATER = NOON + timedelta(seconds=30)


def results(pattern: str, since: int = 10) -> tuple[Result, ...]:
    """`f` is a technical failure, `s` an answer that took too long, `.` an answer: one after the other."""
    troubles = {"f": ("ReadTimeout", 1.0), "s": ("", 4.5), ".": ("", 0.1)}
    return tuple(
        Result(f"pay_{since + i}-1", since + i, since + i, NOON, troubles[what][1], troubles[what][0])
        for i, what in enumerate(pattern)
    )


def judged(pattern: str, since: int = 10) -> JudgeCircuit:
    return JudgeCircuit(A, "card", results(pattern, since))


OPENED: tuple[Happening, ...] = (TERMS, judged("fff"))


@pytest.mark.parametrize("pattern", ["", "ff", "ff....", "f.f..", "fff...", ".....", "fffff....."])
def test_a_channel_that_mostly_answers_stays_closed(pattern: str) -> None:
    given(TERMS).when(judged(pattern[-5:] if len(pattern) > 5 else pattern)).then()


@pytest.mark.parametrize(
    ("pattern", "because"),
    [
        ("fff", "3 of the last 3 answers were failures: ReadTimeout"),
        ("f.f.f", "3 of the last 5 answers were failures: ReadTimeout"),
        ("..f.f.f", "3 of the last 5 answers were failures: ReadTimeout"),
        ("ss.s", "3 of the last 4 answers were failures: answered after 4.5 s"),
    ],
)
def test_too_many_technical_failures_open_the_circuit(pattern: str, because: str) -> None:
    outcome = given(TERMS).when(judged(pattern))
    failed = tuple(f"pay_{10 + i}-1" for i, what in enumerate(pattern) if what != ".")[-3:]
    outcome.then(CircuitOpened(A, "card", because, LATER, failed))


def test_the_same_results_open_it_once() -> None:
    given(*OPENED).when(judged("fff")).then().answered(effect="ignored")


def test_an_open_circuit_takes_no_new_payment_and_the_others_do() -> None:
    story = given(*PARTIES, *OPENED, by_card())
    routed = [recorded.event for recorded in story.log if isinstance(recorded.event, PaymentRouted)]
    assert [event.channel for event in routed] == [B]
    assert routed[0].considered[A] == "its circuit is open: 3 of the last 3 answers were failures: ReadTimeout"
    story.given(JudgeCircuit(B, "card", results("fff"))).when(by_card("pay_2")).refused(ChannelUnavailable)


def test_it_is_half_open_when_its_time_is_over_and_not_before() -> None:
    story = given(*OPENED, LATER - timedelta(microseconds=1))
    story.when(judged("fff")).then()
    story.given(LATER).when(judged("fff")).then(CircuitHalfOpened(A, "card", 2, 10))


@pytest.mark.parametrize(
    ("pattern", "then"),
    [
        ("", None),
        (".", None),
        ("..", CircuitClosed(A, "card", "2 probes went well")),
        (".f", CircuitOpened(A, "card", "a probe failed: ReadTimeout", LATER + timedelta(seconds=30), ("pay_101-1",))),
    ],
)
def test_probes_close_it_or_open_it_again(pattern: str, then: CircuitClosed | CircuitOpened | None) -> None:
    story = given(*OPENED, LATER, judged("fff"))
    story.when(judged(pattern, since=100)).then(*([] if then is None else [then]))


def test_what_was_begun_before_the_rest_says_nothing_about_probes() -> None:
    story = given(*OPENED, LATER, judged("fff"))
    late = tuple(Result(f"pay_{i}-1", 1, 200 + i, LATER, 35.0, "ReadTimeout") for i in range(5))
    story.when(JudgeCircuit(A, "card", late)).then()


# --- by hand --------------------------------------------------------------------------------------------------------


def test_a_channel_is_taken_out_by_hand_and_comes_back_when_it_is_given_back() -> None:
    story = given(*PARTIES, TERMS)
    story.when(SwitchCircuit(A, "open", "maintenance", "card")).then(
        CircuitOpened(A, "card", "maintenance", by_hand=True)
    )
    story.when(SwitchCircuit(A, "open", "still", "card")).then().answered(200, channel=A)
    story.given(NOON + timedelta(days=7)).when(judged("....")).then()
    story.when(SwitchCircuit(A, "auto", "done", "card")).then(CircuitClosed(A, "card", "done"))
    story.when(SwitchCircuit(A, "auto", "done", "card")).then()
    story.when(judged("fff", since=200)).answered(effect="recorded")


def test_a_channel_that_is_held_closed_by_hand_is_never_opened() -> None:
    story = given(TERMS).given(SwitchCircuit(A, "closed", "we know better", "card"))
    story.when(judged("fffff", since=50)).then()


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        (SwitchCircuit("nobody", "open", "x"), ChannelNotFound),
        (SwitchCircuit(A, "open", "x", "coin"), MethodNotSupported),
    ],
)
def test_only_what_is_there_is_switched(command: SwitchCircuit, refusal: type[Exception]) -> None:
    outcome = given().when(command)
    assert isinstance(outcome.refusal, refusal)


# --- rules and statistics -------------------------------------------------------------------------------------------


def active(document: RoutingRules) -> ActivateRoutingRules:
    return ActivateRoutingRules(document)


def routed_to(story: Story, payment: str) -> tuple[str, str]:
    events = [recorded.event for recorded in story.stream(payment)]
    (routed,) = [event for event in events if isinstance(event, PaymentRouted)]
    return routed.channel, routed.rules


def test_each_version_of_the_rules_is_asked_in_its_time_and_can_be_read_for_ever() -> None:
    first, second = RoutingRules(default=Priority((A, B))), RoutingRules(default=Priority((B, A)))
    story = given(*PARTIES)
    one = story.when(active(first)).receipt(RulesVersion).version
    story.given(by_card("pay_1"))
    two = story.when(active(second)).receipt(RulesVersion).version
    story.given(by_card("pay_2"), DeactivateRoutingRules("enough"), by_card("pay_3"))
    assert [routed_to(story, f"pay_{n}") for n in (1, 2, 3)] == [(A, one), (B, two), (A, "")]
    history = story.stream(RULES_STREAM)
    assert [type(recorded.event) for recorded in history] == [
        RoutingRulesActivated,
        RoutingRulesActivated,
        RoutingRulesDeactivated,
    ]
    assert version_in(history, one).document["default"] == {"type": "priority", "channels": (A, B)}
    assert (version_in(history, one).active, version_in(history, None).version) == (False, "")
    assert version_in(history, None).versions == (one, two)
    with pytest.raises(RoutingRulesNotFound):
        version_in(history, "nonsense")
    story.when(DeactivateRoutingRules("again")).refused(RoutingRulesNotActive)


def test_the_same_rules_again_are_no_news() -> None:
    document = RoutingRules(default=Priority((A, B)))
    given(active(document)).when(active(document)).then().answered(200, active=True)


def test_rules_that_are_wrong_change_nothing() -> None:
    given().when(active(RoutingRules(default=Priority(())))).refused(RoutingRulesInvalid, "/default/channels")


def test_statistics_are_put_down_now_and_then_and_decide_for_whom_asks_them() -> None:
    best = RoutingRules(default=SuccessRate((A, B), explore_percent=0))
    story = given(*PARTIES, active(best), by_card("pay_1"))
    taken = {f"{A}/card": (5, 10), f"{B}/card": (9, 10)}
    story.when(TakeStatistics(taken)).then(RoutingStatisticsTaken(taken))
    story.when(TakeStatistics({f"{A}/card": (6, 11)})).then()  # too soon
    story.given(by_card("pay_2"))
    assert (routed_to(story, "pay_1")[0], routed_to(story, "pay_2")[0]) == (A, B)
    story.given(NOON + timedelta(seconds=5)).when(TakeStatistics(taken)).then()  # nothing new
    story.when(TakeStatistics({f"{A}/card": (6, 11)})).answered(effect="recorded")
