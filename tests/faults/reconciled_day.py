"""A reconciled day: it is sold over every channel with the faults on, and then every cent is found at the bank.

the load       as over two channels, and by wallets that are scanned; disputes, refunds that come back, payouts
the reports    every channel's file or bill of the day is fetched over HTTP, imported and run
the bank       its statement says what the channels pay by their reports, and what was paid out; imported and run
the verdict    no break, nothing waiting; 1110, 1120 and 2220 are 0; the bank's account is as its statement closes
again          every run comes to the same hash and finds nothing new
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx2
import psycopg

from ledger.events.refunds import RefundFailed, RefundPaidByBank, RefundReturned
from projections.receivable_items import ReceivableControl, control
from tests.faults import two_channels
from tests.faults.reconciled_day_files import ChannelFile, Line, mt940, paid_by, read_files, table_of
from tests.faults.reconciled_day_orders import COMES_BACK, WALLETS, DayShopper
from tests.faults.two_channels import CURRENCIES, Campaign, Sizes, Told
from tests.faults.two_channels_orders import patiently
from tests.faults.two_channels_plan import CARDS, OTHERS
from tests.faults.verdict import log_of
from tests.journeys.caller import Reply, fresh
from tests.journeys.parties import BANK
from tests.journeys.service import Service
from tests.journeys.test_report_file_scenarios import sent

ACCOUNT = "main"
FLOAT = ("card_simulator_b", 500_000)
_INSTANT = "instant_payouts"
_PAYERS = ("card_simulator", _INSTANT)
_MOST_RULES = 100  # that the simulator takes
_PAYOUT_FAULTS = ("timeout_before", "timeout_after", "error_500_before", "error_500_after", "malformed_body")
_PAYOUT_RULES = [
    {
        "name": speed,
        "when": f"product == 'payout' && metadata.speed == '{speed}'",
        "then": {"type": "priority", "channels": [channel]},
    }
    for speed, channel in (("instant", _INSTANT), ("float", FLOAT[0]))
]


@dataclass
class Report(two_channels.Report):
    """What came of it; `wrong` is empty if all is well."""

    payouts: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    """Rows, by channel and day."""
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    bank: dict[str, int] = field(default_factory=dict)
    """What the statement closes with, by currency."""


def run(service: Service, sizes: Sizes, told: Told = lambda part, done, total: None) -> Report:
    """All of it in a book of its own, on a service whose channels nobody else uses."""
    return Day(service, sizes, told).reconciled()


class Day(Campaign):
    """A day of sales, and its reconciliation."""

    channels = (*CARDS, *OTHERS, *WALLETS.values(), _INSTANT)
    rules = two_channels.RULES | {"rules": [*two_channels.RULES["rules"], *_PAYOUT_RULES]}
    terms = {"settlement": {"days": 0, "payout_fee": 50}}
    report: Report

    def __init__(self, service: Service, sizes: Sizes, told: Told) -> None:
        super().__init__(service, sizes, told)
        self._since = datetime.now(UTC)
        shops = {currency: fresh("shop") for currency in (*CURRENCIES, "CNY")}
        self._shopper = DayShopper(self._operator, self._callers, shops)
        self.report = Report()
        self._runs: list[tuple[str, str, str, str]] = []
        # How fast it is to be, and its id.
        self._payouts: list[list[str]] = []

    def reconciled(self) -> Report:
        """Live through the day, and reconcile it."""
        self.run()
        if not self.report.wrong:
            files = read_files(self._service.simulator_url, self._since)
            self._timed("reports", partial(self.take_in, files))
            self._timed("bank", partial(self.take_in_bank, self.lines_of(files)))
            self._timed("come back", self.come_back)
            self.judge_books_at_the_end(files)
            self._timed("again", self.run_again)
        return self.report

    # --- the day

    def _open(self) -> None:
        super()._open()
        feed = {"channel": FLOAT[0], "amount": FLOAT[1], "currency": "EUR", "reference": "FLOAT-2026-1"}
        self._caller.post("/treasury/floats", feed).done()

    def _plan(self, of: Any) -> None:
        def more(channel: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = of(channel)
            if not found:
                return []
            # Of what came back nobody asks: only a message tells of it, or this day's file.
            told = {"match": {"operation": "refund", "token": COMES_BACK}, "fault": "duplicate_callback"}
            payouts = [
                {"match": {"operation": "payout"}, "fault": fault, "probability_permille": 60}
                for fault in _PAYOUT_FAULTS
            ]
            return [told, *found, *payouts][:_MOST_RULES]

        super()._plan(more)

    def _load(self) -> None:
        super()._load()
        self._pay_out()
        self._resolve_returned_refunds()

    def _pay_out(self) -> None:
        """What was sold in euros is paid out, in many sums; some come back."""
        shop = self._shopper.shops["EUR"]
        patiently(partial(self._caller.post, f"/merchants/{shop}/releases", {}, key=fresh("key"))).done(200)
        count = max(8, self._sizes.payments // 20)

        def one(number: int) -> str:
            chance = random.Random(f"{self._sizes.seed}/payout/{number}")
            speed = ("usual", "usual", "instant", "float")[number % 4]
            body = {"merchant": shop, "amount": chance.randrange(100, 1_500), "currency": "EUR", "destination": BANK}
            body["metadata"] = {"speed": speed}
            reply = patiently(partial(self._caller.post, "/payouts", body, key=fresh("key")))
            assert reply.status == 202 or reply.body["code"] == "insufficient_funds", reply.raw[:500]
            return f"{speed} {reply.body['id']}" if reply.status == 202 else ""

        with ThreadPoolExecutor(self._sizes.at_once) as pool:
            asked = [name.split() for name in pool.map(one, range(count)) if name]
        self.report.payouts = dict(Counter(speed for speed, _ in asked))
        self._payouts = asked

    def _payout(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = patiently(partial(self._caller.get, f"/payouts/{name}")).done(200)
        return found

    def _resolve_returned_refunds(self) -> None:
        """Every other one is given to the merchant; the rest the bank will pay."""
        for number, name in enumerate(self._returned_refunds()):
            if number % 2:
                ask = partial(self._caller.post, f"/refunds/{name}/resolve", {"by": "return_to_merchant"})
                patiently(partial(ask, key=fresh("key"))).done(200)

    def _returned_refunds(self) -> dict[str, tuple[int, str]]:
        """Those that came back and are still owed to the payer: amount and currency."""
        found: dict[str, tuple[int, str]] = {}
        for fact in log_of(self._service.database, self._book):
            match fact.event:
                case RefundReturned() as event:
                    found[event.id] = event.amount, event.currency
                case RefundFailed(id=name) | RefundPaidByBank(id=name):
                    found.pop(name, None)
        return found

    def _look(self, name: str) -> None:
        kind = {"pay": "payments", "pout": "payouts", "po": "payouts"}.get(name.partition("_")[0], "payments")
        patiently(partial(self._caller.get, f"/{kind}/{name}"))

    # --- the reports

    def take_in(self, files: Iterable[ChannelFile]) -> None:
        """Import every file, and run its channel for its day."""
        taken_in = list(files)
        for file in taken_in:
            taken = self._import(file.content, file.source, file.channel)
            self.report.files[f"{file.channel} {file.day}"] = taken["rows"]
            self._to_run(file.channel, file.source, file.channel, file.day.isoformat())
        for file in taken_in:
            self._run(file.channel, file.source, file.channel, file.day.isoformat())

    def _to_run(self, name: str, source: str, account: str, day: str) -> None:
        """A run that has not been, or that has more to tell of its day."""
        if (name, source, account, day) not in self._runs:
            self._runs.append((name, source, account, day))
        self.report.runs.pop(f"{name} {day}", None)

    def _import(self, content: bytes, source: str, account: str) -> dict[str, Any]:
        reply = patiently(partial(sent, self._caller, content, source=source, account=account, key=fresh("key")))
        taken: dict[str, Any] = reply.done() if reply.status == 201 else self._awaited(reply, "files", "file_id")
        if (taken["status"], taken["rejected"]) != ("imported", 0):
            self.report.wrong.append(f"the file of {account} is {taken}")
        return taken

    def _run(self, name: str, source: str, account: str, day: str) -> dict[str, Any]:
        asked = {"source": source, "account": account, "date": day}
        reply = patiently(partial(self._caller.post, "/reconciliation/runs", asked, key=fresh("key")))
        assert reply.status in (200, 201, 202), reply.raw[:1_000]
        done = self._awaited(reply, "runs", "id")
        told = {
            k: done[k] for k in ("settled", "breaks", "waiting", "refused", "duplicates", "output_hash", "found_by")
        }
        key = f"{name} {day}"
        before = self.report.runs.get(key)
        self.report.runs.setdefault(key, told)
        self._judge_run(key, done)
        if before is not None and (told["output_hash"], told["settled"]) != (before["output_hash"], 0):
            self.report.wrong.append(f"the second run of {key} comes to {told}, the first to {before}")
        return done

    def _judge_run(self, key: str, done: dict[str, Any]) -> None:
        ill = {k: done[k] for k in ("breaks", "waiting", "refused") if done[k]}
        if ill:
            self.report.wrong.append(f"the run of {key} comes to {ill}, {done['breaks_by_type']}")

    def _awaited(self, reply: Reply, noun: str, name: str) -> dict[str, Any]:
        path = f"/reconciliation/{noun}/{reply.body[name]}"

        def ended() -> bool:
            shown = patiently(partial(self._caller.get, path))
            return shown.status == 200 and shown.body["status"] not in ("running", "reading", "received")

        self._service.wait_until(ended, patience_s=600)
        found: dict[str, Any] = self._caller.get(path).done(200)
        self._caller.position = max(self._caller.position, found.get("position") or 0)
        return found

    # --- the bank

    def lines_of(self, files: Iterable[ChannelFile]) -> list[Line]:
        """What the bank shows of this day: what the channels pay, and what was paid out and came back."""
        lines: list[Line] = []
        for file in files:
            for (batch, currency), amount in sorted(paid_by(file).items()):
                if amount:
                    lines.append(Line(amount, currency, f"{file.channel} {batch}"))
            if file.channel == FLOAT[0] or file.source != "channel_csv":
                continue
            lines += [
                Line(int(row["gross"]), row["currency"], "PAYOUT", row["id"])
                for row in table_of(file)
                if row["type"] in ("payout", "payout_returned")
            ]
        returned = self._returned_refunds().items()
        lines += [Line(-amount, currency, "REFUND", name) for name, (amount, currency) in returned]
        return [*lines, Line(-FLOAT[1], "EUR", "FLOAT", "FLOAT-2026-1")]

    def take_in_bank(self, lines: list[Line]) -> None:
        """Import the statement, and run it."""
        today = datetime.now(UTC).date()
        opening = dict(self.report.bank)
        for line in lines:
            self.report.bank[line.currency] = self.report.bank.get(line.currency, 0) + line.amount
        number = 2 if opening else 1
        self._import(mt940("DE02120300000000202051", lines, today, number, opening), "mt940", ACCOUNT)
        self._to_run("bank", "mt940", ACCOUNT, today.isoformat())
        self._run("bank", "mt940", ACCOUNT, today.isoformat())

    def come_back(self) -> None:
        """Payouts that have left the bank come back to it: by the channel's word, its file, and another statement."""
        back = [
            name for speed, name in self._payouts[::3] if speed != "float" and self._payout(name)["status"] == "paid"
        ]
        with httpx2.Client(base_url=self._service.simulator_url, trust_env=False, timeout=60) as operator:
            for name in back:
                done = operator.post(f"/control/payouts/{name}/return", json={})
                assert done.status_code == 200, done.text
        for name in back:
            self._service.wait_until(partial(self._is_returned, name), patience_s=60)
        again = [one for one in read_files(self._service.simulator_url, self._since) if one.channel in _PAYERS]
        rows = {
            row["id"]: Line(int(row["gross"]), row["currency"], "RETURN OF PAYOUT", row["id"])
            for file in again
            for row in table_of(file)
            if row["type"] == "payout_returned"
        }
        if sorted(rows) != sorted(back):
            self.report.wrong.append(f"{back} came back, and {sorted(rows)} are reported")
        if back:
            self.take_in(again)
            self.take_in_bank(list(rows.values()))

    def _is_returned(self, name: str) -> bool:
        return bool(self._payout(name)["status"] == "returned")

    def run_again(self) -> None:
        for one in self._runs:
            self._run(*one)

    # --- the verdict

    def judge_books_at_the_end(self, files: Iterable[ChannelFile]) -> None:
        """Every account that has to be empty is, and the bank's is what its statement says."""
        trial = self._caller.get("/trial-balance").done(200)
        wrong = self.report.wrong
        for one in trial["accounts"]:
            name, balance = one["account"], one["debits"] - one["credits"]
            if name.startswith(("sys:1110:", "sys:1120:", "sys:2220:", "sys:2210:", "sys:2910:")) and balance:
                wrong.append(f"{name} is {balance}")
        for currency, closing in self.report.bank.items():
            held = self._balance(trial, f"sys:1020:{ACCOUNT}:{currency.lower()}")
            if held != closing:
                wrong.append(f"the bank's statement closes with {closing} {currency}, and our books say {held}")
        wrong += [f"{c}: {found}" for c, found in trial["currencies"].items() if found["difference"]]
        told = asyncio.run(self._control())
        wrong += [
            f"the items of {line} do not come to the account" for line in told.lines if not line.holds or line.items
        ]
        wrong += self._verify()

    @staticmethod
    def _balance(trial: dict[str, Any], account: str) -> int:
        return sum(one["debits"] - one["credits"] for one in trial["accounts"] if one["account"] == account)

    async def _control(self) -> ReceivableControl:
        async with await psycopg.AsyncConnection.connect(
            self._service.database.conninfo, autocommit=True
        ) as connection:
            return await control(connection, self._book)
