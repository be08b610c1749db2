"""Disputes: what the events of its disputes make of a payment."""

from collections.abc import Callable
from typing import Any, Literal

from msgspec.structs import replace

from ledger.dispute import (
    ACCEPT,
    ACCEPTED,
    BY_HAND,
    CHALLENGE,
    CHALLENGED,
    DECLINED,
    DELIVERED,
    LOST,
    MERCHANT,
    NONE,
    PROCESSING,
    TAKEN,
    UNKNOWN,
    AnswerStatus,
    Dispute,
    DisputeAnswer,
    DisputeWord,
    Evidence,
)
from ledger.events.disputes import (
    DisputeAccepted,
    DisputeAnswerDeclined,
    DisputeAnswerNotSupported,
    DisputeAnswerTaken,
    DisputeAnswerUnanswered,
    DisputeChallenged,
    DisputeContradicted,
    DisputeFundsReturned,
    DisputeFundsTaken,
    DisputeLossReversed,
    DisputeLost,
    DisputeMoved,
)
from ledger.events.event import Recorded
from ledger.evolving.payments import Evolvers
from ledger.payment import Payment


def _with_dispute(payment: Payment, name: str, recorded: Recorded, change: Callable[[Dispute], Dispute]) -> Payment:
    """The payment with one of its disputes changed by this event."""
    changed = (
        replace(change(dispute), position=recorded.position) if dispute.id == name else dispute
        for dispute in payment.disputes
    )
    return replace(payment, disputes=tuple(changed))


def moved(payment: Payment, event: DisputeMoved, recorded: Recorded) -> Payment:
    word = DisputeWord(event.stage, event.status)
    if payment.dispute(event.id) is None:
        begun = Dispute(
            event.id,
            event.attempt,
            event.channel,
            event.reference,
            event.amount,
            event.currency,
            event.reason,
            recorded.recorded_at,
            recorded.position,
            event.evidence_due_at,
            (word,),
        )
        return replace(payment, disputes=(*payment.disputes, begun))

    def change(dispute: Dispute) -> Dispute:
        # What is to be answered, and until when, is what the highest stage says.
        highest = all(word.rank > other.rank for other in dispute.words) or not dispute.is_known
        due = event.evidence_due_at if highest and event.evidence_due_at is not None else dispute.evidence_due_at
        reason = event.reason if highest and event.reason else dispute.reason
        return replace(dispute, words=(*dispute.words, word), evidence_due_at=due, reason=reason)

    return _with_dispute(payment, event.id, recorded, change)


def contradiction(event: DisputeContradicted) -> str:
    """What was said, in one text that is the same each time."""
    return f"{event.stage} {event.status} over {event.amount} {event.currency}"


def contradicted(payment: Payment, event: DisputeContradicted, recorded: Recorded) -> Payment:
    def change(dispute: Dispute) -> Dispute:
        return replace(dispute, contradictions=(*dispute.contradictions, contradiction(event)))

    return _with_dispute(payment, event.id, recorded, change)


def funds_taken(payment: Payment, event: DisputeFundsTaken, recorded: Recorded) -> Payment:
    def change(dispute: Dispute) -> Dispute:
        return replace(dispute, money=TAKEN, was_taken=True, share=event.share, fee=dispute.fee + event.fee)

    return _with_dispute(payment, event.id, recorded, change)


def funds_returned(payment: Payment, event: DisputeFundsReturned, recorded: Recorded) -> Payment:
    return _with_dispute(payment, event.id, recorded, lambda one: replace(one, money=NONE))


def lost(payment: Payment, event: DisputeLost, recorded: Recorded) -> Payment:
    return _with_dispute(payment, event.id, recorded, lambda one: replace(one, money=LOST, liable=event.liable))


def loss_reversed(payment: Payment, event: DisputeLossReversed, recorded: Recorded) -> Payment:
    return _with_dispute(payment, event.id, recorded, lambda one: replace(one, money=TAKEN, share=event.share))


def accepted(payment: Payment, event: DisputeAccepted, recorded: Recorded) -> Payment:
    def change(dispute: Dispute) -> Dispute:
        return _with_answer(dispute, _answer(event, recorded))

    return _with_dispute(payment, event.id, recorded, change)


def challenged(payment: Payment, event: DisputeChallenged, recorded: Recorded) -> Payment:
    def change(dispute: Dispute) -> Dispute:
        said = Evidence(event.evidence, recorded.recorded_at)
        return replace(_with_answer(dispute, _answer(event, recorded)), evidence=(*dispute.evidence, said))

    return _with_dispute(payment, event.id, recorded, change)


def _answer(event: DisputeAccepted | DisputeChallenged, recorded: Recorded) -> DisputeAnswer:
    says: Literal["accept", "challenge"] = ACCEPT if isinstance(event, DisputeAccepted) else CHALLENGE
    status: AnswerStatus = PROCESSING if event.answer else BY_HAND
    return DisputeAnswer(event.answer, says, event.stage, recorded.recorded_at, status)


def _word_of(answer: DisputeAnswer) -> DisputeWord:
    return DisputeWord(answer.stage, ACCEPTED if answer.says == ACCEPT else CHALLENGED, MERCHANT)


def _with_answer(dispute: Dispute, answer: DisputeAnswer) -> Dispute:
    word = _word_of(answer)
    words = dispute.words if word in dispute.words else (*dispute.words, word)
    return replace(dispute, words=words, answers=(*dispute.answers, answer))


def _with_fate(dispute: Dispute, name: str, **fate: Any) -> Dispute:
    answers = tuple(replace(one, **fate) if one.id == name else one for one in dispute.answers)
    return replace(dispute, answers=answers)


def answer_taken(payment: Payment, event: DisputeAnswerTaken, recorded: Recorded) -> Payment:
    return _with_dispute(payment, event.id, recorded, lambda one: _with_fate(one, event.answer, status=DELIVERED))


def answer_by_hand(payment: Payment, event: DisputeAnswerNotSupported, recorded: Recorded) -> Payment:
    return _with_dispute(payment, event.id, recorded, lambda one: _with_fate(one, event.answer, status=BY_HAND))


def answer_unanswered(payment: Payment, event: DisputeAnswerUnanswered, recorded: Recorded) -> Payment:
    return _with_dispute(payment, event.id, recorded, lambda one: _with_fate(one, event.answer, status=UNKNOWN))


def answer_declined(payment: Payment, event: DisputeAnswerDeclined, recorded: Recorded) -> Payment:
    def change(dispute: Dispute) -> Dispute:
        said = dispute.answer(event.answer)
        if said is None:
            return dispute
        left = _with_fate(dispute, event.answer, status=DECLINED, group=event.group, message=event.message)
        word = _word_of(said)
        # Another answer of the same kind may have been heard.
        if any(one.status != DECLINED and _word_of(one) == word for one in left.answers):
            return left
        return replace(left, words=tuple(one for one in left.words if one != word))

    return _with_dispute(payment, event.id, recorded, change)


EVOLVERS: Evolvers = {
    DisputeMoved: moved,
    DisputeContradicted: contradicted,
    DisputeFundsTaken: funds_taken,
    DisputeFundsReturned: funds_returned,
    DisputeLost: lost,
    DisputeLossReversed: loss_reversed,
    DisputeAccepted: accepted,
    DisputeChallenged: challenged,
    DisputeAnswerTaken: answer_taken,
    DisputeAnswerNotSupported: answer_by_hand,
    DisputeAnswerUnanswered: answer_unanswered,
    DisputeAnswerDeclined: answer_declined,
}
