"""Both time axes over HTTP: a month restated, a balance as a series, an order as it stood and as it was known."""

from typing import Any

import pytest

from tests.journeys.caller import Caller, fresh, in_seconds
from tests.journeys.parties import customer_with, merchant_with, pay_out
from tests.journeys.payers import new_merchant, order
from tests.journeys.service import Service
from tests.journeys.test_contract_scenarios import Signed

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


# --- a balance as a series


def test_a_balance_is_drawn_as_points_each_of_which_is_a_statements_closing_balance(service: Service) -> None:
    caller = service.caller(service.new_book())
    for name, kind in (("cash", "asset"), ("sales", "revenue")):
        caller.post("/accounts", {"id": name, "name": name, "kind": kind, "currency": "EUR"}).done()
    sale(caller, 5, FEBRUARY)
    known = sale(caller, 100, MARCH)
    sale(caller, 30, LATE_MARCH)
    asked = {"from": "2026-02-01T00:00:00Z", "to": "2026-04-10T00:00:00Z", "step": "month"}
    drawn = caller.get("/accounts/cash/balance-history", **asked).done(200)
    assert drawn["opening"] == {"at": "2026-02-01T00:00:00Z", "debits": 0, "credits": 0, "balance": 0}
    assert [(point["at"], point["balance"]) for point in drawn["points"]] == [
        ("2026-03-01T00:00:00Z", 5),
        ("2026-04-01T00:00:00Z", 135),
        ("2026-04-10T00:00:00Z", 135),
    ]
    for point in drawn["points"]:
        closing = caller.get("/accounts/cash/statement", to=point["at"]).done(200)["closing_balance"]
        assert closing == point["balance"]
    then = caller.get("/accounts/cash/balance-history", **asked, known_at=known).done(200)
    assert ([point["balance"] for point in then["points"]], then["position"]) == ([5, 105, 105], known)
    weekly = caller.get("/accounts/sales/balance-history", **{**asked, "step": "week"}).done(200)
    assert len(weekly["points"]) == 11
    assert weekly["points"][-1]["credits"] == 135


@pytest.mark.parametrize(
    ("path", "params", "status", "code", "pointer"),
    [
        ("/accounts/cash/balance-history", {"step": "year"}, 422, "field_invalid", "/query/step"),
        ("/accounts/cash/balance-history", {"step": None}, 422, "field_missing", "/query/step"),
        ("/accounts/cash/balance-history", {"from": None}, 422, "field_missing", "/query/from"),
        ("/accounts/cash/balance-history", {"to": FEBRUARY}, 422, "field_invalid", "/query/to"),
        ("/accounts/cash/balance-history", {"from": "2020-01-01T00:00:00Z"}, 422, "field_invalid", "/query/step"),
        ("/accounts/cash/balance-history", {"from": "yesterday"}, 422, "timestamp_format", "/query/from"),
        ("/accounts/cash/balance-history", {"as_of": MARCH}, 422, "unknown_parameter", "/query/as_of"),
        ("/accounts/cash/balance-history", {"known_at": 1_000_000}, 404, "position_not_reached", None),
        ("/accounts/nobody/balance-history", {}, 404, "account_not_found", None),
        ("/accounts/cash/statement", {"step": None, "to": FEBRUARY}, 422, "field_invalid", "/query/to"),
        ("/entries", {"step": None, "to": FEBRUARY}, 422, "field_invalid", "/query/to"),
    ],
)
def test_a_series_that_makes_no_sense_is_refused(
    clerk: Caller, path: str, params: dict[str, str | int | None], status: int, code: str, pointer: str | None
) -> None:
    asked: dict[str, str | int | None] = {"from": MARCH, "to": LATE_MARCH, "step": "hour", **params}
    problem = clerk.get(path, **{name: value for name, value in asked.items() if value is not None})
    errors = problem.refused(status, code)["errors"]
    assert [error["pointer"] for error in errors] == ([] if pointer is None else [pointer])


# --- an order as it stood, and as it was known


def test_an_order_is_shown_as_it_stood_and_as_it_was_known_alone_and_in_the_list(service: Service) -> None:
    caller = service.caller(service.new_book())
    merchant = new_merchant(caller, "EUR")
    paid = order(caller, merchant, "tok_approved")
    failed = order(caller, merchant, "tok_insufficient_funds")
    given_back = caller.insist(f"/payments/{paid['id']}/refunds", {"reason": "came broken"}).done()
    facts = caller.get("/events", limit=500).done(200)["data"]
    before_the_refund = next(fact for fact in facts if fact["topic"].startswith("refunds."))["position"] - 1
    own = [fact for fact in facts if fact["stream"] == paid["id"]]
    for fact in own:
        by_position = caller.get(f"/payments/{paid['id']}", known_at=fact["position"]).done(200)
        both = caller.get(f"/payments/{paid['id']}", known_at=fact["position"], as_of=facts[-1]["when"]).done(200)
        assert by_position == both
        listed = caller.get("/payments", known_at=fact["position"], merchant=merchant).done(200)["data"]
        assert by_position in listed
    then = caller.get(f"/payments/{paid['id']}", known_at=before_the_refund).done(200)
    now = caller.get(f"/payments/{paid['id']}").done(200)
    assert (then["refund_status"], then["refunds"]) == ("none", [])
    assert now["refund_status"] != "none"
    # By status then: one page after the other.
    for status, name in (("succeeded", paid["id"]), ("failed", failed["id"])):
        page = caller.get("/payments", status=status, known_at=before_the_refund, limit=1).done(200)
        assert [each["id"] for each in page["data"]] == [name]
    first = caller.get("/payments", known_at=before_the_refund, limit=1).done(200)
    second = caller.get("/payments", known_at=before_the_refund, limit=1, cursor=first["next_cursor"]).done(200)
    assert [each["id"] for each in first["data"] + second["data"]] == [paid["id"], failed["id"]]
    assert second["next_cursor"] is None
    caller.get("/payments", limit=1, cursor=first["next_cursor"]).refused(400, "cursor_invalid")
    # The refund has a past of its own.
    refund = f"/refunds/{given_back['id']}"
    caller.get(refund, known_at=before_the_refund).refused(404, "refund_not_found")
    caller.get(refund, as_of=own[0]["when"]).refused(404, "refund_not_found")
    assert caller.get(refund, known_at=facts[-1]["position"]).done(200)["id"] == given_back["id"]
    assert caller.get("/payments", as_of="1990-01-01T00:00:00Z").done(200) == {"data": [], "next_cursor": None}


