"""Bank redirect: the adapter of a bank gateway: form posts in both directions, signed with RSA key pairs.

POST /gateway/order, /gateway/query                our id is `order_id`; the payer is sent to `pay_url` and pays there
POST /gateway/close, /gateway/close_query          an order that nobody has paid yet
POST /gateway/refund, /gateway/refund_query
GET  /gateway/banks                                who may be chosen, for everybody to see

Every body is a form, its fields in the order of their names, `version` the last; after it stands `&sign=` and the
signature (RSASSA-PKCS1-v1_5, SHA-256, hexadecimal) of all that is before. An answer repeats in `answers` the SHA-256 of
the request's signature, so it proves what it is an answer to; a message carries its id and its time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

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
from commands.channels.keys import Keyring, SigningKey, VerifyingKey
from commands.channels.requests import (
    ChannelRequest,
    Charge,
    QueryChange,
    QueryCharge,
    QueryRefund,
    RefundCharge,
    VoidCharge,
)
from commands.channels.signatures import WINDOW_S
from ledger.errors import CallbackUnreadable, SignatureInvalid, SignatureMalformed, TimestampOutOfWindow
from ledger.money import LARGEST

VERSION = "2.0"
FORM = "application/x-www-form-urlencoded"
_SIGN = b"&sign="
_WORD = re.compile(r"[!-~]{1,128}")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,18}")
_CURRENCY = re.compile(r"[A-Z0-9]{3,8}")
_SIGNATURE = re.compile(rb"[0-9a-f]{512}")
_URL = re.compile(r"https?://[!-~]{1,1000}")
_MOMENT = re.compile(r"[0-9]{14}")

# What the payer chooses from: the gateway's code and the bank's name.
BANKS: dict[str, str] = {
    "northern": "Northern Savings",
    "harbour": "Harbour Bank",
    "granite": "Granite & Sons",
    "meadow": "Meadow Mutual",
}
# The gateway's code for a failed payment: our group, and whether the account is never to be tried again.
FAILURES: dict[str, tuple[DeclineReason, bool]] = {
    "INSUFFICIENT_BALANCE": ("insufficient_funds", False),
    "LIMIT_EXCEEDED": ("limit_exceeded", False),
    "ACCOUNT_CLOSED": ("account_invalid", True),
    "AUTHENTICATION_FAILED": ("authentication_failed", False),
    "RISK_REJECTED": ("blocked", True),
    "BANK_BUSY": ("try_again", False),
    "CANCELED_BY_PAYER": ("cancelled_by_user", False),
    "NOT_PAID_IN_TIME": ("session_expired", False),
    "CLOSED": ("cancelled_by_user", False),
    "REJECTED": ("generic_decline", False),
}
# Refusals: nothing happened under the id.
REFUSALS: dict[str, DeclineReason] = {
    "BAD_REQUEST": "integration",
    "BANK_UNKNOWN": "not_supported",
    "AMOUNT_NOT_TAKEN": "amount_limits",
    "ORDER_UNKNOWN": "integration",
    "ORDER_NOT_PAID": "integration",
    "ORDER_NOT_OPEN": "integration",
    "REFUND_TOO_LARGE": "amount_limits",
}


def form(fields: Mapping[str, str | int | None]) -> bytes:
    """The fields that have a value, in the order of their names."""
    return urlencode(sorted((name, str(value)) for name, value in fields.items() if value not in (None, ""))).encode()


def signed(key: SigningKey, body: bytes) -> bytes:
    """The form with its signature behind it."""
    return body + _SIGN + key.signature(body).hex().encode()


def verified(key: VerifyingKey, body: bytes) -> bytes | None:
    """The form without its signature; None where that is not the other's."""
    told, found, signature = body.rpartition(_SIGN)
    fits = found and _SIGNATURE.fullmatch(signature) and key.verifies(told, bytes.fromhex(signature.decode()))
    return told if fits else None


def fingerprint(request_body: bytes) -> str:
    """What an answer repeats of the request."""
    return sha256(request_body.rpartition(_SIGN)[2]).hexdigest()


