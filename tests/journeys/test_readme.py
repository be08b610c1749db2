"""The README's story, run as it is printed: its shell blocks against the service, and the outcomes that it states."""

import json
import re
import shlex
import shutil
import subprocess
from typing import Any

import pytest

from tests.forked import ROOT
from tests.journeys.caller import Caller
from tests.journeys.service import Service

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
# What the reader fills in is given here; the rest is run as it stands.
GIVEN = re.compile(r"^(KEY|U)=.*$", re.MULTILINE)


@pytest.fixture(scope="module")
def told(service: Service, home: str, caller: Caller) -> dict[str, Any]:
    """What each call answers, by its Idempotency-Key, or by its address where it is a read."""
    if shutil.which("curl") is None:
        pytest.skip("the README's calls are made with curl")
    return tell(service, caller, *BLOCKS)


def tell(service: Service, caller: Caller, *blocks: str) -> dict[str, Any]:
    """Run blocks of calls in one shell; each call prints one line."""
    assert "api() {" in BLOCKS[0]
    beginning = BLOCKS[0] if blocks[0] is not BLOCKS[0] else ""
    script = GIVEN.sub("", "\n".join([beginning, *blocks]))
    variables = f"KEY={shlex.quote(caller.key)}\nU={service.url}/v1\n"
    done = subprocess.run(
        ["sh", "-eu"], input=variables + script, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    calls = [line for block in blocks for line in block.splitlines() if line.startswith("api ")]
    answers = [json.loads(line) for line in done.stdout.splitlines() if line]
    return dict(zip(map(name_of, calls), answers, strict=True))


def name_of(call: str) -> str:
    keyed = re.search(r"Idempotency-Key: ([\w-]+)", call)
    return keyed[1] if keyed else shlex.split(call)[1].removeprefix("$U")


def test_accounts_are_opened_and_money_moves(told: dict[str, Any]) -> None:
    assert [told[key]["id"] for key in ("a-1", "a-2", "a-3")] == ["bank", "alice", "bob"]
    assert [told[key]["amount"] for key in ("t-1", "t-2")] == [100_000, 2_500]


def test_the_transfer_that_does_not_fit_is_refused_as_it_says(told: dict[str, Any]) -> None:
    refused = told["t-3"]
    assert (refused["code"], refused["account"], refused["available"]) == ("insufficient_funds", "bob", 2_500)
    assert re.search(r"`insufficient_funds`, 2500 available", README)


def test_what_is_sent_again_is_answered_the_same_and_has_one_effect(
    service: Service, caller: Caller, told: dict[str, Any]
) -> None:
    line = next(line for line in "".join(BLOCKS).splitlines() if "t-2" in line)
    assert tell(service, caller, line) == {"t-2": told["t-2"]}
    assert caller.posted("bob") == [2_500]


def test_the_views_show_what_happened(told: dict[str, Any]) -> None:
    assert told["/accounts/alice/balance"]["available"] == 97_500
    assert [line["balance_after"] for line in told["/accounts/alice/statement"]["data"]] == [100_000, 97_500]
    assert told["/trial-balance"]["currencies"]["EUR"]["difference"] == 0


def test_payments_from_a_wallet_and_by_card_succeed(told: dict[str, Any]) -> None:
    assert [told[key]["status"] for key in ("u-1", "p-1", "p-2")] == ["succeeded"] * 3
    (listed,) = told["/payments?order_reference=order-2"]["data"]
    assert listed["id"] == told["p-2"]["id"]


def test_the_refund_and_the_trail_of_the_payment_are_as_told(
    service: Service, caller: Caller, told: dict[str, Any]
) -> None:
    inline = [call for call in re.findall(r"`(api [^`]+)`", README) if "pay_…" in call]
    assert len(inline) == 2
    refund, trail = (call.replace("pay_…", told["p-2"]["id"]) for call in inline)
    refunded = tell(service, caller, refund)["r-1"]
    assert (refunded["status"], refunded["amount"]) == ("succeeded", 4_000)
    (facts,) = tell(service, caller, trail).values()
    topics = [fact["topic"] for fact in facts["data"]]
    assert topics[0] == "payments.created.v1"
    assert topics[-1] == "refunds.succeeded.v1"
    assert all(fact["who"] and fact["key"] and fact["when"] for fact in facts["data"])


def test_the_description_is_served_where_it_says(service: Service) -> None:
    (path,) = re.findall(r"served at `([^`]+)`", README)
    assert service.nobody.send("GET", path.removeprefix("/v1")).status == 200
