"""Kept callbacks: what a channel has told us is there as it came, also when it is about nothing that is known here."""

import base64

import msgspec

from commands.channels.signatures import secret_from_file, sign_message
from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_webhook_scenarios import paid


def told(service: Service, body: bytes, event_id: str) -> Reply:
    """What is answered to a genuine message with this id."""
    own = secret_from_file(service.state / "channels" / f"{CHANNEL}.secret")
    headers = sign_message(own, event_id, service.now(), body)
    return service.nobody.send("POST", f"/channels/{CHANNEL}/callbacks", content=body, headers=headers)


def about(attempt: str) -> bytes:
    said = {
        "object": "charge",
        "id": attempt,
        "reference": fresh("ch"),
        "status": "succeeded",
        "amount": 6000,
        "currency": "EUR",
        "fee": 36,
        "decided_at": "2026-11-21T10:20:30Z",
    }
    return msgspec.json.encode(said)


def test_a_message_about_nothing_of_ours_is_answered_and_kept_with_its_bytes(service: Service) -> None:
    body, event_id = about("pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f-1"), fresh("evt")
    for _ in range(2):
        assert told(service, body, event_id).done(200) == {"status": "ignored"}
    (kept,) = service.kept_callbacks(event_id)
    assert (kept.body, kept.effect, kept.book) == (body, "ignored", None)
    assert "channel-signature" in kept.headers
    assert "authorization" not in kept.headers


def test_a_message_that_is_not_the_channel_s_is_not_kept(service: Service) -> None:
    body, event_id = about("pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f-1"), fresh("evt")
    own = secret_from_file(service.state / "channels" / f"{CHANNEL}.secret")
    headers = sign_message(own, event_id, service.now() - 301, body)
    path = f"/channels/{CHANNEL}/callbacks"
    service.nobody.send("POST", path, content=body, headers=headers).refused(401, "timestamp_out_of_window")
    assert service.kept_callbacks(event_id) == []


def test_an_administrator_lists_what_channels_told_page_by_page(service: Service) -> None:
    own, stranger = service.caller(service.new_book()), service.caller(service.new_book())
    said = [fresh("evt") for _ in range(3)]
    bodies = [about(f"pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f-{number}") for number in (1, 2, 3)]
    for event_id, body in zip(said, bodies, strict=True):
        told(service, body, event_id).done(200)
    first = own.get("/callbacks", channel=CHANNEL, limit=2).done(200)
    second = own.get("/callbacks", channel=CHANNEL, limit=2, cursor=first["next_cursor"]).done(200)
    # Others may tell something meanwhile: it comes before these, and moves nothing to another page.
    listed = [one for one in (*first["data"], *second["data"]) if one["event_id"] in said]
    assert [one["event_id"] for one in listed] == said[::-1]
    assert base64.b64decode(listed[0]["body_base64"]) == bodies[-1]
    assert {(one["channel"], one["book"], one["effect"]) for one in listed} == {(CHANNEL, None, "ignored")}
    assert {one["channel"] for one in own.get("/callbacks", channel="carrier").done(200)["data"]} <= {"carrier"}
    ignored = own.get("/callbacks", effect="ignored", limit=3).done(200)["data"]
    assert {one["event_id"] for one in ignored} >= {said[-1]}
    own.get("/callbacks", effect="ignored", cursor=first["next_cursor"]).refused(400, "cursor_invalid")
    # What a book knew is for that book; what none knew may have been meant for any.
    payment = paid(own)
    service.wait_until(lambda: subjects(own) >= {f"{payment['id']}-1"})
    assert f"{payment['id']}-1" not in subjects(stranger)
    assert own.get("/callbacks", effect="taken", limit=1).done(200)["data"][0]["book"] is not None


def test_whoever_is_no_administrator_does_not_see_what_channels_told(service: Service) -> None:
    book = service.new_book()
    service.caller(book, "payments:read", "payments:write").get("/callbacks").refused(403, "scope_missing")


def subjects(caller: Caller) -> set[str]:
    return {one["subject"] for one in caller.get("/callbacks", limit=500).done(200)["data"]}
