"""Dispute: what is known of one dispute of a payment, folded from the words that its channel and its merchant said.

A dispute is where its highest word puts it, in whatever order the words came. Stages only rise:

    pre_dispute ─▶ dispute ─▶ pre_arbitration ─▶ arbitration
    opened ─▶ challenged ─▶ expired ─▶ accepted | canceled | lost | won         within each of them

    money: none ──opened──▶ taken ──lost, accepted──▶ lost          back by a higher word: won and canceled lead to none
"""

from datetime import datetime
from typing import Final, Literal, get_args

import msgspec

Stage = Literal["pre_dispute", "dispute", "pre_arbitration", "arbitration"]
STAGES: tuple[str, ...] = get_args(Stage)
PRE_DISPUTE = "pre_dispute"

UNOPENED = "unopened"
OPENED = "opened"
CHALLENGED = "challenged"
EXPIRED = "expired"
ACCEPTED = "accepted"
CANCELED = "canceled"
LOST = "lost"
WON = "won"
Status = Literal["unopened", "opened", "challenged", "expired", "accepted", "canceled", "lost", "won"]
STATUSES: tuple[str, ...] = get_args(Status)
UNDER_WAY = (OPENED, CHALLENGED, EXPIRED)

# Where the money is that a dispute is about.
NONE = "none"
TAKEN = "taken"

CHANNEL = "channel"
MERCHANT = "merchant"
PLATFORM = "platform"


class DisputeShare(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who bears what the channel took, in minor units.

    `held` is the merchant's part: `from_available` of it was released already, `short` of it is a debt, and the rest
    comes out of pending sales. `suspended` is kept in suspense: nobody here can be charged for it.

    Who is owed in another `currency` bears `cost` of that for it, and `from_available` and `short` are parts of this.
    `collected`: it is borne by the principal that the money was collected for, out of his balance or as a debt.
    """

    held: int = 0
    from_available: int = 0
    short: int = 0
    suspended: int = 0
    cost: int = 0
    currency: str = ""
    collected: bool = False

    @property
    def borne(self) -> int:
        """What is borne, in minor units of the currency in which whoever bears it is owed."""
        return self.cost if self.currency else self.held


class DisputeWord(msgspec.Struct, frozen=True):
    """One word on a dispute, by its channel or by the merchant."""

    stage: str
    status: str
    by: str = CHANNEL

    @property
    def rank(self) -> tuple[int, int]:
        return STAGES.index(self.stage), STATUSES.index(self.status)


class Evidence(msgspec.Struct, frozen=True):
    """What the merchant said against it, and when."""

    fields: dict[str, str]
    at: datetime


ACCEPT: Final = "accept"
CHALLENGE: Final = "challenge"

# Of an answer.
PROCESSING: Final = "processing"
UNKNOWN: Final = "unknown"
DELIVERED: Final = "delivered"
DECLINED: Final = "declined"
BY_HAND: Final = "by_hand"
AnswerStatus = Literal["processing", "unknown", "delivered", "declined", "by_hand"]


class DisputeAnswer(msgspec.Struct, frozen=True):
    """One answer of the merchant's on its way to the channel: `says` accept or challenge.

    processing, unknown (asked again), delivered, declined (by the channel: it does not count), or by_hand (the channel
    takes none from us, and people tell it). `group` and `message` say why it was declined.
    """

    id: str
    says: Literal["accept", "challenge"]
    stage: str
    at: datetime
    status: AnswerStatus = PROCESSING
    group: str | None = None
    message: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the channel may still say what became of it."""
        return self.status in (PROCESSING, UNKNOWN)


class Dispute(msgspec.Struct, frozen=True):
    """One dispute. Amounts in minor units of its own currency; `money` is none, taken or lost."""

    id: str
    attempt: str
    channel: str
    reference: str
    amount: int
    currency: str
    reason: str
    opened_at: datetime
    position: int
    evidence_due_at: datetime | None = None
    words: tuple[DisputeWord, ...] = ()
    money: str = NONE
    was_taken: bool = False
    share: DisputeShare = DisputeShare()
    fee: int = 0
    """What the merchant was charged for it."""
    liable: str = MERCHANT
    evidence: tuple[Evidence, ...] = ()
    answers: tuple[DisputeAnswer, ...] = ()
    contradictions: tuple[str, ...] = ()
    """What the channel said of another sum than at first: for people to look at."""

    @property
    def is_known(self) -> bool:
        """Whether it was opened at any stage: how it ended may be heard first."""
        return any(word.status == OPENED for word in self.words)

    @property
    def is_charged_back(self) -> bool:
        """Whether the channel took money at any stage."""
        return any(word.status == OPENED and word.stage != PRE_DISPUTE for word in self.words)

    @property
    def stage(self) -> str:
        return max(self.words, key=lambda word: word.rank).stage

    @property
    def status(self) -> str:
        return max(self.words, key=lambda word: word.rank).status if self.is_known else UNOPENED

    @property
    def is_under_way(self) -> bool:
        return self.status in UNDER_WAY

    @property
    def is_unheard(self) -> bool:
        """Whether the channel declined what the merchant said last, and it may still be said in another way."""
        return self.is_under_way and bool(self.answers) and self.answers[-1].status == DECLINED

    def answer(self, name: str) -> DisputeAnswer | None:
        return next((answer for answer in self.answers if answer.id == name), None)

    @property
    def weighs(self) -> int:
        """What of its payment went back to the payer by it, or may have: none of it can be refunded as well."""
        return 0 if self.money == NONE else self.share.held + self.share.suspended


def money_after(words: tuple[DisputeWord, ...]) -> str:
    """Where the money is by these words: it depends on which they are, and not on their order."""
    charged_back = [word for word in words if word.stage != PRE_DISPUTE]
    if not any(word.status == OPENED for word in charged_back):
        return NONE
    match max(charged_back, key=lambda word: word.rank).status:
        case "opened" | "challenged" | "expired":
            return TAKEN
        case "lost" | "accepted":
            return LOST
        case _:
            return NONE
