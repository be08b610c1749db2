"""The ledger and a plain-Python model of it, asked the same: without HTTP, with two writers and a clock of our own."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from ledger.store.connection import Database
from tests.properties import requests as r
from tests.properties.driver import InProcess
from tests.properties.machine import LedgerMachine, accounts, amounts, indices, run, seldom
from tests.properties.requests import Request


class InProcessMachine(LedgerMachine):
    """What only a driver inside of the process can do: gather, change the writer, put the clock forward and back."""

    driver: InProcess

    @rule(index=indices)
    def switch_or_restart_the_writer(self, index: int) -> None:
        if index % 3:
            self.driver.switch()
        else:
            self.driver.restart()

    @rule(hours=st.sampled_from([1, 2, 50, -1, -10]))
    def put_the_clock(self, hours: int) -> None:
        self.driver.put_clock(timedelta(hours=hours))

    @precondition(lambda self: self.model.holds)
    @rule(index=indices)
    def expire(self, index: int) -> None:
        self.do(r.Release(self.some_hold(index), expired=True))

    @rule(
        items=st.lists(
            st.tuples(accounts, accounts, amounts, seldom, st.sampled_from("tttthrc")), min_size=2, max_size=12
        ),
        index=indices,
    )
    def gather(self, items: list[tuple[str, str, int, bool, str]], index: int) -> None:
        """Many at once, without waiting: they are decided in their order, in as few transactions as it comes to."""
        asked: list[tuple[str, Request]] = []
        for debit, credit, amount, other, kind in items:
            credit, currency = self.partner(debit, credit, other)
            request: Request = r.Transfer(debit, credit, amount, currency)
            if kind == "h":
                request = r.PlaceHold(debit, credit, amount, currency)
            elif kind == "c" and self.model.holds:
                request = r.Capture(self.some_hold(index), amount)
            elif kind == "r" and asked:
                asked.append(asked[index % len(asked)])  # the same again, before it was answered
                continue
            asked.append((self.fresh_key(), request))
        self.tell_all(asked)
        self.compare_balances()


def test_the_ledger_answers_as_the_model_does(database: Database, make_book: Callable[[], str]) -> None:
    outcomes = run(InProcessMachine, lambda: InProcess(database, make_book()), books=30)
    assert outcomes.total() >= 2_000
    assert sum(times for (_, outcome), times in outcomes.items() if outcome == "ok") >= 350, "little was carried out"
