"""Contracts' black-box cases: cards that are bound, contracts that are signed, charged, and ended from both sides.

The numbers are those of the list of scenarios.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx2
import pytest

from commands.channels.simulator.conduct import CODE
from tests.journeys.caller import Caller, at_once, fresh, in_seconds
from tests.journeys.receiver import Receiver
from tests.journeys.service import Service

LIMITS: dict[str, Any] = {"currency": "EUR", "per_charge": 5_000, "per_period": {"amount": 10_000, "period": "month"}}


@pytest.fixture
def customer(caller: Caller) -> str:
    return str(caller.post("/customers", {"id": fresh("customer")}).done()["id"])


@pytest.fixture
def merchant(caller: Caller) -> str:
    terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "EUR"}
    return str(caller.post("/merchants", {"id": fresh("merchant"), "name": "Shop", **terms}).done()["id"])


class Signed:
    """An active contract between a customer and a merchant, and what is done with it."""

    def __init__(self, caller: Caller, customer: str, merchant: str, **terms: Any) -> None:
        self.caller, self.customer, self.merchant = caller, customer, merchant
        asked = {
            "customer": customer,
            "merchant": merchant,
            "product": "protocol_pay",
            "method": {"type": "card", "token": "tok_visa"},
            "limits": LIMITS,
        }
        drafted = caller.post("/contracts", asked | terms).done()
        assert (drafted["status"], drafted["next_action"]["type"]) == ("pending_user", "sms_code")
        self.id = str(drafted["id"])
        assert self.post("/confirm", {"answer": CODE}).done()["status"] == "active"

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self.caller.post(f"/contracts/{self.id}{path}", body)

    def order(self, amount: int = 1_000, **more: Any) -> dict[str, Any]:
        return {
            "merchant": self.merchant,
            "customer": self.customer,
            "amount": amount,
            "currency": "EUR",
            "product": "protocol_pay",
            "method": {"type": "contract", "contract": self.id},
            "order_reference": fresh("order"),
        } | more

    def charge(self, amount: int = 1_000, **more: Any) -> Any:
        return self.caller.post("/payments", self.order(amount, **more))

    def shown(self, **when: str | int) -> dict[str, Any]:
        found: dict[str, Any] = self.caller.get(f"/contracts/{self.id}", **when).done(200)
        return found


@pytest.fixture
def signed(caller: Caller, customer: str, merchant: str) -> Signed:
    return Signed(caller, customer, merchant)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as listening:
        yield listening


def bound(caller: Caller, customer: str) -> str:
    """A card of the customer's, confirmed by its code."""
    path = f"/customers/{customer}/payment-methods"
    asked = caller.post(path, {"type": "card", "token": "tok_visa"}).done()
    assert (asked["status"], asked["next_action"]["type"]) == ("pending_user", "sms_code")
    confirmed = caller.post(f"{path}/{asked['id']}/confirm", {"answer": CODE}).done()
    assert (confirmed["status"], confirmed["error"]) == ("active", None)
    return str(asked["id"])


def by_bound_card(customer: str, merchant: str, card: str, **more: Any) -> dict[str, Any]:
    return {
        "merchant": merchant,
        "customer": customer,
        "amount": 6_000,
        "currency": "EUR",
        "product": "quick_pay",
        "method": {"type": "card", "payment_method": card, **more},
        "order_reference": fresh("order"),
    }


def topics_of(caller: Caller, entity: str) -> list[str]:
    return [fact["topic"] for fact in caller.get("/audit/trail", entity=entity).done(200)["data"]]


def ended_by_the_user(service: Service, contract: str) -> None:
    """The payer ends it in the app of his bank, and the channel tells us."""
    with httpx2.Client(trust_env=False) as client:
        answer = client.post(f"{service.simulator_url}/control/contracts/{contract}/end")
    assert answer.status_code == 200, answer.text


def test_p13_a_card_is_stored_without_any_posting(caller: Caller, customer: str) -> None:
    before = caller.get("/trial-balance").done(200)["currencies"]
    card = bound(caller, customer)
    assert caller.get("/trial-balance").done(200)["currencies"] == before
    listed = caller.get(f"/customers/{customer}/payment-methods").done(200)["data"]
    assert [(each["id"], each["status"], each["type"]) for each in listed] == [(card, "active", "card")]


def test_p13_a_wrong_code_may_be_told_again(caller: Caller, customer: str) -> None:
    path = f"/customers/{customer}/payment-methods"
    asked = caller.post(path, {"type": "card", "token": "tok_visa"}).done()["id"]
    for _ in range(2):
        again = caller.post(f"{path}/{asked}/confirm", {"answer": "000000"}).done()
        assert (again["status"], again["error"]["code"]) == ("pending_user", "authentication_failed")
    failed = caller.post(f"{path}/{asked}/confirm", {"answer": "000000"}).done()
    assert failed["status"] == "failed"
    caller.post(f"{path}/{asked}/confirm", {"answer": CODE}).refused(409, "contract_state_invalid")


