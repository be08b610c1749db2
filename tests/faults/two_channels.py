"""Payments over two card channels, a bank and a carrier, while everything goes wrong that the simulator can do wrong.

the load    payments by many at once over every server: taken at once, held and taken in parts, let go, revoked, given
            back; by payers who approve, refuse, mistype, and go away; declined ones that succeed later after all
settling    with the faults still on, until patience ends; then with the channels well, until nothing is under way
the verdict the books of all channels and our log, payment by payment; settlement files and receivables; verify
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx2

from ledger.chart import channel_receivable
from ledger.events.event import Recorded
from ledger.events.payments import PaymentAttemptInitiated, PaymentReceiptUnapplied, PaymentRouted
from ledger.ids import stream_of
from ledger.payment import PROCESSING, REQUIRES_ACTION
from ledger.payment_state import fold
from ledger.store.connection import in_book
from tests.faults.channel_books import ChannelBooks, differences, paid_twice, read_channels
from tests.faults.two_channels_orders import Shopper, patiently
from tests.faults.two_channels_plan import CARDS, OTHERS, plan_of
from tests.faults.verdict import judge_books, log_of, undecided
from tests.journeys.caller import Caller, fresh
from tests.journeys.service import Service

CURRENCIES = ("EUR", "USD", "JPY")
# A part of the faults looks like trouble of the channel, and no circuit shall end the day.
RULES: dict[str, Any] = {
    "rules": [
        {
            "name": "large ones",
            "when": "method == 'card' && amount > 15000",
            "then": {"type": "priority", "channels": list(reversed(CARDS))},
        }
    ],
    "default": {
        "type": "split",
        "shares": [{"channel": CARDS[0], "percent": 60}, {"channel": CARDS[1], "percent": 40}],
    },
    "max_attempts": 2,
    "circuit": {"failures": 100, "of": 100, "slow_s": 3_600, "open_s": 1, "probes": 1, "probe_percent": 100},
}
_OPEN_CALLS = "SELECT id, subject FROM {schema}.channel_calls WHERE state <> 'done'"

Told = Callable[[str, int, int], None]
"""Hears how far a part is: its name, how much is done, of how much."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many payments, by how many at once, and how long each part of the settling may last."""

    payments: int = 60
    at_once: int = 16
    patience_s: float = 10
    night_s: float = 60
    seed: int = 1


@dataclass
class Report:
    """What came of it; `wrong` is empty if all is well."""

    payments: dict[str, int] = field(default_factory=dict)
    ways: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    failed_over: int = 0
    unapplied: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    open_in_the_evening: int = 0
    receivables: dict[str, int] = field(default_factory=dict)
    events: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def run(service: Service, sizes: Sizes, told: Told = lambda part, done, total: None) -> Report:
    """All of it in a book of its own, on a service whose channels nobody else uses."""
    return Campaign(service, sizes, told).run()


