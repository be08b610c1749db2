"""The log under seal, as a stranger sees it: checkpoints, proofs and tiles over HTTP, checked without us."""

import time
from base64 import b64decode
from hashlib import sha256
from typing import Any

import httpx2
import pytest

from ledger.audit.checkpoint import Checkpoint
from ledger.audit.merkle import leaf_hash
from ledger.audit.proofs import ProofInvalid, verify_consistency, verify_inclusion
from ledger.audit.signed_note import VerifierKey, read_note, verify_note
from tests.journeys.caller import Caller
from tests.journeys.service import Service

PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def auditor(service: Service) -> Caller:
    """Somebody in a book of its own, with two accounts and some transfers."""
    caller = service.caller(service.new_book())
    for name in ("payer", "payee"):
        caller.post("/accounts", {"id": name, "name": name, "kind": "liability", "currency": "EUR"}).done()
    for amount in range(1, 11):
        caller.move("payer", "payee", amount).done()
    return caller


def checkpoint(caller: Caller, covers: int) -> dict[str, Any]:
    """The newest checkpoint, once it holds this position."""
    until = time.monotonic() + PATIENCE_S
    while True:
        reply = caller.get("/audit/checkpoint")
        if reply.status == 200 and reply.body["size"] >= covers:
            found: dict[str, Any] = reply.done(200)
            return found
        assert time.monotonic() < until, reply.raw
        time.sleep(0.05)


def test_a_checkpoint_says_how_large_the_log_is_and_who_signed_it(auditor: Caller) -> None:
    last = auditor.move("payer", "payee", 1).position
    found = checkpoint(auditor, last)
    note = read_note(found["note"].encode())
    keys = [VerifierKey.parse(key) for key in found["keys"]]
    assert verify_note(note, keys) == keys
    says = Checkpoint.parse(note.text)
    assert (says.origin, says.size) == (found["origin"], found["size"])
    assert says.root == b64decode(found["root"])
    assert found["position"] >= found["size"] == last
    first = auditor.get("/audit/checkpoint", covers=1).done(200)
    assert first["size"] <= last
    auditor.get("/audit/checkpoint", covers=last + 1).refused(404, "position_not_reached")
    auditor.get("/audit/checkpoint", min_position=last + 1).refused(503, "not_sealed")


def test_every_write_says_how_much_was_under_seal(auditor: Caller) -> None:
    last = auditor.move("payer", "payee", 1).position
    sealed = checkpoint(auditor, last)["size"]
    assert int(auditor.move("payer", "payee", 1).headers["ledger-sealed-size"]) >= sealed
    assert "ledger-sealed-size" not in auditor.get("/accounts/payer").headers


def test_each_event_is_proved_to_be_in_the_log(auditor: Caller) -> None:
    last = auditor.move("payer", "payee", 1).position
    checkpoint(auditor, last)
    roots = set()
    for position in range(1, last + 1):
        proof = auditor.get("/audit/proofs/inclusion", position=position).done(200)
        leaf, root = b64decode(proof["leaf"]), b64decode(proof["root"])
        hashes = [b64decode(one) for one in proof["hashes"]]
        assert leaf_hash(leaf) == sha256(b"\x00" + leaf).digest() == b64decode(proof["leaf_hash"])
        verify_inclusion(leaf_hash(leaf), proof["leaf_index"], proof["size"], hashes, root)
        with pytest.raises(ProofInvalid):
            verify_inclusion(leaf_hash(leaf + b"x"), proof["leaf_index"], proof["size"], hashes, root)
        assert Checkpoint.parse(read_note(proof["checkpoint"].encode()).text).root == root
        lines = proof["proof"].split("\n")
        assert lines[:2] == ["c2sp.org/tlog-proof@v1", f"index {position - 1}"]
        assert lines[2 : 2 + len(hashes)] == proof["hashes"]
        assert proof["proof"].endswith("\n\n" + proof["checkpoint"])
        event = auditor.get("/events", after=position - 1, limit=1).done(200)["data"][0]
        assert event["topic"].encode() in leaf
        roots.add(root)
    assert len(roots) == 1


