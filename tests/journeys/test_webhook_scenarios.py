"""Webhooks: others hear of what happens, can prove that it comes from us, and never lose or mistake a message."""

from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.journeys.caller import Caller, fresh
from tests.journeys.receiver import Received, Receiver
from tests.journeys.service import Service

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening


@pytest.fixture
def own(service: Service) -> Caller:
    """Somebody with a book of his own, so that nothing else is told."""
    return service.caller(service.new_book())


def endpoint_at(own: Caller, receiver: Receiver, *topics: str, **more: Any) -> dict[str, Any]:
    asked = {"url": receiver.url, "topics": list(topics) or ["*"], **more}
    created: dict[str, Any] = own.post("/webhook-endpoints", asked).done()
    return created


def paid(own: Caller) -> dict[str, Any]:
    """A payment by card that succeeded."""
    merchant = fresh("shop")
    fee = {"percent_bps": 100, "fixed": 0}
    own.post("/merchants", {"id": merchant, "name": "Shop", "fee": fee, "settlement_currency": "EUR"}).done()
    order = {
        "merchant": merchant,
        "amount": 6000,
        "currency": "EUR",
        "product": "quick_pay",
        "method": {"type": "card", "token": "tok_approved"},
        "order_reference": fresh("order"),
    }
    payment: dict[str, Any] = own.post("/payments", order).done()
    assert payment["status"] == "succeeded"
    return payment


def types_of(received: list[Received]) -> list[str]:
    return [one.json["type"] for one in received]


def test_p79_an_endpoint_is_told_and_an_independent_library_verifies_it(own: Caller, receiver: Receiver) -> None:
    endpoint = endpoint_at(own, receiver, "payments.*")
    payment = paid(own)
    received = receiver.wait_until(lambda all_: "payments.captured.v1" in types_of(all_))
    assert types_of(received)[0] == "payments.created.v1"
    assert {name.split(".")[0] for name in types_of(received)} == {"payments"}
    captured = next(one for one in received if one.json["type"] == "payments.captured.v1")
    # The library knows the shared-secret signatures only and passes over the others.
    verified = Webhook(endpoint["secret"]).verify(captured.body, captured.headers)
    assert verified["data"]["payment"] == {
        "id": payment["id"],
        "status": "succeeded",
        "merchant": payment["merchant"],
        "order_reference": payment["order_reference"],
        "amount": 6000,
        "currency": "EUR",
        "amount_captured": 6000,
        "amount_refunded": 0,
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint["secret"]).verify(captured.body + b" ", captured.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 44).verify(captured.body, captured.headers)


def test_p79_a_message_that_is_not_taken_comes_again_under_the_same_id(own: Caller, receiver: Receiver) -> None:
    receiver.answers.append((500, {}))
    endpoint = endpoint_at(own, receiver, "merchants.*", ordered=True)
    own.post(
        "/merchants",
        {"name": "A", "fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"},
    ).done()
    own.post(
        "/merchants",
        {"name": "B", "fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"},
    ).done()
    received = receiver.wait_until(lambda all_: len(all_) == 3)
    first, again, second = [one.id for one in received]
    assert first == again != second  # In order: the second one waited for the first.
    assert received[0].body == received[1].body

    def listed() -> Any:
        return own.get(f"/webhook-endpoints/{endpoint['id']}/deliveries").done(200)["data"]

    receiver.wait_until(lambda _: all(one["status"] == "delivered" for one in listed()))
    newest, oldest = listed()
    assert [attempt["status"] for attempt in oldest["attempts"]] == [500, 204]
    assert [attempt["status"] for attempt in newest["attempts"]] == [204]


