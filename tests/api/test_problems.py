"""Problem documents: every exception has its answer, and none says more than the caller may know."""

import logging
from typing import Any

import psycopg
import psycopg_pool
import pytest
from fastapi import FastAPI
from psycopg import errors
from starlette.exceptions import HTTPException

from api.problems import (
    EVERY_READ,
    EVERY_WRITE,
    document_problems,
    install,
    may_refuse,
    problem_body,
    problem_response,
    refusal_of,
)
from api.transport import Door
from api.validation import refusal_named
from ledger.errors import (
    AccountFrozen,
    BadRequest,
    FieldError,
    InsufficientFunds,
    InternalError,
    Invalid,
    MethodNotAllowed,
    NotCaughtUp,
    Overloaded,
    Refusal,
    RouteNotFound,
    StorageFull,
    Unauthenticated,
    Unavailable,
)
from tests.api.client import call

CANARY = "canary in the coal mine"


def app_that_raises(error: Exception) -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    install(app)

    @app.get("/things")
    async def things() -> None:
        raise error

    @app.post("/things")
    async def make_thing() -> None:
        """Nothing; it is here to be a method."""

    return app


def test_a_problem_document_has_the_members_of_the_interface_and_the_facts() -> None:
    refused = InsufficientFunds("a has 3.", pointer="/debit_account", account="a", available=3)
    assert problem_body(refused) == {
        "type": "urn:ledger:problem:insufficient_funds",
        "title": "The account would fall below its minimum balance.",
        "status": 409,
        "detail": "a has 3.",
        "code": "insufficient_funds",
        "retryable": False,
        "errors": [{"pointer": "/debit_account", "code": "insufficient_funds", "detail": "a has 3."}],
        "account": "a",
        "available": 3,
    }


def test_a_fact_does_not_take_the_place_of_a_member() -> None:
    assert problem_body(AccountFrozen(status="frozen", code=7, reason="x")) == problem_body(AccountFrozen(reason="x"))


def test_a_refusal_that_may_be_tried_again_says_when() -> None:
    response = problem_response(NotCaughtUp())
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert problem_body(NotCaughtUp())["retryable"] is True
    assert problem_response(StorageFull()).headers["retry-after"] == "30"
    assert "retry-after" not in problem_response(AccountFrozen()).headers


def test_a_caller_who_is_not_known_is_told_how_to_say_who_he_is() -> None:
    assert problem_response(Unauthenticated()).headers["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in problem_response(AccountFrozen()).headers


MEANINGS: list[tuple[Exception, type[Refusal]]] = [
    (AccountFrozen(), AccountFrozen),
    (HTTPException(404), RouteNotFound),
    (HTTPException(405), MethodNotAllowed),
    (HTTPException(401), Unauthenticated),
    (HTTPException(418), BadRequest),
    (HTTPException(502), InternalError),
    (psycopg.OperationalError(CANARY), Unavailable),
    (psycopg.InterfaceError(CANARY), Unavailable),
    (errors.AdminShutdown(CANARY), Unavailable),
    (errors.SerializationFailure(CANARY), Unavailable),
    (errors.ReadOnlySqlTransaction(CANARY), Unavailable),
    (psycopg_pool.PoolClosed(CANARY), Unavailable),
    (psycopg_pool.PoolTimeout(CANARY), Overloaded),
    (psycopg_pool.TooManyRequests(CANARY), Overloaded),
    (errors.TooManyConnections(CANARY), Overloaded),
    (errors.LockNotAvailable(CANARY), Overloaded),
    (errors.QueryCanceled(CANARY), Overloaded),
    (errors.DiskFull(CANARY), StorageFull),
    (errors.UniqueViolation(CANARY), InternalError),
    (psycopg.DataError(CANARY), InternalError),
    (AssertionError(CANARY), InternalError),
    (ValueError(CANARY), InternalError),
]


@pytest.mark.parametrize(("error", "meaning"), MEANINGS, ids=lambda value: getattr(value, "__name__", repr(value)))
def test_every_exception_is_answered_as_a_problem_without_its_words(error: Exception, meaning: type[Refusal]) -> None:
    assert type(refusal_of(error)) is meaning
    answer = call(Door(app_that_raises(error)), "GET", "/things")
    assert (answer.status, answer.code) == (meaning.status, meaning.code())
    assert CANARY.encode() not in answer.body


def test_what_nobody_foresaw_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(AssertionError):
        call(app_that_raises(AssertionError(CANARY)), "GET", "/things")
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [AssertionError]


def test_an_address_that_is_not_there_and_a_method_that_it_does_not_answer() -> None:
    app = app_that_raises(AccountFrozen())
    assert call(app, "GET", "/nothing").code == "route_not_found"
    assert call(app, "GET", "/things/").code == "route_not_found"
    for method in ("PUT", "TRACE", "BREW", "DELETE"):
        answer = call(app, method, "/things")
        assert (answer.code, answer.headers["allow"]) == ("method_not_allowed", "GET, POST")


def test_every_code_is_the_code_of_one_class() -> None:
    def kinds(parent: type[Refusal]) -> list[type[Refusal]]:
        return [kind for child in parent.__subclasses__() for kind in [child, *kinds(child)]]

    for kind in kinds(Refusal):
        assert refusal_named(kind.code()) is kind
    assert refusal_named("no_such_code") is None


def test_the_document_lists_what_a_route_may_refuse() -> None:
    app = FastAPI()

    @app.get("/a", responses=may_refuse(*EVERY_READ, InsufficientFunds, AccountFrozen))
    async def a(x: int) -> None:
        """Take a parameter, so that FastAPI adds its own 422."""

    @app.post("/b", responses=may_refuse(*EVERY_WRITE, Invalid))
    async def b() -> None:
        """Nothing."""

    document = document_problems(document_problems(app.openapi()))
    conflict = document["paths"]["/a"]["get"]["responses"]["409"]
    content = conflict["content"]["application/problem+json"]
    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert set(content["examples"]) == {"insufficient_funds", "account_frozen"}
    assert "`account_frozen`: The account is frozen." in conflict["description"]
    assert set(document["components"]["schemas"]["Problem"]["required"]) <= problem_body(AccountFrozen()).keys()
    assert set(document["paths"]["/b"]["post"]["responses"]) >= {"400", "401", "403", "413", "415", "422", "431", "503"}
    assert "application/problem+json" in document["paths"]["/a"]["get"]["responses"]["422"]["content"]
    assert "HTTPValidationError" not in str(document)


def test_several_errors_are_kept_in_their_order() -> None:
    both = (FieldError("/b", "too_long", "B."), FieldError("/a", "field_type", "A."))
    listed: Any = problem_body(Invalid("B.", errors=both))["errors"]
    assert [error["pointer"] for error in listed] == ["/b", "/a"]