def test_p58_a_single_use_contract_is_used_once_another_many_times(
    caller: Caller, customer: str, merchant: str, signed: Signed
) -> None:
    once = Signed(caller, customer, merchant, single_use=True)
    assert once.charge().done()["status"] == "succeeded"
    once.charge().refused(409, "contract_used_up")
    assert once.shown()["status"] == "terminated"
    assert [signed.charge().done()["status"] for _ in range(3)] == ["succeeded"] * 3
    assert signed.shown()["status"] == "active"


def test_p59_a_contract_is_ended_once_and_then_not_charged(service: Service, home: str, signed: Signed) -> None:
    assert signed.charge().done()["status"] == "succeeded"
    position = signed.caller.position
    ended = signed.post("/terminate", {"reason": "moved"}).done(200)
    assert (ended["status"], ended["terminated_by"], ended["reason"]) == ("terminated", "merchant", "moved")
    problem = signed.post("/terminate", {"reason": "again"}).refused(409, "contract_already_ended")
    assert (problem["contract_status"], problem["terminated_by"]) == ("terminated", "merchant")
    problem = signed.charge().refused(409, "contract_not_active")
    assert problem["contract_status"] == "terminated"
    # As it stood before, and the channel knows it too.
    assert (signed.shown(as_of=position)["status"], signed.shown()["status"]) == ("active", "terminated")
    service.wait_until(lambda: "contracts.end_confirmed.v1" in topics_of(signed.caller, signed.id))


def test_p59_a_suspended_contract_is_not_charged(signed: Signed) -> None:
    assert signed.post("/suspend", {"reason": "a complaint"}).done(200)["status"] == "suspended"
    signed.charge().refused(409, "contract_not_active")
    assert signed.post("/resume", {}).done(200)["status"] == "active"
    assert signed.charge().done()["status"] == "succeeded"


def test_p60_a_card_is_saved_listed_paid_with_and_deleted(
    service: Service, caller: Caller, customer: str, merchant: str
) -> None:
    first, second = bound(caller, customer), bound(caller, customer)
    path = f"/customers/{customer}/payment-methods"
    assert [each["id"] for each in caller.get(path).done(200)["data"]] == [first, second]
    page = caller.get(path, limit=1).done(200)
    assert [each["id"] for each in page["data"]] == [first]
    assert [each["id"] for each in caller.get(path, limit=1, cursor=page["next_cursor"]).done(200)["data"]] == [second]
    paid = caller.post("/payments", by_bound_card(customer, merchant, first)).done()
    assert (paid["status"], paid["amount_captured"]) == ("succeeded", 6_000)
    # With the security code, which the vault knows by a token of its own.
    with_code = by_bound_card(customer, merchant, first, token="tok_with_code")
    assert caller.post("/payments", with_code).done()["status"] == "succeeded"
    assert caller.post(f"{path}/{second}/delete", {}).done(200)["status"] == "terminated"
    caller.post(f"{path}/{second}/delete", {}).refused(409, "contract_already_ended")
    caller.post("/payments", by_bound_card(customer, merchant, second)).refused(422, "payment_method_unknown")
    assert [each["id"] for each in caller.get(path, status="active").done(200)["data"]] == [first]
    service.wait_until(lambda: "contracts.end_confirmed.v1" in topics_of(caller, second))


def test_p60_a_customer_with_a_contract_is_not_deleted_and_payments_of_one_who_is_go_on(
    service: Service, caller: Caller, customer: str, merchant: str
) -> None:
    card = bound(caller, customer)
    contract = Signed(caller, customer, merchant, method={"type": "card", "payment_method": card})
    path = f"/customers/{customer}"
    caller.post(f"{path}/payment-methods/{card}/delete", {}).refused(409, "payment_method_in_use")
    caller.post(f"{path}/delete", {}).refused(409, "customer_has_contracts")
    # The outcome of this one is still to come when its customer is gone.
    late = {**contract.order(), "method": {"type": "card", "token": "tok_late"}, "product": "quick_pay"}
    under_way = caller.post("/payments", late).body["id"]
    contract.post("/terminate", {"reason": "moved"}).done(200)
    caller.post(f"{path}/payment-methods/{card}/delete", {}).done(200)
    caller.post(f"{path}/delete", {}).done(200)
    service.wait_until(lambda: caller.get(f"/payments/{under_way}").done(200)["status"] == "succeeded", patience_s=30)
    late = {**late, "order_reference": fresh("order")}
    caller.post("/payments", late).refused(422, "customer_unknown")


def test_p61_a_contract_that_the_user_ends_at_the_channel_takes_its_queued_charge_with_it(
    service: Service, signed: Signed
) -> None:
    queued = signed.charge(scheduled_at=in_seconds(3_600)).done()
    assert (queued["status"], queued["attempts"]) == ("created", [])
    charged = service.charges()
    ended_by_the_user(service, signed.id)
    service.wait_until(lambda: signed.shown()["status"] == "terminated")
    assert signed.shown()["terminated_by"] == "user"
    shown = signed.caller.get(f"/payments/{queued['id']}").done(200)
    assert (shown["status"], shown["error"]["code"]) == ("canceled", "mandate_ended")
    signed.charge().refused(409, "contract_not_active")
    signed.post("/terminate", {"reason": "again"}).refused(409, "contract_already_ended")
    assert service.charges() == charged


