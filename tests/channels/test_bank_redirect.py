"""The bank redirect's adapter: forms as they are written, what each answer means, and a gateway that plays along."""

from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx2
import pytest
from msgspec import structs

from commands.channels.bank_redirect import BANKS, FAILURES, FORM, VERSION, BankRedirect, form, signed
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
from commands.channels.simulator.counterparts.bank import Bank
from commands.channels.simulator.counterparts.counterpart import Answer, Wire
from ledger.errors import CallbackUnreadable, SignatureInvalid
from tests.channels.conformance import NOW, CallbackRecording, Recording, TranslatorConformance
from tests.channels.counterpart_conformance import CounterpartConformance
from tests.channels.simulator_process import SimulatorProcess

OURS, THEIRS, STRANGER = SigningKey.new(), SigningKey.new(), SigningKey.new()
CHANNEL = BankRedirect("bank_redirect", Keyring(OURS, THEIRS.verifying()))
BANK = Bank(Keyring(THEIRS, OURS.verifying()), "https://bank.example")

AT = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)
ORDER = Charge("pay_7-1", 1250, "EUR", "tok_x", "order 7", "mer_1", method="bank_redirect", details={"bank": "granite"})
CLOSE = VoidCharge("void_7-1", "pay_7-1", "br_9", 1250, "EUR")
REFUND = RefundCharge("ref_7", "pay_7-1", "br_9", 400, "EUR")
QUERY = QueryCharge("pay_7-1")
CONTRADICTS = Unknown("the order contradicts itself")


def ordered(**changes: object) -> dict[str, object]:
    fields = {"code": "OK", "order_id": "pay_7-1", "status": "PAID", "bank_reference": "br_9", "amount": 1250}
    return fields | {"currency": "EUR", "fee": 4, "decided_at": "20260329015959"} | changes


def refunded(**changes: object) -> dict[str, object]:
    fields = ordered(refund_id="ref_7", status="DONE", bank_reference="rr_1", amount=400, fee=0)
    return {name: value for name, value in fields.items() if name != "order_id"} | changes


def closed(**changes: object) -> dict[str, object]:
    fields = ordered(close_id="void_7-1", status="DONE", bank_reference="cl_1", fee=None)
    return {name: value for name, value in fields.items() if name != "order_id"} | changes


def failed(reason: str) -> dict[str, object]:
    return {"status": "FAILED", "reason": reason, "fee": None}


WAITING = {"status": "WAITING", "fee": None, "decided_at": None, "pay_until": "20260405015959"}
PAGE = {"pay_url": "https://bank.example/pay?order=7&bank=granite"}
CHARGED = Charged("br_9", 1250, "EUR", 4, AT)
REFUNDED = Refunded("rr_1", 400, "EUR", 0, AT)
CLOSED = Changed("cl_1", 1250, "EUR", AT)
ASKED = ActionRequired("br_9", "redirect", PAGE["pay_url"], {}, datetime(2026, 4, 5, 1, 59, 59, tzinfo=UTC))

# name, request, fields, verdict
TABLE: list[tuple[str, ChannelRequest, dict[str, object], Verdict]] = [
    ("paid", ORDER, ordered(), CHARGED),
    ("the payer is sent to his bank", ORDER, ordered(**WAITING, **PAGE), ASKED),
    ("sent to nowhere", ORDER, ordered(**WAITING), CONTRADICTS),
    ("processing", ORDER, ordered(status="PROCESSING", fee=None), PENDING),
    (
        "failed",
        ORDER,
        ordered(**failed("INSUFFICIENT_BALANCE")),
        Declined("insufficient_funds", "INSUFFICIENT_BALANCE", "", False),
    ),
    (
        "closed",
        QUERY,
        ordered(**failed("CLOSED") | {"status": "CLOSED"}),
        Declined("cancelled_by_user", "CLOSED", "", False),
    ),
    ("failed, nobody knows why", ORDER, ordered(**failed("")), CONTRADICTS),
    ("another amount", ORDER, ordered(amount=1251), AMOUNT_MISMATCH),
    ("another currency", ORDER, ordered(currency="USD"), AMOUNT_MISMATCH),
    ("an amount with a point", ORDER, ordered(amount="12.50"), CONTRADICTS),
    ("an amount with a sign", ORDER, ordered(amount="+1250"), CONTRADICTS),
    ("an amount over 64 bits", ORDER, ordered(amount=2**63), CONTRADICTS),
    ("no such day", ORDER, ordered(decided_at="20260231000000"), CONTRADICTS),
    ("another order", ORDER, ordered(order_id="pay_8-1"), Unknown("this is no answer to this request")),
    ("a refund in place of an order", ORDER, refunded(), Unknown("this is no answer to this request")),
    ("no such bank", ORDER, {"code": "BANK_UNKNOWN"}, Declined("not_supported", "BANK_UNKNOWN", "", False)),
    (
        "an order is not a thing that is not found",
        ORDER,
        {"code": "NOT_FOUND"},
        Unknown("this is no answer to this request"),
    ),
    ("asked: paid", QUERY, ordered(), CHARGED),
    ("asked: unknown", QUERY, {"code": "NOT_FOUND"}, NotFound()),
    ("let go", CLOSE, closed(), CLOSED),
    ("let go of too much", CLOSE, closed(amount=1251), AMOUNT_MISMATCH),
    ("too late to let go", CLOSE, {"code": "ORDER_NOT_OPEN"}, ChangeDeclined("integration", "ORDER_NOT_OPEN", "")),
    ("asked: let go", QueryChange("void_7-1", "pay_7-1"), closed(), CLOSED),
    ("given back", REFUND, refunded(), REFUNDED),
    ("given back later", REFUND, refunded(status="PROCESSING"), PENDING),
    (
        "not given back",
        REFUND,
        refunded(**failed("ACCOUNT_CLOSED")),
        RefundDeclined("account_invalid", "ACCOUNT_CLOSED", "", True),
    ),
    (
        "more than was paid",
        REFUND,
        {"code": "REFUND_TOO_LARGE", "message": "Too much."},
        RefundDeclined("amount_limits", "REFUND_TOO_LARGE", "Too much.", False),
    ),
    ("asked: given back", QueryRefund("ref_7"), refunded(), REFUNDED),
    (
        "it came back",
        QueryRefund("ref_7"),
        refunded(status="RETURNED", reason="ACCOUNT_CLOSED"),
        RefundReturned("rr_1", 400, "EUR", "ACCOUNT_CLOSED", "", AT),
    ),
]


