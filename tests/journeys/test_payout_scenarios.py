"""Payouts and agency pay over HTTP.

The numbers are those of the list of scenarios. The tokens of destinations tell the channel simulator how to behave.
"""

from typing import Any

import httpx2
import pytest

from tests.journeys.caller import Caller, at_once, fresh
from tests.journeys.parties import BANK, IBAN, balance, merchant_with, pay_out, token
from tests.journeys.service import Service
from tests.journeys.test_payment_scenarios import becomes


@pytest.fixture(scope="module")
def checker(service: Service, home: str) -> Caller:
    """Somebody else than the maker."""
    return service.caller(home)


def payouts_at_the_channel(service: Service, name: str, channel: str = "card_simulator") -> list[dict[str, Any]]:
    """What the channel paid out under this id."""
    with httpx2.Client(trust_env=False) as client:
        books = client.get(f"{service.simulator_url}/{channel}/books").json()
    return [one for one in books["payouts"] if one["id"] == name]


def sent_back(service: Service, name: str) -> None:
    """The receiver's bank returns the money."""
    with httpx2.Client(trust_env=False) as client:
        answer = client.post(f"{service.simulator_url}/control/payouts/{name}/return", json={})
    assert answer.status_code == 200, answer.text


# --- payouts --------------------------------------------------------------------------------------------------------


def test_p66_a_payout_is_created_and_fulfilled_by_itself(service: Service, caller: Caller) -> None:
    merchant = merchant_with(caller, 10_000)
    payout = pay_out(caller, merchant, 6_000).done(202)
    assert (payout["status"], payout["merchant"], payout["fee"], payout["channel"]) == (
        "in_transit",
        merchant,
        50,
        "card_simulator",
    )
    paid = becomes(service, caller, f"/payouts/{payout['id']}", "paid")
    assert paid["channel_reference"]
    standing_now = balance(caller, merchant)
    assert (standing_now["available"], standing_now["in_transit"]) == (3_950, 6_000)
    listed = caller.get("/payouts", merchant=merchant, status="paid").done(200)["data"]
    assert [one["id"] for one in listed] == [payout["id"]]
    assert caller.get("/payouts", merchant=merchant, status="rejected").done(200)["data"] == []
    # What is shown anywhere hides the account's number.
    facts = caller.get("/audit/trail", entity=payout["id"]).raw + caller.get("/events", topic="payouts.reserved.v1").raw
    assert IBAN.encode() not in paid["destination"]["account_number"].encode() + facts
    assert paid["destination"]["account_number"].endswith("3000")


def test_p66_row_101_row_102_a_large_payout_is_fulfilled_once_a_second_person_agrees(
    service: Service, caller: Caller, checker: Caller
) -> None:
    merchant = merchant_with(caller, 200_000)
    payout = pay_out(caller, merchant, 50_001).done(201)
    assert (payout["status"], payout["approval"]) == ("created", "waiting")
    assert balance(caller, merchant)["in_transit"] == 0
    path = f"/payouts/{payout['id']}"
    caller.post(f"{path}/approve", {}).refused(403, "self_approval")
    assert checker.post(f"{path}/approve", {}).done(202)["approval"] == "given"
    becomes(service, caller, path, "paid")
    checker.post(f"{path}/approve", {}).refused(409, "payout_state_invalid")

    another = pay_out(caller, merchant, 60_000).done(201)
    assert caller.post(f"/payouts/{another['id']}/cancel", {"reason": "a slip"}).done(200)["status"] == "canceled"
    checker.post(f"/payouts/{another['id']}/approve", {}).refused(409, "payout_state_invalid")
    assert balance(caller, merchant)["available"] == 200_000 - 50_051


