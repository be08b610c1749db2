"""Webhooks: who may be told, of what, and under which signatures; each rule, as given, when, then."""

import asyncio
import base64
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from commands.processes.webhook_deliveries import PAUSES_S, delivery_id, pause_s, position_of
from commands.webhook_addresses import AddressRule, is_public
from commands.webhook_messages import OVERLAP, body_of, headers_of, keys_of, signing_keys
from commands.webhooks import (
    ChangeWebhookEndpoint,
    CreateWebhookEndpoint,
    DisableWebhookEndpoint,
    EnableWebhookEndpoint,
    ReplayWebhooks,
    RotateWebhookSecret,
)
from ledger.errors import (
    FieldInvalid,
    PositionNotReached,
    Refusal,
    UrlNotAllowed,
    WebhookEndpointNotFound,
    WebhookEndpointStateInvalid,
)
from ledger.events.customers import CustomerCreated
from ledger.events.event import Metadata, Recorded
from ledger.events.webhooks import WebhookEndpointDisabled, WebhookSecretRotated
from ledger.webhook_state import fits
from tests.commands.given import given

PEPPER = b"p" * 32
NOW = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)
CREATED = CreateWebhookEndpoint("whe_1", "https://shop.example/hooks", ("payments.*",))
DISABLED = DisableWebhookEndpoint("whe_1", "moves")


@pytest.mark.parametrize(
    ("filters", "topic", "told"),
    [
        (["*"], "payments.captured.v1", True),
        (["payments.*"], "payments.captured.v1", True),
        (["payments.captured.v1"], "payments.captured.v1", True),
        (["payments.captured.v1"], "payments.captured.v2", False),
        (["payments.*"], "payouts.paid.v1", False),
        (["pay.*"], "payments.captured.v1", False),
        (["refunds.*", "payments.*"], "payments.captured.v1", True),
    ],
)
def test_a_filter_lets_a_topic_a_noun_or_everything_through(filters: list[str], topic: str, told: bool) -> None:
    assert fits(filters, topic) is told


@pytest.mark.parametrize("topics", [(), ("payments",), ("payments.captured",), ("pay*",), ("",), ("x.y.v1",) * 51])
def test_a_topic_that_cannot_be_is_refused(topics: tuple[str, ...]) -> None:
    given().when(CreateWebhookEndpoint("whe_1", "https://shop.example/", topics)).refused(FieldInvalid)


@pytest.mark.parametrize(
    "url", ["", "shop", "ftp://shop.example/", "https:///x", "https://u@shop.example/", "https://s/ x", "https://s:0/"]
)
def test_an_address_that_makes_no_sense_is_refused(url: str) -> None:
    given().when(CreateWebhookEndpoint("whe_1", url, ("*",))).refused(UrlNotAllowed)


@pytest.mark.parametrize(
    ("before", "command", "refusal"),
    [
        ((), DISABLED, WebhookEndpointNotFound),
        ((), RotateWebhookSecret("whe_1"), WebhookEndpointNotFound),
        ((CREATED, DISABLED), DISABLED, WebhookEndpointStateInvalid),
        ((CREATED,), EnableWebhookEndpoint("whe_1"), WebhookEndpointStateInvalid),
        ((CREATED, DISABLED), ReplayWebhooks("whe_1", 1), WebhookEndpointStateInvalid),
        ((CREATED,), ReplayWebhooks("whe_1", 1, 1_000), PositionNotReached),
        ((CREATED,), ChangeWebhookEndpoint("whe_1", "nowhere", ("*",)), UrlNotAllowed),
    ],
)
def test_what_does_not_fit_the_endpoint_is_refused(before: Any, command: Any, refusal: type[Refusal]) -> None:
    given(*before).when(command).refused(refusal)


def test_an_endpoint_is_disabled_and_its_secret_rotated() -> None:
    given(CREATED).when(DISABLED).then(WebhookEndpointDisabled("whe_1", "moves"))
    given(CREATED).when(RotateWebhookSecret("whe_1")).then(WebhookSecretRotated("whe_1", 2))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::1",
        "::",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "fec0::1",
        "2001:db8::1",
    ],
)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_an_address_outside_is_public(address: str) -> None:
    assert is_public(ip_address(address))


def test_every_address_of_a_name_is_judged_and_the_judged_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads outside and inside at once, and one that leads elsewhere the next time it is asked for."""

    def leading_to(*addresses: str) -> Any:
        async def getaddrinfo(host: str, port: int, **_: object) -> Any:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        return getaddrinfo

    async def place(*addresses: str) -> str:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "getaddrinfo", leading_to(*addresses))
        return (await AddressRule().place_of("https://shop.example/hooks?a=1")).address

    assert asyncio.run(place("8.8.8.8")) == "8.8.8.8"
    for inside in ("127.0.0.1", "10.0.0.1"):
        with pytest.raises(UrlNotAllowed):
            asyncio.run(place("8.8.8.8", inside))


def test_messages_of_one_event_are_signed_by_both_generations_for_a_day() -> None:
    recorded = Recorded("customer/ann", 1, 17, NOW, CustomerCreated("ann", "Ann"), Metadata("key_1"))
    body = body_of(recorded, [recorded])
    assert b"Ann" not in body  # Nothing personal.
    old, new = keys_of(PEPPER, "demo", "whe_1", 1), keys_of(PEPPER, "demo", "whe_1", 2)
    now = datetime.now(UTC)
    both = signing_keys(PEPPER, "demo", "whe_1", 2, now, now)
    assert both == [new, old]
    assert signing_keys(PEPPER, "demo", "whe_1", 2, now - OVERLAP, now) == [new]
    headers = headers_of(both, "msg_demo_17", now, body)
    for keys in both:
        assert Webhook(keys.secret).verify(body, headers)["data"]["id"] == "ann"
    _check_with_public_key(new.public_key, headers, body)


def _check_with_public_key(public_key: str, headers: dict[str, str], body: bytes) -> None:

    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    signature = headers["webhook-signature"].split(" ")[1]
    assert signature.startswith("v1a,")
    key.verify(base64.b64decode(signature.removeprefix("v1a,")), signed)


def test_secrets_of_other_endpoints_books_and_services_are_others() -> None:
    here = keys_of(PEPPER, "demo", "whe_1", 1)
    others = [
        keys_of(PEPPER, "demo", "whe_2", 1),
        keys_of(PEPPER, "other", "whe_1", 1),
        keys_of(b"q" * 32, "demo", "whe_1", 1),
        keys_of(PEPPER, "demo", "whe_1", 2),
    ]
    assert len({keys.secret for keys in (here, *others)}) == 5
    assert here.shared != here.private


def test_the_pauses_grow_to_about_three_days_and_then_it_is_over() -> None:
    assert list(PAUSES_S) == sorted(PAUSES_S)
    assert timedelta(days=2) < timedelta(seconds=sum(PAUSES_S)) < timedelta(days=4)
    assert pause_s(1) == 5
    assert pause_s(len(PAUSES_S)) == PAUSES_S[-1]
    assert pause_s(len(PAUSES_S) + 1) is None


def test_a_delivery_s_id_leads_to_its_event() -> None:
    assert position_of("whe_1", delivery_id("whe_1", 17)) == 17
    assert position_of("whe_2", delivery_id("whe_1", 17)) is None
    assert position_of("whe_1", "whe_1-x") is None
