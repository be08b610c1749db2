"""Bad inputs that are no good HTTP: keys and other headers, paths, methods, lengths, slow clients, a database away."""

import gzip
import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.faults.severing_proxy import SeveringProxy
from tests.journeys.bad_inputs import Case, Desk, cases, check
from tests.journeys.caller import Caller, Reply, at_once, fresh, transfer
from tests.journeys.service import Service
from tests.journeys.wire import Line, request

JSON = "Content-Type: application/json"
_SLOW_CLIENTS = 30
_LONGEST_BODY_S = 10


def sent(desk: Desk, *headers: str, method: str = "POST", target: str = "/v1/transfers", body: bytes = b"") -> Reply:
    """What the server answers to these bytes."""
    with Line(desk.service.url) as line:
        line.say(request(line, method, target, desk.caller.key, *headers, body=body))
        reply = line.hear()
    assert reply is not None, "the server closed the line without an answer"
    return reply


def good_body(desk: Desk) -> bytes:
    return json.dumps(transfer(desk.shop, desk.rich, 1)).encode()


def with_keys(desk: Desk, *keys: str) -> Reply:
    body = good_body(desk)
    lines = [f"Idempotency-Key: {key}" for key in keys]
    return sent(desk, JSON, f"Content-Length: {len(body)}", *lines, body=body)


def typed(desk: Desk, *headers: str, body: bytes | None = None) -> Reply:
    body = good_body(desk) if body is None else body
    return sent(desk, f"Content-Length: {len(body)}", "Idempotency-Key: typed", *headers, body=body)


def key_case(what: str, *keys: str, code: str = "idempotency_key_invalid") -> Case:
    return Case({0: 73, 1: 74}.get(len(keys), 75), what, lambda desk: with_keys(desk, *keys), 400, code)


def path(row: int, target: str, status: int, code: str, echo: str = "") -> Case:
    return Case(row, target, lambda desk: sent(desk, method="GET", target=f"/v1/{target}"), status, code, echo)


def method(name: str) -> Case:
    return Case(97, name, lambda desk: sent(desk, method=name), 405, "method_not_allowed")


ROWS = [
    key_case("no key", code="idempotency_key_missing"),
    key_case("a key of 256 characters", "k" * 256),
    key_case("an empty key", ""),
    key_case("a key with a space", "a b"),
    key_case("a key that is not ASCII", "schlüssel"),
    key_case("a key with a control character", "a\tb"),
    key_case("two keys", "one", "two"),
    key_case("one key twice", "one", "one"),
    path(85, "accounts/a%00b", 404, "route_not_found"),
    path(85, "entries/%00", 404, "route_not_found"),
    path(86, "accounts/%ED%A0%80", 404, "account_not_found"),
    path(86, "accounts/..%2f..%2fetc", 404, "route_not_found", "etc"),
    path(86, "accounts/a%0d%0aSet-Cookie:x=1", 404, "route_not_found", "Set-Cookie"),
    path(86, "accounts/..", 404, "account_not_found"),
    path(86, "nowhere", 404, "route_not_found", "nowhere"),
    Case(91, "text/plain", lambda d: typed(d, "Content-Type: text/plain"), 415, "unsupported_media_type"),
    Case(
        91,
        "a form",
        lambda desk: typed(desk, "Content-Type: application/x-www-form-urlencoded"),
        415,
        "unsupported_media_type",
    ),
    Case(91, "no type", typed, 415, "unsupported_media_type"),
    Case(
        92,
        "gzip",
        lambda desk: typed(desk, JSON, "Content-Encoding: gzip", body=gzip.compress(good_body(desk))),
        415,
        "unsupported_encoding",
    ),
    Case(
        92,
        "a gzip bomb",
        lambda desk: typed(desk, JSON, "Content-Encoding: gzip", body=gzip.compress(b" " * 20_000_000)),
        415,
        "unsupported_encoding",
    ),
    Case(
        93,
        "a length that is too short",
        lambda desk: sent(desk, JSON, "Content-Length: 20", "Idempotency-Key: short", body=good_body(desk)),
        400,
        "json_malformed",
    ),
    Case(95, "a header of 70 kB", lambda d: typed(d, JSON, f"X-Long: {'x' * 70_000}"), 431, "headers_too_large"),
    *map(method, ("PUT", "PATCH", "DELETE", "GET", "OPTIONS", "TRACE")),
]


@cases(*ROWS)
def test_what_is_no_request_of_ours_is_refused_and_nothing_is_written(desk: Desk, case: Case) -> None:
    check(desk, case)


def test_row_93_a_length_that_no_body_follows_is_not_carried_out(desk: Desk) -> None:
    """A client that leaves in the middle of its body gets no answer, and one that waits gets 408: see row 96."""
    head, body = desk.service.head(desk.book), good_body(desk)
    with Line(desk.service.url) as line:
        headers = (JSON, f"Content-Length: {len(body) + 10}", f"Idempotency-Key: {fresh('key')}")
        line.say(request(line, "POST", "/v1/transfers", desk.caller.key, *headers, body=body))
        line.hang_up()
        reply = line.hear()
    assert reply is None or reply.status in (400, 408)
    assert desk.service.head(desk.book) == head


