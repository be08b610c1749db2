"""The keeper: what is asked for together is one commit, and each is answered for itself, after that."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from commands.channels.requests import Charge
from commands.channels.simulator.books import Books
from commands.channels.simulator.conduct import Conduct
from commands.channels.simulator.faults import FaultPlan
from commands.channels.simulator.keeper import Keeper
from commands.channels.simulator.operations import Operation, Refused
from commands.channels.simulator.store import Store, Tried
from commands.policies.channels import CHANNELS

NOW_MS = 1_774_749_599_000


def charge(name: str, amount: int = 100) -> Charge:
    return Charge(name, amount, "EUR", "tok_approved", "order", "acme")


def done_by(folder: Path, *requests: Charge) -> list[Any]:
    """What came of these, asked for while the keeper was busy with something else."""

    async def inside() -> list[Any]:
        keeper = Keeper(Books(folder / "books.sqlite", CHANNELS[0]))
        try:
            asked = [keeper.do(Books.begin, request, NOW_MS) for request in requests]
            found: list[Any] = await asyncio.gather(keeper.do(Books.plan), *asked, return_exceptions=True)
            return found[1:]
        finally:
            keeper.close()

    return asyncio.run(inside())


def ids_in(folder: Path) -> list[str]:
    store = Store(folder / "books.sqlite")
    try:
        return [one.id for one in store.all()]
    finally:
        store.close()


def test_one_that_is_refused_takes_nothing_from_those_it_was_done_with(tmp_path: Path) -> None:
    one, reused, other = done_by(tmp_path, charge("a"), charge("a", 200), charge("b"))
    assert isinstance(reused, Refused)
    assert [(found.id, found.amount) for conduct, found in (one, other) if conduct == Conduct()] == [
        ("a", 100),
        ("b", 100),
    ]
    assert ids_in(tmp_path) == ["a", "b"]


def test_nobody_is_told_of_what_was_not_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Store.put

    def fails_at_the_end(self: Store, operation: Operation) -> Operation:
        found = put(self, operation)
        if operation.id == "b":
            self._db.execute("ROLLBACK")  # as SQLite does by itself when the disk is full
        return found

    monkeypatch.setattr(Store, "put", fails_at_the_end)
    outcomes = done_by(tmp_path, charge("a"), charge("b"), charge("c"))
    assert all(isinstance(outcome, Exception) for outcome in outcomes)
    monkeypatch.undo()
    assert ids_in(tmp_path) == []


def test_a_plan_that_was_not_committed_is_not_gone_by(tmp_path: Path) -> None:
    def fails_later() -> None:
        with books.together():
            books.set_plan(FaultPlan(seed=7))
            raise RuntimeError("the disk is full")

    books = Books(tmp_path / "books.sqlite", CHANNELS[0])
    with pytest.raises(RuntimeError):
        fails_later()
    assert books.plan()[0] == 0
    books.close()


def test_a_delivery_costs_the_same_however_many_messages_were_delivered_before(tmp_path: Path) -> None:
    books = Books(tmp_path / "books.sqlite", CHANNELS[0])
    store: Store = books._store
    costs = []
    try:
        for number in range(600):
            books.begin(charge(f"charge_{number}"), NOW_MS)
            (message,) = books.due_messages(NOW_MS + 1, 16)
            steps = 0

            def count() -> int:
                nonlocal steps
                steps += 1
                return 0

            store._db.set_progress_handler(count, 1)
            books.messages_tried([Tried(message.id, delivered=True, due_ms=0)])
            store._db.set_progress_handler(None, 1)
            costs.append(steps)
    finally:
        books.close()
    assert costs[-1] <= 2 * costs[5]
