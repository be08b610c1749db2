"""The card simulator's adapter: what it writes, byte for byte, and what each recorded reply means."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.channels.card_simulator import REFUSALS, CardSimulator, answer_message
from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PENDING,
    CallbackNotice,
    Charged,
    Declined,
    DeclineReason,
    HttpReply,
    NotFound,
    NotSent,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
    as_asked,
)
from commands.channels.declines import DECLINES
from commands.channels.requests import ChannelRequest, Charge, QueryCharge, QueryRefund, RefundCharge
from commands.channels.signatures import SIGNATURE_HEADER, Secret, sign_message
from commands.channels.simulator import conduct
from ledger.errors import CallbackUnreadable
from tests.channels.conformance import NOW, CallbackRecording, Recording, TranslatorConformance
from tests.channels.counterpart_conformance import CounterpartConformance

KEY = b"thirty-two bytes that nobody has"
CHANNEL = CardSimulator("card_simulator", Secret(KEY))

AT = datetime(2026, 3, 29, 1, 59, 59, 123000, tzinfo=UTC)
CHARGE = Charge("pay_7-1", 1250, "EUR", "tok_visa", "order 7", "mer_1")
REFUND = RefundCharge("ref_7", "pay_7-1", "ch_9", 400, "EUR")


def charge_body(**changes: object) -> dict[str, object]:
    return {
        "object": "charge",
        "id": "pay_7-1",
        "status": "succeeded",
        "reference": "ch_9",
        "amount": 1250,
        "currency": "EUR",
        "fee": 8,
        "decided_at": "2026-03-29T01:59:59.123Z",
        "decline": None,
    } | changes


def refund_body(**changes: object) -> dict[str, object]:
    return charge_body(object="refund", id="ref_7", reference="re_3", amount=400, fee=0) | changes


def declined(code: str, message: str = "") -> dict[str, object]:
    return {"status": "declined", "fee": None, "decline": {"code": code, "message": message}}


def error(code: str, message: str = "") -> dict[str, object]:
    return {"object": "error", "code": code, "message": message}


def no_answer(status: int) -> Unknown:
    return Unknown(f"http {status} is no answer to this request")


CHARGED = Charged("ch_9", 1250, "EUR", 8, AT)
REFUNDED = Refunded("re_3", 400, "EUR", 0, AT)
DECLINED = Declined("insufficient_funds", "insufficient_funds", "No money.", False)
STOLEN = Declined("blocked", "stolen_card", "", True)
UNREADABLE = Unknown("the answer cannot be read")
CONTRADICTS = Unknown("the charge contradicts itself")
REFUND_CONTRADICTS = Unknown("the refund contradicts itself")
QUERY = QueryCharge("pay_7-1")

# name, request, status, body, verdict
TABLE: list[tuple[str, ChannelRequest, int, dict[str, object], Verdict]] = [
    ("charged", CHARGE, 200, charge_body(), CHARGED),
    ("charged, fee not known yet", CHARGE, 200, charge_body(fee=None), Charged("ch_9", 1250, "EUR", None, AT)),
    ("charged, told in another zone", CHARGE, 200, charge_body(decided_at="2026-03-29T03:59:59.123+02:00"), CHARGED),
    ("charged, with a field that we do not know", CHARGE, 200, charge_body(network="visa"), CHARGED),
    ("declined softly", CHARGE, 200, charge_body(**declined("insufficient_funds", "No money.")), DECLINED),
    ("declined for good", CHARGE, 200, charge_body(**declined("stolen_card")), STOLEN),
    (
        "declined with a code that we do not know",
        CHARGE,
        200,
        charge_body(**declined("moon_phase", "Not\x00 to\u202eday.\n" + "x" * 500)),
        Declined("generic_decline", "moon_phase", ("Not today." + "x" * 500)[:200], False),
    ),
    ("pending", CHARGE, 202, charge_body(status="pending", fee=None, decided_at=None), PENDING),
    (
        "refused: our own message was wrong",
        CHARGE,
        422,
        error("invalid_request", "no token"),
        Declined("integration", "invalid_request", "no token", False),
    ),
    (
        "refused: the currency is not switched on",
        CHARGE,
        422,
        error("currency_not_enabled"),
        Declined("configuration", "currency_not_enabled", "", False),
    ),
    ("refused with a code that we do not know", CHARGE, 422, error("new_rule"), no_answer(422)),
    ("the id is taken", CHARGE, 409, error("id_reused"), no_answer(409)),
    ("our signature did not fit", CHARGE, 401, error("signature_invalid"), no_answer(401)),
    ("too many requests", CHARGE, 429, error("rate_limited"), no_answer(429)),
    ("a charge is not a thing that is not found", CHARGE, 404, error("not_found"), no_answer(404)),
    ("moved", CHARGE, 302, charge_body(), no_answer(302)),
    ("another amount", CHARGE, 200, charge_body(amount=1251), AMOUNT_MISMATCH),
    ("another currency", CHARGE, 200, charge_body(currency="USD"), AMOUNT_MISMATCH),
    ("another amount, declined", CHARGE, 200, charge_body(amount=1251, **declined("stolen_card")), AMOUNT_MISMATCH),
    ("another id", CHARGE, 200, charge_body(id="pay_8-1"), no_answer(200)),
    ("a refund in place of a charge", CHARGE, 200, refund_body(id="pay_7-1", amount=1250), no_answer(200)),
    ("an error under 200", CHARGE, 200, error("not_found"), no_answer(200)),
    ("charged, never decided", CHARGE, 200, charge_body(decided_at=None), CONTRADICTS),
    ("charged and declined", CHARGE, 200, charge_body(decline={"code": "stolen_card"}), CONTRADICTS),
    ("declined, no reason", CHARGE, 200, charge_body(status="declined"), CONTRADICTS),
    ("a status that we do not know", CHARGE, 200, charge_body(status="settled"), UNREADABLE),
    ("an amount with a fraction", CHARGE, 200, charge_body(amount=1250.0), UNREADABLE),
    ("an amount as text", CHARGE, 200, charge_body(amount="1250"), UNREADABLE),
    ("an amount of nothing", CHARGE, 200, charge_body(amount=0), UNREADABLE),
    ("an amount over 64 bits", CHARGE, 200, charge_body(amount=2**63), UNREADABLE),
    ("a fee below nothing", CHARGE, 200, charge_body(fee=-1), UNREADABLE),
    ("a time without a zone", CHARGE, 200, charge_body(decided_at="2026-03-29T01:59:59"), UNREADABLE),
    ("a time that no calendar shifts", CHARGE, 200, charge_body(decided_at="0001-01-01T00:00:00+14:00"), UNREADABLE),
    ("a time after all databases", CHARGE, 200, charge_body(decided_at="9999-12-31T23:59:59-14:00"), UNREADABLE),
    ("a reference with a line break", CHARGE, 200, charge_body(reference="ch_9\n"), UNREADABLE),
    ("a reference with NUL", CHARGE, 200, charge_body(reference="ch_\x00"), UNREADABLE),
    ("no reference", CHARGE, 200, charge_body(reference=""), UNREADABLE),
    ("asked: charged", QUERY, 200, charge_body(), CHARGED),
    ("asked: declined", QUERY, 200, charge_body(**declined("stolen_card")), STOLEN),
    ("asked: pending", QUERY, 202, charge_body(status="pending"), PENDING),
    ("asked: not found", QUERY, 404, error("not_found"), NotFound()),
    ("asked: no such address", QUERY, 404, error("no_route"), no_answer(404)),
    ("asked: refused", QUERY, 422, error("invalid_request"), no_answer(422)),
    ("refunded", REFUND, 200, refund_body(), REFUNDED),
    ("refund pending", REFUND, 202, refund_body(status="pending"), PENDING),
    (
        "refund declined",
        REFUND,
        200,
        refund_body(**declined("do_not_honor")),
        RefundDeclined("generic_decline", "do_not_honor", "", False),
    ),
    (
        "more than was charged",
        REFUND,
        422,
        error("refund_exceeds_charge", "Too much."),
        RefundDeclined("amount_limits", "refund_exceeds_charge", "Too much.", False),
    ),
    ("refund of another amount", REFUND, 200, refund_body(amount=1), AMOUNT_MISMATCH),
    (
        "refund that contradicts itself",
        REFUND,
        200,
        refund_body(decided_at=None),
        Unknown("the refund contradicts itself"),
    ),
    ("a charge in place of a refund", REFUND, 200, charge_body(id="ref_7", amount=400), no_answer(200)),
    ("asked: refunded", QueryRefund("ref_7"), 200, refund_body(), REFUNDED),
    ("asked: refund not found", QueryRefund("ref_7"), 404, error("not_found"), NotFound()),
]


class TestTranslator(TranslatorConformance):
    channel = CHANNEL
    takes_dispute_answers = True
    secret_words = (KEY.decode(), KEY.hex(), base64.b64encode(KEY).decode(), repr(KEY))
    recordings = tuple(
        Recording(name, request, status, json.dumps(body).encode(), verdict)
        for name, request, status, body, verdict in TABLE
    )
    callbacks = tuple(
        CallbackRecording(name, json.dumps(body).encode(), notice)
        for name, body, notice in (
            ("charged", charge_body(), CallbackNotice("evt_1", "charge", "pay_7-1", CHARGED)),
            (
                "declined",
                charge_body(**declined("stolen_card")),
                CallbackNotice("evt_2", "charge", "pay_7-1", STOLEN),
            ),
            ("pending", charge_body(status="pending"), CallbackNotice("evt_3", "charge", "pay_7-1", PENDING)),
            ("refunded", refund_body(), CallbackNotice("evt_4", "refund", "ref_7", REFUNDED)),
        )
    )

    def authentic(self, request: ChannelRequest, status: int, body: bytes) -> HttpReply:
        return signed_reply(request, status, body)

    def authentic_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return sign_message(Secret(KEY), event_id, int(at.timestamp()), body), body

    def forged_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return sign_message(Secret(KEY[::-1]), event_id, int(at.timestamp()), body), body


class TestCounterpart(CounterpartConformance):
    channel = "card_simulator"
    declined = {**CounterpartConformance.declined, "tok_expired_card": "card_expired"}

    def asking(self) -> str:
        return "tok_three_ds"


class TestSecondCounterpart(TestCounterpart):
    channel = "card_simulator_b"


def signed_reply(request: ChannelRequest, status: int, body: bytes) -> HttpReply:
    asked = CHANNEL.to_wire(request).headers[SIGNATURE_HEADER]
    return HttpReply(status, {SIGNATURE_HEADER: Secret(KEY).signature(answer_message(asked, status, body))}, body)


def test_a_charge_is_written_like_this() -> None:
    wire = CHANNEL.to_wire(CHARGE)
    assert (wire.method, wire.path) == ("POST", "/charges")
    assert wire.body == (
        b'{"id":"pay_7-1","amount":1250,"currency":"EUR","token":"tok_visa",'
        b'"order_reference":"order 7","merchant":"mer_1"}'
    )
    # Computed with: printf %s 'request.POST./charges.<body>' | openssl dgst -sha256 -hmac '<KEY>' -binary | base64
    assert wire.headers == {
        "channel-signature": "v1,6ZqyU0wLd/mbmuW2yiH6URtpk13aJkl0nUzEE9JsWwU=",
        "content-type": "application/json",
    }


def test_the_other_requests_are_written_like_this() -> None:
    refund = CHANNEL.to_wire(REFUND)
    assert (refund.method, refund.path) == ("POST", "/refunds")
    assert refund.body == (
        b'{"id":"ref_7","charge_id":"pay_7-1","charge_reference":"ch_9","amount":400,"currency":"EUR"}'
    )
    query = CHANNEL.to_wire(QueryRefund("ref_7"))
    assert (query.method, query.path, query.body) == ("GET", "/refunds/ref_7", b"")


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    assert CHANNEL.to_wire(QueryCharge("a/b?c=d#e%2F")).path == "/charges/a%2Fb%3Fc%3Dd%23e%252F"


def test_the_largest_amount_comes_back_exactly() -> None:
    largest = 2**63 - 1
    charge = Charge("pay_7-1", largest, "EUR", "tok_visa", "order 7", "mer_1")
    assert json.loads(CHANNEL.to_wire(charge).body)["amount"] == largest
    reply = signed_reply(charge, 200, json.dumps(charge_body(amount=largest)).encode())
    assert CHANNEL.from_wire(charge, reply) == Charged("ch_9", largest, "EUR", 8, AT)


def test_an_answer_that_is_not_signed_is_no_answer() -> None:
    body = json.dumps(error("not_found")).encode()
    assert CHANNEL.from_wire(QUERY, HttpReply(404, {}, body)) == Unknown("the answer is not signed by the channel")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)


@given(
    changes=st.dictionaries(st.sampled_from([*charge_body(), "more"]), JSON | st.sampled_from(["charge", "succeeded"])),
    missing=st.sets(st.sampled_from(list(charge_body()))),
    status=st.sampled_from([200, 200, 201, 202, 204, 400, 404, 422, 500]),
)
def test_only_a_whole_success_over_the_asked_sum_is_a_charge(
    changes: dict[str, Any], missing: set[str], status: int
) -> None:
    """Signed by the channel itself, with any field replaced or left out."""
    body = {name: value for name, value in charge_body(**changes).items() if name not in missing}
    verdict = CHANNEL.from_wire(CHARGE, signed_reply(CHARGE, status, json.dumps(body).encode()))
    if isinstance(verdict, Charged):
        assert status in (200, 202)
        told = {name: body[name] for name in ("object", "id", "status", "amount", "currency")}
        assert told == {"object": "charge", "id": "pay_7-1", "status": "succeeded", "amount": 1250, "currency": "EUR"}
        assert type(body["amount"]) is int
        assert (verdict.amount, verdict.currency) == (1250, "EUR")
        assert verdict.channel_reference == body["reference"]


def test_a_callback_of_the_channel_that_makes_no_sense_is_named() -> None:
    for body in (b"", b"{", b"\xff", b"[" * 60_000, json.dumps(error("internal")).encode(), b'{"object":"charge"}'):
        headers = sign_message(Secret(KEY), "evt_1", int(NOW.timestamp()), body)
        with pytest.raises(CallbackUnreadable):
            CHANNEL.from_callback(headers, body, NOW)


def test_every_decline_of_the_simulator_has_a_group() -> None:
    assert set(conduct.DECLINES) <= set(DECLINES)


def test_every_group_is_one_of_the_taxonomy() -> None:
    groups = {reason for reason, _ in DECLINES.values()} | set(REFUSALS.values())
    assert groups <= set(get_args(DeclineReason))


@pytest.mark.parametrize(
    "code",
    ["stolen_card", "lost_card", "fraudulent", "invalid_account", "do_not_try_again", "revocation_of_authorization"],
)
def test_a_hard_decline_is_hard(code: str) -> None:
    assert DECLINES[code][1]


def test_a_success_over_another_sum_is_no_success_of_ours() -> None:
    assert as_asked(CHARGED, 1250, "EUR") == CHARGED
    assert as_asked(CHARGED, 1249, "EUR") == AMOUNT_MISMATCH
    assert as_asked(REFUNDED, 400, "USD") == AMOUNT_MISMATCH
    for verdict in (DECLINED, PENDING, NotFound(), NotSent("ConnectError")):
        assert as_asked(verdict, 1, "EUR") == verdict
