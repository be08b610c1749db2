"""Reads: pages that fit together, one's own writes at once, and a past that stays as it was."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.journeys.caller import Caller, fresh, moves, transfer
from tests.journeys.service import Service

PAGE = 3


@pytest.fixture(scope="module")
def reader(service: Service) -> Caller:
    """Somebody in a book of its own, with two accounts and ten transfers between them."""
    caller = service.caller(service.new_book())
    for name in ("payer", "payee"):
        caller.post("/accounts", {"id": name, "name": name, "kind": "liability", "currency": "EUR"}).done()
    for amount in range(1, 11):
        caller.move("payer", "payee", amount, reference=fresh("reference")).done()
    return caller


def pages(caller: Caller, path: str, **params: str | int) -> Iterator[list[dict[str, Any]]]:
    """All pages of a list."""
    cursor: dict[str, str | int] = {}
    while True:
        page = caller.get(path, limit=PAGE, **params, **cursor).done(200)
        yield page["data"]
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


@pytest.mark.parametrize(
    ("path", "params", "place", "most"),
    [
        ("/accounts", {}, "id", 2),
        ("/entries", {}, "position", 10),
        ("/entries", {"account": "payee"}, "position", 10),
        ("/entries", {"min_amount": 8}, "position", 3),
        ("/accounts/payee/statement", {}, "position", 10),
        ("/events", {}, "position", 12),
        ("/events", {"after": 4}, "position", 8),
        ("/events", {"topic": "transfers.posted.v1"}, "position", 10),
        ("/audit/trail", {"entity": "payee"}, "position", 11),
    ],
)
def test_pages_show_everything_once_and_in_order(
    reader: Caller, path: str, params: dict[str, str | int], place: str, most: int
) -> None:
    found = list(pages(reader, path, **params))
    assert all(len(page) <= PAGE for page in found)
    shown = [row for page in found for row in page]
    assert [row[place] for row in shown] == sorted({row[place] for row in shown})
    assert len(shown) == most
    assert shown == reader.get(path, limit=500, **params).done(200)["data"]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/accounts", {}),
        ("/entries", {"account": "payee"}),
        ("/events", {}),
        ("/audit/trail", {"entity": "payee"}),
        ("/payments", {}),
        ("/periods", {}),
    ],
)
def test_a_list_ends_without_a_cursor_also_when_the_last_page_is_full(
    reader: Caller, path: str, params: dict[str, str | int]
) -> None:
    everything = reader.get(path, limit=500, **params).done(200)
    assert everything["next_cursor"] is None
    exactly = max(1, len(everything["data"]))
    assert reader.get(path, limit=exactly, **params).done(200)["next_cursor"] is None


def test_a_statement_goes_on_as_it_was_known_when_it_was_begun(service: Service) -> None:
    caller = service.caller(service.new_book())
    a, b = caller.open_account("a"), caller.open_account("b")
    for amount in (1, 2, 3, 4):
        caller.move(a, b, amount).done()
    first = caller.get(f"/accounts/{b}/statement", limit=2).done(200)
    caller.move(a, b, 100).done()
    second = caller.get(f"/accounts/{b}/statement", limit=2, cursor=first["next_cursor"]).done(200)
    assert [line["balance_after"] for line in first["data"] + second["data"]] == [1, 3, 6, 10]
    assert (first["opening_balance"], first["closing_balance"]) == (0, 3)
    assert (second["opening_balance"], second["closing_balance"]) == (3, 10)
    assert second["next_cursor"] is None
    assert second["position"] == first["position"]


def test_who_asks_for_no_position_sees_its_own_writes_all_the_same(service: Service) -> None:
    caller = service.caller(service.new_book())
    a, b = caller.open_account("a"), caller.open_account("b")
    for number in range(1, 21):
        caller.move(a, b, 1).done()
        lines = caller.send("GET", f"/accounts/{b}/statement").done(200)["data"]
        assert len(lines) == number


def test_a_balance_of_the_past_is_what_it_was(service: Service) -> None:
    caller = service.caller(service.new_book())
    a, b = caller.open_account("a"), caller.open_account("b")
    positions = [caller.move(a, b, amount).position for amount in (1, 2, 3)]
    assert [caller.balance(b, known_at=position)["posted"]["balance"] for position in positions] == [1, 3, 6]
    trials = [caller.get("/trial-balance", known_at=position).done(200) for position in positions]
    assert [trial["currencies"]["EUR"]["debits"] for trial in trials] == [1, 3, 6]
    assert {trial["currencies"]["EUR"]["difference"] for trial in trials} == {0}


def test_a_transfer_is_shown_as_the_entry_that_it_is(reader: Caller) -> None:
    entry = reader.move("payer", "payee", 5).done()["id"]
    shown = reader.get(f"/transfers/{entry}").done(200)
    assert shown == reader.get(f"/entries/{entry}").done(200)
    assert shown["postings"] == moves(("payer", "payee", 5))
    reader.get("/transfers/ent_0").refused(404, "entry_not_found")


def test_the_stream_begins_where_it_is_told_and_keeps_to_its_topic(reader: Caller) -> None:
    opened = read_some(reader, 2, topic="accounts.opened.v1")
    assert [fact["topic"] for fact in opened] == ["accounts.opened.v1"] * 2
    behind = read_some(reader, 3, after=5)
    assert [fact["position"] for fact in behind] == [6, 7, 8]
    resumed = read_some(reader, 1, after=1, headers={"last-event-id": "7"})
    assert [fact["position"] for fact in resumed] == [8]


def read_some(caller: Caller, most: int, headers: dict[str, str] | None = None, **params: str | int) -> list[Any]:
    """The first facts of the stream, each under its position."""
    facts: list[Any] = []
    with (
        httpx2.Client(trust_env=False, timeout=20) as client,
        client.stream(
            "GET",
            f"{caller.url}/v1/events/stream",
            params=params,
            headers={"authorization": f"Bearer {caller.key}", **(headers or {})},
        ) as answer,
    ):
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line.startswith("data: "):
                facts.append(json.loads(line.removeprefix("data: ")))
            elif line.startswith("id: "):
                assert int(line.removeprefix("id: ")) == facts[-1]["position"]
            if len(facts) == most and not line:
                return facts
    raise AssertionError("the stream has ended")


# --- batches that are sent again


def test_a_batch_with_a_key_is_answered_the_same_for_ever(reader: Caller) -> None:
    known = fresh("known")
    reader.post("/transfers", transfer("payer", "payee", 1), key=known).done()
    batch: dict[str, Any] = {
        "mode": "independent",
        "transfers": [
            {"idempotency_key": known, **transfer("payer", "payee", 1)},
            {"idempotency_key": fresh("item"), **transfer("payer", "payee", 2)},
            {"idempotency_key": fresh("item"), **transfer("payer", "nobody", 2)},
            {"idempotency_key": fresh("item"), **transfer("payer", "payee", 0)},
        ],
    }
    key = fresh("batch")
    first = reader.post("/batches", batch, key=key)
    assert [result["status"] for result in first.done()["results"]] == ["replayed", "created", "rejected", "rejected"]
    assert not first.is_replay
    head = reader.head()
    again = reader.post("/batches", batch, key=key)
    assert (again.status, again.raw, again.is_replay) == (201, first.raw, True)
    assert reader.head() == head
    without_key = reader.send("POST", "/batches", json=batch).done()
    assert [result["status"] for result in without_key["results"]] == ["replayed", "replayed", "rejected", "rejected"]
    other = {"mode": "atomic", "transfers": batch["transfers"][:2]}
    reader.post("/batches", other, key=key).refused(422, "idempotency_key_reused")
    reader.post("/transfers", transfer("payer", "payee", 1), key=key).refused(422, "idempotency_key_reused")


def test_an_atomic_batch_with_a_key_is_refused_the_same_for_ever(reader: Caller) -> None:
    item = {"idempotency_key": fresh("item"), **transfer("payer", "later", 1)}
    batch = {"mode": "atomic", "transfers": [item]}
    key = fresh("batch")
    first = reader.post("/batches", batch, key=key)
    first.refused(422, "batch_rejected")
    reader.post("/accounts", {"id": "later", "name": "later", "kind": "asset", "currency": "EUR"}).done()
    again = reader.post("/batches", batch, key=key)
    assert (again.status, again.raw, again.is_replay) == (422, first.raw, True)
    assert reader.post("/batches", batch).done()["results"][0]["status"] == "created"


def test_a_batch_key_is_none_of_its_transfers_keys(reader: Caller) -> None:
    key = fresh("key")
    batch = {"mode": "independent", "transfers": [{"idempotency_key": key, **transfer("payer", "payee", 1)}]}
    reader.post("/batches", batch, key=key).refused(422, "duplicate_in_batch")
