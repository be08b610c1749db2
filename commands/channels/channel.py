"""Channel: what we ask of a payment channel, what it may answer, and the Protocol of the translator in between.

request ──to_wire──▶ HttpRequest ──dispatcher──▶ HttpReply ──from_wire──▶ verdict
                                   callback (headers, raw body) ──from_callback──▶ CallbackNotice

A translator is pure: no socket, no randomness, and no clock but one that it is given, where a channel wants to be told
when it was asked. Silence is no answer: whatever is not an explicit success or an explicit refusal of the channel is
`Unknown`, and only what surely did not happen is `NotSent`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from commands.channels.requests import ChannelRequest

# --- what travels --------------------------------------------------------------------------------------------------


class HttpRequest(Struct, frozen=True):
    """One request as bytes; `path` begins with / and is appended to the channel's base address."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class HttpReply(Struct, frozen=True):
    """One whole reply; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


# --- what it means -------------------------------------------------------------------------------------------------

# What the payer is asked to do; `wait` is for an order that waits on another device.
Action = Literal["redirect", "qr_code", "sms_code", "three_ds", "pay_to_address", "wait"]

# Why a channel said no, in groups that decide what the payer reads and may do next.
DeclineReason = Literal[
    "insufficient_funds",
    "limit_exceeded",
    "card_expired",
    "wrong_number",
    "wrong_cvc",
    "address_mismatch",
    "authentication_required",
    "authentication_failed",
    "not_supported",
    "account_invalid",
    "generic_decline",
    "try_again",
    "blocked",
    "mandate_ended",
    "duplicate",
    "session_expired",
    "cancelled_by_user",
    "configuration",
    "integration",
    "amount_limits",
]


class Charged(Struct, frozen=True, tag_field="verdict", tag="charged"):
    """The channel took the money. `channel_fee` is null while the channel has not said what it keeps."""

    channel_reference: str
    amount: int
    currency: str
    channel_fee: int | None
    at: datetime


class Authorized(Struct, frozen=True, tag_field="verdict", tag="authorized"):
    """The channel holds the money for us, until `capture_before` if it says so; nothing has been taken yet.

    The amount may be smaller than what was asked for.
    """

    channel_reference: str
    amount: int
    currency: str
    capture_before: datetime | None
    at: datetime


class ActionRequired(Struct, frozen=True, tag_field="verdict", tag="action_required"):
    """Nothing moves until the payer does something: go to `url`, scan `data["qr"]`, tell a code, send coins.

    `expires_at`: after it the channel takes nothing any more, if it says so.
    """

    channel_reference: str
    action: Action
    url: str | None = None
    data: dict[str, str] = {}
    expires_at: datetime | None = None


class Declined(Struct, frozen=True, tag_field="verdict", tag="declined"):
    """The channel said no, finally, and took nothing. `hard`: never try this instrument again, here or elsewhere."""

    reason: DeclineReason
    channel_code: str
    message: str
    hard: bool


class Changed(Struct, frozen=True, tag_field="verdict", tag="changed"):
    """The capture, void, increment or extension with our id was done; `amount` is what it was over, in minor units.

    `capture_before`: until when the money is held now, if an increment or an extension has changed that.
    """

    channel_reference: str
    amount: int
    currency: str
    at: datetime
    capture_before: datetime | None = None


class ChangeDeclined(Struct, frozen=True, tag_field="verdict", tag="change_declined"):
    """The channel said no to a capture, void or increment, finally, and nothing changed."""

    reason: DeclineReason
    channel_code: str
    message: str


class Refunded(Struct, frozen=True, tag_field="verdict", tag="refunded"):
    """The channel gives the money back."""

    channel_reference: str
    amount: int
    currency: str
    channel_fee: int | None
    at: datetime


class RefundDeclined(Struct, frozen=True, tag_field="verdict", tag="refund_declined"):
    """The channel said no to the refund, finally, and gave nothing back."""

    reason: DeclineReason
    channel_code: str
    message: str
    hard: bool


class RefundReturned(Struct, frozen=True, tag_field="verdict", tag="refund_returned"):
    """The payer's bank sent a refund back after it had succeeded: the channel holds the money again."""

    channel_reference: str
    amount: int
    currency: str
    channel_code: str
    message: str
    at: datetime


class PaidOut(Struct, frozen=True, tag_field="verdict", tag="paid_out"):
    """The channel paid it to the receiver and keeps `channel_fee` for that."""

    channel_reference: str
    amount: int
    currency: str
    channel_fee: int | None
    at: datetime


class PayoutDeclined(Struct, frozen=True, tag_field="verdict", tag="payout_declined"):
    """The channel said no to the payout, finally, and nothing left us."""

    reason: DeclineReason
    channel_code: str
    message: str


class PayoutReturned(Struct, frozen=True, tag_field="verdict", tag="payout_returned"):
    """The receiver's bank sent the money back after it had been paid out."""

    channel_reference: str
    amount: int
    currency: str
    channel_code: str
    message: str
    at: datetime


class ContractSigned(Struct, frozen=True, tag_field="verdict", tag="contract_signed", omit_defaults=True):
    """The payer agreed: charges that name `channel_reference` need no other word of his.

    `replacement`: by this name the channel has put a new card in the place of the old one since, unasked.
    """

    channel_reference: str
    at: datetime
    replacement: str = ""


class ContractDeclined(Struct, frozen=True, tag_field="verdict", tag="contract_declined"):
    """The payer or his bank did not agree. `retryable`: a wrong code may be told again."""

    reason: DeclineReason
    channel_code: str
    message: str
    retryable: bool = False


