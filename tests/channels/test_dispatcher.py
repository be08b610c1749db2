"""The dispatcher: what each kind of trouble between us and a channel is called, and that nothing is ever said twice."""

import asyncio
import socket
from collections.abc import Mapping
from datetime import datetime

import pytest

from commands.channels import registry
from commands.channels.card_simulator import CardSimulator, answer_message
from commands.channels.channel import (
    CallbackNotice,
    Charged,
    Declined,
    HttpReply,
    HttpRequest,
    NotFound,
    NotSent,
    RefundDeclined,
    Refunded,
    Unknown,
    Verdict,
)
from commands.channels.dispatcher import LARGEST_REPLY, Dispatcher
from commands.channels.registry import ChannelSettings, Registry
from commands.channels.requests import ChannelRequest, Charge, QueryCharge, QueryRefund, RefundCharge
from commands.channels.signatures import SIGNATURE_HEADER, Secret
from ledger.errors import ChannelNotFound
from tests.channels.bare_server import Serve, Server, drip, reset, saying, silence
from tests.channels.conformance import a_charge
from tests.channels.simulator_process import SimulatorProcess

SECRET = Secret(b"thirty-two bytes that nobody has")
CHARGE = a_charge("7", "tok_approved")

# --- the simulator on a real port, misbehaving -----------------------------------------------------------------------


def _patience_with(fault: str) -> int:
    """In milliseconds. An answer that comes is waited for, however busy the machine is; one that does not is not."""
    return 1_000 if fault.startswith("timeout") else 10_000


@pytest.mark.parametrize(
    ("fault", "verdict", "then"),
    [
        ("timeout_before", Unknown("ReadTimeout"), NotFound),
        ("timeout_after", Unknown("ReadTimeout"), Charged),
        ("error_500_before", Unknown("http 500"), NotFound),
        ("error_500_after", Unknown("http 500"), Charged),
        ("malformed_body", Unknown("the answer cannot be read"), Charged),
        ("wrong_amount", Unknown("amount mismatch"), Charged),
        ("late_success", Unknown("pending"), Unknown),
        ("late_callback", Charged, Charged),
        ("duplicate_callback", Charged, Charged),
        ("wrong_signature_callback", Charged, Charged),
        ("no_callback", Charged, Charged),
        ("decline:stolen_card", Declined, Declined),
    ],
)
def test_every_fault_of_a_charge_has_its_verdict(
    simulator: SimulatorProcess, fault: str, verdict: Unknown | type[Verdict], then: type[Verdict]
) -> None:
    simulator.set_faults({"match": {"operation": "charge"}, "fault": fault})
    charge = a_charge(fault.replace(":", "-"), "tok_approved")
    (first,) = simulator.ask(charge, read_ms=_patience_with(fault))
    assert first == verdict if isinstance(verdict, Unknown) else isinstance(first, verdict)
    (second,) = simulator.ask(QueryCharge(charge.attempt_id))
    assert isinstance(second, then)
    booked = [each["status"] for each in simulator.books()["charges"] if each["id"] == charge.attempt_id]
    assert booked == {NotFound: [], Charged: ["succeeded"], Declined: ["declined"], Unknown: ["pending"]}[then]


