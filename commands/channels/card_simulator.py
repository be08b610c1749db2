"""Card simulator: the adapter of a card acquirer that speaks JSON and signs with a shared secret.

POST /charges, /refunds             our id is the `id` of the body: a thing is done once and answered as often as asked
GET  /charges/{id}, /refunds/{id}   what became of it

A request is signed over `request.<method>.<path>.<body>`, its answer over `answer.<signature>.<status>.<body>`, where
<signature> is the request's. So an answer proves who gave it and to what: a proxy's 404 page cannot pass for the
channel's "I know no such charge".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import quote

import msgspec
from msgspec import Meta, Struct

from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PENDING,
    CallbackNotice,
    Charged,
    Declined,
    DeclineReason,
    ErrandNotSupported,
    HttpReply,
    HttpRequest,
    NotFound,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
    as_asked,
)
from commands.channels.requests import ChannelRequest, Charge, QueryCharge, QueryRefund, RefundCharge
from commands.channels.signatures import SIGNATURE_HEADER, Secret, verify_message
from ledger.errors import CallbackUnreadable
from ledger.money import LARGEST

# Printable ASCII without a space: what the channel names goes into our log and our views as it is.
_Word = Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z")]
_Currency = Annotated[str, Meta(pattern=r"^[A-Z0-9]{3,8}\Z")]
_LONGEST_MESSAGE = 200
_YEARS = range(1970, 9999)  # What PostgreSQL and a shift to UTC both bear.


class _Decline(Struct, frozen=True):
    code: _Word
    message: str = ""


class _Operation(Struct, frozen=True, tag_field="object"):
    id: _Word
    status: Literal["succeeded", "declined", "pending"]
    reference: _Word
    amount: Annotated[int, Meta(ge=1, le=LARGEST)]
    currency: _Currency
    fee: Annotated[int, Meta(ge=0, le=LARGEST)] | None = None
    decided_at: Annotated[datetime, Meta(tz=True)] | None = None
    decline: _Decline | None = None


class _Charge(_Operation, frozen=True, tag="charge"):
    pass


class _Refund(_Operation, frozen=True, tag="refund"):
    pass


class _Error(Struct, frozen=True, tag_field="object", tag="error"):
    code: _Word
    message: str = ""


_Answer = _Charge | _Refund | _Error
_answers: msgspec.json.Decoder[_Answer] = msgspec.json.Decoder(_Answer)

# The channel's code: our group, and whether the instrument is never to be tried again.
DECLINES: dict[str, tuple[DeclineReason, bool]] = {
    "insufficient_funds": ("insufficient_funds", False),
    "card_velocity_exceeded": ("limit_exceeded", False),
    "withdrawal_count_limit_exceeded": ("limit_exceeded", False),
    "expired_card": ("card_expired", False),
    "incorrect_number": ("wrong_number", False),
    "incorrect_cvc": ("wrong_cvc", False),
    "incorrect_address": ("address_mismatch", False),
    "authentication_required": ("authentication_required", False),
    "authentication_failed": ("authentication_failed", False),
    "card_not_supported": ("not_supported", False),
    "currency_not_supported": ("not_supported", False),
    "transaction_not_allowed": ("not_supported", False),
    "invalid_account": ("account_invalid", True),
    "generic_decline": ("generic_decline", False),
    "do_not_honor": ("generic_decline", False),
    "call_issuer": ("generic_decline", False),
    "do_not_try_again": ("generic_decline", True),
    "try_again_later": ("try_again", False),
    "processing_error": ("try_again", False),
    "issuer_not_available": ("try_again", False),
    "fraudulent": ("blocked", True),
    "merchant_blacklist": ("blocked", True),
    "lost_card": ("blocked", True),
    "stolen_card": ("blocked", True),
    "pickup_card": ("blocked", True),
    "revocation_of_authorization": ("mandate_ended", True),
    "duplicate_transaction": ("duplicate", False),
    "amount_too_small": ("amount_limits", False),
    "amount_too_large": ("amount_limits", False),
}

# Requests that the channel refuses as a whole, after it has looked whether it knows the id: nothing happened under it.
REFUSALS: dict[str, DeclineReason] = {
    "invalid_request": "integration",
    "merchant_inactive": "configuration",
    "currency_not_enabled": "configuration",
    "charge_not_found": "integration",
    "charge_not_refundable": "integration",
    "refund_exceeds_charge": "amount_limits",
}


def request_message(method: str, path: str, body: bytes) -> bytes:
    """What the signature of a request covers. No time and no nonce: a repeated request is only answered again."""
    return f"request.{method}.{path}.".encode() + body


def answer_message(request_signature: str, status: int, body: bytes) -> bytes:
    """What the signature of an answer covers."""
    return f"answer.{request_signature}.{status}.".encode("utf-8", "replace") + body


@dataclass(frozen=True, slots=True)
class CardSimulator:
    """The translator for one account at the simulator."""

    name: str
    secret: Secret

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        match request:
            case Charge():
                charge = {
                    "id": request.attempt_id,
                    "amount": request.amount,
                    "currency": request.currency,
                    "token": request.token,
                    "order_reference": request.order_reference,
                    "merchant": request.merchant,
                }
                return self._signed("POST", "/charges", msgspec.json.encode(charge))
            case RefundCharge():
                refund = {
                    "id": request.refund_id,
                    "charge_id": request.attempt_id,
                    "charge_reference": request.channel_reference,
                    "amount": request.amount,
                    "currency": request.currency,
                }
                return self._signed("POST", "/refunds", msgspec.json.encode(refund))
            case QueryCharge():
                return self._signed("GET", f"/charges/{quote(request.attempt_id, safe='')}", b"")
            case QueryRefund():
                return self._signed("GET", f"/refunds/{quote(request.refund_id, safe='')}", b"")
            case _:
                raise ErrandNotSupported(type(request).__name__)

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        if reply.status >= 500:
            return Unknown(f"http {reply.status}")
        if not self._is_answer_to(request, reply):
            return Unknown("the answer is not signed by the channel")
        answer = _read(reply.body)
        if answer is None:
            return Unknown("the answer cannot be read")
        match request, reply.status, answer:
            case (Charge(), 200 | 202, _Charge()) if answer.id == request.attempt_id:
                if (answer.amount, answer.currency) != (request.amount, request.currency):
                    return AMOUNT_MISMATCH  # Whatever it says became of it, it speaks of another sum.
                return _charge_verdict(answer)
            case (QueryCharge(), 200 | 202, _Charge()) if answer.id == request.attempt_id:
                return _charge_verdict(answer)
            case (RefundCharge(), 200 | 202, _Refund()) if answer.id == request.refund_id:
                return as_asked(_refund_verdict(answer), request.amount, request.currency)
            case (QueryRefund(), 200 | 202, _Refund()) if answer.id == request.refund_id:
                return _refund_verdict(answer)
            case (QueryCharge() | QueryRefund(), 404, _Error(code="not_found")):
                return NotFound()
            case (Charge(), 422, _Error(code=code)) if code in REFUSALS:
                return Declined(REFUSALS[code], code, _shown(answer.message), hard=False)
            case (RefundCharge(), 422, _Error(code=code)) if code in REFUSALS:
                return RefundDeclined(REFUSALS[code], code, _shown(answer.message), hard=False)
            case _:
                return Unknown(f"http {reply.status} is no answer to this request")

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        event_id = verify_message(self.secret, headers, body, now)
        match _read(body):
            case _Charge() as charge:
                return CallbackNotice(event_id, "charge", charge.id, _charge_verdict(charge))
            case _Refund() as refund:
                return CallbackNotice(event_id, "refund", refund.id, _refund_verdict(refund))
            case _:
                raise CallbackUnreadable(event_id=event_id)

    def _signed(self, method: str, path: str, body: bytes) -> HttpRequest:
        headers = {SIGNATURE_HEADER: self.secret.signature(request_message(method, path, body))}
        if body:
            headers["content-type"] = "application/json"
        return HttpRequest(method, path, headers, body)

    def _is_answer_to(self, request: ChannelRequest, reply: HttpReply) -> bool:
        asked = self.to_wire(request).headers[SIGNATURE_HEADER]
        message = answer_message(asked, reply.status, reply.body)
        return self.secret.signed(message, reply.headers.get(SIGNATURE_HEADER, ""))


def _read(body: bytes) -> _Answer | None:
    """The body as one of the channel's objects, or None for whatever else it is."""
    try:
        answer = _answers.decode(body.decode())  # msgspec does not look at the text of what it skips.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    decided_at = None if isinstance(answer, _Error) else answer.decided_at
    return answer if decided_at is None or decided_at.year in _YEARS else None


