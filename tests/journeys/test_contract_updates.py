"""The card of a contract is replaced: by the merchant's word, by the payer's bank, and what is charged meanwhile."""

import httpx2
import pytest

from commands.channels.simulator.conduct import CODE
from tests.journeys.caller import Caller, fresh, in_seconds
from tests.journeys.service import Service
from tests.journeys.test_contract_scenarios import Signed, bound, topics_of

NEW = {"method": {"type": "card", "token": "tok_new"}}


@pytest.fixture
def signed(caller: Caller) -> Signed:
    """An active contract of a customer's with a merchant."""
    customer = caller.post("/customers", {"id": fresh("customer")}).done()["id"]
    terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "EUR"}
    merchant = caller.post("/merchants", {"id": fresh("merchant"), "name": "Shop", **terms}).done()["id"]
    return Signed(caller, str(customer), str(merchant))


def token_charged(signed: Signed, payment: str) -> str:
    """The token that the channel was given for this payment."""
    facts = signed.caller.get("/audit/trail", entity=payment).done(200)["data"]
    (attempt,) = [fact for fact in facts if fact["topic"] == "payments.attempt_initiated.v1"]
    return str(attempt["data"]["token"])


def test_a_card_is_replaced_by_a_code_and_what_waited_is_charged_to_the_new_one(
    service: Service, signed: Signed
) -> None:
    queued = str(signed.charge(scheduled_at=in_seconds(2)).done()["id"])
    asked = signed.post("/update-method", NEW).done()
    assert (asked["status"], asked["next_action"]["type"], asked["method_updated_at"]) == ("updating", "sms_code", None)
    problem = signed.charge().refused(409, "contract_not_active")
    assert problem["contract_status"] == "updating"
    signed.post("/update-method", NEW).refused(409, "contract_state_invalid")
    # Its time comes, and it waits.
    service.wait_until(lambda: "payments.postponed.v1" in topics_of(signed.caller, queued), patience_s=30)
    assert signed.caller.get(f"/payments/{queued}").done(200)["status"] == "created"
    wrong = signed.post("/confirm", {"answer": "000000"}).done()
    assert (wrong["status"], wrong["error"]["code"]) == ("updating", "authentication_failed")
    updated = signed.post("/confirm", {"answer": CODE}).done()
    assert (updated["status"], updated["next_action"], updated["error"]) == ("active", None, None)
    assert updated["method_updated_at"] is not None
    service.wait_until(lambda: signed.caller.get(f"/payments/{queued}").done(200)["status"] == "succeeded")
    assert token_charged(signed, queued) == "tok_new"
    assert token_charged(signed, str(signed.charge().done()["id"])) == "tok_new"


def test_where_the_bank_does_not_agree_the_old_card_is_charged_on(signed: Signed) -> None:
    refused = signed.post("/update-method", {"method": {"type": "card", "token": "tok_declined"}}).done()
    assert (refused["status"], refused["error"]["code"]) == ("active", "generic_decline")
    assert token_charged(signed, str(signed.charge().done()["id"])) == "tok_visa"


def test_a_bound_card_may_take_the_place_of_another(signed: Signed) -> None:
    card = bound(signed.caller, signed.customer)
    by_card = {"method": {"type": "card", "payment_method": card}}
    assert signed.post("/update-method", by_card).done()["status"] == "updating"
    assert signed.post("/confirm", {"answer": CODE}).done()["status"] == "active"
    path = f"/customers/{signed.customer}/payment-methods/{card}/delete"
    signed.caller.post(path, {}).refused(409, "payment_method_in_use")
    assert signed.charge().done()["status"] == "succeeded"


def test_what_cannot_take_the_place_of_a_card_is_refused(signed: Signed) -> None:
    signed.post("/update-method", {"method": {"type": "alipay"}}).refused(422, "method_not_supported")
    unknown = {"method": {"type": "card", "payment_method": "pm_1"}}
    signed.post("/update-method", unknown).refused(422, "payment_method_unknown")
    signed.caller.post("/contracts/con_1/update-method", NEW).refused(404, "contract_not_found")
    signed.post("/terminate", {"reason": "moved"}).done(200)
    signed.post("/update-method", NEW).refused(409, "contract_state_invalid")


def test_a_contract_is_listed_as_updating_and_may_be_ended_then(service: Service, signed: Signed) -> None:
    signed.post("/update-method", NEW).done()
    found = signed.caller.get("/contracts", merchant=signed.merchant, status="updating").done(200)["data"]
    assert [each["id"] for each in found] == [signed.id]
    queued = signed.charge(scheduled_at=in_seconds(3_600)).done()
    assert signed.post("/terminate", {"reason": "moved"}).done(200)["status"] == "terminated"
    assert signed.caller.get(f"/payments/{queued['id']}").done(200)["status"] == "canceled"
    service.wait_until(lambda: "contracts.end_confirmed.v1" in topics_of(signed.caller, signed.id))


def test_a_card_that_the_payers_bank_replaces_is_charged_on_without_a_word(service: Service, signed: Signed) -> None:
    with httpx2.Client(trust_env=False) as client:
        for _ in range(2):
            answer = client.post(f"{service.simulator_url}/control/contracts/{signed.id}/replace_card")
            assert answer.status_code == 200, answer.text
    service.wait_until(lambda: topics_of(signed.caller, signed.id).count("contracts.updated.v1") == 2)
    assert signed.shown()["status"] == "active"
    assert signed.shown()["method_updated_at"] is not None
    assert signed.charge().done()["status"] == "succeeded"
