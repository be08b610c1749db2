"""Periods over HTTP: closed with a signed checkpoint, corrected and reopened by two people."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.caller import Caller, transfer
from tests.journeys.service import Service

LAST_YEAR = datetime.now(UTC).year - 1
MARCH, APRIL, DECEMBER = (f"{LAST_YEAR}-{month:02}" for month in (3, 4, 12))


class Books:
    """A book with sales and rent of last year, kept by Ann and Ben."""

    def __init__(self, service: Service) -> None:
        self.service, self.book = service, service.new_book()
        self.ann = service.person(self.book, "ann")
        self.ben = service.person(self.book, "ben")
        self.cash = self.ann.open_account("cash", "asset")
        self.sales = self.ann.open_account("sales", "revenue")
        self.rent = self.ann.open_account("rent", "expense")

    def posted(self, debit: str, credit: str, amount: int, day: str) -> None:
        self.ann.post("/transfers", transfer(debit, credit, amount, effective_at=f"{day}T12:00:00Z")).done()

    def close(self, period: str, **more: Any) -> Any:
        return self.ann.insist(f"/periods/{period}/close", {"reason": "month-end", **more})

    def agree(self, asked: dict[str, Any], who: Caller | None = None) -> Any:
        who = who or self.ben
        told = who.insist(f"/approvals/{asked['approval_id']}/approve", {"digest": asked["digest"]})
        self.ann.position = max(self.ann.position, who.position)
        return told

    def entry(self, amount: int, **more: Any) -> dict[str, Any]:
        sides = ((self.rent, "debit"), (self.cash, "credit"))
        postings = [
            {"account": account, "direction": side, "amount": amount, "currency": "EUR"} for account, side in sides
        ]
        return {"postings": postings, **more}


@pytest.fixture
def books(service: Service) -> Books:
    books = Books(service)
    books.posted(books.cash, books.sales, 70_000, f"{MARCH}-10")
    books.posted(books.rent, books.cash, 20_000, f"{MARCH}-20")
    return books


def test_a_period_is_closed_with_its_totals_and_a_signed_checkpoint(books: Books) -> None:
    head = books.ann.head()
    closed = books.close(MARCH).done(200)
    assert closed["totals"] == {"EUR": [90_000, 90_000]}
    assert closed["checkpoint_size"] >= head
    assert closed["checkpoint"].splitlines()[1] == str(closed["checkpoint_size"])
    (shown,) = books.ann.get("/periods").done(200)["data"]
    assert (shown["period"], shown["status"], shown["by"]) == (MARCH, "closed", "ann")
    assert (shown["checkpoint_size"], shown["checkpoint"]) == (closed["checkpoint_size"], closed["checkpoint"])
    books.close(MARCH).refused(409, "period_closed")


def test_a_year_is_carried_to_retained_earnings(books: Books) -> None:
    closed = books.close(DECEMBER).done(200)
    assert books.ann.posted(books.sales, books.rent, "sys:3010:home:eur") == [0, 0, 50_000]
    entry = books.ann.get(f"/entries/{closed['carried'][0]}").done(200)
    assert (entry["carries"], entry["effective_at"]) == (DECEMBER, f"{DECEMBER}-31T23:59:59.999999Z")
    balance = books.ann.get("/trial-balance", as_of=f"{DECEMBER}-31T23:59:59.999999Z").done(200)["currencies"]
    assert [balance["EUR"][side] for side in ("debits", "credits")] == closed["totals"]["EUR"]
    # What is there before is not carried twice, and what is new is.
    books.posted(books.cash, books.sales, 5, f"{LAST_YEAR + 1}-01-01")
    assert books.close(f"{LAST_YEAR + 1}-01", carry_forward=True).done(200)["totals"]["EUR"][0] > 0
    assert books.ann.posted(books.sales, "sys:3010:home:eur") == [0, 50_005]


def test_all_that_keeps_it_open_is_named_at_once(books: Books) -> None:
    books.close(MARCH).done(200)
    waiting = books.ann.post("/entries", books.entry(5, adjusting={"period": MARCH, "reason": "late"})).done(202)
    reopening = books.ann.post(f"/periods/{MARCH}/reopen", {"reason": "an invoice"}).done(202)
    books.agree(reopening).done(200)
    refused = books.close(MARCH).refused(409, "period_checks_failed")
    assert refused["failed"] == ["approvals_pending"]
    asked = books.close(MARCH, override=["approvals_pending"]).done(202)
    books.agree(asked, books.service.person(books.book, "ann")).refused(403, "self_approval")
    done = books.agree(asked).done(200)["result"]
    assert (done["status"], [one["check"] for one in done["warnings"]]) == ("closed", ["approvals_pending"])
    (shown,) = books.ann.get("/periods").done(200)["data"]
    assert (shown["overridden"], shown["by"], shown["approval"]) == (["approvals_pending"], "ben", asked["approval_id"])
    books.agree(waiting).done(200)


def test_a_month_that_is_not_over_stays_open(books: Books) -> None:
    books.close(f"{datetime.now(UTC):%Y-%m}").refused(409, "period_not_over")


def test_what_comes_late_is_refused_and_posted_by_two_as_an_adjusting_entry(books: Books) -> None:
    books.close(MARCH).done(200)
    late = books.entry(1_500, effective_at=f"{MARCH}-31T12:00:00Z")
    refused = books.ann.post("/entries", late).refused(409, "period_closed")
    assert refused["period"] == MARCH
    assert "adjusting" in refused["detail"]
    asked = books.ann.post("/entries", {**late, "adjusting": {"period": MARCH, "reason": "came late"}}).done(202)
    result = books.agree(asked).done(200)["result"]
    entry = books.ann.get(f"/entries/{result['id']}").done(200)
    assert entry["adjusting"] == {"period": MARCH, "reason": "came late", "approval": asked["approval_id"]}
    assert entry["effective_at"] == f"{MARCH}-31T12:00:00Z"
    taken_back = {"reason": "wrong", "adjusting": {"period": MARCH, "reason": "wrong"}, "effective_at": "original"}
    again = books.ann.post(f"/entries/{entry['id']}/reverse", taken_back).done(202)
    assert books.agree(again).done(200)["result"]["adjusting"]["period"] == MARCH


@pytest.mark.parametrize(
    ("adjusting", "effective_at", "status", "code"),
    [
        ({"period": APRIL, "reason": "open"}, None, 409, "period_not_closed"),
        ({"period": MARCH, "reason": "why"}, f"{APRIL}-01T00:00:00Z", 422, "adjustment_misplaced"),
        ({"period": "2026-13", "reason": "why"}, None, 422, "field_invalid"),
        ({"period": MARCH, "reason": ""}, None, 422, "field_invalid"),
        ({"period": MARCH}, None, 422, "field_missing"),
    ],
    ids=str,
)
def test_what_is_no_adjusting_entry_is_refused(
    books: Books, adjusting: dict[str, str], effective_at: str | None, status: int, code: str
) -> None:
    books.close(MARCH).done(200)
    books.ann.post("/entries", books.entry(5, adjusting=adjusting, effective_at=effective_at)).refused(status, code)


def test_a_period_is_reopened_by_two_and_says_so(books: Books) -> None:
    books.close(MARCH).done(200)
    asked = books.ann.post(f"/periods/{MARCH}/reopen", {"reason": "an invoice"}).done(202)
    late = transfer(books.rent, books.cash, 5, effective_at=f"{MARCH}-31T12:00:00Z")
    books.ann.post("/transfers", late).refused(409, "period_closed")
    books.agree(asked, books.ann).refused(403, "self_approval")
    books.agree(asked).done(200)
    books.ann.post("/transfers", late).done(201)
    (shown,) = books.ann.get("/periods").done(200)["data"]
    assert (shown["status"], shown["by"], shown["approval"]) == ("open", "ben", asked["approval_id"])


def test_without_anybody_who_seals_a_period_is_not_closed(books: Books) -> None:
    with books.service.without_worker():
        # Nothing seals what is written now.
        books.ann.post("/transfers", transfer(books.cash, books.sales, 1)).done(201)
        told = books.ann.post(f"/periods/{MARCH}/close", {"reason": "month-end"})
        assert (told.status, told.body["code"]) in {(503, "not_sealed"), (503, "not_caught_up")}
        assert int(told.headers["retry-after"]) > 0
    books.close(MARCH).done(200)


def test_a_stranger_finds_every_approval_in_the_export(books: Books, tmp_path: Path) -> None:
    """Limits, entries, reversals, a policy, adjusting entries, a period closed, reopened and closed in spite of one."""
    books.ann.send("PUT", "/approvals/policy", json={"entries": {}, "reversals": True, "reason": "auditor"})
    for more in ({}, {"effective_at": f"{MARCH}-11T12:00:00Z"}):
        books.agree(books.ann.post("/entries", books.entry(7, **more)).done(202)).done(200)
    twice = books.agree(books.ann.post("/entries", books.entry(8)).done(202)).done(200)["result"]["id"]
    books.agree(books.ann.post(f"/entries/{twice}/reverse", {"reason": "twice"}).done(202)).done(200)
    books.close(MARCH, carry_forward=True).done(200)
    adjusting = {"period": MARCH, "reason": "late"}
    late = books.agree(books.ann.post("/entries", books.entry(5, adjusting=adjusting)).done(202)).done(200)
    back = {"reason": "wrong", "adjusting": adjusting, "effective_at": "original"}
    books.agree(books.ann.post(f"/entries/{late['result']['id']}/reverse", back).done(202)).done(200)
    books.agree(books.ann.post(f"/periods/{MARCH}/reopen", {"reason": "again"}).done(202)).done(200)
    books.ann.post("/entries", books.entry(6, effective_at=f"{MARCH}-12T12:00:00Z")).done(202)
    books.agree(books.close(MARCH, override=["approvals_pending"], carry_forward=True).done(202)).done(200)
    books.agree(books.ann.send("PUT", "/approvals/policy", json={"reason": "enough"}).done(202)).done(200)
    vkey = books.ann.get("/audit/checkpoint").done(200)["keys"][0]
    books.service.run_ledger("export", "--book", books.book, "--to", str(tmp_path / "export"))
    verifier = tmp_path / "export" / "verify_ledger.py"
    done = subprocess.run(
        [sys.executable, str(verifier), str(tmp_path / "export"), "--vkey", vkey],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
