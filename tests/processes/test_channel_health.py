"""Channel health: what of the log counts for and against a channel, and that a worker acts on it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from commands.circuits import JudgeCircuit, TakeStatistics
from commands.policies.routing_rules import CircuitTerms, Priority, RoutingRules, SuccessRate, text_of
from commands.processes.channel_health import AGAIN_AFTER, KEPT, ChannelHealth
from commands.routing_rules import ActivateRoutingRules
from ledger.events.circuits import CircuitOpened
from ledger.events.event import Event, Metadata, Recorded
from ledger.events.payments import (
    PaymentActionRequired,
    PaymentAttemptDeclined,
    PaymentAttemptInitiated,
    PaymentAttemptUnanswered,
    PaymentCaptured,
)
from ledger.events.routing import STATISTICS_STREAM, RoutingRulesActivated
from tests.processes.house import CHANNEL, OTHER_CHANNEL, House, until

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
PLACE = (CHANNEL, "card")


class Log:
    """A log that is told to a `ChannelHealth` event by event."""

    def __init__(self) -> None:
        self.health = ChannelHealth()
        self._length = 0

    def add(self, event: Event, after_s: float = 0.0) -> None:
        self._length += 1
        at = NOON + timedelta(seconds=after_s)
        self.health.take(Recorded("pay_1", self._length, self._length, at, event, Metadata("key_tests")))

    def begin(self, attempt: str) -> None:
        self.add(PaymentAttemptInitiated(attempt, CHANNEL, 6_000, "EUR", None, "acme", "order-1"))

    def rules(self, document: RoutingRules) -> None:
        self.add(RoutingRulesActivated(*text_of(document)))

    @property
    def troubles(self) -> list[str]:
        return [why for _, why in self.health.failures(PLACE)]


def captured(attempt: str) -> PaymentCaptured:
    return PaymentCaptured(attempt, CHANNEL, "ch", "acme", "quick_pay", 6_000, "EUR", fee=0, channel_fee=36)


@pytest.mark.parametrize(
    ("answer", "after_s", "trouble", "ended"),
    [
        (captured("a"), 0.1, [], (1, 1)),
        (captured("a"), 21.0, ["answered after 21.0 s"], (1, 1)),
        (PaymentAttemptDeclined("a", "insufficient_funds", "51"), 0.1, [], (0, 1)),
        (PaymentAttemptDeclined("a", "try_again", "91"), 0.1, [], (0, 1)),
        (
            PaymentAttemptDeclined("a", "try_again", message="ConnectError", sent=False),
            0,
            ["not sent: ConnectError"],
            (0, 1),
        ),
        (PaymentAttemptUnanswered("a", "ReadTimeout"), 2.0, ["ReadTimeout"], None),
        (PaymentAttemptUnanswered("a", "http 503"), 0.1, ["http 503"], None),
        (PaymentAttemptUnanswered("a", "pending"), 0.1, [], None),
        (PaymentAttemptUnanswered("a", "amount mismatch"), 0.1, [], None),
        (PaymentActionRequired("a", "three_ds"), 0.1, [], None),
    ],
)
def test_silence_and_what_was_not_sent_count_against_a_channel_and_a_no_does_not(
    answer: Event, after_s: float, trouble: list[str], ended: tuple[int, int] | None
) -> None:
    log = Log()
    log.begin("a")
    log.add(answer, after_s)
    assert len(log.health.results[PLACE]) == 1
    assert log.troubles == trouble
    assert log.health.statistics() == ({} if ended is None else {f"{CHANNEL}/card": ended})


def test_an_attempt_counts_once_and_ends_once() -> None:
    log = Log()
    log.begin("a")
    for event in (PaymentAttemptUnanswered("a", "ReadTimeout"), captured("a"), captured("a")):
        log.add(event)
    assert (log.troubles, log.health.statistics()) == (["ReadTimeout"], {f"{CHANNEL}/card": (1, 1)})


def test_what_nobody_saw_begin_counts_for_nothing_and_only_the_last_results_are_kept() -> None:
    log = Log()
    log.add(captured("unknown"))
    assert log.health.statistics() == {}
    for n in range(KEPT + 5):
        log.begin(f"a{n}")
        log.add(captured(f"a{n}"))
    assert log.health.statistics() == {f"{CHANNEL}/card": (KEPT, KEPT)}


def test_a_decision_is_asked_for_once_and_again_where_nothing_came_of_it() -> None:
    log = Log()
    log.rules(RoutingRules(circuit=CircuitTerms(failures=2, of=5)))
    for n in range(2):
        log.begin(f"a{n}")
        log.add(PaymentAttemptUnanswered(f"a{n}", "ReadTimeout"))
    (asked,) = log.health.due(NOON)
    assert isinstance(asked, JudgeCircuit)
    assert [result.attempt for result in asked.results] == ["a0", "a1"]
    assert list(log.health.due(NOON + AGAIN_AFTER)) == []
    assert list(log.health.due(NOON + 1.1 * AGAIN_AFTER)) == [asked]
    log.add(CircuitOpened(CHANNEL, "card", "2 of 5", NOON + timedelta(seconds=30)))
    assert list(log.health.due(NOON + timedelta(seconds=29))) == []
    assert len(list(log.health.due(NOON + timedelta(seconds=30)))) == 1


def test_statistics_are_taken_only_for_rules_that_ask_for_them() -> None:
    log = Log()
    log.begin("a")
    log.add(captured("a"))
    assert list(log.health.due(NOON)) == []
    log.rules(RoutingRules(default=SuccessRate((CHANNEL, OTHER_CHANNEL))))
    assert list(log.health.due(NOON)) == [TakeStatistics({f"{CHANNEL}/card": (1, 1)})]
    assert list(log.health.due(NOON + timedelta(minutes=1))) == []


# --- in a house -----------------------------------------------------------------------------------------------------


def health_of(house: House) -> ChannelHealth:
    """What somebody knows who begins to read now."""
    health = ChannelHealth()

    async def catch_up() -> None:
        async with await house.database.connect_async() as connection:
            await health.catch_up(connection, house.book)

    asyncio.run(catch_up())
    return health


def state(house: House) -> str:
    return health_of(house).circuit(PLACE).state


def test_a_worker_opens_a_circuit_probes_and_closes_it_and_so_does_one_that_begins_later(house: House) -> None:
    terms = CircuitTerms(failures=3, of=5, open_s=1, probes=1, probe_percent=100)
    house.pen.do(ActivateRoutingRules(RoutingRules(default=Priority((CHANNEL, OTHER_CHANNEL)), circuit=terms)))
    # What calls back may be quicker than the answer, and then nothing was wrong.
    token = house.misbehave("tok_dead", "error_500_after", "no_callback")
    house.start_worker()
    stuck = [house.pay(token) for _ in range(3)]
    until(lambda: True if state(house) != "closed" else None)
    house.stop_worker()
    assert len(health_of(house).failures(PLACE)) >= 3
    house.start_worker()
    until(lambda: True if state(house) == "half_open" else None)
    (probe,) = house.settled(house.pay())
    assert [attempt.channel for attempt in probe.attempts] == [CHANNEL]
    until(lambda: True if state(house) == "closed" else None)
    assert {view.status for view in house.settled(*stuck)} == {"succeeded"}


def test_a_worker_keeps_the_statistics_that_rules_ask_for(house: House) -> None:
    best = RoutingRules(default=SuccessRate((CHANNEL, OTHER_CHANNEL), explore_percent=0, least_results=1))
    house.pen.do(ActivateRoutingRules(best))
    house.start_worker()
    (failed,) = house.settled(house.pay("tok_do_not_honor"))
    assert failed.status == "failed"
    until(lambda: house.history(STATISTICS_STREAM) or None)
    (paid,) = house.settled(house.pay())
    assert [attempt.channel for attempt in paid.attempts] == [OTHER_CHANNEL]
