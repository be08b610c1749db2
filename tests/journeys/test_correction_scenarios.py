"""Corrections' black-box case 81: an operator says what really became of a payment, and the books move both ways.

The numbers are those of the list of scenarios. Tokens tell the channel simulator how to behave.
"""

from typing import Any

import pytest

from tests.journeys.caller import Caller, Reply, at_once, fresh
from tests.journeys.parties import merchant_with, release
from tests.journeys.payers import becomes, charged_at_the_channel, new_merchant, order
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import charge, signed, told
from tests.journeys.test_payment_scenarios import CHANNEL_FEE, MERCHANT_FEE, RECEIVABLE, standing

BILL = "The channel's bill says so."


@pytest.fixture
def merchant(caller: Caller) -> str:
    """A merchant who pays 2 % and nobody has bought from."""
    return new_merchant(caller, "EUR")


def correct(caller: Caller, paid: dict[str, Any], status: str, **more: str) -> Reply:
    return caller.post(f"/payments/{paid['id']}/correct", {"status": status, "reason": BILL, **more})


def show(caller: Caller, paid: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = caller.get(f"/payments/{paid['id']}").done(200)
    return shown


def trail(caller: Caller, paid: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = caller.get("/audit/trail", entity=paid["id"]).done(200)["data"]
    return found


def test_p81_a_success_that_was_none_and_was_one_after_all_moves_the_books_each_time(
    service: Service, home: str, caller: Caller, merchant: str
) -> None:
    accounts = (RECEIVABLE, CHANNEL_FEE, MERCHANT_FEE, f"sys:2110:{merchant}:eur")
    before = standing(caller, *accounts)
    paid = order(caller, merchant, "tok_approved")
    once = standing(caller, *accounts)
    for _ in range(2):
        failed = correct(caller, paid, "failed").done(200)
        assert (failed["status"], failed["amount_captured"], failed["error"]["code"]) == ("failed", 0, "try_again")
        assert [attempt["status"] for attempt in failed["attempts"]] == ["closed"]
        assert standing(caller, *accounts) == before
        caller.post(f"/payments/{paid['id']}/refunds", {"reason": "x"}).refused(409, "payment_state_invalid")
        again = correct(caller, paid, "succeeded").done(200)
        assert (again["status"], again["amount_captured"]) == ("succeeded", 6_000)
        assert standing(caller, *accounts) == once
    # Nothing was sent to the channel, and everything that a payment can do it can do again.
    assert charged_at_the_channel(service, show(caller, paid)) == [6_000]
    assert caller.post(f"/payments/{paid['id']}/refunds", {"reason": "returned"}).done()["status"] == "succeeded"
    service.run_ledger("verify", "--book", home)


def test_p81_a_correction_is_idempotent_and_journalled(
    service: Service, home: str, caller: Caller, merchant: str
) -> None:
    paid = order(caller, merchant, "tok_approved")
    key, asked = fresh("key"), {"status": "failed", "reason": BILL}
    path = f"/payments/{paid['id']}/correct"
    first = caller.post(path, asked, key=key)
    again = caller.post(path, asked, key=key)
    assert (again.is_replay, again.raw) == (True, first.raw)
    head = service.head(home)
    assert {reply.status for reply in at_once(*[lambda: correct(caller, paid, "failed")] * 10)} == {200}
    assert service.head(home) == head, "it had failed already"
    (journalled,) = [fact for fact in trail(caller, paid) if fact["topic"] == "payments.corrected.v1"]
    assert journalled["data"]["reason"] == BILL
    assert (journalled["data"]["was"], journalled["data"]["status"]) == ("succeeded", "failed")
    assert journalled["who"] == trail(caller, paid)[0]["who"]
    clerk = service.caller(home, "payments:read", "payments:write")
    clerk.post(path, asked).refused(403, "scope_missing")
    caller.post(path, {"status": "failed", "reason": ""}).refused(422, "field_invalid")
    caller.post(path, {"status": "refunded", "reason": BILL}).refused(422, "field_invalid")


def test_p81_a_failure_that_was_none_is_paid_and_its_late_message_is_known(
    service: Service, caller: Caller, merchant: str
) -> None:
    failed = order(caller, merchant, "tok_do_not_honor")
    assert failed["status"] == "failed"
    correct(caller, failed, "succeeded", channel_reference="ch_bill_1").done(200)
    shown = show(caller, failed)
    assert (shown["status"], shown["amount_captured"], shown["error"]) == ("succeeded", 6_000, None)
    late = charge(failed, reference="ch_bill_1")
    told(service, signed(service, late), late).done(200)
    assert "payments.receipt_unapplied.v1" not in [fact["topic"] for fact in trail(caller, failed)]
    assert caller.get(f"/merchants/{merchant}/balance").done(200)["pending"] == 5_880


@pytest.mark.parametrize(("status", "pending"), [("succeeded", 5_880), ("failed", 0)])
def test_p81_what_nobody_knows_is_ended_by_who_does(
    service: Service, caller: Caller, merchant: str, status: str, pending: int
) -> None:
    token = fresh("tok")
    silent = [
        {"match": {"operation": operation, "token": token}, "fault": fault}
        for operation, fault in (("charge", "timeout_before"), ("query_charge", "timeout_before"))
    ]
    with service.faults(*silent):
        unknown = order(caller, merchant, token)
        service.wait_until(lambda: show(caller, unknown)["attempts"][0]["status"] == "unknown")
        correct(caller, unknown, status, channel_reference="ch_bill_2").done(200)
    assert becomes(service, caller, unknown, status)["attempts"][0]["status"] in ("succeeded", "declined")
    assert caller.get(f"/merchants/{merchant}/balance").done(200)["pending"] == pending
    assert charged_at_the_channel(service, unknown) == [], "nothing was asked for once it was known"


def test_p81_what_its_merchant_has_had_already_becomes_a_debt(caller: Caller) -> None:
    merchant = merchant_with(caller, 1)
    paid = order(caller, merchant, "tok_approved")
    release(caller, merchant)
    correct(caller, paid, "failed").done(200)
    standing_now = caller.get(f"/merchants/{merchant}/balance").done(200)
    assert (standing_now["pending"], standing_now["available"], standing_now["receivable"]) == (0, 6_001, 6_000)
    sums = caller.get("/trial-balance").done(200)["currencies"]["EUR"]
    assert sums["difference"] == 0


def test_p81_what_others_have_a_part_in_is_undone_first(caller: Caller, merchant: str) -> None:
    paid = order(caller, merchant, "tok_approved")
    caller.post(f"/payments/{paid['id']}/refunds", {"amount": 1, "reason": "returned"}).done()
    correct(caller, paid, "failed").refused(409, "correction_not_possible")
    canceled = order(caller, merchant, "tok_approved", confirm=False)
    caller.post(f"/payments/{canceled['id']}/cancel", {}).done(200)
    correct(caller, canceled, "succeeded").refused(409, "payment_state_invalid")
    correct(caller, {"id": "pay_nobody"}, "failed").refused(404, "payment_not_found")
    held = order(caller, merchant, "tok_approved", capture="manual")
    correct(caller, held, "succeeded").refused(409, "payment_state_invalid")
