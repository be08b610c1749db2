"""The WeChat Pay adapter: what is signed, what is encrypted, what answers mean, and a platform that plays along."""

import base64
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec import structs

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
from commands.channels.signatures import Secret
from commands.channels.wechat_pay import SCHEME, WeChatPay, answer_headers, serial_of
from ledger.errors import CallbackUnreadable, SignatureInvalid
from tests.channels.conformance import NOW, CallbackRecording, Recording, TranslatorConformance
from tests.channels.counterpart_conformance import CounterpartConformance

OURS, THEIRS, STRANGER = SigningKey.new(), SigningKey.new(), SigningKey.new()
KEY = b"thirty-two bytes for AES, no mor"
KEYS, SECRET = Keyring(OURS, THEIRS.verifying()), Secret(KEY)
CHANNEL = WeChatPay("wechat_pay", KEYS, SECRET, "1900000001", "wx1", lambda: NOW)

AT, NONCE = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC), "593BEC0C930BF1AF"
IN_CHINA = "2026-03-29T09:59:59+08:00"
ORDER = Charge("pay_7-1", 1250, "CNY", "tok_x", "订单 7", "mer_1", method="wechat_pay", details={"scene": "qr"})
PAGE = structs.replace(ORDER, details={"scene": "redirect"})
CLOSE = VoidCharge("void_7-1", "pay_7-1", "pay_7-1", 1250, "CNY")
CLOSED_ASKED = QueryChange("void_7-1", "pay_7-1")
REFUND, REFUND_ASKED = RefundCharge("ref_7-1", "pay_7-1", "4200", 400, "CNY"), QueryRefund("ref_7-1", "pay_7-1")
QUERY = QueryCharge("pay_7-1")


def order(state: str, **changes: object) -> dict[str, object]:
    paid = {"transaction_id": "4200", "success_time": IN_CHINA} if state in ("SUCCESS", "REFUND") else {}
    sums = {"total": 1250, "payer_total": 1250, "currency": "CNY"}
    return {"mchid": "1900000001", "out_trade_no": "pay_7-1", "trade_state": state, "amount": sums} | paid | changes


def refund(state: str, **changes: object) -> dict[str, object]:
    sums = {"total": 1250, "refund": 400, "currency": "CNY"}
    done = {"success_time": IN_CHINA} if state == "SUCCESS" else {}
    return {"refund_id": "5030", "out_refund_no": "ref_7-1", "status": state, "amount": sums} | done | changes


def no(code: str) -> dict[str, object]:
    return {"code": code, "message": "不行", "detail": {"field": "/amount"}}


CHARGED, REFUNDED = Charged("4200", 1250, "CNY", None, AT), Refunded("5030", 400, "CNY", None, AT)
CLOSED, UNPAID = Changed("pay_7-1", 1250, "CNY", NOW), Declined("session_expired", "CLOSED", "", False)
QR, SUM = "weixin://wxpay/bizpayurl?pr=p4lpSuKzz", {"total": 1251, "currency": "CNY"}
CONTRADICTS, NO_ANSWER = Unknown("the order contradicts itself"), Unknown("this is no answer to this request")