def read(told: bytes) -> dict[str, str] | None:
    """The fields of a form that is whole, each of them once; None for whatever else it is."""
    try:
        pairs = parse_qsl(told.decode("ascii"), strict_parsing=True, keep_blank_values=True, errors="strict")
    except ValueError:  # also of a strange encoding
        return None
    fields = dict(pairs)
    whole = len(fields) == len(pairs) and pairs[-1:] == [("version", VERSION)]
    return fields if whole and pairs == sorted(pairs) else None


@dataclass(frozen=True, slots=True)
class BankRedirect:
    """The translator for one account at the gateway."""

    name: str
    keys: Keyring

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        match request:
            case Charge(capture=True, contract=None):
                order: dict[str, str | int | None] = {
                    "order_id": request.attempt_id,
                    "amount": request.amount,
                    "currency": request.currency,
                    "bank": request.details.get("bank"),
                    "account": request.token,
                    "order_reference": request.order_reference,
                    "merchant": request.merchant,
                    "return_url": request.return_url,
                }
                return self._post("order", order)
            case QueryCharge():
                return self._post("query", {"order_id": request.attempt_id})
            case VoidCharge(takes_back=""):
                return self._post("close", {"close_id": request.void_id, **_of_order(request)})
            case QueryChange():
                return self._post("close_query", {"close_id": request.change_id})
            case RefundCharge():
                return self._post("refund", {"refund_id": request.refund_id, **_of_order(request)})
            case QueryRefund():
                return self._post("refund_query", {"refund_id": request.refund_id})
            case _:
                raise ErrandNotSupported(type(request).__name__)

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        if reply.status != 200:
            return Unknown(f"http {reply.status}")
        told = verified(self.keys.other, reply.body)
        if told is None:
            return Unknown("the answer is not signed by the channel")
        fields = read(told)
        if fields is None:
            return Unknown("the answer cannot be read")
        if fields.get("answers") != fingerprint(self.to_wire(request).body):
            return Unknown("the answer is to another request")
        code = fields.get("code", "")
        match request:
            case Charge() if code == "OK" and fields.get("order_id") == request.attempt_id:
                return _of_sum(fields, _charge_verdict(fields), request.amount, request.currency)
            case QueryCharge() if code == "OK" and fields.get("order_id") == request.attempt_id:
                return _charge_verdict(fields)
            case VoidCharge() if code == "OK" and fields.get("close_id") == request.void_id:
                return _of_sum(fields, _close_verdict(fields), request.amount, request.currency)
            case QueryChange() if code == "OK" and fields.get("close_id") == request.change_id:
                return _close_verdict(fields)
            case RefundCharge() if code == "OK" and fields.get("refund_id") == request.refund_id:
                return _of_sum(fields, _refund_verdict(fields), request.amount, request.currency)
            case QueryRefund() if code == "OK" and fields.get("refund_id") == request.refund_id:
                return _refund_verdict(fields)
            case QueryCharge() | QueryChange() | QueryRefund() if code == "NOT_FOUND":
                return NotFound()
            case Charge() if code in REFUSALS:
                return Declined(REFUSALS[code], code, shown(fields.get("message", "")), hard=False)
            case VoidCharge() if code in REFUSALS:
                return ChangeDeclined(REFUSALS[code], code, shown(fields.get("message", "")))
            case RefundCharge() if code in REFUSALS:
                return RefundDeclined(REFUSALS[code], code, shown(fields.get("message", "")), hard=False)
            case _:
                return Unknown("this is no answer to this request")

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        if _SIGN not in body:
            raise SignatureMalformed("the field sign stands at the end")
        told = verified(self.keys.other, body)
        if told is None:
            raise SignatureInvalid()
        fields = read(told)
        if fields is None or not _WORD.fullmatch(fields.get("message_id", "")):
            raise CallbackUnreadable(event_id="")
        event_id = fields["message_id"]
        sent_at = _moment(fields.get("sent_at"))
        if sent_at is None:
            raise CallbackUnreadable(event_id=event_id)
        if abs((now - sent_at).total_seconds()) >= WINDOW_S + 1:
            raise TimestampOutOfWindow()
        match fields:
            case {"refund_id": str() as refund_id}:
                return CallbackNotice(event_id, "refund", refund_id, _refund_verdict(fields))
            case {"close_id": str() as close_id}:
                return CallbackNotice(event_id, "change", close_id, _close_verdict(fields))
            case {"order_id": str() as order_id}:
                return CallbackNotice(event_id, "charge", order_id, _charge_verdict(fields))
            case _:
                raise CallbackUnreadable(event_id=event_id)

    def _post(self, errand: str, fields: Mapping[str, str | int | None]) -> HttpRequest:
        body = signed(self.keys.own, form({**fields, "version": VERSION}))
        return HttpRequest("POST", f"/gateway/{errand}", {"content-type": FORM}, body)


