"""The ledger's black-box cases: basic flows (A1 to A13) and currencies (B1, B2, B4; B3 stands with the races).

`A→B 10` moves 10 from A to B. Accounts here are liabilities, which grow on the credit side, so that it is a debit of A
and a credit of B, and an account of the outside world goes below zero as money comes in.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.journeys.caller import Caller, fresh, moves, posting, transfer

LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Till:
    """The accounts of the cases A1 to A4."""

    outside: str
    received: str
    available: str
    outbound: str

    @property
    def all(self) -> tuple[str, ...]:
        return (self.outside, self.received, self.available, self.outbound)


@pytest.fixture
def till(caller: Caller) -> Till:
    """A1 has happened: ext→recv 50, recv→avail 50."""
    till = Till(
        caller.open_account("ext"),
        caller.open_account("recv"),
        caller.open_account("avail", min_balance=0),
        caller.open_account("outbound"),
    )
    caller.move(till.outside, till.received, 50).done()
    caller.move(till.received, till.available, 50).done()
    return till


@pytest.fixture
def after_a2(caller: Caller, till: Till) -> Till:
    caller.move(till.available, till.outbound, 20).done()
    caller.move(till.outbound, till.outside, 20, effective_at=_yesterday(), metadata={"bank": "b-1"}).done()
    return till


@pytest.fixture
def after_a3(caller: Caller, after_a2: Till) -> Till:
    caller.move(after_a2.outside, after_a2.received, 10).done()
    caller.move(after_a2.received, after_a2.available, 8).done()
    return after_a2


def _yesterday() -> str:
    return (datetime.now(UTC) - timedelta(days=1)).isoformat()


def test_a1_money_passes_through_an_account_and_leaves_its_history(caller: Caller, till: Till) -> None:
    assert caller.posted(till.outside, till.received, till.available) == [-50, 0, 50]
    assert [line["balance_after"] for line in caller.statement(till.received)] == [50, 0]


def test_a2_the_effective_date_is_kept_apart_from_the_booking_date(caller: Caller, after_a2: Till) -> None:
    assert caller.posted(*after_a2.all) == [-30, 0, 30, 0]
    (_, out) = caller.statement(after_a2.outside, **{"from": "1970-01-01T00:00:00Z"})[::-1]
    dated_back = next(line for line in caller.statement(after_a2.outside) if line["amount"] == 20)
    entry = caller.get(f"/entries/{dated_back['entry_id']}").done(200)
    assert entry["metadata"] == {"bank": "b-1"}
    effective, recorded = (datetime.fromisoformat(entry[name]) for name in ("effective_at", "recorded_at"))
    assert timedelta(hours=23) < recorded - effective < timedelta(hours=25)
    assert out["entry_id"] == dated_back["entry_id"], "a statement is in the order of effect"


def test_a3_a_difference_stays_visible_where_it_arose(caller: Caller, after_a3: Till) -> None:
    assert caller.posted(after_a3.received, after_a3.available) == [2, 38]


def test_a4_an_overdraft_is_refused_with_the_account_and_the_numbers(caller: Caller, after_a3: Till) -> None:
    before = [caller.balance(account) for account in after_a3.all]
    problem = caller.move(after_a3.available, after_a3.outbound, 50).refused(409, "insufficient_funds")
    assert (problem["account"], problem["available"], problem["required"]) == (after_a3.available, 38, 50)
    assert [caller.balance(account) for account in after_a3.all] == before


def test_a5_one_entry_may_go_round_a_circle_of_accounts(caller: Caller) -> None:
    a, b, c = (caller.open_account(name) for name in "abc")
    circle = moves((a, b, 10), (b, c, 20), (c, a, 50))
    caller.post("/entries", {"postings": circle}).done()
    assert caller.posted(a, b, c) == [40, -10, -30]
    assert [len(caller.statement(account)) for account in (a, b, c)] == [2, 2, 2]


def test_a6_one_account_below_its_floor_refuses_the_whole_entry(caller: Caller) -> None:
    a, c = (caller.open_account(name) for name in "ac")
    b = caller.open_account("b", min_balance=0)
    circle = moves((a, b, 10), (b, c, 20), (c, a, 50))
    problem = caller.post("/entries", {"postings": circle}).refused(409, "insufficient_funds")
    assert problem["account"] == b
    assert caller.posted(a, b, c) == [0, 0, 0]
    assert [len(caller.statement(account)) for account in (a, b, c)] == [0, 0, 0]


def test_a8_an_account_locked_on_both_sides_may_only_go_to_zero(caller: Caller) -> None:
    outside, locked = caller.open_account("ext"), caller.open_account("locked")
    caller.move(outside, locked, 10).done()
    caller.post(f"/accounts/{locked}/limits", {"min_balance": 0, "max_balance": 0}).done(200)
    caller.move(outside, locked, 10).refused(409, "balance_limit_exceeded")
    caller.move(locked, outside, 10).done()
    caller.move(outside, locked, 10).refused(409, "balance_limit_exceeded")
    assert caller.posted(locked) == [0]


def test_a9_each_senseless_transfer_has_its_own_code(caller: Caller) -> None:
    a, b = caller.open_account("a"), caller.open_account("b")
    caller.move(a, b, 0).refused(422, "amount_not_positive")
    caller.move(a, b, -5).refused(422, "amount_not_positive")
    caller.move(a, a, 5).refused(422, "same_account")
    caller.move(a, fresh("nobody"), 5).refused(422, "account_unknown")


@pytest.mark.parametrize(
    ("postings", "code"),
    [
        ([], "too_few_postings"),
        (moves(("x", "y", 1), currency="usd"), "currency_unknown"),
        (moves(("x", "y", 1), currency="USD/"), "currency_unknown"),
        (moves(("x", "Y y", 1)), "account_code_invalid"),
    ],
)
def test_a10_an_entry_of_nothing_or_of_malformed_parts_is_refused(
    caller: Caller, postings: list[dict[str, Any]], code: str
) -> None:
    caller.post("/entries", {"postings": postings}).refused(422, code)


def test_a11_an_unbalanced_entry_is_refused_and_nothing_is_written(caller: Caller) -> None:
    a, b = caller.open_account("a"), caller.open_account("b")
    lopsided = [posting(a, "debit", 10), posting(b, "credit", 5)]
    problem = caller.post("/entries", {"postings": lopsided}).refused(422, "unbalanced")
    assert (problem["currency"], problem["debits"], problem["credits"]) == ("EUR", 10, 5)
    assert caller.posted(a, b) == [0, 0]


def test_a12_an_unknown_field_is_refused(caller: Caller) -> None:
    """The scenario says 400; here 400 is for what cannot be read, and this can."""
    a, b = caller.open_account("a"), caller.open_account("b")
    problem = caller.move(a, b, 1, colour="red").refused(422, "unknown_field")
    assert [error["pointer"] for error in problem["errors"]] == ["/colour"]


@pytest.mark.parametrize("path", ["/transfers", "/entries"])
def test_a13_a_dry_run_answers_like_the_real_one_and_stores_nothing(caller: Caller, path: str) -> None:
    """Without an Idempotency-Key, too: nothing is stored that it could guard."""
    a, b = caller.open_account("a"), caller.open_account("b")
    body = transfer(a, b, 50) if path == "/transfers" else {"postings": moves((a, b, 50))}
    rehearsed = caller.send("POST", path, json={**body, "dry_run": True})
    assert "ledger-position" not in rehearsed.headers
    assert caller.get("/entries", account=a).done(200)["data"] == []
    assert caller.posted(a, b) == [0, 0]
    real = caller.post(path, body).done(201)
    # What could not be known before: its place in the log, its fresh id and its moment.
    unforeseen = ("id", "position", "recorded_at", "effective_at")
    foreseen = [{k: v for k, v in told.items() if k not in unforeseen} for told in (rehearsed.done(200), real)]
    assert foreseen[0] == foreseen[1]
    assert len(caller.get("/entries", account=a).done(200)["data"]) == 1


def test_b1_currencies_are_not_exchanged_by_a_transfer(caller: Caller) -> None:
    dollars, euros = caller.open_account("usd", currency="USD"), caller.open_account("eur")
    for currency in ("USD", "EUR"):
        caller.move(dollars, euros, 10, currency).refused(422, "currency_mismatch")
    assert caller.posted(dollars, euros) == [0, 0]


def test_b2_an_exchange_is_one_entry_that_balances_in_each_currency(caller: Caller) -> None:
    user_usd, fx_usd = (caller.open_account(name, currency="USD") for name in ("user.usd", "fx.usd"))
    user_eur, fx_eur = (caller.open_account(name) for name in ("user.eur", "fx.eur"))
    exchange = moves((user_usd, fx_usd, 1000), currency="USD") + moves((fx_eur, user_eur, 926))
    caller.post("/entries", {"postings": exchange}).done()
    assert caller.posted(user_usd, fx_usd, fx_eur, user_eur) == [-1000, 1000, -926, 926]
    for sums in caller.get("/trial-balance").done(200)["currencies"].values():
        assert sums["difference"] == 0


def test_b4_the_largest_amount_comes_back_to_the_last_digit(caller: Caller) -> None:
    """The scenario's 99999223372036854775807 lies beyond what an amount can be: refused."""
    a, b = caller.open_account("a"), caller.open_account("b")
    caller.move(a, b, 99999223372036854775807).refused(400, "json_integer_too_large")
    entry = caller.move(a, b, LARGEST).done()
    assert entry["amount"] == LARGEST
    assert f'"amount":{LARGEST}'.encode() in caller.get(f"/entries/{entry['id']}").raw
    assert caller.posted(a, b) == [-LARGEST, LARGEST]
    assert caller.statement(b)[0]["balance_after"] == LARGEST
    assert caller.posted(b, as_of=datetime.now(UTC).isoformat()) == [LARGEST]
