"""What merchants answer in disputes, over HTTP: it reaches the bank that the channel simulator plays, once, or in vain.

Beside scenario 28 of the list.
"""

from typing import Any

import pytest

from tests.journeys.aftermath import dispute, merchant_with_terms, move_dispute, pay
from tests.journeys.caller import Caller, in_seconds
from tests.journeys.service import Service

EVIDENCE = {"delivery": "Signed for, parcel 1Z999", "invoice": "2026-1729"}


@pytest.fixture
def paid(caller: Caller) -> dict[str, Any]:
    """60.00 EUR by card."""
    answered: dict[str, Any] = pay(caller, merchant_with_terms(caller)).done()
    return answered


def said(service: Service, caller: Caller, paid: dict[str, Any], status: str) -> dict[str, Any]:
    """The dispute, once its last answer has this status."""
    service.wait_until(lambda: dispute(caller, paid)["answers"][-1]["status"] == status, patience_s=30)
    return dispute(caller, paid)


def there(service: Service, paid: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """The answers in the channel's own books, and how the dispute stands in them."""
    books, charge = service.channel_books(), paid["attempts"][-1]["id"]
    (known,) = (one for one in books["disputes"] if one["charge_id"] == charge)
    return [one for one in books["dispute_answers"] if one["charge_id"] == charge], known["dispute"]["status"]


def test_evidence_reaches_the_bank_which_then_decides(service: Service, caller: Caller, paid: dict[str, Any]) -> None:
    opened = move_dispute(service, caller, paid, evidence_due_at=in_seconds(60))
    path = f"/disputes/{opened['id']}"
    asked = caller.post(f"{path}/challenge", {"evidence": EVIDENCE}).done(200)
    assert [(one["says"], one["status"]) for one in asked["answers"]] == [("challenge", "processing")]
    told = said(service, caller, paid, "delivered")
    assert (told["status"], told["money"], told["needs_attention"]) == ("challenged", "taken", False)
    (answer,), status = there(service, paid)
    assert (answer["id"], answer["evidence"], status) == (told["answers"][0]["id"], EVIDENCE, "challenged")
    # The bank's own word that it is challenged comes as well, before it decides.
    service.wait_until(lambda: topics(caller, paid).count("disputes.moved.v1") == 2)
    won = move_dispute(service, caller, paid, status="won")
    assert (won["status"], won["money"]) == ("won", "none")


def test_what_is_accepted_here_is_accepted_there(service: Service, caller: Caller, paid: dict[str, Any]) -> None:
    opened = move_dispute(service, caller, paid, evidence_due_at=in_seconds(60))
    accepted = caller.post(f"/disputes/{opened['id']}/accept", {}).done(200)
    assert (accepted["status"], accepted["money"]) == ("accepted", "lost")
    said(service, caller, paid, "delivered")
    (answer,), status = there(service, paid)
    assert (answer["object"], status) == ("answer", "accepted")


def test_an_answer_that_nobody_confirms_is_asked_about_and_there_once(
    service: Service, caller: Caller, paid: dict[str, Any]
) -> None:
    opened = move_dispute(service, caller, paid, evidence_due_at=in_seconds(60))
    with service.faults({"match": {"operation": "challenge_dispute"}, "fault": "timeout_after", "times": 1}):
        caller.post(f"/disputes/{opened['id']}/challenge", {"evidence": EVIDENCE}).done(200)
        said(service, caller, paid, "delivered")
    assert len(there(service, paid)[0]) == 1
    assert "disputes.answer_unanswered.v1" in topics(caller, paid)


def test_evidence_that_does_not_get_through_in_time_counts_for_nothing_and_is_shown(
    service: Service, caller: Caller, paid: dict[str, Any]
) -> None:
    opened = move_dispute(service, caller, paid, evidence_due_at=in_seconds(1.5))
    with service.faults({"match": {"operation": "challenge_dispute"}, "fault": "timeout_before", "times": 1}):
        caller.post(f"/disputes/{opened['id']}/challenge", {"evidence": EVIDENCE}).done(200)
        late = said(service, caller, paid, "declined")
    assert (late["status"], late["money"], late["needs_attention"]) == ("opened", "taken", True)
    assert late["answers"][0]["group"] == "session_expired"
    assert there(service, paid) == ([], "opened")
    caller.post(f"/disputes/{opened['id']}/challenge", {"evidence": EVIDENCE}).refused(409, "evidence_too_late")


def topics(caller: Caller, paid: dict[str, Any]) -> list[str]:
    return [fact["topic"] for fact in caller.get("/audit/trail", entity=paid["id"]).done(200)["data"]]