def test_p66_a_payout_is_routed_by_the_rules_and_says_by_which(service: Service) -> None:
    own = service.caller(service.new_book())
    merchant = merchant_with(own, 100_000)
    rule = {
        "name": "urgent",
        "when": "product == 'payout' && method == 'bank_account' && metadata.speed == 'instant'",
        "then": {"type": "priority", "channels": ["instant_payouts"]},
    }
    rules = own.send("PUT", "/routing/rules", json={"rules": [rule]}).done(200)
    assert rules["warnings"] == []
    asked = {"merchant": merchant, "amount": 6_000, "currency": "EUR", "destination": BANK}
    usual = own.post("/payouts", asked).done(202)
    assert (usual["channel"], usual["routing"]["because"]) == ("card_simulator", "the only channel for bank_account")
    urgent = own.post("/payouts", {**asked, "metadata": {"speed": "instant"}}).done(202)
    assert urgent["routing"] == {
        "channel": "instant_payouts",
        "because": "the rule urgent: the first of its list",
        "candidates": ["instant_payouts", "card_simulator"],
        "rules": rules["version"],
        "considered": {
            "card_simulator": "stands at place 2 of 2",
            "card_simulator_b": "pays out of a float",
        },
    }
    becomes(service, own, f"/payouts/{urgent['id']}", "paid")
    assert [one["amount"] for one in payouts_at_the_channel(service, urgent["id"], "instant_payouts")] == [6_000]
    assert payouts_at_the_channel(service, urgent["id"]) == []
    # The decision stands in the log as it was taken, and a rehearsal takes the same one.
    events = own.get("/events", topic="payouts.created.v1").done(200)["data"]
    chosen = {one["data"]["id"]: (one["data"]["channel"], one["data"]["rules"]) for one in events}
    assert chosen[urgent["id"]] == ("instant_payouts", rules["version"])
    charge = {"product": "payout", "method": "bank_account", "amount": 6_000, "currency": "EUR", "merchant": merchant}
    rehearsed = own.send("POST", "/routing/evaluate", json={**charge, "metadata": {"speed": "instant"}}).done(200)
    assert (rehearsed["channel"], rehearsed["rule"]) == ("instant_payouts", "urgent")


def test_p66_what_makes_no_payout_is_named_and_moves_nothing(caller: Caller) -> None:
    merchant = merchant_with(caller, 1_000)
    before = balance(caller, merchant)
    problem = pay_out(caller, merchant, 1, {"type": "bank_account", "entity": "robot"}).refused(422, "field_invalid")
    assert {error["pointer"] for error in problem["errors"]} == {
        "/destination/entity",
        "/destination/account_number",
        "/destination/name",
    }
    pay_out(caller, merchant, 1, {"type": "cash"}).refused(422, "field_invalid")
    pay_out(caller, merchant, 951).refused(409, "insufficient_funds")
    pay_out(caller, merchant, 1, {**BANK, "account_number": "4111111111111111"}).refused(422, "pan_not_allowed")
    pay_out(caller, "nobody", 1).refused(422, "merchant_unknown")
    body = {"amount": 1, "currency": "EUR", "destination": BANK}
    caller.post("/payouts", body).refused(422, "field_missing")
    caller.post("/payouts", {**body, "merchant": merchant, "principal": "x"}).refused(422, "field_invalid")
    caller.get("/payouts/po_nobody").refused(404, "payout_not_found")
    assert caller.get("/payouts", merchant=merchant).done(200)["data"] == []
    assert {**balance(caller, merchant), "position": 0} == {**before, "position": 0}


def test_p67_a_payout_that_is_not_answered_stays_in_transit_then_is_paid_then_comes_back(
    service: Service, caller: Caller
) -> None:
    merchant = merchant_with(caller, 10_000)
    silent: list[dict[str, Any]] = [
        {"match": {"operation": "payout"}, "fault": "timeout_after", "times": 1},
        {"match": {"operation": "payout"}, "fault": "late_callback", "times": 1, "delay_ms": 4_000},
        {"match": {"operation": "query_payout"}, "fault": "timeout_before"},
    ]
    with service.faults(*silent):
        name = pay_out(caller, merchant, 6_000).done(202)["id"]
        shown = becomes(service, caller, f"/payouts/{name}", "unknown")
        assert shown["next_action"] == {"type": "wait"}
        standing_now = balance(caller, merchant)
        assert (standing_now["available"], standing_now["in_transit"]) == (3_950, 6_000)
    becomes(service, caller, f"/payouts/{name}", "paid")
    # The channel paid once, under the one id that it was sent with.
    assert len(payouts_at_the_channel(service, name)) == 1
    sent_back(service, name)
    returned = becomes(service, caller, f"/payouts/{name}", "returned")
    assert returned["error"]["code"] == "returned"
    standing_now = balance(caller, merchant)
    assert (standing_now["available"], standing_now["in_transit"]) == (9_950, 0)


def test_p67_what_never_reached_the_channel_is_sent_again_under_the_same_id(service: Service, caller: Caller) -> None:
    merchant = merchant_with(caller, 10_000)
    with service.faults({"match": {"operation": "payout"}, "fault": "timeout_before", "times": 1}):
        name = pay_out(caller, merchant, 6_000).done(202)["id"]
        becomes(service, caller, f"/payouts/{name}", "paid")
    assert [one["amount"] for one in payouts_at_the_channel(service, name)] == [6_000]


def test_a_refused_payout_gives_back_the_fee_as_well(service: Service, caller: Caller) -> None:
    merchant = merchant_with(caller, 10_000)
    name = pay_out(caller, merchant, 6_000, token("account_closed")).done(202)["id"]
    rejected = becomes(service, caller, f"/payouts/{name}", "rejected")
    assert rejected["error"]["message"] == "The account is closed."
    standing_now = balance(caller, merchant)
    assert (standing_now["available"], standing_now["in_transit"], standing_now["net"]) == (10_000, 0, 10_000)


