"""Crashes' black-box case 45: kill -9 of the worker or of a server, between writing an attempt and storing its outcome.

Whatever dies, and wherever, after a restart there is one charge at the channel and the payment is right.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.payers import charged_at_the_channel, new_merchant, owed
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment
from tests.journeys.test_payment_scenarios import becomes


@pytest.fixture
def merchant(caller: Caller) -> str:
    """A merchant who pays 2 % and nobody has bought from."""
    return new_merchant(caller, "EUR")


class Order:
    """A payment by card that somebody asks for and waits for, while others do something to the service."""

    def __init__(self, service: Service, caller: Caller, merchant: str, token: str) -> None:
        self.service, self.caller, self.merchant, self.token = service, caller, merchant, token
        self.asked, self.key = payment(merchant, method={"type": "card", "token": token}), fresh("key")
        self.replies: list[Reply] = []
        self._head = caller.position
        self._asking = threading.Thread(target=self._ask, daemon=True)
        self._asking.start()

    def _ask(self) -> None:
        self.replies.append(self.caller.post("/payments", self.asked, key=self.key))

    def shown(self) -> dict[str, Any] | None:
        """The payment, as soon as it is written; straight from the log, which no worker is needed for."""
        params: dict[str, str | int] = {"topic": "payments.created.v1", "after": self._head, "limit": 500}
        events = self.caller.send("GET", "/events", params=params).done(200)["data"]
        own = [one["data"]["id"] for one in events if one["data"]["order_reference"] == self.asked["order_reference"]]
        if not own:
            return None
        shown: dict[str, Any] = self.caller.send("GET", f"/payments/{own[0]}").done(200)
        return shown

    def charges(self) -> list[dict[str, Any]]:
        """What the channel has of it, whatever became of it."""
        shown = self.shown()
        books = self.service.channel_books()["charges"]
        return [one for one in books if shown is not None and one["id"].startswith(shown["id"])]

    def ends_well(self) -> None:
        """Once: at the channel, in the log, and for its merchant; the same answer for who asks again."""
        self._asking.join(30)
        shown = self.shown()
        assert shown is not None
        paid = becomes(self.service, self.caller, f"/payments/{shown['id']}", "succeeded")
        assert charged_at_the_channel(self.service, paid) == [6_000]
        assert [one["id"] for one in self.charges()] == [attempt["id"] for attempt in paid["attempts"]]
        assert len(paid["attempts"]) == 1
        trail = self.caller.get("/audit/trail", entity=paid["id"]).done(200)["data"]
        topics = [fact["topic"] for fact in trail]
        assert (topics.count("payments.attempt_initiated.v1"), topics.count("payments.captured.v1")) == (1, 1)
        assert owed(self.caller, self.merchant) == 5_880
        again = self.caller.post("/payments", self.asked, key=self.key)
        assert (again.status in (201, 202), again.body["id"], again.is_replay) == (True, paid["id"], True)
        assert len(self.charges()) == 1


@contextmanager
def worker_killed(service: Service, at: Callable[[], object]) -> Iterator[None]:
    """The worker dies as soon as that is so, and another one comes at the end of the block."""
    worker = service.processes[-1]
    service.wait_until(lambda: bool(at()))
    worker.kill()
    try:
        yield
    finally:
        worker.start()


def silence(token: str, *faults: str) -> list[dict[str, Any]]:
    """The first charge goes wrong so, and nothing is told of it by callback."""
    return [
        {"match": {"operation": "charge", "token": token}, "fault": fault, "times": 1}
        for fault in (*faults, "no_callback")
    ]


def test_p45_the_worker_dies_before_it_has_read_the_attempt(service: Service, caller: Caller, merchant: str) -> None:
    with service.without_worker():
        order = Order(service, caller, merchant, fresh("tok"))
        service.wait_until(lambda: order.shown() is not None)
        time.sleep(0.5)
        assert order.charges() == []
    order.ends_well()


@pytest.mark.parametrize("fault", ["timeout_before", "arrives_late"])
def test_p45_the_worker_dies_after_sending_what_the_channel_has_not_done(
    service: Service, caller: Caller, merchant: str, fault: str
) -> None:
    """Nothing of it arrived, or it arrives after the death: asked about, and sent again under the same id at most."""
    token = fresh("tok")
    with service.faults(*silence(token, fault)):
        order = Order(service, caller, merchant, token)
        with worker_killed(service, service.matched):
            assert order.charges() == []
            time.sleep(0.3)
        order.ends_well()


def test_p45_the_worker_dies_between_the_charge_and_its_answer(service: Service, caller: Caller, merchant: str) -> None:
    token = fresh("tok")
    with service.faults(*silence(token, "timeout_after")):
        order = Order(service, caller, merchant, token)
        with worker_killed(service, order.charges):
            shown = order.shown()
            assert shown is not None
            assert shown["status"] == "processing"
        order.ends_well()


def test_p45_the_worker_dies_while_the_callback_brings_the_outcome(
    service: Service, caller: Caller, merchant: str
) -> None:
    token = fresh("tok")
    late = {"match": {"operation": "charge", "token": token}, "times": 1}
    with service.faults({**late, "fault": "timeout_after"}, {**late, "fault": "late_callback", "delay_ms": 1_000}):
        order = Order(service, caller, merchant, token)
        with worker_killed(service, order.charges):
            # Nobody works, and yet the message is taken by a server.
            service.wait_until(lambda: (order.shown() or {}).get("status") == "succeeded")
        order.ends_well()


@pytest.mark.parametrize("pause_s", [0.0, 0.005, 0.01, 0.02, 0.04, 0.08])
def test_p45_the_worker_dies_at_any_moment_of_an_ordinary_payment(
    service: Service, caller: Caller, merchant: str, pause_s: float
) -> None:
    """So long after the payment was asked for: before, while and after it is sent, answered and stored."""
    token = f"{fresh('tok')}+tok_no_callback"
    order = Order(service, caller, merchant, token)
    time.sleep(pause_s)
    with worker_killed(service, lambda: True):
        pass
    order.ends_well()


def test_p45_the_server_dies_while_it_waits_for_the_channel(
    service: Service, home: str, caller: Caller, merchant: str
) -> None:
    """Who asked has no answer, asks again by the same key, and is told of the one payment."""
    token, key = fresh("tok"), fresh("key")
    asked = payment(merchant, method={"type": "card", "token": token})
    with service.one_more_server() as server, service.faults(*silence(token, "timeout_after")):
        own = service.new_key(home)
        headers = {"authorization": f"Bearer {own}", "idempotency-key": key}

        def ask() -> None:
            with pytest.raises(httpx2.TransportError):
                httpx2.post(f"{server.url}/v1/payments", json=asked, headers=headers, timeout=30, trust_env=False)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        service.wait_until(lambda: service.matched() > 0)
        server.kill()
        asking.join(10)
        # It may be told that the first request is still running: nobody knows yet that whoever answered it is dead.
        with Caller(service.url, own) as survivor:
            again = survivor.insist("/payments", asked, key=key)
    assert again.status in (201, 202)
    paid = becomes(service, caller, f"/payments/{again.body['id']}", "succeeded")
    assert charged_at_the_channel(service, paid) == [6_000]
    found = caller.get("/payments", order_reference=asked["order_reference"]).done(200)["data"]
    assert [one["id"] for one in found] == [paid["id"]]
    assert owed(caller, merchant) == 5_880
