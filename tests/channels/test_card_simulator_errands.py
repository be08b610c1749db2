"""The card simulator's adapter beyond charges: authorizations, changes, payouts, contracts, disputes, as recorded."""

import json
from datetime import UTC, datetime

from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PENDING,
    ActionRequired,
    Authorized,
    CallbackNotice,
    Changed,
    ChangeDeclined,
    Charged,
    ContractDeclined,
    ContractEnded,
    ContractSigned,
    Declined,
    DisputeMoved,
    HttpReply,
    NotFound,
    PaidOut,
    PayoutDeclined,
    PayoutReturned,
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
    SendPayout,
    SignContract,
    TerminateContract,
    VoidCharge,
)
from commands.channels.signatures import Secret, sign_message
from tests.channels.conformance import CallbackRecording, Recording, TranslatorConformance
from tests.channels.test_card_simulator_wire import (
    AT,
    CHANNEL,
    CHARGED,
    KEY,
    charge_body,
    declined,
    error,
    no_answer,
    refund_body,
    signed_reply,
)

BEFORE = datetime(2026, 4, 5, 1, 59, 59, tzinfo=UTC)
HOLD = Charge("pay_7-1", 1250, "EUR", "tok_visa", "order 7", "mer_1", capture=False)
SALE = Charge("pay_7-1", 1250, "EUR", "tok_visa", "order 7", "mer_1")
CONFIRM = ConfirmCharge("cfm_7-1", "pay_7-1", "ch_9", "123456", 1250, "EUR")
CAPTURE = CaptureCharge("cap_7-1", "pay_7-1", "ch_9", 400, "EUR", final=True)
VOID = VoidCharge("void_7-1", "pay_7-1", "ch_9", 400, "EUR")
INCREMENT = IncrementCharge("inc_7-1", "pay_7-1", "ch_9", 400, "EUR")
EXTEND = ExtendCharge("ext_7-1", "pay_7-1", "ch_9", 400, "EUR")
PAYOUT = SendPayout("po_7", 400, "EUR", {"account": "DE00"})
SIGN = SignContract("sig_7-1", "con_7", "ann", "card", {"phone": "+4930123456"})
REPLACE = SignContract("upd_7-1", "upd_7-1", "ann", "card", {"token": "tok_new"}, replaces="co_7")
ANSWER = SignContract("sig_7-2", "con_7", "ann", "card", answer="123456")
END = TerminateContract("end_7-1", "con_7", "co_7")
HELD = {"status": "authorized", "fee": None, "capture_before": "2026-04-05T01:59:59Z"}
SMS = {"type": "sms_code", "data": {"tries_left": "3"}, "expires_at": "2026-04-05T01:59:59Z"}
PAGE = {"type": "three_ds", "url": "https://bank.example/page"}
ASKS = {"status": "action_required", "fee": None, "decided_at": None}


def change_body(kind: str, ours: str, **changes: object) -> dict[str, object]:
    return charge_body(object="change", kind=kind, id=ours, reference="ca_1", amount=400, fee=2) | changes


def payout_body(**changes: object) -> dict[str, object]:
    return charge_body(object="payout", id="po_7", reference="pa_1", amount=400, fee=25) | changes


def contract_body(**changes: object) -> dict[str, object]:
    body = {"object": "contract", "id": "con_7", "status": "signed", "reference": "co_7"}
    return body | {"decided_at": "2026-03-29T01:59:59.123Z", "decline": None} | changes


def dispute_body(**changes: object) -> dict[str, object]:
    body: dict[str, object] = {
        "object": "dispute",
        "id": "dp_1",
        "charge_id": "pay_7-1",
        "charge_reference": "ch_9",
        "stage": "dispute",
    }
    body |= {"status": "opened", "amount": 1250, "currency": "EUR", "fee": 1500, "reason": "fraudulent"}
    return body | {"decided_at": "2026-03-29T01:59:59.123Z", "evidence_due_at": "2026-04-05T01:59:59Z"} | changes


