"""Who read what: sensitive queries leave a line, by key, with what they named and nothing of what was read."""

import json
import time
from typing import Any

import pytest

from api.access_log import Sensitive
from api.app import make_api
from api.routing import GuardedRoute
from ledger.store.connection import in_book
from tests.journeys.caller import Caller, fresh
from tests.journeys.service import Service

# What shows no person's affairs and no books as a whole: rules, names, places in a process.
SHOWS_NOBODY = {
    "/v1/accounts",
    "/v1/accounts/{account}",
    "/v1/accounts/{account}/balance",
    "/v1/accounts/{account}/balance-history",
    "/v1/banks",
    "/v1/channels",
    "/v1/fx/quotes/{quote}",
    "/v1/merchants/{merchant}",
    "/v1/merchants/{merchant}/balance",
    "/v1/merchants/{merchant}/payer-letters",
    "/v1/payments/{payment}/shares",
    "/v1/periods",
    "/v1/principals/{principal}",
    "/v1/principals/{principal}/balance",
    "/v1/reconciliation/batches",
    "/v1/reconciliation/batches/{channel}/{currency}/{batch}",
    "/v1/reconciliation/control-accounts",
    "/v1/reconciliation/flows",
    "/v1/reconciliation/runs",
    "/v1/reconciliation/runs/{run_id}",
    "/v1/risk/rules",
    "/v1/routing/rules",
}
READS = [
    route
    for route in make_api().routes
    if isinstance(route, GuardedRoute) and route.methods == {"GET"} and route.rules.scope
]


def accesses(caller: Caller, *, at_least: int = 1, **wanted: str) -> list[dict[str, Any]]:
    """The lines about these but for readings of the list itself, once so many are there."""
    deadline = time.monotonic() + 10
    while True:
        found: list[dict[str, Any]] = caller.get("/audit/access", limit=500, **wanted).done(200)["data"]
        found = [line for line in found if line["route"] != "GET /v1/audit/access"]
        if len(found) >= at_least:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@pytest.mark.parametrize("route", READS, ids=lambda route: str(route.path))
def test_each_read_is_sensitive_or_known_to_show_nobody(route: GuardedRoute) -> None:
    watched_elsewhere = {"checkpoint", "proofs", "tile", "approvals", "keys", "witness"}
    if set(route.path.split("/")) & watched_elsewhere:
        pytest.skip("hashes, and what has a room of its own")
    assert (route.rules.sensitive is None) == (route.path in SHOWS_NOBODY)


def test_who_looked_at_a_customer_is_listed_with_key_time_and_request(service: Service, home: str) -> None:
    auditor, name = service.caller(home), fresh("ann")
    auditor.post("/customers", {"id": name, "name": "Ann Of Green Gables"}).done()
    key_id, text = service.new_named_key(home, ["payments:read"])
    with Caller(service.url, text) as clerk:
        clerk.send("GET", f"/customers/{name}", headers={"x-correlation-id": "looking-1"})
    (line,) = accesses(auditor, entity=name)
    assert line["key"] == key_id
    assert line["route"] == "GET /v1/customers/{customer}"
    assert line["entities"] == [name]
    assert line["correlation"] == "looking-1"
    assert line["status"] == 200
    assert "Ann" not in json.dumps(line)
    assert accesses(auditor, key=key_id) == [line]


def test_who_was_not_let_in_or_found_nothing_is_listed_too(service: Service, home: str) -> None:
    auditor, name = service.caller(home), fresh("nobody")
    reader, poster = service.new_named_key(home, ["payments:read"]), service.new_named_key(home, ["ledger:write"])
    for _, text in (reader, poster):
        with Caller(service.url, text) as clerk:
            clerk.send("GET", f"/customers/{name}")
    lines = accesses(auditor, at_least=2, entity=name)
    assert {(line["key"], line["status"]) for line in lines} == {(reader[0], 404), (poster[0], 403)}


def test_reading_the_trail_the_feed_or_this_list_is_listed_before_it_is_answered(service: Service) -> None:
    auditor = service.caller(service.new_book())
    auditor.get("/audit/trail", entity="cash").done(200)
    auditor.get("/events", limit=7).done(200)
    routes = [line["route"] for line in auditor.get("/audit/access").done(200)["data"]]
    assert routes == ["GET /v1/audit/trail", "GET /v1/events"]
    again = auditor.get("/audit/access").done(200)["data"]
    assert [line["route"] for line in again] == [*routes, "GET /v1/audit/access"]
    assert again[0]["entities"] == ["cash"]
    assert again[1]["parameters"]["limit"] == "7"


def test_what_cannot_be_listed_is_not_answered(service: Service) -> None:
    book = service.new_book()
    auditor = service.caller(book)
    auditor.post("/customers", {"id": "ann"}).done()
    with service.database.owner() as connection:
        connection.execute(in_book("ALTER TABLE {schema}.access_log RENAME TO lost_log", book))
        auditor.send("GET", "/events").refused(503, "unavailable")
        auditor.send("GET", "/customers/ann").done(200)
        connection.execute(in_book("ALTER TABLE {schema}.lost_log RENAME TO access_log", book))
    lines = accesses(auditor, at_least=2)
    assert [(line["route"], line["status"]) for line in lines] == [
        ("GET /v1/events", 503),
        ("GET /v1/customers/{customer}", 200),
    ]


def test_values_that_may_be_personal_are_not_kept(service: Service, home: str) -> None:
    auditor = service.caller(home)
    auditor.send("GET", "/payments", params={"order_reference": "Ann Shirley", "status": "succeeded"})
    time.sleep(1)
    lines = [line for line in accesses(auditor) if line["route"] == "GET /v1/payments"]
    assert lines[-1]["parameters"] == {"order_reference": "…", "status": "succeeded"}


def test_a_list_is_paged_and_bounded_in_time(service: Service) -> None:
    auditor = service.caller(service.new_book())
    for _ in range(3):
        auditor.get("/events").done(200)
    first = auditor.get("/audit/access", limit=2).done(200)
    rest = auditor.send("GET", "/audit/access", params={"limit": 10, "cursor": first["next_cursor"]}).done(200)
    ids = [line["id"] for line in (*first["data"], *rest["data"])]
    assert ids == sorted(set(ids))
    assert len(ids) == 4
    moment = rest["data"][0]["at"]
    earlier = auditor.get("/audit/access", to=moment).done(200)["data"]
    later = auditor.get("/audit/access", **{"from": moment}).done(200)["data"]
    assert [line["id"] for line in earlier] == ids[:2]
    assert [line["id"] for line in later][:2] == ids[2:4]


def test_another_book_is_not_shown(service: Service, home: str) -> None:
    stranger = service.caller(service.new_book())
    service.caller(home).get("/events").done(200)
    assert stranger.get("/audit/access").done(200)["data"] == []


def test_what_is_sensitive_says_so_in_the_description() -> None:
    document = make_api().openapi()["paths"]
    assert document["/v1/audit/trail"]["get"]["x-access-log"] == Sensitive.FIRST.value
    assert document["/v1/customers/{customer}"]["get"]["x-access-log"] == Sensitive.NOTED.value
