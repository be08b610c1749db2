"""WeChat platform: the counterpart of the WeChat Pay adapter: JSON, signed with RSA, messages encrypted."""

import base64
import re
import time
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from commands.channels.alipay_forms import CHINA, fits
from commands.channels.channel import Action
from commands.channels.keys import Keyring, SigningKey
from commands.channels.requests import (
    ChannelRequest,
    Charge,
    QueryCharge,
    QueryRefund,
    RefundCharge,
    VoidCharge,
)
from commands.channels.signatures import WINDOW_S, Secret
from commands.channels.simulator.charges import reference_of
from commands.channels.simulator.counterparts.counterpart import Answer, Letter, Wire
from commands.channels.simulator.operations import Operation, Refused, moment
from commands.channels.wechat_objects import OrderSum, RefundSum
from commands.channels.wechat_pay import (
    CIPHER,
    ORDERS,
    REFUNDS,
    SCHEME,
    answer_headers,
    lines,
    serial_of,
)

_PARTS = re.compile(r'([a-z_]+)="([^"]*)"')
_ORDER = re.compile(re.escape(ORDERS) + r"/out-trade-no/([^/]+)(/close)?")
_REFUND = re.compile(re.escape(REFUNDS) + r"/([^/]+)")
_CURRENCY = "CNY"
# What became of an order that nobody paid; any other word is a refusal to pay it.
_CLOSED = ("canceled_by_payer", "expired", "voided")
# The status and the code with which the platform refuses.
_REFUSALS = {
    "signature_invalid": (401, "SIGN_ERROR"),
    "no_route": (404, "NO_ROUTE"),
    "not_found": (404, "ORDER_NOT_EXIST"),
    "charge_not_found": (404, "ORDER_NOT_EXIST"),
    "charge_not_voidable": (400, "ORDERPAID"),
    "charge_not_refundable": (400, "INVALID_REQUEST"),
    "refund_exceeds_charge": (400, "INVALID_REQUEST"),
    "id_reused": (403, "OUT_TRADE_NO_USED"),
}


class _Order(Struct, frozen=True):
    appid: str
    mchid: str
    description: str
    out_trade_no: str
    attach: str
    goods_tag: str
    amount: OrderSum


class _Refund(Struct, frozen=True):
    out_trade_no: str
    out_refund_no: str
    amount: RefundSum


_Shape = TypeVar("_Shape", bound=Struct)


