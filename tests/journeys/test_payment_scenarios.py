"""Payments over HTTP, with the worker and the channel at work: outcomes in time, late, and asked for."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.journeys.caller import Caller, fresh
from tests.journeys.service import Service

CARD = {"type": "card", "token": "tok_visa"}


@pytest.fixture(scope="module")
def merchant(caller: Caller) -> str:
    terms = {"percent_bps": 200, "fixed": 10}
    created = caller.post("/merchants", {"name": "Shop", "fee": terms, "settlement_currency": "EUR"}).done()
    return str(created["id"])


@pytest.fixture
def mute_token(service: Service) -> Iterator[str]:
    """A card that is charged without a word, and that the channel does not want to talk about twice."""
    token = fresh("tok-mute")
    match: dict[str, Any] = {"token": token}
    rules = [
        {"match": {"operation": "charge", **match}, "fault": "timeout_after"},
        {"match": {"operation": "charge", **match}, "fault": "no_callback"},
        {"match": {"operation": "query_charge", **match}, "fault": "error_500_before", "times": 2},
    ]
    with httpx2.Client(trust_env=False) as operator:
        operator.put(f"{service.simulator_url}/faults", json={"seed": 1, "rules": rules}).raise_for_status()
        yield token
        operator.put(f"{service.simulator_url}/faults", json={"seed": 1, "rules": []}).raise_for_status()


def order(merchant: str, **changes: Any) -> dict[str, Any]:
    usual = {"merchant": merchant, "amount": 6_000, "currency": "EUR", "product": "quick_pay", "method": CARD}
    return usual | {"order_reference": "order-1"} | changes


def test_a_sale_and_its_refunds(caller: Caller, merchant: str) -> None:
    paid = caller.post("/payments", order(merchant)).done()
    assert (paid["status"], paid["amount_captured"], paid["attempts"][0]["status"]) == ("succeeded", 6_000, "succeeded")
    assert caller.get(f"/payments/{paid['id']}").done(200) == paid
    ways_back = f"/payments/{paid['id']}/refunds"
    for _ in range(3):
        part = caller.post(ways_back, {"amount": 2_000, "reason": "returned"}).done()
        assert (part["status"], part["payment"]) == ("succeeded", paid["id"])
        assert caller.get(f"/refunds/{part['id']}").done(200) == part
    caller.post(ways_back, {"amount": 1, "reason": "greed"}).refused(422, "refund_exceeds_payment")
    after = caller.get(f"/payments/{paid['id']}").done(200)
    assert (after["amount_refunded"], after["refund_status"]) == (6_000, "full")
    assert [part["amount"] for part in after["refunds"]] == [2_000] * 3


def test_a_declined_payment_is_created_and_says_what_to_do(caller: Caller, merchant: str) -> None:
    method = {"type": "card", "token": "tok_insufficient_funds"}
    declined = caller.post("/payments", order(merchant, method=method)).done()
    assert (declined["status"], declined["error"]["code"]) == ("failed", "insufficient_funds")
    assert declined["error"]["next_action"] == "other_method"
    caller.post(f"/payments/{declined['id']}/refunds", {"reason": "r"}).refused(409, "payment_state_invalid")


def test_a_payment_whose_outcome_is_late_is_accepted_and_answered_so_for_ever(
    service: Service, caller: Caller, merchant: str, mute_token: str
) -> None:
    asked = order(merchant, method={"type": "card", "token": mute_token})
    key, charges = fresh("key"), service.charges()
    first = caller.post("/payments", asked, key=key)
    processing = first.done(202)
    assert (processing["status"], processing["next_action"]) == ("processing", {"type": "wait"})
    # Each reading asks the channel, once the last question is half a second old.
    where = f"/payments/{processing['id']}"
    service.wait_until(lambda: caller.get(where).done(200)["status"] == "succeeded", patience_s=8)
    assert service.charges() == charges + 1
    again = caller.post("/payments", asked, key=key)
    assert (again.status, again.raw, again.is_replay) == (202, first.raw, True)
