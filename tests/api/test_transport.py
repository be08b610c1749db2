"""The door: what no request may be, whatever its route; and what every answer carries."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from api.telemetry import correlation_id
from api.transport import BODY, BodyRule, Door
from ledger.errors import AccountFrozen
from tests.api.client import Answer, call
from tests.api.test_problems import app_that_raises

JSON = ("Content-Type", "application/json")
RULES = {"/files": BodyRule(max_bytes=1_000_000, is_json=False), "/batches": BodyRule(max_bytes=1_000_000)}
KIB = 1024


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was given, so that a test sees what has come through the door."""
    message = await receive()
    seen = {
        "method": scope["method"],
        "body": message["body"].decode("latin-1"),
        "more": message["more_body"],
        "kept": scope.get(BODY, b"").decode("latin-1"),
        "correlation": correlation_id.get(),
    }
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


def through(method: str = "POST", path: str = "/things", patience_s: float = 5.0, **told: Any) -> Answer:
    return call(Door(echo, rules=RULES, patience_s=patience_s), method, path, **told)


def seen_by(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    seen: dict[str, Any] = json.loads(answer.body)
    return seen


def test_a_body_arrives_whole_in_one_message() -> None:
    chunked = through(chunks=[b"[1", b",", b"2]"], headers=[JSON, ("Transfer-Encoding", "chunked")])
    at_once = through(json_body=[1, 2])
    empty = through()
    for answer, body in ((chunked, "[1,2]"), (at_once, "[1, 2]"), (empty, "")):
        seen = seen_by(answer)
        assert (seen["body"], seen["kept"], seen["more"]) == (body, body, False)


def test_after_the_body_comes_the_end_of_the_connection() -> None:
    async def asks_for_more(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        more = asyncio.ensure_future(receive())
        await asyncio.sleep(0.01)
        assert not more.done()
        more.cancel()
        await send({"type": "http.response.start", "status": 204, "headers": []})

    assert call(Door(asks_for_more), "POST", "/things", json_body=1).status == 204


def test_a_read_is_not_waited_for() -> None:
    assert seen_by(through("GET", chunks=[b""]))["kept"] == ""


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
def test_json_is_taken(content_type: str) -> None:
    assert seen_by(through(chunks=[b"1"], headers=[("Content-Type", content_type), ("Content-Length", "1")]))


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/problem+json",
        "application/json, text/plain",
        "text/json",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_any_other_type_is_refused(content_type: str | None, method: str) -> None:
    headers = [("Content-Length", "1")] + ([("Content-Type", content_type)] if content_type is not None else [])
    answer = through(method, chunks=[b"1"], headers=headers)
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert through(method, "/files", chunks=[b"1"], headers=headers).status == 200


REFUSED: list[tuple[int, list[tuple[str, str]], int, str]] = [
    (75, [("Idempotency-Key", "a"), ("idempotency-key", "a")], 400, "idempotency_key_invalid"),
    (91, [JSON, ("Content-Type", "text/plain"), ("Content-Length", "1")], 415, "unsupported_media_type"),
    (92, [JSON, ("Content-Length", "1"), ("Content-Encoding", "gzip")], 415, "unsupported_encoding"),
    (92, [JSON, ("Transfer-Encoding", "chunked"), ("Content-Encoding", "br")], 415, "unsupported_encoding"),
    (93, [JSON, ("Content-Length", "2")], 400, "content_length_mismatch"),
    (93, [JSON, ("Content-Length", "0")], 400, "content_length_mismatch"),
    (93, [JSON, ("Content-Length", "-1")], 400, "content_length_mismatch"),
    (93, [JSON, ("Content-Length", "1_0")], 400, "content_length_mismatch"),
    (94, [JSON, ("Content-Length", "1"), ("Transfer-Encoding", "chunked")], 400, "framing_conflict"),
    (94, [JSON, ("Content-Length", "1"), ("Content-Length", "1")], 400, "framing_conflict"),
    (95, [JSON, ("Content-Length", "1"), ("X-Long", "x" * 70_000)], 431, "headers_too_large"),
    (95, [JSON, ("Content-Length", "1"), *[(f"X-{at}", "x" * 100) for at in range(400)]], 431, "headers_too_large"),
    (98, [("Authorization", "Bearer a"), ("Authorization", "Bearer b")], 400, "bad_request"),
]


@pytest.mark.parametrize(("row", "headers", "status", "code"), REFUSED, ids=lambda value: str(value)[:50])
def test_a_bad_header_has_its_refusal(row: int, headers: list[tuple[str, str]], status: int, code: str) -> None:
    answer = through(chunks=[b"1"], headers=headers)
    assert (answer.status, answer.code) == (status, code)
    closes = answer.headers.get("connection") == "close"
    assert closes == (code == "framing_conflict"), "where a body ends is in doubt, or was seen"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_long_address_counts_as_a_header() -> None:
    assert through("GET", "/things?" + "x" * 33_000).code == "headers_too_large"
    assert through("GET", "/" + "x" * 33_000).code == "headers_too_large"


def test_a_large_body_is_refused_by_its_announcement_or_as_soon_as_it_is_too_large() -> None:
    chunks = [b"x" * 64 * KIB] * 20
    for told in (("Content-Length", str(20 * 64 * KIB)), ("Transfer-Encoding", "chunked")):
        answer = through(chunks=chunks, headers=[JSON, told])
        assert (answer.status, answer.code, answer.problem["max_bytes"]) == (413, "body_too_large", 256 * KIB)
        # A client that is still sending does not read: the rest is dropped before it is answered.
        assert (answer.unread_chunks, answer.headers.get("connection")) == (0, None)
    fits = [JSON, ("Content-Length", str(256 * KIB))]
    assert seen_by(through(chunks=[b"x" * 64 * KIB] * 4, headers=fits))
    for path in ("/batches", "/files"):
        assert seen_by(
            through(path=path, chunks=[b"x" * 64 * KIB] * 5, headers=[JSON, ("Transfer-Encoding", "chunked")])
        )


def test_the_rest_of_a_refused_body_is_dropped_up_to_a_limit() -> None:
    chunked = [JSON, ("Transfer-Encoding", "chunked")]
    endless = through(chunks=[b"x" * 1024 * KIB] * 100, headers=chunked)
    assert (endless.code, endless.headers["connection"]) == ("body_too_large", "close")
    assert endless.unread_chunks > 80
    slow = through(chunks=[b"x" * 1024 * KIB] * 100, headers=[*chunked, ("Content-Encoding", "gzip")], pause_s=0.6)
    assert (slow.code, slow.headers["connection"]) == ("unsupported_encoding", "close")
    assert slow.unread_chunks > 95


def test_a_body_that_trickles_in_is_not_waited_for_for_ever() -> None:
    slow = through(
        chunks=[b"1"] * 1_000, headers=[JSON, ("Transfer-Encoding", "chunked")], pause_s=0.01, patience_s=0.1
    )
    assert (slow.status, slow.code, slow.headers["connection"]) == (408, "request_timeout", "close")
    assert slow.problem["retryable"] is True


def test_a_large_body_has_more_time() -> None:
    chunked = [JSON, ("Transfer-Encoding", "chunked")]
    assert seen_by(through(chunks=[b"x" * 16 * KIB] * 10, headers=chunked, pause_s=0.02, patience_s=0.1))


def test_a_caller_who_leaves_is_not_answered() -> None:
    sent = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [(b"x", b"y")]}
    asyncio.run(Door(echo)(scope, receive, send))
    assert not sent


def test_a_header_cannot_change_the_method() -> None:
    override = [("X-HTTP-Method-Override", "DELETE"), ("X-HTTP-Method", "DELETE"), ("X-Method-Override", "DELETE")]
    assert seen_by(through("POST", headers=override))["method"] == "POST"


def test_the_correlation_id_of_the_caller_is_kept_and_told() -> None:
    answer = through("GET", headers=[("X-Correlation-Id", "order/77;a=b")])
    assert seen_by(answer)["correlation"] == answer.headers["x-correlation-id"] == "order/77;a=b"


def test_the_correlation_id_of_one_request_does_not_stay_for_the_next() -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        """Nobody listens."""

    async def two_requests() -> list[str]:
        left = []
        for given in (b"first", b"second"):
            headers = [(b"x-correlation-id", given)]
            scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
            await Door(echo)(scope, receive, send)
            left.append(correlation_id.get())
        return left

    assert asyncio.run(two_requests()) == ["", ""]


@pytest.mark.parametrize("given", ["", "a b", "a\r\nSet-Cookie: b", "é", "x" * 129])
def test_a_correlation_id_that_is_none_is_replaced(given: str) -> None:
    first = through("GET", headers=[("X-Correlation-Id", given)])
    second = through("GET")
    assert seen_by(first)["correlation"] == first.headers["x-correlation-id"]
    assert first.headers["x-correlation-id"].startswith("cor_")
    assert first.headers["x-correlation-id"] != second.headers["x-correlation-id"]


def test_a_correlation_id_that_was_set_outside_is_left_alone() -> None:
    token = correlation_id.set("cor_outside")
    try:
        answer = through("GET", headers=[("X-Correlation-Id", "inside")])
    finally:
        correlation_id.reset(token)
    assert seen_by(answer)["correlation"] == "cor_outside"
    assert "x-correlation-id" not in answer.headers


def raising(error: Exception, *, after_start: bool = False) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if after_start:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    return app


def test_the_door_is_the_last_resort(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = call(Door(raising(AssertionError("canary"))), "GET", "/")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert b"canary" not in answer.body
    assert len(caplog.records) == 1


def test_half_an_answer_is_left_to_the_server() -> None:
    with pytest.raises(AssertionError, match="canary"):
        call(Door(raising(AssertionError("canary"), after_start=True)), "GET", "/")


def test_what_the_application_has_told_is_not_told_twice(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = call(Door(app_that_raises(AssertionError("canary"))), "GET", "/things")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(caplog.records) == 1
    assert call(Door(app_that_raises(AccountFrozen())), "GET", "/things").code == "account_frozen"


def test_what_is_no_request_passes() -> None:
    passed = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["type"])

    asyncio.run(Door(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert passed == ["lifespan"]
