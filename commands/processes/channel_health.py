"""Channel health: what the log says of the last attempts at each channel, and what follows from it for its circuit.

The results are kept in memory and come from the end of the log, where whoever begins reads them again. What follows is
asked for as a command: the decision looks at the circuit once more, so any number of processes may ask.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection

from commands.channel_choice import rules_after
from commands.circuits import STATISTICS_EVERY, JudgeCircuit, TakeStatistics
from commands.policies.channels import CHANNELS
from commands.policies.circuits import Result, next_transition
from commands.policies.routing_rules import NO_RULES, CompiledRules
from ledger.circuit_state import Circuit, circuit_of
from ledger.events.authorizations import PaymentAuthorized
from ledger.events.circuits import CircuitClosed, CircuitHalfOpened, CircuitOpened, circuit_stream
from ledger.events.event import Event, Recorded
from ledger.events.payments import (
    PaymentActionRequired,
    PaymentAttemptDeclined,
    PaymentAttemptInitiated,
    PaymentAttemptUnanswered,
    PaymentCaptured,
)
from ledger.events.routing import RULES_STREAM, RoutingRulesActivated, RoutingRulesDeactivated, channel_and_method
from ledger.store import read

# In positions of the log: what lies farther back says nothing of today.
TAIL = 20_000
PAGE = 5_000
KEPT = 100
AGAIN_AFTER = timedelta(seconds=2)
_ENDINGS = (PaymentCaptured, PaymentAuthorized, PaymentAttemptDeclined)
_ANSWERS = (*_ENDINGS, PaymentActionRequired, PaymentAttemptUnanswered)
_CIRCUITS = (CircuitOpened, CircuitHalfOpened, CircuitClosed)
_RULES = (RoutingRulesActivated, RoutingRulesDeactivated)
_TOPICS = sorted(kind.topic for kind in (PaymentAttemptInitiated, *_ANSWERS, *_CIRCUITS, *_RULES))
# Silences that are answers: the channel works on it, or speaks of another sum than ours.
_NO_TROUBLE = frozenset({"pending", "amount mismatch"})

Place = tuple[str, str]
"""A channel and a method."""


class _Begun(msgspec.Struct, frozen=True):
    place: Place
    position: int
    at: datetime


class ChannelHealth:
    """What is known of the channels of one book up to `position`."""

    def __init__(self) -> None:
        self.position = 0
        self.rules: CompiledRules = NO_RULES
        self.circuits: dict[Place, Circuit] = {}
        self.results: dict[Place, deque[Result]] = {}
        self._endings: dict[Place, deque[bool]] = {}
        self._open: dict[str, _Begun] = {}
        # Answered, and not ended yet.
        self._answered: dict[str, _Begun] = {}
        # When a decision about a circuit was asked for, seen at which positions of the circuit and of its last result.
        self._asked: dict[Place, tuple[int, int, datetime]] = {}
        self._told: tuple[datetime, dict[str, tuple[int, int]]] | None = None

    async def catch_up(self, connection: AsyncConnection[Any], book: str) -> None:
        """Take what is new in the log, at the first time only its end."""
        head, _ = await read.head(connection, book)
        if self.position == 0:
            await self._begin(connection, book, head)
        while self.position < head:
            until = min(head, self.position + PAGE)
            for recorded in await read.log_of(connection, book, after=self.position, until=until, topics=_TOPICS):
                self.take(recorded)
            self.position = until

    async def _begin(self, connection: AsyncConnection[Any], book: str, head: int) -> None:
        places = [(terms.name, method) for terms in CHANNELS for method in terms.methods]
        names = [circuit_stream(*place) for place in places]
        last = await read.latest(connection, book, [RULES_STREAM, *names])
        self.rules = rules_after(last.get(RULES_STREAM))
        for place, name in zip(places, names, strict=True):
            if name in last:
                self.circuits[place] = circuit_of(*place, last[name])
        self.position = max(0, head - TAIL)

    def take(self, recorded: Recorded) -> None:
        """Take one event of the log."""
        event = recorded.event
        match event:
            case PaymentAttemptInitiated():
                place = (event.channel, event.method)
                self._open[event.attempt] = _Begun(place, recorded.position, recorded.recorded_at)
            case CircuitOpened() | CircuitHalfOpened() | CircuitClosed():
                place = (event.channel, event.method)
                self.circuits[place] = circuit_of(*place, recorded)
            case RoutingRulesActivated() | RoutingRulesDeactivated():
                self.rules = rules_after(recorded)
            case PaymentCaptured() | PaymentAuthorized() | PaymentAttemptDeclined():
                self._answer(recorded, event, event.attempt)
            case PaymentActionRequired() | PaymentAttemptUnanswered():
                self._answer(recorded, event, event.attempt)

    def _answer(self, recorded: Recorded, event: Event, attempt: str) -> None:
        begun = self._open.pop(attempt, None)
        if begun is not None:
            took_s = (recorded.recorded_at - begun.at).total_seconds()
            trouble = _trouble(event)
            result = Result(attempt, begun.position, recorded.position, recorded.recorded_at, took_s, trouble)
            self.results.setdefault(begun.place, deque(maxlen=KEPT)).append(result)
        else:
            begun = self._answered.get(attempt)
        if begun is None:
            return
        if isinstance(event, _ENDINGS):
            self._answered.pop(attempt, None)
            succeeded = not isinstance(event, PaymentAttemptDeclined)
            self._endings.setdefault(begun.place, deque(maxlen=KEPT)).append(succeeded)
        else:
            self._answered[attempt] = begun
            if len(self._answered) > TAIL:
                del self._answered[next(iter(self._answered))]

    def circuit(self, place: Place) -> Circuit:
        return self.circuits.get(place) or Circuit(*place)

    def statistics(self) -> dict[str, tuple[int, int]]:
        """By channel and method: how many of the last attempts that ended succeeded, and how many that were."""
        return {
            channel_and_method(*place): (sum(endings), len(endings)) for place, endings in sorted(self._endings.items())
        }

    def failures(self, place: Place) -> list[tuple[Result, str]]:
        """The technical failures among the last results, latest first, and why each of them counts."""
        slow_s = self.rules.document.circuit.slow_s
        found = ((result, result.failure(slow_s)) for result in reversed(self.results.get(place, ())))
        return [(result, why) for result, why in found if why]

    def due(self, now: datetime) -> Iterable[JudgeCircuit | TakeStatistics]:
        """What is to be decided now. What was asked for and is not there yet is asked for again, a while later."""
        terms = self.rules.document.circuit
        for place in {*self.results, *self.circuits}:
            circuit, results = self.circuit(place), tuple(self.results.get(place, ()))[-terms.of :]
            if next_transition(circuit, results, terms, now) is None:
                continue
            seen = (circuit.position, results[-1].position if results else 0)
            *asked, asked_at = self._asked.get(place, (-1, -1, now))
            if seen != tuple(asked) or now - asked_at > AGAIN_AFTER:
                self._asked[place] = (*seen, now)
                yield JudgeCircuit(*place, results)
        if self.rules.by_success and (statistics := self.statistics()):
            told_at, told = self._told or (now - STATISTICS_EVERY, {})
            if told != statistics and now - told_at >= STATISTICS_EVERY:
                self._told = (now, statistics)
                yield TakeStatistics(statistics)


def _trouble(event: Event) -> str:
    """What is technically wrong about an answer; empty: nothing."""
    match event:
        case PaymentAttemptUnanswered() if event.reason not in _NO_TROUBLE:
            return event.reason
        case PaymentAttemptDeclined() if not event.sent:
            return f"not sent: {event.message}" if event.message else "not sent"
        case _:
            return ""
