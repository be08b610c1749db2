"""Both time axes over HTTP: a month restated, a balance as a series, an order as it stood and as it was known."""

from typing import Any

import pytest

from tests.journeys.caller import Caller, in_seconds
from tests.journeys.service import Service

MARCH, LATE_MARCH, FEBRUARY = "2026-03-10T12:00:00Z", "2026-03-31T16:00:00Z", "2026-02-20T12:00:00Z"


@pytest.fixture(scope="module")
def clerk(service: Service) -> Caller:
    """Somebody in a book of its own, with two accounts."""
    caller = service.caller(service.new_book())
    for name, kind in (("cash", "asset"), ("sales", "revenue")):
        caller.post("/accounts", {"id": name, "name": name, "kind": kind, "currency": "EUR"}).done()
    return caller


def restated(caller: Caller, reported_at: int | str, **params: str | int) -> dict[str, Any]:
    report: dict[str, Any] = caller.get(
        "/reports/restatement", period="2026-03", reported_at=reported_at, **params
    ).done(200)
    return report


def sale(caller: Caller, amount: int, effective_at: str, **more: str) -> int:
    return caller.move("cash", "sales", amount, effective_at=effective_at, **more).position


def test_a_month_is_restated_entry_by_entry(clerk: Caller) -> None:
    reported = sale(clerk, 1250, MARCH)
    assert restated(clerk, reported)["accounts"] == []
    for amount in (200, 50):
        sale(clerk, amount, LATE_MARCH, description="its slip came late")
    sale(clerk, 30, FEBRUARY)
    sale(clerk, 9, "2026-04-02T00:00:00Z")
    report = restated(clerk, reported)
    assert [(line["takes_effect"], line["postings"][0]["amount"], line["why"]) for line in report["data"]] == [
        ("in_period", 200, "its slip came late"),
        ("in_period", 50, "its slip came late"),
        ("before_period", 30, ""),
    ]
    cash, sales = report["accounts"]
    assert cash["debits"] == {"then": 1250, "now": 1500, "difference": 250}
    assert sales["credits"] == cash["debits"]
    assert cash["opening_balance"] == sales["opening_balance"] == {"then": 0, "now": 30, "difference": 30}
    assert cash["closing_balance"] == {"then": 1250, "now": 1530, "difference": 280}
    # As it was known in between, and page by page as it was known when the first page was asked for.
    assert [line["position"] for line in restated(clerk, reported, known_at=reported + 1)["data"]] == [reported + 1]
    first = restated(clerk, reported, limit=2)
    sale(clerk, 1_000, MARCH)
    second = restated(clerk, reported, limit=2, cursor=first["next_cursor"])
    assert first["data"] + second["data"] == report["data"]
    assert (first["accounts"], second["accounts"], second["next_cursor"]) == (report["accounts"], None, None)
    assert second["position"] == first["position"]


@pytest.mark.parametrize(
    ("params", "status", "code", "pointer"),
    [
        ({"period": "2026-13", "reported_at": 1}, 422, "field_invalid", "/query/period"),
        ({"period": "March", "reported_at": 1}, 422, "field_invalid", "/query/period"),
        ({"reported_at": 1}, 422, "field_missing", "/query/period"),
        ({"period": "2026-03"}, 422, "field_missing", "/query/reported_at"),
        ({"period": "2026-03", "reported_at": "yesterday"}, 422, "timestamp_format", "/query/reported_at"),
        ({"period": "2026-03", "reported_at": 2, "known_at": 1}, 422, "field_invalid", "/query/reported_at"),
        ({"period": "2026-03", "reported_at": 1, "as_of": MARCH}, 422, "unknown_parameter", "/query/as_of"),
        ({"period": "2026-03", "reported_at": 1_000_000}, 404, "position_not_reached", None),
        ({"period": "2026-03", "reported_at": 1, "known_at": 1_000_000}, 404, "position_not_reached", None),
        ({"period": "2026-03", "reported_at": 1, "cursor": "stolen"}, 400, "cursor_invalid", "/query/cursor"),
    ],
)
def test_a_restatement_that_makes_no_sense_is_refused(
    clerk: Caller, params: dict[str, str | int], status: int, code: str, pointer: str | None
) -> None:
    problem = clerk.get("/reports/restatement", **params).refused(status, code)
    assert [error["pointer"] for error in problem["errors"]] == ([] if pointer is None else [pointer])


def test_nothing_was_reported_tomorrow(clerk: Caller) -> None:
    for reported_at, known_at in ((in_seconds(86_400), in_seconds(90_000)), (in_seconds(-60), in_seconds(-120))):
        params = {"period": "2026-03", "reported_at": reported_at, "known_at": known_at}
        problem = clerk.get("/reports/restatement", **params).refused(422, "field_invalid")
        assert problem["errors"][0]["pointer"] == "/query/reported_at"


def test_a_key_needs_the_ledgers_scope_to_see_a_restatement(service: Service) -> None:
    blind = service.caller(service.new_book(), "payments:read")
    blind.get("/reports/restatement", period="2026-03", reported_at=0).refused(403, "scope_missing")
