"""Payments: the whole flow over HTTP, from an order to its outcome: validation, routing, risk, the log, the channel.

Every order tells of its payer what a shop tells: customer, address and device, so that risk control looks up what it
knows of them. What is paid is checked against the merchant's balance, the trial balance and the channel's own books.
"""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.bench import LAG, MOST_LAG_S, Bench
from benchmarks.figures import Figure, Round
from benchmarks.load import Target
from benchmarks.mix import CURRENCY
from benchmarks.payers import Errand, Outcome, Payers
from benchmarks.processes import Child, child
from benchmarks.service import House, processor_s, whole_house
from benchmarks.views import caught_up_at, head_of
from commands.channels.channel import Charged
from commands.channels.dispatcher import Dispatcher
from commands.channels.registry import Registry, settings_of
from commands.channels.requests import Charge
from commands.policies.channels import CHANNELS

CALLERS = 64
AMOUNT = 1_000
_FEE_BPS = 200
_CHANNEL = CHANNELS[0]
_MERCHANT = {
    "id": "shop",
    "name": "Shop",
    "fee": {"percent_bps": _FEE_BPS, "fixed": 0},
    "settlement_currency": CURRENCY,
}
_PATIENCE_S = 60
_LOOK_S = 0.05


def from_wallets(bench: Bench) -> list[Figure]:
    what = f"payments from wallets, {CALLERS} connections"
    figure = Figure("payments-balance", what, "R", 0.1, limits={LAG: MOST_LAG_S})
    with _shop(bench, wallets=True) as shop:
        shop.pay(bench.scale.paid_from_wallets // 4, "balance_pay")
        for _ in bench.rounds(figure.name):
            figure.rounds.append(_round(bench, shop, bench.scale.paid_from_wallets, "balance_pay"))
    return [figure]


def by_card(bench: Bench) -> list[Figure]:
    """Over the channel simulator, which shares the machine; what it takes by itself is seen beside the figure."""
    what = f"payments by card, {CALLERS} connections"
    figure = Figure("payments-card", what, "R", 0.05, limits={LAG: MOST_LAG_S})
    with _shop(bench, wallets=False) as shop:
        shop.pay(bench.scale.paid_by_card // 4, "quick_pay")
        for _ in bench.rounds(figure.name):
            one = _round(bench, shop, bench.scale.paid_by_card, "quick_pay")
            alone = asyncio.run(_charges_per_s(bench, shop.house, bench.scale.paid_by_card // 4))
            one.seen["simulator alone per s"] = alone
            figure.rounds.append(one)
        shop.check_channel()
    return [figure]


def _round(bench: Bench, shop: "_Shop", payments: int, product: str) -> Round:
    shop.prepare(payments, product)
    reference = bench.measure_reference()
    before = {name: processor_s(pid) for name, pid in shop.house.pids.items()}
    outcome, lag_s = shop.send()
    callbacks_s = shop.wait_for_callbacks() - outcome.ended_at
    seen = {"p50 ms": outcome.p50_ms, "p99 ms": outcome.p99_ms, "busy": outcome.busy, LAG: lag_s}
    if product == "quick_pay":
        seen |= {"callbacks s": callbacks_s, "looks": outcome.looks / payments}
    for name, pid in shop.house.pids.items():
        seen[f"{name} ms"] = 1_000 * (processor_s(pid) - before[name]) / payments
    return Round(outcome.per_s, reference, seen | {"callers' cpu": outcome.cpu_share})


class _Shop:
    """A book with a merchant and customers who pay it."""

    def __init__(self, bench: Bench, house: House, target: Target, book: str, process: Child) -> None:
        self.house = house
        self._bench, self._target, self._book, self._process = bench, target, book, process
        self._random = random.Random(bench.next_seed())
        self._customers = [f"payer_{number:05}" for number in range(bench.scale.payers)]
        self._orders = self._prepared = self.paid = 0

    def open(self, *, wallets: bool) -> None:
        self._do([Errand("merchants", _MERCHANT)], "done")
        self._do([Errand("customers", {"id": name, "name": name}) for name in self._customers], "done")
        if wallets:
            euros = {"currency": CURRENCY}
            self._do([Errand(f"customers/{name}/wallets", euros) for name in self._customers], "done")
            filling = {"amount": 10**9, "method": {"type": "card", "token": "tok_approved"}}
            paths = [f"wallets/{name}/{CURRENCY}/top-ups" for name in self._customers]
            self._do([Errand(path, filling, "top-ups") for path in paths], "succeeded")

    def pay(self, payments: int, product: str) -> None:
        self.prepare(payments, product)
        self.send()
        self.wait_for_callbacks()

    def prepare(self, payments: int, product: str) -> None:
        orders = [self._order(product) for _ in range(payments)]
        self._prepared = payments
        self._process.call("prepare", orders, CALLERS)

    def send(self) -> tuple[Outcome, float]:
        """What came of what was prepared, and how long after it the postings were there."""
        outcome: Outcome = self._process.call("send")
        if outcome.outcomes != {"succeeded": self._prepared}:
            raise AssertionError(f"{self._prepared} payments were to succeed, and {outcome.outcomes} came of them")
        caught_up = caught_up_at(self._bench.database, self._book, head_of(self._bench.database, self._book))
        self.paid += self._prepared
        self._check()
        return outcome, caught_up - outcome.ended_at

    def _check(self) -> None:
        """The merchant is owed what was paid, and the books balance."""
        owed = self._get(f"{self._api}/v1/merchants/shop/balance")["pending"]
        if owed != self.paid * (AMOUNT - AMOUNT * _FEE_BPS // 10_000):
            raise AssertionError(f"{self.paid} payments were made, and the shop is owed {owed}")
        for currency, sums in self._get(f"{self._api}/v1/trial-balance")["currencies"].items():
            if sums["difference"]:
                raise AssertionError(f"the books are {sums['difference']} {currency} apart")

    def check_channel(self) -> None:
        """In the channel's own books there is one charge for each payment."""
        charges = self._get(f"{self.house.simulator_url}/{_CHANNEL.name}/books")["charges"]
        ours = [charge for charge in charges if charge["status"] == "succeeded" and charge["id"].startswith("pay_")]
        if len(ours) != self.paid:
            raise AssertionError(f"{self.paid} payments were made, and the channel has {len(ours)} charges")

    def wait_for_callbacks(self) -> float:
        """When the channel owed no message any more, on the monotonic clock of this machine."""
        deadline = time.monotonic() + _PATIENCE_S
        while self._get(f"{self.house.simulator_url}/{_CHANNEL.name}/callbacks")["owed"]:
            if time.monotonic() > deadline:
                raise AssertionError(f"the channel still owes messages after {_PATIENCE_S} s")
            time.sleep(_LOOK_S)
        return time.monotonic()

    def _order(self, product: str) -> Errand:
        self._orders += 1
        draw = self._random
        customer = draw.choice(self._customers)
        wallet = product == "balance_pay"
        method = {"type": "wallet"} if wallet else {"type": "card", "token": "tok_approved"}
        address = ".".join(str(draw.randrange(1, 255)) for _ in range(3))
        order = {
            "merchant": "shop",
            "customer": customer,
            "amount": AMOUNT,
            "currency": CURRENCY,
            "product": product,
            "method": method,
            "order_reference": f"order-{self._orders}",
            "client": {"ip": f"10.{address}", "device": f"device_{customer}", "country": "DE"},
        }
        return Errand("payments", order, "payments")

    def _do(self, errands: list[Errand], outcome: str) -> None:
        self._process.call("prepare", errands, CALLERS)
        found: Outcome = self._process.call("send")
        if found.outcomes != {outcome: len(errands)}:
            raise AssertionError(f"{errands[0].path} and {len(errands) - 1} more came to {found.outcomes}")

    @property
    def _api(self) -> str:
        return f"http://127.0.0.1:{self._target.port}"

    def _get(self, address: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._target.key}"} if address.startswith(self._api) else {}
        with httpx2.Client(trust_env=False, timeout=_PATIENCE_S) as client:
            answer = client.get(address, headers=headers).raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


@contextmanager
def _shop(bench: Bench, *, wallets: bool) -> Iterator[_Shop]:
    """A shop in a fresh book, with the whole house around it."""
    book = bench.ground.new_book()
    with whole_house(bench.ground) as house:
        target = house.api.target(book)
        with child(Payers, target) as process:
            shop = _Shop(bench, house, target, book, process)
            bench.tell("payments: opening a shop")
            shop.open(wallets=wallets)
            yield shop


async def _charges_per_s(bench: Bench, house: House, charges: int) -> float:
    """How fast the simulator is where nobody else does anything: asked by our adapter, on as many connections."""
    folder: Path = bench.ground.folder / "channels"
    settings = settings_of(_CHANNEL, f"{house.simulator_url}/{_CHANNEL.name}", folder)
    seed = bench.next_seed()
    following = iter(range(charges))

    async with Dispatcher(Registry([settings])) as dispatcher:

        async def ask() -> None:
            for number in following:
                charge = Charge(f"bench_{seed}_{number}", AMOUNT, CURRENCY, "tok_no_callback", "order", "shop")
                verdict = await dispatcher.ask(_CHANNEL.name, charge)
                if not isinstance(verdict, Charged):
                    raise AssertionError(f"the simulator answered {verdict}")

        begun = time.perf_counter()
        await asyncio.gather(*(ask() for _ in range(CALLERS)))
        return charges / (time.perf_counter() - begun)
