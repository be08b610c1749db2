"""Coin gateway: the adapter of a house that watches chains for us: an address for each order, and what comes to it.

POST /v1/invoices                    an address to which so many coins are to be sent
GET  /v1/invoices/{id}               … and every transaction to it that is known, with the blocks that lie on it

Every body is signed in `x-gateway-signature`: HMAC-SHA-256, in hexadecimals, of what it is (request, answer, message),
of what it belongs to (method and address, the request's signature, the message's number) and of the bytes themselves.
Sums are whole coins as decimal text; moments Unix seconds. Nobody can close an
address, and nothing is sent back from it.
"""

import re
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
    ActionRequired,
    CallbackNotice,
    Charged,
    CoinsSeen,
    CoinTransfer,
    Declined,
    DeclineReason,
    ErrandNotSupported,
    HttpReply,
    HttpRequest,
    NotFound,
    Unknown,
    Verdict,
)
from commands.channels.declines import group_of, shown
from commands.channels.requests import ChannelRequest, Charge, QueryCharge
from commands.channels.signatures import WINDOW_S, Secret
from ledger.currencies import ASSETS
from ledger.errors import CallbackUnreadable, SignatureInvalid, SignatureMalformed, TimestampOutOfWindow
from ledger.money import LARGEST

SIGNATURE = "x-gateway-signature"
MESSAGE_ID = "x-gateway-message"
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,18})(?:\.([0-9]{1,18}))?")
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_Word = Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z")]
_Moment = Annotated[int, Meta(ge=0, le=253_370_764_800)]  # the year 9999 is not reached

# Refusals: nothing happened under the id.
REFUSALS: dict[str, DeclineReason] = {
    "invalid_request": "integration",
    "amount_not_taken": "amount_limits",
}


def whole_coins(amount: int, coin: str) -> str:
    """Minor units as the gateway writes them: `1250` of BTC is `0.00001250`."""
    digits = ASSETS[coin].exponent
    return f"{amount // 10**digits}.{amount % 10**digits:0{digits}d}" if digits else str(amount)


def minor_units(text: str, coin: str) -> int | None:
    """The other way round; what a chain counts more finely than we do is left out. None for what is no sum."""
    found = _DECIMAL.fullmatch(text)
    if found is None or coin not in ASSETS:
        return None
    digits = ASSETS[coin].exponent
    amount = int(found[1]) * 10**digits + int((found[2] or "").ljust(digits, "0")[:digits] or "0")
    return amount if amount <= LARGEST else None


class Transfer(Struct, frozen=True):
    """One transaction to the address; `dropped`: it is in no block any more, and in none that is to come."""

    txid: _Word
    amount: str
    confirmations: Annotated[int, Meta(ge=0, le=10_000_000)]
    seen_at: _Moment
    dropped: bool = False


class Invoice(Struct, frozen=True, tag_field="object", tag="invoice"):
    id: _Word
    reference: _Word
    status: Literal["open", "settled", "expired", "canceled", "refused", "pending"]
    coin: _Word
    amount: str
    address: _Word
    confirmations: int
    expires_at: _Moment | None = None
    decided_at: _Moment | None = None
    reason: _Word | None = None
    transfers: tuple[Transfer, ...] = ()

    def verdict(self) -> Verdict:
        amount = minor_units(self.amount, self.coin)
        if not amount:
            return Unknown("the invoice contradicts itself")
        if self.transfers:
            return self._seen()
        match self:
            case Invoice(status="settled", decided_at=int() as at):
                return Charged(self.reference, amount, self.coin, None, _utc(at))
            case Invoice(status="open"):
                data = {"address": self.address, "amount": str(amount), "coin": self.coin}
                data["confirmations"] = str(self.confirmations)
                until = None if self.expires_at is None else _utc(self.expires_at)
                return ActionRequired(self.reference, "pay_to_address", None, data, until)
            case Invoice(status="expired"):
                return Declined("session_expired", "expired", "", hard=False)
            case Invoice(status="canceled"):
                return Declined("cancelled_by_user", "canceled", "", hard=False)
            case Invoice(status="refused", reason=str() as code):
                return Declined(group_of(code)[0], code, "", group_of(code)[1])
            case Invoice(status="pending"):
                return PENDING
            case _:
                return Unknown("the invoice contradicts itself")

    def _seen(self) -> Verdict:
        amounts = [minor_units(one.amount, self.coin) for one in self.transfers]
        seen = tuple(
            CoinTransfer(one.txid, amount, one.confirmations, _utc(one.seen_at), one.dropped)
            for one, amount in zip(self.transfers, amounts, strict=True)
            if amount
        )
        return (
            CoinsSeen(self.reference, self.coin, seen) if None not in amounts else Unknown("a transfer makes no sense")
        )


