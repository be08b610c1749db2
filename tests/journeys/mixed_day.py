"""A mixed day: files are imported while wallets are filled, orders paid and given back, and the channel misbehaves.

early     a few cards fall silent for the whole day, and a few refunds: they are honestly `processing` until evening
the day   imports in processes of their own; top-ups, payments from wallets and by card, refunds, by many at once, over
          every server; the channel's faults come by chance and, so that none is left out, by number
evening   faults still on: both books are compared at one position of the log
night     faults off: everything becomes final; compared again, at random positions, and with a rebuild from the log
"""

import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from tests.cli.transfer_files import account, transfers, write_csv, write_json_lines
from tests.journeys import mixed_day_faults, moments, taken_home
from tests.journeys.both_books import FEE_BPS, FEE_FIXED, BothBooks, Json, differences, open_in
from tests.journeys.caller import Caller, Reply, at_once, fresh
from tests.journeys.service import Service

CURRENCIES = ("EUR", "USD", "JPY")
ACCOUNTS = 20
SILENT_CARDS, SILENT_REFUNDS = 3, 2
_EVERY_NTH_ROW_IS_BAD = 50
_VIEWS_PATIENCE_S = 600
_VERIFY_PATIENCE_S = 1_800
_BAD: list[tuple[dict[str, Any], str]] = [
    ({"amount": -1}, "amount_not_positive"),
    ({"currency": "EURO"}, "currency_unknown"),
    ({"credit_account": "nobody"}, "account_unknown"),
    ({"currency": "USD"}, "currency_mismatch"),
    ({"debit_account": "thrifty"}, "insufficient_funds"),
]

Told = Callable[[str, int, int], None]
"""Hears how far a part of the day is: its name, how much is done, of how much."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How big a day: rows of each imported file, payments (about two of three by card), and who is at work at once."""

    rows: int = 300
    formats: tuple[str, ...] = ("csv",)
    payments: int = 75
    top_ups: int = 12
    moments: int = 60
    at_once: int = 12
    patience_s: float = 25
    seed: int = 7


@dataclass
class Report:
    """What the day came to. `wrong` is empty if all is well; `seconds` by part of the day."""

    position: int = 0
    imports: dict[str, Json] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    evening: dict[str, dict[str, int]] = field(default_factory=dict)
    night: dict[str, dict[str, int]] = field(default_factory=dict)
    charges: int = 0
    channel_refunds: int = 0
    moments: int = 0
    currencies: dict[str, Json] = field(default_factory=dict)
    verified: Json = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def run(service: Service, sizes: Sizes, told: Told = lambda part, done, total: None) -> Report:
    """Live through one day in a book of its own; raises AssertionError for answers that nobody may get."""
    with tempfile.TemporaryDirectory(prefix="ledger-day-") as folder:
        return _Day(service, sizes, Path(folder), told).live()


