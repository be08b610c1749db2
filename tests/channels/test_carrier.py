"""The carrier's adapter: parameters as they are written, what each answer means, and a telephone company to talk to."""

from datetime import UTC, datetime

import httpx2
import msgspec
import pytest
from msgspec import structs

from commands.channels.carrier import FAILURES, Carrier, signature, signed
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
from commands.channels.simulator.counterparts import phone_company
from commands.channels.simulator.counterparts.counterpart import Answer, Wire
from commands.channels.simulator.counterparts.phone_company import PhoneCompany
from ledger.errors import CallbackUnreadable, SignatureInvalid
from tests.channels.conformance import NOW, CallbackRecording, Recording, TranslatorConformance, a_charge
from tests.channels.counterpart_conformance import CounterpartConformance, ask, taken
from tests.channels.simulator_process import SimulatorProcess

KEY = b"thirty-two bytes that nobody has"
SECRET = Secret(KEY)
CHANNEL = Carrier("carrier", SECRET)
COMPANY = PhoneCompany(SECRET)

AT = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)
AT_S = int(AT.timestamp())
PHONE = "+491701234567"
BILL = Charge("pay_7-1", 1250, "EUR", "tok_x", "order 7", "mer_1", method="carrier_billing", details={"phone": PHONE})
CONFIRM = ConfirmCharge("cfm_7-1", "pay_7-1", "ph_9", "123456", 1250, "EUR")
CANCEL = VoidCharge("void_7-1", "pay_7-1", "ph_9", 1250, "EUR")
REFUND = RefundCharge("ref_7", "pay_7-1", "ph_9", 400, "EUR")
QUERY = QueryCharge("pay_7-1")
CONTRADICTS = Unknown("the payment contradicts itself")
NO_ANSWER = Unknown("this is no answer to this request")

Parameters = dict[str, str | int]


def billed(**changes: str | int) -> Parameters:
    shown: Parameters = {"object": "payment", "id": "pay_7-1", "state": "BILLED", "reference": "ph_9", "amount": 1250}
    return shown | {"currency": "EUR", "share": 313, "at": AT_S} | changes


def without(shown: Parameters, *names: str) -> Parameters:
    return {name: value for name, value in shown.items() if name not in names}


def canceled(**changes: str | int) -> Parameters:
    return without(billed(object="cancellation", id="void_7-1", state="DONE", reference="ca_1"), "share") | changes


def refunded(**changes: str | int) -> Parameters:
    return without(billed(object="refund", id="ref_7", state="DONE", reference="rf_1", amount=400), "share") | changes


def refusal(code: str, message: str = "") -> Parameters:
    return {"object": "refusal", "code": code, "message": message}


CODE_SENT = without(billed(state="CODE_SENT", tries_left=3, until=AT_S), "share", "at")
CHARGED = Charged("ph_9", 1250, "EUR", 313, AT)
CANCELED = Changed("ca_1", 1250, "EUR", AT)
REFUNDED = Refunded("rf_1", 400, "EUR", 0, AT)
ASKED = ActionRequired("ph_9", "sms_code", None, {"tries_left": "3"}, AT)
BARRED = Declined("blocked", "NUMBER_BARRED", "", True)