SMS_ASKED = ActionRequired("ch_9", "sms_code", None, {"tries_left": "3"}, BEFORE)
CHANGED = Changed("ca_1", 400, "EUR", AT)
PAID = PaidOut("pa_1", 400, "EUR", 25, AT)
SIGNED = ContractSigned("co_7", AT)
REPLACED = ContractSigned("co_7", AT, "rep_1")
NO = {"code": "do_not_honor"}
NOT_SIGNED = ContractDeclined("generic_decline", "do_not_honor", "")
ENDED = ContractEnded("user", AT)
DISPUTED = DisputeMoved("dp_1", "ch_9", "dispute", "opened", 1250, "EUR", 1500, "fraudulent", BEFORE, AT)
WRONG_CODE = {"decline": {"code": "incorrect_code", "message": "Wrong."}}
RETURNED = {"status": "returned", "decline": {"code": "account_closed", "message": "Closed."}}

# name, request, status, body, verdict
TABLE: list[tuple[str, ChannelRequest, int, dict[str, object], Verdict]] = [
    ("held", HOLD, 200, charge_body(**HELD), Authorized("ch_9", 1250, "EUR", BEFORE, AT)),
    ("held in part", HOLD, 200, charge_body(**HELD, amount=900), Authorized("ch_9", 900, "EUR", BEFORE, AT)),
    ("held too much", HOLD, 200, charge_body(**HELD, amount=1251), AMOUNT_MISMATCH),
    ("held in another currency", HOLD, 200, charge_body(**HELD, currency="USD"), AMOUNT_MISMATCH),
    ("taken in part", HOLD, 200, charge_body(amount=900), AMOUNT_MISMATCH),
    ("held where it was to be taken", SALE, 200, charge_body(**HELD, amount=900), AMOUNT_MISMATCH),
    ("held, never decided", HOLD, 200, charge_body(**HELD, decided_at=None), Unknown("the charge contradicts itself")),
    ("asked: held", QueryCharge("pay_7-1"), 200, charge_body(**HELD), Authorized("ch_9", 1250, "EUR", BEFORE, AT)),
    ("a code is asked for", SALE, 202, charge_body(**ASKS, action=SMS), SMS_ASKED),
    (
        "the payer is sent away",
        SALE,
        202,
        charge_body(**ASKS, action=PAGE),
        ActionRequired("ch_9", "three_ds", "https://bank.example/page", {}, None),
    ),
    ("nothing is asked for", SALE, 202, charge_body(**ASKS), Unknown("the charge contradicts itself")),
    (
        "a page that is none",
        SALE,
        202,
        charge_body(**ASKS, action={"type": "redirect", "url": "javascript:1"}),
        Unknown("the answer cannot be read"),
    ),
    ("the right code", CONFIRM, 200, charge_body(), CHARGED),
    ("the wrong code", CONFIRM, 202, charge_body(**ASKS, action=SMS), SMS_ASKED),
    (
        "the third wrong code",
        CONFIRM,
        200,
        charge_body(**declined("authentication_failed")),
        Declined("authentication_failed", "authentication_failed", "", False),
    ),
    (
        "expired",
        QueryCharge("pay_7-1"),
        200,
        charge_body(**declined("expired") | {"status": "expired"}),
        Declined("session_expired", "expired", "", False),
    ),
    ("captured", CAPTURE, 200, change_body("capture", "cap_7-1"), CHANGED),
    ("captured later", CAPTURE, 202, change_body("capture", "cap_7-1", status="pending", decided_at=None), PENDING),
    ("captured another sum", CAPTURE, 200, change_body("capture", "cap_7-1", amount=401), AMOUNT_MISMATCH),
    ("voided in place of captured", CAPTURE, 200, change_body("void", "cap_7-1"), no_answer(200)),
    (
        "captured too much",
        CAPTURE,
        422,
        error("capture_exceeds_authorization"),
        ChangeDeclined("amount_limits", "capture_exceeds_authorization", ""),
    ),
    (
        "captured too late",
        CAPTURE,
        422,
        error("authorization_expired"),
        ChangeDeclined("session_expired", "authorization_expired", ""),
    ),
    (
        "capture declined",
        CAPTURE,
        200,
        change_body("capture", "cap_7-1", **declined("do_not_honor")),
        ChangeDeclined("generic_decline", "do_not_honor", ""),
    ),
    ("voided", VOID, 200, change_body("void", "void_7-1"), CHANGED),
    ("raised", INCREMENT, 200, change_body("increment", "inc_7-1"), CHANGED),
    (
        "held longer",
        EXTEND,
        200,
        change_body("extension", "ext_7-1", capture_before="2026-04-05T01:59:59Z"),
        Changed("ca_1", 400, "EUR", AT, BEFORE),
    ),
    ("asked: captured", QueryChange("cap_7-1", "pay_7-1"), 200, change_body("capture", "cap_7-1"), CHANGED),
    ("asked: no such change", QueryChange("cap_7-1", "pay_7-1"), 404, error("not_found"), NotFound()),
    ("a change is not a thing that is not found", CAPTURE, 404, error("not_found"), no_answer(404)),
    (
        "a refund came back",
        QueryRefund("ref_7"),
        200,
        refund_body(**RETURNED),
        RefundReturned("re_3", 400, "EUR", "account_closed", "Closed.", AT),
    ),
    ("paid out", PAYOUT, 200, payout_body(), PAID),
    ("paid out another sum", PAYOUT, 200, payout_body(amount=1), AMOUNT_MISMATCH),
    ("paid out later", PAYOUT, 202, payout_body(status="pending", decided_at=None), PENDING),
    (
        "payout declined",
        PAYOUT,
        200,
        payout_body(**declined("name_mismatch")),
        PayoutDeclined("account_invalid", "name_mismatch", ""),
    ),
    (
        "payout refused",
        PAYOUT,
        422,
        error("payouts_not_enabled"),
        PayoutDeclined("configuration", "payouts_not_enabled", ""),
    ),
    ("asked: paid out", QueryPayout("po_7"), 200, payout_body(), PAID),
    ("asked: no such payout", QueryPayout("po_7"), 404, error("not_found"), NotFound()),
    (
        "a payout came back",
        QueryPayout("po_7"),
        200,
        payout_body(**RETURNED),
        PayoutReturned("pa_1", 400, "EUR", "account_closed", "Closed.", AT),
    ),
    (
        "a payout contradicts itself",
        PAYOUT,
        200,
        payout_body(decided_at=None),
        Unknown("the payout contradicts itself"),
    ),
    ("signed", SIGN, 200, contract_body(), SIGNED),
    ("signed by a code", ANSWER, 200, contract_body(), SIGNED),
    ("another card is taken", REPLACE, 200, contract_body(id="upd_7-1"), SIGNED),
    ("another card is not", REPLACE, 200, contract_body(id="upd_7-1", status="declined", decline=NO), NOT_SIGNED),
    ("asked: replaced by the channel", QueryContract("con_7"), 200, contract_body(replacement="rep_1"), REPLACED),
    (
        "not signed: a code is asked for",
        SIGN,
        202,
        contract_body(status="action_required", action=SMS),
        ActionRequired("co_7", "sms_code", None, {"tries_left": "3"}, BEFORE),
    ),
    (
        "not signed: the wrong code",
        ANSWER,
        202,
        contract_body(status="action_required", action=SMS, **WRONG_CODE),
        ContractDeclined("authentication_failed", "incorrect_code", "Wrong.", retryable=True),
    ),
    (
        "asked: the code is still to come",
        QueryContract("con_7"),
        202,
        contract_body(status="action_required", action=SMS, **WRONG_CODE),
        ActionRequired("co_7", "sms_code", None, {"tries_left": "3"}, BEFORE),
    ),
    (
        "not signed",
        SIGN,
        200,
        contract_body(status="declined", decline={"code": "do_not_honor"}),
        ContractDeclined("generic_decline", "do_not_honor", ""),
    ),
    (
        "no such contract",
        END,
        422,
        error("contract_not_found"),
        ContractDeclined("integration", "contract_not_found", ""),
    ),
    ("ended", END, 200, contract_body(status="ended", ended_by="merchant"), ContractEnded("merchant", AT)),
    ("asked: ended by the user", QueryContract("con_7"), 200, contract_body(status="ended", ended_by="user"), ENDED),
    ("ended by nobody", END, 200, contract_body(status="ended"), Unknown("the contract contradicts itself")),
    ("a dispute in place of a charge", SALE, 200, dispute_body(), no_answer(200)),
]


