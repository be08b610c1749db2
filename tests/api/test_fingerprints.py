"""Fingerprints: two requests are the same if and only if they ask for the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import json_gate
from api.fingerprints import fingerprint
from api.routes.accounts import AccountRequest
from api.routes.batches import BatchedTransfer
from api.routes.transfers import TransferRequest

TRANSFER: dict[str, Any] = {
    "debit_account": "cash",
    "credit_account": "sales",
    "amount": 1250,
    "currency": "EUR",
    "effective_at": "2026-01-02T03:04:05+01:00",
    "reference": "order-1",
    "metadata": {"a": "1", "b": "2"},
}
LIMITS = "POST /v1/accounts/{account}/limits"


def of(body: dict[str, Any]) -> bytes:
    return TransferRequest.model_validate(body).fingerprint()


@given(st.permutations(list(TRANSFER)), st.booleans(), st.sampled_from([None, 0, 3]))
def test_the_order_of_fields_and_the_spaces_between_them_do_not_matter(
    order: list[str], reverse: bool, indent: int | None
) -> None:
    metadata = dict(sorted(TRANSFER["metadata"].items(), reverse=reverse))
    text = json.dumps({name: TRANSFER[name] for name in order} | {"metadata": metadata}, indent=indent)
    body = json_gate.parse(text.encode(), max_bytes=10_000)
    assert isinstance(body, dict)
    assert of(body) == of(TRANSFER)


@pytest.mark.parametrize(
    "same",
    [
        {"effective_at": "2026-01-02T02:04:05Z"},
        {"effective_at": "2026-01-02T02:04:05.000000+00:00"},
        {"description": None},
        {"pending": None},
        {"dry_run": False},
    ],
)
def test_another_way_to_write_it_does_not_matter(same: dict[str, Any]) -> None:
    assert of({**TRANSFER, **same}) == of(TRANSFER)


@pytest.mark.parametrize(
    "other",
    [
        {"debit_account": "cash2"},
        {"credit_account": "cash"},
        {"amount": 1251},
        {"currency": "USD"},
        {"effective_at": "2026-01-02T03:04:05Z"},
        {"effective_at": None},
        {"reference": "order-2"},
        {"description": ""},
        {"metadata": {"a": "1"}},
        {"metadata": {"a": "2", "b": "1"}},
        {"effective_at": None, "pending": {}},
    ],
)
def test_whatever_is_asked_for_otherwise_matters(other: dict[str, Any]) -> None:
    assert of({**TRANSFER, **other}) != of(TRANSFER)


def test_a_hold_is_another_hold_when_it_expires_at_another_time() -> None:
    hold = {**TRANSFER, "effective_at": None, "pending": {}}
    until = {**hold, "pending": {"expires_at": "2026-01-02T03:04:05Z"}}
    assert len({of(hold), of(until), of({**hold, "pending": {"expires_at": "2026-01-02T03:04:06Z"}})}) == 3
    assert of({**hold, "pending": {"expires_at": None}}) == of(hold)


def test_a_transfer_in_a_batch_is_the_same_as_alone_whatever_its_key() -> None:
    for key in ("one", "two"):
        assert BatchedTransfer.model_validate({**TRANSFER, "idempotency_key": key}).fingerprint() == of(TRANSFER)


def test_route_and_ids_of_the_address_matter() -> None:
    asked = AccountRequest.model_validate({"id": "a", "name": "A", "kind": "asset", "currency": "EUR"})
    prints = {
        fingerprint("POST /v1/accounts", asked),
        fingerprint(LIMITS, asked, ["a"]),
        fingerprint(LIMITS, asked, ["b"]),
        fingerprint(LIMITS, asked, ["a", "b"]),
        fingerprint(LIMITS, asked, ["ab"]),
    }
    assert len(prints) == 5


def test_fingerprints_of_last_year_still_fit() -> None:
    """Keys are kept for ever: what is hashed may gain fields with defaults, and must not change otherwise."""
    assert of(TRANSFER).hex() == "1a55400cf7d693ba9bc284387b8321513be1d15fb23f30fee28786c40cbc71ca"
    asked = AccountRequest.model_validate({"id": "a", "name": "A", "kind": "asset", "currency": "EUR"})
    assert (
        fingerprint("POST /v1/accounts", asked).hex()
        == "32d7867038da68e11167fcc7b898eb4f6a81a298eb53d4db0026d193f06a0042"
    )
