"""Protocol: what is sent before there is a request: headers that trickle, that never end, or that are none."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from api import protocol
from api.protocol import Protocol

_PATIENCE_S = 1.0


async def answer_all(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that takes a moment and says "yes"."""
    await asyncio.sleep(0.05)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"yes"})


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Where a server answers that waits for headers for no more than a second."""
    monkeypatch.setattr(protocol, "_PATIENCE_WITH_HEADERS_S", _PATIENCE_S)
    config = uvicorn.Config(answer_all, http=Protocol, lifespan="off", log_config=None, timeout_keep_alive=2)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join(timeout=10)


def heard(line: socket.socket) -> bytes:
    """Everything until the server closes."""
    line.settimeout(5)
    return b"".join(iter(lambda: line.recv(65_536), b""))


def problem_in(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)["code"]


@pytest.mark.parametrize(
    "beginning", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\n"], ids=["nothing", "a letter", "half"]
)
def test_headers_that_do_not_come_end_in_a_408(address: tuple[str, int], beginning: bytes) -> None:
    with closing(socket.create_connection(address)) as line:
        began = time.monotonic()
        line.sendall(beginning)
        assert problem_in(heard(line)) == (408, "request_timeout")
        assert _PATIENCE_S - 0.1 < time.monotonic() - began < _PATIENCE_S + 2


def test_headers_that_trickle_have_no_more_time_than_others(address: tuple[str, int]) -> None:
    with closing(socket.create_connection(address)) as line:
        began = time.monotonic()
        line.sendall(b"GET / HTTP/1.1\r\nHost: ")
        while time.monotonic() - began < _PATIENCE_S - 0.1:
            line.sendall(b"x")
            time.sleep(0.05)
        assert problem_in(heard(line)) == (408, "request_timeout")
        assert time.monotonic() - began < _PATIENCE_S + 2


def test_a_connection_that_is_kept_has_the_time_anew_for_each_request(address: tuple[str, int]) -> None:
    with closing(socket.create_connection(address)) as line:
        for _ in range(3):
            time.sleep(_PATIENCE_S * 0.6)
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"yes"):
                chunk = line.recv(65_536)
                assert chunk, answer
                answer += chunk
        line.sendall(b"GET / HT")
        assert problem_in(heard(line)) == (408, "request_timeout")


def test_headers_that_never_end_are_not_kept(address: tuple[str, int]) -> None:
    with closing(socket.create_connection(address)) as line:
        line.sendall(b"GET / HTTP/1.1\r\n")
        with suppress(OSError):  # The server may close before it has read all of it.
            line.sendall(b"".join(b"X-%d: " % number + b"x" * 4_000 + b"\r\n" for number in range(100)))
        answer = b""
        with suppress(ConnectionResetError):
            answer = heard(line)
        assert not answer or problem_in(answer) == (431, "headers_too_large")


def test_headers_of_a_decent_size_are_left_to_the_door(address: tuple[str, int]) -> None:
    with closing(socket.create_connection(address)) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: " + b"x" * 60_000 + b"\r\n\r\n")
        assert heard(line).endswith(b"yes")


def test_what_is_no_http_is_told_so_in_a_problem_document(address: tuple[str, int]) -> None:
    with closing(socket.create_connection(address)) as line:
        line.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
        assert problem_in(heard(line)) == (400, "bad_request")


def test_noise_behind_a_request_does_not_take_its_answer(address: tuple[str, int]) -> None:
    with closing(socket.create_connection(address)) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01 noise \r\n\r\n")
        answer = heard(line)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert answer.endswith(b"yes")