@pytest.mark.parametrize(
    ("fault", "verdict", "then"),
    [
        ("timeout_before", Unknown, NotFound),
        ("timeout_after", Unknown, Refunded),
        ("error_500_before", Unknown, NotFound),
        ("error_500_after", Unknown, Refunded),
        ("malformed_body", Unknown, Refunded),
        ("wrong_amount", Unknown, Refunded),
        ("late_success", Unknown, Unknown),
        ("decline:do_not_honor", RefundDeclined, RefundDeclined),
    ],
)
def test_every_fault_of_a_refund_has_its_verdict(
    simulator: SimulatorProcess, fault: str, verdict: type[Verdict], then: type[Verdict]
) -> None:
    charge = a_charge("refunded-" + fault.replace(":", "-"), "tok_approved")
    (charged,) = simulator.ask(charge)
    assert isinstance(charged, Charged)
    simulator.set_faults({"match": {"operation": "refund"}, "fault": fault})
    refund = RefundCharge(f"ref_{fault}", charge.attempt_id, charged.channel_reference, 50, "EUR")
    (first,) = simulator.ask(refund, read_ms=_patience_with(fault))
    (second,) = simulator.ask(QueryRefund(refund.refund_id))
    assert isinstance(first, verdict)
    assert isinstance(second, then)


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "error_500_before", "malformed_body"])
def test_a_query_that_goes_wrong_says_nothing(simulator: SimulatorProcess, fault: str) -> None:
    charge = a_charge(f"asked-{fault}", "tok_approved")
    simulator.ask(charge)
    simulator.set_faults({"match": {"operation": "query_charge"}, "fault": fault, "times": 1})
    (first,) = simulator.ask(QueryCharge(charge.attempt_id), read_ms=_patience_with(fault))
    (second,) = simulator.ask(QueryCharge(charge.attempt_id))
    assert isinstance(first, Unknown)
    assert isinstance(second, Charged)


def test_not_found_is_not_the_last_word_while_the_channel_hangs(simulator: SimulatorProcess) -> None:
    simulator.set_faults({"match": {"operation": "charge"}, "fault": "hang", "delay_ms": 1_800})
    charge = a_charge("hang", "tok_approved")
    assert simulator.ask(charge, read_ms=300) == [Unknown("ReadTimeout")]
    assert simulator.ask(QueryCharge(charge.attempt_id)) == [NotFound()]
    simulator.set_faults()
    (later,) = simulator.ask(
        charge, read_ms=5_000
    )  # Sent again under the same id, while the first is still on its way.
    assert isinstance(later, Charged)
    (asked,) = simulator.ask(QueryCharge(charge.attempt_id))
    assert asked == later
    assert [each["id"] for each in simulator.books()["charges"]].count(charge.attempt_id) == 1


def test_fifty_charges_at_once_are_fifty_charges(simulator: SimulatorProcess) -> None:
    charges = [a_charge(f"crowd-{number}", "tok_approved", 100 + number) for number in range(50)]
    verdicts = simulator.ask(*charges)
    assert [verdict.amount for verdict in verdicts if isinstance(verdict, Charged)] == list(range(100, 150))


def test_the_wrong_secret_is_unknown_and_never_a_decline(simulator: SimulatorProcess) -> None:
    (verdict,) = _ask(ChannelSettings("card_simulator", simulator.url, SECRET), CHARGE)
    assert verdict == Unknown("the answer is not signed by the channel")
    assert CHARGE.attempt_id not in {each["id"] for each in simulator.books()["charges"]}


# --- servers that do one thing wrong ---------------------------------------------------------------------------------