def _charge_verdict(charge: _Charge) -> Verdict:
    match charge:
        case _Charge(status="succeeded", decided_at=datetime() as at, decline=None):
            return Charged(charge.reference, charge.amount, charge.currency, charge.fee, at.astimezone(UTC))
        case _Charge(status="declined", decline=_Decline(code=code, message=message)):
            reason, hard = DECLINES.get(code, ("generic_decline", False))
            return Declined(reason, code, _shown(message), hard)
        case _Charge(status="pending"):
            return PENDING
        case _:
            return Unknown("the charge contradicts itself")


def _refund_verdict(refund: _Refund) -> Verdict:
    match refund:
        case _Refund(status="succeeded", decided_at=datetime() as at, decline=None):
            return Refunded(refund.reference, refund.amount, refund.currency, refund.fee, at.astimezone(UTC))
        case _Refund(status="declined", decline=_Decline(code=code, message=message)):
            reason, hard = DECLINES.get(code, ("generic_decline", False))
            return RefundDeclined(reason, code, _shown(message), hard)
        case _Refund(status="pending"):
            return PENDING
        case _:
            return Unknown("the refund contradicts itself")


def _shown(message: str) -> str:
    """A stranger's text, made safe to store and to show: printable and short."""
    return "".join(character for character in message if character.isprintable())[:_LONGEST_MESSAGE]
