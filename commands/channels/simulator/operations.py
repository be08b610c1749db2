"""Operations: what a channel remembers of each charge, change, refund, contract, payout, dispute and answer to it.

charge          action_required | pending ─▶ succeeded | authorized | declined
                action_required | authorized ─▶ voided | expired
change          (pending ─▶) succeeded | declined        a capture may be taken back: voided
refund, payout  (pending ─▶) succeeded | declined        succeeded ─▶ returned
contract        action_required ─▶ signed | declined     signed ─▶ ended
dispute         wherever whoever plays the bank puts it, and where our answers do
answer          (pending ─▶) succeeded | declined
"""

from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from commands.channels.channel import Action, CoinTransfer
from commands.channels.requests import (
    AcceptDispute,
    CaptureCharge,
    ChallengeDispute,
    ChannelRequest,
    Charge,
    ConfirmCharge,
    ExtendCharge,
    IncrementCharge,
    QueryChange,
    QueryCharge,
    QueryContract,
    QueryDisputeAnswer,
    QueryPayout,
    QueryRefund,
    RefundCharge,
    SendPayout,
    SignContract,
    TerminateContract,
    VoidCharge,
)
from commands.channels.simulator.conduct import Conduct

Kind = Literal[
    "charge",
    "capture",
    "void",
    "increment",
    "extension",
    "refund",
    "payout",
    "contract",
    "dispute",
    "answer",
    "confirm",
    "signing",
    "ending",
]
CHANGES: tuple[Kind, ...] = ("capture", "void", "increment", "extension")
Status = Literal[
    "action_required",
    "pending",
    "succeeded",
    "authorized",
    "declined",
    "voided",
    "expired",
    "returned",
    "signed",
    "ended",
    "moved",
]


class Refused(Exception):
    """The channel refuses it and keeps nothing: an HTTP status and the channel's code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class DisputeWords(Struct, frozen=True, forbid_unknown_fields=True):
    """How a dispute stands, as the bank that moves it says; the names are those of the verdict."""

    stage: Literal["pre_dispute", "dispute", "pre_arbitration", "arbitration"]
    status: Literal["opened", "challenged", "accepted", "expired", "canceled", "won", "lost"]
    reason: str = "fraudulent"
    evidence_due_at: datetime | None = None
    taken: bool = False
    """Whether the channel has the money at the moment."""


class Operation(Struct, frozen=True, omit_defaults=True):
    """One thing that was done, or is to be. Sums are minor units, times Unix milliseconds.

    `amount` of a charge is what was authorized or taken, which may be less than its request asked for. `next_ms`: when
    something happens to it by itself. `closed`: nothing of the authorization is open any more.
    """

    kind: Kind
    id: str
    reference: str
    amount: int
    currency: str
    status: Status
    conduct: Conduct
    created_ms: int
    token: str = ""
    parent: str = ""
    parent_reference: str = ""
    request: ChannelRequest | None = None
    fee: int | None = None
    decline: str | None = None
    decided_ms: int | None = None
    next_ms: int | None = None
    captured: int = 0
    closed: bool = False
    capture_before_ms: int | None = None
    action: Action | None = None
    action_expires_ms: int | None = None
    tries_left: int = 3
    wrong_code: bool = False
    ended_by: Literal["merchant", "user", "channel"] | None = None
    replacement: str = ""
    dispute: DisputeWords | None = None
    transfers: tuple[CoinTransfer, ...] = ()
    told: int = 0

    @property
    def open(self) -> int:
        """What is held and can still be captured or let go."""
        held = self.kind == "charge" and self.status == "authorized" and not self.closed
        return max(0, self.amount - self.captured) if held else 0

    @property
    def taken(self) -> int:
        """What was taken of a charge."""
        return self.amount if self.status == "succeeded" else self.captured

    @property
    def is_asked_of_the_payer(self) -> bool:
        return self.status == "action_required"


class Movement(Struct, frozen=True):
    """Money that moved at the channel: what it owes us more (gross above 0) or less, and what it keeps."""

    type: str
    id: str
    charge: str
    reference: str
    gross: int
    fee: int
    currency: str
    at_ms: int


# What a request is about: the kind in the books, and our id.
def subject_of(request: ChannelRequest) -> tuple[Kind, str]:
    match request:
        case Charge() | QueryCharge():
            return "charge", request.attempt_id
        case ConfirmCharge():
            return "confirm", request.confirm_id
        case CaptureCharge():
            return "capture", request.capture_id
        case VoidCharge():
            return "void", request.void_id
        case IncrementCharge():
            return "increment", request.increment_id
        case ExtendCharge():
            return "extension", request.extension_id
        case RefundCharge() | QueryRefund():
            return "refund", request.refund_id
        case SendPayout() | QueryPayout():
            return "payout", request.payout_id
        case SignContract():
            return "signing", request.sign_id
        case TerminateContract():
            return "ending", request.end_id
        case QueryContract():
            return "contract", request.contract_id
        case AcceptDispute() | ChallengeDispute() | QueryDisputeAnswer():
            return "answer", request.answer_id
        case QueryChange():
            return "capture", request.change_id  # or another change: the books look for all of them
    raise AssertionError(f"nobody knows what {request} is about")


def iso(at_ms: int) -> str:
    """Unix milliseconds as ISO 8601 in UTC."""
    return moment(at_ms).isoformat()


def moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
