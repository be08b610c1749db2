"""The description of the interface: committed as it is, complete, and with an example of everything."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema_rs import Draft202012Validator

from api.app import make_api
from api.description import describe, description
from api.keys import SCOPES
from api.problems import MEDIA_TYPE

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"
OPEN_TO_ANYBODY = {"/health/live", "/health/ready", "/metrics", "/v1/channels/{channel}/callbacks"}
OPEN_TO_ANYBODY |= {"/v1/problems", "/v1/problems/{code}"}
# What they answer is stored nowhere.
ONLY_ASKING = {"/v1/routing/evaluate", "/v1/risk/evaluate", "/v1/risk/backtest"}

API: FastAPI = make_api()
DOCUMENT: dict[str, Any] = describe(API)
OPERATIONS = [
    pytest.param(path, method, operation, id=f"{method} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
every_operation = pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)


def test_what_is_committed_is_what_the_program_says() -> None:
    assert COMMITTED.read_text() == description(API), "run: ./run ledger openapi > docs/openapi.json"


@every_operation
def test_each_route_names_the_scope_it_needs_or_is_known_to_need_none(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    scopes = [scope for scheme in operation["security"] for scope in scheme["api_key"]]
    if path in OPEN_TO_ANYBODY:
        assert scopes == []
    else:
        assert len(scopes) == 1
        assert set(scopes) <= SCOPES


@every_operation
def test_each_write_takes_an_idempotency_key(path: str, method: str, operation: dict[str, Any]) -> None:
    takes_key = [p["required"] for p in operation.get("parameters", []) if p["name"] == "Idempotency-Key"]
    if method in ("post", "put", "delete") and path not in OPEN_TO_ANYBODY | ONLY_ASKING:
        batches = {"/v1/batches", "/v1/payout-batches", "/v1/collection-batches"}
        may_do_without = {*batches, "/v1/transfers", "/v1/entries", "/v1/entries/{entry}/reverse"}
        assert takes_key == [method == "post" and path not in may_do_without]
    else:
        assert takes_key == []


@every_operation
def test_each_read_of_a_book_takes_min_position(path: str, method: str, operation: dict[str, Any]) -> None:
    if method == "get" and path not in OPEN_TO_ANYBODY | {"/v1/events/stream"}:
        assert "min_position" in [parameter["name"] for parameter in operation["parameters"]]


@every_operation
def test_each_answer_has_an_example_that_fits_its_schema(path: str, method: str, operation: dict[str, Any]) -> None:
    answers = {status: answer for status, answer in operation["responses"].items() if int(status) < 300}
    assert answers
    for answer in answers.values():
        for media_type in answer["content"].values():
            whole = {**media_type["schema"], "components": DOCUMENT["components"]}
            Draft202012Validator(whole).validate(media_type["example"])


@every_operation
def test_each_body_has_an_example_that_fits_its_schema(path: str, method: str, operation: dict[str, Any]) -> None:
    for media_type in operation.get("requestBody", {}).get("content", {}).values():
        schema = media_type["schema"]
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            for example in DOCUMENT["components"]["schemas"][name]["examples"]:
                Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(example)
        else:
            assert "example" in media_type


@every_operation
def test_each_refusal_is_a_problem_document_with_its_codes(path: str, method: str, operation: dict[str, Any]) -> None:
    refusals = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
    assert {"431", "500"} <= refusals.keys()
    for status, refusal in refusals.items():
        examples = refusal["content"][MEDIA_TYPE]["examples"]
        for code, reference in examples.items():
            example = DOCUMENT["components"]["examples"][reference["$ref"].rpartition("/")[2]]["value"]
            assert (example["code"], example["status"]) == (code, int(status))
            assert f"`{code}`: " in refusal["description"]


@every_operation
def test_each_operation_says_in_a_sentence_what_it_does(path: str, method: str, operation: dict[str, Any]) -> None:
    assert len(operation["summary"].split()) > 2
    assert operation["tags"]


def test_no_page_loads_scripts_from_strangers() -> None:
    assert "/docs" not in {getattr(route, "path", "") for route in API.routes}
    # Examples name hosts that belong to nobody (RFC 2606), and nothing else is named.
    hosts = re.findall(r'https?://([^/" ]*)', json.dumps(DOCUMENT["paths"]).replace("\\", ""))
    assert all(host.endswith(".example") for host in hosts), hosts
