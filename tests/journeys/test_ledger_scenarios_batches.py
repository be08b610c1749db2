"""The ledger's black-box cases: many transfers in one request (H1 to H5)."""

from typing import Any

from tests.journeys.caller import Caller, Reply, fresh, transfer


def batch(caller: Caller, mode: str, *transfers: dict[str, Any], **more: Any) -> Reply:
    keyed = [{"idempotency_key": fresh("item"), **item} for item in transfers]
    return caller.post("/batches", {"mode": mode, "transfers": keyed, **more})


def five(caller: Caller) -> tuple[str, str, list[dict[str, Any]]]:
    """Five transfers to one account, the third from an account that has nothing."""
    source, poor = caller.open_account("source"), caller.open_account("poor", min_balance=0)
    destination = caller.open_account("destination")
    froms = [source, source, poor, source, source]
    return source, destination, [transfer(account, destination, 10) for account in froms]


def test_h1_an_atomic_batch_with_one_failure_commits_nothing_and_names_it(caller: Caller) -> None:
    source, destination, transfers = five(caller)
    problem = batch(caller, "atomic", *transfers).refused(422, "batch_rejected")
    assert [(error["pointer"], error["code"]) for error in problem["errors"]] == [
        ("/transfers/2", "insufficient_funds")
    ]
    assert caller.posted(source, destination) == [0, 0]
    assert len(batch(caller, "atomic", *transfers[:2], *transfers[3:]).done()["results"]) == 4
    assert caller.posted(destination) == [40]


def test_h1_the_keys_of_a_refused_atomic_batch_are_free_again(caller: Caller) -> None:
    _, destination, transfers = five(caller)
    keyed = [{"idempotency_key": fresh("item"), **item} for item in transfers]
    caller.post("/batches", {"mode": "atomic", "transfers": keyed}).refused(422, "batch_rejected")
    results = caller.post("/batches", {"mode": "atomic", "transfers": keyed[:2]}).done()["results"]
    assert [result["status"] for result in results] == ["created", "created"]
    assert caller.posted(destination) == [20]


def test_h2_an_independent_batch_commits_the_others_and_tells_the_one_at_its_index(caller: Caller) -> None:
    source, destination, transfers = five(caller)
    results = batch(caller, "independent", *transfers).done()["results"]
    assert [result["index"] for result in results] == [0, 1, 2, 3, 4]
    assert [result["status"] for result in results] == ["created", "created", "rejected", "created", "created"]
    assert results[2]["problem"]["code"] == "insufficient_funds"
    assert "id" not in results[2]
    assert caller.posted(source, destination) == [-40, 40]
    assert caller.get(f"/entries/{results[4]['id']}").done(200)["postings"][1]["account"] == destination


def test_h3_a_batch_repeats_nothing_and_invents_nothing(caller: Caller) -> None:
    """A batch holds transfers alone, so the scenario's reversals stand by themselves: each has its own code."""
    _, destination, transfers = five(caller)
    keyed = {"idempotency_key": fresh("item"), **transfers[0]}
    first = caller.post("/batches", {"mode": "independent", "transfers": [keyed]}).done()["results"][0]
    again = caller.post("/batches", {"mode": "independent", "transfers": [keyed]}).done()["results"][0]
    assert again == {"index": 0, "status": "replayed", "id": first["id"]}
    alone = caller.post("/transfers", transfers[0], key=keyed["idempotency_key"])
    assert (alone.is_replay, alone.done()["id"]) == (True, first["id"])
    assert caller.posted(destination) == [10]
    caller.post(f"/entries/{first['id']}/reverse", {"reason": "wrong"}).done()
    caller.post(f"/entries/{first['id']}/reverse", {"reason": "wrong"}).refused(409, "already_reversed")
    caller.post("/entries/ent_unknown/reverse", {"reason": "wrong"}).refused(404, "entry_not_found")
    unknown = {"index": 0, "status": "rejected"}
    result = batch(caller, "independent", transfer("nobody", destination, 1)).done()["results"][0]
    assert (unknown | {"problem": result["problem"]}, result["problem"]["code"]) == (result, "account_unknown")


def test_h4_a_batch_above_the_limit_commits_nothing(caller: Caller) -> None:
    source, destination, _ = five(caller)
    too_many = [transfer(source, destination, 1) for _ in range(10_001)]
    assert batch(caller, "independent", *too_many).refused(413, "batch_too_large")["most"] == 10_000
    assert caller.posted(destination) == [0]
    assert batch(caller, "independent", *too_many[:10_000]).done()["results"][9_999]["status"] == "created"
    assert caller.posted(destination) == [10_000]


def test_h5_a_batch_is_atomic_or_independent_and_nothing_else(caller: Caller) -> None:
    """There is no `parallel` to contradict `atomic`: another mode and another field are both refused."""
    _, destination, transfers = five(caller)
    batch(caller, "parallel", transfers[0]).refused(422, "field_invalid")
    batch(caller, "atomic", transfers[0], parallel=True).refused(422, "unknown_field")
    assert caller.posted(destination) == [0]
