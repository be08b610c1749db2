"""Books' black-box cases 93 to 96: invariants after each event, views from zero, a log that stays, a hot account.

The numbers are those of the list of scenarios. The histories come over HTTP; the log is read behind the service's back.
"""

import random
import time
from collections import defaultdict
from functools import partial
from typing import Any, LiteralString

import pytest
from psycopg import errors

from ledger.audit.seal_check import Fault
from ledger.chart import Code
from ledger.ids import PAYMENT
from ledger.payment import FAILED, FAILED_AFTER_SUCCESS, PROCESSING, SUCCEEDED, Payment
from ledger.payment_state import evolve, fold
from ledger.payment_views import payment_view
from ledger.posting_rules import movements_for
from ledger.receipt import RETURNING
from ledger.store.connection import in_book
from tests.journeys import moments
from tests.journeys.caller import Caller, at_once, fresh, transfer
from tests.journeys.parties import AT_ONCE, BANK
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_bad_inputs_payments import payment
from tests.writing import check_books, read_log

CARDS = ("tok_approved", "tok_approved", "tok_approved", "tok_late", "tok_insufficient_funds", "tok_timeout_after")
REFUNDED_BY = ("tok_refund_late_success", "tok_refund_generic_decline", "tok_approved")
CAPTURES = ("automatic", "manual")
STEPS = 60


class Life:
    """A random history of one book: sales, authorizations, refunds, wallets, payouts, in any order."""

    def __init__(self, service: Service, seed: int) -> None:
        self.service, self.book, self.chance = service, service.new_book(), random.Random(seed)
        self.caller = service.caller(self.book)
        terms = {"fee": {"percent_bps": 200, "fixed": 10}, "settlement_currency": "EUR", "settlement": AT_ONCE}
        self.merchant = str(self.caller.post("/merchants", {"id": "shop", "name": "Shop", **terms}).done()["id"])
        self.caller.post("/customers", {"id": "ann"}).done()
        self.caller.post("/customers/ann/wallets", {"currency": "EUR"}).done()
        self.orders: list[str] = []

    def lead(self, steps: int) -> None:
        ways = (self.sale, self.sale, self.hold, self.change, self.change, self.refund, self.wallet, self.payout)
        for _ in range(steps):
            self.chance.choice(ways)()
        self.service.wait_until(self._is_quiet, patience_s=60)
        self.service.settled_head(self.book)

    def _is_quiet(self) -> bool:
        shown = [self.caller.get(f"/payments/{name}").done(200) for name in self.orders]
        statuses = [each["status"] for each in shown] + [one["status"] for each in shown for one in each["refunds"]]
        return PROCESSING not in statuses

    # --- what may happen; what does not fit is refused, and that is a part of it

    def sale(self) -> None:
        tokens = {self.chance.choice(CARDS), self.chance.choice(REFUNDED_BY)}
        self._order(method={"type": "card", "token": "+".join(sorted(tokens))})

    def hold(self) -> None:
        self._order(capture="manual")

    def wallet(self) -> None:
        if self.chance.random() < 0.5:
            top_up = {"amount": self.chance.randint(1, 9_000), "method": {"type": "card", "token": "tok_approved"}}
            self._ask("/wallets/ann/EUR/top-ups", **top_up)
        else:
            method = {"type": "wallet"}
            self._order(product="balance_pay", customer="ann", method=method, capture=self.chance.choice(CAPTURES))

    def change(self) -> None:
        name, what = self._some_order(), self.chance.choice(("capture", "cancel", "increment", "revoke"))
        amount = {"amount": self.chance.randint(1, 5_000)} if what in ("capture", "increment") else {}
        self._ask(f"/payments/{name}/{what}", **amount)

    def refund(self) -> None:
        self._ask(f"/payments/{self._some_order()}/refunds", amount=self.chance.randint(1, 6_000), reason="returned")

    def payout(self) -> None:
        self._ask(f"/merchants/{self.merchant}/releases")
        body = {"merchant": self.merchant, "currency": "EUR", "destination": BANK}
        self._ask("/payouts", amount=self.chance.randint(1, 6_000), **body)

    def _some_order(self) -> str:
        return self.chance.choice(self.orders) if self.orders else "pay_none"

    def _order(self, **more: Any) -> None:
        reply = self.caller.post("/payments", payment(self.merchant, amount=self.chance.randint(100, 9_000), **more))
        assert reply.status in (201, 202, 409), reply.raw
        if reply.status != 409:
            self.orders.append(reply.body["id"])

    def _ask(self, path: str, **body: Any) -> None:
        reply = self.caller.post(path, body)
        assert reply.status < 500, reply.raw


