"""Carrier: the adapter of a telephone company that puts payments on a phone's bill: flat JSON, parameters signed.

POST /v1/charge, /v1/confirm, /v1/status         a code is sent to the phone, and the payer tells it to us
POST /v1/cancel, /v1/cancel_status               a payment that is not confirmed yet
POST /v1/refund, /v1/refund_status

The parameter `sign` is the HMAC-SHA-256, in capital hexadecimals, of all others as `name=value`, sorted by name, joined
with `&`, and of the name of what it is: request, answer or message. An answer repeats in `answers` the request's sign.
Amounts are minor units, moments whole Unix seconds. The carrier keeps a large share and pays after months.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PENDING,
    ActionRequired,
    CallbackNotice,
    Changed,
    ChangeDeclined,
    Charged,
    Declined,
    DeclineReason,
    ErrandNotSupported,
    HttpReply,
    HttpRequest,
    NotFound,
    RefundDeclined,
    Refunded,
    RefundReturned,
    Unknown,
    Verdict,
)
from commands.channels.declines import shown
from commands.channels.requests import (
    ChannelRequest,
    Charge,
    ConfirmCharge,
    QueryChange,
    QueryCharge,
    QueryRefund,
    RefundCharge,
    VoidCharge,
)
from commands.channels.signatures import WINDOW_S, Secret
from ledger.errors import CallbackUnreadable, SignatureInvalid, SignatureMalformed, TimestampOutOfWindow
from ledger.money import LARGEST

Kind = Literal["request", "answer", "message"]
_Word = Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z")]
_Amount = Annotated[int, Meta(ge=1, le=LARGEST)]
_Moment = Annotated[int, Meta(ge=0, le=253_370_764_800)]  # the year 9999 is not reached
_parameters = msgspec.json.Decoder(dict[str, str | int])

# The carrier's code for a payment that failed: our group, and whether the number is never to be tried again.
FAILURES: dict[str, tuple[DeclineReason, bool]] = {
    "CREDIT_TOO_LOW": ("insufficient_funds", False),
    "MONTHLY_CAP": ("limit_exceeded", False),
    "NUMBER_BARRED": ("blocked", True),
    "NUMBER_NOT_IN_SERVICE": ("account_invalid", True),
    "CODE_WRONG": ("authentication_failed", False),
    "CANCELED": ("cancelled_by_user", False),
    "CODE_TOO_LATE": ("session_expired", False),
    "NETWORK_BUSY": ("try_again", False),
    "REFUSED": ("generic_decline", False),
}
# Refusals: nothing happened under the id.
REFUSALS: dict[str, DeclineReason] = {
    "BAD_PARAMETERS": "integration",
    "AMOUNT_CAP": "amount_limits",
    "NO_SUCH_PAYMENT": "integration",
    "NOT_CANCELABLE": "integration",
    "NOT_REFUNDABLE": "integration",
    "REFUND_TOO_LARGE": "amount_limits",
}


class Payment(Struct, frozen=True, tag_field="object", tag="payment"):
    id: _Word
    state: Literal["CODE_SENT", "PROCESSING", "BILLED", "FAILED", "CANCELED"]
    reference: _Word
    amount: _Amount
    currency: _Word
    share: Annotated[int, Meta(ge=0, le=LARGEST)] | None = None
    at: _Moment | None = None
    failure: _Word | None = None
    tries_left: int | None = None
    until: _Moment | None = None

    def verdict(self) -> Verdict:
        match self:
            case Payment(state="BILLED", at=int() as at, failure=None):
                return Charged(self.reference, self.amount, self.currency, self.share, _utc(at))
            case Payment(state="CODE_SENT", tries_left=int() as tries):
                until = None if self.until is None else _utc(self.until)
                return ActionRequired(self.reference, "sms_code", None, {"tries_left": str(tries)}, until)
            case Payment(state="PROCESSING"):
                return PENDING
            case Payment(state="FAILED" | "CANCELED", failure=str() as code):
                reason, hard = FAILURES.get(code, ("generic_decline", False))
                return Declined(reason, code, "", hard)
            case _:
                return Unknown("the payment contradicts itself")


class Cancellation(Struct, frozen=True, tag_field="object", tag="cancellation"):
    id: _Word
    state: Literal["PROCESSING", "DONE", "FAILED"]
    reference: _Word
    amount: _Amount
    currency: _Word
    at: _Moment | None = None
    failure: _Word | None = None

    def verdict(self) -> Verdict:
        match self:
            case Cancellation(state="DONE", at=int() as at, failure=None):
                return Changed(self.reference, self.amount, self.currency, _utc(at))
            case Cancellation(state="FAILED", failure=str() as code):
                return ChangeDeclined(FAILURES.get(code, ("generic_decline", False))[0], code, "")
            case Cancellation(state="PROCESSING"):
                return PENDING
            case _:
                return Unknown("the cancellation contradicts itself")


class Refund(Struct, frozen=True, tag_field="object", tag="refund"):
    id: _Word
    state: Literal["PROCESSING", "DONE", "FAILED", "RETURNED"]
    reference: _Word
    amount: _Amount
    currency: _Word
    at: _Moment | None = None
    failure: _Word | None = None

    def verdict(self) -> Verdict:
        match self:
            case Refund(state="DONE", at=int() as at, failure=None):
                return Refunded(self.reference, self.amount, self.currency, 0, _utc(at))
            case Refund(state="RETURNED", at=int() as at, failure=str() as code):
                return RefundReturned(self.reference, self.amount, self.currency, code, "", _utc(at))
            case Refund(state="FAILED", failure=str() as code):
                reason, hard = FAILURES.get(code, ("generic_decline", False))
                return RefundDeclined(reason, code, "", hard)
            case Refund(state="PROCESSING"):
                return PENDING
            case _:
                return Unknown("the refund contradicts itself")


class Refusal(Struct, frozen=True, tag_field="object", tag="refusal"):
    code: _Word
    message: str = ""


Told = Payment | Cancellation | Refund | Refusal


def signature(secret: Secret, kind: Kind, parameters: Mapping[str, str | int]) -> str:
    """Over all parameters but `sign`, sorted by name, and the name of what it is."""
    text = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()) if name != "sign")
    return secret.hexadecimal(f"{text}&{kind}".encode("utf-8", "replace"))


def signed(secret: Secret, kind: Kind, parameters: Mapping[str, str | int | None]) -> bytes:
    """The parameters that have a value, as JSON with their signature."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return msgspec.json.encode(given | {"sign": signature(secret, kind, given)})


