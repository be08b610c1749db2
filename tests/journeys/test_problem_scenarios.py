"""Problems: whatever goes wrong is told in one shape, by a code of the catalogue, in the caller's language."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from tests.journeys import (
    test_bad_inputs_bodies,
    test_bad_inputs_payments,
    test_bad_inputs_products,
    test_bad_inputs_states,
    test_bad_inputs_wire,
)
from tests.journeys.bad_inputs import CARD, Case, Desk
from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.service import Service
from tests.journeys.test_risk_scenarios import Shop

Catalogue = dict[str, dict[str, Any]]
TABLES: dict[str, list[Case]] = {
    f"{module.__name__.rpartition('test_bad_inputs_')[2]} {name.lower()}": table
    for module in (
        test_bad_inputs_bodies,
        test_bad_inputs_payments,
        test_bad_inputs_products,
        test_bad_inputs_states,
        test_bad_inputs_wire,
    )
    for name, table in vars(module).items()
    if isinstance(table, list) and table and all(isinstance(case, Case) for case in table)
}
# What would stand in an answer that tells how this is made.
INNER_LIFE = ("Traceback", 'File "', ".py", "psycopg", "asyncio", "sqlstate", "SELECT ", "site-packages")


@pytest.fixture(scope="module")
def catalogue(service: Service) -> Catalogue:
    """By code, as anybody may read it."""
    page = service.nobody.send("GET", "/problems").done(200)
    assert page["next_cursor"] is None
    return {kind["code"]: kind for kind in page["data"]}


@pytest.fixture(scope="module", params=["en", "zh"])
def reader(request: pytest.FixtureRequest, desk: Desk) -> Iterator[tuple[str, Desk]]:
    """A language, and the desk for somebody who reads it."""
    language = str(request.param)
    accepted = {"en": "en-GB, zh;q=0.5", "zh": "zh-CN, zh;q=0.9, en;q=0.1"}[language]
    people = (Caller(one.url, one.key, one.position, accepted) for one in (desk.caller, desk.clerk, desk.neighbour))
    with next(people) as caller, next(people) as clerk, next(people) as neighbour:
        yield language, replace(desk, caller=caller, clerk=clerk, neighbour=neighbour)


def check_told(reply: Reply, catalogue: Catalogue, language: str) -> None:
    """A problem document of the catalogue in this language, which says nothing that it should not."""
    problem = reply.refused(reply.status, reply.body["code"])
    kind = catalogue[problem["code"]]
    assert (kind["status"], kind["retryable"]) == (reply.status, problem["retryable"])
    assert problem["title"] == kind["titles"][language]
    assert (reply.headers["content-language"], reply.headers["vary"]) == (language, "Accept-Language")
    other = {one for known in catalogue.values() for lang, one in known["titles"].items() if lang != language}
    assert problem["detail"] not in other
    for error in problem["errors"]:
        assert error["code"] in catalogue
        assert error["detail"] not in other
    text = reply.raw.decode()
    assert not [word for word in INNER_LIFE if word in text]
    assert CARD not in text
    assert CARD.replace(" ", "") not in text


@pytest.mark.parametrize("table", [name for name in TABLES if not name.startswith("wire")])
def test_p80_every_bad_input_is_told_in_the_language_that_was_asked_for(
    reader: tuple[str, Desk], catalogue: Catalogue, table: str
) -> None:
    language, desk = reader
    for case in TABLES[table]:
        reply = case.send(desk)
        assert (reply.status, reply.body["code"]) == (case.status, case.code), case.what
        # Messages of channels are sent without a word about languages.
        check_told(reply, catalogue, language if table != "payments messages" else "en")


def test_p80_what_is_hardly_http_is_told_in_english(desk: Desk, catalogue: Catalogue) -> None:
    for case in chain.from_iterable(table for name, table in TABLES.items() if name.startswith("wire")):
        reply = case.send(desk)
        assert (reply.status, reply.body["code"]) == (case.status, case.code), case.what
        check_told(reply, catalogue, "en")


def test_p80_no_table_is_left_out() -> None:
    assert sum(map(len, TABLES.values())) > 150
    assert {name.partition(" ")[0] for name in TABLES} == {"bodies", "payments", "products", "states", "wire"}


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/accounts", "unauthenticated"),
        ("GET", "/nowhere", "route_not_found"),
        ("GET", "/problems/nothing", "problem_not_found"),
        ("GET", "/problems?page=2", "unknown_parameter"),
        ("DELETE", "/problems", "method_not_allowed"),
    ],
)
def test_p80_a_stranger_is_told_in_his_language_too(
    service: Service, catalogue: Catalogue, method: str, path: str, code: str
) -> None:
    reply = service.nobody.send(method, path, headers={"accept-language": "zh"})
    assert reply.body["code"] == code
    check_told(reply, catalogue, "zh")


def test_p80_a_refusal_that_is_given_again_is_told_in_the_language_of_this_time(
    desk: Desk, reader: tuple[str, Desk], catalogue: Catalogue
) -> None:
    language, same = reader
    key = fresh("again")
    first = desk.caller.move(desk.rich, desk.shop, 10**9, key=key)
    again = same.caller.move(desk.rich, desk.shop, 10**9, key=key)
    assert (first.status, again.status, again.is_replay) == (409, 409, True)
    check_told(first, catalogue, "en")
    check_told(again, catalogue, language)
    facts = {"title", "detail", "errors"}
    assert {k: v for k, v in first.body.items() if k not in facts} == {
        k: v for k, v in again.body.items() if k not in facts
    }


def test_p80_a_view_that_is_behind_and_an_address_without_a_key(desk: Desk, catalogue: Catalogue) -> None:
    path, position = f"/accounts/{desk.rich}/balance", {"min_position": desk.caller.head() + 1_000}
    behind = desk.caller.send("GET", path, params=position, headers={"accept-language": "zh"})
    assert behind.body["code"] == "not_caught_up"
    check_told(behind, catalogue, "zh")
    narrow = desk.clerk.send("GET", "/payments", headers={"accept-language": "zh"})
    assert narrow.body["code"] == "scope_missing"
    check_told(narrow, catalogue, "zh")


def test_p80_the_description_promises_codes_of_the_catalogue_only(service: Service, catalogue: Catalogue) -> None:
    document = service.nobody.send("GET", "/openapi.json").body
    examples = document["components"].get("examples", {})
    promised = [
        (int(status), code)
        for path in document["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        for code in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
    ]
    assert len(promised) > 1_000
    assert {(status, code) for status, code in promised if catalogue.get(code, {}).get("status") != status} == set()
    assert examples


def test_p80_the_catalogue_names_every_problem_once_in_both_languages(service: Service, catalogue: Catalogue) -> None:
    page = service.nobody.send("GET", "/problems").done(200)["data"]
    assert len(page) == len(catalogue)
    for kind in page:
        assert kind["titles"].keys() == {"en", "zh"}
        assert kind["titles"]["en"].isascii()
        assert not kind["titles"]["zh"].isascii()
        assert service.nobody.send("GET", f"/problems/{kind['code']}").done(200) == kind


# --- what payers read


def test_a_payer_who_is_blocked_reads_nothing_of_why(service: Service) -> None:
    shop = Shop(service)
    shop.rules({"name": "stolen cards of May", "condition": "amount > 0", "verdict": "reject"})
    paid = shop.pay(client={"ip": "203.0.113.9"})
    shown = shop.caller.get(f"/payments/{paid['id']}").done(200)
    assert (shown["status"], shown["next_action"]) == ("rejected", None)
    assert shown["risk"]["reasons"] == ["stolen cards of May"]
    assert shown["error"] == {
        "code": "blocked",
        "message": "This payment could not be made. You haven't been charged. Use another method.",
        "next_action": "other_method",
        "money_moved": False,
        "texts": {
            "en": "This payment could not be made. You haven't been charged. Use another method.",
            "zh": "此次付款无法完成，未扣款。请换一种支付方式。",
        },
    }
    told = json.dumps({name: value for name, value in shown.items() if name != "risk"}).lower()
    assert not [word for word in ("stolen", "risk", "fraud", "rule", "reject") if word in told.replace("rejected", "")]
