"""Collection over HTTP: money that payers owe a principal, in one payment or a thousand; and what a payment costs.

The other half of agency pay, disbursement, is told with payouts.
"""

from typing import Any

import pytest

from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.parties import BANK
from tests.journeys.service import Service
from tests.journeys.test_contract_scenarios import Signed
from tests.journeys.test_payment_scenarios import becomes

TERMS = {"percent_bps": 100, "fixed": 5, "tax_bps": 2_000}
CARD = {"type": "card", "token": "tok_approved"}


@pytest.fixture
def principal(caller: Caller) -> str:
    body = {"id": fresh("water"), "name": "Water works", "collection_fee": TERMS}
    created = caller.post("/principals", body).done()
    assert created["collection_fee"] == TERMS
    return str(created["id"])


@pytest.fixture
def agreed(caller: Caller, principal: str) -> Signed:
    """A customer who has agreed that the principal may charge him."""
    customer = str(caller.post("/customers", {"id": fresh("customer")}).done()["id"])
    return Signed(caller, customer, principal, product="agency_pay")


def bill(principal: str, amount: int = 6_000, **more: Any) -> dict[str, Any]:
    order = {"principal": principal, "amount": amount, "currency": "EUR", "product": "agency_pay", "method": CARD}
    return order | {"order_reference": fresh("bill")} | more


def held(caller: Caller, principal: str) -> int:
    return int(caller.get(f"/principals/{principal}/balance", currency="EUR").done(200)["balance"])


def test_a_bill_is_collected_by_card_and_paid_out(service: Service, caller: Caller, principal: str) -> None:
    paid = caller.post("/payments", bill(principal)).done()
    assert (paid["status"], paid["merchant"], paid["amount_captured"]) == ("succeeded", principal, 6_000)
    # One per cent and five, and a fifth of that as tax.
    assert held(caller, principal) == 6_000 - 65 - 13
    order = {"principal": principal, "amount": 5_900, "currency": "EUR", "destination": BANK}
    caller.post("/treasury/floats", {"channel": "card_simulator_b", "amount": 6_000, "currency": "EUR"}).done()
    payout = caller.post("/payouts", order).done(202)
    becomes(service, caller, f"/payouts/{payout['id']}", "paid")
    assert held(caller, principal) == 22


def test_a_bill_is_collected_under_a_contract_and_its_limits(caller: Caller, principal: str, agreed: Signed) -> None:
    assert agreed.charge(2_000, product="agency_pay").done()["status"] == "succeeded"
    assert held(caller, principal) == 2_000 - 25 - 5
    agreed.charge(5_001, product="agency_pay").refused(422, "contract_limit_exceeded")
    agreed.charge(2_000, product="protocol_pay").refused(422, "merchant_unknown")


def test_the_principal_may_be_called_merchant_and_is_the_same(caller: Caller, principal: str) -> None:
    order, key = bill(principal), fresh("key")
    first = caller.post("/payments", order, key=key).done()
    named = {"merchant" if name == "principal" else name: value for name, value in order.items()}
    again = caller.post("/payments", named, key=key)
    assert (again.is_replay, again.done()["id"]) == (True, first["id"])


def test_what_is_no_collection_is_refused(caller: Caller, principal: str) -> None:
    caller.post("/payments", bill("nobody")).refused(422, "principal_unknown")
    caller.post("/payments", bill(principal, merchant=principal)).refused(422, "unknown_field")
    refused = caller.post("/payments", bill(principal, product="quick_pay")).refused(422, "field_invalid")
    assert [error["pointer"] for error in refused["errors"]] == ["/principal"]
    caller.post("/payments", bill(principal, method={"type": "wallet"})).refused(422, "method_not_supported")
    caller.post("/payments", bill(principal, amount=5)).refused(422, "fee_exceeds_amount")


def test_a_refund_comes_out_of_what_the_principal_has(service: Service, caller: Caller, principal: str) -> None:
    paid = caller.post("/payments", bill(principal)).done()
    path = f"/payments/{paid['id']}/refunds"
    caller.post(path, {"reason": "all of it"}).refused(409, "insufficient_funds")
    given_back = caller.post(path, {"amount": 5_000, "reason": "overcharged"}).done()
    assert given_back["status"] == "succeeded"
    assert held(caller, principal) == 6_000 - 65 - 13 - 5_000
    assert caller.get(f"/payments/{paid['id']}").done(200)["amount_refunded"] == 5_000


