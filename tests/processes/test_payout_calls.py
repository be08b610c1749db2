"""Payout calls: with a real worker and a real counterpart, each payout is paid once, whatever goes wrong between."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import pytest

from commands.channel_results import command_for
from commands.channels.channel import Verdict
from commands.channels.dispatcher import Dispatcher
from commands.envelope import Answer, Part
from commands.funds import ReleaseFunds
from commands.merchants import CreateMerchant
from commands.payments import CreatePayment
from commands.payouts import CreatePayout
from commands.processes import channel_calls
from commands.processes.channel_calls import Claim
from commands.processes.fund_releases import release_funds
from commands.processes.next_steps import question_of
from ledger.events.merchants import FeeTerms, SettlementTerms
from ledger.events.payouts import Destination
from ledger.ids import PAYOUT, new_id
from ledger.payout_views import PayoutView, payout_view
from tests.commands.stories import from_wallet, topped_up
from tests.processes.house import CHANNEL, House, until

_Found = TypeVar("_Found")
BANK = Destination("bank_account", "DE89370400440532013000", name="Seller")
IN_TRANSIT, AVAILABLE = "sys:2220:seller:eur", "sys:2120:seller:eur"
STEPS = ["intent", "work list", "sent", "paid", "recorded"]


def sold(house: House, payment: str, amount: int) -> None:
    order = from_wallet(payment, amount)
    house.pen.do(CreatePayment(payment, "seller", amount, "EUR", order.product, order.method, "order-1", "ann"))


def rich(house: House, amount: int = 100_000, left: int = 0) -> House:
    """The house with a merchant who may have so much, and a customer who has so much left."""
    terms = SettlementTerms(days=0)
    house.pen.do(CreateMerchant("seller", "Seller", FeeTerms(0, 0), "EUR", settlement=terms))
    for command in topped_up(amount + left):
        house.pen.do(command)
    sold(house, "pay_0", amount)
    house.pen.do(ReleaseFunds("seller", "EUR", amount, 0, house.position()))
    return house


def pay_out(house: House, amount: int = 1_000) -> str:
    name = new_id(PAYOUT)
    house.pen.do(CreatePayout(name, "merchant", "seller", amount, "EUR", BANK))
    return name


def shown(house: House, name: str) -> PayoutView:
    return payout_view(house.history(name))


def settled(house: House, *names: str) -> set[str]:
    def statuses() -> set[str] | None:
        for name in names:
            house.nudge(name)
        found = {shown(house, name).status for name in names}
        return None if found & {"in_transit", "submitted", "unknown"} else found

    return until(statuses, 60)


def at_the_channel(house: House) -> list[tuple[str, int, str]]:
    return [(one["id"], one["amount"], one["status"]) for one in house.simulator.books()["payouts"]]


def do(house: House, work: Callable[..., Awaitable[_Found]], **named: Any) -> _Found:
    async def inside() -> _Found:
        async with await house.database.connect_async() as connection:
            return await work(connection, house.book, **named)

    return asyncio.run(inside())


def ask(house: House, held: Claim) -> Verdict:
    async def inside() -> Verdict:
        async with Dispatcher(house.channels) as dispatcher:
            return await dispatcher.ask(held.call.channel, question_of(held.call))

    return asyncio.run(inside())


@pytest.mark.parametrize("last_step", STEPS)
def test_a_worker_that_dies_after_any_step_leaves_one_payout(house: House, last_step: str) -> None:
    rich(house).simulator.set_faults({"match": {"operation": "payout"}, "fault": "no_callback"})
    name, reached = pay_out(house), STEPS.index(last_step)
    if reached >= STEPS.index("work list"):
        do(house, channel_calls.follow)
    if reached >= STEPS.index("sent"):
        (held,) = do(house, channel_calls.claim, limit=1, lease_s=0.3)
        if reached >= STEPS.index("paid"):
            verdict = ask(house, held)
            if reached >= STEPS.index("recorded"):
                command = command_for(held.call.id, CHANNEL, verdict)
                assert command is not None
                house.pen.do(command)
    # Here the worker dies; another one comes.
    house.start_worker()
    assert settled(house, name) == {"paid"}
    house.all_calls_done()
    assert at_the_channel(house) == [(name, 1_000, "succeeded")]


def test_with_every_fault_on_each_payout_is_paid_once(house: House) -> None:
    faults = (
        "timeout_before",
        "timeout_after",
        "error_500_before",
        "error_500_after",
        "malformed_body",
        "wrong_amount",
    )
    rules = [
        {"match": {"operation": operation}, "fault": fault, "probability_permille": 80}
        for operation in ("payout", "query_payout")
        for fault in (*faults, "duplicate_callback", "wrong_signature_callback", "no_callback")
        if operation == "payout" or not fault.endswith("_callback")
    ]
    rich(house).simulator.set_faults(*rules, seed=3)
    house.start_worker()
    names = [pay_out(house, 1_000 + number) for number in range(25)]
    assert settled(house, *names) == {"paid"}
    house.all_calls_done()
    paid = sum(range(1_000, 1_025))
    assert sorted(at_the_channel(house)) == sorted((name, 1_000 + n, "succeeded") for n, name in enumerate(names))
    # Their word alone moves nothing: the bank's statement will.
    assert (house.balance(IN_TRANSIT), house.balance(AVAILABLE)) == (-paid, paid - 100_000)


def test_a_worker_that_is_killed_and_comes_back_pays_each_once(house: House) -> None:
    rich(house)
    house.start_worker_process()
    names = [pay_out(house) for _ in range(20)]
    until(lambda: True if at_the_channel(house) else None)
    house.kill_worker()
    house.start_worker_process()
    assert settled(house, *names) == {"paid"}
    assert sorted(at_the_channel(house)) == sorted((name, 1_000, "succeeded") for name in names)


def test_what_is_due_is_released_once_though_it_is_named_again_and_again(house: House) -> None:
    sold(rich(house, 100_000, left=500), "pay_1", 500)
    known_at = house.position()
    named = [ReleaseFunds("seller", "EUR", 500, 0, known_at), ReleaseFunds("seller", "EUR", 500, 0, known_at - 1)]

    async def known(book: str, now: datetime) -> Sequence[ReleaseFunds]:
        return named

    async def submit(book: str, part: Part) -> Answer:
        return await asyncio.to_thread(lambda: house.pen.submit([part])()[0])

    # A view that is behind, in two workers: the decision looks for itself.
    for _ in range(2):
        assert asyncio.run(release_funds(house.book, known, submit)) == named
    assert house.balance(AVAILABLE) == -100_500
