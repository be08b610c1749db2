"""Disputes: a payer asks his bank for his money; recorded in the stream of the payment it is about."""

from datetime import datetime
from typing import ClassVar

from ledger.dispute import DisputeShare
from ledger.events.event import Event


class DisputeMoved(Event, frozen=True, omit_defaults=True):
    """The channel says where a dispute stands; `channel_fee` is what it keeps for this step, in minor units.

    The first word on a dispute gives it its id, whatever it says: they come in any order.
    """

    topic: ClassVar[str] = "disputes.moved.v1"

    id: str
    payment: str
    attempt: str
    merchant: str
    channel: str
    reference: str
    stage: str
    status: str
    amount: int
    currency: str
    channel_fee: int = 0
    reason: str = ""
    evidence_due_at: datetime | None = None


class DisputeContradicted(Event, frozen=True, omit_defaults=True):
    """The channel spoke of another sum than when it first told of the dispute: nothing moves, people have to look."""

    topic: ClassVar[str] = "disputes.contradicted.v1"

    id: str
    channel: str
    stage: str
    status: str
    amount: int
    currency: str


class DisputeFundsTaken(Event, frozen=True, omit_defaults=True):
    """The channel took `amount` back. `share` says who bears it, `fee` is what the merchant is charged for it.

    Of the fee `fee_from_available` were released to the merchant already, and `fee_short` of it is a debt.
    """

    topic: ClassVar[str] = "disputes.funds_taken.v1"

    id: str
    merchant: str
    channel: str
    stage: str
    amount: int
    currency: str
    share: DisputeShare
    fee: int = 0
    fee_from_available: int = 0
    fee_short: int = 0


class DisputeFundsReturned(Event, frozen=True, omit_defaults=True):
    """`amount` is the channel's again to give us, and the merchant has its part back: won, canceled, or shared anew."""

    topic: ClassVar[str] = "disputes.funds_returned.v1"

    id: str
    merchant: str
    channel: str
    stage: str
    amount: int
    currency: str
    share: DisputeShare


class DisputeLost(Event, frozen=True, omit_defaults=True):
    """The payer keeps the money. `liable` is merchant or platform; the platform gives the merchant its part back."""

    topic: ClassVar[str] = "disputes.lost.v1"

    id: str
    merchant: str
    channel: str
    stage: str
    amount: int
    currency: str
    share: DisputeShare
    liable: str


class DisputeLossReversed(Event, frozen=True, omit_defaults=True):
    """It is not lost after all: the exact opposite of its loss, and the money is held again."""

    topic: ClassVar[str] = "disputes.loss_reversed.v1"

    id: str
    merchant: str
    channel: str
    stage: str
    amount: int
    currency: str
    share: DisputeShare
    liable: str


class DisputeAccepted(Event, frozen=True, omit_defaults=True):
    """The merchant lets the payer keep the money. The channel is told so under the id `answer`.

    Without an `answer` it was only recorded here: people told the channel.
    """

    topic: ClassVar[str] = "disputes.accepted.v1"

    id: str
    stage: str
    answer: str = ""
    channel: str = ""
    attempt: str = ""
    reference: str = ""


class DisputeChallenged(Event, frozen=True, omit_defaults=True):
    """The merchant answers the dispute with evidence: texts by name. The channel is sent them under the id `answer`.

    Without an `answer` it was only recorded here: people told the channel.
    """

    topic: ClassVar[str] = "disputes.challenged.v1"

    id: str
    stage: str
    evidence: dict[str, str]
    answer: str = ""
    channel: str = ""
    attempt: str = ""
    reference: str = ""


class DisputeAnswerTaken(Event, frozen=True, omit_defaults=True):
    """The channel has taken what the merchant answered; what its bank makes of it comes as a word on the dispute."""

    topic: ClassVar[str] = "disputes.answer_taken.v1"

    id: str
    answer: str
    channel_reference: str


class DisputeAnswerDeclined(Event, frozen=True, omit_defaults=True):
    """The channel does not take the answer, it came too late or is about what is decided: as if it was never given."""

    topic: ClassVar[str] = "disputes.answer_declined.v1"

    id: str
    answer: str
    group: str
    channel_code: str
    message: str = ""


class DisputeAnswerNotSupported(Event, frozen=True, omit_defaults=True):
    """The channel takes no answers from us: this one stands as it was recorded, and people tell the channel."""

    topic: ClassVar[str] = "disputes.answer_not_supported.v1"

    id: str
    answer: str


class DisputeAnswerUnanswered(Event, frozen=True, omit_defaults=True):
    """The channel did not say whether it has taken the answer: unknown, and asked again until it is known."""

    topic: ClassVar[str] = "disputes.answer_unanswered.v1"

    id: str
    answer: str
    reason: str