def test_p61_the_merchant_is_told_that_the_user_has_ended_it(
    service: Service, signed: Signed, receiver: Receiver
) -> None:
    topics = ["contracts.terminated.v1", "payments.canceled.v1"]
    signed.caller.post("/webhook-endpoints", {"url": receiver.url, "topics": topics}).done()
    signed.charge(scheduled_at=in_seconds(3_600)).done()
    ended_by_the_user(service, signed.id)
    told = receiver.wait_until(lambda all_: {one.json["type"] for one in all_} == {*topics})
    assert {one.json["data"]["id"] for one in told if one.json["type"] == topics[0]} == {signed.id}


def test_p61_a_charge_that_was_announced_is_sent_when_its_time_comes(service: Service, signed: Signed) -> None:
    queued = signed.charge(scheduled_at=in_seconds(2)).done()
    assert queued["status"] == "created"
    path = f"/payments/{queued['id']}"
    service.wait_until(lambda: signed.caller.get(path).done(200)["status"] == "succeeded", patience_s=30)
    signed.charge(scheduled_at=in_seconds(-1)).refused(422, "schedule_in_past")


def test_p62_twenty_charges_at_once_never_exceed_the_period_together(
    service: Service, home: str, signed: Signed
) -> None:
    started = datetime.now(UTC)
    doors = [signed.caller, service.caller(home, server=1)] * 10
    replies = at_once(*[partial(door.post, "/payments", signed.order(1_500)) for door in doors])
    if datetime.now(UTC).month != started.month:  # pragma: no cover
        pytest.skip("the month ended in the middle of it")
    refused = [reply for reply in replies if reply.status == 422]
    assert len(refused) == 14
    for reply in refused:
        problem = reply.refused(422, "contract_limit_exceeded")
        assert (problem["limit"], problem["most"], problem["left"]) == ("month", 10_000, 1_000)
    assert [reply.status for reply in replies if reply.status != 422] == [201] * 6
    signed.charge(1_001).refused(422, "contract_limit_exceeded")
    assert signed.charge(1_000).done()["status"] == "succeeded"
    signed.charge(5_001).refused(422, "contract_limit_exceeded")


def test_a_contract_that_cannot_be_is_refused_and_every_field_is_named(
    caller: Caller, customer: str, merchant: str
) -> None:
    asked: dict[str, Any] = {
        "customer": customer,
        "merchant": merchant,
        "product": "protocol_pay",
        "method": {"type": "card", "token": "tok_visa"},
        "limits": LIMITS,
    }
    wrong = {**LIMITS, "currency": "XXX", "per_charge": 0, "per_period": {"amount": 1, "period": "year"}}
    problem = caller.post("/contracts", asked | {"limits": wrong}).refused(422, "currency_unknown")
    assert {error["pointer"] for error in problem["errors"]} == {
        "/limits/currency",
        "/limits/per_charge",
        "/limits/per_period/period",
    }
    caller.post("/contracts", asked | {"product": "quick_pay"}).refused(422, "product_not_supported")
    caller.post("/contracts", asked | {"expires_at": in_seconds(-1)}).refused(422, "expiry_in_past")
    caller.post("/contracts", asked | {"customer": fresh("nobody")}).refused(422, "customer_unknown")
    caller.post("/contracts/con_1/terminate", {"reason": "x"}).refused(404, "contract_not_found")
    order = {"merchant": merchant, "customer": customer, "amount": 1_000, "currency": "EUR", "order_reference": "o"}
    by_contract = order | {"product": "protocol_pay", "method": {"type": "contract", "contract": "con_1"}}
    caller.post("/payments", by_contract).refused(422, "contract_unknown")
    caller.post("/payments", by_contract | {"method": {"type": "contract"}}).refused(422, "field_missing")
    scheduled = order | {"product": "quick_pay", "method": {"type": "card"}, "scheduled_at": in_seconds(60)}
    caller.post("/payments", scheduled).refused(422, "schedule_not_supported")


def test_contracts_are_listed_by_customer_merchant_and_state(caller: Caller, signed: Signed) -> None:
    for filters in ({"customer": signed.customer}, {"merchant": signed.merchant, "status": "active"}):
        assert [each["id"] for each in caller.get("/contracts", **filters).done(200)["data"]] == [signed.id]
    assert caller.get("/contracts", merchant=signed.merchant, status="terminated").done(200)["data"] == []
    # A card that was bound is no contract with a merchant.
    card = bound(caller, signed.customer)
    assert [each["id"] for each in caller.get("/contracts", customer=signed.customer).done(200)["data"]] == [signed.id]
    caller.get(f"/contracts/{card}").refused(404, "contract_not_found")