class Campaign:
    """The parts of it, one after another; others live through other days by them."""

    channels: tuple[str, ...] = (*CARDS, *OTHERS)
    rules = RULES
    terms: dict[str, Any] = {}

    def __init__(self, service: Service, sizes: Sizes, told: Told) -> None:
        self._service, self._sizes, self._told = service, sizes, told
        self._book = service.new_book()
        self._left: list[str] = []
        self._callers = [service.caller(self._book, server=number) for number in range(len(service.servers))]
        self._operator = httpx2.Client(base_url=service.simulator_url, trust_env=False, timeout=60)
        self._begun = datetime.now(UTC).date()
        self._shopper = Shopper(self._operator, self._callers, {currency: fresh("shop") for currency in CURRENCIES})
        self.report = Report()

    def run(self) -> Report:
        with self._operator:
            self._open()
            try:
                self._plan(plan_of)
                self._timed("load", self._load)
                self._timed("evening", partial(self._settle, self._sizes.patience_s))
                self._evening()
            finally:
                self._faults_fired()
                self._plan(lambda channel: [])
            self._timed("night", partial(self._settle, self._sizes.night_s))
            self._timed("verdict", self._judge)
        return self.report

    @property
    def _caller(self) -> Caller:
        return self._callers[0]

    def _timed(self, part: str, work: Callable[[], None]) -> None:
        begun = time.monotonic()
        work()
        self.report.seconds[part] = round(time.monotonic() - begun, 1)

    # --- the load

    def _open(self) -> None:
        for currency, shop in self._shopper.shops.items():
            fee = {"percent_bps": 200, "fixed": 10}
            body = {"id": shop, "name": "Shop", "fee": fee, "settlement_currency": currency, **self.terms}
            self._caller.post("/merchants", body).done()
        key = {"idempotency-key": fresh("rules")}
        self._caller.send("PUT", "/routing/rules", json=self.rules, headers=key).done(200)

    def _plan(self, of: Callable[[str], list[dict[str, Any]]]) -> None:
        for channel in self.channels:
            plan = {"seed": self._sizes.seed, "rules": of(channel)}
            answer = self._operator.put(f"/{channel}/faults", json=plan)
            assert answer.status_code == 200, answer.text

    def _faults_fired(self) -> None:
        fired: Counter[str] = Counter()
        for channel in self.channels:
            for counted in self._operator.get(f"/{channel}/faults").json()["rules"]:
                fired[counted["rule"]["fault"]] += counted["fired"]
        self.report.faults = dict(sorted(fired.items()))

    def _load(self) -> None:
        def one(number: int) -> str:
            chance = random.Random(f"{self._sizes.seed}/{number}")
            return self._shopper.shop(number, chance, CURRENCIES[number % len(CURRENCIES)])

        ways: Counter[str] = Counter()
        with ThreadPoolExecutor(self._sizes.at_once) as pool:
            for done, way in enumerate(pool.map(one, range(self._sizes.payments)), 1):
                ways[way] += 1
                self._told("payments", done, self._sizes.payments)
        self.report.ways = dict(sorted(ways.items()))

    # --- until nothing is under way

    def _settle(self, patience_s: float) -> None:
        """Until nothing is under way but what waits for a payer, or until patience ends; who reads has it asked for."""
        deadline = time.monotonic() + patience_s
        while True:
            self._left, owed = self._under_way(), self._owed()
            self._told("settled", self._sizes.payments - len(self._left), self._sizes.payments)
            if not (self._left or owed) or time.monotonic() > deadline:
                return
            with ThreadPoolExecutor(self._sizes.at_once) as pool:
                list(pool.map(self._look, self._left))
            time.sleep(0.8)

    def _look(self, name: str) -> None:
        patiently(partial(self._caller.get, f"/payments/{name}")).done(200)

    def _under_way(self) -> list[str]:
        """Payments with anything that a channel has still to tell us; not those whose payer is honestly waited for."""
        with self._service.database.connect() as connection:
            calls = connection.execute(in_book(_OPEN_CALLS, self._book)).fetchall()
        log = log_of(self._service.database, self._book)
        waiting = {name for name, status in _statuses(log).items() if status == REQUIRES_ACTION}
        asked = {
            charge["id"]
            for channel in self.channels
            for charge in self._operator.get(f"/{channel}/books").json()["charges"]
            if charge["status"] == "action_required" and stream_of(charge["id"]) in waiting
        }
        return sorted({*undecided(log), *(subject for call, subject in calls if call not in asked)})

    def _owed(self) -> int:
        """Messages that the channels have still to deliver."""
        return sum(self._operator.get(f"/{channel}/callbacks").json()["owed"] for channel in self.channels)

    # --- the verdict

    def _evening(self) -> None:
        """Faults on, and much is not known: nobody has paid twice all the same, as far as anybody has told us."""
        self.report.open_in_the_evening = len(self._left)
        channels = read_channels(self._service.simulator_url, self._begun)
        log = log_of(self._service.database, self._book)
        known = {fact.stream for fact in log} - {*self._left}
        twice = [each for each in paid_twice(log, channels) if each.split()[0] in known]
        self.report.wrong += [f"evening: {each}" for each in twice]

    def _judge(self) -> None:
        report = self.report
        report.wrong += [f"{name} is still under way with the channels well again" for name in self._left]
        log = judge_books(self._service.database, self._book)
        channels = read_channels(self._service.simulator_url, self._begun)
        report.wrong += [*differences(log, channels), *paid_twice(log, channels)]
        report.receivables = _receivables(channels)
        trial = self._caller.get("/trial-balance").done(200)
        balances = {row["account"]: row["balance"] for row in trial["accounts"]}
        for account, sum_of_files in report.receivables.items():
            if balances.get(account, 0) != sum_of_files:
                report.wrong.append(f"{account} is {balances.get(account, 0)}, the files come to {sum_of_files}")
        report.wrong += [f"{c}: {found}" for c, found in trial["currencies"].items() if found["difference"]]
        self._count(log)
        report.wrong += self._verify()

    def _verify(self) -> list[str]:
        """What `ledger verify` finds."""
        words = ("verify", "--book", self._book, "--json")
        try:
            self._service.run_ledger(*words, patience_s=1_800)
        except AssertionError:
            return [f"verify: {self._service.run_ledger(*words, patience_s=1_800, status=1)[-3_000:]}"]
        return []

    def _count(self, log: list[Recorded]) -> None:
        report = self.report
        statuses = _statuses(log)
        report.events = len(log)
        report.payments = dict(sorted(Counter(statuses.values()).items()))
        if len(statuses) != self._sizes.payments:
            report.wrong.append(f"{self._sizes.payments} were asked for and {len(statuses)} made")
        if statuses and PROCESSING in statuses.values():
            report.wrong.append("some are processing")
        late = [fact.event for fact in log if isinstance(fact.event, PaymentReceiptUnapplied)]
        report.unapplied = dict(sorted(Counter(event.because for event in late).items()))
        attempts = [fact.event for fact in log if isinstance(fact.event, PaymentAttemptInitiated)]
        report.attempts = dict(sorted(Counter(event.channel for event in attempts).items()))
        routed = Counter(fact.stream for fact in log if isinstance(fact.event, PaymentRouted))
        report.failed_over = sum(times > 1 for times in routed.values())


def _statuses(log: list[Recorded]) -> dict[str, str]:
    """Of every payment."""
    streams: dict[str, list[Recorded]] = {}
    for fact in log:
        if fact.stream.startswith("pay_"):
            streams.setdefault(fact.stream, []).append(fact)
    folded = {name: fold(history) for name, history in streams.items()}
    return {name: payment.status for name, payment in folded.items() if payment is not None}


def _receivables(channels: list[ChannelBooks]) -> dict[str, int]:
    """By our account for what each channel owes us: what its settlement files come to."""
    sums: Counter[str] = Counter()
    for channel in channels:
        for row in channel.rows:
            if not row["type"].startswith("payout"):
                sums[channel_receivable(channel.name, row["currency"])] += int(row["net"])
    return dict(sorted(sums.items()))