def _of_order(request: VoidCharge | RefundCharge) -> dict[str, str | int | None]:
    order = {"order_id": request.attempt_id, "bank_reference": request.channel_reference}
    return {**order, "amount": request.amount, "currency": request.currency}


def _of_sum(fields: Mapping[str, str], verdict: Verdict, amount: int, currency: str) -> Verdict:
    """Whatever it says became of it: over another sum it speaks of something else."""
    if isinstance(verdict, Unknown):
        return verdict
    same = (_whole(fields.get("amount")), fields.get("currency")) == (amount, currency)
    return verdict if same else AMOUNT_MISMATCH


def _charge_verdict(fields: Mapping[str, str]) -> Verdict:
    reference, amount, currency = _parts(fields)
    at, fee = _moment(fields.get("decided_at")), _whole(fields.get("fee"))
    url, expires_at = fields.get("pay_url", ""), _moment(fields.get("pay_until"))
    match fields.get("status"):
        case "PAID" if reference and amount and currency and at and fee is not None:
            return Charged(reference, amount, currency, fee, at)
        case "WAITING" if reference and amount and currency and _URL.fullmatch(url):
            return ActionRequired(reference, "redirect", url, {}, expires_at)
        case "PROCESSING" if reference and amount and currency:
            return PENDING
        case "FAILED" | "CLOSED" if _WORD.fullmatch(fields.get("reason", "")):
            reason, hard = FAILURES.get(fields["reason"], ("generic_decline", False))
            return Declined(reason, fields["reason"], shown(fields.get("message", "")), hard)
        case _:
            return Unknown("the order contradicts itself")


def _close_verdict(fields: Mapping[str, str]) -> Verdict:
    reference, amount, currency = _parts(fields)
    at = _moment(fields.get("decided_at"))
    match fields.get("status"):
        case "DONE" if reference and amount and currency and at:
            return Changed(reference, amount, currency, at)
        case "FAILED" if _WORD.fullmatch(fields.get("reason", "")):
            reason, _ = FAILURES.get(fields["reason"], ("generic_decline", False))
            return ChangeDeclined(reason, fields["reason"], shown(fields.get("message", "")))
        case "PROCESSING" if reference and amount and currency:
            return PENDING
        case _:
            return Unknown("the closing contradicts itself")


def _refund_verdict(fields: Mapping[str, str]) -> Verdict:
    reference, amount, currency = _parts(fields)
    at, reason = _moment(fields.get("decided_at")), fields.get("reason", "")
    message = shown(fields.get("message", ""))
    match fields.get("status"):
        case "DONE" if reference and amount and currency and at:
            return Refunded(reference, amount, currency, _whole(fields.get("fee")), at)
        case "RETURNED" if reference and amount and currency and at and _WORD.fullmatch(reason):
            return RefundReturned(reference, amount, currency, reason, message, at)
        case "FAILED" if _WORD.fullmatch(reason):
            group, hard = FAILURES.get(reason, ("generic_decline", False))
            return RefundDeclined(group, reason, message, hard)
        case "PROCESSING" if reference and amount and currency:
            return PENDING
        case _:
            return Unknown("the refund contradicts itself")


def _parts(fields: Mapping[str, str]) -> tuple[str, int | None, str]:
    """The bank's reference, the sum and its currency; empty where they make no sense."""
    reference, currency = fields.get("bank_reference", ""), fields.get("currency", "")
    return (
        reference if _WORD.fullmatch(reference) else "",
        _whole(fields.get("amount")) or None,
        currency if _CURRENCY.fullmatch(currency) else "",
    )


def _whole(text: str | None) -> int | None:
    number = int(text) if text is not None and _WHOLE.fullmatch(text) else None
    return number if number is not None and number <= LARGEST else None


def _moment(text: str | None) -> datetime | None:
    """`20261121153000`, UTC."""
    if text is None or not _MOMENT.fullmatch(text):
        return None
    try:
        at = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return at if 1970 <= at.year < 9999 else None
