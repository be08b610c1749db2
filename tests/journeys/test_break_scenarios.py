"""Breaks' black-box cases 89 and 92, and each way to resolve one: over HTTP, on the books as PostgreSQL holds them.

The numbers are those of the list of scenarios. What waits is found a week later.
"""

import time
from datetime import timedelta
from typing import Any

import pytest

from commands.envelope import Decision, Receipt, Submission
from commands.handler import Decider, Handler, Needs
from commands.reconciliation import AcknowledgeRows
from ledger.events.reconciliation import ReconciliationRequested
from ledger.ids import RECONCILIATION_RUN, new_id
from ledger.store.append import Appender
from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_reconciliation_scenarios import Desk, credit, today
from tests.journeys.test_report_file_scenarios import rows
from tests.writing import part

BREAKS = "/reconciliation/breaks"
Row = dict[str, str]


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def told(row: Row, **changed: int | str) -> Row:
    """The row, saying something else; its net is what is left."""
    row = row | {name: str(value) for name, value in changed.items()}
    return row | {"net": str(int(row["gross"]) - int(row["fee"]))}


def only(desk: Desk, **params: str) -> dict[str, Any]:
    (found,) = desk.breaks(**params)
    return found


def show(desk: Desk, found: dict[str, Any]) -> dict[str, Any]:
    told_of: dict[str, Any] = desk.caller.get(f"{BREAKS}/{found['id']}").done(200)
    return told_of


def propose(caller: Caller, found: dict[str, Any], resolution: str, **parameters: str) -> Reply:
    asked = {"resolution": resolution, "parameters": parameters, "reason": "looked into it"}
    return caller.post(f"{BREAKS}/{found['id']}/propose", asked)


def approve(caller: Caller, found: dict[str, Any]) -> Reply:
    return caller.post(f"{BREAKS}/{found['id']}/approve", {})


def balances(desk: Desk) -> dict[str, int]:
    """Every balance that is not 0."""
    desk.caller.position = max(desk.caller.position, desk.second.position)
    accounts = desk.caller.get("/trial-balance").done(200)["accounts"]
    moved = {one["account"]: one["debits"] - one["credits"] for one in accounts}
    return {name: amount for name, amount in moved.items() if amount}


def resolve(desk: Desk, found: dict[str, Any], resolution: str, **parameters: str) -> dict[str, Any]:
    """Proposed by one and approved by another; what was shown is what is posted."""
    before = balances(desk)
    proposal = propose(desk.caller, found, resolution, **parameters).done(200)["proposal"]
    assert balances(desk) == before
    done: dict[str, Any] = approve(desk.second, found).done(200)
    after = balances(desk)
    shown = {one["account"]: one["amount"] * (1 if one["direction"] == "debit" else -1) for one in proposal["postings"]}
    moved = {name: after.get(name, 0) - before.get(name, 0) for name in before.keys() | after.keys()}
    assert {name: amount for name, amount in moved.items() if amount} == shown
    return done


def states(desk: Desk, file: dict[str, Any]) -> list[str]:
    desk.caller.position = max(desk.caller.position, desk.second.position)
    return [one["state"] for one in rows(desk.caller, file)]


def run_later(desk: Desk, source: str = "channel_csv", account: str = CHANNEL) -> dict[str, Any]:
    """A run as it will be in a week; nobody may ask for one over a day to come, so it is put on record."""
    name = new_id(RECONCILIATION_RUN)
    asked = ReconciliationRequested(name, source, account, today() + timedelta(days=7))
    decider = Decider(lambda *_: Decision([(name, asked)], Receipt()), lambda _: Needs(streams=(name,)))
    handler = Handler(Appender(desk.service.database, desk.book), {AcknowledgeRows: decider})
    (answers,) = handler.handle([Submission([part(AcknowledgeRows(name, ()))], lambda _: None, time.monotonic() + 30)])
    assert answers[0].error is None
    desk.service.wait_until(lambda: desk.run_of(name)["status"] != "running")
    run = desk.run_of(name)
    desk.caller.position = max(desk.caller.position, run["position"])
    return run


