"""Payments' black-box cases: sale, refunds, unknown outcome, callbacks; those of races and bad input stand there.

The numbers are those of the list of scenarios. Tokens tell the channel simulator how to behave.
"""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_bad_inputs_payments import payment

RECEIVABLE, CHANNEL_FEE, MERCHANT_FEE = f"sys:1110:{CHANNEL}:eur", f"sys:5010:{CHANNEL}:eur", "sys:4010:quick_pay:eur"
Pay = Callable[..., dict[str, Any]]


@pytest.fixture
def merchant(caller: Caller) -> str:
    """A merchant who pays 2 % and nobody has bought from."""
    terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "EUR"}
    return str(caller.post("/merchants", {"id": fresh("merchant"), "name": "Shop", **terms}).done()["id"])


@pytest.fixture
def pay(caller: Caller, merchant: str) -> Pay:
    """Pay 60.00 EUR by card with this token; what is answered at once."""

    def by_card(token: str | None = None, status: int = 201) -> dict[str, Any]:
        order = payment(merchant, method={"type": "card", "token": token})
        answered: dict[str, Any] = caller.post("/payments", order).done(status)
        return answered

    return by_card


def refund(caller: Caller, paid: dict[str, Any], amount: int | None = None) -> Reply:
    return caller.post(
        f"/payments/{paid['id']}/refunds", {"reason": "returned"} | ({"amount": amount} if amount else {})
    )


def becomes(service: Service, caller: Caller, path: str, status: str) -> dict[str, Any]:
    """What is shown once it has this status."""
    service.wait_until(lambda: caller.get(path).done(200)["status"] == status, patience_s=30)
    shown: dict[str, Any] = caller.get(path).done(200)
    caller.position = max(caller.position, shown["position"])
    return shown


def owed(caller: Caller, merchant: str) -> int:
    return int(caller.get(f"/merchants/{merchant}/balance").done(200)["pending"])


def standing(caller: Caller, *accounts: str) -> list[int]:
    """Posted balances; 0 for an account that is not there yet."""
    found = [caller.get(f"/accounts/{account}/balance") for account in accounts]
    return [reply.body["posted"]["balance"] if reply.status == 200 else 0 for reply in found]


def test_p01_a_sale_posts_the_gross_amount_the_fee_and_the_channels_fee(caller: Caller, merchant: str, pay: Pay) -> None:
    accounts = (RECEIVABLE, f"sys:2110:{merchant}:eur", MERCHANT_FEE, CHANNEL_FEE)
    before = standing(caller, *accounts)
    paid = pay()
    assert (paid["status"], paid["amount_captured"]) == ("succeeded", 6_000)
    after = standing(caller, *accounts)
    assert [now - then for now, then in zip(after, before, strict=True)] == [6_000 - 36, 6_000 - 120, 120, 36]
    assert owed(caller, merchant) == 5_880


def test_p18_p19_p22_refunds_give_back_what_was_paid_and_no_more(caller: Caller, merchant: str, pay: Pay) -> None:
    paid = pay()
    for _ in range(3):
        assert refund(caller, paid, 2_000).done()["status"] == "succeeded"
    problem = refund(caller, paid, 1).refused(422, "refund_exceeds_payment")
    assert problem["refundable"] == 0
    refund(caller, paid).refused(422, "refund_exceeds_payment")
    shown = caller.get(f"/payments/{paid['id']}").done(200)
    assert (shown["amount_refunded"], shown["refund_status"]) == (6_000, "full")
    assert [each["amount"] for each in shown["refunds"]] == [2_000] * 3
    assert len({each["id"] for each in shown["refunds"]}) == 3


@pytest.mark.parametrize("token", ["tok_do_not_honor", "tok_insufficient_funds", "tok_fraudulent"])
def test_p21_what_was_not_paid_is_not_given_back(caller: Caller, merchant: str, pay: Pay, token: str) -> None:
    failed = pay(token)
    assert (failed["status"], failed["amount_captured"]) == ("failed", 0)
    problem = refund(caller, failed).refused(409, "payment_state_invalid")
    assert (problem["payment_status"], problem["expected_status"]) == ("failed", "succeeded")
    assert owed(caller, merchant) == 0


def test_p24_a_refund_that_is_pending_succeeds_once(
    service: Service, home: str, caller: Caller, merchant: str, pay: Pay
) -> None:
    paid = pay("tok_refund_late_success")
    name = refund(caller, paid, 1_000).body["id"]
    becomes(service, caller, f"/refunds/{name}", "succeeded")
    service.settled_head(home)
    trail = caller.get("/audit/trail", entity=paid["id"]).done(200)["data"]
    assert [fact["topic"] for fact in trail].count("refunds.succeeded.v1") == 1
    # What is given back comes out of what the merchant is owed; our own fee is kept.
    assert owed(caller, merchant) == 5_880 - 1_000


