"""Disputes: what the events of its disputes make of a payment."""

from collections.abc import Callable

from msgspec.structs import replace

from ledger.dispute import (
    ACCEPTED,
    CHALLENGED,
    LOST,
    MERCHANT,
    NONE,
    TAKEN,
    Dispute,
    DisputeWord,
    Evidence,
)
from ledger.events.disputes import (
    DisputeAccepted,
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
    word = DisputeWord(event.stage, ACCEPTED, MERCHANT)
    return _with_dispute(payment, event.id, recorded, lambda one: replace(one, words=(*one.words, word)))


def challenged(payment: Payment, event: DisputeChallenged, recorded: Recorded) -> Payment:
    def change(dispute: Dispute) -> Dispute:
        word, said = DisputeWord(event.stage, CHALLENGED, MERCHANT), Evidence(event.evidence, recorded.recorded_at)
        words = dispute.words if word in dispute.words else (*dispute.words, word)
        return replace(dispute, words=words, evidence=(*dispute.evidence, said))

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
}
