"""The Stripe adapter: what the SDK writes and reads for us, and payments at a stand-in for Stripe that others wrote."""

import hashlib
import hmac
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx2
import msgspec
import pytest
from msgspec import structs

from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PENDING,
    ActionRequired,
    Authorized,
    Changed,
    ChangeDeclined,
    Charged,
    Declined,
    ErrandNotSupported,
    HttpReply,
    NotFound,
    NotSent,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
)
from commands.channels.registry import ChannelSettings
from commands.channels.requests import (
    CaptureCharge,
    ChannelRequest,
    Charge,
    ConfirmCharge,
    QueryChange,
    QueryCharge,
    QueryRefund,
    RefundCharge,
    SendPayout,
    VoidCharge,
)
from commands.channels.signatures import Secret
from commands.channels.stripe_payments import StripePayments
from ledger.errors import CallbackUnreadable, SignatureInvalid, SignatureMalformed, TimestampOutOfWindow
from tests.channels.conformance import NOW
from tests.channels.simulator_process import Receiver, ask, wait_until

KEY, WEBHOOK = "sk_test_" + "0" * 24, "whsec_the_secret_of_our_endpoint"
CHANNEL = StripePayments("stripe", KEY, WEBHOOK)
AT = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)

ORDER = Charge("pay_7-1", 1250, "EUR", "pm_1", "order 7", "mer_1")
CAPTURE = CaptureCharge("cap_7-1", "pay_7-1", "pi_1", 1250, "EUR")
VOID = VoidCharge("void_7-1", "pay_7-1", "pi_1", 1250, "EUR")
REFUND = RefundCharge("ref_7-1", "pay_7-1", "pi_1", 400, "EUR")
CHANGE = QueryChange("cap_7-1", "pay_7-1")


def intent(status: str, **changes: object) -> dict[str, Any]:
    about = {"attempt_id": "pay_7-1", "order": "order 7"}
    told = {"object": "payment_intent", "id": "pi_1", "status": status, "amount": 1250, "currency": "eur"}
    return told | {"created": int(AT.timestamp()), "metadata": about} | changes


def refund(status: str, **changes: object) -> dict[str, Any]:
    told = {"object": "refund", "id": "re_1", "status": status, "amount": 400, "currency": "eur"}
    return told | {"created": int(AT.timestamp()), "metadata": {"refund_id": "ref_7-1"}} | changes


def listed(*found: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(found), "has_more": False, "url": "/v1/payment_intents"}


def error(type_: str, **more: str) -> dict[str, Any]:
    return {"error": {"type": type_, "message": "No.", **more}}


CHARGED, REFUNDED = Charged("pi_1", 1250, "EUR", None, AT), Refunded("re_1", 400, "EUR", None, AT)
CHANGED, OPEN = Changed("pi_1", 1250, "EUR", AT), Authorized("pi_1", 1250, "EUR", None, AT)
NO_ANSWER, UNREADABLE = Unknown("this is no answer to this request"), Unknown("the answer cannot be read")