# --- batches --------------------------------------------------------------------------------------------------------


def item(principal: str, amount: int = 1_000, **more: Any) -> dict[str, Any]:
    order = bill(principal, amount, **more)
    return {name: value for name, value in order.items() if name != "product"} | {"idempotency_key": fresh("item")}


def batch(caller: Caller, items: list[dict[str, Any]], key: str | None = None) -> Reply:
    return caller.post("/collection-batches", {"items": items}, key=key)


def test_a_batch_is_collected_declined_and_refused_each_for_itself(
    service: Service, caller: Caller, principal: str, agreed: Signed
) -> None:
    contract = {"customer": agreed.customer, "method": {"type": "contract", "contract": agreed.id}}
    items = [
        item(principal),
        item(principal, 2_000, **contract),
        item(principal, method={"type": "card", "token": "tok_insufficient_funds"}),
        item(principal, 6_000, **contract),
        item(principal, -1),
        item(principal, card_number="4111"),
    ]
    key = fresh("batch")
    first = batch(caller, items, key)
    results = first.done()["results"]
    assert [one["status"] for one in results] == ["created"] * 3 + ["rejected"] * 3
    assert [one["payment_status"] for one in results[:3]] == ["processing"] * 3
    codes = [one["problem"]["code"] for one in results[3:]]
    assert codes[:2] == ["contract_limit_exceeded", "amount_not_positive"]
    again = batch(caller, items, key)
    assert (again.body, again.is_replay) == (first.body, True)
    for result, status in zip(results, ["succeeded", "succeeded", "failed"], strict=False):
        becomes(service, caller, f"/payments/{result['id']}", status)
    assert held(caller, principal) == (1_000 - 15 - 3) + (2_000 - 25 - 5)


def test_an_item_sent_alone_with_its_key_is_the_same_payment(caller: Caller, principal: str) -> None:
    order, key = bill(principal, 1_000), fresh("item")
    alone = caller.post("/payments", order, key=key).done()
    batched = {name: value for name, value in order.items() if name != "product"} | {"idempotency_key": key}
    (result,) = batch(caller, [batched]).done()["results"]
    assert (result["status"], result["id"]) == ("replayed", alone["id"])
    results = batch(caller, [{**batched, "amount": 999}, item(principal)]).done()["results"]
    assert [one["status"] for one in results] == ["rejected", "created"]
    assert results[0]["problem"]["code"] == "idempotency_key_reused"


def test_what_is_no_batch_of_collections_is_refused_as_a_whole(caller: Caller, principal: str) -> None:
    one = item(principal)
    batch(caller, []).refused(422, "batch_empty")
    batch(caller, [{**one, "idempotency_key": str(number)} for number in range(1_001)]).refused(413, "batch_too_large")
    batch(caller, [one, one]).refused(422, "duplicate_in_batch")
    keyless = {name: value for name, value in one.items() if name != "idempotency_key"}
    caller.send("POST", "/collection-batches", json={"items": [keyless]}).refused(422, "field_missing")
    assert caller.get("/payments", merchant=principal).done(200)["data"] == []


