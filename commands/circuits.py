"""Circuits: what a channel's answers lead to, what somebody decides by hand, and the statistics that routing reads."""

from datetime import timedelta
from typing import Literal

from commands.books import Books
from commands.channel_choice import active_rules, statistics_after
from commands.channel_facts import FactReceipt
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.policies.channels import terms_of
from commands.policies.circuits import Result, next_transition
from ledger.circuit_state import Circuit, circuit_of
from ledger.errors import ChannelNotFound, MethodNotSupported
from ledger.events.circuits import CircuitClosed, CircuitOpened, circuit_stream
from ledger.events.event import Event
from ledger.events.routing import RULES_STREAM, STATISTICS_STREAM, RoutingStatisticsTaken

# Statistics are good enough for so long, and every taking is an event.
STATISTICS_EVERY = timedelta(seconds=5)


class JudgeCircuit(Command, frozen=True):
    """Look whether these last results of a channel, oldest first, or the time, change its circuit."""

    channel: str
    method: str
    results: tuple[Result, ...]


class TakeStatistics(Command, frozen=True):
    """Put down how many of the last attempts succeeded, by channel and method."""

    results: dict[str, tuple[int, int]]


class SwitchCircuit(Command, frozen=True):
    """By hand: open or close the circuits of a channel until further notice, or give them back to the automatic.

    `method` None: of each method that the channel carries.
    """

    channel: str
    state: Literal["open", "closed", "auto"]
    reason: str
    method: str | None = None


class CircuitReceipt(Receipt):
    """The circuits of a channel as they stand now."""

    channel: str = ""
    circuits: tuple[Circuit, ...] = ()


def judge(books: Books, command: JudgeCircuit, envelope: Envelope) -> Decision:
    stream = circuit_stream(command.channel, command.method)
    history = books.recorded(stream)
    circuit = circuit_of(command.channel, command.method, history[-1] if history else None)
    terms = active_rules(books).document.circuit
    transition = next_transition(circuit, command.results, terms, books.now)
    events: list[tuple[str, Event]] = [] if transition is None else [(stream, transition)]
    receipt = FactReceipt(None if events else circuit.position, stream, "recorded" if events else "ignored")
    return Decision(events, receipt, status=200)


def take(books: Books, command: TakeStatistics, envelope: Envelope) -> Decision:
    history = books.recorded(STATISTICS_STREAM)
    last = history[-1] if history else None
    too_soon = last is not None and books.now - last.recorded_at < STATISTICS_EVERY
    if too_soon or command.results == statistics_after(last):
        return Decision([], FactReceipt(0, STATISTICS_STREAM, "ignored"), status=200)
    taken = RoutingStatisticsTaken(command.results)
    return Decision([(STATISTICS_STREAM, taken)], FactReceipt(id=STATISTICS_STREAM), status=200)


def switch(books: Books, command: SwitchCircuit, envelope: Envelope) -> Decision:
    terms = terms_of(command.channel)
    if terms is None:
        raise ChannelNotFound(channel=command.channel)
    if command.method is not None and command.method not in terms.methods:
        raise MethodNotSupported(pointer="/method", method=command.method, supported=list(terms.methods))
    methods = terms.methods if command.method is None else (command.method,)
    events: list[tuple[str, Event]] = []
    circuits: list[Circuit] = []
    for method in methods:
        stream = circuit_stream(command.channel, method)
        history = books.recorded(stream)
        circuit = circuit_of(command.channel, method, history[-1] if history else None)
        event = _by_hand(circuit, command)
        if event is None:
            circuits.append(circuit)
            continue
        events.append((stream, event))
        opened, by_hand = isinstance(event, CircuitOpened), event.by_hand
        state: Literal["open", "closed"] = "open" if opened else "closed"
        circuits.append(Circuit(command.channel, method, state, by_hand, event.because, books.now))
    position = max((circuit.position for circuit in circuits), default=0)
    receipt = CircuitReceipt(None if events else position, command.channel, tuple(circuits))
    return Decision(events, receipt, status=200)


def _by_hand(circuit: Circuit, command: SwitchCircuit) -> CircuitOpened | CircuitClosed | None:
    """What is recorded; None where it stands so already."""
    channel, method, reason = circuit.channel, circuit.method, command.reason
    match command.state:
        case "auto":
            return CircuitClosed(channel, method, reason) if circuit.by_hand else None
        case state if circuit.by_hand and circuit.state == state:
            return None
        case "open":
            return CircuitOpened(channel, method, reason, by_hand=True)
        case "closed":
            return CircuitClosed(channel, method, reason, by_hand=True)


def _judge_needs(command: JudgeCircuit) -> Needs:
    return Needs(streams=(circuit_stream(command.channel, command.method),), latest=(RULES_STREAM,))


def _take_needs(command: TakeStatistics) -> Needs:
    return Needs(streams=(STATISTICS_STREAM,))


DECIDERS: dict[type[Command], Decider] = {
    JudgeCircuit: Decider(judge, _judge_needs),
    TakeStatistics: Decider(take, _take_needs),
    SwitchCircuit: Decider(switch),
}