def opened(secret: Secret, kind: Kind, body: bytes) -> dict[str, str | int] | None:
    """The parameters without their signature; None where that does not fit, or where these are no parameters."""
    try:
        parameters = _parameters.decode(body.decode())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    sign = parameters.pop("sign", "")
    fits = isinstance(sign, str) and secret.same(signature(secret, kind, parameters), sign)
    # Written in one way only, so that no byte of it can be another.
    return parameters if fits and body == msgspec.json.encode(parameters | {"sign": sign}) else None


def read(parameters: Mapping[str, str | int]) -> Told | None:
    """What they tell of; None where that makes no sense."""
    try:
        told: Told = msgspec.convert(parameters, Told)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return told


@dataclass(frozen=True, slots=True)
class Carrier:
    """The translator for one account at the carrier."""

    name: str
    secret: Secret

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        match request:
            case Charge(capture=True, contract=None):
                new: dict[str, str | int] = {
                    "id": request.attempt_id,
                    "amount": request.amount,
                    "currency": request.currency,
                    "phone": request.details.get("phone", ""),
                    "hint": request.token,
                    "order": request.order_reference,
                    "shop": request.merchant,
                }
                return self._post("charge", new)
            case ConfirmCharge():
                said = {"confirm_id": request.confirm_id, "reference": request.channel_reference}
                return self._post("confirm", {"id": request.attempt_id, "code": request.answer, **said})
            case QueryCharge():
                return self._post("status", {"id": request.attempt_id})
            case VoidCharge(takes_back=""):
                return self._post("cancel", {"id": request.void_id, **_of_payment(request)})
            case QueryChange():
                return self._post("cancel_status", {"id": request.change_id})
            case RefundCharge():
                return self._post("refund", {"id": request.refund_id, **_of_payment(request)})
            case QueryRefund():
                return self._post("refund_status", {"id": request.refund_id})
            case _:
                raise ErrandNotSupported(type(request).__name__)

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        if reply.status != 200:
            return Unknown(f"http {reply.status}")
        parameters = opened(self.secret, "answer", reply.body)
        if parameters is None:
            return Unknown("the answer is not signed by the channel")
        asked = opened(self.secret, "request", self.to_wire(request).body)
        if asked is None or parameters.pop("answers", None) != signature(self.secret, "request", asked):
            return Unknown("the answer is to another request")
        match request, read(parameters):
            case Charge() | ConfirmCharge(), Payment() as payment if payment.id == request.attempt_id:
                return _of_sum(payment, request.amount, request.currency)
            case QueryCharge(), Payment() as payment if payment.id == request.attempt_id:
                return payment.verdict()
            case VoidCharge(), Cancellation() as over if over.id == request.void_id:
                return _of_sum(over, request.amount, request.currency)
            case QueryChange(), Cancellation() as over if over.id == request.change_id:
                return over.verdict()
            case RefundCharge(), Refund() as refund if refund.id == request.refund_id:
                return _of_sum(refund, request.amount, request.currency)
            case QueryRefund(), Refund() as refund if refund.id == request.refund_id:
                return refund.verdict()
            case ((QueryCharge() | QueryChange() | QueryRefund()), Refusal(code="UNKNOWN_ID")):
                return NotFound()
            case ((Charge() | ConfirmCharge()), Refusal(code=code, message=message)) if code in REFUSALS:
                return Declined(REFUSALS[code], code, shown(message), hard=False)
            case VoidCharge(), Refusal(code=code, message=message) if code in REFUSALS:
                return ChangeDeclined(REFUSALS[code], code, shown(message))
            case RefundCharge(), Refusal(code=code, message=message) if code in REFUSALS:
                return RefundDeclined(REFUSALS[code], code, shown(message), hard=False)
            case _:
                return Unknown("this is no answer to this request")

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        if b'"sign":' not in body:
            raise SignatureMalformed("the parameter sign is missing")
        parameters = opened(self.secret, "message", body)
        if parameters is None:
            raise SignatureInvalid()
        event_id, sent_at = parameters.pop("message_id", ""), parameters.pop("sent_at", "")
        if not (isinstance(event_id, str) and event_id and isinstance(sent_at, int)):
            raise CallbackUnreadable(event_id="")
        if abs(int(now.timestamp()) - sent_at) > WINDOW_S:
            raise TimestampOutOfWindow()
        match read(parameters):
            case Payment() as payment:
                return CallbackNotice(event_id, "charge", payment.id, payment.verdict())
            case Cancellation() as over:
                return CallbackNotice(event_id, "change", over.id, over.verdict())
            case Refund() as refund:
                return CallbackNotice(event_id, "refund", refund.id, refund.verdict())
            case _:
                raise CallbackUnreadable(event_id=event_id)

    def _post(self, errand: str, parameters: Mapping[str, str | int | None]) -> HttpRequest:
        body = signed(self.secret, "request", parameters)
        return HttpRequest("POST", f"/v1/{errand}", {"content-type": "application/json"}, body)


def _of_payment(request: VoidCharge | RefundCharge) -> dict[str, str | int]:
    payment: dict[str, str | int] = {"payment": request.attempt_id, "reference": request.channel_reference}
    return payment | {"amount": request.amount, "currency": request.currency}


def _of_sum(told: Payment | Cancellation | Refund, amount: int, currency: str) -> Verdict:
    """Whatever it says became of it: over another sum it speaks of something else."""
    return told.verdict() if (told.amount, told.currency) == (amount, currency) else AMOUNT_MISMATCH


def _utc(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