class ContractEnded(Struct, frozen=True, tag_field="verdict", tag="contract_ended"):
    """The agreement is over: ended by us, or by the payer at the channel."""

    by: Literal["merchant", "user", "channel"]
    at: datetime


class DisputeMoved(Struct, frozen=True, tag_field="verdict", tag="dispute_moved"):
    """The payer disputes a charge at his bank; each notice tells where that stands. Known only by the channel's words.

    `fee` is what the channel keeps for it, in minor units, `evidence_due_at` the last moment for an answer.
    """

    dispute_reference: str
    channel_reference: str
    stage: Literal["pre_dispute", "dispute", "pre_arbitration", "arbitration"]
    status: Literal["opened", "challenged", "accepted", "expired", "canceled", "won", "lost"]
    amount: int
    currency: str
    fee: int
    reason: str
    evidence_due_at: datetime | None
    at: datetime


class DisputeAnswered(Struct, frozen=True, tag_field="verdict", tag="dispute_answered"):
    """The channel has taken our answer to a dispute. What its bank makes of it comes as another DisputeMoved."""

    channel_reference: str
    at: datetime


class DisputeAnswerDeclined(Struct, frozen=True, tag_field="verdict", tag="dispute_answer_declined"):
    """The channel said no to our answer, finally: too late, or the dispute is decided. The dispute did not move."""

    reason: DeclineReason
    channel_code: str
    message: str


class CoinTransfer(Struct, frozen=True):
    """One transaction on a chain. `dropped`: it is in no block any more, after a reorganisation. Amount in minor units.

    `at` is when it was first seen, which decides whether it came in time.
    """

    txid: str
    amount: int
    confirmations: int
    at: datetime
    dropped: bool = False


class CoinsSeen(Struct, frozen=True, tag_field="verdict", tag="coins_seen"):
    """Transactions to the address of a charge: all that are known when asked, or the one that a callback is about.

    Whether they are enough, in time and deep enough is ours to say. `coin` is the code of the asset.
    """

    channel_reference: str
    coin: str
    transfers: tuple[CoinTransfer, ...]


class NotFound(Struct, frozen=True, tag_field="verdict", tag="not_found"):
    """The channel itself says that it knows no such id. It may still be on its way there."""


class Unknown(Struct, frozen=True, tag_field="verdict", tag="unknown"):
    """We cannot say what happened: ask again, and never ask for the money elsewhere."""

    reason: str


class NotSent(Struct, frozen=True, tag_field="verdict", tag="not_sent"):
    """It surely did not happen: no byte of the request left us."""

    reason: str


Outcome = (
    Charged
    | Authorized
    | ActionRequired
    | Declined
    | Changed
    | ChangeDeclined
    | Refunded
    | RefundDeclined
    | RefundReturned
    | PaidOut
    | PayoutDeclined
    | PayoutReturned
    | ContractSigned
    | ContractDeclined
    | ContractEnded
    | DisputeMoved
    | DisputeAnswered
    | DisputeAnswerDeclined
    | CoinsSeen
)
"""What a channel says happened; the others say that it has not, or that nobody knows."""
Verdict = Outcome | NotFound | Unknown | NotSent


class CallbackNotice(Struct, frozen=True):
    """What a channel told us unasked. `event_id` is the same each time the channel repeats itself."""

    event_id: str
    subject: Literal["charge", "change", "refund", "payout", "contract", "dispute"]
    subject_id: str
    """The id that we gave it: an attempt's, also for a dispute, a refund's, a payout's, a contract's."""
    verdict: Verdict


class ErrandNotSupported(Exception):
    """This kind of channel has no such errand. What it can do is known before, but for answers to disputes."""


class Acknowledgement(Struct, frozen=True):
    """What a channel wants to hear when its message was taken; with any other answer it comes again."""

    body: bytes
    media_type: str


PENDING = Unknown("pending")
AMOUNT_MISMATCH = Unknown("amount mismatch")
NOT_SUPPORTED = NotSent("not supported")
"""What the dispatcher makes of ErrandNotSupported."""


def as_asked(verdict: Verdict, amount: int, currency: str) -> Verdict:
    """The verdict, but a success over another sum than ours is no success of ours.

    `from_wire` does this for a charge and a refund. The answer to a query and a callback carry no sum of ours: whoever
    knows the attempt's sum calls this before believing them.
    """
    match verdict:
        case Charged() | Changed() | Refunded() | PaidOut() if (verdict.amount, verdict.currency) != (amount, currency):
            return AMOUNT_MISMATCH
        case Authorized() if verdict.currency != currency or verdict.amount > amount:
            return AMOUNT_MISMATCH
        case _:
            return verdict


class Channel(Protocol):
    """One way of speaking to one kind of channel."""

    @property
    def name(self) -> str:
        """The registry's name of this channel, such as `card_simulator`."""

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        """The same request always gives the same bytes, signed where the channel asks for it.

        Raises ErrandNotSupported.
        """

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        """What this reply to this request means. Total: it never raises, and what it cannot read is Unknown."""

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        """Verify the signature over the raw bytes, then read them.

        Raises SignatureMalformed, SignatureInvalid, TimestampOutOfWindow, or CallbackUnreadable for a message that is
        the channel's own and makes no sense.
        """


@runtime_checkable
class Acknowledging(Protocol):
    """An adapter whose channel looks at more than the status of our answer to its messages."""

    @property
    def acknowledgement(self) -> Acknowledgement:
        """Answered with status 200 to a message that was taken, or is about nothing of ours."""
