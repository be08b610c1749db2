"""A caller of the service over HTTP: keys of its own for every write, and reads that wait for what was written."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Self, TypeVar

import httpx2

PROBLEM = "application/problem+json"
_PATIENCE_S = 20.0
_NOT_YET = ("idempotency_in_progress", "not_caught_up", "not_sealed")
_NUMBERS = count(1)

_Told = TypeVar("_Told")


def fresh(word: str) -> str:
    """A word that nobody has used in this run, fit to be an id."""
    return f"{word}-{next(_NUMBERS)}"


def in_seconds(seconds: float) -> str:
    """The time that it will be then, or was, as it is written in a request."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back over the wire; `body` is its JSON."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    body: Any

    @property
    def position(self) -> int:
        return int(self.headers["ledger-position"])

    @property
    def is_replay(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"

    def done(self, status: int = 201) -> Any:
        """The body of a request that went well."""
        assert self.status == status, (self.status, self.raw[:2_000])
        assert self.headers["content-type"] == "application/json"
        return self.body

    def refused(self, status: int, code: str) -> dict[str, Any]:
        """The problem document of a request that was refused in this way, and in the one shape that all have."""
        assert (self.status, self.body.get("code")) == (status, code), (self.status, self.raw[:2_000])
        problem: dict[str, Any] = self.body
        assert self.headers["content-type"] == PROBLEM
        assert problem["status"] == status
        assert problem["type"] == f"urn:ledger:problem:{code}"
        assert problem["title"]
        assert problem["detail"]
        assert isinstance(problem["retryable"], bool)
        assert problem["retryable"] == ("retry-after" in self.headers or status == 408)
        for error in problem["errors"]:
            assert error.keys() == {"pointer", "code", "detail"}
            assert error["pointer"] == "" or error["pointer"].startswith("/")
        assert "ledger-position" not in self.headers
        return problem


@dataclass
class Caller:
    """Speaks for one key. `position` is the last position that it was told of: every read waits for it."""

    url: str
    key: str
    position: int = 0
    languages: str = ""
    """What it reads, as `Accept-Language` says it; empty: it says nothing."""

    def __post_init__(self) -> None:
        headers = {"accept-language": self.languages} if self.languages else None
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=100)
        self._client = httpx2.Client(
            base_url=f"{self.url}/v1", trust_env=False, timeout=30, limits=limits, headers=headers
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    # --- any request

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request with this key, exactly as it is told."""
        sent = {"authorization": f"Bearer {self.key}"} if self.key else {}
        if content is not None:
            sent["content-type"] = "application/json"
        sent |= headers or {}
        answer = self._client.request(method, path, json=json, content=content, params=params or None, headers=sent)
        return reply_of(answer)

    def post(self, path: str, body: Any, *, key: str | None = None) -> Reply:
        """A write with an Idempotency-Key: the given one, or a fresh one."""
        reply = self.send("POST", path, json=body, headers={"idempotency-key": key or fresh("key")})
        if "ledger-position" in reply.headers:
            self.position = max(self.position, reply.position)
        return reply

    def insist(self, path: str, body: Any, *, key: str | None = None) -> Reply:
        """A write that comes again as it is told to: while an equal one is running, or what it needs is behind."""
        key, deadline = key or fresh("key"), time.monotonic() + _PATIENCE_S
        while True:
            reply = self.post(path, body, key=key)
            comes_again = reply.status in (409, 503) and reply.body["code"] in _NOT_YET
            if not comes_again or time.monotonic() > deadline:
                return reply
            time.sleep(int(reply.headers["retry-after"]))

    def get(self, path: str, **params: str | int) -> Reply:
        """A read of everything that this caller was told of; asks again while a view is behind."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            reply = self.send("GET", path, params={"min_position": self.position, **params})
            behind = reply.status == 503 and reply.body["code"] == "not_caught_up"
            if not behind or time.monotonic() > deadline:
                return reply

    # --- what most stories need

    def open_account(self, word: str, kind: str = "liability", currency: str = "EUR", **rules: int | None) -> str:
        """The id of a fresh account."""
        body = {"id": fresh(word), "name": word, "kind": kind, "currency": currency, **rules}
        return str(self.post("/accounts", body).done()["id"])

    def move(self, source: str, destination: str, amount: int, currency: str = "EUR", **more: Any) -> Reply:
        """Move money between accounts that grow on the credit side: `source` is debited, `destination` credited."""
        key = more.pop("key", None)
        return self.post("/transfers", transfer(source, destination, amount, currency, **more), key=key)

    def hold(self, source: str, destination: str, amount: int, expires_at: str | None = None) -> str:
        """The id of a hold on money of `source`."""
        pending = {} if expires_at is None else {"expires_at": expires_at}
        return str(self.move(source, destination, amount, pending=pending).done()["hold_id"])

    def balance(self, account: str, **params: str | int) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/accounts/{account}/balance", **params).done(200)
        return found

    def posted(self, *accounts: str, **params: str | int) -> list[int]:
        """The posted balance of each account, on its normal side."""
        return [self.balance(account, **params)["posted"]["balance"] for account in accounts]

    def available(self, account: str) -> int:
        return int(self.balance(account)["available"])

    def statement(self, account: str, **params: str | int) -> list[dict[str, Any]]:
        """All lines of the first page, oldest first."""
        lines: list[dict[str, Any]] = self.get(f"/accounts/{account}/statement", **params).done(200)["data"]
        return lines

    def head(self) -> int:
        """The position of the last event of the book: what a refused request must leave as it is."""
        after, last = 0, 0
        while True:
            page = self.get("/events", after=after, limit=500).done(200)
            last = max([event["position"] for event in page["data"]], default=last)
            if len(page["data"]) < 500:
                return last
            after = last


def reply_of(answer: httpx2.Response) -> Reply:
    is_json = answer.headers.get("content-type", "").partition(";")[0] in ("application/json", PROBLEM)
    body = answer.json() if is_json and answer.content else None
    return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content, body)


def transfer(
    debit_account: str, credit_account: str, amount: int, currency: str = "EUR", **more: Any
) -> dict[str, Any]:
    """The body of a transfer."""
    return {
        "debit_account": debit_account,
        "credit_account": credit_account,
        "amount": amount,
        "currency": currency,
        **more,
    }


def posting(account: str, direction: str, amount: int, currency: str = "EUR") -> dict[str, Any]:
    """One posting of an entry."""
    return {"account": account, "direction": direction, "amount": amount, "currency": currency}


def moves(*triples: tuple[str, str, int], currency: str = "EUR") -> list[dict[str, Any]]:
    """Postings that move each amount from the first account to the second, where both grow on the credit side."""
    return [
        line
        for source, destination, amount in triples
        for line in (posting(source, "debit", amount, currency), posting(destination, "credit", amount, currency))
    ]


def at_once(*calls: Callable[[], _Told]) -> list[_Told]:
    """Make all calls at the same time, each on a thread of its own; what they returned, in order."""
    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]
