"""Aftermath: what a channel says after a payment, at the simulator's desk or in messages signed in its name."""

import json
from typing import Any

import httpx2

from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_bad_inputs_payments import payment, signed, told

EUR_OF = {
    "receivable": f"sys:1110:{CHANNEL}:eur",
    "claim": f"sys:1230:{CHANNEL}:eur",
    "suspense": f"sys:1910:{CHANNEL}:eur",
    "unapplied": f"sys:2310:{CHANNEL}:eur",
}
_TIME = "2026-11-21T10:20:30Z"


def merchant_with_terms(caller: Caller, **after_sale: Any) -> str:
    """A merchant who pays 2 %."""
    terms: dict[str, Any] = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "EUR"}
    body = {"id": fresh("merchant"), "name": "Shop", **terms, "after_sale": after_sale}
    return str(caller.post("/merchants", body).done()["id"])


def pay(caller: Caller, merchant: str, token: str | None = None, **more: Any) -> Reply:
    return caller.post("/payments", payment(merchant, method={"type": "card", "token": token}, **more))


def show(caller: Caller, paid: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = caller.get(f"/payments/{paid['id']}").done(200)
    return shown


def move_dispute(service: Service, caller: Caller, paid: dict[str, Any], **moves: Any) -> dict[str, Any]:
    """The bank moves a dispute of the charge; what is shown of it once that has been told."""
    charge = paid["attempts"][-1]["id"]
    before = show(caller, paid)["position"]
    control(service, "disputes", charge=charge, **moves)
    service.wait_until(lambda: show(caller, paid)["position"] > before)
    return dispute(caller, paid)


def dispute(caller: Caller, paid: dict[str, Any], number: int = -1) -> dict[str, Any]:
    name = show(caller, paid)["disputes"][number]["id"]
    shown: dict[str, Any] = caller.get(f"/disputes/{name}").done(200)
    return shown


def control(service: Service, path: str, **order: Any) -> None:
    with httpx2.Client(trust_env=False) as client:
        done = client.post(f"{service.simulator_url}/control/{path}", json=order)
    assert done.status_code == 200, done.text


# --- messages in the channel's name -----------------------------------------------------------------------------------


def said(kind: str, name: str, over: int, reference: str, **more: Any) -> bytes:
    """What the channel says of a charge, a change or a refund of ours, over so many minor units."""
    about = {"object": kind, "id": name, "reference": reference, "status": "succeeded", "amount": over}
    return json.dumps({**about, "currency": "EUR", "fee": 0, "decided_at": _TIME, "decline": None, **more}).encode()


def said_of_dispute(charge: str, amount: int, reference: str, **more: Any) -> bytes:
    about = {"object": "dispute", "id": reference, "charge_id": charge, "charge_reference": "ch_1", "amount": amount}
    word = {"stage": "dispute", "status": "opened", "reason": "fraudulent", "evidence_due_at": None}
    return json.dumps({**about, "currency": "EUR", "fee": 0, "decided_at": _TIME, **word, **more}).encode()


def tell(service: Service, body: bytes, headers: dict[str, str] | None = None) -> str:
    """What is answered to a message of the channel: taken, known or ignored."""
    status: str = told(service, headers or signed(service, body), body).done(200)["status"]
    return status