def reply_bytes(body: bytes, status: int = 200, **headers: str) -> bytes:
    """Signed as the channel would sign it, so that only the trouble under test stands between it and a verdict."""
    asked = CardSimulator("card_simulator", SECRET).to_wire(CHARGE).headers[SIGNATURE_HEADER]
    signature = SECRET.signature(answer_message(asked, status, body))
    lines = {SIGNATURE_HEADER: signature, "content-length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + body


UNREADABLE = Unknown("the answer cannot be read")
SUCCESS = (
    b'{"object":"charge","id":"att_7-1","status":"succeeded","reference":"ch_1","amount":1250,"currency":"EUR",'
    b'"fee":8,"decided_at":"2026-03-29T01:59:59Z"}'
)


@pytest.mark.parametrize(
    ("what", "answer", "verdict"),
    [
        ("silence", silence, Unknown("ReadTimeout")),
        ("closed after reading", saying(b""), Unknown("RemoteProtocolError")),
        ("reset after reading", reset, Unknown("ReadError")),
        ("cut in the head", saying(b"HTTP/1.1 200 OK\r\ncontent-le"), Unknown("RemoteProtocolError")),
        ("cut in the body", saying(reply_bytes(SUCCESS)[:-1]), Unknown("RemoteProtocolError")),
        ("not HTTP", saying(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), Unknown("RemoteProtocolError")),
        ("a drip without end", drip, Unknown("no whole answer in time")),
        ("compressed", saying(reply_bytes(SUCCESS, content_encoding="gzip")), Unknown("the answer is compressed")),
        (
            "one byte too many",
            saying(reply_bytes(SUCCESS.ljust(LARGEST_REPLY + 1))),
            Unknown("the answer is too large"),
        ),
        ("a redirect", saying(reply_bytes(b"", 307, location="/charges")), UNREADABLE),
        (
            "a redirect to nowhere",
            saying(reply_bytes(b"", 302, location="http://[")),
            Unknown("the answer cannot be read"),
        ),
        ("no content", saying(b"HTTP/1.1 204 Nothing\r\n\r\n"), Unknown("the answer is not signed by the channel")),
    ],
)
def test_trouble_after_the_request_has_left_is_unknown_and_nothing_is_sent_again(
    what: str, answer: Serve, verdict: Unknown
) -> None:
    async def asked() -> tuple[Verdict, int]:
        async with Server(answer).running() as server:
            settings = ChannelSettings("card_simulator", server.url, SECRET, read_ms=300, total_ms=900)
            async with Dispatcher(Registry([settings])) as dispatcher:
                return await dispatcher.ask("card_simulator", CHARGE), len(server.requests)

    assert asyncio.run(asked()) == (verdict, 1), what


def test_the_largest_reply_is_read() -> None:
    async def asked() -> Verdict:
        async with Server(saying(reply_bytes(SUCCESS.ljust(LARGEST_REPLY)))).running() as server:
            return await _asked(server, CHARGE)

    assert isinstance(asyncio.run(asked()), Charged)


def test_nobody_there_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert _ask(ChannelSettings("card_simulator", f"http://127.0.0.1:{port}", SECRET), CHARGE) == [
        NotSent("ConnectError")
    ]


def test_a_name_that_is_no_address_is_not_sent() -> None:
    settings = ChannelSettings("card_simulator", "http://no-such-host.invalid", SECRET)
    (verdict,) = _ask(settings, CHARGE)
    assert isinstance(verdict, NotSent)


def test_a_connection_that_is_never_accepted_is_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:  # The queue is full after these; whoever comes now gets no answer from the system.
                each.setblocking(False)
                each.connect_ex(address)
            settings = ChannelSettings("card_simulator", f"http://127.0.0.1:{address[1]}", SECRET, connect_ms=200)
            assert _ask(settings, CHARGE) == [NotSent("ConnectTimeout")]
        finally:
            for each in waiting:
                each.close()


def test_a_refused_connection_is_tried_once_more() -> None:
    async def asked() -> tuple[Verdict, int]:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        settings = ChannelSettings("card_simulator", f"http://127.0.0.1:{port}", SECRET)
        async with Dispatcher(Registry([settings])) as dispatcher:
            asking = asyncio.create_task(dispatcher.ask("card_simulator", CHARGE))
            await asyncio.sleep(0.02)  # Less than the pause before the second try, on the same event loop.
            async with Server(saying(reply_bytes(SUCCESS))).running(port) as server:
                return await asking, len(server.requests)

    verdict, requests = asyncio.run(asked())
    assert isinstance(verdict, Charged)
    assert requests == 1


def test_a_channel_that_hangs_takes_no_connection_from_another() -> None:
    async def asked() -> tuple[Verdict, Verdict, list[Verdict]]:
        async with Server(silence).running() as deaf, Server(saying(reply_bytes(SUCCESS))).running() as well:
            channels = [
                ChannelSettings("deaf", deaf.url, SECRET, "card_simulator", connect_ms=1_000, read_ms=4_000),
                ChannelSettings("well", well.url, SECRET, "card_simulator", connect_ms=1_000, read_ms=4_000),
            ]
            async with Dispatcher(Registry(channels)) as dispatcher:
                hanging = [asyncio.create_task(dispatcher.ask("deaf", CHARGE)) for _ in range(64)]
                while len(deaf.requests) < 64:
                    assert not any(task.done() for task in hanging)
                    await asyncio.sleep(0.01)
                one_more = await dispatcher.ask("deaf", CHARGE)
                other = await dispatcher.ask("well", CHARGE)
                return one_more, other, await asyncio.gather(*hanging)

    one_more, other, hanging = asyncio.run(asked())
    assert one_more == NotSent("PoolTimeout")
    assert isinstance(other, Charged)
    assert hanging == [Unknown("ReadTimeout")] * 64


def test_no_redirect_is_followed_and_no_proxy_of_the_shell_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked() -> tuple[Verdict, int]:
        async with Server(saying(reply_bytes(SUCCESS))).running() as canary:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, canary.url)
            moved = reply_bytes(b"", 308, location=f"{canary.url}/charges")
            async with Server(saying(moved)).running() as server:
                return await _asked(server, CHARGE), len(canary.requests)

    verdict, at_the_canary = asyncio.run(asked())
    assert isinstance(verdict, Unknown)
    assert at_the_canary == 0