def written(fields: dict[str, object]) -> bytes:
    return form({name: None if value is None else str(value) for name, value in fields.items()} | {"version": VERSION})


class TestTranslator(TranslatorConformance):
    channel = CHANNEL
    secret_words = (OURS.pem().decode(), THEIRS.pem().decode())
    kinds = TranslatorConformance.kinds | {ActionRequired, Changed, ChangeDeclined, RefundReturned}
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
        Recording(name, request, 200, written(fields), verdict) for name, request, fields, verdict in TABLE
    )
    callbacks = tuple(
        CallbackRecording(name, written(fields), notice)
        for name, fields, notice in (
            ("paid", ordered(), CallbackNotice("evt_1", "charge", "pay_7-1", CHARGED)),
            ("closed", closed(), CallbackNotice("evt_2", "change", "void_7-1", CLOSED)),
            ("given back", refunded(), CallbackNotice("evt_3", "refund", "ref_7", REFUNDED)),
        )
    )

    def authentic(self, request: ChannelRequest, status: int, body: bytes) -> HttpReply:
        asked = CHANNEL.to_wire(request)
        sealed = BANK.seal(Wire(asked.method, asked.path, {}, asked.body), Answer(status, body))
        return HttpReply(status, {}, sealed.body)

    def authentic_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return {}, signed(THEIRS, message(event_id, at, body))

    def forged_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return {}, signed(STRANGER, message(event_id, at, body))


def message(event_id: str, at: datetime, body: bytes) -> bytes:
    told = {f"message_id={event_id}".encode(), f"sent_at={at:%Y%m%d%H%M%S}".encode(), *body.split(b"&")}
    return b"&".join(sorted(told))


class TestCounterpart(CounterpartConformance):
    channel = "bank_redirect"


def test_an_order_is_written_like_this() -> None:
    wire = CHANNEL.to_wire(structs.replace(ORDER, return_url="https://shop.example/back?a=1"))
    told, _, signature = wire.body.rpartition(b"&sign=")
    assert (wire.method, wire.path, wire.headers) == ("POST", "/gateway/order", {"content-type": FORM})
    assert told == (
        b"account=tok_x&amount=1250&bank=granite&currency=EUR&merchant=mer_1&order_id=pay_7-1&order_reference=order+7"
        b"&return_url=https%3A%2F%2Fshop.example%2Fback%3Fa%3D1&version=2.0"
    )
    assert OURS.verifying().verifies(told, bytes.fromhex(signature.decode()))


def test_our_own_words_do_not_pass_for_the_banks() -> None:
    """Whoever sees what we send cannot send it back to us as an answer or a message."""
    body = CHANNEL.to_wire(QUERY).body
    assert CHANNEL.from_wire(QUERY, HttpReply(200, {}, body)) == Unknown("the answer is not signed by the channel")
    with pytest.raises(SignatureInvalid):
        CHANNEL.from_callback({}, body, NOW)


def test_a_message_without_an_id_or_a_subject_is_named_unreadable() -> None:
    for body in (
        form({"sent_at": "20260329015959", "version": VERSION}),
        form({"message_id": "e", "version": VERSION}),
    ):
        with pytest.raises(CallbackUnreadable):
            CHANNEL.from_callback({}, signed(THEIRS, body), NOW)


def test_every_word_of_the_gateway_has_a_group() -> None:
    from commands.channels.simulator.counterparts import bank

    assert set(bank._REASONS.values()) <= set(FAILURES)


def test_everybody_may_see_the_banks(tmp_path_factory: pytest.TempPathFactory) -> None:
    with SimulatorProcess(tmp_path_factory.mktemp("banks"), channels=["bank_redirect"]) as simulator:
        with httpx2.Client(trust_env=False) as client:
            shown = client.get(f"{simulator.url}/bank_redirect/gateway/banks")
        assert {code: name for code, (name,) in parse_qs(shown.text).items()} == BANKS
        strange = structs.replace(ORDER, details={"bank": "moon"})
        (refused,) = simulator.ask(strange)
        assert isinstance(refused, Declined)
        assert refused.reason == "not_supported"


def test_what_is_not_signed_by_us_does_nothing_at_the_gateway(tmp_path_factory: pytest.TempPathFactory) -> None:
    order = structs.replace(ORDER, token="tok_at_once")
    with SimulatorProcess(tmp_path_factory.mktemp("unsigned"), channels=["bank_redirect"]) as simulator:
        wire = simulator.translator().to_wire(order)
        told = wire.body.rpartition(b"&sign=")[0]
        with httpx2.Client(trust_env=False) as client:
            for body in (b"", told, told.replace(b"1250", b"1") + wire.body[len(told) :], signed(STRANGER, told)):
                answer = client.post(f"{simulator.url}/bank_redirect{wire.path}", content=body)
                assert b"SIGNATURE_INVALID" in answer.content
        assert simulator.books()["charges"] == []
        (charged,) = simulator.ask(order)
        assert isinstance(charged, Charged)
