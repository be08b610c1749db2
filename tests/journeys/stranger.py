"""Stranger: schemathesis with the committed description of the interface, let loose on a service."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.forked import ROOT
from tests.journeys.caller import Caller
from tests.journeys.service import Service

DESCRIPTION = ROOT / "docs" / "openapi.json"
SETTINGS = Path(__file__).with_name("stranger.toml")
_MOST_TOLD = 20_000


@dataclass(frozen=True)
class Met:
    """How it went: the exit code, how many cases were tried, and what the stranger told."""

    code: int
    cases: int
    told: str


def meet(
    service: Service, *, examples: int, seed: int | None = None, patience_s: int = 600, phases: str | None = None
) -> Met:
    """A stranger tries each operation with so many random requests, and with those that there is a reason for.

    `phases`: only these of examples, coverage, fuzzing, stateful; None: all of them.
    """
    caller = service.caller(service.new_book())
    furnish(caller)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(SETTINGS), "run", str(DESCRIPTION)]
    command += ["--url", service.url, "--max-examples", str(examples), "--workers", "1"]
    command += [] if seed is None else ["--seed", str(seed)]
    command += [] if phases is None else ["--phases", phases]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "STRANGERS_KEY": caller.key},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=patience_s,
    )
    counted = re.search(r"(\d+) generated", done.stdout)
    return Met(done.returncode, int(counted[1]) if counted else 0, done.stdout[-_MOST_TOLD:])


def furnish(caller: Caller) -> None:
    """Everything that the examples of the description name is there."""
    kinds = {"cash": "asset", "customer:17": "liability", "sales": "revenue", "vat": "liability"}
    for name, kind in kinds.items():
        caller.post("/accounts", {"id": name, "name": name, "kind": kind, "currency": "EUR"}).done()
    for name in ("customer:17", "sales", "vat"):
        caller.move("cash", name, 1_000_000).done()  # So that none of them can be closed.
    terms = {"fee": {"percent_bps": 150, "fixed": 25}, "settlement_currency": "EUR"}
    caller.post("/merchants", {"id": "shop", "name": "The shop", **terms}).done()
    at_once = {"days": 0, "payout_fee": 0, "approve_above": 50_000}
    caller.post("/merchants", {"id": "kiosk", "name": "The kiosk", **terms, "settlement": at_once}).done()
    caller.post("/merchants", {"id": "yuan", "name": "Yuan", **terms, "settlement_currency": "CNY"}).done()
    for name in ("ann", "bob"):
        caller.post("/customers", {"id": name, "name": name.title()}).done()
        caller.post(f"/customers/{name}/wallets", {"currency": "EUR"}).done()
        caller.post(f"/wallets/{name}/EUR/top-ups", {"amount": 5_000_000, "method": {"type": "card"}}).done()
    for unit in ("USD", "BTC", "USDC"):
        caller.post("/fx/rates", {"from": unit, "to": "EUR", "rate": "1.25", "source": "stranger"}).done()
    caller.post("/principals", {"id": "payroll", "name": "Payroll services"}).done()
    card = {"amount": 900_000, "currency": "EUR", "product": "quick_pay", "method": {"type": "card"}}
    for merchant in ("shop", "kiosk"):
        caller.post("/payments", {**card, "merchant": merchant, "order_reference": f"stock-{merchant}"}).done()
    caller.post("/merchants/kiosk/releases", {}).done(200)
    line = {"currency": "EUR", "limit": 5_000_000, "interest_bps_per_month": 150}
    caller.post("/customers/ann/credit-lines", line).done()