def test_what_is_sent_is_what_the_translator_wrote() -> None:
    async def asked() -> bytes:
        async with Server(saying(reply_bytes(SUCCESS))).running() as server:
            await _asked(server, CHARGE)
            return server.requests[0]

    wire = CardSimulator("card_simulator", SECRET).to_wire(CHARGE)
    head, _, body = asyncio.run(asked()).partition(b"\r\n\r\n")
    assert body == wire.body
    assert head.startswith(b"POST /charges HTTP/1.1\r\n")
    sent = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.decode().split("\r\n"))}
    assert sent["channel-signature"] == wire.headers[SIGNATURE_HEADER]
    assert sent["accept-encoding"] == "identity"


# --- adapters with a bug ---------------------------------------------------------------------------------------------


class Broken:
    """An adapter that fails on its way out, or on its way in."""

    name = "card_simulator"

    def __init__(self, on_its_way_out: bool) -> None:
        self._on_its_way_out = on_its_way_out

    def to_wire(self, request: ChannelRequest) -> HttpRequest:
        if self._on_its_way_out:
            raise KeyError("token")
        return CardSimulator(self.name, SECRET).to_wire(request)

    def from_wire(self, request: ChannelRequest, reply: HttpReply) -> Verdict:
        raise KeyError("reference")

    def from_callback(self, headers: Mapping[str, str], body: bytes, now: datetime) -> CallbackNotice:
        raise KeyError("event")


@pytest.mark.parametrize(
    ("on_its_way_out", "verdict", "requests"),
    [(True, NotSent("the adapter failed: KeyError"), 0), (False, Unknown("the adapter failed: KeyError"), 1)],
)
def test_an_adapter_that_raises_is_told_by_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, on_its_way_out: bool, verdict: Verdict, requests: int
) -> None:
    async def asked() -> tuple[Verdict, int]:
        async with Server(saying(reply_bytes(SUCCESS))).running() as server:
            return await _asked(server, CHARGE), len(server.requests)

    monkeypatch.setitem(registry.ADAPTERS, "card_simulator", lambda _: Broken(on_its_way_out))
    assert asyncio.run(asked()) == (verdict, requests)


def test_a_channel_that_is_not_configured_is_named() -> None:
    async def asked() -> None:
        async with Dispatcher(Registry([])) as dispatcher:
            await dispatcher.ask("nobody", CHARGE)

    with pytest.raises(ChannelNotFound):
        asyncio.run(asked())


async def _asked(server: Server, request: Charge) -> Verdict:
    async with Dispatcher(Registry([ChannelSettings("card_simulator", server.url, SECRET)])) as dispatcher:
        return await dispatcher.ask("card_simulator", request)


def _ask(settings: ChannelSettings, request: ChannelRequest) -> list[Verdict]:
    async def asked() -> list[Verdict]:
        async with Dispatcher(Registry([settings])) as dispatcher:
            return [await dispatcher.ask(settings.name, request)]

    return asyncio.run(asked())