def test_p25_a_refund_that_fails_leaves_the_merchant_as_before(
    service: Service, caller: Caller, merchant: str, pay: Pay
) -> None:
    paid = pay("tok_refund_generic_decline")
    before = owed(caller, merchant)
    name = refund(caller, paid, 1_000).body["id"]
    becomes(service, caller, f"/refunds/{name}", "failed")
    assert owed(caller, merchant) == before
    shown = caller.get(f"/payments/{paid['id']}").done(200)
    assert (shown["amount_refunded"], shown["refund_status"]) == (0, "none")
    assert refund(caller, paid).status in (201, 202)


@pytest.mark.parametrize("token", ["tok_timeout_after", "tok_error_500_after", "tok_malformed_body", "tok_late"])
def test_p32_no_answer_is_unknown_and_becomes_what_the_channel_did(
    service: Service, caller: Caller, merchant: str, pay: Pay, token: str
) -> None:
    charged = service.charges()
    order = payment(merchant, method={"type": "card", "token": token})
    answered = caller.post("/payments", order)
    assert answered.status in (201, 202)
    assert answered.body["status"] in ("processing", "succeeded")
    paid = becomes(service, caller, f"/payments/{answered.body['id']}", "succeeded")
    assert (paid["amount_captured"], service.charges()) == (6_000, charged + 1)
    assert owed(caller, merchant) == 5_880


@pytest.mark.parametrize("fault", ["timeout_before", "error_500_before"])
def test_p33_what_never_reached_the_channel_is_sent_again_and_charged_once(
    service: Service, caller: Caller, merchant: str, pay: Pay, fault: str
) -> None:
    charged, token = service.charges(), fresh("tok")
    with service.faults({"match": {"operation": "charge", "token": token}, "fault": fault, "times": 1}):
        answered = caller.post("/payments", payment(merchant, method={"type": "card", "token": token}))
        becomes(service, caller, f"/payments/{answered.body['id']}", "succeeded")
    assert service.charges() == charged + 1
    assert owed(caller, merchant) == 5_880


def test_p33_what_the_channel_declines_later_has_failed_and_may_be_tried_again(
    service: Service, caller: Caller, merchant: str, pay: Pay
) -> None:
    """A payment has one attempt here: the second one is a payment of its own for the same order."""
    order = payment(merchant, method={"type": "card", "token": "tok_late_decline"})
    first = caller.post("/payments", order).body
    failed = becomes(service, caller, f"/payments/{first['id']}", "failed")
    assert failed["error"]
    again = caller.post("/payments", {**order, "method": {"type": "card", "token": "tok_approved"}}).done()
    assert again["status"] == "succeeded"
    found = caller.get("/payments", order_reference=order["order_reference"]).done(200)["data"]
    assert [each["status"] for each in found] == ["failed", "succeeded"]
    assert owed(caller, merchant) == 5_880


def test_p34_what_nobody_knows_stays_unknown(service: Service, caller: Caller, merchant: str, pay: Pay) -> None:
    charged, token = service.charges(), fresh("tok")
    silent = [
        {"match": {"operation": operation, "token": token}, "fault": fault}
        for operation, fault in (
            ("charge", "timeout_after"),
            ("charge", "no_callback"),
            ("query_charge", "timeout_before"),
        )
    ]
    with service.faults(*silent):
        unknown = caller.post("/payments", payment(merchant, method={"type": "card", "token": token})).done(202)
        path = f"/payments/{unknown['id']}"
        time.sleep(2)
        shown = caller.get(path).done(200)
        assert (shown["status"], shown["next_action"]["type"]) == ("processing", "wait")
        assert "Don't pay again" in shown["next_action"]["message"]
        assert refund(caller, unknown).refused(409, "payment_state_invalid")["payment_status"] == "processing"
        assert owed(caller, merchant) == 0
    becomes(service, caller, path, "succeeded")
    assert service.charges() == charged + 1


def test_p44_a_callback_that_is_quicker_than_the_answer_is_taken(
    service: Service, caller: Caller, merchant: str, pay: Pay
) -> None:
    """The channel has charged and never answers; what it calls back ends the wait, and the answer is of it."""
    charged = service.charges()
    paid = pay("tok_timeout_after")
    assert (paid["status"], service.charges()) == ("succeeded", charged + 1)
    assert owed(caller, merchant) == 5_880


@pytest.mark.parametrize("token", ["tok_duplicate_callback", "tok_wrong_signature_callback", "tok_no_callback"])
def test_p40_p41_callbacks_that_come_twice_wrongly_or_not_at_all_change_nothing(
    service: Service, home: str, caller: Caller, merchant: str, pay: Pay, token: str
) -> None:
    paid = pay(token)
    assert paid["status"] == "succeeded"
    service.settled_head(home)
    trail = caller.get("/audit/trail", entity=paid["id"]).done(200)["data"]
    assert [fact["topic"] for fact in trail].count("payments.captured.v1") == 1
    assert owed(caller, merchant) == 5_880


def test_everything_that_was_paid_balances(caller: Caller) -> None:
    sums = caller.get("/trial-balance").done(200)["currencies"]["EUR"]
    assert sums["difference"] == 0
    assert sums["debits"] == sums["credits"] > 0
