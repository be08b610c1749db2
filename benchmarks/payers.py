"""Payers: callers who ask for payments, and look at each one until its outcome is known.

Each has one keep-alive connection: it asks, and where the channel has not said anything yet it looks again after a
moment, as a shop would. Told that the service has no time, it says the same again, with the same
key. Then the next one.
"""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
import uvloop

from benchmarks.load import Target

_HEADERS_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_CONNECT_PATIENCE_S = 30
_PAUSE_S = 0.02
_PATIENCE_S = 60
_PROCESSING = "processing"
_BUSY = 503
_DONE = {200, 201, 202}


class Errand(msgspec.Struct, frozen=True):
    """Something to ask for; `look`: where to look again while it is processing, before its id."""

    path: str
    body: dict[str, Any]
    look: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What came of a round."""

    outcomes: dict[str, int]
    """How many ended how: a status of ours, `done` for what has none, or the code of a refusal."""
    seconds: float
    ended_at: float
    """On the monotonic clock of this machine."""
    p50_ms: float
    """From asking to its outcome."""
    p99_ms: float
    looks: int
    """How often one had to look again."""
    busy: int
    """How often the service had no time."""
    cpu_share: float
    """How much of one processor the callers themselves took."""

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    @property
    def per_s(self) -> float:
        return self.total / self.seconds


class _Answer(msgspec.Struct):
    """What is looked at of an answer."""

    id: str = ""
    status: str | int = "done"
    code: str = ""


_answer_in = msgspec.json.Decoder(_Answer).decode


class Payers:
    """Carries errands out, on so many connections."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._asked = 0
        self._shares: list[list[tuple[bytes, str]]] = []

    def prepare(self, errands: Sequence[Errand], connections: int) -> None:
        """Deal the errands out."""
        self._shares = [
            [self._request(errand) for errand in errands[number::connections]] for number in range(connections)
        ]

    def send(self) -> Outcome:
        """Carry out what was prepared until all of it is over."""
        gc.collect()
        gc.freeze()
        return uvloop.run(_send(self._target, self._shares))

    def _request(self, errand: Errand) -> tuple[bytes, str]:
        self._asked += 1
        encoded = msgspec.json.encode(errand.body)
        head = (
            f"POST /v1/{errand.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._target.key}\r\n"
            f"Idempotency-Key: payer-{self._asked}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(encoded)}\r\n\r\n"
        )
        return head.encode() + encoded, errand.look


class _Payer(asyncio.Protocol):
    """One connection: an errand, its outcome, the next errand."""

    def __init__(self, key: str, errands: Sequence[tuple[bytes, str]], finished: Callable[[], None]) -> None:
        self.outcomes: Counter[str] = Counter()
        self.took: list[float] = []
        self.looks = self.busy = 0
        self._key = key
        self._said = b""
        self._errands = iter(errands)
        self._finished = finished
        self._look = ""
        self._buffer = bytearray()
        self._asked_at = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none by their class.
        self._transport = cast("asyncio.WriteTransport", transport)

    def ask_next(self) -> None:
        errand = next(self._errands, None)
        if errand is None:
            self._finished()
            return
        request, self._look = errand
        self._asked_at = time.perf_counter()
        self._write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(_HEADERS_END)
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        start = head.index(_LENGTH) + len(_LENGTH)
        whole = end + len(_HEADERS_END) + int(head[start : start + 12].split(b"\r", 1)[0])
        if len(self._buffer) >= whole:
            body = bytes(self._buffer[end + len(_HEADERS_END) : whole])
            self._buffer.clear()
            self._take(int(head[9:12]), body)

    def connection_lost(self, exc: Exception | None) -> None:
        self.outcomes["connection lost"] += 1
        self._finished()

    def _take(self, status: int, body: bytes) -> None:
        answer = _answer_in(body)
        waited_s = time.perf_counter() - self._asked_at
        if status == _BUSY and waited_s < _PATIENCE_S:
            self.busy += 1
            asyncio.get_running_loop().call_later(_PAUSE_S, self._write, self._said)
            return
        if answer.status == _PROCESSING and self._look and waited_s < _PATIENCE_S:
            asyncio.get_running_loop().call_later(_PAUSE_S, self._look_at, answer.id)
            return
        self.outcomes[str(answer.status) if status in _DONE else answer.code] += 1
        self.took.append(waited_s)
        self.ask_next()

    def _look_at(self, name: str) -> None:
        self.looks += 1
        head = f"GET /v1/{self._look}/{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._key}\r\n\r\n"
        self._write(head.encode())

    def _write(self, request: bytes) -> None:
        self._said = request
        if self._transport is not None:
            self._transport.write(request)


async def _send(target: Target, shares: Sequence[Sequence[tuple[bytes, str]]]) -> Outcome:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    working = len(shares)

    def finished() -> None:
        nonlocal working
        working -= 1
        if not working:
            done.set()

    def payer(share: Sequence[tuple[bytes, str]]) -> Callable[[], _Payer]:
        return lambda: _Payer(target.key, share, finished)

    payers: list[_Payer] = []
    for share in shares:
        async with asyncio.timeout(_CONNECT_PATIENCE_S):
            _, one = await loop.create_connection(payer(share), "127.0.0.1", target.port)
        payers.append(one)
    cpu, begun = time.process_time(), time.monotonic()
    for one in payers:
        one.ask_next()
    await done.wait()
    ended_at, cpu = time.monotonic(), time.process_time() - cpu
    outcomes: Counter[str] = Counter()
    for one in payers:
        outcomes.update(one.outcomes)
    took_ms = sorted(took * 1_000 for one in payers for took in one.took)
    return Outcome(
        dict(outcomes),
        ended_at - begun,
        ended_at,
        took_ms[len(took_ms) // 2],
        took_ms[len(took_ms) * 99 // 100],
        sum(one.looks for one in payers),
        sum(one.busy for one in payers),
        cpu / (ended_at - begun),
    )
