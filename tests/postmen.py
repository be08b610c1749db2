"""Postmen: a mail server and a provider of text messages, as others run them; they keep what they were given."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session

_PATIENCE_S = 20.0


class Mail(msgspec.Struct, frozen=True):
    """One message as it came, whom it was for, and when."""

    to: tuple[str, ...]
    message: EmailMessage
    at_s: float

    @property
    def text(self) -> str:
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content()).strip()


class MailServer:
    """Speaks SMTP. `refusals`: what it answers first to whole messages, instead of taking them."""

    def __init__(self) -> None:
        self.received: list[Mail] = []
        self.refused_at_s: list[float] = []
        self.refusals: deque[str] = deque()
        self.open = threading.Event()
        self.open.set()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        vars(self)["handle_DATA"] = self._take  # The name that aiosmtpd looks for.

    async def _take(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        """What is answered to a message; waits while it is not open."""
        while not self.open.is_set():
            await asyncio.sleep(0.01)
        if self.refusals:
            self.refused_at_s.append(time.monotonic())
            return self.refusals.popleft()
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=modern)
        assert isinstance(message, EmailMessage)
        self.received.append(Mail(tuple(envelope.rcpt_tos), message, time.monotonic()))
        return "250 OK"

    @property
    def url(self) -> str:
        """What LEDGER_EMAIL_URL is for it."""
        return f"mailto://127.0.0.1:{self.port}?mode=insecure&format=text&from=pay@ledger.example&to={{recipient}}"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: SMTP(self, enable_SMTPUTF8=True, loop=self._loop), "127.0.0.1", 0)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(_PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def wait_for(self, how_many: int) -> list[Mail]:
        """All that was received once there is so much of it."""
        wait_until(lambda: len(self.received) >= how_many)
        return list(self.received)


class TextProvider:
    """Takes text messages over HTTP, as `json://` of apprise posts them. `answers`: statuses that it gives first."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.answers: deque[int] = deque()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
                status = provider.answers.popleft() if provider.answers else 200
                if status == 200:
                    provider.received.append(body)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """What LEDGER_SMS_URL is for it."""
        return f"json://127.0.0.1:{self._server.server_port}/messages?:to={{recipient}}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait_for(self, how_many: int) -> list[dict[str, Any]]:
        wait_until(lambda: len(self.received) >= how_many)
        return list(self.received)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)
