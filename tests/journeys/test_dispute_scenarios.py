"""Payments' black-box cases of disputes, of refunds that come back, and of callbacks in any order.

The numbers are those of the list of scenarios. The channel simulator plays the bank.
"""

from itertools import permutations
from typing import Any

import pytest

from tests.journeys.aftermath import (
    EUR_OF,
    dispute,
    merchant_with_terms,
    move_dispute,
    pay,
    said,
    said_of_dispute,
    show,
    tell,
)
from tests.journeys.caller import Caller, Reply, at_once, fresh, in_seconds
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment, signed
from tests.journeys.test_payment_scenarios import becomes, standing

CALLBACKS_AT_ONCE = 200


@pytest.fixture
def merchant(caller: Caller) -> str:
    return merchant_with_terms(caller, dispute_fee=1_000)


@pytest.fixture
def paid(caller: Caller, merchant: str) -> dict[str, Any]:
    """60.00 EUR by card, of which the merchant is owed 58.80."""
    answered: dict[str, Any] = pay(caller, merchant).done()
    return answered


def balance(caller: Caller, merchant: str) -> dict[str, int]:
    found: dict[str, int] = caller.get(f"/merchants/{merchant}/balance").done(200)
    return found


def refund(caller: Caller, paid: dict[str, Any], amount: int = 6_000) -> Reply:
    return caller.post(f"/payments/{paid['id']}/refunds", {"amount": amount, "reason": "returned"})


def test_p27_a_chargeback_holds_the_money_and_a_reversal_gives_it_back(
    service: Service, caller: Caller, merchant: str, paid: dict[str, Any]
) -> None:
    opened = move_dispute(service, caller, paid, status="opened")
    assert (opened["status"], opened["stage"], opened["money"], opened["held"]) == ("opened", "dispute", "taken", 6_000)
    assert (show(caller, paid)["dispute_status"], balance(caller, merchant)["disputed"]) == ("open", 6_000)
    refund(caller, paid, 1_000).refused(409, "dispute_open")
    caller.post(f"/payments/{paid['id']}/revoke", {}).refused(409, "dispute_open")
    won = move_dispute(service, caller, paid, status="won")
    assert (won["status"], won["money"]) == ("won", "none")
    assert (show(caller, paid)["dispute_status"], balance(caller, merchant)["disputed"]) == ("won", 0)


def test_p27_a_reversal_before_its_chargeback_is_kept_and_gives_nothing(
    service: Service, caller: Caller, merchant: str, paid: dict[str, Any]
) -> None:
    before = balance(caller, merchant)
    early = move_dispute(service, caller, paid, status="won")
    assert (early["status"], early["money"]) == ("unopened", "none")
    after = balance(caller, merchant)
    assert {**after, "position": 0} == {**before, "position": 0}


def test_p28_disputes_are_listed_accepted_and_challenged_until_their_deadline(
    service: Service, caller: Caller, merchant: str, paid: dict[str, Any]
) -> None:
    opened = move_dispute(service, caller, paid, status="opened", evidence_due_at=in_seconds(60))
    path = f"/disputes/{opened['id']}"
    evidence = {"evidence": {"delivery": "Signed for, parcel 1Z999"}}
    challenged = caller.post(f"{path}/challenge", evidence).done(200)
    assert (challenged["status"], challenged["money"]) == ("challenged", "taken")
    assert [one["fields"] for one in challenged["evidence"]] == [evidence["evidence"]]
    caller.post(f"{path}/challenge", {"evidence": {}}).refused(422, "field_invalid")
    caller.post(f"{path}/challenge", {"evidence": {"Bad Name": "x"}}).refused(422, "field_invalid")
    caller.post("/disputes/dis_none-1/accept", {}).refused(404, "dispute_not_found")
    listed = caller.get("/disputes", merchant=merchant, status="challenged").done(200)["data"]
    assert [one["id"] for one in listed] == [opened["id"]]
    assert caller.get("/disputes", merchant=merchant, status="lost").done(200)["data"] == []
    accepted = caller.post(f"{path}/accept", {}).done(200)
    assert (accepted["status"], accepted["money"]) == ("accepted", "lost")
    problem = caller.post(f"{path}/accept", {}).refused(409, "dispute_state_invalid")
    assert problem["dispute_status"] == "accepted"
    caller.post(f"{path}/challenge", evidence).refused(409, "dispute_state_invalid")


