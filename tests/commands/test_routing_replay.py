"""Routing replay: a choice that is made again from the log is the one that was recorded, whatever happened between."""

import random
from datetime import timedelta

from commands.attempts import begin
from commands.books import Books
from commands.channel_choice import streams_of_routing
from commands.channels.channel import Declined, NotSent
from commands.circuits import JudgeCircuit, SwitchCircuit, TakeStatistics
from commands.payments import RecordAttemptResult
from commands.policies.routing_rules import (
    LeastCost,
    Priority,
    RoutingRules,
    Rule,
    Selection,
    Share,
    Split,
    SuccessRate,
    text_of,
)
from commands.routing_replay import replayed
from commands.routing_rules import ActivateRoutingRules, DeactivateRoutingRules
from ledger.errors import ChannelUnavailable
from ledger.events.circuits import CircuitClosed, CircuitHalfOpened, CircuitOpened, circuit_stream
from ledger.events.event import Event, Metadata, Recorded
from ledger.events.payments import Method, PaymentCreated, PaymentRouted
from ledger.events.routing import (
    RULES_STREAM,
    STATISTICS_STREAM,
    RoutingRulesActivated,
    RoutingRulesDeactivated,
    RoutingStatisticsTaken,
)
from tests.commands.given import NOON, given
from tests.commands.stories import CHANNEL, OTHER_CHANNEL, PARTIES, by_card
from tests.commands.test_circuits import results

A, B = CHANNEL, OTHER_CHANNEL
PAYMENTS = 10_000


def selection(chance: random.Random) -> Selection:
    percent = chance.randrange(101)
    kinds: list[Selection] = [
        Priority(tuple(chance.sample([A, B], 2))),
        Split((Share(A, percent), Share(B, 100 - percent))),
        SuccessRate((A, B), chance.randrange(101)),
        LeastCost((A, B)),
    ]
    return chance.choice(kinds)


def something_else(chance: random.Random) -> tuple[str, Event]:
    """What happens between payments: other rules, circuits, statistics."""
    channel = chance.choice([A, B])
    rules = RoutingRules((Rule("large", f"amount > {chance.randrange(9_000)}", selection(chance)),), selection(chance))
    version, text = text_of(rules)
    return chance.choice(
        [
            (RULES_STREAM, RoutingRulesActivated(version, text)),
            (RULES_STREAM, RoutingRulesActivated(version, text)),
            (RULES_STREAM, RoutingRulesDeactivated(version)),
            (circuit_stream(channel, "card"), CircuitOpened(channel, "card", "3 of 5", NOON)),
            (circuit_stream(channel, "card"), CircuitHalfOpened(channel, "card", 3, chance.randrange(101))),
            (circuit_stream(channel, "card"), CircuitClosed(channel, "card", "3 probes went well")),
            (STATISTICS_STREAM, RoutingStatisticsTaken({f"{A}/card": (chance.randrange(100), 100)})),
        ]
    )


def test_p57_ten_thousand_choices_are_the_same_when_they_are_made_again() -> None:
    """Made by the policy from the events before them; those that no channel can take leave no choice, and another."""
    chance = random.Random(20_261_121)
    log: list[Recorded] = []
    books = Books({}, set(), 0, NOON)
    books.load_latest(dict.fromkeys(streams_of_routing("card")))

    def record(stream: str, version: int, event: Event) -> None:
        log.append(Recorded(stream, version, len(log) + 1, NOON, event, Metadata("key_tests")))

    routed = refused = 0
    while routed < PAYMENTS:
        if chance.random() < 0.02:
            stream, event = something_else(chance)
            record(stream, 1, event)
            books.load_latest({stream: log[-1]})
        name, amount = f"pay_{routed + refused}", chance.randrange(1, 10_000)
        created = PaymentCreated(name, "acme", None, amount, "EUR", "quick_pay", Method("card"), f"of {name}", 0)
        try:
            events = begin(books, created)
        except ChannelUnavailable:
            refused += 1
            continue
        routed += 1
        for version, event in enumerate([created, *events], 1):
            record(name, version, event)
    choices = list(replayed(log))
    assert len(choices) == PAYMENTS
    assert 0 < refused < PAYMENTS
    assert [recorded.event for recorded, _ in choices] == [again for _, again in choices]
    assert {again.channel for _, again in choices if again is not None} == {A, B}


def test_failovers_through_the_real_decisions_are_the_same_too() -> None:
    story = given(*PARTIES)
    for i in range(20):
        story.given(by_card(f"pay_{i}"), RecordAttemptResult(f"pay_{i}-1", A, NotSent("ConnectError")))
    only_b = ActivateRoutingRules(RoutingRules(default=Priority((B, A))))
    story.given(only_b, by_card("pay_100"))
    story.given(RecordAttemptResult("pay_100-1", B, Declined("configuration", "x", "", hard=False)))
    story.given(SwitchCircuit(B, "open", "maintenance"), by_card("pay_101"))
    story.given(RecordAttemptResult("pay_101-1", A, Declined("try_again", "x", "", hard=False)))
    story.given(SwitchCircuit(B, "auto", "done"), DeactivateRoutingRules("enough"))
    story.given(JudgeCircuit(A, "card", results("f" * 10, since=10_000)), by_card("pay_102"))
    story.given(NOON + timedelta(minutes=1), TakeStatistics({f"{A}/card": (1, 9)}), by_card("pay_103"))
    choices = list(replayed(story.log))
    assert [recorded.event for recorded, _ in choices] == [again for _, again in choices]
    failovers = [again for _, again in choices if again is not None and "was tried" in again.considered.values()]
    assert len(failovers) == 21
    assert all(isinstance(again, PaymentRouted) for _, again in choices)
