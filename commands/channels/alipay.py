"""Alipay: the adapter of an open platform of Alipay's kind: forms signed with RSA2, answers of JSON signed as it is.

POST /gateway.do   method=alipay.trade.precreate             the payer scans what is in `qr_code`
                          alipay.trade.page.pay              the payer is sent to `page_redirection_data`
                          alipay.trade.query, .close         an order is closed once, and has no other id than its own
                          alipay.trade.refund, .fastpay.refund.query

An order that nobody has scanned or opened yet is not there for `.query`; asked for again, it has the same address.

Parameters are signed sorted by name, as `name=value` joined by `&`, in the charset that one of them names; what is
asked for is JSON in `biz_content`. An answer is `{"alipay_trade_…_response":{…},"sign":…}`, and the signature is over
the bytes between the colon and the comma as they came. A message is a form: signed are all fields but `sign` and
`sign_type`, and it comes again until it is answered `success`. Sums are yuan with two decimals, times those of China.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from commands.channels.alipay_forms import CHINA, TIME, Charset, fits, read_answer, read_form, signable, signed
from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PENDING,
    Acknowledgement,
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
from commands.channels.keys import Keyring
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
from commands.channels.yuan import fen, yuan
from ledger.errors import CallbackUnreadable, SignatureInvalid, SignatureMalformed, TimestampOutOfWindow

CURRENCY = "CNY"
PAID = ("TRADE_SUCCESS", "TRADE_FINISHED")
DEPOSIT_BACK = "alipay.trade.refund.depositback.completed"
_FORM = "application/x-www-form-urlencoded;charset="
_WORD = re.compile(r"[!-~]{1,128}")
_URL = re.compile(r"https?://[!-~]{1,1000}")

# The platform's code for a payment that failed: our group, and whether the payer is never to be asked again.
DECLINES: dict[str, tuple[DeclineReason, bool]] = {
    "ACQ.BUYER_BALANCE_NOT_ENOUGH": ("insufficient_funds", False),
    "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH": ("insufficient_funds", False),
    "ACQ.BEYOND_PAY_RESTRICTION": ("limit_exceeded", False),
    "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR": ("limit_exceeded", False),
    "ACQ.BUYER_ENABLE_STATUS_FORBID": ("account_invalid", True),
    "ACQ.BUYER_NOT_EXIST": ("account_invalid", True),
    "ACQ.PAYMENT_REQUEST_HAS_RISK": ("blocked", True),
    "ACQ.ERROR_BALANCE_PAYMENT_DISABLE": ("not_supported", False),
    "ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE": ("not_supported", False),
    "ACQ.PULL_MOBILE_CASHIER_FAIL": ("try_again", False),
    "ACQ.PAYMENT_FAIL": ("generic_decline", False),
    "ACQ.TRADE_HAS_CLOSE": ("session_expired", False),
    "ACQ.TOTAL_FEE_EXCEED": ("amount_limits", False),
    "ACQ.INVALID_PARAMETER": ("integration", False),
    "ACQ.ACCESS_FORBIDDEN": ("configuration", False),
}
# What the platform says when it gives nothing back, or closes nothing.
REFUSALS: dict[str, DeclineReason] = {
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": "amount_limits",
    "ACQ.REASON_TRADE_REFUND_FEE_ERR": "amount_limits",
    "ACQ.SELLER_BALANCE_NOT_ENOUGH": "configuration",
    "ACQ.TRADE_HAS_FINISHED": "session_expired",
    "ACQ.REASON_TRADE_BEEN_FREEZEN": "blocked",
    "ACQ.USER_NOT_MATCH_ERR": "account_invalid",
    "ACQ.REFUND_ACCOUNT_NOT_EXIST": "account_invalid",
    "ACQ.TRADE_NOT_ALLOW_REFUND": "not_supported",
    "ACQ.REASON_TRADE_STATUS_INVALID": "integration",
    "ACQ.TRADE_STATUS_ERROR": "integration",
    "ACQ.TRADE_NOT_EXIST": "integration",
    "ACQ.INVALID_PARAMETER": "integration",
}


# --- the adapter ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alipay:
    """The translator for one application. `clock`: each request names the time at which it is sent."""

    name: str
    keys: Keyring
    application: str
    clock: Callable[[], datetime]
    charset: Charset = "utf-8"
    notify_url: str = ""

    acknowledgement = Acknowledgement(b"success", "text/plain")

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        method = _method_of(request)
        content: dict[str, str] = {}
        match request:
            case Charge():
                content = {
                    "out_trade_no": request.attempt_id,
                    "total_amount": yuan(request.amount),
                    "subject": request.order_reference,
                    "body": request.merchant,
                    "passback_params": request.token,
                }
            case RefundCharge():
                content = {
                    "out_trade_no": request.attempt_id,
                    "out_request_no": request.refund_id,
                    "refund_amount": yuan(request.amount),
                }
            case QueryRefund():
                content = {"out_trade_no": request.attempt_id, "out_request_no": request.refund_id}
            case QueryCharge() | QueryChange() | VoidCharge():
                content = {"out_trade_no": request.attempt_id}
        asks_a_payer = isinstance(request, Charge)
        fields = {
            "app_id": self.application,
            "method": method,
            "format": "JSON",
            "charset": self.charset,
            "sign_type": "RSA2",
            "timestamp": self.clock().astimezone(CHINA).strftime(TIME),
            "version": "1.0",
            "notify_url": self.notify_url if asks_a_payer else "",
            "return_url": (request.return_url or "") if isinstance(request, Charge) else "",
            "biz_content": msgspec.json.encode(content).decode(),
        }
        body = signed(self.keys.own, fields, self.charset)
        return HttpRequest("POST", "/gateway.do", {"content-type": _FORM + self.charset}, body)

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        if reply.status != 200:
            return Unknown(f"http {reply.status}")
        told = read_answer(self.keys.other, _method_of(request), reply.body, self.charset)
        if isinstance(told, str):
            return Unknown(told)
        code, sub_code, message = (_text(told, name) for name in ("code", "sub_code", "sub_msg"))
        if code in ("10000", "10003") and told.get("out_trade_no") == getattr(request, "attempt_id", None):
            return self._done(request, told)
        if told.get("out_trade_no") not in (None, getattr(request, "attempt_id", None)):
            return Unknown("this is no answer to this request")
        if code != "40004":
            return Unknown(f"the channel says {code if _WORD.fullmatch(code) else 'nothing that can be read'}")
        match request:
            case QueryCharge() | QueryChange() | QueryRefund() if sub_code == "ACQ.TRADE_NOT_EXIST":
                return NotFound()
            case Charge() | QueryCharge() if sub_code in DECLINES:
                reason, hard = DECLINES[sub_code]
                return Declined(reason, sub_code, shown(message), hard)
            case VoidCharge() if sub_code == "ACQ.TRADE_NOT_EXIST":
                # Nobody has opened it yet: there is nothing to close before somebody does.
                return ChangeDeclined("integration", sub_code, shown(message))
            case VoidCharge() if sub_code in REFUSALS:
                return ChangeDeclined(REFUSALS[sub_code], sub_code, shown(message))
            case RefundCharge() | QueryRefund() if sub_code in REFUSALS:
                return RefundDeclined(REFUSALS[sub_code], sub_code, shown(message), hard=False)
            case _:
                return Unknown(f"the channel says {sub_code if _WORD.fullmatch(sub_code) else code}")

    def _done(self, request: ChannelRequest, told: dict[str, Any]) -> Verdict:
        match request:
            case Charge() if "trade_status" not in told:
                return _asked(request, told)
            case Charge():
                return _of_sum(told, "total_amount", _trade(told), request.amount, request.currency)
            case QueryCharge():
                return _trade(told)
            case VoidCharge():
                # The answer names no sum: what is closed is the whole order.
                return Changed(request.attempt_id, request.amount, request.currency, self.clock())
            case QueryChange():
                return self._closed(request, told)
            case RefundCharge():
                return _of_sum(told, "send_back_fee", _given_back(request, told), request.amount, request.currency)
            case QueryRefund() if told.get("out_request_no") == request.refund_id:
                return _refund(told)
            case QueryRefund() if "out_request_no" not in told:
                return NotFound()
            case _:
                return Unknown("this is no answer to this request")

    def _closed(self, request: QueryChange, told: dict[str, Any]) -> Verdict:
        """Whether the order is closed, as the order itself says."""
        amount, currency = fen(told.get("total_amount")), _currency(told)
        match _trade(told), told.get("trade_status"):
            case Charged(), _:
                return ChangeDeclined("integration", "ACQ.TRADE_STATUS_ERROR", "")
            case Declined(), "TRADE_CLOSED" if amount is not None:
                return Changed(request.attempt_id, amount, currency, self.clock())
            case _, "WAIT_BUYER_PAY":
                return NotFound()
            case _:
                return Unknown("the order contradicts itself")

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        fields = read_form(body, self.charset)
        if fields is None or not fields.get("sign") or "sign_type" not in fields:
            raise SignatureMalformed("the form has the fields sign and sign_type")
        message = signable(fields, "sign", "sign_type").encode(self.charset)
        if fields["sign_type"] != "RSA2" or not fits(self.keys.other, message, fields["sign"]):
            raise SignatureInvalid()
        event_id, sent_at = fields.get("notify_id", ""), _moment(fields.get("notify_time"))
        if not _WORD.fullmatch(event_id):
            raise CallbackUnreadable(event_id="")
        if sent_at is None:
            raise CallbackUnreadable(event_id=event_id)
        if abs((now - sent_at).total_seconds()) >= WINDOW_S + 1:
            raise TimestampOutOfWindow()
        if fields.get("app_id") != self.application:
            raise CallbackUnreadable(event_id=event_id)
        if fields.get("msg_method") == DEPOSIT_BACK:
            return _deposit_back(event_id, fields)
        if not _WORD.fullmatch(fields.get("out_trade_no", "")):
            raise CallbackUnreadable(event_id=event_id)
        return CallbackNotice(event_id, "charge", fields["out_trade_no"], _trade(fields))


def _method_of(request: ChannelRequest) -> str:
    match request:
        case Charge(capture=True, contract=None):
            kind = "precreate" if request.details.get("scene", "qr") == "qr" else "page.pay"
        case QueryCharge() | QueryChange():
            kind = "query"
        case VoidCharge(takes_back=""):
            kind = "close"
        case RefundCharge():
            kind = "refund"
        case QueryRefund():
            kind = "fastpay.refund.query"
        case _:
            raise ErrandNotSupported(type(request).__name__)
    return f"alipay.trade.{kind}"


def _asked(request: Charge, told: Mapping[str, Any]) -> Verdict:
    """Before somebody has scanned it, the platform knows the order by our id alone."""
    code, page = _text(told, "qr_code"), _text(told, "page_redirection_data")
    if _URL.fullmatch(code):
        return ActionRequired(request.attempt_id, "qr_code", None, {"qr": code})
    if _URL.fullmatch(page):
        return ActionRequired(request.attempt_id, "redirect", page)
    return Unknown("the payer is sent nowhere")


def _trade(told: Mapping[str, Any]) -> Verdict:
    reference, amount = _text(told, "trade_no"), fen(told.get("total_amount"))
    paid_at = _moment(told.get("send_pay_date")) or _moment(told.get("gmt_payment"))
    whole = bool(_WORD.fullmatch(reference)) and amount is not None
    match told.get("trade_status"):
        # An order that was paid and wholly given back is closed as well.
        case "TRADE_SUCCESS" | "TRADE_FINISHED" | "TRADE_CLOSED" if whole and amount is not None and paid_at:
            return Charged(reference, amount, _currency(told), None, paid_at)
        case "TRADE_CLOSED":
            return Declined("session_expired", "TRADE_CLOSED", "", hard=False)
        case "WAIT_BUYER_PAY":
            return PENDING
        case _:
            return Unknown("the order contradicts itself")


def _given_back(request: RefundCharge, told: Mapping[str, Any]) -> Verdict:
    """The platform's word for it is only taken where it says which refund it was: else it is asked."""
    reference, at = _text(told, "trade_no"), _moment(told.get("gmt_refund_pay"))
    amount = fen(told.get("send_back_fee"))
    if told.get("fund_change") != "Y" or "out_request_no" not in told:
        return PENDING
    if told["out_request_no"] != request.refund_id or not _WORD.fullmatch(reference) or amount is None or at is None:
        return Unknown("the refund contradicts itself")
    return Refunded(_refund_reference(reference, request.refund_id), amount, _currency(told), 0, at)