class WeChatPlatform:
    """The platform, for one merchant; `pages` is where payers find what they scanned."""

    asks: Action | None = "qr_code"

    def __init__(self, keys: Keyring, secret: Secret, account: str, pages: str) -> None:
        self._keys, self._secret, self._account, self._pages = keys, secret, account, pages
        self._forger: SigningKey | None = None

    def page(self, _wire: Wire) -> Answer | None:
        return None

    def read(self, wire: Wire) -> ChannelRequest:
        self._verify(wire)
        order, refund = _ORDER.fullmatch(wire.path), _REFUND.fullmatch(wire.path)
        match wire.method:
            case "POST" if wire.path in (f"{ORDERS}/native", f"{ORDERS}/h5"):
                return _charge(_decoded(wire.body, _Order), "qr" if wire.path.endswith("native") else "redirect")
            case "POST" if wire.path == REFUNDS:
                back = _decoded(wire.body, _Refund)
                of = (back.out_trade_no, reference_of("charge", back.out_trade_no))
                return RefundCharge(back.out_refund_no, *of, back.amount.refund, back.amount.currency)
            case "GET" if order is not None and not order[2]:
                return QueryCharge(unquote(order[1]))
            case "POST" if order is not None and order[2]:
                trade = unquote(order[1])
                return VoidCharge(f"close/{trade}", trade, reference_of("charge", trade), 1, _CURRENCY)
            case "GET" if refund is not None:
                return QueryRefund(unquote(refund[1]))
            case _:
                raise Refused(404, "no_route", "There is no such address.")

    def _verify(self, wire: Wire) -> None:
        scheme, _, told = wire.headers.get("authorization", "").partition(" ")
        parts = dict(_PARTS.findall(told))
        at, nonce = parts.get("timestamp", ""), parts.get("nonce_str", "")
        address = wire.path + (f"?{wire.query}" if wire.query else "")
        message = lines(wire.method.encode(), address.encode(), at.encode(), nonce.encode(), wire.body)
        known = scheme == SCHEME and parts.get("mchid") == self._account
        known = known and parts.get("serial_no") == serial_of(self._keys.other)
        fresh = at.isascii() and at.isdigit() and abs(time.time() - int(at)) <= WINDOW_S
        if not (known and fresh and fits(self._keys.other, message, parts.get("signature", ""))):
            raise Refused(401, "signature_invalid", "The signature does not fit the request.")

    def write(self, request: ChannelRequest, found: Operation) -> Answer:
        match request, found:
            case Charge(details=details), Operation(status="action_required"):
                page = f"{self._pages}/payer/{found.reference}"
                return _json(200, {"code_url" if details["scene"] == "qr" else "h5_url": page})
            case ((Charge() | QueryCharge()), _):
                return _json(200, self._order(found))
            case VoidCharge(), Operation(status="declined"):
                return _json(400, {"code": "ORDERPAID", "message": "The order cannot be closed."})
            case VoidCharge(), _:
                return Answer(204, b"")
            case _:
                return _json(200, self._refund(found))

    def refuse(self, refused: Refused) -> Answer:
        status, code = _REFUSALS.get(refused.code, (400, "PARAM_ERROR"))
        return _json(status, {"code": code, "message": refused.message})

    def seal(self, wire: Wire, answer: Answer) -> Answer:
        at_s = int(time.time())
        nonce = sha256(wire.headers.get("authorization", "").encode("utf-8", "replace")).hexdigest()[:32]
        headers = answer_headers(self._keys.own, answer.body, at_s, nonce)
        return Answer(answer.status, answer.body, answer.content_type, headers)

    def letter(self, event_id: str, told: Operation, at_s: int, *, forged: bool) -> Letter:
        kind = "refund" if told.kind == "refund" else "transaction"
        content = self._refund(told, by_message=True) if kind == "refund" else self._order(told)
        # Fresh for each thing that is told: a nonce must not serve twice.
        nonce = sha256(f"{event_id}/{at_s}".encode()).hexdigest()
        hidden = self._secret.encrypted(nonce[:12].encode(), msgspec.json.encode(content), kind.encode())
        resource = {
            "original_type": kind,
            "algorithm": CIPHER,
            "ciphertext": base64.b64encode(hidden).decode(),
            "associated_data": kind,
            "nonce": nonce[:12],
        }
        state = content.get("trade_state") or content.get("refund_status")
        message = {
            "id": event_id,
            "create_time": _written(at_s * 1_000),
            "resource_type": "encrypt-resource",
            "event_type": f"{kind.upper()}.{state}",
            "resource": resource,
        }
        if forged and self._forger is None:
            self._forger = SigningKey.new()
        body = msgspec.json.encode(message)
        headers = answer_headers(self._keys.own, body, at_s, nonce[12:44])
        if forged and self._forger is not None:
            headers |= {
                "wechatpay-signature": answer_headers(self._forger, body, at_s, nonce[12:44])["wechatpay-signature"]
            }
        return Letter(headers | {"content-type": "application/json"}, body)

    def is_heard(self, status: int, _body: bytes) -> bool:
        return status in (200, 204)

    def _order(self, found: Operation) -> dict[str, Any]:
        """An order, or what is told of the order that was closed."""
        closing = found.kind == "void"
        states = {"succeeded": "SUCCESS", "pending": "USERPAYING", "action_required": "NOTPAY"}
        state = states.get(found.status, "CLOSED" if found.decline in _CLOSED else "PAYERROR")
        if closing:
            state = "CLOSED" if found.status == "succeeded" else "NOTPAY"
        order: dict[str, Any] = {
            "mchid": self._account,
            "out_trade_no": found.parent if closing else found.id,
            "trade_state": state,
            "trade_state_desc": found.decline or "",
            "amount": {"total": found.amount, "currency": found.currency},
        }
        if state == "SUCCESS":
            order |= {"transaction_id": found.reference, "trade_type": "NATIVE", "success_time": _decided(found)}
        return order

    def _refund(self, found: Operation, *, by_message: bool = False) -> dict[str, Any]:
        states = {"succeeded": "SUCCESS", "pending": "PROCESSING", "returned": "ABNORMAL", "declined": "CLOSED"}
        refund: dict[str, Any] = {
            "refund_id": found.reference,
            "out_refund_no": found.id,
            "out_trade_no": found.parent,
            "transaction_id": found.parent_reference,
            "refund_status" if by_message else "status": states[found.status],
            "amount": {"refund": found.amount, "currency": found.currency},
        }
        return refund | ({"success_time": _decided(found)} if found.status in ("succeeded", "returned") else {})


def _charge(order: _Order, scene: str) -> Charge:
    return Charge(
        attempt_id=order.out_trade_no,
        amount=order.amount.total,
        currency=order.amount.currency,
        token=order.attach,
        order_reference=order.description,
        merchant=order.goods_tag,
        method="wechat_pay",
        details={"scene": scene},
    )


def _json(status: int, content: object) -> Answer:
    return Answer(status, msgspec.json.encode(content))


def _decoded(body: bytes, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
        raise Refused(422, "invalid_request", str(unreadable)) from unreadable


def _decided(found: Operation) -> str:
    return _written(found.decided_ms or 0)


def _written(at_ms: int) -> str:
    return moment(at_ms).astimezone(CHINA).isoformat(timespec="seconds")