def test_an_order_is_not_known_at_a_position_that_the_log_does_not_have(caller: Caller) -> None:
    paid = order(caller, new_merchant(caller, "EUR"), "tok_approved")
    for path in ("/payments", f"/payments/{paid['id']}"):
        caller.get(path, known_at=1_000_000).refused(404, "position_not_reached")
        problem = caller.get(path, known_at="yesterday").refused(422, "timestamp_format")
        assert problem["errors"][0]["pointer"] == "/query/known_at"
    caller.get(f"/payments/{paid['id']}", as_at=3).refused(422, "unknown_parameter")


def test_what_merchants_and_customers_have_is_told_of_any_time(caller: Caller) -> None:
    customer = customer_with(caller, 5_000)
    merchant = new_merchant(caller, "EUR")
    paid = order(caller, merchant, "tok_approved")
    caller.get(f"/payments/{paid['id']}").done(200)
    facts = caller.get("/events", limit=500).done(200)["data"]
    created = next(fact for fact in facts if fact["stream"] == paid["id"])
    merchants, wallets = f"/merchants/{merchant}/balance", f"/customers/{customer}/wallets/EUR"
    now, then = caller.get(merchants).done(200), caller.get(merchants, known_at=created["position"]).done(200)
    assert (now["pending"], then["pending"]) == (5_880, 0)
    assert then["position"] == created["position"]
    assert caller.get(merchants, as_of=created["when"], known_at=now["position"]).done(200)["net"] == 0
    assert caller.get(merchants, known_at=now["position"]).done(200) == now
    asked = {"as_of": in_seconds(0)}
    assert caller.get(wallets, **asked).done(200)["available"] == caller.get(wallets).done(200)["available"] == 5_000
    assert caller.get(wallets, as_of="1990-01-01T00:00:00Z").done(200)["available"] == 0
    for path in (merchants, wallets):
        caller.get(path, known_at=1_000_000).refused(404, "position_not_reached")


def test_what_a_principal_has_is_told_of_any_time(caller: Caller) -> None:
    principal = caller.post("/principals", {"id": fresh("principal"), "name": "Payroll", "fee": 0}).done()["id"]
    before = caller.position
    funding = {"amount": 700, "currency": "EUR", "bank_account": "client", "reference": fresh("MT940")}
    caller.post(f"/principals/{principal}/funding", funding).done()
    path = f"/principals/{principal}/balance"
    assert [caller.get(path, **when).done(200)["balance"] for when in ({}, {"known_at": before})] == [700, 0]


def test_contracts_and_payouts_are_listed_as_they_stood(service: Service) -> None:
    caller = service.caller(service.new_book())
    merchant = merchant_with(caller, 5_000)
    customer = customer_with(caller, 0)
    signed = Signed(caller, customer, merchant)
    signed.post("/terminate", {"reason": "moved"}).done(200)
    payouts = [pay_out(caller, merchant, amount).body["id"] for amount in (1_000, 500)]
    facts = caller.get("/events", limit=500).done(200)["data"]
    for path, name, marks in (
        ("/contracts", signed.id, {"customer": customer}),
        ("/payouts", payouts[0], {"merchant": merchant}),
    ):
        seen = set()
        for fact in [fact for fact in facts if fact["stream"] == name]:
            known = {"known_at": fact["position"]}
            then = caller.get(f"{path}/{name}", **known).done(200)
            assert then == caller.get(f"{path}/{name}", **known, as_of=facts[-1]["when"]).done(200)
            assert then in caller.get(path, **known, **marks).done(200)["data"]
            by_status = caller.get(path, **known, **marks, status=then["status"]).done(200)["data"]
            assert then in by_status
            assert {each["status"] for each in by_status} == {then["status"]}
            seen.add(then["status"])
        assert len(seen) > 1
        begun = next(fact for fact in facts if fact["stream"] == name)["position"]
        assert caller.get(path, known_at=begun - 1).done(200) == {"data": [], "next_cursor": None}
        caller.get(f"{path}/{name}", known_at=begun - 1).refused(404, f"{path[1:-1]}_not_found")
        caller.get(path, known_at=1_000_000).refused(404, "position_not_reached")
    first = caller.get("/payouts", known_at=facts[-1]["position"], limit=1).done(200)
    second = caller.get("/payouts", known_at=facts[-1]["position"], limit=1, cursor=first["next_cursor"]).done(200)
    assert [each["id"] for each in first["data"] + second["data"]] == payouts
    assert second["next_cursor"] is None