# name, request, parameters, verdict
TABLE: list[tuple[str, ChannelRequest, Parameters, Verdict]] = [
    ("a code is sent", BILL, CODE_SENT, ASKED),
    ("on the bill", BILL, billed(), CHARGED),
    ("confirmed", CONFIRM, billed(), CHARGED),
    ("the wrong code", CONFIRM, CODE_SENT, ASKED),
    ("processing", BILL, without(billed(state="PROCESSING"), "at"), PENDING),
    ("barred", BILL, without(billed(state="FAILED", failure="NUMBER_BARRED"), "share"), BARRED),
    ("failed, nobody knows why", BILL, billed(state="FAILED"), CONTRADICTS),
    ("on the bill and failed", BILL, billed(failure="REFUSED"), CONTRADICTS),
    ("on the bill, never decided", BILL, without(billed(), "at"), CONTRADICTS),
    ("another amount", BILL, billed(amount=1251), AMOUNT_MISMATCH),
    ("another currency", BILL, billed(currency="USD"), AMOUNT_MISMATCH),
    ("an amount as text", BILL, billed(amount="1250"), NO_ANSWER),
    ("an amount of nothing", BILL, billed(amount=0), NO_ANSWER),
    ("in a year that no calendar has", BILL, billed(at=10**12), NO_ANSWER),
    ("another payment", BILL, billed(id="pay_8-1"), NO_ANSWER),
    (
        "above the cap",
        BILL,
        refusal("AMOUNT_CAP", "Too much."),
        Declined("amount_limits", "AMOUNT_CAP", "Too much.", False),
    ),
    ("a payment is not a thing that is not found", BILL, refusal("UNKNOWN_ID"), NO_ANSWER),
    ("asked: on the bill", QUERY, billed(), CHARGED),
    ("asked: unknown", QUERY, refusal("UNKNOWN_ID"), NotFound()),
    ("canceled", CANCEL, canceled(), CANCELED),
    ("canceled another sum", CANCEL, canceled(amount=1), AMOUNT_MISMATCH),
    ("too late to cancel", CANCEL, refusal("NOT_CANCELABLE"), ChangeDeclined("integration", "NOT_CANCELABLE", "")),
    ("asked: canceled", QueryChange("void_7-1", "pay_7-1"), canceled(), CANCELED),
    ("given back", REFUND, refunded(), REFUNDED),
    (
        "not given back",
        REFUND,
        refunded(state="FAILED", failure="REFUSED"),
        RefundDeclined("generic_decline", "REFUSED", "", False),
    ),
    (
        "more than was paid",
        REFUND,
        refusal("REFUND_TOO_LARGE"),
        RefundDeclined("amount_limits", "REFUND_TOO_LARGE", "", False),
    ),
    ("asked: given back", QueryRefund("ref_7"), refunded(), REFUNDED),
    (
        "it came back",
        QueryRefund("ref_7"),
        refunded(state="RETURNED", failure="NUMBER_NOT_IN_SERVICE"),
        RefundReturned("rf_1", 400, "EUR", "NUMBER_NOT_IN_SERVICE", "", AT),
    ),
]