def check_each_event(life: Life) -> int:
    """After every event: sums, floors, and sub-ledgers against their control accounts; returns how many there were."""
    with life.service.database.owner() as connection:
        log = check_books(connection, life.book)
    debits: defaultdict[str, int] = defaultdict(int)
    payments: dict[str, Payment] = {}
    floors = {code.number for code in Code if code.never_negative}
    for fact in log:
        movements = movements_for(fact.event)
        by_currency: defaultdict[str, int] = defaultdict(int)
        for movement in movements:
            by_currency[movement.currency] += movement.debit - movement.credit
            debits[movement.account] += movement.debit - movement.credit
        assert not any(by_currency.values()), fact
        for movement in movements:
            number = movement.account.split(":")[1] if movement.account.startswith("sys:") else ""
            stands = debits[movement.account] if number < "2" or number > "9" else -debits[movement.account]
            assert number not in floors or stands >= 0, (fact, movement)
        if fact.stream.startswith(PAYMENT):
            payments[fact.stream] = evolve(payments.get(fact.stream), fact)
            assert_control_accounts(debits, payments[fact.stream], list(payments.values()))
    return len(log)


def assert_control_accounts(debits: dict[str, int], changed: Payment, payments: list[Payment]) -> None:
    def stands(code: Code) -> int:
        return sum(amount for name, amount in debits.items() if name.startswith(f"sys:{code.number}:"))

    under_way = [one.amount for each in payments for one in each.refunds if one.status == PROCESSING]
    under_way += [one.by_channel for each in payments for one in each.refunds if one.status == FAILED_AFTER_SUCCESS]
    under_way += [one.amount for each in payments for one in each.receipts if one.status == RETURNING]
    assert -stands(Code.REFUND_IN_TRANSIT) == sum(under_way), changed
    held = [each.authorization for each in payments if each.authorization is not None]
    by_channel = sum(one.open for one in held if one.channel is not None)
    assert stands(Code.AUTHORIZED) == -stands(Code.AUTHORIZED_CONTRA) == by_channel, changed
    given_back = sum(one.amount for one in changed.refunds if one.status != FAILED)
    assert given_back <= changed.captured or changed.status != SUCCEEDED, changed


@pytest.fixture(scope="module")
def lives(service: Service) -> list[Life]:
    """Three lives, each in a book of its own; the longer command of the laws leads ten thousand of them."""
    found = [Life(service, seed) for seed in (93, 94, 95)]
    at_once(*[partial(life.lead, STEPS) for life in found])
    return found


def test_p93_the_invariants_hold_after_each_event_of_random_histories(lives: list[Life]) -> None:
    for life in lives:
        assert check_each_event(life) > STEPS
        assert {life.caller.get(f"/payments/{name}").done(200)["status"] for name in life.orders} >= {"succeeded"}


def test_p94_views_made_anew_from_zero_are_equal_row_by_row(service: Service, lives: list[Life]) -> None:
    for life in lives:
        told = service.run_ledger("rebuild", "all", "--book", life.book)
        assert "DIFFERENT" not in told
        assert told.count("equal") > 5


