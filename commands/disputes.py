"""Disputes: what a channel says about them, and what the merchant answers.

RecordDisputeWord ──▶ the dispute moves to where its highest word puts it, and its money with it (dispute_money.py)
AcceptDispute ──▶ the payer may keep the money: lost
ChallengeDispute ──▶ challenged, with evidence, until its deadline

What the merchant says counts at once, and is an errand to the channel: what becomes of that in dispute_answers.py. How
a dispute ends, only the channel's own words tell.
"""

from commands.books import Books
from commands.channel_facts import imagined, with_effect, without_effect
from commands.channels.channel import DisputeMoved as Word
from commands.dispute_money import dispute_events
from commands.envelope import Command, Decision, Envelope
from commands.handler import Decider, Needs
from commands.system_accounts import with_accounts
from ledger.dispute import CHALLENGED, CHANNEL, OPENED, Dispute, DisputeWord
from ledger.dispute_views import dispute_view
from ledger.errors import DisputeNotFound, DisputeStateInvalid, EvidenceTooLate, PaymentNotFound
from ledger.events.disputes import DisputeAccepted, DisputeChallenged, DisputeContradicted, DisputeMoved
from ledger.events.event import Event
from ledger.evolving.disputes import contradiction
from ledger.ids import DISPUTE, DISPUTE_ANSWER, PAYMENT, child_id, stream_of
from ledger.payment import Payment
from ledger.payment_state import fold


class RecordDisputeWord(Command, frozen=True):
    """What the channel says about a dispute of what was charged under this attempt."""

    attempt: str
    channel: str
    verdict: Word


class AcceptDispute(Command, frozen=True):
    """Let the payer keep the money."""

    dispute: str


class ChallengeDispute(Command, frozen=True):
    """Answer a dispute with evidence: texts by name."""

    dispute: str
    evidence: dict[str, str]


def record(books: Books, command: RecordDisputeWord, envelope: Envelope) -> Decision:
    stream, said = stream_of(command.attempt), command.verdict
    payment = fold(books.recorded(stream)) if stream.startswith(PAYMENT) else None
    attempt = None if payment is None else payment.attempt(command.attempt)
    # A channel speaks for what was sent to it, and for nothing else.
    if payment is None or attempt is None or attempt.channel != command.channel:
        raise PaymentNotFound(attempt=command.attempt, channel=command.channel)
    known = next((one for one in payment.disputes if one.reference == said.dispute_reference), None)
    if known is not None and (known.amount, known.currency) != (said.amount, said.currency):
        other = DisputeContradicted(known.id, command.channel, said.stage, said.status, said.amount, said.currency)
        if contradiction(other) in known.contradictions:
            return without_effect(known.id, "duplicate", payment.position)
        return with_effect(books, stream, [other], known.id, "unapplied")
    if known is not None and DisputeWord(said.stage, said.status, CHANNEL) in known.words:
        return without_effect(known.id, "duplicate", payment.position)
    name = known.id if known is not None else child_id(DISPUTE, stream, len(payment.disputes) + 1)
    moved = DisputeMoved(
        id=name,
        payment=stream,
        attempt=attempt.id,
        merchant=payment.created.merchant,
        channel=command.channel,
        reference=said.dispute_reference,
        stage=said.stage,
        status=said.status,
        amount=said.amount,
        currency=said.currency,
        channel_fee=said.fee,
        reason=said.reason,
        evidence_due_at=said.evidence_due_at,
    )
    return with_effect(books, stream, [moved, *dispute_events(books, stream, [moved])], name, "recorded")


def accept(books: Books, command: AcceptDispute, envelope: Envelope) -> Decision:
    payment, dispute = _named(books, command.dispute)
    if not dispute.is_under_way:
        raise _not_now(dispute)
    accepted = DisputeAccepted(
        dispute.id,
        dispute.stage,
        answer=_next_answer(payment),
        channel=dispute.channel,
        attempt=dispute.attempt,
        reference=dispute.reference,
    )
    return _answered(books, payment, dispute, accepted)


def challenge(books: Books, command: ChallengeDispute, envelope: Envelope) -> Decision:
    payment, dispute = _named(books, command.dispute)
    if dispute.status not in (OPENED, CHALLENGED):
        raise _not_now(dispute)
    due = dispute.evidence_due_at
    if due is not None and due <= books.now:
        raise EvidenceTooLate(dispute=dispute.id, evidence_due_at=due.isoformat())
    challenged = DisputeChallenged(
        dispute.id,
        dispute.stage,
        command.evidence,
        answer=_next_answer(payment),
        channel=dispute.channel,
        attempt=dispute.attempt,
        reference=dispute.reference,
    )
    return _answered(books, payment, dispute, challenged)


def _next_answer(payment: Payment) -> str:
    number = 1 + sum(len(dispute.answers) for dispute in payment.disputes)
    return child_id(DISPUTE_ANSWER, payment.created.id, number)


def _named(books: Books, name: str) -> tuple[Payment, Dispute]:
    payment = fold(books.recorded(stream_of(name))) if name.startswith(DISPUTE) and stream_of(name) else None
    dispute = None if payment is None else payment.dispute(name)
    if payment is None or dispute is None:
        raise DisputeNotFound(dispute=name)
    return payment, dispute


def _not_now(dispute: Dispute) -> DisputeStateInvalid:
    return DisputeStateInvalid(
        f"The dispute is {dispute.status}.", dispute=dispute.id, dispute_status=dispute.status, stage=dispute.stage
    )


def _answered(books: Books, payment: Payment, dispute: Dispute, answer: Event) -> Decision:
    stream = payment.created.id
    events = [answer, *dispute_events(books, stream, [answer])]
    view = dispute_view(imagined(books, stream, events), dispute.id)
    view.position = None
    return Decision(with_accounts(books, [(stream, event) for event in events]), view, status=200)


def _record_needs(command: RecordDisputeWord) -> Needs:
    return Needs(streams=(stream_of(command.attempt),))


def _answer_needs(command: AcceptDispute | ChallengeDispute) -> Needs:
    return Needs(streams=(stream_of(command.dispute),))


DECIDERS: dict[type[Command], Decider] = {
    RecordDisputeWord: Decider(record, _record_needs),
    AcceptDispute: Decider(accept, _answer_needs),
    ChallengeDispute: Decider(challenge, _answer_needs),
}
