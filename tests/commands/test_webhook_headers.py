"""Webhook headers: what may be one, that nothing of it is written down in clear, and that it reaches the endpoint."""

import pytest

from commands.sealed_answers import AnswerSeal
from commands.webhook_headers import MOST_HEADERS, HeaderSeal
from commands.webhook_messages import headers_of, keys_of
from commands.webhooks import ChangeWebhookEndpoint, CreateWebhookEndpoint
from ledger.errors import FieldInvalid
from ledger.events.webhooks import WebhookEndpointChanged, WebhookEndpointCreated
from tests.commands.given import NOON, given

PEPPER = b"p" * 32
SEAL = HeaderSeal(PEPPER)
URL = "https://shop.example/hooks"
GATE = {"X-Gate-Key": "open sesame"}


def test_a_seal_hides_the_values_and_gives_them_back() -> None:
    closed = SEAL.closed(GATE)
    assert closed.keys() == {"x-gate-key"}
    assert "sesame" not in repr(closed)
    assert SEAL.opened(closed) == {"x-gate-key": "open sesame"}


@pytest.mark.parametrize("other", [HeaderSeal(b"q" * 32), AnswerSeal(PEPPER)])
def test_no_other_seal_opens_them(other: HeaderSeal | AnswerSeal) -> None:
    with pytest.raises(ValueError, match="sealed by another"):
        other.open(SEAL.closed(GATE)["x-gate-key"])


@pytest.mark.parametrize(
    ("headers", "pointers"),
    [
        ({"Host": "x"}, ["/headers/Host"]),
        ({"content-LENGTH": "1"}, ["/headers/content-LENGTH"]),
        ({"Webhook-Id": "1", "Proxy-Authorization": "x"}, ["/headers/Webhook-Id", "/headers/Proxy-Authorization"]),
        ({"X-A": "1", "x-a": "2"}, ["/headers/x-a"]),
        ({"": "1", "a b": "1", "a/b~": "1"}, ["/headers/", "/headers/a b", "/headers/a~1b~0"]),
        ({"X-A": ""}, ["/headers/X-A"]),
        ({"X-A": "a\r\nHost: inside", "X-B": " b", "X-C": "é"}, ["/headers/X-A", "/headers/X-B", "/headers/X-C"]),
        ({"X-A": "a" * 1_001}, ["/headers/X-A"]),
        ({f"X-{number}": "1" for number in range(MOST_HEADERS + 1)}, ["/headers"]),
    ],
)
def test_what_cannot_be_a_header_is_named(headers: dict[str, str], pointers: list[str]) -> None:
    with pytest.raises(FieldInvalid) as refused:
        SEAL.closed(headers)
    assert [error.pointer for error in refused.value.errors] == pointers


def test_the_longest_and_the_most_are_taken() -> None:
    headers = {f"X-{number}": "a" * 1_000 for number in range(MOST_HEADERS)}
    assert len(SEAL.closed(headers)) == MOST_HEADERS


def test_an_endpoint_keeps_its_headers_until_it_is_given_others() -> None:
    created = CreateWebhookEndpoint("whe_1", URL, ("*",), headers={"x-a": "sealed:1"})
    story = given()
    story.when(created).then(WebhookEndpointCreated("whe_1", URL, ("*",), headers={"x-a": "sealed:1"})).answered(
        headers=["x-a"]
    )
    same = ChangeWebhookEndpoint("whe_1", URL, ("payments.*",))
    story.when(same).then(WebhookEndpointChanged("whe_1", URL, ("payments.*",))).answered(headers=["x-a"])
    other = ChangeWebhookEndpoint("whe_1", URL, ("*",), headers={"x-b": "sealed:2"})
    story.when(other).answered(headers=["x-b"])
    story.when(same).answered(headers=["x-b"])
    story.when(ChangeWebhookEndpoint("whe_1", URL, ("*",), headers={})).answered(headers=[])


def test_what_we_say_of_a_message_stands_above_what_the_endpoint_says() -> None:
    keys = [keys_of(PEPPER, "demo", "whe_1", 1)]
    sent = headers_of(keys, "msg_1", NOON, b"{}", {"webhook-id": "msg_2", "x-gate-key": "open sesame"})
    assert (sent["webhook-id"], sent["x-gate-key"]) == ("msg_1", "open sesame")
