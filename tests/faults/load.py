"""Load: clients who do everything that money does here, and do not give up before each request has its answer.

A client retries with its key until it is answered for good, at whichever server it reaches; then it sometimes asks once
more. What it was answered is what the books are judged by in the end.
"""

import random
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.journeys.caller import Caller, Reply, fresh, transfer
from tests.journeys.service import Service

ACCOUNTS = [f"acc{number}" for number in range(20)]
CUSTOMERS = [f"cus{number}" for number in range(4)]
MERCHANT = "shop"
CARDS = ["tok_approved"] * 6 + ["tok_insufficient_funds", "tok_late", "tok_late_decline", "tok_no_callback"]
# How often of a thousand the channel goes wrong in each way, beside what its tokens ask for and beside being killed.
_FAULTS = {
    "timeout_before": 60,
    "timeout_after": 60,
    "error_500_before": 40,
    "error_500_after": 40,
    "malformed_body": 30,
    "wrong_amount": 20,
    "late_success": 60,
    "duplicate_callback": 100,
    "no_callback": 200,
}
_FOR_GOOD_S = 90
_TIMEOUT_S = 15


@dataclass(frozen=True, slots=True)
class Told:
    """A request and the answer that it was given for good."""

    key: str
    path: str
    body: Mapping[str, Any]
    reply: Reply

    @property
    def said(self) -> tuple[int, bytes]:
        return self.reply.status, self.reply.raw


class GaveUp(AssertionError):
    """A request that was never answered for good, or answered as it may not be."""


class Client(threading.Thread):
    """One who sends requests, one after another, until told to stop."""

    def __init__(self, service: Service, key: str, number: int, seed: int, stop: threading.Event) -> None:
        super().__init__(name=f"client {number}", daemon=True)
        self.told: list[Told] = []
        self.retries = 0
        self.slowest_refusal_s = 0.0
        self.trouble: BaseException | None = None
        self._chance = random.Random(f"{seed}/{number}")
        self._urls = [f"{server.url}/v1" for server in service.servers]
        self._http = httpx2.Client(trust_env=False, timeout=_TIMEOUT_S, headers={"authorization": f"Bearer {key}"})
        self._stopping = stop
        self._entries: list[str] = []
        self._holds: list[str] = []
        self._payments: list[str] = []

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._something()
        except BaseException as error:
            self.trouble = error
        finally:
            self.close()

    def close(self) -> None:
        self._http.close()

    # --- asking for good

    def ask(self, path: str, body: Mapping[str, Any], key: str | None = None) -> Reply:
        """Send until it is answered for good, and remember the answer."""
        key = key or fresh("key")
        told = Told(key, path, body, self.answer_for_good(path, body, key))
        self.told.append(told)
        if self._chance.random() < 0.1:
            self.ask_again(told)
        return told.reply

    def ask_again(self, told: Told) -> None:
        again = self.answer_for_good(told.path, told.body, told.key)
        if (again.status, again.raw) != told.said:
            raise GaveUp(f"{told.path} {told.key} was answered {told.said}, and then {again.status} {again.raw!r}")

    def answer_for_good(self, path: str, body: Mapping[str, Any], key: str) -> Reply:
        deadline, last = time.monotonic() + _FOR_GOOD_S, "nothing"
        while time.monotonic() < deadline:
            began = time.monotonic()
            try:
                answer = self._http.post(
                    self._chance.choice(self._urls) + path, json=body, headers={"idempotency-key": key}
                )
            except httpx2.TransportError as error:
                last = repr(error)
            else:
                reply = _reply_of(answer)
                if reply.status == 503 or (reply.status >= 400 and reply.body["retryable"]):
                    self.slowest_refusal_s = max(self.slowest_refusal_s, time.monotonic() - began)
                    last = str(reply.raw)
                elif reply.status >= 500:
                    raise GaveUp(f"{path} {key} was answered {reply.status} {reply.raw!r}")
                else:
                    return reply
            self.retries += 1
            time.sleep(self._chance.uniform(0.02, 0.3))
        raise GaveUp(f"{path} {key} was not answered for good in {_FOR_GOOD_S} s; last came {last}")

    # --- what to ask

    def _something(self) -> None:
        match self._chance.choices(
            ["transfer", "hold", "end hold", "reverse", "batch", "card", "wallet", "top up", "refund"],
            weights=[40, 8, 8, 6, 6, 8, 6, 4, 5],
        )[0]:
            case "transfer":
                self._keep(self._entries, self.ask("/transfers", self._transfer()))
            case "hold":
                self._keep(self._holds, self.ask("/transfers", {**self._transfer(), "pending": {}}))
            case "end hold" if self._holds:
                hold = self._holds.pop()
                how = self._chance.choice(["capture", "release"])
                self.ask(f"/holds/{hold}/{how}", {})
            case "reverse" if self._entries:
                entry = self._chance.choice(self._entries)
                amount = self._chance.choice([{}, {"amount": 1}])
                self.ask(f"/entries/{entry}/reverse", {"reason": "wrong", **amount})
            case "batch":
                mode = self._chance.choice(["atomic", "independent"])
                items = [{**self._transfer(), "idempotency_key": fresh("item")} for _ in range(5)]
                self.ask("/batches", {"mode": mode, "transfers": items})
            case "card":
                self._keep(self._payments, self.ask("/payments", self._payment("quick_pay", self._card())))
            case "wallet":
                self._keep(self._payments, self.ask("/payments", self._payment("balance_pay", {"type": "wallet"})))
            case "top up":
                customer = self._chance.choice(CUSTOMERS)
                self.ask(f"/wallets/{customer}/EUR/top-ups", {"amount": 5_000, "method": self._card()})
            case "refund" if self._payments:
                payment = self._chance.choice(self._payments)
                self.ask(f"/payments/{payment}/refunds", {"amount": 100, "reason": "returned"})

    def _transfer(self) -> dict[str, Any]:
        one, other = self._chance.sample(ACCOUNTS, 2)
        return transfer(one, other, self._chance.choice([1, 5, 20, 400]))

    def _payment(self, product: str, method: dict[str, str]) -> dict[str, Any]:
        return {
            "merchant": MERCHANT,
            "customer": self._chance.choice(CUSTOMERS),
            "amount": self._chance.choice([300, 1_000]),
            "currency": "EUR",
            "product": product,
            "method": method,
            "capture": "automatic",
            "order_reference": fresh("order"),
        }

    def _card(self) -> dict[str, str]:
        return {"type": "card", "token": self._chance.choice(CARDS)}

    def _keep(self, names: list[str], reply: Reply) -> None:
        if reply.status in (201, 202) and reply.body.get("status") not in ("failed", "processing"):
            names.append(reply.body["id"])
            del names[:-50]