class TestErrands(TranslatorConformance):
    channel = CHANNEL
    takes_dispute_answers = True
    secret_words = (KEY.decode(), KEY.hex())
    kinds = frozenset(
        {
            Authorized,
            ActionRequired,
            Changed,
            ChangeDeclined,
            Charged,
            Declined,
            RefundReturned,
            PaidOut,
            PayoutDeclined,
            PayoutReturned,
            ContractSigned,
            ContractDeclined,
            ContractEnded,
            NotFound,
            Unknown,
        }
    )
    recordings = tuple(
        Recording(name, request, status, json.dumps(body).encode(), verdict)
        for name, request, status, body, verdict in TABLE
    )
    callbacks = tuple(
        CallbackRecording(name, json.dumps(body).encode(), notice)
        for name, body, notice in (
            (
                "held",
                charge_body(**HELD),
                CallbackNotice("evt_1", "charge", "pay_7-1", Authorized("ch_9", 1250, "EUR", BEFORE, AT)),
            ),
            ("captured", change_body("capture", "cap_7-1"), CallbackNotice("evt_1", "change", "cap_7-1", CHANGED)),
            ("paid out", payout_body(), CallbackNotice("evt_1", "payout", "po_7", PAID)),
            ("signed", contract_body(), CallbackNotice("evt_1", "contract", "con_7", SIGNED)),
            (
                "a card is replaced",
                contract_body(replacement="rep_1"),
                CallbackNotice("evt_1", "contract", "con_7", REPLACED),
            ),
            (
                "ended",
                contract_body(status="ended", ended_by="user"),
                CallbackNotice("evt_1", "contract", "con_7", ENDED),
            ),
            ("disputed", dispute_body(), CallbackNotice("evt_1", "dispute", "pay_7-1", DISPUTED)),
        )
    )

    def authentic(self, request: ChannelRequest, status: int, body: bytes) -> HttpReply:
        return signed_reply(request, status, body)

    def authentic_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return sign_message(Secret(KEY), event_id, int(at.timestamp()), body), body

    def forged_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return sign_message(Secret(KEY[::-1]), event_id, int(at.timestamp()), body), body