# name, request, status, content, verdict
TABLE: list[tuple[str, ChannelRequest, int, object, Verdict]] = [
    ("paid", ORDER, 200, intent("succeeded"), CHARGED),
    ("held", structs.replace(ORDER, capture=False), 200, intent("requires_capture", amount_capturable=1250), OPEN),
    ("another sum", ORDER, 200, intent("succeeded", amount_received=1249), AMOUNT_MISMATCH),
    ("another currency", ORDER, 200, intent("succeeded", currency="usd"), AMOUNT_MISMATCH),
    ("another attempt", ORDER, 200, intent("succeeded", metadata={"attempt_id": "pay_8-1"}), NO_ANSWER),
    ("the payer is asked", ORDER, 200,
     intent("requires_action", next_action={"type": "redirect_to_url", "redirect_to_url": {"url": "https://b.example"}}),
     ActionRequired("pi_1", "three_ds", "https://b.example", {})),
    ("not yet", ORDER, 200, intent("processing"), PENDING),
    ("a new word", ORDER, 200, intent("dreaming"), Unknown("the answer contradicts itself")),
    ("no sum", ORDER, 200, intent("succeeded", amount="12.50"), UNREADABLE),
    ("declined", ORDER, 402, error("card_error", code="card_declined", decline_code="insufficient_funds"),
     Declined("insufficient_funds", "insufficient_funds", "No.", False)),
    ("stolen", ORDER, 402, error("card_error", code="card_declined", decline_code="stolen_card"),
     Declined("blocked", "stolen_card", "No.", True)),
    ("wrong", ORDER, 400, error("invalid_request_error", code="parameter_invalid"),
     Declined("integration", "parameter_invalid", "No.", False)),
    ("not our key", ORDER, 401, error("invalid_request_error"),
     Declined("configuration", "AuthenticationError", "No.", False)),
    ("another order under this key", ORDER, 400, error("idempotency_error"),
     Unknown("the channel says IdempotencyError")),
    ("too often", ORDER, 429, error("invalid_request_error"), Unknown("the channel says RateLimitError")),
    ("trouble", ORDER, 503, error("api_error"), Unknown("http 503")),
    ("asked: paid", QueryCharge("pay_7-1"), 200, listed(refund("x"), intent("succeeded")), CHARGED),
    ("asked: declined", QueryCharge("pay_7-1"), 200,
     listed(intent("requires_payment_method", last_payment_error={"code": "expired_card", "message": "No."})),
     Declined("card_expired", "expired_card", "No.", False)),
    ("asked: given up", QueryCharge("pay_7-1"), 200, listed(intent("canceled")),
     Declined("cancelled_by_user", "canceled", "", False)),
    ("asked: never heard of", QueryCharge("pay_9-1"), 200, listed(intent("succeeded")), NotFound()),
    ("captured", CAPTURE, 200, intent("succeeded", amount_received=1250), CHANGED),
    ("not captured", CAPTURE, 400, error("invalid_request_error", code="payment_intent_unexpected_state"),
     ChangeDeclined("integration", "payment_intent_unexpected_state", "No.")),
    ("asked: captured", CHANGE, 200, listed(intent("succeeded")), CHANGED),
    ("asked: still held", CHANGE, 200, listed(intent("requires_capture")), NotFound()),
    ("let go", VOID, 200, intent("canceled"), CHANGED),
    ("given back", REFUND, 200, refund("succeeded"), REFUNDED),
    ("another sum back", REFUND, 200, refund("succeeded", amount=401), AMOUNT_MISMATCH),
    ("another refund", REFUND, 200, refund("succeeded", metadata={"refund_id": "ref_8-1"}), NO_ANSWER),
    ("not given back", REFUND, 400, error("invalid_request_error", code="charge_already_refunded"),
     RefundDeclined("integration", "charge_already_refunded", "No.", False)),
    ("asked: given back", QueryRefund("ref_7-1"), 200, listed(refund("succeeded")), REFUNDED),
    ("asked: no refund", QueryRefund("ref_9-1"), 200, listed(refund("succeeded")), NotFound()),
    ("asked: it failed", QueryRefund("ref_7-1"), 200, listed(refund("failed", failure_reason="lost_or_stolen_card")),
     RefundDeclined("generic_decline", "lost_or_stolen_card", "", False)),
]  # fmt: skip


def reply(status: int, content: object) -> HttpReply:
    return HttpReply(status, {"content-type": "application/json"}, msgspec.json.encode(content))


@pytest.mark.parametrize(
    ("request_", "status", "content", "verdict"), [one[1:] for one in TABLE], ids=[one[0] for one in TABLE]
)
def test_recorded_replies_mean_what_is_written_beside_them(
    request_: ChannelRequest, status: int, content: object, verdict: Verdict
) -> None:
    assert CHANNEL.from_wire(request_, reply(status, content)) == verdict


def test_an_answer_cut_anywhere_is_unknown() -> None:
    for name, request, status, content, _ in TABLE:
        whole = reply(status, content)
        for length in range(len(whole.body)):
            cut = structs.replace(whole, body=whole.body[:length])
            assert isinstance(CHANNEL.from_wire(request, cut), Unknown), (name, length)


def test_what_makes_no_sense_is_unknown() -> None:
    for body in (b"[]", b"{}", b"null", b"1", b"\xff", b"[" * 60_000, b'{"object":"payment_intent"}', b"<html>"):
        for status in (200, 400, 402, 404):
            for request in (ORDER, QueryCharge("pay_7-1"), CAPTURE, VOID, CHANGE, REFUND, QueryRefund("ref_7-1")):
                assert isinstance(CHANNEL.from_wire(request, HttpReply(status, {}, body)), Unknown), (
                    body[:20],
                    request,
                )


def test_the_same_request_gives_the_same_bytes_under_our_id() -> None:
    wire = CHANNEL.to_wire(ORDER)
    assert wire == CHANNEL.to_wire(ORDER)
    assert (wire.method, wire.path, wire.headers["idempotency-key"]) == ("POST", "/v1/payment_intents", "pay_7-1")
    fields = {name: value for name, (value,) in parse_qs(wire.body.decode()).items()}
    assert fields == {
        "amount": "1250",
        "currency": "eur",
        "payment_method": "pm_1",
        "capture_method": "automatic",
        "confirm": "true",
        "metadata[attempt_id]": "pay_7-1",
        "metadata[order]": "order 7",
        "metadata[merchant]": "mer_1",
    }
    assert CHANNEL.to_wire(REFUND).headers["idempotency-key"] == "ref_7-1"


