"""Reviews' black-box case 73, over HTTP: a person decides, the merchant gives it up, or nobody decides in time."""

from typing import Any

import pytest

from tests.journeys.service import Service
from tests.journeys.test_payment_scenarios import becomes
from tests.journeys.test_risk_scenarios import Shop, is_neutral


@pytest.fixture
def shop(service: Service) -> Shop:
    return Shop(service)


@pytest.fixture
def guarded(shop: Shop) -> Shop:
    shop.rules({"name": "large", "condition": "amount >= 5000", "verdict": "review"})
    return shop


def review_of(shop: Shop, payment: dict[str, Any]) -> dict[str, Any]:
    found = shop.caller.get("/reviews").done(200)["data"]
    (review,) = [one for one in found if one["payment"] == payment["id"]]
    shown: dict[str, Any] = review
    return shown


def test_p73_somebody_else_approves_a_review_and_the_payment_is_made(guarded: Shop) -> None:
    waiting = guarded.pay()
    assert (waiting["status"], waiting["attempts"]) == ("in_review", [])
    review = review_of(guarded, waiting)
    assert (review["status"], review["reasons"]) == ("open", ["large"])
    path = f"/reviews/{review['id']}/approve"
    guarded.caller.post(path, {"note": "mine"}).refused(403, "self_approval")
    somebody = guarded.service.caller(guarded.book, "risk:read", "risk:write")
    approved = somebody.post(path, {"note": "called back"})
    assert approved.done(200)["status"] == "succeeded"
    guarded.caller.position = approved.position
    shown = review_of(guarded, waiting)
    assert (shown["status"], shown["note"]) == ("approved", "called back")
    assert shown["decided_by"] != guarded.events_of(waiting["id"])[0]["who"]
    somebody.post(path, {}).refused(409, "review_not_open")
    assert guarded.caller.get("/reviews", status="open").done(200)["data"] == []


def test_p73_a_review_that_is_rejected_ends_the_payment(guarded: Shop) -> None:
    waiting = guarded.pay()
    rejected = guarded.caller.post(f"/reviews/{review_of(guarded, waiting)['id']}/reject", {"note": "no"}).done(200)
    assert is_neutral(rejected)


def test_p73_a_payment_in_review_is_canceled_by_its_merchant_and_the_review_with_it(guarded: Shop) -> None:
    waiting = guarded.pay()
    path = f"/payments/{waiting['id']}/cancel"
    canceled = guarded.caller.post(path, {"reason": "sold out"}).done(200)
    assert (canceled["status"], canceled["error"]["code"]) == ("canceled", "cancelled_by_user")
    review = review_of(guarded, waiting)
    assert (review["status"], review["note"], guarded.caller.get("/reviews", status="open").done(200)["data"]) == (
        "withdrawn",
        "sold out",
        [],
    )
    somebody = guarded.service.caller(guarded.book, "risk:read", "risk:write")
    somebody.post(f"/reviews/{review['id']}/approve", {}).refused(409, "review_not_open")
    guarded.caller.post(path, {}).refused(409, "payment_state_invalid")


@pytest.mark.parametrize(("decision", "status"), [("approve", "succeeded"), ("reject", "canceled")])
def test_p73_what_is_authorized_is_captured_or_voided_as_the_review_says(
    guarded: Shop, decision: str, status: str
) -> None:
    held = guarded.pay(capture="manual")
    assert held["status"] == "authorized"
    guarded.caller.post(f"/payments/{held['id']}/capture", {}).refused(409, "change_under_way")
    somebody = guarded.service.caller(guarded.book, "risk:read", "risk:write")
    somebody.post(f"/reviews/{review_of(guarded, held)['id']}/{decision}", {})
    shown = becomes(guarded.service, guarded.caller, f"/payments/{held['id']}", status)
    assert shown["amount_captured"] == (6_000 if decision == "approve" else 0)


@pytest.mark.parametrize(("on_deadline", "status"), [("reject", "rejected"), ("approve", "succeeded")])
def test_p73_a_review_that_nobody_decides_is_decided_by_the_policy(shop: Shop, on_deadline: str, status: str) -> None:
    shop.rules({"name": "all", "condition": "true", "verdict": "review"}, review_hours=0, on_deadline=on_deadline)
    waiting = shop.pay()
    becomes(shop.service, shop.caller, f"/payments/{waiting['id']}", status)
    shop.service.wait_until(lambda: review_of(shop, waiting)["decided_by"] == "deadline")