def test_p79_a_message_is_sent_again_by_hand_and_all_of_them_from_the_log(own: Caller, receiver: Receiver) -> None:
    paid(own)
    endpoint = endpoint_at(own, receiver, "payments.captured.v1", "merchants.*")
    path = f"/webhook-endpoints/{endpoint['id']}"
    # What happened before it was there is told when it is asked for.
    own.post(f"{path}/replay", {"from_position": 1}).done()
    received = receiver.wait_until(lambda all_: len(all_) == 2)
    assert sorted(types_of(received)) == ["merchants.created.v1", "payments.captured.v1"]
    delivery = own.get(f"{path}/deliveries").done(200)["data"][0]
    own.post(f"{path}/deliveries/{delivery['id']}/resend", {}).done()
    once_more = receiver.wait_until(lambda all_: len(all_) == 3)
    assert len({one.id for one in once_more}) == 2
    own.post(f"{path}/deliveries/{endpoint['id']}-999999/resend", {}).refused(404, "webhook_delivery_not_found")
    own.post(f"{path}/replay", {"from_position": 10**9}).refused(422, "field_invalid")


def test_p79_a_secret_is_rotated_without_a_gap(own: Caller, receiver: Receiver) -> None:
    endpoint = endpoint_at(own, receiver, "customers.*")
    path = f"/webhook-endpoints/{endpoint['id']}"
    rotated = own.post(f"{path}/rotate-secret", {}).done()
    assert rotated["secret"] != endpoint["secret"]
    own.post("/customers", {"name": "Ann"}).done()
    (message,) = receiver.wait_until(lambda all_: len(all_) == 1)
    for secret in (endpoint["secret"], rotated["secret"]):
        Webhook(secret).verify(message.body, message.headers)
    assert own.get(f"{path}/secret").done(200)["secret"] == rotated["secret"]
    assert "secret" not in own.get(path).done(200)


def test_the_secret_is_in_the_answer_again_and_in_no_event(own: Caller, receiver: Receiver) -> None:
    asked = {"url": receiver.url, "topics": ["*"]}
    key = fresh("key")
    first = own.post("/webhook-endpoints", asked, key=key)
    again = own.post("/webhook-endpoints", asked, key=key)
    assert again.is_replay
    assert again.done() == first.done()
    log = own.get("/events").raw.decode()
    assert first.body["secret"] not in log
    assert "whsec_" not in log


def test_p79_an_endpoint_finds_its_own_headers_on_every_message_and_nobody_else_reads_them(
    own: Caller, receiver: Receiver
) -> None:
    key = "open-sesame-" + fresh("gate")
    headers = {"X-Gate-Key": key, "Authorization": f"Bearer {key}"}
    endpoint = endpoint_at(own, receiver, "customers.*", headers=headers)
    path = f"/webhook-endpoints/{endpoint['id']}"
    assert endpoint["headers"] == ["x-gate-key", "authorization"]
    own.post("/customers", {"name": "Ann"}).done()
    (first,) = receiver.wait_until(lambda all_: len(all_) == 1)
    assert (first.headers["x-gate-key"], first.headers["authorization"]) == (key, f"Bearer {key}")
    Webhook(endpoint["secret"]).verify(first.body, first.headers)
    # A change without headers leaves them, one with others replaces them all.
    changed = own.post(f"{path}/change", {"url": receiver.url, "topics": ["customers.*"]}).done()
    assert changed["headers"] == endpoint["headers"]
    other = {"url": receiver.url, "topics": ["customers.*"], "headers": {"X-Other": key}}
    assert own.post(f"{path}/change", other).done()["headers"] == ["x-other"]
    own.post("/customers", {"name": "Bob"}).done()
    second = receiver.wait_until(lambda all_: len(all_) == 2)[1]
    assert (second.headers["x-other"], "x-gate-key" in second.headers) == (key, False)
    assert own.post(f"{path}/change", {**other, "headers": {}}).done()["headers"] == []
    told = (path, f"{path}/secret", f"{path}/deliveries", "/webhook-endpoints", "/events", "/audit/trail")
    params = {"/audit/trail": {"entity": f"webhook/{endpoint['id']}"}}
    for address in told:
        assert key.encode() not in own.get(address, **params.get(address, {})).raw


@pytest.mark.parametrize("name", ["Host", "content-length", "Webhook-Signature", "webhook-id", "a b"])
def test_p79_no_header_of_ours_is_taken_for_an_endpoint_s_own(caller: Caller, name: str) -> None:
    headers = {name: "1", "X-Torn": " a", "X-Ok": "1"}
    asked = {"url": "https://8.8.8.8/hooks", "topics": ["*"], "headers": headers}
    problem = caller.post("/webhook-endpoints", asked).refused(422, "field_invalid")
    assert {error["pointer"] for error in problem["errors"]} == {f"/headers/{name}", "/headers/X-Torn"}


