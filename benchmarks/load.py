"""Load: callers of the service, cheap enough to share a machine with it.

Each caller has one keep-alive connection and sends its next request when the last one is answered. Requests are made
before the clock runs, and of an answer only its status and its end are looked at.
"""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import msgspec
import uvloop

from benchmarks.mix import CURRENCY, Expected, Mix, Pattern, Transfer

_HEADERS_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_CONNECT_PATIENCE_S = 30


class Target(msgspec.Struct, frozen=True):
    """Where requests go, and with whose key."""

    port: int
    key: str


class Load(msgspec.Struct, frozen=True):
    """What came of a round."""

    transfers: Expected
    """What must have become of what was asked for."""
    statuses: dict[int, int]
    """How many answers had which status."""
    seconds: float
    ended_at: float
    """On the monotonic clock of this machine."""
    p50_ms: float
    p99_ms: float
    cpu_share: float
    """How much of one processor the callers themselves took."""
    batched: int
    """How many requests were batches."""

    @property
    def per_s(self) -> float:
        return self.transfers.total / self.seconds

    @property
    def unexpected(self) -> bool:
        """Whether something else was answered than had to be."""
        expected = Counter(
            {201: self.batched or self.transfers.created + self.transfers.replayed, 409: self.transfers.refused}
        )
        if self.batched:
            del expected[409]
        return Counter(self.statuses) != expected


class Callers:
    """Sends single transfers or batches, each on so many connections."""

    def __init__(self, target: Target, pattern: Pattern, seed: int) -> None:
        self._target = target
        self._mix = Mix(pattern, seed)
        self._requests: list[list[bytes]] = []
        self._batched = 0

    def prepare_transfers(self, connections: int, requests: int) -> None:
        """Make single transfers, `requests` for each connection."""
        self._mix.expected = Expected()
        self._batched = 0
        self._requests = []
        for _ in range(connections):
            following = self._mix.one_by_one()
            self._requests.append([self._transfer(following()) for _ in range(requests)])

    def prepare_batches(self, connections: int, requests: int, size: int) -> None:
        """Make batches, `requests` for each connection."""
        self._mix.expected = Expected()
        self._batched = connections * requests
        self._requests = [
            [self._batch(batch) for batch in self._mix.batches(requests, size)] for _ in range(connections)
        ]

    def send(self) -> Load:
        """Send what was prepared until all of it is answered."""
        gc.collect()
        gc.freeze()
        return uvloop.run(_send(self._target.port, self._requests, self._mix.expected, self._batched))

    def _transfer(self, transfer: Transfer) -> bytes:
        return self._request("transfers", f"Idempotency-Key: {transfer.key}\r\n", _body(transfer))

    def _batch(self, batch: list[Transfer]) -> bytes:
        transfers = [{"idempotency_key": transfer.key, **_body(transfer)} for transfer in batch]
        return self._request("batches", "", {"mode": "independent", "transfers": transfers})

    def _request(self, noun: str, header: str, body: dict[str, Any]) -> bytes:
        encoded = msgspec.json.encode(body)
        head = (
            f"POST /v1/{noun} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._target.key}\r\n{header}"
            f"Content-Type: application/json\r\nContent-Length: {len(encoded)}\r\n\r\n"
        )
        return head.encode() + encoded


def _body(transfer: Transfer) -> dict[str, Any]:
    return {
        "debit_account": transfer.debit_account,
        "credit_account": transfer.credit_account,
        "amount": transfer.amount,
        "currency": CURRENCY,
    }


class _Caller(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, requests: list[bytes], finished: Callable[[], None]) -> None:
        self.statuses: Counter[bytes] = Counter()
        self.took: list[float] = []
        self._requests = iter(requests)
        self._finished = finished
        self._buffer = b""
        self._missing = 0
        self._sent_at = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none by their class.
        self._transport = cast("asyncio.WriteTransport", transport)

    def send_next(self) -> None:
        request = next(self._requests, None)
        if request is None or self._transport is None:
            self._finished()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._buffer += data
            end = self._buffer.find(_HEADERS_END)
            if end < 0:
                return
            head = self._buffer[:end].lower()
            self.statuses[head[9:12]] += 1
            start = head.index(_LENGTH) + len(_LENGTH)
            length = int(head[start : start + 12].split(b"\r", 1)[0])
            self._missing = end + len(_HEADERS_END) + length - len(self._buffer)
            self._buffer = b""
        if not self._missing:
            self.took.append(time.perf_counter() - self._sent_at)
            self.send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        self.statuses[b"0"] += 1
        self._finished()


async def _send(port: int, requests: list[list[bytes]], expected: Expected, batched: int) -> Load:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    working = len(requests)

    def finished() -> None:
        nonlocal working
        working -= 1
        if not working:
            done.set()

    callers: list[_Caller] = []
    for own in requests:
        caller = _Caller(own, finished)
        async with asyncio.timeout(_CONNECT_PATIENCE_S):
            await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)  # type: ignore[misc]
        callers.append(caller)
    cpu, begun = time.process_time(), time.monotonic()
    for caller in callers:
        caller.send_next()
    await done.wait()
    ended_at, cpu = time.monotonic(), time.process_time() - cpu
    statuses: Counter[int] = Counter()
    for caller in callers:
        statuses.update({int(status): count for status, count in caller.statuses.items()})
    if lost := statuses.pop(0, 0):
        raise AssertionError(f"{lost} connections were closed by the service, after {dict(statuses)}")
    took_ms = sorted(one * 1_000 for caller in callers for one in caller.took)
    return Load(
        expected,
        dict(statuses),
        ended_at - begun,
        ended_at,
        took_ms[len(took_ms) // 2],
        took_ms[len(took_ms) * 99 // 100],
        cpu / (ended_at - begun),
        batched,
    )