def _reply_of(answer: httpx2.Response) -> Reply:
    return Reply(answer.status_code, dict(answer.headers), answer.content, answer.json())


def furnish(caller: Caller) -> None:
    """The accounts, the merchant and the customers that the clients use; every account begins with 1000."""
    caller.post("/accounts", {"id": "cash", "name": "Cash", "kind": "asset", "currency": "EUR"}).done()
    for account in ACCOUNTS:
        rules = {"kind": "liability", "currency": "EUR", "min_balance": 0}
        caller.post("/accounts", {"id": account, "name": account, **rules}).done()
        caller.move("cash", account, 1_000).done()
    terms = {"fee": {"percent_bps": 250, "fixed": 10}, "settlement_currency": "EUR"}
    caller.post("/merchants", {"id": MERCHANT, "name": "Shop", **terms}).done()
    for customer in CUSTOMERS:
        caller.post("/customers", {"id": customer}).done()
        caller.post(f"/customers/{customer}/wallets", {"currency": "EUR"}).done()


def fault_plan(seed: int) -> dict[str, Any]:
    """What the simulator is told to do wrong, in the shape of its own interface."""
    rules = [
        {"match": {"operation": operation}, "fault": fault, "probability_permille": probability}
        for fault, probability in _FAULTS.items()
        for operation in ("charge", "refund")
    ]
    return {"seed": seed, "rules": rules}


def raise_trouble(clients: Iterable[Client]) -> None:
    for client in clients:
        if client.trouble is not None:
            raise client.trouble