class Refusal(Struct, frozen=True, tag_field="object", tag="refusal"):
    code: _Word
    message: str = ""


Told = Invoice | Refusal


class Message(Struct, frozen=True):
    sent_at: _Moment
    data: Invoice


def signature(secret: Secret, kind: Literal["request", "answer", "message"], belongs_to: str, body: bytes) -> str:
    """Over what it is, what it belongs to, and the bytes."""
    return secret.hexadecimal(f"{kind}\n{belongs_to}\n".encode("utf-8", "replace") + body).lower()


@dataclass(frozen=True, slots=True)
class CoinGateway:
    """The translator for one account at the gateway."""

    name: str
    secret: Secret

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        match request:
            case Charge(capture=True, contract=None):
                order = {
                    "id": request.attempt_id,
                    "coin": request.currency,
                    "amount": whole_coins(request.amount, request.currency),
                    "hint": request.token,
                    "order": request.order_reference,
                    "shop": request.merchant,
                }
                return self._signed("POST", "/v1/invoices", msgspec.json.encode(order))
            case QueryCharge():
                return self._signed("GET", f"/v1/invoices/{quote(request.attempt_id, safe='')}")
            case _:
                raise ErrandNotSupported(type(request).__name__)

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        if reply.status >= 500:
            return Unknown(f"http {reply.status}")
        asked = self.to_wire(request).headers[SIGNATURE]
        expected = signature(self.secret, "answer", f"{asked} {reply.status}", reply.body)
        if not self.secret.same(expected, reply.headers.get(SIGNATURE, "")):
            return Unknown("the answer is not signed by the channel")
        try:
            told = msgspec.json.decode(reply.body.decode(), type=Told)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Unknown("the answer cannot be read")
        match request, told:
            case Charge() | QueryCharge(), Invoice() if told.id == request.attempt_id:
                same = isinstance(request, QueryCharge) or _same(told, request.amount, request.currency)
                return told.verdict() if same else AMOUNT_MISMATCH
            case QueryCharge(), Refusal(code="not_found"):
                return NotFound()
            case Charge(), Refusal(code=code, message=message) if code in REFUSALS:
                return Declined(REFUSALS[code], code, shown(message), hard=False)
            case _:
                return Unknown("this is no answer to this request")

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        told = {name.lower(): value for name, value in headers.items()}
        event_id, sign = told.get(MESSAGE_ID, ""), told.get(SIGNATURE, "")
        if not _ID.fullmatch(event_id) or not sign:
            raise SignatureMalformed(f"the headers {MESSAGE_ID} and {SIGNATURE} are given")
        if not self.secret.same(signature(self.secret, "message", event_id, body), sign):
            raise SignatureInvalid()
        try:
            message = msgspec.json.decode(body.decode(), type=Message)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise CallbackUnreadable(event_id=event_id) from None
        if abs(int(now.timestamp()) - message.sent_at) > WINDOW_S:
            raise TimestampOutOfWindow()
        return CallbackNotice(event_id, "charge", message.data.id, message.data.verdict())

    def _signed(self, method: str, path: str, body: bytes = b"") -> HttpRequest:
        headers = {SIGNATURE: signature(self.secret, "request", f"{method} {path}", body)}
        return HttpRequest(method, path, headers | ({"content-type": "application/json"} if body else {}), body)


def _same(told: Invoice, amount: int, coin: str) -> bool:
    return (minor_units(told.amount, told.coin), told.coin) == (amount, coin)


def _utc(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
