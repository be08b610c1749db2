"""The ledger's black-box cases: idempotency and references (C1 to C10; C7 stands with the races)."""

import json
import socket
import time
from urllib.parse import urlsplit

import msgspec

from tests.journeys.caller import Caller, fresh, transfer
from tests.journeys.service import Service


def test_c1_the_same_key_and_body_have_one_effect_and_the_same_answer(caller: Caller) -> None:
    a, b = caller.open_account("a"), caller.open_account("b")
    key = fresh("key")
    first, second = caller.move(a, b, 10, key=key), caller.move(a, b, 10, key=key)
    assert (second.status, second.raw, second.position) == (first.status, first.raw, first.position)
    assert (first.is_replay, second.is_replay) == (False, True)
    assert caller.posted(b) == [10]


def test_c1_a_refusal_is_replayed_like_any_other_answer(caller: Caller) -> None:
    a, b = caller.open_account("a", min_balance=0), caller.open_account("b")
    key = fresh("key")
    first = caller.move(a, b, 10, key=key)
    first.refused(409, "insufficient_funds")
    caller.move(b, a, 10).done()
    second = caller.move(a, b, 10, key=key)
    assert (second.status, second.raw, second.is_replay) == (409, first.raw, True)


def test_c1_row_79_another_order_and_spacing_is_the_same_body(caller: Caller) -> None:
    a, b = caller.open_account("a"), caller.open_account("b")
    headers = {"idempotency-key": fresh("key")}
    body = transfer(a, b, 10, metadata={"x": "1", "y": "2"})
    first = caller.send("POST", "/transfers", content=json.dumps(body).encode(), headers=headers)
    turned = {**dict(reversed(body.items())), "metadata": {"y": "2", "x": "1"}}
    again = caller.send("POST", "/transfers", content=json.dumps(turned, indent=4).encode(), headers=headers)
    assert (again.is_replay, again.done()) == (True, first.done())


def test_c2_row_76_row_77_the_same_key_for_something_else_is_refused(caller: Caller) -> None:
    a, b = caller.open_account("a"), caller.open_account("b")
    key = fresh("key")
    caller.move(a, b, 10, key=key).done()
    caller.move(a, b, 11, key=key).refused(422, "idempotency_key_reused")
    caller.post("/entries", {"postings": []}, key=key).refused(422, "too_few_postings")
    caller.post("/accounts", {"name": "d", "kind": "asset", "currency": "EUR"}, key=key).refused(
        422, "idempotency_key_reused"
    )
    assert caller.posted(b) == [10]


def test_c3_row_80_books_have_keys_of_their_own(service: Service, caller: Caller) -> None:
    key = fresh("key")
    with service.caller(service.new_book()) as neighbour:
        for somebody in (caller, neighbour):
            a, b = somebody.open_account("a"), somebody.open_account("b")
            reply = somebody.move(a, b, 10, key=key)
            reply.done()
            assert not reply.is_replay
            assert somebody.posted(b) == [10]


def test_c4_a_key_of_one_reversal_does_not_serve_for_another(caller: Caller) -> None:
    a, b = caller.open_account("a"), caller.open_account("b")
    one, two = (caller.move(a, b, amount).done()["id"] for amount in (10, 20))
    key = fresh("key")
    caller.post(f"/entries/{one}/reverse", {"reason": "wrong"}, key=key).done()
    caller.post(f"/entries/{two}/reverse", {"reason": "wrong"}, key=key).refused(422, "idempotency_key_reused")
    assert caller.posted(b) == [20]


def test_c5_a_reference_is_given_once_in_a_book(service: Service, caller: Caller) -> None:
    a, b = caller.open_account("a"), caller.open_account("b")
    reference = fresh("order")
    entry = caller.move(a, b, 10, reference=reference).done()["id"]
    problem = caller.move(a, b, 10, reference=reference).refused(409, "reference_exists")
    assert (problem["reference"], problem["entry"]) == (reference, entry)
    hold = caller.move(a, b, 10, reference=reference, pending={})
    hold.refused(409, "reference_exists")
    found = caller.get("/entries", reference=reference).done(200)["data"]
    assert [shown["id"] for shown in found] == [entry]
    with service.caller(service.new_book()) as neighbour:
        c, d = neighbour.open_account("c"), neighbour.open_account("d")
        neighbour.move(c, d, 10, reference=reference).done()


def test_c6_a_write_without_a_key_is_refused(caller: Caller) -> None:
    """The scenario lets two keyless bodies be two transactions; here every write carries a key."""
    a, b = caller.open_account("a"), caller.open_account("b")
    caller.send("POST", "/transfers", json=transfer(a, b, 10)).refused(400, "idempotency_key_missing")
    for _ in range(2):
        caller.move(a, b, 10).done()
    assert caller.posted(b) == [20]


def test_c8_a_service_killed_between_commit_and_answer_has_answered_to_the_key(service: Service, home: str) -> None:
    with service.caller(home) as caller:
        a, b = caller.open_account("a"), caller.open_account("b")
    key = fresh("key")
    head = service.head(home)
    with service.one_more_server() as doomed:
        at = urlsplit(doomed.url)
        body = msgspec.json.encode(transfer(a, b, 10))
        request = (
            f"POST /v1/transfers HTTP/1.1\r\nHost: {at.netloc}\r\nAuthorization: Bearer {caller.key}\r\n"
            f"Idempotency-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection((at.hostname, at.port)) as line:
            line.sendall(request.encode() + body)
            deadline = time.monotonic() + 10
            while service.head(home) == head:
                assert time.monotonic() < deadline
            doomed.kill()
            # Whatever it still sent, nobody has read it.
    with service.caller(home) as caller:
        again = caller.move(a, b, 10, key=key)
        assert (again.status, again.is_replay, again.position) == (201, True, head + 1)
        assert caller.posted(b) == [10]
    assert service.head(home) == head + 1


def test_c10_a_key_is_known_for_ever(service: Service, home: str, caller: Caller) -> None:
    """No row of a key knows its age, so that none can expire; a new process and a rebuilt view change nothing."""
    a, b = caller.open_account("a"), caller.open_account("b")
    key = fresh("key")
    first = caller.move(a, b, 10, key=key)
    assert service.columns(home, "idempotency_keys") == {"key", "fingerprint", "status", "position", "answer"}
    service.run_ledger("rebuild", "all", "--book", home)
    with service.one_more_server() as newcomer, Caller(newcomer.url, caller.key) as somebody:
        again = somebody.move(a, b, 10, key=key)
    assert (again.raw, again.is_replay) == (first.raw, True)
    assert caller.posted(b) == [10]
