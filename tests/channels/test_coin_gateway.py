"""The coin gateway's adapter: sums with many digits, what is said of transactions, and a house that watches a chain."""

from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import structs

from commands.channels.channel import (
    AMOUNT_MISMATCH,
    PENDING,
    ActionRequired,
    CallbackNotice,
    Charged,
    CoinsSeen,
    CoinTransfer,
    Declined,
    HttpReply,
    NotFound,
    Unknown,
    Verdict,
)
from commands.channels.coin_gateway import MESSAGE_ID, SIGNATURE, CoinGateway, minor_units, signature, whole_coins
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
from tests.channels.conformance import CallbackRecording, Recording, TranslatorConformance
from tests.channels.counterpart_conformance import CounterpartConformance, ask
from tests.channels.simulator_process import Receiver, SimulatorProcess

KEY = b"twenty-four bytes at least, or more"
CHANNEL = CoinGateway("coin_gateway", Secret(KEY))
STRANGER = Secret(b"these are not the bytes that we share")

AT = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)
AT_S = int(AT.timestamp())
ORDER = Charge("pay_7-1", 125_000, "BTC", "tok_x", "order 7", "mer_1", method="coin", details={"coin": "BTC"})
QUERY = QueryCharge("pay_7-1")
CONTRADICTS, NO_ANSWER = Unknown("the invoice contradicts itself"), Unknown("this is no answer to this request")


def invoice(status: str, **changes: object) -> dict[str, object]:
    asked = {"coin": "BTC", "amount": "0.00125000", "address": "bc1q", "confirmations": 2}
    return {"object": "invoice", "id": "pay_7-1", "reference": "ch_9", "status": status, **asked, **changes}


def sent(txid: str, amount: str, confirmations: int = 0, **more: object) -> dict[str, object]:
    return {"txid": txid, "amount": amount, "confirmations": confirmations, "seen_at": AT_S, **more}


def no(code: str) -> dict[str, object]:
    return {"object": "refusal", "code": code, "message": "No."}


DATA = {"address": "bc1q", "amount": "125000", "coin": "BTC", "confirmations": "2"}
ASKED = ActionRequired("ch_9", "pay_to_address", None, DATA, AT)
CHARGED = Charged("ch_9", 125_000, "BTC", None, AT)
SEEN = CoinsSeen("ch_9", "BTC", (CoinTransfer("a", 125_000, 2, AT),))
TWO = CoinsSeen("ch_9", "BTC", (CoinTransfer("a", 5, 1, AT), CoinTransfer("b", 7, 0, AT, dropped=True)))

# name, request, status, content, verdict
TABLE: list[tuple[str, ChannelRequest, int, dict[str, object], Verdict]] = [
    ("an address", ORDER, 200, invoice("open", expires_at=AT_S), ASKED),
    ("an address for another sum", ORDER, 200, invoice("open", amount="0.00125001"), AMOUNT_MISMATCH),
    ("an address for another coin", ORDER, 200, invoice("open", coin="LTC"), AMOUNT_MISMATCH),
    ("paid, that is all it says", ORDER, 200, invoice("settled", decided_at=AT_S), CHARGED),
    ("paid, nobody knows when", ORDER, 200, invoice("settled"), CONTRADICTS),
    ("another order", ORDER, 200, invoice("open", id="pay_8-1"), NO_ANSWER),
    ("no", ORDER, 422, no("amount_not_taken"), Declined("amount_limits", "amount_not_taken", "No.", False)),
    ("used before", ORDER, 409, no("id_reused"), NO_ANSWER),
    ("asked: open", QUERY, 200, invoice("open", expires_at=AT_S), ASKED),
    ("asked: paid", QUERY, 200, invoice("settled", decided_at=AT_S), CHARGED),
    ("asked: coins came", QUERY, 200, invoice("open", transfers=[sent("a", "0.00125000", 2)]), SEEN),
    ("asked: coins came too late", QUERY, 200, invoice("expired", transfers=[sent("a", "0.00125000", 2)]), SEEN),
    ("asked: two transactions, one taken back", QUERY, 200,
     invoice("open", transfers=[sent("a", "0.00000005", 1), sent("b", "0.00000007", dropped=True)]), TWO),
    ("asked: more digits than we count", QUERY, 200,
     invoice("open", transfers=[sent("a", "0.001250009999999999", 2)]), SEEN),
    ("asked: a sum with a sign", QUERY, 200, invoice("open", transfers=[sent("a", "-1")]),
     Unknown("a transfer makes no sense")),
    ("asked: blocks below nought", QUERY, 200, invoice("open", transfers=[sent("a", "1", -1)]),
     Unknown("the answer cannot be read")),
    ("asked: nobody paid", QUERY, 200, invoice("expired"), Declined("session_expired", "expired", "", False)),
    ("asked: canceled", QUERY, 200, invoice("canceled"), Declined("cancelled_by_user", "canceled", "", False)),
    ("asked: refused", QUERY, 200, invoice("refused", reason="fraudulent"),
     Declined("blocked", "fraudulent", "", True)),
    ("asked: not yet", QUERY, 200, invoice("pending"), PENDING),
    ("asked: not there", QUERY, 404, no("not_found"), NotFound()),
]  # fmt: skip


