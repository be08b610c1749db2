"""WeChat Pay: the adapter of a platform that speaks as WeChat Pay does in its third version: JSON, RSA and AES-GCM.

POST /v3/pay/transactions/native                           the payer scans what is in `code_url`
POST /v3/pay/transactions/h5                               the payer is sent to `h5_url`
GET  /v3/pay/transactions/out-trade-no/{our id}            an order is closed once, and has no other id than its own
POST /v3/pay/transactions/out-trade-no/{our id}/close
POST /v3/refund/domestic/refunds, GET …/{our id}

A request is signed in `authorization` over method, address, time, nonce and body, each with a line end; an answer and a
message in `wechatpay-signature` over time, nonce and body. What a message tells is encrypted with the key of our
account. Sums are fen.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote

import msgspec

from commands.channels.alipay_forms import fits
from commands.channels.channel import (
    AMOUNT_MISMATCH,
    Acknowledgement,
    ActionRequired,
    CallbackNotice,
    Changed,
    ChangeDeclined,
    Declined,
    DeclineReason,
    ErrandNotSupported,
    HttpReply,
    HttpRequest,
    NotFound,
    RefundDeclined,
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
from commands.channels.signatures import WINDOW_S, Secret
from commands.channels.wechat_objects import Address, Error, Message, Refund, Resource, Transaction
from ledger.errors import CallbackUnreadable, SignatureInvalid, SignatureMalformed, TimestampOutOfWindow

SCHEME = "WECHATPAY2-SHA256-RSA2048"
ORDERS = "/v3/pay/transactions"
REFUNDS = "/v3/refund/domestic/refunds"
CIPHER = "AEAD_AES_256_GCM"
_WORD = re.compile(r"[!-~]{1,128}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_ADDRESS = re.compile(r"(weixin|https?)://[!-~]{1,1000}")

# Refusals of an order: the platform's code and our group. What is not here leaves open what happened.
DECLINES: dict[str, DeclineReason] = {
    "PARAM_ERROR": "integration",
    "INVALID_REQUEST": "integration",
    "APPID_MCHID_NOT_MATCH": "configuration",
    "MCH_NOT_EXISTS": "configuration",
    "NO_AUTH": "configuration",
    "RULE_LIMIT": "limit_exceeded",
    "ACCOUNT_ERROR": "account_invalid",
    "NOTENOUGH": "insufficient_funds",
    "TRADE_ERROR": "generic_decline",
    "ORDER_CLOSED": "session_expired",
}
# What the platform says when it gives nothing back, or closes nothing.
REFUSALS: dict[str, DeclineReason] = {
    "PARAM_ERROR": "integration",
    "INVALID_REQUEST": "integration",
    "ORDER_NOT_EXIST": "integration",
    "RESOURCE_NOT_EXISTS": "integration",
    "ORDERPAID": "integration",
    "USER_ACCOUNT_ABNORMAL": "account_invalid",
    "NOT_ENOUGH": "configuration",
    "NO_AUTH": "configuration",
}
_NOT_THERE = ("ORDER_NOT_EXIST", "RESOURCE_NOT_EXISTS")


# --- signatures ----------------------------------------------------------------------------------------------------


def serial_of(key: VerifyingKey) -> str:
    """The number by which the other side finds the key."""
    return sha256(key.pem()).hexdigest()[:40].upper()


def lines(*parts: bytes) -> bytes:
    """What is signed."""
    return b"".join(part + b"\n" for part in parts)


def authorization(key: SigningKey, account: str, wire: tuple[str, str, bytes], at_s: int, nonce: str) -> str:
    """The header of a request: `wire` is its method, its address and its body."""
    method, address, body = wire
    message = lines(method.encode(), address.encode(), str(at_s).encode(), nonce.encode(), body)
    signature = base64.b64encode(key.signature(message)).decode()
    serial = serial_of(key.verifying())
    told = f'mchid="{account}",nonce_str="{nonce}",signature="{signature}",timestamp="{at_s}",serial_no="{serial}"'
    return f"{SCHEME} {told}"


def answer_headers(key: SigningKey, body: bytes, at_s: int, nonce: str) -> dict[str, str]:
    """The headers of an answer and of a message."""
    message = lines(str(at_s).encode(), nonce.encode(), body)
    return {
        "wechatpay-serial": serial_of(key.verifying()),
        "wechatpay-timestamp": str(at_s),
        "wechatpay-nonce": nonce,
        "wechatpay-signature": base64.b64encode(key.signature(message)).decode(),
    }


def _genuine(key: VerifyingKey, headers: Mapping[str, str], body: bytes) -> int | None:
    """The time at which the platform signed this, Unix seconds; None where it did not."""
    told = {name.lower(): value for name, value in headers.items()}
    at, nonce = told.get("wechatpay-timestamp", ""), told.get("wechatpay-nonce", "")
    if not _TIMESTAMP.fullmatch(at) or told.get("wechatpay-serial") != serial_of(key):
        return None
    message = lines(at.encode(), nonce.encode("utf-8", "replace"), body)
    return int(at) if fits(key, message, told.get("wechatpay-signature", "")) else None


# --- the adapter ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WeChatPay:
    """The translator for one merchant. `secret` decrypts messages; `clock`: each request names when it is sent."""

    name: str
    keys: Keyring
    secret: Secret
    account: str
    application: str
    clock: Callable[[], datetime]
    notify_url: str = ""

    acknowledgement = Acknowledgement(b'{"code":"SUCCESS","message":""}', "application/json")

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        match request:
            case Charge(capture=True, contract=None):
                by_code = request.details.get("scene", "qr") == "qr"
                order: dict[str, object] = {
                    "appid": self.application,
                    "mchid": self.account,
                    "description": request.order_reference,
                    "out_trade_no": request.attempt_id,
                    "attach": request.token,
                    "goods_tag": request.merchant,
                    "notify_url": self.notify_url,
                    "amount": {"total": request.amount, "currency": request.currency},
                }
                if not by_code:
                    order["scene_info"] = {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Wap"}}
                return self._signed(request.attempt_id, "POST", f"{ORDERS}/{'native' if by_code else 'h5'}", order)
            case QueryCharge() | QueryChange():
                path = f"{ORDERS}/out-trade-no/{quote(request.attempt_id, safe='')}?mchid={self.account}"
                return self._signed(f"ask/{request.attempt_id}", "GET", path)
            case VoidCharge(takes_back=""):
                path = f"{ORDERS}/out-trade-no/{quote(request.attempt_id, safe='')}/close"
                return self._signed(f"close/{request.attempt_id}", "POST", path, {"mchid": self.account})
            case RefundCharge():
                refund = {
                    "out_trade_no": request.attempt_id,
                    "out_refund_no": request.refund_id,
                    "notify_url": self.notify_url,
                    "amount": {"refund": request.amount, "currency": request.currency},
                }
                return self._signed(request.refund_id, "POST", REFUNDS, refund)
            case QueryRefund():
                path = f"{REFUNDS}/{quote(request.refund_id, safe='')}"
                return self._signed(f"ask/{request.refund_id}", "GET", path)
            case _:
                raise ErrandNotSupported(type(request).__name__)

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        if reply.status >= 500:
            return Unknown(f"http {reply.status}")
        at_s = _genuine(self.keys.other, reply.headers, reply.body)
        if at_s is None or abs(self.clock().timestamp() - at_s) > WINDOW_S:
            return Unknown("the answer is not signed by the channel")
        try:
            match reply.status, request:
                case 204, VoidCharge() if not reply.body:
                    return Changed(
                        request.attempt_id, request.amount, request.currency, datetime.fromtimestamp(at_s, UTC)
                    )
                case 200, Charge():
                    return _ordered(request, reply.body.decode())
                case 200, QueryCharge() | QueryChange():
                    found = msgspec.json.decode(reply.body.decode(), type=Transaction)
                    if found.out_trade_no != request.attempt_id:
                        return Unknown("this is no answer to this request")
                    return found.verdict() if isinstance(request, QueryCharge) else found.closed(self.clock())
                case 200, RefundCharge() | QueryRefund():
                    return _given_back(request, msgspec.json.decode(reply.body.decode(), type=Refund))
                case status, _ if 400 <= status < 500:
                    return _refused(request, msgspec.json.decode(reply.body.decode(), type=Error))
                case status, _:
                    return Unknown(f"http {status}")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Unknown("the answer cannot be read")

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        names = [name.lower() for name in headers]
        if not {"wechatpay-timestamp", "wechatpay-signature"} <= {*names}:
            raise SignatureMalformed("the headers wechatpay-timestamp and wechatpay-signature are missing")
        at_s = _genuine(self.keys.other, headers, body)
        if at_s is None:
            raise SignatureInvalid()
        if abs(int(now.timestamp()) - at_s) > WINDOW_S:
            raise TimestampOutOfWindow()
        try:
            message = msgspec.json.decode(body, type=Message)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise CallbackUnreadable(event_id="") from None
        try:
            plain = self._decrypted(message.resource)
            if message.resource.original_type == "refund":
                refund = msgspec.json.decode(plain, type=Refund)
                return CallbackNotice(message.id, "refund", refund.out_refund_no, refund.verdict())
            order = msgspec.json.decode(plain, type=Transaction)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise CallbackUnreadable(event_id=message.id) from None
        return CallbackNotice(message.id, "charge", order.out_trade_no, order.verdict())

    def _decrypted(self, resource: Resource) -> bytes:
        """Nothing where it is not for us: nothing can be read of that."""
        try:
            hidden = base64.b64decode(resource.ciphertext, validate=True)
        except (binascii.Error, ValueError):
            return b""
        return self.secret.decrypted(resource.nonce.encode(), hidden, resource.associated_data.encode()) or b""

    def _signed(self, about: str, method: str, path: str, content: object = None) -> HttpRequest:
        body = b"" if content is None else msgspec.json.encode(content)
        # From what it is about: said again in the same second, it is the same bytes.
        nonce = sha256(f"{method} {about}".encode()).hexdigest()[:32].upper()
        told = authorization(self.keys.own, self.account, (method, path, body), int(self.clock().timestamp()), nonce)
        headers = {"accept": "application/json", "authorization": told}
        return HttpRequest(method, path, headers | ({"content-type": "application/json"} if body else {}), body)


def _ordered(request: Charge, body: str) -> Verdict:
    address = msgspec.json.decode(body, type=Address)
    if address.trade_state is not None:
        order = msgspec.json.decode(body, type=Transaction)
        if order.out_trade_no != request.attempt_id:
            return Unknown("this is no answer to this request")
        same = (order.amount.total, order.amount.currency) == (request.amount, request.currency)
        return order.verdict() if same else AMOUNT_MISMATCH
    if _ADDRESS.fullmatch(address.code_url):
        return ActionRequired(request.attempt_id, "qr_code", None, {"qr": address.code_url})
    if _ADDRESS.fullmatch(address.h5_url):
        return ActionRequired(request.attempt_id, "redirect", address.h5_url)
    return Unknown("the payer is sent nowhere")


def _given_back(request: RefundCharge | QueryRefund, refund: Refund) -> Verdict:
    if refund.out_refund_no != request.refund_id:
        return Unknown("this is no answer to this request")
    same = isinstance(request, QueryRefund) or (refund.amount.refund, refund.amount.currency) == (
        request.amount,
        request.currency,
    )
    return refund.verdict() if same else AMOUNT_MISMATCH


def _refused(request: ChannelRequest, error: Error) -> Verdict:
    code, message = error.code, shown(error.message)
    match request:
        case QueryCharge() | QueryChange() | QueryRefund() if code in _NOT_THERE:
            return NotFound()
        case Charge() if code in DECLINES:
            return Declined(DECLINES[code], code, message, hard=False)
        case VoidCharge() if code == "ORDER_CLOSED":
            return Unknown("it is closed already")  # The order itself says of how much.
        case VoidCharge() if code in REFUSALS:
            return ChangeDeclined(REFUSALS[code], code, message)
        case RefundCharge() if code in REFUSALS:
            return RefundDeclined(REFUSALS[code], code, message, hard=False)
        case _:
            return Unknown(f"the channel says {code}")
