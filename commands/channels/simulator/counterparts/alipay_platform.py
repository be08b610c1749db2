"""Alipay platform: the counterpart of the Alipay adapter: forms signed with RSA2, answers signed as they stand."""

import base64
import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from commands.channels.alipay import CURRENCY, DEPOSIT_BACK
from commands.channels.alipay_forms import CHINA, TIME, Charset, fits, read_form, signable
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
from commands.channels.simulator.charges import reference_of
from commands.channels.simulator.counterparts.counterpart import Answer, Letter, Wire
from commands.channels.simulator.operations import Operation, Refused, moment
from commands.channels.yuan import fen, yuan

_ID = re.compile(r"[!-~]{1,64}")
_CHARSET = re.compile(rb"(?:^|&)charset=(utf-8|gbk)(?:&|$)")
_BROKEN = b"}"
# What became of an order that nobody paid; any other word is a refusal to pay it.
_CLOSED = ("canceled_by_payer", "expired", "voided")
# What the books call it, in the platform's words.
_FAILURES = {
    "insufficient_funds": "ACQ.BUYER_BALANCE_NOT_ENOUGH",
    "card_velocity_exceeded": "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR",
    "invalid_account": "ACQ.BUYER_ENABLE_STATUS_FORBID",
    "fraudulent": "ACQ.PAYMENT_REQUEST_HAS_RISK",
    "stolen_card": "ACQ.PAYMENT_REQUEST_HAS_RISK",
    "lost_card": "ACQ.PAYMENT_REQUEST_HAS_RISK",
    "issuer_not_available": "ACQ.PULL_MOBILE_CASHIER_FAIL",
    "try_again_later": "ACQ.PULL_MOBILE_CASHIER_FAIL",
    "processing_error": "ACQ.PULL_MOBILE_CASHIER_FAIL",
}
_REFUND_FAILURES = {
    "invalid_account": "ACQ.REFUND_ACCOUNT_NOT_EXIST",
    "insufficient_funds": "ACQ.SELLER_BALANCE_NOT_ENOUGH",
}
_REFUSALS = {
    "invalid_request": "ACQ.INVALID_PARAMETER",
    "amount_not_taken": "ACQ.TOTAL_FEE_EXCEED",
    "charge_not_found": "ACQ.TRADE_NOT_EXIST",
    "not_found": "ACQ.TRADE_NOT_EXIST",
    "charge_not_voidable": "ACQ.REASON_TRADE_STATUS_INVALID",
    "charge_not_refundable": "ACQ.TRADE_STATUS_ERROR",
    "refund_exceeds_charge": "ACQ.REASON_TRADE_REFUND_FEE_ERR",
    "id_reused": "ACQ.CONTEXT_INCONSISTENT",
}


class _Order(Struct, frozen=True):
    out_trade_no: str
    total_amount: str
    subject: str
    body: str
    passback_params: str


class _Trade(Struct, frozen=True):
    out_trade_no: str


class _Refund(Struct, frozen=True):
    out_trade_no: str
    out_request_no: str
    refund_amount: str


class _RefundQuestion(Struct, frozen=True):
    out_trade_no: str
    out_request_no: str


_Shape = TypeVar("_Shape", bound=Struct)