def test_the_changes_of_a_charge_are_written_like_this() -> None:
    ours = b'"charge_id":"pay_7-1","charge_reference":"ch_9","amount":400,"currency":"EUR"'
    for request, path, body in (
        (CAPTURE, "/captures", b'{"id":"cap_7-1",' + ours + b',"final":true}'),
        (VOID, "/voids", b'{"id":"void_7-1",' + ours + b"}"),
        (INCREMENT, "/increments", b'{"id":"inc_7-1",' + ours + b"}"),
        (EXTEND, "/extensions", b'{"id":"ext_7-1",' + ours + b"}"),
        (
            VoidCharge("void_7-1", "pay_7-1", "ch_9", 400, "EUR", "cap_7-1"),
            "/voids",
            b'{"id":"void_7-1",' + ours + b',"takes_back":"cap_7-1"}',
        ),
    ):
        wire = CHANNEL.to_wire(request)
        assert (wire.method, wire.path, wire.body) == ("POST", path, body)


def test_what_a_charge_does_not_ask_for_is_not_written() -> None:
    assert b"capture" not in CHANNEL.to_wire(SALE).body
    assert CHANNEL.to_wire(HOLD).body.endswith(b'"capture":false}')
    asked = Charge(
        "pay_7-1", 1, "EUR", "t", "o", "m", contract="co_7", return_url="https://s.example", authenticate=True
    )
    written = json.loads(CHANNEL.to_wire(asked).body)
    assert (written["contract"], written["return_url"], written["authenticate"]) == ("co_7", "https://s.example", True)


def test_contracts_and_payouts_are_written_like_this() -> None:
    written = [
        (CHANNEL.to_wire(each).path, json.loads(CHANNEL.to_wire(each).body))
        for each in (SIGN, REPLACE, ANSWER, END, PAYOUT)
    ]
    update = {"id": "upd_7-1", "signing": "upd_7-1", "customer": "ann", "method": "card", "replaces": "co_7"}
    signing = {"id": "con_7", "signing": "sig_7-1", "customer": "ann", "method": "card"}
    assert written == [
        ("/contracts", signing | {"details": {"phone": "+4930123456"}}),
        ("/contracts", update | {"details": {"token": "tok_new"}}),
        ("/contracts/con_7/confirm", {"id": "sig_7-2", "answer": "123456"}),
        ("/contracts/con_7/end", {"id": "end_7-1", "reference": "co_7"}),
        ("/payouts", {"id": "po_7", "amount": 400, "currency": "EUR", "destination": {"account": "DE00"}}),
    ]
