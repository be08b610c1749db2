"""Dispute answers: what became of what a merchant said in a dispute, on its way to the channel.

processing ──RecordDisputeAnswer──▶ delivered (and the bank decides: another word on the dispute)
                               ├──▶ declined: it does not count, and its money goes back to where it was before it
                               └──▶ by_hand: the channel takes no answers from us, and people tell it
"""

from commands.books import Books
from commands.channel_facts import is_news, with_effect, without_effect
from commands.channels.channel import NOT_SUPPORTED, DisputeAnswered, NotSent, Unknown, Verdict
from commands.channels.channel import DisputeAnswerDeclined as Declined
from commands.dispute_money import dispute_events
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from ledger.dispute import UNKNOWN, Dispute
from ledger.errors import DisputeNotFound
from ledger.events.disputes import (
    DisputeAnswerDeclined,
    DisputeAnswerNotSupported,
    DisputeAnswerTaken,
    DisputeAnswerUnanswered,
)
from ledger.events.event import Event
from ledger.ids import PAYMENT, stream_of
from ledger.payment_state import fold


class RecordDisputeAnswer(Command, frozen=True):
    """What the channel says became of an answer to one of its disputes."""

    answer: str
    channel: str
    verdict: Verdict


def record(books: Books, command: RecordDisputeAnswer, envelope: Envelope) -> Decision:
    name, stream = command.answer, stream_of(command.answer)
    payment = fold(books.recorded(stream)) if stream.startswith(PAYMENT) else None
    dispute = None if payment is None else next((one for one in payment.disputes if one.answer(name)), None)
    # A channel speaks for what was sent to it, and for nothing else.
    if payment is None or dispute is None or dispute.channel != command.channel:
        raise DisputeNotFound(answer=name, channel=command.channel)
    event = _event(dispute, name, command.verdict)
    if event is None:
        return without_effect(name, "ignored", payment.position)
    return with_effect(books, stream, [event, *dispute_events(books, stream, [event])], name, "recorded")


def _event(dispute: Dispute, name: str, verdict: Verdict) -> Event | None:
    """What is recorded of the verdict; None: it is known already, or says nothing."""
    answer = dispute.answer(name)
    if answer is None or not answer.is_open:
        return None
    match verdict:
        case DisputeAnswered():
            return DisputeAnswerTaken(dispute.id, name, verdict.channel_reference)
        case Declined():
            return DisputeAnswerDeclined(dispute.id, name, verdict.reason, verdict.channel_code, verdict.message)
        case NotSent() if verdict == NOT_SUPPORTED:
            return DisputeAnswerNotSupported(dispute.id, name)
        case Unknown() if is_news(verdict, True, (verdict.reason,) if answer.status == UNKNOWN else ()):
            return DisputeAnswerUnanswered(dispute.id, name, verdict.reason)
        case _:
            return None


def _needs(command: RecordDisputeAnswer) -> Needs:
    return Needs(streams=(stream_of(command.answer),))


DECIDERS: dict[type[Command], Decider] = {RecordDisputeAnswer: Decider(record, _needs)}