@pytest.mark.parametrize("announced", ["0", "5", "10", "1000", "x", "-1", "+5"])
def test_row_94_two_ways_to_say_where_the_body_ends_are_one_too_many(desk: Desk, announced: str) -> None:
    head = desk.service.head(desk.book)
    body = good_body(desk)
    chunked = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    headers = (JSON, "Transfer-Encoding: chunked", f"Content-Length: {announced}", "Idempotency-Key: both")
    with Line(desk.service.url) as line:
        line.say(request(line, "POST", "/v1/transfers", desk.caller.key, *headers, body=chunked))
        reply = line.hear()
        assert reply is not None
        assert reply.status == 400
        reply.refused(400, reply.body["code"])
        assert line.is_closed()
    assert desk.service.head(desk.book) == head


def test_row_97_a_method_in_a_header_is_not_looked_at(desk: Desk) -> None:
    caller = desk.caller
    a, b = caller.open_account("a"), caller.open_account("b")
    override = {"x-http-method-override": "DELETE", "x-method-override": "GET", "idempotency-key": fresh("key")}
    caller.send("POST", "/transfers", json=transfer(a, b, 1), headers=override).done()
    refused = caller.send("GET", "/transfers", headers={"x-http-method-override": "POST"})
    assert refused.refused(405, "method_not_allowed")
    assert refused.headers["allow"] == "POST"


def test_row_97_an_unknown_method_is_refused(desk: Desk) -> None:
    """The parser of the server refuses a word that no standard knows, before it is a request."""
    sent(desk, method="BREW").refused(400, "bad_request")


def test_noise_behind_a_request_does_not_stand_in_for_its_answer(desk: Desk) -> None:
    caller, body = desk.caller, good_body(desk)
    headers = (JSON, f"Content-Length: {len(body)}", f"Idempotency-Key: {fresh('key')}")
    with Line(desk.service.url) as line:
        line.say(request(line, "POST", "/v1/transfers", caller.key, *headers, body=body + b"\x00noise\r\n\r\n"))
        reply = line.hear()
        assert reply is not None
        desk.reverse(reply.done()["id"]).done()
        assert line.is_closed()


# --- slow clients: begun before the other tests here, and heard in the end --------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def slow_answers(desk: Desk) -> Iterator[list[Future[tuple[Reply | None, float]]]]:
    """Clients that send their body byte by byte, and the last one that stops in the middle."""
    with ThreadPoolExecutor(max_workers=_SLOW_CLIENTS) as pool:
        yield [pool.submit(trickle, desk, stops=number == 0) for number in range(_SLOW_CLIENTS)]


def trickle(desk: Desk, *, stops: bool) -> tuple[Reply | None, float]:
    """What a slow client is answered, and after how many seconds."""
    began = time.monotonic()
    with Line(desk.service.servers[1].url) as line:
        headers = (JSON, "Content-Length: 200", f"Idempotency-Key: {fresh('slow')}")
        line.say(request(line, "POST", "/v1/transfers", desk.caller.key, *headers, body=b"{"))
        for _ in range(_LONGEST_BODY_S - 1 if not stops else 0):
            time.sleep(1)
            line.say(b" ")
        return line.hear(), time.monotonic() - began


def test_row_96_slow_clients_harm_nobody(desk: Desk) -> None:
    slow_server = Caller(desk.service.servers[1].url, desk.caller.key)
    with slow_server:
        for _ in range(20):
            began = time.monotonic()
            slow_server.get(f"/accounts/{desk.shop}").done(200)
            assert time.monotonic() - began < 1


def test_row_117_a_database_that_is_away_is_a_503_within_two_seconds_and_comes_back(service: Service) -> None:
    book = service.new_book()
    key = service.new_key(book)
    with (
        SeveringProxy(service.database.conninfo) as proxy,
        service.one_more_server(DATABASE_URL=proxy.conninfo) as server,
        Caller(server.url, key) as caller,
    ):
        a, b = caller.open_account("a"), caller.open_account("b")
        proxy.refuse()
        retried = fresh("key")
        batch = {"mode": "atomic", "transfers": [{"idempotency_key": "1", **transfer(a, b, 1)}]}
        asked = [
            ("POST", "/transfers", transfer(a, b, 1)),
            ("POST", "/batches", batch),
            ("GET", f"/accounts/{a}", None),
            ("GET", f"/accounts/{a}/balance?as_of=2026-01-01T00:00:00Z", None),
            ("GET", "/events", None),
        ]

        def ask(method: str, path: str, body: Any) -> tuple[Reply, float]:
            began = time.monotonic()
            reply = caller.send(method, path, json=body, headers={"idempotency-key": retried})
            return reply, time.monotonic() - began

        for reply, took_s in at_once(*(partial(ask, *request) for request in asked)):
            assert reply.body["code"] in ("unavailable", "overloaded")
            assert reply.refused(503, reply.body["code"])["retryable"]
            assert took_s < 2
        proxy.admit()
        service.wait_until(lambda: caller.post("/transfers", transfer(a, b, 1), key=retried).status == 201)
        assert caller.posted(b) == [1]


def test_row_96_who_sends_too_slowly_is_told_so(slow_answers: list[Future[tuple[Reply | None, float]]]) -> None:
    for answer in slow_answers:
        reply, took_s = answer.result()
        assert reply is not None
        assert reply.refused(408, "request_timeout")["retryable"]
        assert _LONGEST_BODY_S - 1 < took_s < _LONGEST_BODY_S + 5
        assert reply.headers["connection"] == "close"