def test_a_batch_of_a_hundred_is_collected_to_the_minor_unit(service: Service, caller: Caller, principal: str) -> None:
    items = [item(principal, 1_000 + number) for number in range(100)]
    results = batch(caller, items).done()["results"]
    assert {one["status"] for one in results} == {"created"}
    for result in results:
        becomes(service, caller, f"/payments/{result['id']}", "succeeded")
    fees = [(one["amount"] + 50) // 100 + 5 for one in items]
    taxes = [(fee * 2_000 + 5_000) // 10_000 for fee in fees]
    assert held(caller, principal) == sum(one["amount"] for one in items) - sum(fees) - sum(taxes)


# --- fees and discounts ---------------------------------------------------------------------------------------------


def merchant(caller: Caller, **fee: Any) -> str:
    terms = {"fee": {"percent_bps": 200, "fixed": 10} | fee, "settlement_currency": "EUR"}
    return str(caller.post("/merchants", {"id": fresh("shop"), "name": "Shop", **terms}).done()["id"])


def order(shop: str, **more: Any) -> dict[str, Any]:
    body = {"merchant": shop, "amount": 6_000, "currency": "EUR", "product": "quick_pay", "method": CARD}
    return body | {"order_reference": fresh("order")} | more


def test_a_merchant_without_tax_is_shown_as_ever(caller: Caller) -> None:
    shop = merchant(caller)
    assert caller.get(f"/merchants/{shop}").done(200)["fee"] == {"percent_bps": 200, "fixed": 10}


def test_tax_comes_on_top_of_the_fee(caller: Caller) -> None:
    shop = merchant(caller, tax_bps=1_900)
    caller.post("/payments", order(shop)).done()
    owed = caller.get(f"/merchants/{shop}/balance").done(200)
    assert (owed["pending"], owed["invoiced"]) == (6_000 - 130 - 25, 0)


def test_an_invoiced_fee_is_not_taken_from_what_was_sold(caller: Caller) -> None:
    shop = merchant(caller, tax_bps=1_900, invoiced=True)
    caller.post("/payments", order(shop)).done()
    owed = caller.get(f"/merchants/{shop}/balance").done(200)
    assert (owed["pending"], owed["invoiced"], owed["receivable"], owed["net"]) == (6_000, 155, 0, 6_000)


@pytest.mark.parametrize(
    ("paid_by", "taken", "owed"), [("platform", 5_500, 5_870), ("merchant", 5_500, 5_380), ("channel", 6_000, 5_870)]
)
def test_a_discount_is_paid_by_who_is_named(caller: Caller, paid_by: str, taken: int, owed: int) -> None:
    shop, discount = merchant(caller), {"amount": 500, "paid_by": paid_by}
    paid = caller.post("/payments", order(shop, discount=discount)).done()
    assert (paid["amount"], paid["amount_captured"], paid["discount"]) == (6_000, taken, discount)
    assert caller.get(f"/merchants/{shop}/balance").done(200)["pending"] == owed


def test_our_part_of_a_discount_comes_back_with_the_refund(caller: Caller) -> None:
    shop = merchant(caller, percent_bps=0, fixed=0)
    paid = caller.post("/payments", order(shop, discount={"amount": 500, "paid_by": "platform"})).done()
    caller.post(f"/payments/{paid['id']}/refunds", {"amount": 5_500, "reason": "returned"}).done()
    shown = caller.get(f"/payments/{paid['id']}").done(200)
    assert (shown["refund_status"], shown["amount_refunded"]) == ("full", 5_500)
    assert caller.get(f"/merchants/{shop}/balance").done(200)["net"] == 0


def test_what_is_no_discount_is_refused(caller: Caller) -> None:
    shop = merchant(caller)
    for discount, code in (
        ({"amount": 6_000, "paid_by": "platform"}, "field_invalid"),
        ({"amount": 500, "paid_by": "nobody"}, "field_invalid"),
        ({"amount": -1, "paid_by": "platform"}, "amount_not_positive"),
        ({"amount": 500}, "field_missing"),
    ):
        caller.post("/payments", order(shop, discount=discount)).refused(422, code)
    caller.post(
        "/merchants",
        {"name": "Shop", "settlement_currency": "EUR", "fee": {"percent_bps": 1, "fixed": 0, "tax_bps": 10_001}},
    ).refused(422, "field_invalid")


# --- what a merchant owes us ----------------------------------------------------------------------------------------


def test_a_merchants_debt_is_written_off_by_two_people(service: Service, home: str, caller: Caller) -> None:
    shop = merchant(caller)
    paid = caller.post("/payments", order(shop)).done()
    caller.post(f"/payments/{paid['id']}/refunds", {"reason": "returned"}).done()
    assert caller.get(f"/merchants/{shop}/balance").done(200)["receivable"] == 130
    loss = {"amount": 130, "currency": "EUR", "reason": "insolvent"}
    caller.post(f"/merchants/{shop}/losses", {**loss, "amount": 131}).refused(422, "loss_exceeds_debt")
    caller.post("/merchants/nobody/losses", loss).refused(404, "merchant_not_found")
    proposed = caller.post(f"/merchants/{shop}/losses", loss).done()
    path, agreed = f"/merchants/{shop}/losses/{proposed['number']}/decision", {"currency": "EUR", "agree": True}
    caller.post(path, agreed).refused(403, "second_person_required")
    checker = service.caller(home)
    assert checker.post(path, agreed).done()["status"] == "written_off"
    checker.post(path, agreed).refused(404, "credit_loss_not_found")
    assert checker.get(f"/merchants/{shop}/balance").done(200)["receivable"] == 0


def test_all_of_it_balances(caller: Caller) -> None:
    assert caller.get("/trial-balance").done(200)["currencies"]["EUR"]["difference"] == 0
