"""Walls: between those who have a key and those who have not, between scopes, and between books.

Everything here is made from the description of the interface, so that a route that is new is tried by itself; one that
takes a kind of id which is not known here fails until it is.
"""

import io
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pytest

from api.app import make_api
from api.keys import ADMIN, SCOPES, revoke_key
from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.neighbour import one_of_everything
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_bad_inputs_payments import payment
from tests.journeys.test_races import read_stream

DOCUMENT: dict[str, Any] = make_api().openapi()
# In an address these are no ids of a book.
OF_NO_BOOK = {
    "list_name": "block",
    "kind": "device",
    "period": "2019-03",
    "currency": "EUR",
    "channel": CHANNEL,
    "number": "1",
    "receipt": "1",
    "code": "unauthenticated",
    "path": "0/000.p/1",
}
# What has to be asked for there, where any word would not do.
NEEDED = {
    "balance-history": {"from": "2019-03-01T00:00:00Z", "to": "2019-04-01T00:00:00Z", "step": "day"},
    "inclusion": {"position": "1"},
    "consistency": {"from": "0"},
    "restatement": {"period": "2019-03", "reported_at": "1"},
    "journal": {"format": "hledger"},
}
NAMES_AN_ACCOUNT = {"account", "debit_account", "credit_account"}


@dataclass(frozen=True)
class Operation:
    """One method of one address."""

    method: str
    path: str
    described: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def scope(self) -> str | None:
        """The scope that a key needs; None: no key is needed."""
        security = self.described["security"]
        return str(security[0]["api_key"][0]) if security else None

    @property
    def ids(self) -> set[str]:
        """The ids of a book in the address."""
        return {*re.findall(r"\{(\w+)\}", self.path)} - OF_NO_BOOK.keys()

    @cached_property
    def example(self) -> Any:
        """A body that is right in its form."""
        if "requestBody" not in self.described:
            return None
        content = self.described["requestBody"]["content"].get("application/json")
        if content is None:  # A file: no JSON goes there.
            return None
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        return DOCUMENT["components"]["schemas"][name]["examples"][0] if name else content["example"]

    def filters(self) -> set[str]:
        """The query parameters that name something."""
        names = {parameter["name"] for parameter in self.described.get("parameters", []) if parameter["in"] == "query"}
        of_books = {"account", "reference", "merchant", "order_reference", "entity", "customer", "principal"}
        return names & (of_books - {"account"} if self.is_about_reports else of_books)

    @property
    def required(self) -> set[str]:
        """The query parameters that have to be there."""
        parameters = self.described.get("parameters", [])
        return {one["name"] for one in parameters if one["in"] == "query" and one.get("required")}

    @property
    def is_about_reports(self) -> bool:
        """There an `account` is a channel or one of our accounts at a bank, which every book may name."""
        return self.path.startswith("/v1/reconciliation/")


OPERATIONS = [
    Operation(method.upper(), path, described)
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
]
GUARDED = [operation for operation in OPERATIONS if operation.scope]


def ask(caller: Caller, operation: Operation, ids: dict[str, str], body: Any = None, **query: str) -> Reply:
    """The operation with these ids in its address, and its example as body."""
    path = operation.path.format(**OF_NO_BOOK, **ids).removeprefix("/v1")
    body = operation.example if body is None else body
    headers = {"idempotency-key": fresh("wall")} if operation.method != "GET" else None
    needed = NEEDED.get(operation.path.rpartition("/")[2], dict.fromkeys(operation.required, "nothing"))
    return caller.send(operation.method, path, json=body, params=needed | query, headers=headers)