def test_p28_evidence_after_the_deadline_is_refused(service: Service, caller: Caller, paid: dict[str, Any]) -> None:
    opened = move_dispute(service, caller, paid, status="opened", evidence_due_at=in_seconds(-1))
    evidence = {"evidence": {"delivery": "Signed for"}}
    caller.post(f"/disputes/{opened['id']}/challenge", evidence).refused(409, "evidence_too_late")


def test_p29_won_lost_and_a_second_chargeback_after_a_win(
    service: Service, caller: Caller, merchant: str, paid: dict[str, Any]
) -> None:
    before = balance(caller, merchant)
    move_dispute(service, caller, paid, status="opened")
    move_dispute(service, caller, paid, status="won")
    won = balance(caller, merchant)
    # Equal to before but for the fee, which is a debt where sales had gone into the hold.
    assert (won["pending"], won["receivable"], won["net"]) == (5_880, 1_000, before["net"] - 1_000)
    again = move_dispute(service, caller, paid, stage="pre_arbitration", status="opened")
    assert (again["stage"], again["money"], again["fee"]) == ("pre_arbitration", "taken", 1_000)
    assert balance(caller, merchant)["disputed"] == 6_000
    lost = move_dispute(service, caller, paid, stage="pre_arbitration", status="lost")
    after = balance(caller, merchant)
    assert (lost["money"], after["disputed"], after["net"]) == ("lost", 0, before["net"] - 1_000 - 6_000)
    refund(caller, paid, 1).refused(422, "refund_exceeds_payment")


def test_p30_after_a_full_refund_the_merchant_is_not_charged_twice(
    service: Service, caller: Caller, merchant: str, paid: dict[str, Any]
) -> None:
    name = refund(caller, paid).body["id"]
    becomes(service, caller, f"/refunds/{name}", "succeeded")
    before, suspense = balance(caller, merchant), standing(caller, EUR_OF["suspense"])[0]
    taken = move_dispute(service, caller, paid, status="opened")
    assert (taken["held"], taken["suspended"], taken["needs_attention"]) == (0, 6_000, True)
    after = balance(caller, merchant)
    assert (after["net"], after["disputed"]) == (before["net"], 0)
    assert standing(caller, EUR_OF["suspense"])[0] == suspense + 6_000


def test_p31_a_chargeback_in_another_currency_mixes_no_units(
    service: Service, caller: Caller, merchant: str, paid: dict[str, Any]
) -> None:
    before = balance(caller, merchant)
    taken = move_dispute(service, caller, paid, status="opened", amount=6_600, currency="USD")
    assert (taken["currency"], taken["suspended"], taken["needs_attention"]) == ("USD", 6_600, True)
    assert balance(caller, merchant)["net"] == before["net"]
    trial = caller.get("/trial-balance").done(200)
    assert {currency: one["difference"] for currency, one in trial["currencies"].items()} == {"EUR": 0, "USD": 0}


# --- a refund that comes back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("by", "status"), [("bank_transfer", "paid_elsewhere"), ("return_to_merchant", "failed")])
def test_p26_a_refund_that_fails_after_its_success_is_resolved_by_people(
    service: Service, caller: Caller, merchant: str, by: str, status: str
) -> None:
    paid = pay(caller, merchant, "tok_refund_returned").done()
    before = balance(caller, merchant)["net"]
    transit = f"sys:2210:{merchant}:eur"
    name = refund(caller, paid, 2_000).body["id"]
    becomes(service, caller, f"/refunds/{name}", "failed_after_success")
    assert (standing(caller, transit), show(caller, paid)["amount_refunded"]) == ([2_000], 0)
    assert balance(caller, merchant)["net"] == before - 2_000
    resolved = caller.post(f"/refunds/{name}/resolve", {"by": by}).done(200)
    assert (resolved["status"], standing(caller, transit)) == (status, [0])
    assert balance(caller, merchant)["net"] == before - (2_000 if by == "bank_transfer" else 0)
    problem = caller.post(f"/refunds/{name}/resolve", {"by": by}).refused(409, "refund_state_invalid")
    assert problem["refund_status"] == status


# --- callbacks in any order, and any number of times ------------------------------------------------------------------