def test_endpoints_are_listed_page_by_page_without_their_secrets(service: Service, own: Caller) -> None:
    with Receiver() as receiver:
        made = [endpoint_at(own, receiver, "customers.*", description=str(number)) for number in range(3)]
    first = own.get("/webhook-endpoints", limit=2).done(200)
    second = own.get("/webhook-endpoints", limit=2, cursor=first["next_cursor"]).done(200)
    assert second["next_cursor"] is None
    listed = [*first["data"], *second["data"]]
    assert [one["id"] for one in listed] == [one["id"] for one in made]
    assert listed[0] == own.get(f"/webhook-endpoints/{made[0]['id']}").done(200)
    assert all("secret" not in one for one in listed)
    assert service.caller(service.new_book()).get("/webhook-endpoints").done(200)["data"] == []
    own.get("/webhook-endpoints", cursor="x").refused(400, "cursor_invalid")


def test_an_endpoint_that_is_gone_is_asked_no_more(own: Caller, receiver: Receiver) -> None:
    receiver.answers.append((410, {}))
    endpoint = endpoint_at(own, receiver, "customers.*")
    own.post("/customers", {"name": "Ann"}).done()
    path = f"/webhook-endpoints/{endpoint['id']}"
    receiver.wait_until(lambda _: own.get(path).done(200)["status"] == "disabled")
    own.post("/customers", {"name": "Bob"}).done()
    own.post(f"{path}/disable", {"reason": "again"}).refused(409, "webhook_endpoint_state_invalid")
    own.post(f"{path}/enable", {}).done()
    own.post("/customers", {"name": "Cyd"}).done()
    received = receiver.wait_until(lambda all_: len(all_) == 2)
    assert len({one.id for one in received}) == 2  # Ann and Cyd; Bob was told to nobody.


def test_row_106_a_redirect_is_not_followed(own: Caller, receiver: Receiver) -> None:
    receiver.answers.append((302, {"location": "http://127.0.0.1:1/inside"}))
    endpoint = endpoint_at(own, receiver, "customers.*")
    own.post("/customers", {"name": "Ann"}).done()
    receiver.wait_until(lambda all_: len(all_) == 2)  # It came again to the same place.
    path = f"/webhook-endpoints/{endpoint['id']}/deliveries"
    (delivery,) = own.get(path).done(200)["data"]
    assert delivery["attempts"][0]["status"] == 302


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://127.1/hook",
        "https://2130706433/hook",
        "https://0x7f000001/hook",
        "https://0/hook",
        "https://10.0.0.7/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/hook",
        "https://[::ffff:127.0.0.1]/hook",
        "https://[64:ff9b::7f00:1]/hook",
        "https://[2002:7f00:1::]/hook",
        "https://224.0.0.1/hook",
        "https://192.0.0.8/hook",
        "https://8.8.8.8:22/hook",
        "http://8.8.8.8/hook",
        "https://me:secret@8.8.8.8/hook",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
        "https://8.8.8.8/hook#part",
        "https:///hook",
        "nothing",
    ],
)
def test_row_106_an_address_inside_is_no_endpoint(caller: Caller, url: str) -> None:
    problem = caller.post("/webhook-endpoints", {"url": url, "topics": ["*"]}).refused(422, "url_not_allowed")
    assert problem["errors"][0]["pointer"] == "/url"


def test_the_endpoints_of_another_book_are_not_there(service: Service, own: Caller, receiver: Receiver) -> None:
    endpoint = endpoint_at(own, receiver, "*")
    stranger = service.caller(service.new_book())
    path = f"/webhook-endpoints/{endpoint['id']}"
    stranger.get(path).refused(404, "webhook_endpoint_not_found")
    stranger.get(f"{path}/secret").refused(404, "webhook_endpoint_not_found")
    stranger.post(f"{path}/rotate-secret", {}).refused(404, "webhook_endpoint_not_found")