def test_p94_the_past_is_what_the_events_until_then_make_of_it(service: Service, lives: list[Life]) -> None:
    life, chance = lives[0], random.Random(100)
    with service.database.owner() as connection:
        log = read_log(connection, life.book)
    instants = [chance.choice(log) for _ in range(100)]
    trials = [life.caller.get("/trial-balance", known_at=fact.position).done(200) for fact in instants]
    assert list(moments.differences(service.database, life.book, trials, lambda done, total: None)) == []
    by_time = [life.caller.get("/trial-balance", known_at=fact.recorded_at.isoformat()).done(200) for fact in instants]
    assert list(moments.differences(service.database, life.book, by_time, lambda done, total: None)) == []
    for fact in [one for one in instants if one.stream.startswith(PAYMENT)]:
        prefix = [one for one in log if one.stream == fact.stream and one.position <= fact.position]
        then = life.caller.get(f"/payments/{fact.stream}", as_of=fact.position).done(200)
        assert (then["status"], then["position"]) == (payment_view(prefix).status, fact.position)
        state = fold(prefix)
        assert state is not None
        assert then["amount_captured"] == state.captured


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {schema}.events SET state = state",
        "DELETE FROM {schema}.events",
        "TRUNCATE {schema}.events",
        "UPDATE {schema}.idempotency_keys SET key = key",
        "DELETE FROM {schema}.idempotency_keys",
        "DELETE FROM {schema}.balances",
    ],
)
def test_p95_the_application_may_not_change_what_is_written(service: Service, statement: LiteralString) -> None:
    if service.database.role is None:
        pytest.skip("the user of DATABASE_URL may not take the application's role")
    book = service.new_book()
    with service.database.connect() as connection, pytest.raises(errors.InsufficientPrivilege):
        connection.execute(in_book(statement, book))


def test_p95_a_sum_that_was_altered_behind_our_back_is_named(service: Service) -> None:
    """Whoever owns the tables can alter them: held against what follows from the log, it shows."""
    book = service.new_book()
    caller = service.caller(book)
    a, b = caller.open_account("a"), caller.open_account("b")
    position = caller.move(a, b, 100).position
    service.run_ledger("verify", "--book", book)
    with service.database.owner() as connection:
        altered = "UPDATE {schema}.events SET state = replace(convert_from(state, 'UTF8'), '100', '900')::bytea"
        where = " WHERE notification_id = %s"
        statement: LiteralString = altered + where
        assert connection.execute(in_book(statement, book), (position,)).rowcount == 1
    told = service.run_ledger("verify", "--book", book, status=Fault.EVENT)
    assert f"BROKEN at position {position}" in told
    assert f"{b} posted_credits: 100 is stored, 900 is right" in told


def test_p96_a_hot_account_takes_five_hundred_postings_a_second_exactly(service: Service, home: str) -> None:
    """From both servers at once, onto the one account of a channel; nobody is told of a deadlock."""
    doors = [service.caller(home, server=number % 2) for number in range(8)]
    hot = f"sys:1110:{CHANNEL}:eur"
    caller = doors[0]
    terms = {"fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"}
    caller.post("/merchants", {"id": "shop", "name": "Shop", **terms}).done()
    caller.post("/payments", payment("shop", amount=1_000)).done()
    others = [door.open_account("other") for door in doors]
    (before,) = caller.posted(hot)

    def post(door: Caller, other: str) -> int:
        for _ in range(5):
            items = [{"idempotency_key": fresh("hot"), **transfer(hot, other, 1)} for _ in range(100)]
            results = door.post("/batches", {"mode": "independent", "transfers": items}).done()["results"]
            assert {result["status"] for result in results} == {"created"}
        for _ in range(5):
            door.post("/transfers", transfer(hot, other, 1)).done()
        return 505

    began = time.monotonic()
    posted = sum(at_once(*[partial(post, door, other) for door, other in zip(doors, others, strict=True)]))
    took_s = time.monotonic() - began
    caller.position = max(door.position for door in doors)
    assert caller.posted(hot, *others) == [before + posted, *[505] * 8]
    assert posted / took_s >= 500, f"{posted / took_s:.0f} postings a second"
