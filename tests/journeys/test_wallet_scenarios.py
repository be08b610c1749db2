"""Wallets and merchants' funds over HTTP: withdrawals, transfers, freezes, releases, shares.

The numbers are those of the list of scenarios.
"""

import pytest

from tests.journeys.caller import Caller, at_once, fresh
from tests.journeys.parties import BANK, balance, customer_with, merchant_with, pay_out, release, token, wallet
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment
from tests.journeys.test_payment_scenarios import becomes, standing


@pytest.fixture(scope="module")
def checker(service: Service, home: str) -> Caller:
    """Somebody else than the maker."""
    return service.caller(home)


# --- wallets --------------------------------------------------------------------------------------------------------


def test_p63_a_hundred_parallel_payments_of_ten_on_a_wallet_of_five_hundred_are_fifty(
    service: Service, home: str, caller: Caller, checker: Caller
) -> None:
    customer, merchant = customer_with(caller, 500), merchant_with(caller, 1)
    order = payment(merchant, product="balance_pay", method={"type": "wallet"}, customer=customer, amount=10)
    orders = [lambda one=one: one.post("/payments", order) for one in (caller, checker) for _ in range(50)]
    assert sorted(reply.status for reply in at_once(*orders)) == [201] * 50 + [409] * 50
    caller.position = max(caller.position, checker.position)
    assert wallet(caller, customer) == (0, 0)


def test_a_hundred_parallel_ways_out_of_a_wallet_take_no_more_than_it_holds(caller: Caller, checker: Caller) -> None:
    customer, other = customer_with(caller, 500), customer_with(caller, 0)
    path = f"/wallets/{customer}/EUR"
    ways = (
        lambda one: one.post(f"{path}/withdrawals", {"amount": 10, "destination": BANK}),
        lambda one: one.post(f"{path}/transfers", {"amount": 10, "to_customer": other}),
        lambda one: one.post(f"{path}/freezes", {"amount": 10, "reason": "a race"}),
        lambda one: one.post(f"{path}/withdrawals", {"amount": 10, "destination": token("approved")}),
    )
    replies = at_once(
        *[lambda way=way, one=one: way(one) for way in ways for one in (caller, checker) for _ in range(13)]
    )
    assert sum(reply.status in (201, 202) for reply in replies) == 50
    assert {reply.body["code"] for reply in replies if reply.status > 299} == {"insufficient_funds"}
    caller.position = max(caller.position, checker.position)
    available, frozen = wallet(caller, customer)
    assert available == 0
    assert frozen == 10 * sum(reply.status == 201 and "frz_" in reply.body["id"] for reply in replies)


def test_a_withdrawal_is_paid_or_comes_back(service: Service, caller: Caller) -> None:
    customer = customer_with(caller, 5_000)
    path = f"/wallets/{customer}/EUR/withdrawals"
    good = caller.post(path, {"amount": 2_000, "destination": BANK}).done(202)
    bad = caller.post(path, {"amount": 1_000, "destination": token("account_closed")}).done(202)
    assert (good["customer"], good["status"], good["fee"]) == (customer, "in_transit", 0)
    becomes(service, caller, f"/payouts/{good['id']}", "paid")
    becomes(service, caller, f"/payouts/{bad['id']}", "rejected")
    assert wallet(caller, customer) == (3_000, 0)
    assert standing(caller, f"sys:2220:wallet:{customer}:eur") == [2_000]
    listed = caller.get("/payouts", customer=customer).done(200)["data"]
    assert [one["id"] for one in listed] == [good["id"], bad["id"]]
    caller.post(path, {"amount": 3_001, "destination": BANK}).refused(409, "insufficient_funds")
    caller.post("/wallets/nobody/EUR/withdrawals", {"amount": 1, "destination": BANK}).refused(
        404, "customer_not_found"
    )


def test_money_moves_between_wallets_and_stands_still_while_it_is_frozen(caller: Caller) -> None:
    giver, taker = customer_with(caller, 5_000), customer_with(caller, 0)
    path = f"/wallets/{giver}/EUR"
    moved = caller.post(f"{path}/transfers", {"to_customer": taker, "amount": 500, "description": "lunch"}).done()
    assert (moved["available"], wallet(caller, taker)) == (4_500, (500, 0))
    frozen = caller.post(f"{path}/freezes", {"amount": 4_000, "reason": "a deposit"}).done()
    assert wallet(caller, giver) == (500, 4_000)
    caller.post(f"{path}/transfers", {"to_customer": taker, "amount": 501}).refused(409, "insufficient_funds")
    released = caller.post(f"{path}/freezes/{frozen['id']}/release", {}).done(200)
    assert (released["status"], wallet(caller, giver)) == ("released", (4_500, 0))
    caller.post(f"{path}/freezes/{frozen['id']}/release", {}).refused(409, "freeze_not_active")
    caller.post(f"/wallets/{taker}/EUR/freezes/{frozen['id']}/release", {}).refused(404, "freeze_not_found")