def test_what_it_cannot_do_it_says_and_no_secret_shows() -> None:
    for request in (ConfirmCharge("c", "a", "pi_1", "1", 5, "EUR"), SendPayout("po_1", 5, "EUR", {})):
        with pytest.raises(ErrandNotSupported):
            CHANNEL.to_wire(request)
    assert KEY not in repr(CHANNEL)
    assert WEBHOOK not in repr(CHANNEL)


# --- messages --------------------------------------------------------------------------------------------------------


def message(content: object, at: datetime = NOW, secret: str = WEBHOOK) -> tuple[dict[str, str], bytes]:
    body = msgspec.json.encode({"object": "event", "id": "evt_1", "type": "x", "data": {"object": content}})
    signed = f"{int(at.timestamp())}.".encode() + body
    sign = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={int(at.timestamp())},v1={sign}"}, body


def test_messages_mean_what_is_written_beside_them() -> None:
    paid = CHANNEL.from_callback(*message(intent("succeeded")), NOW)
    assert (paid.event_id, paid.subject, paid.subject_id, paid.verdict) == ("evt_1", "charge", "pay_7-1", CHARGED)
    back = CHANNEL.from_callback(*message(refund("succeeded")), NOW)
    assert (back.subject, back.subject_id, back.verdict) == ("refund", "ref_7-1", REFUNDED)
    # It is answered, and about nothing of ours.
    assert CHANNEL.from_callback(*message({"object": "customer", "id": "cus_1"}), NOW).subject_id == ""


def test_messages_that_are_not_stripe_s_are_refused() -> None:
    headers, body = message(intent("succeeded"))
    for place in range(len(body)):
        altered = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(SignatureInvalid):
            CHANNEL.from_callback(headers, altered, NOW)
    with pytest.raises(SignatureInvalid):
        CHANNEL.from_callback(*message(intent("succeeded"), secret="whsec_of_a_stranger"), NOW)
    with pytest.raises(TimestampOutOfWindow):
        CHANNEL.from_callback(headers, body, NOW + timedelta(seconds=301))
    for header in ({}, {"Stripe-Signature": ""}, {"Stripe-Signature": "v1=aa"}, {"Stripe-Signature": "t=x,v1=aa"}):
        with pytest.raises(SignatureMalformed):
            CHANNEL.from_callback(header, body, NOW)
    with pytest.raises(CallbackUnreadable):
        CHANNEL.from_callback(*message(None), NOW)


# --- at the stand-in -------------------------------------------------------------------------------------------------