def test_the_log_is_proved_to_go_on_from_what_it_was(auditor: Caller) -> None:
    old = checkpoint(auditor, auditor.move("payer", "payee", 1).position)
    new = checkpoint(auditor, max(auditor.move("payer", "payee", 1).position for _ in range(5)))
    proof = auditor.get("/audit/proofs/consistency", **{"from": old["size"], "to": new["size"]}).done(200)
    assert (proof["from_root"], proof["to_root"]) == (old["root"], new["root"])
    hashes = [b64decode(one) for one in proof["hashes"]]
    verify_consistency(old["size"], new["size"], hashes, b64decode(old["root"]), b64decode(new["root"]))
    newest = auditor.get("/audit/proofs/consistency", **{"from": 0}).done(200)
    assert newest["hashes"] == []
    assert newest["from_root"] == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


@pytest.mark.parametrize(
    ("path", "wanted", "status", "code", "pointer"),
    [
        ("/audit/proofs/inclusion", {}, 422, "field_missing", "/query/position"),
        ("/audit/proofs/inclusion", {"position": 0}, 422, "field_invalid", "/query/position"),
        ("/audit/proofs/inclusion", {"position": "x"}, 422, "field_invalid", "/query/position"),
        ("/audit/proofs/inclusion", {"position": 10**9}, 404, "position_not_reached", "/query/position"),
        ("/audit/proofs/consistency", {"from": 10**9}, 422, "field_invalid", "/query/from"),
        ("/audit/proofs/consistency", {"from": 3, "to": 2}, 422, "field_invalid", "/query/from"),
        ("/audit/proofs/consistency", {"from": 3, "to": 10**9}, 404, "position_not_reached", "/query/to"),
        ("/audit/checkpoint", {"size": 3}, 422, "unknown_parameter", "/query/size"),
        ("/audit/tile/9/000", {}, 404, "route_not_found", None),
        ("/audit/tile/0/x000", {}, 404, "route_not_found", None),
        ("/audit/tile/0/123", {}, 404, "route_not_found", None),
    ],
)
def test_what_cannot_be_proved_is_refused(
    auditor: Caller, path: str, wanted: dict[str, Any], status: int, code: str, pointer: str | None
) -> None:
    problem = auditor.get(path, **wanted).refused(status, code)
    if pointer is not None:
        assert problem["errors"][0]["pointer"] == pointer


def test_tiles_hold_the_hashes_of_the_leaves(auditor: Caller) -> None:
    size = checkpoint(auditor, auditor.move("payer", "payee", 1).position)["size"]
    hashes = auditor.get(f"/audit/tile/0/000.p/{size}").raw
    for position in (1, size):
        proof = auditor.get("/audit/proofs/inclusion", position=position).done(200)
        assert hashes[32 * (position - 1) : 32 * position] == b64decode(proof["leaf_hash"])


def test_another_book_has_another_log(auditor: Caller, service: Service) -> None:
    other = service.caller(service.new_book())
    last = other.post("/accounts", {"id": "a", "name": "a", "kind": "liability", "currency": "EUR"}).position
    found = checkpoint(other, last)
    assert found["size"] == 1
    assert found["origin"] != checkpoint(auditor, 1)["origin"]


def test_the_figures_say_how_far_the_seal_is(service: Service) -> None:
    book = service.new_book()
    caller = service.caller(book)
    last = caller.post("/accounts", {"id": "a", "name": "a", "kind": "liability", "currency": "EUR"}).position
    checkpoint(caller, last)
    figures = httpx2.get(f"{service.url}/metrics", trust_env=False).text
    assert f'ledger_sealed_position{{book="{book}"}} {last}.0' in figures
