"""Payments' black-box cases of money that no order was waiting for: late successes and second ones.

The numbers are those of the list of scenarios.
"""

from typing import Any

from tests.journeys.aftermath import EUR_OF, control, merchant_with_terms, pay, said, show, tell
from tests.journeys.caller import Caller, fresh
from tests.journeys.service import Service
from tests.journeys.test_payment_scenarios import becomes, owed, standing
from tests.journeys.test_routing_scenarios import at_a


def late_success(service: Service, paid: dict[str, Any], attempt: int = -1) -> None:
    control(service, f"charges/{paid['attempts'][attempt]['id']}/succeed")


def receipts(service: Service, caller: Caller, paid: dict[str, Any], *statuses: str) -> list[dict[str, Any]]:
    """The receipts of a payment once they have these statuses."""

    def stand() -> list[str]:
        return [one["status"] for one in show(caller, paid)["receipts"]]

    service.wait_until(lambda: stand() == list(statuses), patience_s=30)
    found: list[dict[str, Any]] = show(caller, paid)["receipts"]
    return found


def expired(service: Service, caller: Caller, merchant: str) -> dict[str, Any]:
    asked = pay(caller, merchant, "tok_redirect+tok_expires_2").body
    return becomes(service, caller, f"/payments/{asked['id']}", "expired")


def test_p37_a_late_success_after_the_expiry_goes_back_by_itself(service: Service, caller: Caller) -> None:
    merchant = merchant_with_terms(caller)
    order = expired(service, caller, merchant)
    late_success(service, order)
    (receipt,) = receipts(service, caller, order, "returned")
    assert (receipt["amount"], receipt["because"]) == (6_000, "the payment is expired already")
    shown = show(caller, order)
    assert (shown["status"], shown["amount_captured"]) == ("expired", 0)
    assert standing(caller, EUR_OF["unapplied"], f"sys:2210:{merchant}:eur") == [0, 0]
    assert owed(caller, merchant) == 0


def test_p37_or_is_accepted_where_the_merchant_wants_it(service: Service, caller: Caller) -> None:
    merchant = merchant_with_terms(caller, late_success="accept")
    order = expired(service, caller, merchant)
    late_success(service, order)
    receipts(service, caller, order, "accepted")
    shown = show(caller, order)
    assert (shown["status"], shown["amount_captured"], shown["error"]) == ("succeeded", 6_000, None)
    assert (standing(caller, EUR_OF["unapplied"]), owed(caller, merchant)) == ([0], 5_880)
    name = caller.post(f"/payments/{order['id']}/refunds", {"reason": "returned"}).body["id"]
    becomes(service, caller, f"/refunds/{name}", "succeeded")


def test_p37_what_cannot_go_back_is_kept_for_people(service: Service, caller: Caller) -> None:
    merchant = merchant_with_terms(caller)
    failed = pay(caller, merchant, "tok_do_not_honor").done()
    # A success that the channel itself knows nothing of when it is to give it back.
    tell(service, said("charge", failed["attempts"][0]["id"], 6_000, fresh("ch")))
    (receipt,) = receipts(service, caller, failed, "kept")
    assert receipt["error"] is not None
    path = f"/payments/{failed['id']}/receipts"
    caller.post(f"{path}/2/accept", {}).refused(404, "receipt_not_found")
    caller.post(f"{path}/x/return", {}).refused(404, "receipt_not_found")
    accepted = caller.post(f"{path}/1/accept", {}).done(200)
    assert (accepted["status"], accepted["receipts"][0]["status"]) == ("succeeded", "accepted")
    assert owed(caller, merchant) == 5_880
    problem = caller.post(f"{path}/1/return", {}).refused(409, "receipt_state_invalid")
    assert problem["receipt_status"] == "accepted"


def test_p38_of_two_attempts_that_succeed_the_second_goes_back_by_itself(service: Service, caller: Caller) -> None:
    merchant = merchant_with_terms(caller, late_success="accept")
    token = fresh("tok")
    with at_a(service, token, "decline:try_again_later"):
        paid = pay(caller, merchant, token).done()
    assert [one["status"] for one in paid["attempts"]] == ["declined", "succeeded"]
    late_success(service, paid, attempt=0)
    (receipt,) = receipts(service, caller, paid, "returned")
    assert (receipt["attempt"], receipt["because"]) == (paid["attempts"][0]["id"], "the payment is paid already")
    shown = show(caller, paid)
    assert (shown["status"], shown["amount_captured"], owed(caller, merchant)) == ("succeeded", 6_000, 5_880)
    assert standing(caller, EUR_OF["unapplied"], f"sys:2210:{merchant}:eur") == [0, 0]