def test_p39_five_callbacks_in_any_order_end_in_the_same_state(service: Service, caller: Caller) -> None:
    """A sample of the 120 orders, over HTTP and the database: all of them are tried on the deciders."""
    ends = []
    orders = list(permutations(range(5)))
    for order in [orders[0], orders[-1], *orders[7::23]]:
        merchant = merchant_with_terms(caller, dispute_fee=1_000)
        paid = pay(caller, merchant).done()
        refunds = [refund(caller, paid, amount).body["id"] for amount in (2_000, 1_000)]
        for name in refunds:
            becomes(service, caller, f"/refunds/{name}", "succeeded")
        references = {one["id"]: _reference(service, one["id"]) for one in [paid["attempts"][0]]}
        charge = paid["attempts"][0]["id"]
        messages = [
            said("charge", charge, 6_000, references[charge], status="authorized", capture_before=None),
            said("charge", charge, 6_000, references[charge]),
            said("refund", refunds[0], 2_000, _reference(service, refunds[0])),
            said("refund", refunds[1], 1_000, _reference(service, refunds[1])),
            said_of_dispute(charge, 6_000, fresh("dp"), fee=1_500),
        ]
        for number in order:
            assert tell(service, messages[number]) in ("taken", "known")
        shown, found = show(caller, paid), balance(caller, merchant)
        ends.append(
            (
                [shown[name] for name in ("status", "amount_captured", "amount_refunded", "dispute_status")],
                [dispute(caller, paid)[name] for name in ("status", "money", "held", "suspended", "fee")],
                [found[name] for name in ("pending", "available", "disputed", "receivable", "net")],
            )
        )
    assert [end for end in ends if end != ends[0]] == []
    assert ends[0][1] == ["opened", "taken", 3_000, 3_000, 1_000]


def _reference(service: Service, name: str) -> str:
    """The channel's own reference of what it knows by this id of ours."""
    books = service._simulated("/books")
    known = [one for kind in books.values() if isinstance(kind, list) for one in kind]
    return next(str(one["reference"]) for one in known if one.get("id") == name)


def test_p40_the_same_callback_many_times_at_once_has_one_effect(
    service: Service, home: str, caller: Caller, merchant: str, paid: dict[str, Any]
) -> None:
    head = service.settled_head(home)
    body = said_of_dispute(paid["attempts"][0]["id"], 6_000, fresh("dp"), fee=1_500)
    headers = signed(service, body)
    statuses = at_once(*[lambda: tell(service, body, headers)] * CALLBACKS_AT_ONCE)
    assert (statuses.count("taken"), statuses.count("known")) == (1, CALLBACKS_AT_ONCE - 1)
    trail = caller.get("/audit/trail", entity=paid["id"]).done(200)["data"]
    topics = [fact["topic"] for fact in trail if fact["position"] > head]
    assert (topics.count("disputes.moved.v1"), topics.count("disputes.funds_taken.v1")) == (1, 1)
    assert balance(caller, merchant)["disputed"] == 6_000


@pytest.mark.parametrize("changed", [{"amount": 5_999}, {"currency": "USD"}])
def test_p42_another_sum_in_a_genuine_callback_pays_nothing(
    service: Service, caller: Caller, merchant: str, changed: dict[str, Any]
) -> None:
    with service.faults({"match": {"operation": "charge"}, "fault": "timeout_before", "times": 1}):
        asked = caller.post("/payments", payment(merchant, method={"type": "card", "token": fresh("tok")})).body
        tell(service, said("charge", asked["attempts"][0]["id"], 6_000, "ch_wrong", **changed))
        found = show(caller, asked)
        assert found["amount_captured"] in (0, 6_000)
    paid = becomes(service, caller, f"/payments/{asked['id']}", "succeeded")
    assert (paid["amount_captured"], balance(caller, merchant)["pending"]) == (6_000, 5_880)


def test_p43_words_that_come_late_catch_up_with_what_is_known(service: Service, caller: Caller, merchant: str) -> None:
    """The channel answers nothing for now: its callbacks alone say what became of the charge and of its refund."""
    asked = pay(caller, merchant, "tok_late").body
    paid = becomes(service, caller, f"/payments/{asked['id']}", "succeeded")
    charge = paid["attempts"][0]["id"]
    assert tell(service, said("charge", charge, 6_000, _reference(service, charge))) in ("taken", "known")
    assert show(caller, paid)["amount_captured"] == 6_000
    name = refund(caller, paid, 1_000).body["id"]
    becomes(service, caller, f"/refunds/{name}", "succeeded")
    assert tell(service, said("refund", name, 1_000, _reference(service, name))) in ("taken", "known")
    assert show(caller, paid)["amount_refunded"] == 1_000