def late_row(desk: Desk, payment: str, **changed: int | str) -> Row:
    """A row like that of this payment."""
    (row,) = desk.settlement(payment)
    return told(row, **changed)


# --- 92 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["merchant_bears", "platform_bears"])
def test_p92_above_the_limit_one_person_decides_nothing_and_two_people_undo_to_the_cent(desk: Desk, who: str) -> None:
    payment = desk.pay(20_000)
    file = desk.import_channel([late_row(desk, payment, gross=19_700)])
    assert desk.run()["breaks"] == 1
    found = only(desk, status="open")
    assert (found["type"], found["ours"], found["theirs"], found["at_risk"]) == (
        "amount_ours_more",
        20_000,
        19_700,
        300,
    )
    before = balances(desk)
    assert propose(desk.caller, found, who).done(200)["proposal"]["four_eyes"]
    problem = approve(desk.caller, found).refused(403, "second_person_required")
    assert problem["maker"] == show(desk, found)["proposal"]["maker"]
    assert balances(desk) == before
    assert states(desk, file) == ["broken"]
    done = approve(desk.second, found).done(200)
    assert done["status"] == ("resolved" if who == "merchant_bears" else "written_off")
    assert done["checker"] != problem["maker"]
    assert desk.held("sys:1110:") == 0
    assert states(desk, file) == ["matched"]
    after = balances(desk)
    assert desk.run()["breaks"] == 0
    # Undone by two people again, and it is as if it had never been.
    propose(desk.second, found, "undo").done(200)
    approve(desk.second, found).refused(403, "second_person_required")
    assert balances(desk) == after
    assert approve(desk.caller, found).done(200)["status"] == "reopened"
    assert balances(desk) == before
    (row,) = rows(desk.caller, file)
    assert (row["state"], row["told_by"]) == ("broken", found["id"])
    again = desk.run()
    assert (again["breaks"], again["opened"]) == (1, 0)
    assert only(desk)["status"] == "reopened"
    desk.service.run_ledger("verify", "--book", desk.book)


def test_p92_below_the_limit_one_person_decides_and_undoes(desk: Desk) -> None:
    desk.import_channel([late_row(desk, desk.pay(5_000), gross=4_900)])
    desk.run()
    found, before = only(desk), balances(desk)
    assert not propose(desk.caller, found, "merchant_bears").done(200)["proposal"]["four_eyes"]
    assert approve(desk.caller, found).done(200)["status"] == "resolved"
    propose(desk.caller, found, "undo").done(200)
    assert approve(desk.caller, found).done(200)["status"] == "reopened"
    assert balances(desk) == before


# --- 89, and other evidence -------------------------------------------------------------------------------------------


def test_p89_a_payment_that_nobody_heard_of_is_paid_by_the_file_and_nobody_has_to_decide(desk: Desk) -> None:
    like = late_row(desk, desk.pay(6_000))
    token = fresh("tok")
    silent = [
        {"match": {"operation": operation, "token": token}, "fault": "timeout_before"}
        for operation in ("charge", "query_charge")
    ]
    asked = {
        "merchant": desk.shop,
        "amount": 6_000,
        "currency": "EUR",
        "product": "quick_pay",
        "method": {"type": "card", "token": token},
        "order_reference": fresh("order"),
    }
    with desk.service.faults(*silent):
        unknown = desk.caller.post("/payments", asked).body["id"]
        desk.service.wait_until(lambda: desk.payment(unknown)["attempts"][0]["status"] == "unknown")
        attempt = desk.payment(unknown)["attempts"][0]["id"]
        file = desk.import_channel([told(like, id=attempt, charge_id=attempt, reference="ch_of_the_file")])
        run = desk.run()
        assert desk.payment(unknown)["status"] == "succeeded"
    assert (run["settled"], run["breaks"]) == (1, 0)
    assert states(desk, file) == ["matched"]
    assert desk.breaks() == []


