"""The machine: whatever hypothesis can think of is asked of the ledger and of the model, and both must say the same."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.properties import requests as r
from tests.properties.driver import Driver
from tests.properties.expected import Expected
from tests.properties.model import Model
from tests.properties.requests import Posting, Request

OPENED = (
    r.OpenAccount("cash", "asset", "EUR"),
    r.OpenAccount("costs", "expense", "EUR", max_balance=500),
    r.OpenAccount("ada", "liability", "EUR", min_balance=0),
    r.OpenAccount("bob", "liability", "EUR", min_balance=-100, max_balance=1_000),
    r.OpenAccount("vault", "asset", "USD", min_balance=0),
    r.OpenAccount("dan", "liability", "USD"),
)
MONTHS = ("2020-01", "2020-02", "2020-03")
_LATER = timedelta(days=1)

kinds = st.sampled_from(["asset", "liability", "equity", "revenue", "expense"])
currencies = st.sampled_from(["EUR", "EUR", "USD", "JPY"])
_NAMES = {"cash": 5, "costs": 2, "ada": 5, "bob": 4, "vault": 2, "dan": 2, "new": 2, "newer": 1, "nobody": 1}
accounts = st.sampled_from([name for name, weight in _NAMES.items() for _ in range(weight)])
_EXTREME = [1, 100, 2**53 + 1, 2**62, 2**63 - 1]
amounts = st.one_of(st.integers(1, 50), st.integers(1, 50), st.integers(1, 1_000), st.sampled_from(_EXTREME))
limits = st.one_of(st.none(), st.integers(-100, 100), st.sampled_from([-(2**63) + 1, 2**63 - 1]))
references = st.one_of(*[st.none()] * 3, st.sampled_from([f"order-{number}" for number in range(8)]))
seldom = st.integers(0, 9).map(lambda number: number == 0)
moments = st.sampled_from([None] * 5 + [datetime(2020, month, 15, tzinfo=UTC) for month in (1, 2, 3)])
indices = st.integers(0, 10_000)


class LedgerMachine(RuleBasedStateMachine):
    """The rules that every driver takes; `make_driver` opens an empty book."""

    make_driver: ClassVar[Callable[[], Driver]]
    outcomes: ClassVar[Counter[tuple[str, str]]]
    """(kind of request, "ok" or code) → how often it was asked and answered so by both."""

    def __init__(self) -> None:
        super().__init__()
        self.driver = type(self).make_driver()
        self.model = Model()
        self.keys = 0
        self.agreed = True

    def teardown(self) -> None:
        """At the end, every request that was ever sent is sent again, and changes nothing."""
        try:
            if not self.agreed:
                return  # They have parted already, and that is the failure to tell.
            position = self.model.position
            for key, request in list(self.model.asked.items()):
                self.tell(key, request)
            assert self.model.position == position
            self.compare_balances()
            self.driver.check(self.model)
        finally:
            self.driver.close()

    # --- telling both

    def fresh_key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

    def tell(self, key: str, request: Request) -> None:
        self.tell_all([(key, request)])

    def tell_all(self, asked: list[tuple[str, Request]]) -> None:
        """Send all, one behind the other, without waiting between them; then compare all answers."""
        self.agreed = False
        told: list[tuple[Expected, Callable[[], Any]]] = []
        for key, request in asked:
            expected = self.model.ask(key, request, self.driver.now())
            told.append((expected, self.driver.send(key, request)))
        for (_, request), (expected, wait) in zip(asked, told, strict=True):
            expected.settle(wait())
            self.outcomes[type(request).__name__, "again" if expected.first else expected.code or "ok"] += 1
        self.agreed = True

    def do(self, request: Request) -> None:
        self.tell(self.fresh_key(), request)
        self.compare_balances()

    def compare_balances(self) -> None:
        self.agreed = self.driver.balances() == {name: a.turnover for name, a in self.model.accounts.items()}
        assert self.agreed, f"{self.driver.balances()} is not {self.model.accounts}"

    # --- rules

    @initialize()
    def open_accounts(self) -> None:
        for request in OPENED:
            self.do(request)
        self.do(r.Transfer("cash", "ada", 300, "EUR"))
        self.do(r.Transfer("vault", "dan", 300, "USD"))
        self.do(r.PlaceHold("ada", "bob", 90, "EUR"))
        self.do(r.Capture(self.some_hold(1), 40))

    @rule(name=st.sampled_from(["new", "newer", "ada"]), kind=kinds, currency=currencies, floor=limits, ceiling=limits)
    def open_account(self, name: str, kind: str, currency: str, floor: int | None, ceiling: int | None) -> None:
        self.do(r.OpenAccount(name, kind, currency, floor, ceiling))

    @rule(account=accounts, floor=limits, ceiling=limits)
    def change_limits(self, account: str, floor: int | None, ceiling: int | None) -> None:
        self.do(r.ChangeLimits(account, floor, ceiling))

    @rule(account=accounts, to=st.sampled_from(["freeze", "unfreeze", "unfreeze", "close"]))
    def change_status(self, account: str, to: Literal["freeze", "unfreeze", "close"]) -> None:
        self.do(r.ChangeStatus(account, to))

    @rule(debit=accounts, credit=accounts, amount=amounts, other=seldom, at=moments, ahead=seldom, reference=references)
    def transfer(
        self, debit: str, credit: str, amount: int, other: bool, at: datetime | None, ahead: bool, reference: str | None
    ) -> None:
        credit, currency = self.partner(debit, credit, other)
        self.do(r.Transfer(debit, credit, amount, currency, self.moment(at, ahead), reference))

    @rule(debit=accounts, credit=accounts, amount=amounts, other=seldom, reference=references, expiry=st.integers(0, 9))
    def place_hold(self, debit: str, credit: str, amount: int, other: bool, reference: str | None, expiry: int) -> None:
        hours = {0: -1, 1: 1, 2: 1, 3: 100}.get(expiry)
        expires_at = None if hours is None else self.driver.now() + timedelta(hours=hours)
        credit, currency = self.partner(debit, credit, other)
        self.do(r.PlaceHold(debit, credit, amount, currency, expires_at, reference))

    @rule(
        lines=st.lists(st.tuples(accounts, st.booleans(), amounts), min_size=1, max_size=4),
        balanced_by=accounts,
        off=seldom,
        at=moments,
        reference=references,
        dry_run=seldom,
    )
    def post_entry(
        self,
        lines: list[tuple[str, bool, int]],
        balanced_by: str,
        off: bool,
        at: datetime | None,
        reference: str | None,
        dry_run: bool,
    ) -> None:
        postings: list[Posting] = []
        net: dict[str, int] = {}
        for account, is_debit, amount in lines:
            currency, amount = self.currency(account), min(amount, 2**61)
            postings.append(Posting(account, "debit" if is_debit else "credit", amount, currency))
            net[currency] = net.get(currency, 0) + (amount if is_debit else -amount)
        for currency, left in net.items():
            left += off
            if left:
                fitting, _ = self.partner(self.some_account(currency), balanced_by, other=False)
                postings.append(Posting(fitting, "credit" if left > 0 else "debit", abs(left), currency))
        if len(postings) > 1:  # Fewer make no sense to any interface, so that no key is kept with them.
            self.do(r.PostEntry(tuple(postings), at, reference, dry_run))

    @precondition(lambda self: self.model.entries)
    @rule(index=indices, amount=st.one_of(st.none(), amounts), at=st.one_of(st.just("original"), moments))
    def reverse(self, index: int, amount: int | None, at: Any) -> None:
        entries = [*self.model.entries, "ent_none", "hold_none.2", "account.1"]
        self.do(r.Reverse(_pick(entries, index), amount, at))

    @precondition(lambda self: self.model.holds)
    @rule(index=indices, amount=st.one_of(st.none(), amounts), final=st.booleans())
    def capture(self, index: int, amount: int | None, final: bool) -> None:
        self.do(r.Capture(self.some_hold(index), amount, final))

    @precondition(lambda self: self.model.holds)
    @rule(index=indices)
    def release(self, index: int) -> None:
        self.do(r.Release(self.some_hold(index)))

    @rule(period=st.sampled_from([*MONTHS, *MONTHS, "2999-12"]), to=st.sampled_from(["close", "reopen"]))
    def change_period(self, period: str, to: Literal["close", "reopen"]) -> None:
        self.do(r.ChangePeriod(period, to))

    @rule(
        mode=st.sampled_from(["atomic", "independent"]),
        items=st.lists(st.tuples(accounts, accounts, amounts, references, seldom, seldom), min_size=1, max_size=6),
        keyed_again=seldom,
    )
    def batch(self, mode: Any, items: list[tuple[str, str, int, str | None, bool, bool]], keyed_again: bool) -> None:
        transfers: list[tuple[str, r.Transfer | r.PlaceHold]] = []
        for debit, credit, amount, reference, other, held in items:
            kind = r.PlaceHold if held else r.Transfer
            transfers.append(
                (self.fresh_key(), kind(debit, credit, amount, self.currency(debit, other), None, reference))
            )
        known = [(key, asked) for key, asked in self.model.asked.items() if isinstance(asked, r.Transfer | r.PlaceHold)]
        if keyed_again and known:
            key, asked = known[-1]
            transfers.append((key, asked))
        self.do(r.Batch(mode, tuple(transfers)))

    @precondition(lambda self: self.model.asked)
    @rule(index=indices)
    def send_again(self, index: int) -> None:
        key = _pick(list(self.model.asked), index)
        self.tell(key, self.model.asked[key])
        self.compare_balances()

    @precondition(lambda self: self.model.asked)
    @rule(index=indices, amount=st.integers(1_001, 9_999))
    def send_something_else_with_a_known_key(self, index: int, amount: int) -> None:
        self.tell(_pick(list(self.model.asked), index), r.Transfer("cash", "ada", amount, "EUR"))
        self.compare_balances()

    # --- choosing

    def currency(self, account: str, other: bool = False) -> str:
        known = self.model.accounts.get(account)
        own = "EUR" if known is None else known.currency
        return {"EUR": "USD", "USD": "JPY", "JPY": "EUR"}[own] if other else own

    def partner(self, debit: str, credit: str, other: bool) -> tuple[str, str]:
        """An account to credit and the currency: fitting, unless they are to be at `other`s."""
        currency = self.currency(debit, other)
        if not other and credit in self.model.accounts and self.currency(credit) != currency:
            credit = self.some_account(currency)
        return credit, currency

    def some_account(self, currency: str) -> str:
        return next((a.id for a in self.model.accounts.values() if a.currency == currency), "nobody")

    def some_hold(self, index: int) -> str:
        """One of the holds, the active ones first."""
        active = [name for name, hold in self.model.holds.items() if hold.status == "active"]
        return _pick(active if active and index % 4 else [*self.model.holds, "hold_none"], index)

    def moment(self, at: datetime | None, ahead: bool) -> datetime | None:
        return self.driver.now() + _LATER if ahead else at


def _pick(choices: list[str], index: int) -> str:
    return choices[index % len(choices)]


def run(
    machine: type[LedgerMachine], make_driver: Callable[[], Driver], *, books: int, rules: int = 50
) -> Counter[tuple[str, str]]:
    """Drive so many books, each by so many rules; returns what was asked and how it was answered."""

    class Driven(machine):  # type: ignore[misc, valid-type]
        outcomes = Counter[tuple[str, str]]()

    Driven.make_driver = staticmethod(make_driver)
    run_state_machine_as_test(
        Driven,
        settings=settings(
            max_examples=books, stateful_step_count=rules, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    return Driven.outcomes
