"""Parties of stories about money going out: merchants with funds, customers with wallets, and where it goes."""

from typing import Any

from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.test_bad_inputs_payments import payment

IBAN = "DE89370400440532013000"
BANK = {"type": "bank_account", "account_number": IBAN, "name": "Shop GmbH", "entity": "company"}
AT_ONCE = {"days": 0, "payout_fee": 50, "approve_above": 50_000}


def token(word: str) -> dict[str, str]:
    return {"type": "token", "token": f"tok_{word}"}


def merchant_with(caller: Caller, amount: int, **terms: int) -> str:
    """A merchant without fees, whose sales of this amount are available."""
    body = {"id": fresh("seller"), "name": "Seller", "fee": {"percent_bps": 0, "fixed": 0}}
    settlement = {**AT_ONCE, **terms}
    merchant = caller.post("/merchants", {**body, "settlement_currency": "EUR", "settlement": settlement}).done()["id"]
    caller.post("/payments", payment(merchant, amount=amount)).done()
    release(caller, merchant)
    return str(merchant)


def release(caller: Caller, merchant: str) -> dict[str, Any]:
    """What was released by hand; the timer may have been quicker."""
    released: dict[str, Any] = caller.post(f"/merchants/{merchant}/releases", {}).done(200)
    return released


def customer_with(caller: Caller, amount: int) -> str:
    """A customer with so much in a wallet."""
    customer = str(caller.post("/customers", {"id": fresh("customer")}).done()["id"])
    caller.post(f"/customers/{customer}/wallets", {"currency": "EUR"}).done()
    if amount:
        caller.post(f"/wallets/{customer}/EUR/top-ups", {"amount": amount, "method": {"type": "card"}}).done()
    return customer


def pay_out(caller: Caller, merchant: str, amount: int, destination: dict[str, str] | None = None) -> Reply:
    body = {"merchant": merchant, "amount": amount, "currency": "EUR", "destination": destination or BANK}
    return caller.post("/payouts", body)


def balance(caller: Caller, merchant: str) -> dict[str, int]:
    found: dict[str, int] = caller.get(f"/merchants/{merchant}/balance").done(200)
    return found


def wallet(caller: Caller, customer: str) -> tuple[int, int]:
    found = caller.get(f"/customers/{customer}/wallets/EUR").done(200)
    return found["available"], found["frozen"]