class AlipayPlatform:
    """The platform, for one application; `pages` is where payers find what they scanned."""

    asks: Action | None = "qr_code"

    def __init__(self, keys: Keyring, application: str, pages: str, charset: Charset = "utf-8") -> None:
        self._keys, self._application, self._pages, self._charset = keys, application, pages, charset
        self._forger: SigningKey | None = None

    def page(self, _wire: Wire) -> Answer | None:
        return None

    def read(self, wire: Wire) -> ChannelRequest:
        charset, fields = _form(wire)
        message = signable(fields, "sign").encode(charset, "replace")
        if not fits(self._keys.other, message, fields.get("sign", "")) or fields.get("sign_type") != "RSA2":
            raise Refused(401, "signature_invalid", "The signature does not fit the request.")
        if wire.path != "/gateway.do" or fields.get("app_id") != self._application:
            raise Refused(404, "no_route", "There is no such application.")
        content = fields.get("biz_content", "")
        match fields.get("method"):
            case "alipay.trade.precreate":
                return _order(_converted(content, _Order), "qr", fields.get("return_url"))
            case "alipay.trade.page.pay":
                return _order(_converted(content, _Order), "redirect", fields.get("return_url"))
            case "alipay.trade.query":
                return QueryCharge(_id(_converted(content, _Trade).out_trade_no))
            case "alipay.trade.close":
                trade = _id(_converted(content, _Trade).out_trade_no)
                return VoidCharge(f"close/{trade}", trade, reference_of("charge", trade), 1, CURRENCY)
            case "alipay.trade.refund":
                back = _converted(content, _Refund)
                trade = _id(back.out_trade_no)
                reference = reference_of("charge", trade)
                return RefundCharge(_id(back.out_request_no), trade, reference, _sum(back.refund_amount), CURRENCY)
            case "alipay.trade.fastpay.refund.query":
                asked = _converted(content, _RefundQuestion)
                return QueryRefund(_id(asked.out_request_no), _id(asked.out_trade_no))
            case _:
                raise Refused(404, "no_route", "There is no such method.")

    def write(self, request: ChannelRequest, found: Operation) -> Answer:
        match request, found:
            case QueryCharge(), Operation(status="action_required"):
                # Nobody has scanned it yet.
                return self.refuse(Refused(404, "not_found", "There is no such trade."))
            case (
                (Charge() | QueryCharge()),
                Operation(status="declined" | "voided" | "expired", decline=str() as why),
            ):
                if isinstance(request, QueryCharge) and why in _CLOSED:
                    return _answer(_trade(found))
                return _refusal(
                    _FAILURES.get(why, "ACQ.TRADE_HAS_CLOSE" if why in _CLOSED else "ACQ.PAYMENT_FAIL"), why
                )
            case Charge(details=details), Operation(status="action_required"):
                page = f"{self._pages}/payer/{found.reference}"
                address = "qr_code" if details["scene"] == "qr" else "page_redirection_data"
                return _answer({"out_trade_no": found.id, address: page})
            case ((Charge() | QueryCharge()), _):
                return _answer(_trade(found))
            case VoidCharge(), Operation(status="declined"):
                return _refusal("ACQ.REASON_TRADE_STATUS_INVALID", "The trade cannot be closed.")
            case VoidCharge(), _:
                return _answer({"out_trade_no": found.parent, "trade_no": found.parent_reference or found.reference})
            case _:
                return self._refund(found)

    def _refund(self, found: Operation) -> Answer:
        told = {"out_trade_no": found.parent, "out_request_no": found.id, "trade_no": found.parent_reference}
        if found.decline is not None and found.status == "declined":
            return _refusal(_REFUND_FAILURES.get(found.decline, "ACQ.TRADE_NOT_ALLOW_REFUND"), found.decline)
        if found.status == "pending" or found.decided_ms is None:
            return _answer(told | {"fund_change": "N"})
        told |= {"fund_change": "Y", "send_back_fee": yuan(found.amount), "refund_amount": yuan(found.amount)}
        told |= {"refund_status": "REFUND_SUCCESS", "gmt_refund_pay": _written(found.decided_ms)} | _foreign(found)
        return _answer(told | ({"deposit_back_status": "F"} if found.status == "returned" else {}))

    def refuse(self, refused: Refused) -> Answer:
        if refused.status == 401:
            return _refusal("isv.invalid-signature", refused.message, code="40002")
        if refused.code == "no_route":
            return _refusal("isv.invalid-method", refused.message, code="40002")
        return _refusal(_REFUSALS.get(refused.code, "ACQ.INVALID_PARAMETER"), refused.message)

    def seal(self, wire: Wire, answer: Answer) -> Answer:
        """What was broken off stays so: the signature is over what there is."""
        try:
            charset, fields = _form(wire)
        except Refused:
            charset, fields = self._charset, {}
        body = answer.body.decode().encode(charset, "replace") if answer.body.endswith(_BROKEN) else answer.body
        sign = base64.b64encode(self._keys.own.signature(body)).decode()
        key = fields.get("method", "error").replace(".", "_") + "_response"
        whole = f'{{"{key}":'.encode() + body + f',"sign":"{sign}"}}'.encode()
        return Answer(answer.status, whole, f"text/html;charset={charset}")

    def letter(self, event_id: str, told: Operation, at_s: int, *, forged: bool) -> Letter:
        fields = {
            "app_id": self._application,
            "charset": self._charset,
            "notify_id": event_id,
            "notify_time": _written(at_s * 1_000),
            "version": "1.0",
        }
        if told.kind == "refund":
            fields |= {"msg_method": DEPOSIT_BACK, "biz_content": msgspec.json.encode(_deposit_back(told)).decode()}
        elif told.kind == "void":
            status = "TRADE_CLOSED" if told.status == "succeeded" else "WAIT_BUYER_PAY"
            order = {"out_trade_no": told.parent, "trade_no": told.parent_reference, "trade_status": status}
            fields |= {"notify_type": "trade_status_sync", "total_amount": yuan(told.amount), **order}
        else:
            fields |= {"notify_type": "trade_status_sync", **_trade(told)}
        if forged and self._forger is None:
            self._forger = SigningKey.new()
        key = self._forger if forged and self._forger is not None else self._keys.own
        sign = base64.b64encode(key.signature(signable(fields).encode(self._charset, "replace"))).decode()
        body = urlencode(sorted({**fields, "sign_type": "RSA2", "sign": sign}.items()), encoding=self._charset).encode()
        return Letter({"content-type": f"application/x-www-form-urlencoded;charset={self._charset}"}, body)

    def is_heard(self, status: int, body: bytes) -> bool:
        return status == 200 and body.strip().lower() == b"success"