def _refund(told: Mapping[str, Any]) -> Verdict:
    reference, at = _text(told, "trade_no"), _moment(told.get("gmt_refund_pay"))
    amount, refund_id = fen(told.get("refund_amount")), _text(told, "out_request_no")
    whole = bool(_WORD.fullmatch(reference)) and amount is not None and at is not None
    match told.get("refund_status"), told.get("deposit_back_status"):
        case "REFUND_SUCCESS", "F" if whole and amount is not None and at is not None:
            of = _refund_reference(reference, refund_id)
            return RefundReturned(of, amount, _currency(told), "DEPOSIT_BACK_F", "", at)
        case "REFUND_SUCCESS", _ if whole and amount is not None and at is not None:
            return Refunded(_refund_reference(reference, refund_id), amount, _currency(told), 0, at)
        case ((None | "" | "REFUND_PROCESSING"), _):
            return PENDING
        case _:
            return Unknown("the refund contradicts itself")


def _deposit_back(event_id: str, fields: Mapping[str, str]) -> CallbackNotice:
    """A refund has come to the payer's bank, or the bank has sent it back."""
    try:
        told = msgspec.json.decode(fields.get("biz_content", ""), type=dict[str, str])
    except (msgspec.MsgspecError, RecursionError):
        raise CallbackUnreadable(event_id=event_id) from None
    refund_id, amount = told.get("out_request_no", ""), fen(told.get("dback_amount"))
    reference, at = told.get("trade_no", ""), _moment(told.get("bank_ack_time"))
    if not _WORD.fullmatch(refund_id) or not _WORD.fullmatch(reference) or amount is None or at is None:
        raise CallbackUnreadable(event_id=event_id)
    of = _refund_reference(reference, refund_id)
    match told.get("dback_status"):
        case "S":
            return CallbackNotice(event_id, "refund", refund_id, Refunded(of, amount, CURRENCY, 0, at))
        case "F":
            returned = RefundReturned(of, amount, CURRENCY, "DEPOSIT_BACK_F", "", at)
            return CallbackNotice(event_id, "refund", refund_id, returned)
        case _:
            return CallbackNotice(event_id, "refund", refund_id, PENDING)


def _refund_reference(trade: str, refund_id: str) -> str:
    """The platform numbers trades and not refunds: they are told apart by our id."""
    return f"{trade}/{refund_id}"


def _of_sum(told: Mapping[str, Any], name: str, verdict: Verdict, amount: int, currency: str) -> Verdict:
    """Whatever it says became of it: over another sum it speaks of something else."""
    if isinstance(verdict, Unknown):
        return verdict
    return verdict if (fen(told.get(name)), _currency(told)) == (amount, currency) else AMOUNT_MISMATCH


def _currency(told: Mapping[str, Any]) -> str:
    return _text(told, "trans_currency") or CURRENCY


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name, "")
    return value if isinstance(value, str) else ""


def _moment(text: object) -> datetime | None:
    """`2026-11-21 23:30:00` in China."""
    try:
        at = datetime.strptime(text, TIME).replace(tzinfo=CHINA) if isinstance(text, str) else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at is not None and 1970 <= at.year < 9999 else None