class TestTranslator(TranslatorConformance):
    channel = CHANNEL
    secret_words = (KEY.decode(), KEY.hex())
    kinds = TranslatorConformance.kinds | {ActionRequired, Changed, ChangeDeclined, RefundReturned}
    cannot = frozenset(
        {
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
        Recording(name, request, 200, msgspec.json.encode(parameters), verdict)
        for name, request, parameters, verdict in TABLE
    )
    callbacks = tuple(
        CallbackRecording(name, msgspec.json.encode(parameters), notice)
        for name, parameters, notice in (
            ("on the bill", billed(), CallbackNotice("evt_1", "charge", "pay_7-1", CHARGED)),
            ("canceled", canceled(), CallbackNotice("evt_2", "change", "void_7-1", CANCELED)),
            ("given back", refunded(), CallbackNotice("evt_3", "refund", "ref_7", REFUNDED)),
        )
    )

    def authentic(self, request: ChannelRequest, status: int, body: bytes) -> HttpReply:
        asked = CHANNEL.to_wire(request)
        return HttpReply(
            status, {}, COMPANY.seal(Wire(asked.method, asked.path, {}, asked.body), Answer(status, body)).body
        )

    def authentic_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return {}, message(SECRET, event_id, at, body)

    def forged_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return {}, message(Secret(KEY[::-1]), event_id, at, body)


def message(secret: Secret, event_id: str, at: datetime, body: bytes) -> bytes:
    try:
        told = msgspec.json.decode(body, type=dict[str, str | int])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return body
    return signed(secret, "message", told | {"message_id": event_id, "sent_at": int(at.timestamp())})


class TestCounterpart(CounterpartConformance):
    channel = "carrier"


def test_a_payment_is_written_like_this() -> None:
    wire = CHANNEL.to_wire(BILL)
    assert (wire.method, wire.path) == ("POST", "/v1/charge")
    # printf %s 'amount=1250&currency=EUR&hint=tok_x&id=pay_7-1&order=order 7&phone=+491701234567&shop=mer_1&request' |
    # openssl dgst -sha256 -hmac '<KEY>'
    assert wire.body == (
        b'{"id":"pay_7-1","amount":1250,"currency":"EUR","phone":"+491701234567","hint":"tok_x","order":"order 7",'
        b'"shop":"mer_1","sign":"45A1A0C7934D6AE3E02E7A44AF908556F0CB8DB0C02DE8BB8DF3E1313DB86488"}'
    )


def test_a_request_does_not_pass_for_an_answer_or_a_message() -> None:
    body = CHANNEL.to_wire(QUERY).body
    assert CHANNEL.from_wire(QUERY, HttpReply(200, {}, body)) == Unknown("the answer is not signed by the channel")
    with pytest.raises(SignatureInvalid):
        CHANNEL.from_callback({}, body, NOW)


def test_the_order_of_parameters_does_not_change_their_signature() -> None:
    assert signature(SECRET, "answer", {"a": 1, "b": "2"}) == signature(SECRET, "answer", {"b": "2", "a": 1})
    assert signature(SECRET, "answer", {"a": 1}) != signature(SECRET, "request", {"a": 1})


def test_a_message_without_an_id_or_a_subject_is_named_unreadable() -> None:
    untold: list[Parameters] = [
        {"sent_at": AT_S},
        {"message_id": "e", "sent_at": "x"},
        {"message_id": "e", "sent_at": AT_S},
    ]
    for told in untold:
        with pytest.raises(CallbackUnreadable):
            CHANNEL.from_callback({}, signed(SECRET, "message", told), NOW)


def test_every_word_of_the_carrier_has_a_group() -> None:
    assert set(phone_company._FAILURES.values()) <= set(FAILURES)


def test_the_payer_tells_the_code_within_three_tries(tmp_path_factory: pytest.TempPathFactory) -> None:
    with SimulatorProcess(tmp_path_factory.mktemp("codes"), channels=["carrier"]) as simulator:
        first = ask(simulator, BILL)
        assert isinstance(first, ActionRequired)
        wrong = ConfirmCharge("cfm_7-1", BILL.attempt_id, first.channel_reference, "000000", 1250, "EUR")
        again = ask(simulator, wrong)
        assert isinstance(again, ActionRequired)
        assert ask(simulator, wrong) == again, "the same answer counts once"
        assert again.data == {"tries_left": "2"}
        paid = ask(simulator, structs.replace(wrong, confirm_id="cfm_7-2", answer="123456"))
        assert isinstance(paid, Charged)
        assert paid.channel_fee == 313, "a quarter"

        other = structs.replace(BILL, attempt_id="pay_8-1")
        asked = ask(simulator, other)
        assert isinstance(asked, ActionRequired)
        answers = [
            ask(simulator, ConfirmCharge(f"cfm_8-{n}", "pay_8-1", asked.channel_reference, "1", 1250, "EUR"))
            for n in range(3)
        ]
        assert [type(each) for each in answers] == [ActionRequired, ActionRequired, Declined]
        assert set(taken(simulator)) == {BILL.attempt_id}


def test_the_carrier_has_a_cap_and_pays_after_months(tmp_path_factory: pytest.TempPathFactory) -> None:
    with SimulatorProcess(tmp_path_factory.mktemp("caps"), channels=["carrier"]) as simulator:
        assert isinstance(ask(simulator, a_charge("cap", "tok_at_once", 30_000)), Charged)
        refused = ask(simulator, a_charge("above", "tok_at_once", 30_001))
        assert isinstance(refused, Declined)
        assert refused.reason == "amount_limits"
        (row,) = simulator.settlement()
        occurred, settles = datetime.fromisoformat(row["occurred_at"]).date(), datetime.fromisoformat(row["settles_on"])
        assert (settles.date() - occurred).days == 60


def test_what_is_not_signed_by_us_does_nothing_at_the_carrier(tmp_path_factory: pytest.TempPathFactory) -> None:
    with SimulatorProcess(tmp_path_factory.mktemp("unsigned"), channels=["carrier"]) as simulator:
        wire = simulator.translator().to_wire(BILL)
        unsigned = msgspec.json.encode({"id": "pay_7-1", "amount": 1250})
        with httpx2.Client(trust_env=False) as client:
            for body in (b"", unsigned, wire.body.replace(b"1250", b"1"), CHANNEL.to_wire(BILL).body):
                answer = client.post(f"{simulator.url}/carrier{wire.path}", content=body)
                assert b"BAD_SIGN" in answer.content
        assert simulator.books()["charges"] == []
        assert isinstance(ask(simulator, BILL), ActionRequired)
