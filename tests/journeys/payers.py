"""Payers: orders to pay, what a payer does at the channel, and what the channel's own books say of it."""

from typing import Any

import httpx2

from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment


def new_merchant(caller: Caller, currency: str) -> str:
    terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": currency}
    return str(caller.post("/merchants", {"id": fresh("merchant"), "name": "Shop", **terms}).done()["id"])


def order(caller: Caller, merchant: str, token: str, **more: Any) -> dict[str, Any]:
    """A payment of 60.00 EUR by card with this token; what is answered."""
    asked = payment(merchant, method={"type": "card", "token": token}, **more)
    reply = caller.post("/payments", asked)
    assert reply.status in (201, 202), reply.raw
    answered: dict[str, Any] = reply.body
    return answered


def confirm(caller: Caller, asked: dict[str, Any], answer: str | None = None) -> Reply:
    return caller.post(f"/payments/{asked['id']}/confirm", {} if answer is None else {"answer": answer})


def cancel(caller: Caller, asked: dict[str, Any], **body: str) -> Reply:
    return caller.post(f"/payments/{asked['id']}/cancel", body)


def becomes(service: Service, caller: Caller, asked: dict[str, Any], *statuses: str) -> dict[str, Any]:
    """What is shown once it has one of these statuses."""
    path = f"/payments/{asked['id']}"
    service.wait_until(lambda: caller.get(path).done(200)["status"] in statuses, patience_s=30)
    shown: dict[str, Any] = caller.get(path).done(200)
    return shown


def payer(service: Service, asked: dict[str, Any], does: str) -> None:
    """The payer does this at the channel: approve, refuse, expire."""
    name = asked["attempts"][-1]["id"]
    channel = asked["attempts"][-1]["channel"]
    with httpx2.Client(trust_env=False) as client:
        done = client.post(f"{service.simulator_url}/control/charges/{name}/{does}")
    assert done.status_code == 200, (channel, done.text)


def charged_at_the_channel(service: Service, asked: dict[str, Any]) -> list[int]:
    """The amounts of the charges for this payment that the channel's own books call succeeded."""
    channel = asked["attempts"][-1]["channel"]
    with httpx2.Client(trust_env=False) as client:
        charges = client.get(f"{service.simulator_url}/{channel}/books").json()["charges"]
    return [one["amount"] for one in charges if one["id"].startswith(asked["id"]) and one["status"] == "succeeded"]


def owed(caller: Caller, merchant: str) -> int:
    return int(caller.get(f"/merchants/{merchant}/balance").done(200)["pending"])
