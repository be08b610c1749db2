"""The transport: what is wrong with a request before anybody reads its JSON, and what every answer carries.

`Door` stands in front of the application. It reads the body itself, so that its size is counted while it arrives and a
body that trickles in ends in a 408; behind it a body is complete, has the announced length and type, and is in memory.
A header that names another method or another caller has no meaning here.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.json_gate import MAX_DEPTH, MAX_NODES
from api.problems import TOLD, language_of, problem_response
from api.telemetry import correlation_id
from ledger.errors import (
    BadRequest,
    BodyTooLarge,
    ContentLengthMismatch,
    FramingConflict,
    HeadersTooLarge,
    IdempotencyKeyInvalid,
    InternalError,
    Refusal,
    RequestTimeout,
    UnsupportedEncoding,
    UnsupportedMediaType,
)
from ledger.ids import CORRELATION, new_id

CORRELATION_HEADER = b"x-correlation-id"

BODY = "ledger.body"
BODY_RULE = "ledger.body_rule"

_MOST_HEADER_BYTES = 32 * 1024
_PATIENCE_S = 10.0
_SLOWEST_BYTES_PER_S = 64 * 1024  # A large body has that much more time, as long as it keeps coming.

_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_WATCHED = frozenset(
    {b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"idempotency-key"}
    | {b"authorization"}
)
_CORRELATION = re.compile(rb"[\x21-\x7e]{1,128}")
_JSON = re.compile(rb"application/json[ \t]*(?:;[ \t]*charset=\"?utf-8\"?[ \t]*)?", re.IGNORECASE)
_LENGTH = re.compile(rb"[0-9]{1,15}")
_NOSNIFF = (b"x-content-type-options", b"nosniff")
# A client that is still sending when the connection closes may never see the answer, so the rest is read and dropped.
_MOST_DROPPED_BYTES = 16 * 1024 * 1024
_PATIENCE_WITH_THE_REST_S = 1.0
# What is left of the body would be read as the next request.
_CLOSE = {"Connection": "close"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BodyRule:
    """What the bodies of one address may be: `is_json` False takes any type and leaves reading it to the route."""

    max_bytes: int = 256 * 1024
    max_depth: int = MAX_DEPTH
    max_nodes: int = MAX_NODES
    is_json: bool = True


DEFAULT_RULE = BodyRule()


class _Gone(Exception):
    """The client has left; there is nobody to answer."""


class Door:
    """Refuses what cannot be a request of ours and hands on the rest; the last resort for exceptions, too.

    `rules` are by exact path; every other path has the default rule. Put it outside of the FastAPI application and
    inside of `Telemetry`, whose correlation id it keeps; without Telemetry it takes or makes one itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        rules: Mapping[str, BodyRule] | None = None,
        patience_s: float = _PATIENCE_S,
        max_header_bytes: int = _MOST_HEADER_BYTES,
    ) -> None:
        self._app = app
        self._rules = dict(rules or {})
        self._patience_s = patience_s
        self._max_header_bytes = max_header_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        if correlation_id.get():
            await self._serve(scope, receive, answer)
            return
        correlation = _correlation_of(scope)
        answer.headers.append((CORRELATION_HEADER, correlation.encode()))
        token = correlation_id.set(correlation)
        try:
            await self._serve(scope, receive, answer)
        finally:
            correlation_id.reset(token)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        incoming = _Incoming(receive)
        try:
            headers = self._watched(scope)
            if scope["method"] in _WITH_BODY:
                receive = await self._with_body(scope, headers, incoming)
        except Refusal as refusal:
            can_go_on = not isinstance(refusal, FramingConflict | RequestTimeout) and await incoming.drop_the_rest()
            told = problem_response(refusal, None if can_go_on else _CLOSE, language_of(scope))
            await told(scope, receive, answer)
            return
        except _Gone:
            return
        try:
            await self._app(scope, receive, answer)
        except Exception:
            if scope.get(TOLD):
                return  # Answered and logged; the server would only log it again.
            if answer.started:
                raise  # Half an answer cannot be mended: the server closes the connection.
            logger.exception("%s broke", scope["method"])
            await problem_response(InternalError(), language=language_of(scope))(scope, receive, answer)

    def _watched(self, scope: Scope) -> dict[bytes, bytes]:
        """The headers that matter here; raises for too many bytes, or for one given twice."""
        size = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        watched: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            size += len(name) + len(value)
            if name in _WATCHED:
                if name in watched:
                    raise _TWICE.get(name, BadRequest)(f"The header {name.decode()} was sent twice.")
                watched[name] = value
        if size > self._max_header_bytes:
            raise HeadersTooLarge(max_bytes=self._max_header_bytes)
        if b"content-length" in watched and b"transfer-encoding" in watched:
            raise FramingConflict
        return watched

    async def _with_body(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> Receive:
        """Read the whole body, and give what hands it on in one piece."""
        rule = self._rules.get(scope["path"], DEFAULT_RULE)
        length = _announced(headers)
        if length != 0:
            _check_type(headers, rule)
        body = await self._read(receive, rule.max_bytes)
        if length is not None and len(body) != length:
            raise ContentLengthMismatch
        scope[BODY] = body
        scope[BODY_RULE] = rule
        handed_on = False

        async def hand_on() -> Message:
            nonlocal handed_on
            if handed_on:
                return await receive()  # The next that can be received is that the client leaves.
            handed_on = True
            return {"type": "http.request", "body": body, "more_body": False}

        return hand_on

    async def _read(self, receive: Receive, max_bytes: int) -> bytes:
        began_s = asyncio.get_running_loop().time()
        chunks: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout_at(began_s + self._patience_s) as patience:
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _Gone
                    chunk: bytes = message.get("body", b"")
                    size += len(chunk)
                    if size > max_bytes:
                        raise BodyTooLarge(max_bytes=max_bytes)
                    chunks.append(chunk)
                    if not message.get("more_body", False):
                        return chunk if len(chunks) == 1 else b"".join(chunks)
                    patience.reschedule(began_s + self._patience_s + size / _SLOWEST_BYTES_PER_S)
        except TimeoutError:
            raise RequestTimeout from None


class _Incoming:
    """Receives the body, and knows whether that was all of it."""

    __slots__ = ("_receive", "complete")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.complete = False

    async def __call__(self) -> Message:
        message = await self._receive()
        self.complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def drop_the_rest(self) -> bool:
        """Read what is still on its way, for a moment; whether the next request can follow."""
        dropped = 0
        try:
            async with asyncio.timeout(_PATIENCE_WITH_THE_REST_S):
                while not self.complete and dropped <= _MOST_DROPPED_BYTES:
                    dropped += len((await self()).get("body", b""))
        except TimeoutError:
            return False
        return self.complete


class _Answer:
    """Sends the answer on, with the headers that every answer carries, and knows whether it has begun."""

    __slots__ = ("_send", "headers", "started")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.headers = [_NOSNIFF]
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            message["headers"] = [*message.get("headers", ()), *self.headers]
        await self._send(message)


_TWICE: Mapping[bytes, type[Refusal]] = {
    b"idempotency-key": IdempotencyKeyInvalid,
    b"content-length": FramingConflict,
    b"transfer-encoding": FramingConflict,
    b"content-type": UnsupportedMediaType,
    b"content-encoding": UnsupportedEncoding,
}


def _correlation_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == CORRELATION_HEADER and _CORRELATION.fullmatch(value):
            return str(value, "ascii")
    return new_id(CORRELATION)


def _announced(headers: dict[bytes, bytes]) -> int | None:
    """How long the body is said to be; None where only its end will tell."""
    if b"transfer-encoding" in headers:
        return None
    length = headers.get(b"content-length", b"0")
    if not _LENGTH.fullmatch(length):
        raise ContentLengthMismatch
    return int(length)


def _check_type(headers: dict[bytes, bytes], rule: BodyRule) -> None:
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedEncoding
    content_type = headers.get(b"content-type", b"")
    if rule.is_json and content_type != b"application/json" and not _JSON.fullmatch(content_type):
        raise UnsupportedMediaType
