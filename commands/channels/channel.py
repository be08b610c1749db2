"""Channel: what we ask of a payment channel, what it may answer, and the Protocol of the translator in between.

request ──to_wire──▶ HttpRequest ──dispatcher──▶ HttpReply ──from_wire──▶ verdict
                                   callback (headers, raw body) ──from_callback──▶ CallbackNotice

A translator is pure: no socket, clock or randomness. Silence is no answer: whatever is not an explicit success or an
explicit refusal of the channel is `Unknown`, and only what surely did not happen is `NotSent`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

# --- what we ask ---------------------------------------------------------------------------------------------------


class Charge(Struct, frozen=True, tag_field="request", tag="charge"):
    """Take `amount` minor units. `attempt_id` is the channel's idempotency id: sent twice, it charges once."""

    attempt_id: str
    amount: int
    currency: str
    token: str
    order_reference: str
    merchant: str


class RefundCharge(Struct, frozen=True, tag_field="request", tag="refund_charge"):
    """Give back `amount` minor units of a charge; `refund_id` is the channel's idempotency id."""

    refund_id: str
    attempt_id: str
    channel_reference: str
    amount: int
    currency: str


class QueryCharge(Struct, frozen=True, tag_field="request", tag="query_charge"):
    """What became of the charge with our id?"""

    attempt_id: str


class QueryRefund(Struct, frozen=True, tag_field="request", tag="query_refund"):
    """What became of the refund with our id?"""

    refund_id: str


ChannelRequest = Charge | RefundCharge | QueryCharge | QueryRefund


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


class Declined(Struct, frozen=True, tag_field="verdict", tag="declined"):
    """The channel said no, finally, and took nothing. `hard`: never try this instrument again, here or elsewhere."""

    reason: DeclineReason
    channel_code: str
    message: str
    hard: bool


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


class NotFound(Struct, frozen=True, tag_field="verdict", tag="not_found"):
    """The channel itself says that it knows no such id. It may still be on its way there."""


class Unknown(Struct, frozen=True, tag_field="verdict", tag="unknown"):
    """We cannot say what happened: ask again, and never ask for the money elsewhere."""

    reason: str


class NotSent(Struct, frozen=True, tag_field="verdict", tag="not_sent"):
    """It surely did not happen: no byte of the request left us."""

    reason: str


ChargeVerdict = Charged | Declined | NotFound | Unknown | NotSent
RefundVerdict = Refunded | RefundDeclined | NotFound | Unknown | NotSent
Verdict = Charged | Declined | Refunded | RefundDeclined | NotFound | Unknown | NotSent


class CallbackNotice(Struct, frozen=True):
    """What a channel told us unasked. `event_id` is the same each time the channel repeats itself."""

    event_id: str
    subject: Literal["charge", "refund"]
    subject_id: str
    verdict: Verdict


PENDING = Unknown("pending")
AMOUNT_MISMATCH = Unknown("amount mismatch")


def as_asked(verdict: Verdict, amount: int, currency: str) -> Verdict:
    """The verdict, but a success over another sum than ours is no success of ours.

    `from_wire` does this for a charge and a refund. The answer to a query and a callback carry no sum of ours: whoever
    knows the attempt's sum calls this before believing them.
    """
    match verdict:
        case Charged() | Refunded() if (verdict.amount, verdict.currency) != (amount, currency):
            return AMOUNT_MISMATCH
        case _:
            return verdict


class Channel(Protocol):
    """One way of speaking to one kind of channel."""

    @property
    def name(self) -> str:
        """The registry's name of this channel, such as `card_simulator`."""

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        """The same request always gives the same bytes, signed where the channel asks for it."""

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        """What this reply to this request means. Total: it never raises, and what it cannot read is Unknown."""

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        """Verify the signature over the raw bytes, then read them.

        Raises SignatureMalformed, SignatureInvalid, TimestampOutOfWindow, or CallbackUnreadable for a message that is
        the channel's own and makes no sense.
        """
