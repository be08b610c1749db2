"""The ledger's black-box cases: pending transfers, holds, overdraft (D1 to D14; D11 stands with the races)."""

import time
from typing import Any

import pytest

from tests.journeys.caller import Caller, at_once, in_seconds
from tests.journeys.service import Service


@pytest.fixture
def shop(caller: Caller) -> str:
    return caller.open_account("shop")


def funded(caller: Caller, amount: int) -> str:
    """An account with a floor of zero and so much on it."""
    account = caller.open_account("wallet", min_balance=0)
    caller.move(caller.open_account("ext"), account, amount).done()
    return account


def standing(caller: Caller, account: str) -> tuple[int, int]:
    """Posted and available."""
    found = caller.balance(account)
    return found["posted"]["balance"], found["available"]


def capture(caller: Caller, hold: str, **how: Any) -> Any:
    return caller.post(f"/holds/{hold}/capture", how)


def release(caller: Caller, hold: str) -> Any:
    return caller.post(f"/holds/{hold}/release", {})


def test_d1_a_hold_counts_against_what_is_available_until_it_is_released(caller: Caller, shop: str) -> None:
    wallet = funded(caller, 1000)
    hold = caller.hold(wallet, shop, 30)
    assert standing(caller, wallet) == (1000, 970)
    release(caller, hold).done(200)
    assert standing(caller, wallet) == (1000, 1000)


def test_d2_a_captured_hold_is_posted(caller: Caller, shop: str) -> None:
    wallet = funded(caller, 1000)
    hold = caller.hold(wallet, shop, 30)
    captured = capture(caller, hold).done()
    assert (captured["status"], captured["captured"], captured["remaining"]) == ("captured", 30, 0)
    assert standing(caller, wallet) == (970, 970)
    assert caller.balance(wallet)["pending"] == {"debits": 0, "credits": 0}
    assert caller.posted(shop) == [30]


def test_d3_holds_count_when_the_next_one_is_judged(caller: Caller, shop: str) -> None:
    wallet = funded(caller, 5000)
    for _ in range(5):
        caller.hold(wallet, shop, 1000)
    problem = caller.move(wallet, shop, 1000, pending={}).refused(409, "insufficient_funds")
    assert problem["available"] == 0
    caller.move(wallet, shop, 1).refused(409, "insufficient_funds")


def test_d4_a_hold_is_captured_in_part_and_the_rest_released(caller: Caller, shop: str) -> None:
    wallet = funded(caller, 100)
    hold = caller.hold(wallet, shop, 100)
    capture(caller, hold, amount=40).done()
    assert standing(caller, wallet) == (60, 0)
    release(caller, hold).done(200)
    assert standing(caller, wallet) == (60, 60)
    assert caller.posted(shop) == [40]


def test_d4_a_final_capture_releases_the_rest_by_itself(caller: Caller, shop: str) -> None:
    wallet = funded(caller, 100)
    hold = caller.hold(wallet, shop, 100)
    assert capture(caller, hold, amount=40, final=True).done()["status"] == "captured"
    assert standing(caller, wallet) == (60, 60)
    release(caller, hold).refused(409, "hold_not_active")


def test_d5_a_capture_takes_no_more_than_is_held(caller: Caller, shop: str) -> None:
    wallet = funded(caller, 1000)
    hold = caller.hold(wallet, shop, 100)
    problem = capture(caller, hold, amount=120).refused(422, "capture_exceeds_hold")
    assert problem["remaining"] == 100
    assert standing(caller, wallet) == (1000, 900)


def test_d6_a_hold_that_is_over_stays_over(caller: Caller, shop: str) -> None:
    wallet = funded(caller, 100)
    voided, committed = caller.hold(wallet, shop, 10), caller.hold(wallet, shop, 10)
    release(caller, voided).done(200)
    capture(caller, committed).done()
    assert capture(caller, voided).refused(409, "hold_not_active")["hold_status"] == "released"
    assert release(caller, committed).refused(409, "hold_not_active")["hold_status"] == "captured"


def test_d6_of_concurrent_commits_exactly_one_wins(caller: Caller, shop: str) -> None:
    wallet = funded(caller, 100)
    hold = caller.hold(wallet, shop, 10)
    replies = at_once(*[lambda: capture(caller, hold)] * 10)
    assert sorted(reply.status for reply in replies) == [201] + [409] * 9
    assert caller.posted(shop) == [10]


def test_d7_a_hold_whose_time_has_run_out_is_released_and_says_so(service: Service, caller: Caller, shop: str) -> None:
    wallet = funded(caller, 100)
    hold = caller.hold(wallet, shop, 10, expires_at=in_seconds(0.5))
    assert standing(caller, wallet) == (100, 90)
    _wait_for_status(service, caller, hold, "expired")
    assert standing(caller, wallet) == (100, 100)
    trail = caller.get("/audit/trail", entity=hold).done(200)["data"]
    assert [fact["topic"] for fact in trail] == ["holds.placed.v1", "holds.expired.v1"]
    assert capture(caller, hold).refused(409, "hold_not_active")["hold_status"] == "expired"


def test_d7_an_expiry_that_passed_while_no_worker_ran_is_caught_up(service: Service, caller: Caller, shop: str) -> None:
    wallet = funded(caller, 100)
    with service.without_worker():
        hold = caller.hold(wallet, shop, 10, expires_at=in_seconds(0.3))
        time.sleep(0.4)
        # The clock has the last word, not the timer that is late.
        assert capture(caller, hold).refused(409, "hold_not_active")["hold_status"] == "expired"
        assert standing(caller, wallet) == (100, 90)
    _wait_for_status(service, caller, hold, "expired")
    assert standing(caller, wallet) == (100, 100)


def test_d13_pending_debits_count_at_once_and_pending_credits_when_captured(caller: Caller) -> None:
    account, outside = caller.open_account("credit-normal"), caller.open_account("ext")
    caller.move(outside, account, 100).done()
    caller.hold(account, outside, 30)
    caller.hold(outside, account, 20)
    found = caller.balance(account)
    assert found["posted"]["balance"] + found["pending"]["credits"] - found["pending"]["debits"] == 90
    assert found["pending"] == {"debits": 30, "credits": 20}
    assert found["available"] == 70


def test_d14_what_was_read_before_does_not_count_when_an_entry_is_judged(caller: Caller, shop: str) -> None:
    """There is no condition on an account's version : the account's own floor is judged at the commit.

    So the reader of a stale balance is refused with the balance of now, in place of the version of now.
    """
    wallet = funded(caller, 100)
    assert caller.available(wallet) == 100
    caller.move(wallet, shop, 60).done()
    problem = caller.move(wallet, shop, 100).refused(409, "insufficient_funds")
    assert problem["available"] == 40
    caller.move(wallet, shop, 40, conditions=[{"account": wallet, "version": 7}]).refused(422, "unknown_field")


def _wait_for_status(service: Service, caller: Caller, hold: str, status: str) -> None:
    def has_come() -> bool:
        found = caller.get(f"/holds/{hold}").done(200)
        caller.position = max(caller.position, found["position"])
        return bool(found["status"] == status)

    service.wait_until(has_come)