# name, request, status, content, verdict
TABLE: list[tuple[str, ChannelRequest, int, dict[str, object] | None, Verdict]] = [
    ("a code to scan", ORDER, 200, {"code_url": QR}, ActionRequired("pay_7-1", "qr_code", None, {"qr": QR})),
    ("a page", PAGE, 200, {"h5_url": "https://p.example/1"}, ActionRequired("pay_7-1", "redirect", "https://p.example/1")),
    ("nowhere to go", ORDER, 200, {"code_url": "javascript:1"}, Unknown("the payer is sent nowhere")),
    ("paid already", ORDER, 200, order("SUCCESS"), CHARGED),
    ("another amount", ORDER, 200, order("SUCCESS", amount=SUM), AMOUNT_MISMATCH),
    ("another order", ORDER, 200, order("SUCCESS", out_trade_no="pay_8-1"), NO_ANSWER),
    ("no", ORDER, 403, no("NO_AUTH"), Declined("configuration", "NO_AUTH", "不行", False)),
    ("used for something else", ORDER, 403, no("OUT_TRADE_NO_USED"), Unknown("the channel says OUT_TRADE_NO_USED")),
    ("too often", ORDER, 429, no("FREQUENCY_LIMITED"), Unknown("the channel says FREQUENCY_LIMITED")),
    ("not ours", ORDER, 401, no("SIGN_ERROR"), Unknown("the channel says SIGN_ERROR")),
    ("accepted, and then", ORDER, 202, {"code_url": QR}, Unknown("http 202")),
    ("asked: paid", QUERY, 200, order("SUCCESS"), CHARGED),
    ("asked: paid and given back", QUERY, 200, order("REFUND"), CHARGED),
    ("asked: nobody has paid", QUERY, 200, order("NOTPAY"), NotFound()),
    ("asked: the payer types", QUERY, 200, order("USERPAYING"), PENDING),
    ("asked: closed", QUERY, 200, order("CLOSED"), UNPAID),
    ("asked: revoked", QUERY, 200, order("REVOKED"), Declined("cancelled_by_user", "REVOKED", "", False)),
    ("asked: failed", QUERY, 200, order("PAYERROR"), Declined("generic_decline", "PAYERROR", "", False)),
    ("asked: paid without a number", QUERY, 200, order("SUCCESS", transaction_id=None), CONTRADICTS),
    ("asked: a new word", QUERY, 200, order("ACCEPT"), Unknown("the answer cannot be read")),
    ("asked: a broken sum", QUERY, 200, order("SUCCESS", amount={"total": 12.5}), Unknown("the answer cannot be read")),
    ("asked: not there", QUERY, 404, no("ORDER_NOT_EXIST"), NotFound()),
    ("closed", CLOSE, 204, None, CLOSED),
    ("closed before", CLOSE, 400, no("ORDER_CLOSED"), Unknown("it is closed already")),
    ("paid, not closed", CLOSE, 400, no("ORDERPAID"), ChangeDeclined("integration", "ORDERPAID", "不行")),
    ("asked: is it closed", CLOSED_ASKED, 200, order("CLOSED"), CLOSED),
    ("asked: it is paid", CLOSED_ASKED, 200, order("SUCCESS"), ChangeDeclined("integration", "ORDERPAID", "")),
    ("asked: it is open", CLOSED_ASKED, 200, order("NOTPAY"), NotFound()),
    ("given back", REFUND, 200, refund("SUCCESS"), REFUNDED),
    ("on its way back", REFUND, 200, refund("PROCESSING"), PENDING),
    ("another refund", REFUND, 200, refund("SUCCESS", out_refund_no="ref_7-2"), NO_ANSWER),
    ("too much", REFUND, 400, no("INVALID_REQUEST"), RefundDeclined("integration", "INVALID_REQUEST", "不行", False)),
    ("asked: given back", REFUND_ASKED, 200, refund("SUCCESS"), REFUNDED),
    ("asked: not given back", REFUND_ASKED, 200, refund("CLOSED"),
     RefundDeclined("generic_decline", "CLOSED", "", False)),
    ("asked: nowhere to put it", REFUND_ASKED, 200, refund("ABNORMAL"),
     RefundDeclined("account_invalid", "ABNORMAL", "", True)),
    ("asked: it came back", REFUND_ASKED, 200, refund("ABNORMAL", success_time=IN_CHINA),
     RefundReturned("5030", 400, "CNY", "ABNORMAL", "", AT)),
    ("asked: never heard of", REFUND_ASKED, 404, no("RESOURCE_NOT_EXISTS"), NotFound()),
]  # fmt: skip


def encoded(content: object) -> bytes:
    return b"" if content is None else msgspec.json.encode(content)


def letter(
    key: SigningKey, event_id: str, at: datetime, plain: bytes, secret: Secret = SECRET
) -> tuple[dict[str, str], bytes]:
    kind = "refund" if b"out_refund_no" in plain else "transaction"
    resource = {
        "original_type": kind,
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(secret.encrypted(b"fdasflkja484", plain, kind.encode())).decode(),
        "associated_data": kind,
        "nonce": "fdasflkja484",
    }
    body = msgspec.json.encode({"id": event_id, "event_type": "TRANSACTION.SUCCESS", "resource": resource})
    headers = answer_headers(key, body, int(at.timestamp()), NONCE)
    return headers | {"wechatpay-serial": serial_of(THEIRS.verifying())}, body


