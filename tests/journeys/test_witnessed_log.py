"""The log before witnesses: a checkpoint over HTTP carries what a process that knows nothing of ours has signed."""

import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from ledger.audit.signed_note import VerifierKey, read_note, verify_note
from tests.journeys.caller import Caller
from tests.journeys.service import Service
from tests.witnesses import start

PATIENCE_S = 30.0


@pytest.fixture
def book(service: Service) -> str:
    return service.new_book()


@pytest.fixture
def auditor(service: Service, book: str) -> Caller:
    caller = service.caller(book)
    for name in ("payer", "payee"):
        caller.post("/accounts", {"id": name, "name": name, "kind": "liability", "currency": "EUR"}).done()
    return caller


def checkpoint(caller: Caller, **wanted: int) -> dict[str, Any]:
    """The checkpoint that is wanted, once there is one."""
    until = time.monotonic() + PATIENCE_S
    while (reply := caller.get("/audit/checkpoint", **wanted)).status == 503:
        assert time.monotonic() < until, reply.raw
        time.sleep(0.05)
    found: dict[str, Any] = reply.done(200)
    return found


def test_a_witnessed_checkpoint_is_shown_with_what_the_witness_signed(
    service: Service, book: str, auditor: Caller, tmp_path: Path
) -> None:
    first = auditor.move("payer", "payee", 1).position
    unwitnessed = checkpoint(auditor, covers=first)
    assert unwitnessed["witnesses"] == []
    auditor.get("/audit/checkpoint", witnesses=1).refused(503, "not_sealed")
    logs = [word for key in unwitnessed["keys"] for word in ("--log", key)]
    witness = start(tmp_path / "witness", "--name", "witness.example/w1", *logs)
    worker = service.another_worker(LEDGER_WITNESSES=f"{witness.address} {witness.key}")
    try:
        worker.start()
        assert checkpoint(auditor, witnesses=1)["size"] >= first
        last = auditor.move("payer", "payee", 1).position
        found = checkpoint(auditor, witnesses=1, covers=last)
    finally:
        worker.end()
        witness.process.kill()
        with witness.process:
            pass
    assert found["witnesses"] == ["witness.example/w1"]
    keys = [*map(VerifierKey.parse, found["keys"]), witness.key]
    assert verify_note(read_note(found["note"].encode()), keys) == keys
    assert checkpoint(auditor, witnesses=1)["size"] >= last
    assert checkpoint(auditor, witnesses=1, covers=1)["size"] <= found["size"]
    auditor.get("/audit/checkpoint", witnesses=2).refused(503, "not_sealed")
    figures = httpx2.get(f"{service.url}/metrics", trust_env=False).text.split("\n")
    figure = f'ledger_cosigned_position{{book="{book}",witness="witness.example/w1"}} {float(found["size"])}'
    assert figure in figures


@pytest.mark.parametrize("number", ["-1", "101", "one"])
def test_a_number_of_witnesses_is_one(auditor: Caller, number: str) -> None:
    problem = auditor.get("/audit/checkpoint", witnesses=number).refused(422, "field_invalid")
    assert problem["errors"][0]["pointer"] == "/query/witnesses"