class _Day:
    """One day: who is there, what was asked for, and what came of it."""

    def __init__(self, service: Service, sizes: Sizes, folder: Path, told: Told) -> None:
        self._service, self._sizes, self._folder, self._told = service, sizes, folder, told
        self._book = service.new_book()
        self._callers = [service.caller(self._book, server=number) for number in range(len(service.servers))]
        self._operator = httpx2.Client(base_url=service.simulator_url, trust_env=False, timeout=30)
        self._merchants = {currency: fresh("shop") for currency in CURRENCIES}
        self._customers = {currency: [fresh("payer") for _ in range(2)] for currency in CURRENCIES}
        self._mute, self._mute_refund = fresh("tok-mute"), fresh("tok-mute-refund")
        self._payments: list[str] = []
        self._top_ups: list[str] = []
        self._refunds: list[str] = []
        self._answers: Counter[str] = Counter()
        self.report = Report()

    def live(self) -> Report:
        with self._operator:
            try:
                with self._takes("opening"):
                    self._open()
                with self._takes("early"):
                    self._early()
                with self._takes("day"):
                    self._through_the_day()
                self._evening()
            finally:
                self._faults_are([])
            self._night()
        return self.report

    @property
    def _caller(self) -> Caller:
        return self._callers[0]

    @contextmanager
    def _takes(self, part: str) -> Iterator[None]:
        self._told(part, 0, 1)
        begun = time.monotonic()
        yield
        self.report.seconds[part] = round(time.monotonic() - begun, 1)
        self._told(part, 1, 1)

    # --- early

    def _open(self) -> None:
        for number in range(ACCOUNTS):
            body = {"id": account(number), "name": "A", "kind": "liability", "currency": "EUR"}
            self._caller.post("/accounts", body).done()
        thrifty = {"id": "thrifty", "name": "T", "kind": "liability", "currency": "EUR", "min_balance": 0}
        self._caller.post("/accounts", thrifty).done()
        fee = {"percent_bps": FEE_BPS, "fixed": FEE_FIXED}
        for currency in CURRENCIES:
            shop = {"id": self._merchants[currency], "name": "Shop", "fee": fee, "settlement_currency": currency}
            self._caller.post("/merchants", shop).done()
            for customer in self._customers[currency]:
                self._caller.post("/customers", {"id": customer, "name": "Payer"}).done()
                self._caller.post(f"/customers/{customer}/wallets", {"currency": currency}).done()

    def _early(self) -> None:
        """What will be processing all day, before chance can spoil it."""
        self._faults_are(mixed_day_faults.silence(self._mute, self._mute_refund))
        chance = random.Random(self._sizes.seed)
        orders = [self._by_card(chance, "EUR", self._mute) for _ in range(SILENT_CARDS)]
        orders += [self._by_card(chance, "EUR", self._mute_refund) for _ in range(SILENT_REFUNDS)]
        paid = at_once(*[partial(self._pay, self._caller, order) for order in orders])
        sold = [reply.done()["id"] for reply in paid[SILENT_CARDS:]]
        at_once(*[partial(self._give_back, self._caller, payment, 50) for payment in sold])
        self._faults_are(mixed_day_faults.plan(self._mute, self._mute_refund))

    def _faults_are(self, rules: list[Json]) -> None:
        plan = {"seed": self._sizes.seed, "rules": rules}
        assert self._operator.put("/faults", json=plan).status_code == 200

    # --- the day

    def _through_the_day(self) -> None:
        sizes = self._sizes
        with ThreadPoolExecutor(sizes.at_once + 1) as pool:
            imports = pool.submit(self._import_all)
            done, total = 0, sizes.top_ups + sizes.payments
            for work, count in ((self._top_up, sizes.top_ups), (self._buy, sizes.payments)):
                for _ in pool.map(work, range(count)):
                    done += 1
                    self._told("orders", done, total)
            imports.result()
        self.report.answers = dict(sorted(self._answers.items()))
        plan = self._operator.get("/faults").json()
        fired: Counter[str] = Counter()
        for counted in plan["rules"]:
            fired[f"{counted['rule']['match']['operation']} {counted['rule']['fault']}"] += counted["fired"]
        self.report.faults = dict(sorted(fired.items()))

    def _top_up(self, number: int) -> None:
        chance = random.Random(f"{self._sizes.seed}/top-up/{number}")
        currency = CURRENCIES[number % len(CURRENCIES)]
        customer = chance.choice(self._customers[currency])
        asked = {"amount": chance.randrange(20_000, 60_000), "method": {"type": "card", "token": "tok_approved"}}
        reply = chance.choice(self._callers).post(f"/wallets/{customer}/{currency}/top-ups", asked)
        self._counted("top-up", reply, 201, 202)
        self._top_ups.append(reply.body["id"])

    def _buy(self, number: int) -> None:
        """One order, and what its payer wants back of it."""
        chance = random.Random(f"{self._sizes.seed}/payment/{number}")
        currency = CURRENCIES[number % len(CURRENCIES)]
        caller = chance.choice(self._callers)
        order = self._by_card(chance, currency, "tok_approved")
        if number % 3 == 2:
            order |= {"product": "balance_pay", "method": {"type": "wallet"}}
        reply = self._pay(caller, order, twice=number % 8 == 0)
        if reply.status > 202 or number % 2:
            return
        payment = reply.body["id"]
        if number % 5 == 0:  # All of it, asked for twice at the same time.
            at_once(*[partial(self._give_back, caller, payment, None)] * 2)
        else:
            for _ in range(chance.randrange(1, 4)):
                self._give_back(chance.choice(self._callers), payment, chance.choice([None, order["amount"] // 3]))

    def _by_card(self, chance: random.Random, currency: str, token: str) -> Json:
        return {
            "merchant": self._merchants[currency],
            "customer": chance.choice(self._customers[currency]),
            "amount": chance.randrange(300, 20_000),
            "currency": currency,
            "product": "quick_pay",
            "method": {"type": "card", "token": token},
            "order_reference": fresh("order"),
        }

    def _pay(self, caller: Caller, order: Json, *, twice: bool = False) -> Reply:
        """Ask for it, or ask two servers with one key at the same moment."""
        key = fresh("key")
        by = [caller, self._callers[-1]] if twice else [caller]
        reply, *others = at_once(*[partial(one.insist, "/payments", order, key=key) for one in by])
        assert all((other.status, other.raw) == (reply.status, reply.raw) for other in others), (reply, others)
        if reply.status == 409:
            reply.refused(409, "insufficient_funds")
            assert order["product"] == "balance_pay"
        self._counted(order["product"], reply, 201, 202, 409)
        if reply.status != 409:
            self._payments.append(reply.body["id"])
        return reply

    def _give_back(self, caller: Caller, payment: str, amount: int | None) -> None:
        asked = {"reason": "Came broken"} | ({} if amount is None else {"amount": amount})
        reply = caller.post(f"/payments/{payment}/refunds", asked)
        self._counted("refund", reply, 201, 202, 409, 422)
        if reply.status == 409:
            reply.refused(409, "payment_state_invalid")
        elif reply.status == 422:
            reply.refused(422, "refund_exceeds_payment")
        else:
            self._refunds.append(reply.body["id"])

    def _counted(self, noun: str, reply: Reply, *expected: int) -> None:
        assert reply.status in expected, (noun, reply.status, reply.raw[:2_000])
        self._answers[f"{noun} {reply.status}"] += 1

    # --- files

    def _import_all(self) -> None:
        for number, format_ in enumerate(self._sizes.formats):
            rows = list(transfers(self._sizes.rows, ACCOUNTS, seed=number + 1))
            bad = {}
            for kind, place in enumerate(range(7, len(rows), _EVERY_NTH_ROW_IS_BAD)):
                spoilt, code = _BAD[kind % len(_BAD)]
                rows[place] |= spoilt
                bad[place + (2 if format_ == "csv" else 1)] = code
            file = self._folder / f"day.{format_}"
            (write_csv if format_ == "csv" else write_json_lines)(file, rows)
            first = self._imported(file, bad)
            self.report.imports[format_] = first
            self._expect_import(first, created=len(rows) - len(bad), replayed=0, rejected=len(bad))
            again = self._imported(file, bad)
            self.report.imports[f"{format_} again"] = again
            self._expect_import(again, created=0, replayed=len(rows) - len(bad), rejected=len(bad))

    def _imported(self, file: Path, bad: dict[int, str]) -> Json:
        self._told(f"import {file.name}", 0, 1)
        rejected = self._folder / "rejected.jsonl"
        words = ("import", str(file), "--book", self._book, "--rejected", str(rejected), "--json")
        summary: Json = json.loads(self._service.run_ledger(*words, patience_s=_VERIFY_PATIENCE_S))
        found = [json.loads(line) for line in rejected.read_text().splitlines()]
        if {one["line"]: one["code"] for one in found} != bad:
            self.report.wrong.append(f"{file.name}: other rows were rejected than the bad ones: {found[:20]}")
        self._told(f"import {file.name}", 1, 1)
        return {name: summary[name] for name in ("rows", "created", "replayed", "rejected", "seconds", "rows_per_s")}

    def _expect_import(self, summary: Json, **counts: int) -> None:
        if {name: summary[name] for name in counts} != counts:
            self.report.wrong.append(f"an import came to {summary}, not to {counts}")

    # --- evening and night

    def _evening(self) -> None:
        with self._takes("evening"):
            silent = SILENT_CARDS + SILENT_REFUNDS
            books = self._settled(at_most=silent)
            self.report.evening = books.counts()
            self._compare(books, "evening")
            if len(books.open) < silent:
                self.report.wrong.append(f"only {len(books.open)} are processing, and {silent} fell silent")

    def _night(self) -> None:
        with self._takes("night"):
            books = self._settled(at_most=0)
            self.report.night = books.counts()
            self.report.charges, self.report.channel_refunds = len(books.charges), len(books.refunds)
            if books.open:
                self.report.wrong.append(f"with the channel well again, these are still processing: {books.open}")
            self._compare(books, "night")
            listed = {each["id"]: each["status"] for each in self._listed()}
            if listed != {each["id"]: each["status"] for each in books.payments}:
                self.report.wrong.append("the list of payments is not the payments one by one")
        with self._takes("moments"):
            self._look_at_moments()
        with self._takes("verify"):
            words = ("verify", "--book", self._book, "--json")
            (verified,) = json.loads(self._service.run_ledger(*words, patience_s=_VERIFY_PATIENCE_S))["verified"]
            self.report.verified = {
                "is_right": verified["is_right"],
                "events": verified["events"],
                "accounts": verified["balances"]["accounts"],
                "views": len(verified["views"]),
            }
        with self._takes("replay"):
            # It ends with another status unless every table is equal.
            self._service.run_ledger("replay", "--book", self._book, patience_s=_VERIFY_PATIENCE_S)
        with self._takes("taken home"):
            self.report.wrong += taken_home.differences(self._service, self._book)

    def _settled(self, at_most: int) -> BothBooks:
        """Both books once no more than this are processing, or when patience ends; every reading asks the channel."""
        deadline = time.monotonic() + self._sizes.patience_s
        total = len(self._payments) + len(self._top_ups) + len(self._refunds)
        paths = [f"/payments/{name}" for name in self._payments] + [f"/top-ups/{name}" for name in self._top_ups]
        while True:
            with ThreadPoolExecutor(self._sizes.at_once) as pool:
                still_open = dict(zip(paths, map(open_in, pool.map(self._read, paths)), strict=True))
            count = sum(map(len, still_open.values()))
            self._told("settled", total - count, total)
            if count <= at_most or time.monotonic() > deadline:
                return self._both_books()
            paths = [path for path, names in still_open.items() if names]
            time.sleep(0.6)

    def _both_books(self) -> BothBooks:
        position = self._service.head(self._book)
        with ThreadPoolExecutor(self._sizes.at_once) as pool:
            payments = list(pool.map(lambda name: self._read(f"/payments/{name}", as_of=position), self._payments))
            top_ups = [self._as_of(top_up, position) for top_up in pool.map(self._read_top_up, self._top_ups)]
        self._wait_for_views(position)
        trial = self._read("/trial-balance", known_at=position)
        balances = {row["account"]: row["balance"] for row in trial["accounts"]}
        # Theirs last: what they did until our position is in them. Others may be customers of the same channel.
        theirs = self._operator.get("/books").json()
        ours = {*self._merchants.values()}
        top_up_ids = {*self._top_ups}
        charges = [c for c in theirs["charges"] if c["merchant"] in ours or c["order_reference"] in top_up_ids]
        charged = {charge["id"] for charge in charges}
        refunds = [refund for refund in theirs["refunds"] if refund["charge_id"] in charged]
        return BothBooks(position, payments, top_ups, balances, charges, refunds)

    def _read(self, path: str, **params: int) -> Json:
        found: Json = self._caller.get(path, **params).done(200)
        return found

    def _read_top_up(self, name: str) -> Json:
        return self._read(f"/top-ups/{name}")

    @staticmethod
    def _as_of(top_up: Json, position: int) -> Json:
        return top_up if top_up["position"] <= position else top_up | {"status": "processing"}

    def _wait_for_views(self, position: int) -> None:
        def caught_up() -> bool:
            return self._caller.send("GET", "/trial-balance", params={"known_at": position}).status == 200

        self._service.wait_until(caught_up, patience_s=_VIEWS_PATIENCE_S)

    def _compare(self, books: BothBooks, when: str) -> None:
        self.report.wrong += [f"{when}, position {books.position}: {each}" for each in differences(books)]

    def _listed(self) -> Iterator[Json]:
        cursor: dict[str, str | int] = {}
        while True:
            page = self._caller.get("/payments", limit=500, **cursor).done(200)
            yield from page["data"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def _look_at_moments(self) -> None:
        """The trial balance now, and as it was known at positions of all the day."""
        head = self.report.position = self._service.settled_head(self._book)
        self._wait_for_views(head)
        now = self._read("/trial-balance")
        self.report.currencies = now["currencies"]
        chance = random.Random(self._sizes.seed)
        positions = [chance.randint(1, head) for _ in range(self._sizes.moments)]
        trials = [self._read("/trial-balance", known_at=position) for position in [*positions, head]]
        self.report.moments = len(positions)
        if [trial["position"] for trial in trials] != [*positions, head] or now["position"] != head:
            self.report.wrong.append("a trial balance is of another position than the one that was asked for")
        told = partial(self._told, "moments")
        self.report.wrong += moments.differences(self._service.database, self._book, [*trials, now], told)
