"""Kept callbacks: what a channel has told us is there as it came, also when it is about nothing that is known here."""

import msgspec

from commands.channels.signatures import secret_from_file, sign_message
from tests.journeys.caller import Reply, fresh
from tests.journeys.service import CHANNEL, Service


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
