"""Four eyes over HTTP: what waits is shown exactly, carried out once, and never by one person with two keys."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.caller import Caller, transfer
from tests.journeys.service import Service

LIMIT = 10_000


class Office:
    """A book with a policy: Ann has two keys of it, Ben has one, and so has a machine."""

    def __init__(self, service: Service) -> None:
        self.service, self.book = service, service.new_book()
        self.ann = service.person(self.book, "ann")
        self.anns_other = service.person(self.book, "ann", server=1)
        self.ben = service.person(self.book, "ben", server=1)
        self.machine = service.caller(self.book, "ledger:read", "ledger:write")
        self.cash = self.ann.open_account("cash", "asset")
        self.owed = self.ann.open_account("owed")
        self.policy: dict[str, Any] = {
            "entries": {"EUR": LIMIT},
            "transfers": {"EUR": LIMIT},
            "payouts": {"EUR": 500},
            "reversals": True,
            "account_limits": True,
            "reason": "finding 7",
        }
        put = self.put_policy(self.ann, self.policy)
        assert (put.status, put.body["version"]) == (200, 1), put.raw

    def put_policy(self, who: Caller, policy: dict[str, Any]) -> Any:
        return who.send("PUT", "/approvals/policy", json=policy)

    def move(self, who: Caller, amount: int) -> Any:
        return who.post("/transfers", transfer(self.cash, self.owed, amount))

    def waiting(self, who: Caller, amount: int = 2 * LIMIT) -> dict[str, Any]:
        """A transfer that waits for somebody else."""
        asked: dict[str, Any] = self.move(who, amount).done(202)
        assert asked["status"] == "pending"
        return asked

    def decide(self, who: Caller, asked: dict[str, Any], word: str = "approve", **body: str) -> Any:
        body = body or ({"digest": asked["digest"]} if word == "approve" else {"reason": "because"})
        return who.post(f"/approvals/{asked['approval_id']}/{word}", body)

    def held(self) -> int:
        for other in (self.ben, self.anns_other):
            self.ann.position = max(self.ann.position, other.position)
        return self.ann.posted(self.cash)[0]


@pytest.fixture(scope="module")
def office(service: Service) -> Office:
    return Office(service)


def test_what_waits_is_shown_exactly_and_moves_nothing(office: Office) -> None:
    before = office.held()
    asked = office.waiting(office.ann, 20_000)
    assert office.held() == before
    shown = office.ann.get(f"/approvals/{asked['approval_id']}").done(200)
    assert (shown["status"], shown["kind"], shown["maker"]) == ("pending", "transfers.post", "ann")
    assert '"amount":20000' in shown["command"]
    assert {(p["account"], p["direction"], p["amount"]) for p in shown["postings"]} == {
        (office.cash, "debit", 20_000),
        (office.owed, "credit", 20_000),
    }
    assert (shown["digest"], shown["refused_now"]) == (asked["digest"], None)
    assert office.held() == before, "a look posts nothing"
    listed = office.ann.get("/approvals", status="pending").done(200)["data"]
    assert asked["approval_id"] in [one["id"] for one in listed]


def test_somebody_else_agrees_and_the_log_says_to_what(office: Office) -> None:
    before, asked = office.held(), office.waiting(office.ann)
    done = office.decide(office.ben, asked).done(200)
    assert (done["status"], done["maker"], done["checker"]) == ("executed", "ann", "ben")
    assert office.held() == before + 2 * LIMIT
    entry = office.ben.get(f"/entries/{done['result']['id']}").done(200)
    assert entry["position"] == done["result"]["position"] == done["position"]
    log = office.ben.get("/events", after=entry["position"] - 2, limit=2).done(200)["data"]
    assert [(one["topic"], one["person"]) for one in log] == [
        ("approvals.approved.v1", "ben"),
        ("transfers.posted.v1", "ben"),
    ]
    assert (log[0]["data"]["maker"], log[0]["data"]["checker"], log[0]["data"]["digest"]) == (
        "ann",
        "ben",
        asked["digest"],
    )
    assert log[1]["causation"] == f"{asked['approval_id']}.2"
    office.decide(office.ben, asked).refused(409, "approval_not_pending")


def test_row_101_nobody_agrees_to_what_they_asked_for_with_whatever_key(office: Office) -> None:
    before, asked = office.held(), office.waiting(office.ann)
    for key in (office.ann, office.anns_other):
        office.decide(key, asked).refused(403, "self_approval")
        office.decide(key, asked, "reject").refused(403, "self_approval")
    assert office.held() == before
    office.decide(office.ben, asked, "cancel").refused(403, "maker_only")
    office.decide(office.anns_other, asked, "cancel").done(200)
    office.decide(office.ben, asked).refused(409, "approval_not_pending")


def test_row_102_another_digest_is_a_mismatch(office: Office) -> None:
    asked, other = office.waiting(office.ann, 20_000), office.waiting(office.ann, 30_000)
    told = office.decide(office.ben, asked, digest=other["digest"]).refused(409, "approval_mismatch")
    assert told["digest"] == asked["digest"]
    office.decide(office.ben, asked, digest="x").refused(422, "field_invalid")


def test_the_request_comes_again_with_its_first_answer(office: Office) -> None:
    body, key = transfer(office.cash, office.owed, 30_000), "the-same"
    first = office.ann.post("/transfers", body, key=key)
    again = office.ann.post("/transfers", body, key=key)
    assert (again.status, again.raw, again.is_replay) == (202, first.raw, True)
    batch = {"mode": "independent", "transfers": [{**body, "idempotency_key": key}]}
    (result,) = office.ann.post("/batches", batch).done()["results"]
    assert (result["status"], result["problem"]["code"]) == ("rejected", "approval_required")


@pytest.mark.parametrize("mode", ["independent", "atomic"])
def test_a_batch_does_not_get_round_it(office: Office, mode: str) -> None:
    before = office.held()
    item = {**transfer(office.cash, office.owed, 2 * LIMIT), "idempotency_key": f"in-{mode}"}
    told = office.ann.post("/batches", {"mode": mode, "transfers": [item]})
    assert "approval_required" in told.raw.decode()
    assert office.held() == before


def test_a_rehearsal_tells_what_it_would_do(office: Office) -> None:
    body = {**transfer(office.cash, office.owed, 2 * LIMIT), "dry_run": True}
    assert office.ann.post("/transfers", body).done(200)["amount"] == 2 * LIMIT


_GUARDED: dict[str, Callable[[Office], Any]] = {
    "an entry": lambda o: o.ann.post(
        "/entries",
        {
            "postings": [
                {"account": o.cash, "direction": "debit", "amount": LIMIT + 1, "currency": "EUR"},
                {"account": o.owed, "direction": "credit", "amount": LIMIT + 1, "currency": "EUR"},
            ]
        },
    ),
    "a hold": lambda o: o.ann.post("/transfers", {**transfer(o.owed, o.cash, LIMIT + 1), "pending": {}}),
    "limits": lambda o: o.ann.post(f"/accounts/{o.cash}/limits", {"min_balance": None, "max_balance": None}),
    "a reversal": lambda o: o.ann.post(f"/entries/{o.move(o.ann, 5).done()['id']}/reverse", {"reason": "mistake"}),
    "the policy": lambda o: o.put_policy(o.ann, {"reason": "no more"}),
}


@pytest.mark.parametrize("what", _GUARDED)
def test_what_the_policy_names_waits(office: Office, what: str) -> None:
    asked = _GUARDED[what](office).done(202)
    office.decide(office.anns_other, asked).refused(403, "self_approval")
    told = office.decide(office.ben, asked, "reject").done(200)
    assert told["status"] == "rejected"


def test_small_things_go_on_as_ever(office: Office) -> None:
    before = office.held()
    office.move(office.machine, LIMIT).done(201)
    office.ann.position = office.machine.position
    assert office.held() == before + LIMIT


def test_money_that_has_gone_meanwhile_is_refused_and_the_approval_waits_on(office: Office) -> None:
    purse = office.ann.open_account("purse", min_balance=0)
    office.ann.post("/transfers", transfer(office.cash, purse, LIMIT)).done(201)
    office.ann.post("/transfers", transfer(office.cash, purse, LIMIT)).done(201)
    asked = office.ann.post("/transfers", transfer(purse, office.owed, 2 * LIMIT)).done(202)
    office.ann.post("/transfers", transfer(purse, office.owed, 1)).done(201)
    office.ben.position = office.ann.position
    shown = office.ben.get(f"/approvals/{asked['approval_id']}").done(200)
    assert shown["refused_now"]["code"] == "insufficient_funds"
    office.decide(office.ben, asked).refused(409, "insufficient_funds")
    office.ann.post("/transfers", transfer(office.cash, purse, 1)).done(201)
    assert office.decide(office.ben, asked).done(200)["status"] == "executed"


def test_the_policy_is_shown_and_changed_by_two(office: Office) -> None:
    told = office.ann.get("/approvals/policy").done(200)
    assert {name: told[name] for name in office.policy} == office.policy
    stricter = {**office.policy, "transfers": {"EUR": 1}}
    asked = office.put_policy(office.ann, stricter).done(202)
    machine = office.service.person(office.book, "eve", "ledger:write")
    office.decide(machine, asked).refused(403, "scope_missing")
    office.decide(office.ben, asked).done(200)
    office.move(office.machine, 2).done(202)
    back = office.put_policy(office.ben, office.policy).done(202)
    office.decide(office.ann, back).done(200)
    assert office.ann.get("/approvals/policy").done(200)["version"] == told["version"] + 2


def test_another_book_knows_nothing_of_it(office: Office) -> None:
    asked = office.waiting(office.ann)
    stranger = office.service.caller(office.service.new_book())
    stranger.get(f"/approvals/{asked['approval_id']}").refused(404, "approval_not_found")
    office.decide(stranger, asked).refused(404, "approval_not_found")
    assert stranger.get("/approvals").done(200)["data"] == []
