"""A receiver of webhooks: an HTTP server of somebody else, which answers as it is told and keeps what it got."""

import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec

ADDRESS = "127.7.7.7"
_PATIENCE_S = 20.0


class Received(msgspec.Struct, frozen=True):
    """One message as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Receiver:
    """Answers 204, or first whatever `answers` holds: (status, headers)."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: deque[tuple[int, dict[str, str]]] = deque()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.received.append(Received(self.path, headers, body))
                status, more = receiver.answers.popleft() if receiver.answers else (204, {})
                self.send_response(status)
                for name, value in more.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer((ADDRESS, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://{ADDRESS}:{self._server.server_port}/hooks"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_until(self, told: Callable[[list[Received]], bool]) -> list[Received]:
        """What was received once that is so."""
        deadline = time.monotonic() + _PATIENCE_S
        while not told(list(self.received)):
            assert time.monotonic() < deadline, [(one.id, one.json["type"]) for one in self.received]
            time.sleep(0.02)
        return list(self.received)
