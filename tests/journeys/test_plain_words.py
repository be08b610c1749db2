"""Plain words: what somebody writes who has not read the schemas, understood as it is meant."""

from typing import Any

import pytest

from tests.journeys.caller import Caller, fresh
from tests.journeys.parties import IBAN, customer_with, merchant_with, wallet
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment

RULE: dict[str, Any] = {
    "name": "large",
    "when": "amount > 600000",
    "then": {"type": "priority", "channels": ["card_simulator_b", "card_simulator"]},
}
CHARGE: dict[str, Any] = {"product": "quick_pay", "method": "card", "amount": 600_001, "currency": "EUR"}
REVIEWED: dict[str, Any] = {"name": "large", "condition": "amount > 900000", "verdict": "review"}


@pytest.fixture(scope="module")
def merchant(caller: Caller) -> str:
    return merchant_with(caller, 100_000)


def test_a_put_needs_no_key_and_takes_what_a_get_shows(caller: Caller) -> None:
    for path, body in (("/routing/rules", {"rules": [RULE]}), ("/risk/rules", {"rules": [REVIEWED]})):
        put = caller.send("PUT", path, json=body).done(200)
        shown = caller.get(path).done(200)
        assert [rule["name"] for rule in shown["rules"]] == ["large"]
        again = caller.send("PUT", path, json=shown).done(200)
        assert again["version"] == put["version"] == shown["version"]
        half = {name: value for name, value in shown.items() if name != "version"}
        caller.send("PUT", path, json=half).refused(422, "unknown_field")


def test_a_put_with_a_key_is_carried_out_once(caller: Caller) -> None:
    headers = {"idempotency-key": fresh("rules")}
    first = caller.send("PUT", "/risk/rules", json={"rules": []}, headers=headers)
    again = caller.send("PUT", "/risk/rules", json={"rules": []}, headers=headers)
    assert (first.body, first.is_replay, again.is_replay) == (again.body, False, True)
    other = caller.send("PUT", "/risk/rules", json={"rules": [REVIEWED]}, headers=headers)
    other.refused(422, "idempotency_key_reused")


def test_a_rehearsal_takes_a_payment_as_it_would_be_created(caller: Caller, merchant: str) -> None:
    caller.send("PUT", "/routing/rules", json={"rules": [RULE]}).done(200)
    caller.send("PUT", "/risk/rules", json={"rules": [REVIEWED]}).done(200)
    order = payment(merchant, amount=1_000_000)
    for body in ({"charge": CHARGE}, CHARGE, {"payment": order}, order):
        found = caller.send("POST", "/routing/evaluate", json=body).done(200)
        assert (found["channel"], found["rule"]) == ("card_simulator_b", "large")
    for body in ({"payment": order}, order):
        found = caller.send("POST", "/risk/evaluate", json=body).done(200)
        assert (found["decision"], found["reasons"]) == ("review", ["large"])


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({}, "/charge", "field_missing"),
        ({"charge": CHARGE, "payment": payment("shop")}, "/payment", "field_invalid"),
        ({**CHARGE, "method": "smoke"}, "/charge/method", "method_not_supported"),
        (payment("shop", product="barter"), "/product", "product_not_supported"),
        (
            payment("shop", product="balance_pay", method={"type": "wallet"}),
            "/payment/method/type",
            "method_not_supported",
        ),
    ],
)
def test_a_rehearsal_of_nothing_that_a_channel_carries_is_refused(
    caller: Caller, body: dict[str, Any], pointer: str, code: str
) -> None:
    refused = caller.send("POST", "/routing/evaluate", json=body).refused(422, code)
    assert [error["pointer"] for error in refused["errors"]] == [pointer]


def test_a_back_test_goes_from_one_time_to_another_or_over_everything(caller: Caller, merchant: str) -> None:
    first = caller.post("/payments", payment(merchant, amount=1_000)).done()
    caller.post("/payments", payment(merchant, amount=1_000)).done()
    everything = caller.send("POST", "/risk/backtest", json={}).done(200)
    until = caller.send("POST", "/risk/backtest", json={"to": first["created_at"]}).done(200)
    after = caller.send("POST", "/risk/backtest", json={"from": first["created_at"]}).done(200)
    assert until["judged"] + after["judged"] == everything["judged"] + 1  # The first is in both.
    assert after["judged"] == 2


def test_a_review_is_decided_for_a_reason(service: Service, caller: Caller, home: str, merchant: str) -> None:
    caller.send("PUT", "/risk/rules", json={"rules": [REVIEWED]}).done(200)
    waiting = caller.post("/payments", payment(merchant, amount=1_000_000)).done()
    review = caller.get("/reviews", status="open").done(200)["data"][-1]
    assert review["payment"] == waiting["id"]
    with service.caller(home) as second:
        second.post(f"/reviews/{review['id']}/approve", {"reason": "Known for years"}).done(200)
        second.position = caller.position
    shown = caller.get(f"/reviews/{review['id']}").done(200)
    service.wait_until(lambda: caller.get(f"/reviews/{review['id']}").done(200)["status"] == "approved")
    shown = caller.get(f"/reviews/{review['id']}").done(200)
    assert shown["note"] == "Known for years"
    caller.get("/reviews/rev_none-1").refused(404, "review_not_found")


def test_money_in_a_wallet_has_the_currency_of_its_address(caller: Caller) -> None:
    ann, bob = customer_with(caller, 10_000), customer_with(caller, 0)
    account = {"type": "bank_account", "iban": IBAN, "holder": "Ann Example"}
    for word, more in (
        ("top-ups", {"method": {"type": "card"}}),
        ("transfers", {"to": bob}),
        ("withdrawals", {"destination": account}),
        ("freezes", {"reason": "A deposit"}),
    ):
        path = f"/wallets/{ann}/EUR/{word}"
        wrong = caller.post(path, {"amount": 1_000, "currency": "USD", **more}).refused(422, "currency_mismatch")
        assert [error["pointer"] for error in wrong["errors"]] == ["/currency"]
        assert caller.post(path, {"amount": 1_000, "currency": "EUR", **more}).status in (201, 202)
    assert (wallet(caller, ann), wallet(caller, bob)) == ((8_000, 1_000), (1_000, 0))


def test_a_batch_of_payouts_is_known_by_its_own_key(caller: Caller, merchant: str) -> None:
    destination = {"type": "bank_account", "iban": IBAN, "holder": "Shop GmbH"}
    body = {"payouts": [{"merchant": merchant, "amount": 100, "currency": "EUR", "destination": destination}] * 2}
    key = fresh("batch")
    first = caller.post("/payout-batches", body, key=key).done()["results"]
    again = caller.post("/payout-batches", body, key=key).done()["results"]
    assert [result["status"] for result in first] == ["created", "created"]
    assert [result["id"] for result in again] == [result["id"] for result in first]
    caller.send("POST", "/payout-batches", json=body).refused(422, "field_missing")


def test_a_code_is_an_answer_and_a_scene_is_a_code_to_scan(caller: Caller, merchant: str) -> None:
    asked = caller.post("/payments", payment(merchant, method={"type": "card", "token": "tok_sms"})).done()
    assert caller.post(f"/payments/{asked['id']}/confirm", {"code": "123456"}).done(200)["status"] == "succeeded"
    yuan = {"fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "CNY"}
    seller = caller.post("/merchants", {"id": fresh("yuan"), "name": "Yuan", **yuan}).done()["id"]
    order = payment(seller, product="platform_pay", method={"type": "alipay"}, currency="CNY")
    shown = caller.post("/payments", order)
    assert shown.status in (201, 202), shown.raw