class StandIn:
    """localstripe, running."""

    def __init__(self, port: int) -> None:
        self.url = f"http://localhost:{port}"

    def post(self, path: str, **fields: str) -> dict[str, Any]:
        with httpx2.Client(trust_env=False) as client:
            answered = client.post(self.url + path, data=fields, headers={"authorization": f"Bearer {KEY}"})
        assert answered.status_code == 200, answered.text
        found: dict[str, Any] = answered.json() if answered.content else {}
        return found

    def card(self, number: str = "4242424242424242") -> str:
        card = {"card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2030", "card[cvc]": "123"}
        return str(self.post("/v1/payment_methods", type="card", **card)["id"])

    def intents(self, attempt: str) -> list[str]:
        """How each payment of this attempt stands."""
        with httpx2.Client(trust_env=False) as client:
            headers = {"authorization": f"Bearer {KEY}"}
            found = client.get(f"{self.url}/v1/payment_intents?limit=100", headers=headers).json()["data"]
        return [one["status"] for one in found if one["metadata"].get("attempt_id") == attempt]

    def ask(self, *requests: ChannelRequest, read_ms: int = 2_000) -> list[Verdict]:
        settings = ChannelSettings(
            "stripe",
            self.url,
            Secret(bytes(32)),
            "stripe_payments",
            api_key=KEY,
            webhook_secret=WEBHOOK,
            read_ms=read_ms,
        )
        return ask(settings, requests)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    pytest.importorskip("localstripe", reason="localstripe is not installed")
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as free:
            free.bind(("::", 0))
            port = int(free.getsockname()[1])
    except OSError as trouble:
        pytest.skip(f"localstripe listens on IPv6, which is not here: {trouble}")
    folder: Path = tmp_path_factory.mktemp("localstripe")
    command = [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            with suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.skip("localstripe does not start")
            time.sleep(0.1)
        yield StandIn(port)
    finally:
        process.terminate()
        process.wait(timeout=10)


def test_a_card_is_charged_and_found_again_and_given_back(stand_in: StandIn) -> None:
    order = structs.replace(ORDER, attempt_id="pay_a-1", token=stand_in.card())
    (charged,) = stand_in.ask(order)
    assert isinstance(charged, Charged)
    assert (charged.amount, charged.currency) == (1250, "EUR")
    assert stand_in.ask(QueryCharge("pay_a-1")) == [charged]
    back = RefundCharge("ref_a-1", "pay_a-1", charged.channel_reference, 400, "EUR")
    (refunded,) = stand_in.ask(back)
    assert isinstance(refunded, Refunded)
    assert refunded.amount == 400
    assert stand_in.ask(QueryRefund("ref_a-1", "pay_a-1")) == [refunded]
    assert stand_in.ask(QueryCharge("pay_nobody-1"), QueryRefund("ref_nobody-1")) == [NotFound(), NotFound()]
    assert stand_in.intents("pay_a-1") == ["succeeded"]


def test_a_card_is_held_and_captured_once_or_let_go(stand_in: StandIn) -> None:
    card = stand_in.card()
    for name in ("b", "c"):
        order = structs.replace(ORDER, attempt_id=f"pay_{name}-1", token=card, capture=False)
        (held,) = stand_in.ask(order)
        assert isinstance(held, Authorized)
        assert stand_in.ask(QueryChange(f"cap_{name}-1", f"pay_{name}-1")) == [NotFound()]
        if name == "b":
            capture = CaptureCharge("cap_b-1", "pay_b-1", held.channel_reference, 1250, "EUR")
            (captured,) = stand_in.ask(capture)
            assert isinstance(captured, Changed)
            assert stand_in.ask(QueryChange("cap_b-1", "pay_b-1")) == [captured]
            (late,) = stand_in.ask(VoidCharge("void_b-1", "pay_b-1", held.channel_reference, 1250, "EUR"))
            assert isinstance(late, ChangeDeclined)
        else:
            void = VoidCharge("void_c-1", "pay_c-1", held.channel_reference, 1250, "EUR")
            (voided,) = stand_in.ask(void)
            assert isinstance(voided, Changed)
            assert stand_in.ask(QueryChange("void_c-1", "pay_c-1")) == [voided]
    assert (stand_in.intents("pay_b-1"), stand_in.intents("pay_c-1")) == (["succeeded"], ["canceled"])


def test_a_card_that_is_declined_is_declined_also_when_it_is_asked_about(stand_in: StandIn) -> None:
    order = structs.replace(ORDER, attempt_id="pay_d-1", token=stand_in.card("4000000000000341"))
    (declined,) = stand_in.ask(order)
    assert isinstance(declined, Declined)
    assert declined.reason == "generic_decline"
    (again,) = stand_in.ask(QueryCharge("pay_d-1"))
    assert (type(again), getattr(again, "reason", None)) == (Declined, "generic_decline")
    (unknown_card,) = stand_in.ask(structs.replace(ORDER, attempt_id="pay_e-1", token="pm_nobody"))
    assert isinstance(unknown_card, Declined)
    assert unknown_card.reason == "integration"


def test_a_card_that_asks_its_holder_waits_for_him(stand_in: StandIn) -> None:
    order = structs.replace(ORDER, attempt_id="pay_f-1", token=stand_in.card("4000002500003155"))
    (asked,) = stand_in.ask(order)
    assert isinstance(asked, ActionRequired)
    assert asked.action == "three_ds"
    secret = asked.data["client_secret"]
    stand_in.post(f"/v1/payment_intents/{asked.channel_reference}/_authenticate", client_secret=secret, success="true")
    (paid,) = stand_in.ask(QueryCharge("pay_f-1"))
    assert isinstance(paid, Charged)


def test_its_messages_are_verified_and_read(stand_in: StandIn) -> None:
    with Receiver() as receiver:
        stand_in.post("/_config/webhooks/ours", url=receiver.url, secret=WEBHOOK)
        order = structs.replace(ORDER, attempt_id="pay_g-1", token=stand_in.card())
        (charged,) = stand_in.ask(order)
        # Those of the tests before come, too: the stand-in waits a second before it tells of anything.
        wait_until(lambda: any(b"pay_g-1" in body for _, body in receiver.got))
        headers, body = next(each for each in receiver.got if b"pay_g-1" in each[1])
    notice = CHANNEL.from_callback(headers, body, datetime.now(UTC))
    assert (notice.subject, notice.subject_id, notice.verdict) == ("charge", "pay_g-1", charged)
    with pytest.raises(SignatureInvalid):
        CHANNEL.from_callback(headers, body.replace(b"1250", b"1251"), datetime.now(UTC))


def test_what_never_arrived_is_not_sent(stand_in: StandIn) -> None:
    nobody = StandIn(1)
    (verdict,) = nobody.ask(ORDER)
    assert isinstance(verdict, NotSent)