def _trade(found: Operation) -> dict[str, str]:
    told = {"out_trade_no": found.id, "total_amount": yuan(found.amount)} | _foreign(found)
    match found.status:
        case "succeeded" if found.decided_ms is not None:
            paid_at = _written(found.decided_ms)
            told |= {"trade_status": "TRADE_SUCCESS", "send_pay_date": paid_at, "gmt_payment": paid_at}
        case "pending" | "action_required":
            told |= {"trade_status": "WAIT_BUYER_PAY"}
        case _:
            told |= {"trade_status": "TRADE_CLOSED"}
    return told | {"trade_no": found.reference}


def _deposit_back(found: Operation) -> dict[str, str]:
    return {
        "out_request_no": found.id,
        "out_trade_no": found.parent,
        "trade_no": found.parent_reference,
        "dback_status": {"succeeded": "S", "returned": "F"}.get(found.status, "P"),
        "dback_amount": yuan(found.amount),
        "bank_ack_time": _written(found.decided_ms or 0),
    }


def _foreign(found: Operation) -> dict[str, str]:
    return {} if found.currency == CURRENCY else {"trans_currency": found.currency}


def _answer(content: Mapping[str, Any]) -> Answer:
    return Answer(200, msgspec.json.encode({"code": "10000", "msg": "Success", **content}))


def _refusal(sub_code: str, message: str, code: str = "40004") -> Answer:
    content = {"code": code, "msg": "Business Failed", "sub_code": sub_code, "sub_msg": message}
    return Answer(200, msgspec.json.encode(content))


def _order(order: _Order, scene: str, return_url: str | None) -> Charge:
    return Charge(
        attempt_id=_id(order.out_trade_no),
        amount=_sum(order.total_amount),
        currency=CURRENCY,
        token=order.passback_params,
        order_reference=order.subject,
        merchant=order.body,
        method="alipay",
        details={"scene": scene},
        return_url=return_url,
    )


def _form(wire: Wire) -> tuple[Charset, dict[str, str]]:
    found = _CHARSET.search(wire.body)
    charset: Charset = "gbk" if found is not None and found[1] == b"gbk" else "utf-8"
    fields = read_form(wire.body, charset)
    if fields is None:
        raise Refused(401, "signature_invalid", "The form is not whole.")
    return charset, fields


def _id(text: str) -> str:
    if _ID.fullmatch(text) is None:
        raise Refused(422, "invalid_request", "An id has 1 to 64 characters.")
    return text


def _sum(text: str) -> int:
    amount = fen(text)
    if amount is None:
        raise Refused(422, "invalid_request", "A sum is yuan with two decimals.")
    return amount


def _converted(content: str, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.MsgspecError, RecursionError) as unreadable:
        raise Refused(422, "invalid_request", str(unreadable)) from unreadable


def _written(at_ms: int) -> str:
    return moment(at_ms).astimezone(CHINA).strftime(TIME)
