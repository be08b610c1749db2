"""A caller of an ASGI application, without a server between: it sends exactly the headers and messages it is told."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, with header names in lower case, and how much of the body was not asked for."""

    status: int
    headers: dict[str, str]
    body: bytes
    unread_chunks: int

    @property
    def problem(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        assert self.headers["content-type"] == "application/problem+json"
        assert document["status"] == self.status
        return document

    @property
    def code(self) -> str:
        return str(self.problem["code"])

    @property
    def fields(self) -> list[tuple[str, str]]:
        return [(error["pointer"], error["code"]) for error in self.problem["errors"]]


def call(
    app: ASGIApp,
    method: str,
    target: str,
    *,
    json_body: Any = None,
    chunks: Iterable[bytes] | None = None,
    headers: Headers = (),
    pause_s: float = 0.0,
) -> Answer:
    """Send one request and wait for its answer; `chunks` are sent as they are, with no header of their own."""
    return asyncio.run(_call(app, method, target, json_body, chunks, headers, pause_s))


async def _call(
    app: ASGIApp,
    method: str,
    target: str,
    json_body: Any,
    chunks: Iterable[bytes] | None,
    headers: Headers,
    pause_s: float,
) -> Answer:
    told = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    if json_body is not None:
        chunks = [json.dumps(json_body).encode()]
        told += [(b"content-type", b"application/json"), (b"content-length", str(len(chunks[0])).encode())]
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": told,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    waiting = list(chunks or [b""])
    sent: list[Message] = []
    answered = asyncio.Event()

    async def receive() -> Message:
        if not waiting:
            await answered.wait()
            return {"type": "http.disconnect"}
        await asyncio.sleep(pause_s)
        chunk = waiting.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    answered.set()
    start, *rest = sent
    return Answer(
        start["status"],
        {name.decode().lower(): value.decode() for name, value in start["headers"]},
        b"".join(message.get("body", b"") for message in rest),
        len(waiting),
    )
