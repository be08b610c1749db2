"""Errands: an outcome that nobody knows is reported once, for people to see, and never guessed."""

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from ledger.events.errands import ErrandUnresolved, errand_stream


class ReportUnresolved(Command, frozen=True):
    """A channel was asked for the outcome of an errand so often that somebody has to look at it."""

    id: str
    stream: str
    channel: str
    kind: str
    tries: int
    last_answer: str


class UnresolvedReceipt(Receipt):
    """The errand that was reported."""

    id: str = ""


def report(books: Books, command: ReportUnresolved, envelope: Envelope) -> Decision:
    stream = errand_stream(command.id)
    known = books.recorded(stream)
    if known:
        return Decision([], UnresolvedReceipt(known[-1].position, command.id), status=200)
    event = ErrandUnresolved(
        command.id, command.stream, command.channel, command.kind, command.tries, command.last_answer
    )
    return Decision([(stream, event)], UnresolvedReceipt(id=command.id))


def _needs(command: ReportUnresolved) -> Needs:
    return Needs(streams=(errand_stream(command.id),))


DECIDERS: dict[type[Command], Decider] = {ReportUnresolved: Decider(report, _needs)}
