"""Payments' black-box cases: sale, refunds, unknown outcome, callbacks; those of races and bad input stand there.

The numbers are those of the list of scenarios. Tokens tell the channel simulator how to behave.
"""

import re
import time
from collections.abc import Callable
from typing import Any, LiteralString

import httpx2
import pytest

from commands.processes.next_steps import UNRESOLVED_AFTER_TRIES
from ledger.store.connection import in_book
from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_bad_inputs_payments import STRANGER, charge, payment, signed, told

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


def refunded_at_the_channel(service: Service, paid: dict[str, Any]) -> list[int]:
    """The amounts of the refunds of this payment that the channel's own books call succeeded."""
    refunds = service.channel_books()["refunds"]
    own = paid["id"].replace("pay_", "ref_")
    return [one["amount"] for one in refunds if one["id"].startswith(own) and one["status"] == "succeeded"]


def standing(caller: Caller, *accounts: str) -> list[int]:
    """Posted balances; 0 for an account that is not there yet."""
    found = [caller.get(f"/accounts/{account}/balance") for account in accounts]
    return [reply.body["posted"]["balance"] if reply.status == 200 else 0 for reply in found]


def test_p01_a_sale_posts_the_gross_amount_the_fee_and_the_channels_fee(
    caller: Caller, merchant: str, pay: Pay
) -> None:
    accounts = (RECEIVABLE, f"sys:2110:{merchant}:eur", MERCHANT_FEE, CHANNEL_FEE)
    before = standing(caller, *accounts)
    paid = pay()
    assert (paid["status"], paid["amount_captured"]) == ("succeeded", 6_000)
    after = standing(caller, *accounts)
    assert [now - then for now, then in zip(after, before, strict=True)] == [6_000 - 36, 6_000 - 120, 120, 36]
    assert owed(caller, merchant) == 5_880


def test_p18_what_was_given_back_whole_is_not_given_back_by_one_cent_more(
    service: Service, caller: Caller, merchant: str, pay: Pay
) -> None:
    paid = pay()
    whole = refund(caller, paid).done()
    assert (whole["status"], whole["amount"]) == ("succeeded", 6_000)
    problem = refund(caller, paid, 1).refused(422, "refund_exceeds_payment")
    assert (problem["amount"], problem["refundable"]) == (1, 0)
    refund(caller, paid).refused(422, "refund_exceeds_payment")
    shown = caller.get(f"/payments/{paid['id']}").done(200)
    assert (shown["status"], shown["amount_refunded"], shown["refund_status"]) == ("succeeded", 6_000, "full")
    assert refunded_at_the_channel(service, paid) == [6_000]


def test_p19_refunds_in_parts_sum_up_and_the_fourth_is_refused(
    service: Service, caller: Caller, merchant: str, pay: Pay
) -> None:
    paid = shown = pay()
    for part in range(1, 4):
        assert refund(caller, paid, 2_000).done()["status"] == "succeeded"
        shown = caller.get(f"/payments/{paid['id']}").done(200)
        assert (shown["amount_refunded"], shown["refund_status"]) == (2_000 * part, "full" if part == 3 else "partial")
    assert refund(caller, paid, 1).refused(422, "refund_exceeds_payment")["refundable"] == 0
    assert [each["amount"] for each in shown["refunds"]] == [2_000] * 3
    assert len({each["id"] for each in shown["refunds"]}) == 3
    assert refunded_at_the_channel(service, paid) == [2_000] * 3
    # What is given back comes out of what the merchant is owed; our own fee is kept, and he owes it.
    standing_now = caller.get(f"/merchants/{merchant}/balance").done(200)
    assert (standing_now["pending"], standing_now["receivable"]) == (0, 120)


def test_p22_a_second_refund_under_the_key_of_the_first_is_refused_and_the_first_is_untouched(
    service: Service, caller: Caller, merchant: str, pay: Pay
) -> None:
    paid, key = pay(), fresh("key")
    path = f"/payments/{paid['id']}/refunds"
    first = caller.post(path, {"amount": 1_000, "reason": "returned"}, key=key)
    again = caller.post(path, {"amount": 1_000, "reason": "returned"}, key=key)
    assert (again.is_replay, again.raw) == (True, first.raw)
    caller.post(path, {"amount": 2_000, "reason": "returned"}, key=key).refused(422, "idempotency_key_reused")
    caller.post(path, {"id": first.body["id"], "amount": 2_000, "reason": "mine"}).refused(422, "unknown_field")
    assert caller.get(f"/refunds/{first.body['id']}").done(200)["amount"] == 1_000
    assert caller.get(f"/payments/{paid['id']}").done(200)["amount_refunded"] == 1_000
    assert refunded_at_the_channel(service, paid) == [1_000]


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


def test_p33_what_the_channel_declines_later_has_failed_and_the_order_may_be_paid_by_another_payment(
    service: Service, caller: Caller, merchant: str, pay: Pay
) -> None:
    order = payment(merchant, method={"type": "card", "token": "tok_late_decline"})
    first = caller.post("/payments", order).body
    failed = becomes(service, caller, f"/payments/{first['id']}", "failed")
    assert failed["error"]
    again = caller.post("/payments", {**order, "method": {"type": "card", "token": "tok_approved"}}).done()
    assert again["status"] == "succeeded"
    found = caller.get("/payments", order_reference=order["order_reference"]).done(200)["data"]
    assert [each["status"] for each in found] == ["failed", "succeeded"]
    assert owed(caller, merchant) == 5_880