# --- who asks ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strangers(service: Service, home: str) -> Iterator[dict[str, Caller]]:
    """Everybody who has no key that is valid now."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    revoked_id, revoked = service.new_named_key(home, [ADMIN])
    with service.database.owner() as connection:
        assert revoke_key(connection, revoked_id)
    genuine = service.new_key(home)
    texts = {
        "no key": "",
        "revoked": revoked,
        "expired": service.new_key(home, expires_at=past),
        "unknown": "lk_0123456789abcdef_" + "x" * 43,
        "malformed": "Basic",
        "cut": genuine[:-1],
        "longer": genuine + "x",
        "another secret": genuine[:20] + genuine[:19:-1],
        "too long": "x" * 5_000,
    }
    callers = {what: Caller(service.url, text) for what, text in texts.items()}
    yield callers
    for stranger in callers.values():
        stranger.close()


@pytest.mark.parametrize("operation", GUARDED, ids=str)
def test_row_98_without_a_valid_key_every_route_says_the_same_and_no_more(
    operation: Operation, strangers: dict[str, Caller]
) -> None:
    ids = dict.fromkeys(operation.ids, "x")
    replies = {what: ask(stranger, operation, ids) for what, stranger in strangers.items()}
    for reply in replies.values():
        reply.refused(401, "unauthenticated")
        assert reply.headers["www-authenticate"] == "Bearer"
    assert len({reply.raw for reply in replies.values()}) == 1


@pytest.mark.parametrize("operation", GUARDED, ids=str)
def test_row_99_every_route_asks_for_its_scope(service: Service, home: str, operation: Operation) -> None:
    assert operation.scope in SCOPES
    with service.caller(home, *SCOPES - {operation.scope, ADMIN}) as somebody:
        problem = ask(somebody, operation, dict.fromkeys(operation.ids, "x")).refused(403, "scope_missing")
    assert problem["scope"] == operation.scope


@pytest.mark.parametrize("operation", GUARDED, ids=str)
def test_the_scope_alone_opens_the_route(service: Service, home: str, operation: Operation) -> None:
    if operation.path.endswith("/stream"):
        return  # It is read, and does not end, in the races.
    with service.caller(home, str(operation.scope)) as somebody:
        assert ask(somebody, operation, dict.fromkeys(operation.ids, "x")).status not in (401, 403)


def test_what_needs_no_key_is_known() -> None:
    """Each of these was thought about; a route is closed unless it stands here."""
    assert {str(operation) for operation in OPERATIONS if not operation.scope} == {
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
        "GET /v1/problems",
        "GET /v1/problems/{code}",
        f"POST /v1/channels/{{{'channel'}}}/callbacks",
    }


def test_p77_a_wrong_key_a_small_key_and_a_strangers_key_reach_no_payment(
    service: Service, home: str, caller: Caller, strangers: dict[str, Caller]
) -> None:
    terms = {"fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"}
    merchant = caller.post("/merchants", {"id": fresh("shop"), "name": "Shop", **terms}).done()["id"]
    order, refund = payment(merchant), {"amount": 1, "reason": "returned"}
    paid = caller.post("/payments", order).done()["id"]
    head, charged = service.head(home), service.charges()
    for stranger in strangers.values():
        stranger.post("/payments", order).refused(401, "unauthenticated")
        stranger.post(f"/payments/{paid}/refunds", refund).refused(401, "unauthenticated")
    # A key that may be seen by anybody reads at most.
    with service.caller(home, "payments:read") as reader:
        assert reader.get(f"/payments/{paid}").done(200)["status"] == "succeeded"
        for path, body in (("/payments", order), (f"/payments/{paid}/refunds", refund)):
            assert reader.post(path, body).refused(403, "scope_missing")["scope"] == "payments:write"
    another = service.caller(service.new_book())
    another.get(f"/payments/{paid}").refused(404, "payment_not_found")
    another.post(f"/payments/{paid}/refunds", refund).refused(404, "payment_not_found")
    another.post("/payments", order).refused(422, "merchant_unknown")
    assert (service.head(home), service.charges()) == (head, charged)


@pytest.mark.parametrize("header", ["Bearer", "Bearer x y", "Basic dXNlcjpwYXNz", "bearer", "Token {key}", "{key}", ""])
def test_row_98_a_header_that_is_no_bearer_is_no_key(service: Service, caller: Caller, header: str) -> None:
    sent = {"authorization": header.format(key=caller.key)}
    service.nobody.send("GET", "/accounts", headers=sent).refused(401, "unauthenticated")


def test_a_revoked_key_opens_nothing_after_five_seconds_and_ends_its_stream(service: Service, home: str) -> None:
    key_id, text = service.new_named_key(home, [ADMIN])
    reading, ended = threading.Event(), threading.Event()

    def read(somebody: Caller) -> None:
        read_stream(somebody, service.head(home), 2**62, reading)
        ended.set()

    with Caller(service.url, text) as somebody:
        reader = threading.Thread(target=read, args=(somebody,), daemon=True)
        reader.start()
        assert reading.wait(20)
        somebody.send("GET", "/accounts").done(200)
        with service.database.owner() as connection:
            assert revoke_key(connection, key_id)
        revoked_at = time.monotonic()
        service.wait_until(lambda: somebody.send("GET", "/accounts").status == 401, patience_s=6)
        assert time.monotonic() - revoked_at < 5.5
        assert ended.wait(6)
        reader.join()


# --- whose it is ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs(service: Service) -> dict[str, str]:
    """One of everything in another book, by the word that stands for it in addresses and bodies."""
    return one_of_everything(service)


def unknown(name: str, like: str) -> str:
    """An id of the same look that nobody has."""
    last = "0" if like[-1] != "0" else "1"
    return like[:-1] + last if "_" in like else f"{like}{last}"


def like_unknown(caller: Caller, operation: Operation, theirs: dict[str, str], body: tuple[Any, Any]) -> Reply:
    """The answer to an id of another book, which is the answer to an id that nobody has."""
    nobodys = {name: unknown(name, value) for name, value in theirs.items()}
    foreign, none = (
        ask(caller, operation, {name: ids[name] for name in operation.ids}, content)
        for ids, content in zip((theirs, nobodys), body, strict=True)
    )
    assert foreign.status == none.status
    assert masked(foreign, theirs) == masked(none, nobodys)
    return foreign


def masked(reply: Reply, ids: dict[str, str]) -> str:
    text = reply.raw.decode()
    for value in sorted(ids.values(), key=len, reverse=True):
        text = text.replace(value, "…")
    return text


@pytest.mark.parametrize("operation", [operation for operation in GUARDED if operation.ids], ids=str)
def test_row_100_an_id_of_another_book_is_an_id_of_nothing(
    service: Service, home: str, caller: Caller, theirs: dict[str, str], operation: Operation
) -> None:
    assert operation.ids <= theirs.keys(), "a kind of id that is new: put one of another book into `theirs`"
    head = service.head(home)
    reply = like_unknown(caller, operation, theirs, (None, None))
    assert reply.refused(404, reply.body["code"])["code"].endswith("_not_found")
    assert service.head(home) == head


def places(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Where a body names something of a book, and what kind of thing it is."""
    items = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        if key in NAMES_AN_ACCOUNT:
            yield (*path, key), "account"
        elif key in ("merchant", "customer", "principal"):
            yield (*path, key), key
        else:
            yield from places(value, (*path, key))


