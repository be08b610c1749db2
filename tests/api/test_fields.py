"""Fields: each bad value is answered with its code and its place, and all of them at once."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, TypeAdapter, ValidationError

from api.fields import (
    AccountId,
    Amount,
    AmountParameter,
    Currency,
    CursorParameter,
    IdempotencyKey,
    Identifier,
    LimitParameter,
    Metadata,
    Name,
    NewAccountId,
    PositionParameter,
    Reference,
    Request,
    SignedAmount,
    Text500,
    TimeParameter,
    Timestamp,
    read_time,
)
from api.gated_route import GatedRoute
from api.problems import document_problems, install
from api.transport import Door
from ledger.accounts import SYSTEM_PREFIX, check_code
from ledger.errors import AccountCodeInvalid
from tests.api.client import call


class Card(Request):
    type: Literal["card"]
    token: Identifier


class Wallet(Request):
    type: Literal["wallet"]


class Order(Request):
    account: AccountId
    amount: Amount
    currency: Currency
    least: SignedAmount | None = None
    new_account: NewAccountId | None = None
    at: Timestamp | None = None
    note: Text500 | None = None
    name: Name | None = None
    reference: Reference | None = None
    metadata: Metadata | None = None
    key: IdempotencyKey | None = None
    mode: Literal["atomic", "independent"] = "atomic"
    method: Annotated[Card | Wallet, Field(discriminator="type")] | None = None
    lines: list[Card] = []
    either: Amount | Reference | None = None


app = FastAPI(redirect_slashes=False)
app.router.route_class = GatedRoute
install(app)


@app.post("/orders", status_code=201)
async def order(body: Order) -> dict[str, str | None]:
    return {"name": body.name, "at": body.at.isoformat() if body.at else None}


@app.get("/orders/{id}")
async def orders(
    id: AccountId,  # noqa: A002
    limit: LimitParameter = 50,
    cursor: CursorParameter | None = None,
    min_position: PositionParameter = 0,
    min_amount: AmountParameter | None = None,
    as_of: TimeParameter | None = None,
) -> dict[str, str]:
    return {"id": id, "limit": str(limit), "as_of": as_of.isoformat() if as_of else ""}


door = Door(app)
GOOD: dict[str, Any] = {"account": "customer:7", "amount": 5, "currency": "EUR"}

# Rows of the list of bad inputs that the interface promises an answer to.
BAD_FIELDS: list[tuple[int, str, Any, str, str]] = [
    (1, "amount", 0, "/amount", "amount_not_positive"),
    (2, "amount", -5, "/amount", "amount_not_positive"),
    (3, "amount", True, "/amount", "amount_type"),
    (6, "amount", "7", "/amount", "amount_type"),
    (7, "amount", " 7 ", "/amount", "amount_type"),
    (8, "amount", "1_000", "/amount", "amount_type"),
    (9, "amount", "7.0", "/amount", "amount_type"),
    (10, "amount", "\u0663", "/amount", "amount_type"),
    (10, "amount", "\uff17", "/amount", "amount_type"),
    (24, "amount", "-0", "/amount", "amount_type"),
    (24, "amount", "", "/amount", "amount_type"),
    (24, "amount", None, "/amount", "amount_type"),
    (24, "least", "0", "/least", "amount_type"),
    (24, "least", True, "/least", "amount_type"),
    (29, "foo", 1, "/foo", "unknown_field"),
    (30, "status", "posted", "/status", "unknown_field"),
    *[(31, "currency", code, "/currency", "currency_unknown") for code in ("eur", "EURO", "XXX", "", "EÜR", 978, None)],
    (57, "note", "x" * 501, "/note", "too_long"),
    (57, "reference", "x" * 201, "/reference", "too_long"),
    (57, "reference", "", "/reference", "field_invalid"),
    (57, "note", 7, "/note", "field_type"),
    (58, "metadata", {str(at): "" for at in range(51)}, "/metadata", "too_many_keys"),
    (58, "metadata", {"k" * 65: ""}, "/metadata", "too_long"),
    (58, "metadata", {"k": "v" * 501}, "/metadata/k", "too_long"),
    (59, "metadata", {"k": 1}, "/metadata/k", "metadata_type"),
    (59, "metadata", {"k": []}, "/metadata/k", "metadata_type"),
    (59, "metadata", {"k": None}, "/metadata/k", "metadata_type"),
    (59, "metadata", [], "/metadata", "metadata_type"),
    (66, "at", "2026-11-21T10:20:30", "/at", "timestamp_format"),
    (67, "at", "2026-11-21", "/at", "timestamp_format"),
    (67, "at", 1_700_000_000, "/at", "timestamp_format"),
    (68, "at", "2026-02-30T00:00:00Z", "/at", "timestamp_format"),
    (68, "at", "2026-02-03T00:00:00+99:99", "/at", "timestamp_format"),
    (68, "at", "2026-12-31T23:59:60Z", "/at", "timestamp_format"),
    (68, "at", "2026-12-31T24:00:00Z", "/at", "timestamp_format"),
    (68, "at", "2026-12-31 23:59:59Z", "/at", "timestamp_format"),
    (68, "at", "2026-12-31T23:59:59.1234567Z", "/at", "timestamp_format"),
    (69, "at", "0001-01-01T00:00:00Z", "/at", "timestamp_range"),
    (69, "at", "0001-01-01T00:00:00+12:00", "/at", "timestamp_range"),
    (69, "at", "9999-12-31T23:59:59-12:00", "/at", "timestamp_range"),
    (69, "at", "9999-01-01T00:00:00Z", "/at", "timestamp_range"),
    (69, "at", "1970-01-01T00:00:00+01:00", "/at", "timestamp_range"),
    (74, "key", "", "/key", "idempotency_key_invalid"),
    (74, "key", "a b", "/key", "idempotency_key_invalid"),
    (74, "key", "é", "/key", "idempotency_key_invalid"),
    (74, "key", "x" * 256, "/key", "idempotency_key_invalid"),
    *[
        (110, field, code, f"/{field}", "account_code_invalid")
        for field in ("account", "new_account")
        for code in ("../", "a:b:", ":a", "a::b", "x" * 65, "", "A", "a b", "..", "a:..", "é")
    ],
    (110, "new_account", "sys:1110:eur", "/new_account", "account_code_invalid"),
    (0, "account", 7, "/account", "field_type"),
    (0, "mode", "both", "/mode", "field_invalid"),
    (0, "method", {"type": "cash"}, "/method", "field_invalid"),
    (0, "method", {}, "/method", "field_missing"),
    (0, "method", {"type": "card", "token": "a b"}, "/method/token", "field_invalid"),
    (0, "method", {"type": "card"}, "/method/token", "field_missing"),
    (0, "either", "", "/either", "amount_type"),
    (0, "lines", {}, "/lines", "field_type"),
    (0, "lines", [7], "/lines/0", "field_type"),
]


@pytest.mark.parametrize(("row", "field", "value", "place", "code"), BAD_FIELDS, ids=lambda value: str(value)[:40])
def test_a_bad_field_has_its_code_and_its_place(row: int, field: str, value: Any, place: str, code: str) -> None:
    answer = call(door, "POST", "/orders", json_body=GOOD | {field: value})
    status = 400 if code == "idempotency_key_invalid" else 422
    assert (answer.status, answer.code, answer.fields) == (status, code, [(place, code)])


def test_all_bad_fields_are_named_and_the_first_gives_the_code() -> None:
    body = {"account": "a", "amount": "5", "lines": [{"type": "card", "token": "x"}, {"type": "card"}], "foo": 1}
    answer = call(door, "POST", "/orders", json_body=body)
    assert answer.code == "amount_type"
    assert answer.fields == [
        ("/amount", "amount_type"),
        ("/currency", "field_missing"),
        ("/lines/1/token", "field_missing"),
        ("/foo", "unknown_field"),
    ]


@pytest.mark.parametrize("body", [None, [], "text", 7, True])
def test_a_body_that_is_no_object_is_told_so(body: Any) -> None:
    raw = json.dumps(body).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(raw)))]
    assert call(door, "POST", "/orders", chunks=[raw], headers=headers).fields == [("", "body_type")]
    assert call(door, "POST", "/orders").fields == [("", "body_type")]


def test_what_would_have_been_right_is_said_where_it_is_a_closed_set() -> None:
    problem = call(door, "POST", "/orders", json_body=GOOD | {"mode": "both", "method": {"type": "cash"}}).problem
    said = {error["pointer"]: error["detail"] for error in problem["errors"]}
    assert said == {
        "/mode": "Input should be 'atomic' or 'independent'.",
        "/method": "One of 'card', 'wallet' is expected.",
    }


def test_no_value_is_repeated() -> None:
    canary = "canary-canary"
    body = GOOD | {"amount": canary, "currency": canary, "mode": canary, "at": canary, "method": {"type": canary}}
    body |= {
        "metadata": {"k": [canary]},
        "account": canary.upper(),
        "note": canary * 50,
        "lines": [canary],
        "foo": canary,
    }
    assert canary not in call(door, "POST", "/orders", json_body=body).body.decode().lower()


def test_the_answer_to_thousands_of_bad_fields_is_short() -> None:
    answer = call(door, "POST", "/orders", json_body=GOOD | {"lines": [7] * 1_500})
    assert len(answer.fields) == 1_000
    assert answer.problem["errors_left_off"] == 500


def test_a_good_request_passes_and_names_are_kept_in_one_form() -> None:
    full = {
        "least": -1,
        "new_account": "sys_7",
        "at": "2026-01-01T00:30:00.5+01:00",
        "note": "",
        "metadata": {"a": "b"},
    }
    full |= {"name": "Cafe\u0301", "key": "~!" * 100, "method": {"type": "card", "token": "t"}, "mode": "independent"}
    answer = call(door, "POST", "/orders", json_body=GOOD | full)
    assert answer.status == 201
    assert answer.body.decode() == '{"name":"Caf\u00e9","at":"2025-12-31T23:30:00.500000+00:00"}'


BAD_ADDRESSES: list[tuple[int, str, str, str]] = [
    *[
        (88, f"limit={limit}", "/query/limit", "limit_range")
        for limit in ("0", "-1", "1000000000", "1e3", "", "%D9%A3", "501")
    ],
    (88, "limit=5&limit=5", "/query/limit", "limit_range"),
    (89, "sort=amount", "/query/sort", "unknown_parameter"),
    (89, "Limit=5", "/query/Limit", "unknown_parameter"),
    (89, f"{'x' * 65}=1", "/query", "unknown_parameter"),
    (89, "4111111111111111=1", "/query", "unknown_parameter"),
    (0, "min_position=1&min_position=2", "/query/min_position", "field_invalid"),
    (0, "min_position=-1", "/query/min_position", "field_invalid"),
    (0, "min_position=9223372036854775808", "/query/min_position", "field_invalid"),
    (0, "min_amount=1.5", "/query/min_amount", "amount_type"),
    (0, "as_of=2026-11-21", "/query/as_of", "timestamp_format"),
    (0, "cursor=", "/query/cursor", "cursor_invalid"),
]


@pytest.mark.parametrize(("row", "query", "place", "code"), BAD_ADDRESSES)
def test_a_bad_parameter_has_its_code_and_its_place(row: int, query: str, place: str, code: str) -> None:
    answer = call(door, "GET", f"/orders/a?{query}")
    assert (answer.status, answer.fields) == (400 if code == "cursor_invalid" else 422, [(place, code)])


@pytest.mark.parametrize("path", ["x" * 65, "A", "a%", "a:", "a\u00e9b"])
def test_an_id_in_a_path_is_checked(path: str) -> None:
    assert call(door, "GET", f"/orders/{path}").fields == [("/path/id", "account_code_invalid")]


@pytest.mark.parametrize("path", ["a\0b", "a\r\nb", "a\u202eb"])
def test_there_is_nothing_at_a_path_with_a_forbidden_character(path: str) -> None:
    assert call(door, "GET", f"/orders/{path}").code == "route_not_found"


def test_a_text_in_an_address_holds_no_forbidden_character() -> None:
    answer = call(door, "GET", "/orders/a?cursor=%00")
    assert (answer.status, answer.fields) == (400, [("/query/cursor", "text_forbidden_character")])


def test_a_plus_that_is_not_escaped_still_means_an_offset() -> None:
    for written in ("2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00%2B01:00", "2025-12-31T23:00:00Z"):
        assert b"2025-12-31T23:00:00+00:00" in call(door, "GET", f"/orders/a?as_of={written}").body


@given(st.text("ab.:_-9A/ ", max_size=70))
def test_an_account_id_means_the_same_in_a_body_and_in_the_ledger(code: str) -> None:
    def is_taken(judge: Any, *errors: type[Exception]) -> bool:
        try:
            judge(code)
        except errors:
            return False
        return True

    ledger_takes_it = is_taken(check_code, AccountCodeInvalid)
    assert is_taken(TypeAdapter(NewAccountId).validate_python, ValidationError) == ledger_takes_it
    if not code.startswith(SYSTEM_PREFIX):
        assert is_taken(TypeAdapter(AccountId).validate_python, ValidationError) == ledger_takes_it


@given(st.datetimes(datetime(1970, 1, 2), datetime(9998, 12, 30)), st.timezones())  # noqa: DTZ001
def test_every_time_with_an_offset_is_read_as_that_moment(naive: datetime, zone: Any) -> None:
    moment = naive.replace(tzinfo=zone)
    offset = moment.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        return  # Before there were time zones, offsets had seconds, which RFC 3339 cannot write.
    read = read_time(moment.isoformat())
    assert (read, read.tzinfo) == (moment.astimezone(UTC), UTC)


def test_the_document_says_what_the_fields_take() -> None:
    document = document_problems(app.openapi())
    amount = document["components"]["schemas"]["Order"]["properties"]["amount"]
    assert (amount["exclusiveMinimum"], amount["exclusiveMaximum"]) == (0, 2**63)
    assert document["paths"]["/orders"]["post"]["requestBody"]["required"] is True
    assert "EUR" in document["components"]["schemas"]["Currency"]["enum"]
    assert "HTTPValidationError" not in str(document)