# --- merchants ------------------------------------------------------------------------------------------------------


def test_sales_wait_as_long_as_was_agreed_and_then_are_available_less_the_reserve(caller: Caller) -> None:
    terms = {"name": "Shop", "fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "EUR"}
    waiting = caller.post("/merchants", {"id": fresh("waits"), **terms}).done()
    assert waiting["settlement"]["days"] == 2
    kept = {"days": 0, "reserve_bps": 1_000, "reserve_days": 0}
    quick = caller.post("/merchants", {"id": fresh("quick"), **terms, "settlement": kept}).done()["id"]
    for merchant in (waiting["id"], quick):
        caller.post("/payments", payment(merchant, amount=10_000)).done()
    assert release(caller, waiting["id"])["released"] == 0
    assert balance(caller, waiting["id"])["pending"] == 9_800
    # Its reserve is kept for no day at all: a first release keeps it, and the next one lets it go.
    release(caller, quick)
    release(caller, quick)
    standing_now = balance(caller, quick)
    assert [standing_now[name] for name in ("pending", "available", "reserved", "net")] == [0, 9_800, 0, 9_800]
    caller.post("/merchants/nobody/releases", {}).refused(404, "merchant_not_found")


def test_what_is_due_is_released_by_itself(service: Service, caller: Caller) -> None:
    terms = {"name": "Shop", "fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"}
    merchant = caller.post("/merchants", {"id": fresh("shop"), **terms, "settlement": {"days": 0}}).done()["id"]
    caller.post("/payments", payment(merchant, amount=10_000)).done()
    service.wait_until(lambda: balance(caller, merchant)["available"] == 10_000, patience_s=40)


def test_a_refund_of_released_sales_takes_what_is_available_and_then_becomes_a_debt(caller: Caller) -> None:
    merchant = merchant_with(caller, 1)
    paid = caller.post("/payments", payment(merchant, amount=10_000)).done()
    release(caller, merchant)
    pay_out(caller, merchant, 5_000).done(202)
    caller.post(f"/payments/{paid['id']}/refunds", {"reason": "returned"})
    standing_now = balance(caller, merchant)
    assert (standing_now["available"], standing_now["receivable"]) == (0, 10_000 - (10_001 - 5_050))
    assert standing_now["net"] == standing_now["in_transit"] - standing_now["receivable"]
    # Later sales pay the debt before anything of them is available.
    caller.post("/payments", payment(merchant, amount=6_000)).done()
    release(caller, merchant)
    assert balance(caller, merchant)["receivable"] == 0
    assert balance(caller, merchant)["available"] == 6_000 - (10_000 - 4_951)


def test_a_payment_is_shared_and_the_share_taken_back(caller: Caller) -> None:
    terms = {"name": "Shop", "fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"}
    seller, designer = [caller.post("/merchants", {"id": fresh("m"), **terms}).done()["id"] for _ in range(2)]
    paid = caller.post("/payments", payment(seller, amount=10_000)).done()
    path = f"/payments/{paid['id']}/shares"
    share = caller.post(path, {"receiver": designer, "amount": 3_000}).done()
    assert (balance(caller, seller)["pending"], balance(caller, designer)["pending"]) == (7_000, 3_000)
    caller.post(path, {"receiver": designer, "amount": 7_001}).refused(422, "share_exceeds_payment")
    returned = caller.post(f"{path}/{share['id']}/return", {"amount": 1_000}).done()
    assert (returned["returned"], balance(caller, designer)["pending"]) == (1_000, 2_000)
    caller.post(f"{path}/{share['id']}/return", {"amount": 2_001}).refused(422, "share_exceeds_return")
    (listed,) = caller.get(path).done(200)["data"]
    assert (listed["id"], listed["receiver"], listed["returned"]) == (share["id"], designer, 1_000)
    caller.get("/payments/pay_nobody/shares").refused(404, "payment_not_found")


def test_earned_fees_are_swept_once(caller: Caller) -> None:
    merchant = merchant_with(caller, 10_000)
    pay_out(caller, merchant, 1_000).done(202)
    problem = caller.post("/treasury/sweeps", {"amount": 10**9, "currency": "EUR"}).refused(422, "sweep_exceeds_earned")
    earned = problem["earned"]
    if earned > 0:
        assert caller.post("/treasury/sweeps", {"amount": earned, "currency": "EUR"}).done()["left"] == 0
    caller.post("/treasury/sweeps", {"amount": 1_000, "currency": "EUR"}).refused(422, "sweep_exceeds_earned")


def test_all_of_it_balances(caller: Caller) -> None:
    sums = caller.get("/trial-balance").done(200)["currencies"]["EUR"]
    assert sums["difference"] == 0