class TestTranslator(TranslatorConformance):
    channel = CHANNEL
    secret_words = (KEY.decode(), KEY.hex())
    kinds = frozenset({Charged, Declined, ActionRequired, CoinsSeen, NotFound, Unknown})
    cannot = frozenset(
        {
            ConfirmCharge,
            CaptureCharge,
            VoidCharge,
            QueryChange,
            IncrementCharge,
            ExtendCharge,
            RefundCharge,
            QueryRefund,
            SendPayout,
            SignContract,
            TerminateContract,
            QueryPayout,
            QueryContract,
        }
    )
    recordings = tuple(
        Recording(name, request, status, msgspec.json.encode(content), verdict)
        for name, request, status, content, verdict in TABLE
    )
    callbacks = tuple(
        CallbackRecording(name, msgspec.json.encode(content), notice)
        for name, content, notice in (
            (
                "coins",
                invoice("open", transfers=[sent("a", "0.00125000", 2)]),
                CallbackNotice("evt_1", "charge", "pay_7-1", SEEN),
            ),
        )
    )

    def authentic(self, request: ChannelRequest, status: int, body: bytes) -> HttpReply:
        asked = CHANNEL.to_wire(request).headers[SIGNATURE]
        return HttpReply(status, {SIGNATURE: signature(CHANNEL.secret, "answer", f"{asked} {status}", body)}, body)

    def authentic_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return message(CHANNEL.secret, event_id, at, body)

    def forged_callback(self, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
        return message(STRANGER, event_id, at, body)


def message(secret: Secret, event_id: str, at: datetime, body: bytes) -> tuple[dict[str, str], bytes]:
    whole = f'{{"sent_at":{int(at.timestamp())},"data":'.encode() + body + b"}"
    return {MESSAGE_ID: event_id, SIGNATURE: signature(secret, "message", event_id, whole)}, whole


class TestCounterpart(CounterpartConformance):
    channel = "coin_gateway"
    currency = "BTC"
    refunds = False
    closes = False

    def test_coins_that_come_are_told_of_with_every_block_and_when_they_are_gone(
        self, simulator: SimulatorProcess, receiver: Receiver
    ) -> None:
        charge = self.a_charge("coins", "tok_any")
        asked = ask(simulator, charge)
        assert isinstance(asked, ActionRequired)
        assert asked.data["amount"] == str(charge.amount)
        for more in ({}, {"confirmations": 2}, {"dropped": True}, {"txid": "tx_2", "amount": 7}):
            simulator.control("coins", {"charge": charge.attempt_id, **more})
        seen = ask(simulator, QueryCharge(charge.attempt_id))
        assert isinstance(seen, CoinsSeen)
        facts = [(one.txid, one.amount, one.confirmations, one.dropped) for one in seen.transfers]
        assert facts == [("tx_1", charge.amount, 0, True), ("tx_2", 7, 0, False)]
        told = self.told(simulator, receiver, charge.attempt_id, 4)
        assert [len(one.transfers) for one in told if isinstance(one, CoinsSeen)] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("coin", "text", "amount"),
    [("BTC", "0.00000001", 1), ("BTC", "21000000", 2_100_000_000_000_000), ("USDC", "1.5", 1_500_000),
     ("ETH", "0.000000019999999999", 1), ("BTC", "1e3", None), ("BTC", "+1", None), ("BTC", ".1", None),
     ("EUR", "1.00", 100), ("DOGE", "1", None), ("BTC", "9223372036854775807", None)],
)  # fmt: skip
def test_coins_are_exact_or_nothing(coin: str, text: str, amount: int | None) -> None:
    assert minor_units(text, coin) == amount


def test_what_we_write_is_what_we_read() -> None:
    for coin in ("BTC", "ETH", "USDT"):
        for amount in (1, 99, 10**8, 10**17 + 1):
            assert minor_units(whole_coins(amount, coin), coin) == amount


def test_another_coin_is_another_request() -> None:
    other = structs.replace(ORDER, currency="LTC")
    assert CHANNEL.to_wire(ORDER).headers != CHANNEL.to_wire(other).headers