def test_a_row_of_a_payment_that_failed_is_taken_as_its_channels_word_and_settled_by_the_next_run(desk: Desk) -> None:
    terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "EUR"}
    shop = desk.caller.post("/merchants", {"name": "S", **terms, "after_sale": {"late_success": "accept"}}).done()
    like = late_row(desk, desk.pay(20_000))
    asked = {
        "merchant": shop["id"],
        "amount": 20_000,
        "currency": "EUR",
        "product": "quick_pay",
        "method": {"type": "card", "token": "tok_do_not_honor"},
        "order_reference": fresh("order"),
    }
    failed = desk.caller.post("/payments", asked).body["id"]
    desk.service.wait_until(lambda: desk.payment(failed)["status"] == "failed")
    attempt = desk.payment(failed)["attempts"][-1]["id"]
    file = desk.import_channel([told(like, id=attempt, charge_id=attempt, reference="ch_late")])
    assert desk.run()["breaks_by_type"] == {"status_behind": 1}
    found = only(desk)
    resolve(desk, found, "take_evidence")
    assert desk.payment(failed)["status"] == "succeeded"
    assert states(desk, file) == ["broken"]
    run = desk.run()
    assert (run["settled"], run["breaks"], states(desk, file)) == (1, 0, ["matched"])
    assert show(desk, found)["status"] == "resolved"
    propose(desk.caller, found, "undo").refused(409, "break_not_undoable")


def test_what_is_missing_there_ends_by_a_later_file_or_by_a_person(desk: Desk) -> None:
    late, never = desk.pay(6_000), desk.pay(7_000)
    assert desk.run()["breaks"] == 0
    assert run_later(desk)["breaks_by_type"] == {"missing_there": 2}
    one, other = sorted(desk.breaks(), key=lambda found: int(found["ours"]))
    desk.import_channel([late_row(desk, late)])
    run_later(desk)
    assert show(desk, one)["status"] == "auto_resolved"
    propose(desk.caller, one, "ignore").refused(409, "break_state_invalid")
    desk.caller.post(f"{BREAKS}/{one['id']}/reopen", {"reason": "is it?"}).done(200)
    run_later(desk)
    assert show(desk, one)["status"] == "auto_resolved"
    # K2, and back.
    before = balances(desk)
    resolve(desk, other, "correct_payment", status="failed")
    assert (desk.payment(never)["status"], desk.held("sys:1110:")) == ("failed", 0)
    assert run_later(desk)["breaks"] == 0
    resolve(desk, other, "undo")
    assert (desk.payment(never)["status"], balances(desk)) == ("succeeded", before)
    assert run_later(desk)["breaks_by_type"] == {"missing_there": 1}


def test_what_names_nothing_of_ours_stands_in_suspense_until_somebody_knows(desk: Desk) -> None:
    like = late_row(desk, desk.pay(5_000))
    desk.import_channel([like])
    desk.run()
    stranger = told(like, id="order-77", charge_id="", reference="ch_77", gross=9_000)
    file = desk.import_channel([stranger])
    assert desk.run()["waiting"] == 1
    assert run_later(desk)["breaks_by_type"] == {"missing_here": 1}
    found, before = only(desk), balances(desk)
    propose(desk.caller, found, "take_evidence").refused(422, "field_invalid")
    resolve(desk, found, "suspend")
    assert (desk.held("sys:2910:"), states(desk, file)) == (-(9_000 - int(like["fee"])), ["matched"])
    suspended = balances(desk)
    assert run_later(desk)["breaks"] == 0
    resolve(desk, found, "clear_with", account=f"sys:2110:{desk.shop}:eur")
    assert desk.held("sys:2910:") == 0
    assert resolve(desk, found, "undo")["status"] == "resolved"
    assert balances(desk) == suspended
    assert resolve(desk, found, "undo")["status"] == "reopened"
    assert (balances(desk), states(desk, file)) == (before, ["broken"])


# --- fees, tolerances, duplicates -------------------------------------------------------------------------------------