def test_p33_what_the_channel_declined_without_telling_us_has_failed_and_is_tried_once_more(
    service: Service, caller: Caller, merchant: str, pay: Pay
) -> None:
    """No answer and no callback: the question says that it was declined, and the same payment has a second attempt."""
    token = fresh("tok")
    silently = ("decline:insufficient_funds", "timeout_after", "no_callback")
    rules = [{"match": {"operation": "charge", "token": token}, "fault": fault, "times": 1} for fault in silently]
    with service.faults(*rules):
        answered = caller.post("/payments", payment(merchant, method={"type": "card", "token": token})).body
        failed = becomes(service, caller, f"/payments/{answered['id']}", "failed")
    assert failed["error"]["code"] == "insufficient_funds"
    again = caller.post(f"/payments/{failed['id']}/retry", {})
    assert again.status in (201, 202)
    paid = becomes(service, caller, f"/payments/{failed['id']}", "succeeded")
    assert [attempt["status"] for attempt in paid["attempts"]] == ["declined", "succeeded"]
    assert owed(caller, merchant) == 5_880


def test_p34_what_nobody_knows_stays_unknown(
    service: Service, home: str, caller: Caller, merchant: str, pay: Pay
) -> None:
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
        # Once it was asked about for the sixtieth time somebody has to look at it; it has not failed.
        age(service, home, unknown["id"], UNRESOLVED_AFTER_TRIES - 1)
        service.wait_until(lambda: unresolved(caller) == [unknown["id"]])
        assert caller.get(path).done(200)["status"] == "processing"
        age(service, home, unknown["id"], UNRESOLVED_AFTER_TRIES)
    becomes(service, caller, path, "succeeded")
    assert service.charges() == charged + 1
    assert unresolved(caller) == []
    topics = [fact["topic"] for fact in caller.get("/audit/trail", entity=unknown["id"]).done(200)["data"]]
    assert topics.count("payments.failed.v1") == 0


def unresolved(caller: Caller) -> list[str]:
    return [one["payment"] for one in caller.get("/errands/unresolved").done(200)["data"]]


def age(service: Service, book: str, paid: str, tries: int) -> None:
    """As if its channel had been asked so often, and were to be asked now."""
    # Not while it is being asked: what comes back then would count on from how often it really was.
    statement: LiteralString = (
        "UPDATE {schema}.channel_calls SET tries = %s, next_at = now()"
        " WHERE subject = %s AND state <> 'done' AND (claimed_until IS NULL OR claimed_until <= now())"
    )
    with service.database.owner() as connection:
        service.wait_until(lambda: connection.execute(in_book(statement, book), (tries, paid)).rowcount == 1)


@pytest.mark.parametrize("fault", [{"fault": "timeout_after"}, {"fault": "hang", "delay_ms": 1_500}])
def test_p44_a_callback_that_is_quicker_than_the_answer_is_taken(
    service: Service, home: str, caller: Caller, merchant: str, pay: Pay, fault: dict[str, Any]
) -> None:
    """The channel has charged and answers never, or late; what it calls back ends the wait, and the answer is of it."""
    charged, token = service.charges(), fresh("tok")
    with service.faults({"match": {"operation": "charge", "token": token}, **fault}):
        paid = pay(token)
        assert (paid["status"], service.charges()) == ("succeeded", charged + 1)
        time.sleep(2)  # The answer comes as well, where it comes.
    service.settled_head(home)
    trail = caller.get("/audit/trail", entity=paid["id"]).done(200)["data"]
    assert [fact["topic"] for fact in trail].count("payments.captured.v1") == 1
    assert owed(caller, merchant) == 5_880


def test_p41_a_message_that_is_altered_unsigned_or_old_has_no_effect_and_is_counted(
    service: Service, home: str, caller: Caller, merchant: str, pay: Pay
) -> None:
    """Of a payment that has failed at its channel: a right message would be money that is kept apart."""
    failed = pay("tok_do_not_honor")
    head, before = service.settled_head(home), counted(service, 401) + counted(service, 400)
    body = charge(failed)
    altered = body.replace(b'"amount": 6000', b'"amount": 60000')
    assert altered != body
    told(service, signed(service, body), altered).refused(401, "signature_invalid")
    told(service, signed(service, body, secret=STRANGER), body).refused(401, "signature_invalid")
    told(service, signed(service, body, at=-301), body).refused(401, "timestamp_out_of_window")
    told(service, {}, body).refused(400, "signature_malformed")
    assert service.head(home) == head
    assert counted(service, 401) + counted(service, 400) == before + 4
    assert caller.get(f"/payments/{failed['id']}").done(200)["status"] == "failed"
    assert told(service, signed(service, body), body).done(200)["status"] == "taken"


def counted(service: Service, status: int) -> int:
    """How many callbacks the first server has answered so, as its own figures tell."""
    figures = httpx2.get(f"{service.url}/metrics", trust_env=False).text
    line = rf'ledger_http_requests_total{{method="POST",route="([^"]*callbacks)",status="{status}"}} (\S+)'
    return sum(int(float(number)) for _, number in re.findall(line, figures))


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