def with_value(body: Any, path: tuple[Any, ...], value: str) -> Any:
    if not path:
        return value
    copy = dict(body) if isinstance(body, dict) else list(body)
    copy[path[0]] = with_value(copy[path[0]], path[1:], value)
    return copy


IN_BODIES = [
    (operation, *place)
    for operation in GUARDED
    for place in places(operation.example)
    if not operation.is_about_reports
]


@pytest.mark.parametrize(
    ("operation", "path", "kind"), IN_BODIES, ids=[f"{one}: {'/'.join(map(str, path))}" for one, path, _ in IN_BODIES]
)
def test_row_100_a_body_that_names_something_of_another_book_names_nothing(
    service: Service,
    home: str,
    caller: Caller,
    theirs: dict[str, str],
    operation: Operation,
    path: tuple[Any, ...],
    kind: str,
) -> None:
    """Everything else that the body names is ours and there, so that the foreign name alone is refused."""
    body = operation.example
    for place, of_kind in places(body):
        body = with_value(body, place, ours(caller, of_kind))
    head = service.head(home)
    bodies = [with_value(body, path, name) for name in (theirs[kind], unknown(kind, theirs[kind]))]
    reply = like_unknown(caller, operation, theirs, (with_fresh_keys(bodies[0]), with_fresh_keys(bodies[1])))
    assert f"{kind}_unknown" in reply.raw.decode()
    assert service.head(home) == head


def with_fresh_keys(body: Any) -> Any:
    """The body, where each of its items has a key that nobody has used."""
    if isinstance(body, list):
        return [with_fresh_keys(one) for one in body]
    if not isinstance(body, dict):
        return body
    return {name: fresh("item") if name == "idempotency_key" else with_fresh_keys(one) for name, one in body.items()}


def ours(caller: Caller, kind: str) -> str:
    if kind == "account":
        return caller.open_account("ours")
    terms = {"fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"} if kind == "merchant" else {}
    return str(caller.post(f"/{kind}s", {"id": fresh("ours"), "name": "Ours", **terms}).done()["id"])


# Who asked for what: also for ids of others, in vain. That it is of one book alone is tested with the access log.
WHAT_WAS_ASKED_FOR = "/v1/audit/access"
LISTED = [one for one in GUARDED if one.path != WHAT_WAS_ASKED_FOR]
FILTERS = [(operation, name) for operation in LISTED for name in sorted(operation.filters())]


@pytest.mark.parametrize(("operation", "name"), FILTERS, ids=[f"{one}?{name}=" for one, name in FILTERS])
def test_row_100_a_search_for_something_of_another_book_finds_nothing(
    caller: Caller, theirs: dict[str, str], operation: Operation, name: str
) -> None:
    for wanted in {*theirs.values()}:
        found = ask(caller, operation, {}, **{name: wanted}).done(200)
        assert found == {"data": [], "next_cursor": None}


@pytest.mark.parametrize(
    "operation", [one for one in LISTED if one.method == "GET" and not one.ids and "/stream" not in one.path], ids=str
)
def test_no_list_shows_anything_of_another_book(
    service: Service, caller: Caller, theirs: dict[str, str], operation: Operation
) -> None:
    caller.open_account("sealed")  # Proofs are of something.
    service.wait_until(lambda: ask(caller, operation, {}).status != 503, patience_s=10)
    shown = ask(caller, operation, {})
    assert shown.status == 200, shown.raw
    content = shown.raw
    if shown.headers["content-type"] == "application/zip":
        with zipfile.ZipFile(io.BytesIO(content)) as folder:
            content = b"".join(map(folder.read, folder.namelist()))
    assert not [value for value in theirs.values() if value.encode() in content]