def test_too_large_a_fee_is_claimed_of_the_channel_and_given_up_at_last(desk: Desk) -> None:
    like = late_row(desk, desk.pay(5_000))
    desk.import_channel([told(like, fee=int(like["fee"]) + 90)])
    assert desk.run()["breaks_by_type"] == {"fee": 1}
    found = only(desk)
    assert found["at_risk"] == 90
    assert resolve(desk, found, "settle_with")["status"] == "resolved"
    assert desk.held("sys:1910:") == 90
    claimed = balances(desk)
    assert resolve(desk, found, "give_up_claim")["status"] == "written_off"
    assert desk.held("sys:1910:") == 0
    assert resolve(desk, found, "undo")["status"] == "resolved"
    assert balances(desk) == claimed


def test_a_difference_of_two_cents_is_ours_and_no_break(desk: Desk) -> None:
    desk.import_channel([late_row(desk, desk.pay(5_000), gross=4_998)])
    run = desk.run()
    assert (run["settled"], run["breaks"], run["refused"]) == (1, 0, 0)
    assert desk.held("sys:5080:") == 2


def test_a_row_that_comes_twice_is_a_break_that_moves_nothing(desk: Desk) -> None:
    row = late_row(desk, desk.pay(5_000))
    file = desk.import_channel([row, row | {"reference": "ch_once_more"}])
    assert desk.run()["settled"] == 1
    before = balances(desk)
    assert run_later(desk)["breaks_by_type"] == {"duplicate": 1}
    found = only(desk)
    assert len(found["related"]) == 1
    resolve(desk, found, "ignore")
    assert (balances(desk), sorted(states(desk, file))) == (before, ["broken", "matched"])
    assert run_later(desk)["opened"] == 0
    assert show(desk, found)["status"] == "resolved"
    resolve(desk, found, "undo")
    assert (balances(desk), show(desk, found)["status"]) == (before, "reopened")


def test_a_row_of_a_batch_that_was_paid_without_it_is_a_break_until_somebody_knows_its_batch(desk: Desk) -> None:
    first, second = late_row(desk, desk.pay(5_000)), late_row(desk, desk.pay(2_000))
    desk.import_channel([first])
    desk.run()
    paid = int(first["net"])
    desk.import_bank(credit(paid), moved=paid)
    assert desk.run("mt940", "main")["settled"] == 1
    file = desk.import_channel([second])
    run = desk.run()
    assert (run["settled"], run["refused"], run["breaks_by_type"]) == (0, 1, {"split": 1})
    assert desk.run()["output_hash"] == run["output_hash"]
    found = only(desk)
    problem = propose(desk.caller, found, "settle_with").refused(409, "batch_paid_already")
    assert [error["pointer"] for error in problem["errors"]] == ["/resolution"]
    resolve(desk, found, "settle_with", batch="late")
    assert (desk.held(f"sys:1120:{CHANNEL}:late"), states(desk, file)) == (int(second["net"]), ["matched"])
    resolve(desk, found, "undo")
    assert states(desk, file) == ["broken"]


# --- banks ------------------------------------------------------------------------------------------------------------


def test_what_nobody_knows_at_the_bank_stands_in_suspense_and_is_cleared_by_who_knows_or_by_evidence(
    desk: Desk,
) -> None:
    payment = desk.pay(20_000)
    owed = desk.held("sys:1110:")
    desk.import_bank(credit(owed), credit(30_000), moved=owed + 30_000)
    assert desk.run("mt940", "main")["breaks"] == 0
    assert run_later(desk, "mt940", "main")["breaks_by_type"] == {"bank_credit_unknown": 2}
    assert (desk.held("sys:2910:"), desk.held("sys:1020:")) == (-(owed + 30_000), owed + 30_000)
    one, other = sorted(desk.breaks(), key=lambda found: int(found["theirs"]))
    # By evidence: the channel's file tells of the batch.
    desk.import_channel(desk.settlement(payment))
    desk.run()
    assert run_later(desk, "mt940", "main")["settled"] == 1
    assert (show(desk, one)["status"], desk.held("sys:1120:"), desk.held("sys:2910:")) == ("auto_resolved", 0, -30_000)
    # By somebody who knows.
    before = balances(desk)
    resolve(desk, other, "clear_with", account=f"sys:2110:{desk.shop}:eur")
    assert (desk.held("sys:2910:"), show(desk, other)["status"]) == (0, "resolved")
    assert run_later(desk, "mt940", "main")["breaks"] == 0
    resolve(desk, other, "undo")
    assert balances(desk) == before
    run = run_later(desk, "mt940", "main")
    assert (run["breaks"], run["opened"], balances(desk)) == (1, 0, before)