class TestTranslator(TranslatorConformance):
    channel = CHANNEL
    secret_words = (OURS.pem().decode(), KEY.decode(), base64.b64encode(KEY).decode())
    kinds = TranslatorConformance.kinds | {ActionRequired, Changed, ChangeDeclined, RefundReturned}
    unbound = frozenset({ActionRequired, Declined, Changed, ChangeDeclined, RefundDeclined, NotFound})
    by_nature = frozenset({VoidCharge, QueryChange})
    bare = frozenset({204})
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
        Recording(name, request, status, encoded(content), verdict) for name, request, status, content, verdict in TABLE
    )
    callbacks = tuple(
        CallbackRecording(name, encoded(content), notice)
        for name, content, notice in (
            ("paid", order("SUCCESS"), CallbackNotice("evt_1", "charge", "pay_7-1", CHARGED)),
            ("given back", refund("SUCCESS"), CallbackNotice("evt_2", "refund", "ref_7-1", REFUNDED)),
        )
    )

    def authentic(self, request: ChannelRequest, status: int, body: bytes) -> HttpReply:
        return HttpReply(status, answer_headers(THEIRS, body, int(NOW.timestamp()), NONCE), body)

    def authentic_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return letter(THEIRS, event_id, at, body)

    def forged_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return letter(STRANGER, event_id, at, body)


class TestCounterpart(CounterpartConformance):
    channel = "wechat_pay"
    currency = "CNY"
    closes_by_nature = True
    is_known_at_once = False
    while_asked = NotFound()
    unpaid = {"refuse": "session_expired", "expire": "session_expired"}
    # The platform does not say why a payer could not pay.
    declined = dict.fromkeys(CounterpartConformance.declined, "generic_decline")


def test_an_order_is_signed_like_this() -> None:
    wire = CHANNEL.to_wire(ORDER)
    scheme, _, told = wire.headers["authorization"].partition(" ")
    parts = dict(re.findall(r'([a-z_]+)="([^"]*)"', told))
    assert (wire.method, wire.path, scheme) == ("POST", "/v3/pay/transactions/native", SCHEME)
    assert (parts["mchid"], parts["timestamp"]) == ("1900000001", str(int(NOW.timestamp())))
    message = (
        f"POST\n/v3/pay/transactions/native\n{parts['timestamp']}\n{parts['nonce_str']}\n".encode() + wire.body + b"\n"
    )
    assert OURS.verifying().verifies(message, base64.b64decode(parts["signature"]))
    content = msgspec.json.decode(wire.body)
    assert (content["out_trade_no"], content["amount"]) == ("pay_7-1", {"total": 1250, "currency": "CNY"})


def test_each_thing_that_is_asked_has_a_nonce_of_its_own() -> None:
    asked: list[ChannelRequest] = [ORDER, QUERY, CLOSE, REFUND, REFUND_ASKED]
    nonces = {re.findall(r'nonce_str="(\w+)"', CHANNEL.to_wire(each).headers["authorization"])[0] for each in asked}
    assert len(nonces) == len(asked)


def test_an_answer_that_was_signed_long_ago_is_none() -> None:
    body = encoded(order("SUCCESS"))
    old = int((NOW - timedelta(seconds=301)).timestamp())
    verdict = CHANNEL.from_wire(QUERY, HttpReply(200, answer_headers(THEIRS, body, old, NONCE), body))
    assert verdict == Unknown("the answer is not signed by the channel")


def test_a_message_that_was_encrypted_for_somebody_else_is_unreadable() -> None:
    stranger = Secret(b"another thirty-two bytes for AES")
    headers, body = letter(THEIRS, "e", NOW, encoded(order("SUCCESS")), stranger)
    with pytest.raises(CallbackUnreadable):
        CHANNEL.from_callback(headers, body, NOW)


def test_our_own_signature_does_not_pass_for_the_platform_s() -> None:
    body = encoded(order("SUCCESS"))
    headers = answer_headers(OURS, body, int(NOW.timestamp()), NONCE)
    with pytest.raises(SignatureInvalid):
        CHANNEL.from_callback(headers, body, NOW)
