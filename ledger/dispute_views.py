"""Dispute views: a dispute as commands answer with it and as reads show it, from the fold of its payment."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ledger import payment_state
from ledger.dispute import LOST, PRE_DISPUTE, UNOPENED, WON, Dispute, DisputeAnswer, Evidence
from ledger.events.event import Recorded
from ledger.payment import Payment


class DisputeSummary(msgspec.Struct, frozen=True):
    """A dispute as its payment lists it."""

    id: str
    status: str
    stage: str
    amount: int
    currency: str


class DisputeView(msgspec.Struct):
    """A dispute as it stands, in minor units of its own currency.

    `money`: none, taken (the channel has it and nobody has decided) or lost. `held` is what the merchant bears of it,
    or the principal that it was collected for: `borne` in the currency that they are owed. `suspended` is what nobody
    here can be charged for: then, after `contradictions` of the channel, and when it declined the last of the
    merchant's `answers`, it `needs_attention`. `fee` is what the merchant was charged. `unopened`: its end was heard of
    first.
    """

    position: int | None
    id: str
    payment: str
    merchant: str
    status: str
    stage: str
    amount: int
    currency: str
    reason: str
    channel: str
    channel_reference: str
    money: str
    held: int
    suspended: int
    fee: int
    evidence_due_at: datetime | None
    evidence: tuple[Evidence, ...]
    contradictions: tuple[str, ...]
    needs_attention: bool
    opened_at: datetime
    answers: tuple[DisputeAnswer, ...] = ()
    borne: int = 0
    borne_currency: str = ""


def dispute_view(history: Sequence[Recorded], name: str) -> DisputeView:
    """The dispute as the history of its payment makes it; the history holds its beginning."""
    payment = payment_state.fold(history)
    dispute = None if payment is None else payment.dispute(name)
    if payment is None or dispute is None:
        raise AssertionError(f"the dispute {name} has not begun and cannot be shown")
    return dispute_view_of(payment, dispute)


def dispute_view_of(payment: Payment, dispute: Dispute) -> DisputeView:
    weighs = dispute.weighs > 0
    suspended = dispute.share.suspended if weighs else 0
    return DisputeView(
        position=dispute.position,
        id=dispute.id,
        payment=payment.created.id,
        merchant=payment.created.merchant,
        status=dispute.status,
        stage=dispute.stage,
        amount=dispute.amount,
        currency=dispute.currency,
        reason=dispute.reason,
        channel=dispute.channel,
        channel_reference=dispute.reference,
        money=dispute.money,
        held=dispute.share.held if weighs else 0,
        suspended=suspended,
        fee=dispute.fee,
        evidence_due_at=dispute.evidence_due_at,
        evidence=dispute.evidence,
        contradictions=dispute.contradictions,
        needs_attention=suspended > 0 or bool(dispute.contradictions) or dispute.is_unheard,
        opened_at=dispute.opened_at,
        answers=dispute.answers,
        borne=dispute.share.borne if weighs else 0,
        borne_currency=dispute.share.currency or dispute.currency,
    )


def dispute_summaries(payment: Payment) -> tuple[DisputeSummary, ...]:
    return tuple(DisputeSummary(one.id, one.status, one.stage, one.amount, one.currency) for one in payment.disputes)


def dispute_status(payment: Payment) -> str:
    """none, inquiry (nothing is taken yet), open, won or lost: the most serious of its disputes."""
    known = [dispute for dispute in payment.disputes if dispute.status != UNOPENED]
    if any(dispute.is_under_way and dispute.stage != PRE_DISPUTE for dispute in known):
        return "open"
    if any(dispute.is_under_way for dispute in known):
        return "inquiry"
    if any(dispute.money == LOST for dispute in known):
        return LOST
    return WON if any(dispute.status == WON for dispute in known) else "none"