def test_a_debit_that_nobody_knows_is_ours_to_explain(desk: Desk) -> None:
    desk.pay(5_000)
    debit = credit(1_500).replace("C15,00", "D15,00")
    desk.import_bank(credit(9_000), debit, moved=7_500)
    assert run_later(desk, "mt940", "main")["breaks"] == 2
    assert desk.held("sys:1910:") == 1_500
    found = only(desk, type="bank_debit_unknown")
    resolve(desk, found, "clear_with", account="sys:5060:main:eur")
    assert (desk.held("sys:1910:"), desk.held("sys:5060:")) == (0, 1_500)


# --- what is wrong ----------------------------------------------------------------------------------------------------


def test_a_proposal_is_outdated_once_something_else_was_done(desk: Desk) -> None:
    payment = desk.pay(20_000)
    run_later(desk)
    found = only(desk)
    propose(desk.caller, found, "correct_payment", status="failed").done(200)
    desk.caller.post(f"/payments/{payment}/refunds", {"amount": 100, "reason": "returned"}).done()
    problem = approve(desk.second, found).refused(409, "proposal_outdated")
    assert (problem["proposal"], problem["because"]) == (1, "correction_not_possible")
    desk.caller.post(f"{BREAKS}/{found['id']}/reject", {"reason": "not so"}).done(200)
    assert show(desk, found)["status"] == "investigating"


def test_what_is_asked_wrongly_is_pointed_at(desk: Desk) -> None:
    desk.import_channel([late_row(desk, desk.pay(5_000), gross=4_900)])
    desk.run()
    found = only(desk)
    for resolution, parameters, status, code, pointer in (
        ("forget", {}, 422, "field_invalid", "/resolution"),
        ("merchant_bears", {"account": "x"}, 422, "unknown_field", "/parameters/account"),
        ("merchant_bears", {"item": "pay_9.1"}, 404, "receivable_item_not_found", "/parameters/item"),
        ("settle_with", {}, 409, "settlement_amount_differs", "/resolution"),
        ("correct_payment", {}, 422, "field_invalid", "/parameters/status"),
        ("correct_payment", {"status": "succeeded"}, 422, "field_invalid", "/parameters/status"),
        ("offset", {}, 422, "field_missing", "/parameters/against"),
        ("clear_with", {}, 422, "field_missing", "/parameters/account"),
        ("clear_with", {"account": "nobody"}, 422, "field_invalid", "/resolution"),
        ("take_evidence", {}, 422, "field_invalid", "/resolution"),
        ("give_up_claim", {}, 409, "claim_exceeds_open", "/resolution"),
    ):
        problem = propose(desk.caller, found, resolution, **parameters).refused(status, code)
        assert [error["pointer"] for error in problem["errors"]] == [pointer], resolution
    assert show(desk, found)["status"] == "open"
    propose(desk.caller, found, "undo").refused(409, "break_state_invalid")
    approve(desk.caller, found).refused(409, "break_state_invalid")
    propose(desk.caller, {"id": "brk_0"}, "ignore").refused(404, "break_not_found")
    reader = desk.service.caller(desk.book, "ledger:read")
    propose(reader, found, "ignore").refused(403, "scope_missing")
    assert found["account"] == CHANNEL
