"""The Alipay adapter: forms as they are signed, answers as they stand, exact sums, and a platform that plays along."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec
import pytest
from msgspec import structs

from commands.channels.alipay import DECLINES, DEPOSIT_BACK, Alipay
from commands.channels.alipay_forms import CHINA, TIME, signable
from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PENDING,
    ActionRequired,
    CallbackNotice,
    Changed,
    ChangeDeclined,
    Charged,
    Declined,
    HttpReply,
    NotFound,
    RefundDeclined,
    Refunded,
    RefundReturned,
    Unknown,
    Verdict,
)
from commands.channels.keys import Keyring, SigningKey
from commands.channels.requests import (
    CaptureCharge,
    ChannelRequest,
    Charge,
    ConfirmCharge,
    ExtendCharge,
    IncrementCharge,
    QueryChange,
    QueryCharge,
    QueryContract,
    QueryPayout,
    QueryRefund,
    RefundCharge,
    SendPayout,
    SignContract,
    TerminateContract,
    VoidCharge,
)
from commands.channels.simulator.counterparts.alipay_platform import AlipayPlatform
from commands.channels.simulator.counterparts.counterpart import Answer, Wire
from commands.channels.yuan import fen, yuan
from ledger.errors import CallbackUnreadable, SignatureInvalid
from tests.channels.conformance import NOW, CallbackRecording, Recording, TranslatorConformance
from tests.channels.counterpart_conformance import CounterpartConformance

OURS, THEIRS, STRANGER = SigningKey.new(), SigningKey.new(), SigningKey.new()
APPLICATION = "2021000000000001"
CHANNEL = Alipay("alipay", Keyring(OURS, THEIRS.verifying()), APPLICATION, lambda: NOW)
PLATFORM = AlipayPlatform(Keyring(THEIRS, OURS.verifying()), APPLICATION, "https://pages.example")

AT = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)
IN_CHINA = "2026-03-29 09:59:59"
ORDER = Charge("pay_7-1", 1250, "CNY", "tok_x", "订单 7", "mer_1", method="alipay", details={"scene": "qr"})
PAGE = structs.replace(ORDER, details={"scene": "redirect"}, return_url="https://shop.example/back?a=1")
CLOSE = VoidCharge("void_7-1", "pay_7-1", "pay_7-1", 1250, "CNY")
CLOSED_ASKED = QueryChange("void_7-1", "pay_7-1")
REFUND = RefundCharge("ref_7-1", "pay_7-1", "2026", 400, "CNY")
REFUND_ASKED = QueryRefund("ref_7-1", "pay_7-1")
QUERY = QueryCharge("pay_7-1")


def done(**changes: object) -> dict[str, object]:
    return {"code": "10000", "msg": "Success", "out_trade_no": "pay_7-1"} | changes


def trade(status: str, **changes: object) -> dict[str, object]:
    paid = {"send_pay_date": IN_CHINA} if status in ("TRADE_SUCCESS", "TRADE_FINISHED") else {}
    return done(trade_no="2026", trade_status=status, total_amount="12.50", **paid) | changes


def refund(**changes: object) -> dict[str, object]:
    given = {"out_request_no": "ref_7-1", "send_back_fee": "4.00", "refund_fee": "9.00", "gmt_refund_pay": IN_CHINA}
    return done(trade_no="2026", fund_change="Y", **given) | changes


def asked_refund(**changes: object) -> dict[str, object]:
    given = {"out_request_no": "ref_7-1", "refund_amount": "4.00", "total_amount": "12.50", "gmt_refund_pay": IN_CHINA}
    return done(trade_no="2026", refund_status="REFUND_SUCCESS", **given) | changes


def no(sub_code: str) -> dict[str, object]:
    return {"code": "40004", "msg": "Business Failed", "sub_code": sub_code, "sub_msg": "不行"}


CHARGED = Charged("2026", 1250, "CNY", None, AT)
REFUNDED = Refunded("2026/ref_7-1", 400, "CNY", 0, AT)
CLOSED = Changed("pay_7-1", 1250, "CNY", NOW)
CONTRADICTS = Unknown("the order contradicts itself")
QR = "https://qr.alipay.example/bax01"

# name, request, content, verdict
TABLE: list[tuple[str, ChannelRequest, dict[str, object], Verdict]] = [
    ("a code to scan", ORDER, done(qr_code=QR), ActionRequired("pay_7-1", "qr_code", None, {"qr": QR})),
    ("a page to go to", PAGE, done(page_redirection_data=QR), ActionRequired("pay_7-1", "redirect", QR)),
    ("nowhere to go", ORDER, done(), Unknown("the payer is sent nowhere")),
    ("paid already", ORDER, trade("TRADE_SUCCESS"), CHARGED),
    ("another amount", ORDER, trade("TRADE_SUCCESS", total_amount="12.51"), AMOUNT_MISMATCH),
    ("another currency", ORDER, trade("TRADE_SUCCESS", trans_currency="USD"), AMOUNT_MISMATCH),
    ("another order", ORDER, done(qr_code=QR, out_trade_no="pay_8-1"), Unknown("this is no answer to this request")),
    ("no", ORDER, no("ACQ.BUYER_BALANCE_NOT_ENOUGH"),
     Declined("insufficient_funds", "ACQ.BUYER_BALANCE_NOT_ENOUGH", "不行", False)),
    ("used for another sum", ORDER,
     no("ACQ.CONTEXT_INCONSISTENT"), Unknown("the channel says ACQ.CONTEXT_INCONSISTENT")),
    ("paid, says an order", ORDER, no("ACQ.TRADE_HAS_SUCCESS"), Unknown("the channel says ACQ.TRADE_HAS_SUCCESS")),
    ("nobody knows", ORDER, {"code": "20000", "sub_code": "isp.unknow-error"}, Unknown("the channel says 20000")),
    ("a system error", ORDER, no("ACQ.SYSTEM_ERROR"), Unknown("the channel says ACQ.SYSTEM_ERROR")),
    ("asked: paid", QUERY, trade("TRADE_SUCCESS"), CHARGED),
    ("asked: paid for good", QUERY, trade("TRADE_FINISHED"), CHARGED),
    ("asked: paid and wholly given back", QUERY, trade("TRADE_CLOSED", send_pay_date=IN_CHINA), CHARGED),
    ("asked: scanned", QUERY, trade("WAIT_BUYER_PAY"), PENDING),
    ("asked: closed", QUERY, trade("TRADE_CLOSED"), Declined("session_expired", "TRADE_CLOSED", "", False)),
    ("asked: not scanned", QUERY, no("ACQ.TRADE_NOT_EXIST"), NotFound()),
    ("asked: no sum", QUERY, trade("TRADE_SUCCESS", total_amount="0.00"), CONTRADICTS),
    ("asked: three decimals", QUERY, trade("TRADE_SUCCESS", total_amount="12.500"), CONTRADICTS),
    ("asked: a number", QUERY, trade("TRADE_SUCCESS", total_amount=12.5), CONTRADICTS),
    ("asked: no such day", QUERY, trade("TRADE_SUCCESS", send_pay_date="2026-02-31 00:00:00"),
     CONTRADICTS),
    ("closed", CLOSE, done(trade_no="2026"), CLOSED),
    ("not closed", CLOSE, no("ACQ.REASON_TRADE_STATUS_INVALID"),
     ChangeDeclined("integration", "ACQ.REASON_TRADE_STATUS_INVALID", "不行")),
    ("asked: is it closed", CLOSED_ASKED, trade("TRADE_CLOSED"), CLOSED),
    ("asked: it is paid", CLOSED_ASKED, trade("TRADE_SUCCESS"),
     ChangeDeclined("integration", "ACQ.TRADE_STATUS_ERROR", "")),
    ("asked: it is open", CLOSED_ASKED, trade("WAIT_BUYER_PAY"), NotFound()),
    ("given back", REFUND, refund(), REFUNDED),
    ("given back, which one is not said", REFUND, done(fund_change="Y", send_back_fee="4.00"), PENDING),
    ("given back before", REFUND, refund(fund_change="N"), PENDING),
    ("another refund", REFUND, refund(out_request_no="ref_7-2"), Unknown("the refund contradicts itself")),
    ("too much", REFUND, no("ACQ.REASON_TRADE_REFUND_FEE_ERR"),
     RefundDeclined("amount_limits", "ACQ.REASON_TRADE_REFUND_FEE_ERR", "不行", False)),
    ("asked: given back", REFUND_ASKED, asked_refund(), REFUNDED),
    ("asked: on its way", REFUND_ASKED, asked_refund(refund_status="REFUND_PROCESSING"), PENDING),
    ("asked: never heard of", REFUND_ASKED, done(), NotFound()),
    ("asked: it came back", REFUND_ASKED, asked_refund(deposit_back_status="F"),
     RefundReturned("2026/ref_7-1", 400, "CNY", "DEPOSIT_BACK_F", "", AT)),
]  # fmt: skip


def deposit_back(status: str) -> dict[str, str]:
    content = {"out_request_no": "ref_7-1", "trade_no": "2026", "dback_status": status, "dback_amount": "4.00"}
    whole = msgspec.json.encode(content | {"bank_ack_time": IN_CHINA}).decode()
    return {"msg_method": DEPOSIT_BACK, "biz_content": whole}


def notified(status: str, **more: str) -> dict[str, str]:
    order = {"out_trade_no": "pay_7-1", "trade_no": "2026", "trade_status": status, "total_amount": "12.50"}
    return order | {"subject": "订单 7"} | more


def message(key: SigningKey, event_id: str, at: datetime, body: bytes) -> bytes:
    """What the platform sends; the body is the part of the form that says what happened."""
    head = {"app_id": APPLICATION, "notify_id": event_id, "notify_time": at.astimezone(CHINA).strftime(TIME)}
    try:
        told = {name: value for name, (value,) in parse_qs(body.decode("ascii"), strict_parsing=True).items()} | head
    except ValueError:
        return body
    sign = base64.b64encode(key.signature(signable(told).encode())).decode()
    return urlencode({**told, "sign": sign, "sign_type": "RSA2"}).encode()


class TestTranslator(TranslatorConformance):
    channel = CHANNEL
    secret_words = (OURS.pem().decode(), THEIRS.pem().decode())
    kinds = TranslatorConformance.kinds | {ActionRequired, Changed, ChangeDeclined, RefundReturned}
    unbound = frozenset({Declined, ChangeDeclined, RefundDeclined, NotFound})
    by_nature = frozenset({VoidCharge, QueryChange})
    cannot = frozenset(
        {
            ConfirmCharge,
            CaptureCharge,
            IncrementCharge,
            ExtendCharge,
            SendPayout,
            SignContract,
            TerminateContract,
            QueryPayout,
            QueryContract,
        }
    )
    recordings = tuple(
        Recording(name, request, 200, msgspec.json.encode(content), verdict)
        for name, request, content, verdict in TABLE
    )
    callbacks = (
        CallbackRecording(
            "paid",
            urlencode(notified("TRADE_SUCCESS", gmt_payment=IN_CHINA)).encode(),
            CallbackNotice("evt_1", "charge", "pay_7-1", CHARGED),
        ),
        CallbackRecording(
            "closed",
            urlencode(notified("TRADE_CLOSED")).encode(),
            CallbackNotice("evt_2", "charge", "pay_7-1", Declined("session_expired", "TRADE_CLOSED", "", False)),
        ),
        CallbackRecording(
            "given back",
            urlencode(deposit_back("S")).encode(),
            CallbackNotice("evt_3", "refund", "ref_7-1", REFUNDED),
        ),
    )

    def authentic(self, request: ChannelRequest, status: int, body: bytes) -> HttpReply:
        method = parse_qs(CHANNEL.to_wire(request).body.decode())["method"][0]
        sign = base64.b64encode(THEIRS.signature(body))
        key = method.replace(".", "_") + "_response"
        return HttpReply(status, {}, f'{{"{key}":'.encode() + body + b',"sign":"' + sign + b'"}')

    def authentic_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return {}, message(THEIRS, event_id, at, body)

    def forged_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return {}, message(STRANGER, event_id, at, body)


class TestCounterpart(CounterpartConformance):
    channel = "alipay"
    currency = "CNY"
    acknowledgement = b"success"
    closes_by_nature = True
    is_known_at_once = False
    while_asked = NotFound()
    unpaid = {"refuse": "session_expired", "expire": "session_expired"}


def fields_of(request: ChannelRequest, channel: Alipay = CHANNEL) -> dict[str, str]:
    body = channel.to_wire(request).body.decode()
    return {name: value for name, (value,) in parse_qs(body, encoding=channel.charset).items()}


def test_an_order_is_written_like_this() -> None:
    wire, fields = CHANNEL.to_wire(PAGE), fields_of(PAGE)
    assert (wire.method, wire.path) == ("POST", "/gateway.do")
    content = msgspec.json.decode(fields.pop("biz_content"))
    sign = base64.b64decode(fields.pop("sign"))
    assert fields == {
        "app_id": APPLICATION,
        "method": "alipay.trade.page.pay",
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": IN_CHINA,
        "version": "1.0",
        "return_url": "https://shop.example/back?a=1",
    }
    assert (content["out_trade_no"], content["total_amount"], content["subject"]) == ("pay_7-1", "12.50", "订单 7")
    whole = fields | {"biz_content": fields_of(PAGE)["biz_content"]}
    text = "&".join(f"{name}={whole[name]}" for name in sorted(whole))
    assert OURS.verifying().verifies(text.encode(), sign)


def test_in_gbk_both_sides_sign_the_bytes_that_they_send() -> None:
    ours = structs_of(CHANNEL, "gbk")
    order = structs.replace(ORDER, order_reference="订单 😀")
    body = ours.to_wire(order).body
    asked = PLATFORM.read(Wire("POST", "/gateway.do", {}, body))
    assert isinstance(asked, Charge)
    assert (asked.order_reference, asked.amount) == ("订单 ?", 1250)
    answer = msgspec.json.encode(no("ACQ.PAYMENT_FAIL"))
    sealed = PLATFORM.seal(Wire("POST", "/gateway.do", {}, body), Answer(200, answer))
    assert "不行".encode("gbk") in sealed.body
    assert ours.from_wire(order, HttpReply(200, {}, sealed.body)) == Declined(
        "generic_decline", "ACQ.PAYMENT_FAIL", "不行", False
    )
    assert isinstance(CHANNEL.from_wire(order, HttpReply(200, {}, sealed.body)), Unknown)


def structs_of(channel: Alipay, charset: Any) -> Alipay:
    return Alipay(channel.name, channel.keys, channel.application, channel.clock, charset)


def test_a_wholly_refunded_trade_that_is_told_of_as_closed_was_paid() -> None:
    body = urlencode(notified("TRADE_CLOSED", gmt_payment=IN_CHINA, refund_fee="12.50")).encode()
    notice = CHANNEL.from_callback({}, message(THEIRS, "e", NOW, body), NOW)
    assert notice.verdict == CHARGED


def test_a_refund_that_the_bank_sends_back_is_told_of_as_returned() -> None:
    notice = CHANNEL.from_callback({}, message(THEIRS, "e", NOW, urlencode(deposit_back("F")).encode()), NOW)
    assert isinstance(notice.verdict, RefundReturned)
    assert (notice.subject, notice.subject_id, notice.verdict.amount) == ("refund", "ref_7-1", 400)


def test_a_message_for_another_application_is_not_ours() -> None:
    body = urlencode(notified("TRADE_SUCCESS", gmt_payment=IN_CHINA)).encode()
    other = Alipay("alipay", CHANNEL.keys, "2021000000000002", lambda: NOW)
    with pytest.raises(CallbackUnreadable):
        other.from_callback({}, message(THEIRS, "e", NOW, body), NOW)


def test_our_own_words_do_not_pass_for_the_platform_s() -> None:
    """Whoever sees what we send cannot send it back to us as a message."""
    with pytest.raises(SignatureInvalid):
        CHANNEL.from_callback({}, CHANNEL.to_wire(QUERY).body, NOW)


def test_what_is_said_at_another_time_is_said_anew() -> None:
    later = Alipay("alipay", CHANNEL.keys, APPLICATION, lambda: NOW + timedelta(seconds=1))
    assert later.to_wire(ORDER) != CHANNEL.to_wire(ORDER)
    assert fields_of(ORDER, later)["biz_content"] == fields_of(ORDER)["biz_content"]


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0.01", 1), ("1", 100), ("88.8", 8880), ("92233720368547758.07", 2**63 - 1), ("92233720368547758.08", None),
     ("0.00", None), ("-1.00", None), ("01.00", None), ("1.001", None), ("1e2", None), (1.0, None)],
)  # fmt: skip
def test_yuan_are_exact_or_nothing(text: object, amount: int | None) -> None:
    assert fen(text) == amount
    if amount is not None:
        assert fen(yuan(amount)) == amount


def test_every_word_of_the_platform_has_a_group() -> None:
    from commands.channels.simulator.counterparts import alipay_platform

    assert set(alipay_platform._FAILURES.values()) <= set(DECLINES)