def test_many_payouts_at_once_take_no_more_than_is_available(caller: Caller, checker: Caller) -> None:
    merchant = merchant_with(caller, 1_000, payout_fee=0)
    replies = at_once(*[lambda one=one: pay_out(one, merchant, 100) for one in (caller, checker) for _ in range(15)])
    assert sorted(reply.status for reply in replies) == [202] * 10 + [409] * 20
    caller.position = max(caller.position, checker.position)
    assert balance(caller, merchant)["available"] == 0


# --- agency pay -----------------------------------------------------------------------------------------------------


def principal_with(caller: Caller, amount: int) -> str:
    """A principal who has put so much in, all of which was fed to the channel that pays for it."""
    principal = str(caller.post("/principals", {"id": fresh("payroll"), "name": "Payroll", "fee": 30}).done()["id"])
    caller.post(f"/principals/{principal}/funding", {"amount": amount, "currency": "EUR"}).done()
    caller.post("/treasury/floats", {"channel": "card_simulator_b", "amount": amount, "currency": "EUR"}).done()
    return principal


def held(caller: Caller, principal: str) -> tuple[int, int]:
    found = caller.get(f"/principals/{principal}/balance", currency="EUR").done(200)
    return found["balance"], found["in_transit"]


def test_a_batch_of_agency_pay_is_paid_refused_and_returned_each_for_itself(service: Service, caller: Caller) -> None:
    principal = principal_with(caller, 100_000)
    item = {"principal": principal, "amount": 10_000, "currency": "EUR"}
    words = ["approved", "account_invalid", "returned"]
    items = [{**item, "idempotency_key": fresh("item"), "destination": token(word)} for word in words]
    items.append({**item, "idempotency_key": fresh("item"), "destination": BANK, "amount": 90_000})
    items.append({**item, "idempotency_key": fresh("item"), "destination": BANK, "amount": -1})
    key = fresh("batch")
    first = caller.post("/payout-batches", {"items": items}, key=key)
    results = first.done()["results"]
    assert [one["status"] for one in results] == ["created"] * 3 + ["rejected"] * 2
    assert [one["problem"]["code"] for one in results[3:]] == ["insufficient_funds", "amount_not_positive"]
    again = caller.post("/payout-batches", {"items": items}, key=key)
    assert (again.body, again.is_replay) == (first.body, True)
    for result, status in zip(results, ["paid", "rejected", "returned"], strict=False):
        becomes(service, caller, f"/payouts/{result['id']}", status)
    assert held(caller, principal) == (100_000 - 10_030 - 30, 0)
    listed = caller.get("/payouts", principal=principal).done(200)["data"]
    assert [one["id"] for one in listed] == [one["id"] for one in results[:3]]


def test_an_item_sent_alone_with_its_key_is_the_same_payout(caller: Caller) -> None:
    principal = principal_with(caller, 50_000)
    item = {"principal": principal, "amount": 1_000, "currency": "EUR", "destination": BANK}
    key = fresh("item")
    alone = caller.post("/payouts", item, key=key).done(202)
    (result,) = caller.post("/payout-batches", {"items": [{**item, "idempotency_key": key}]}).done()["results"]
    assert (result["status"], result["id"]) == ("replayed", alone["id"])


def test_what_is_no_batch_of_payouts_is_refused_as_a_whole(caller: Caller) -> None:
    item = {"principal": "x", "amount": 1, "currency": "EUR", "destination": BANK, "idempotency_key": "one"}
    caller.post("/payout-batches", {"items": []}).refused(422, "batch_empty")
    many = [{**item, "idempotency_key": str(number)} for number in range(1_001)]
    caller.post("/payout-batches", {"items": many}).refused(413, "batch_too_large")
    caller.post("/payout-batches", {"items": [item, item]}).refused(422, "duplicate_in_batch")
    keyless = {name: value for name, value in item.items() if name != "idempotency_key"}
    caller.send("POST", "/payout-batches", json={"items": [keyless]}).refused(422, "field_missing")
    assert caller.get("/payouts", principal="x").done(200)["data"] == []


def test_only_an_administrator_says_that_money_came_in(service: Service, home: str, caller: Caller) -> None:
    principal = principal_with(caller, 1)
    clerk = service.caller(home, "payments:write", "payments:read")
    for path in (f"/principals/{principal}/funding", "/treasury/floats", "/treasury/sweeps"):
        clerk.post(path, {"amount": 1, "currency": "EUR"}).refused(403, "scope_missing")


def test_all_of_it_balances(caller: Caller) -> None:
    sums = caller.get("/trial-balance").done(200)["currencies"]["EUR"]
    assert sums["difference"] == 0
