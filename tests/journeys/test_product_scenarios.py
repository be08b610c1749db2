"""Products' black-box cases: mixed payments, credit, foreign cards, phone bills; with the list's numbers."""

import time
from typing import Any

import pytest

from tests.journeys.caller import Caller, at_once, fresh
from tests.journeys.payers import becomes, confirm, payer
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_bad_inputs_payments import payment
from tests.journeys.test_payment_scenarios import standing


@pytest.fixture
def merchant(caller: Caller) -> str:
    """A merchant who pays no fee."""
    terms = {"fee": {"percent_bps": 0, "fixed": 0}, "settlement_currency": "EUR"}
    return str(caller.post("/merchants", {"id": fresh("merchant"), "name": "Shop", **terms}).done()["id"])


@pytest.fixture
def customer(caller: Caller) -> str:
    """A customer with 500.00 EUR in the wallet."""
    name = str(caller.post("/customers", {"id": fresh("customer")}).done()["id"])
    caller.post(f"/customers/{name}/wallets", {"currency": "EUR"}).done()
    body = {"amount": 50_000, "method": {"type": "card", "token": "tok_approved"}}
    assert caller.post(f"/wallets/{name}/EUR/top-ups", body).done()["status"] == "succeeded"
    return name


def wallet(caller: Caller, customer: str) -> tuple[int, int]:
    shown = caller.get(f"/customers/{customer}/wallets/EUR").done(200)
    return shown["available"], shown["frozen"]


def mixed(merchant: str, customer: str, card: str = "tok_approved") -> dict[str, Any]:
    method = {"type": "mixed", "token": card, "wallet_amount": 2_000}
    return payment(merchant, customer=customer, method=method)


def settles(service: Service, caller: Caller, path: str) -> dict[str, Any]:
    """What is shown once the outcome is known."""
    service.wait_until(lambda: caller.get(path).done(200)["status"] != "processing", patience_s=30)
    shown: dict[str, Any] = caller.get(path).done(200)
    caller.position = max(caller.position, shown["position"])
    return shown


# --- wallets


def test_p63_of_a_hundred_payments_of_10_at_once_from_a_wallet_of_500_fifty_succeed(
    caller: Caller, merchant: str, customer: str
) -> None:
    def pay() -> int:
        body = payment(merchant, customer=customer, amount=1_000, product="balance_pay", method={"type": "wallet"})
        return caller.post("/payments", body).status

    statuses = at_once(*[pay] * 100)
    assert (statuses.count(201), statuses.count(409)) == (50, 50)
    assert wallet(caller, customer) == (0, 0)


def test_p64_a_mixed_payment_whose_card_is_declined_leaves_the_wallet_as_before(
    caller: Caller, merchant: str, customer: str
) -> None:
    failed = caller.post("/payments", mixed(merchant, customer, "tok_insufficient_funds")).done()
    assert (failed["status"], failed["amount_captured"]) == ("failed", 0)
    assert failed["error"]
    assert wallet(caller, customer) == (50_000, 0)
    assert caller.get(f"/merchants/{merchant}/balance").done(200)["pending"] == 0


def test_p64_a_mixed_payment_takes_both_parts_and_gives_back_the_card_s_first(
    caller: Caller, merchant: str, customer: str
) -> None:
    paid = caller.post("/payments", mixed(merchant, customer)).done()
    assert (paid["status"], paid["amount_captured"]) == ("succeeded", 6_000)
    assert wallet(caller, customer) == (48_000, 0)
    path = f"/payments/{paid['id']}/refunds"
    assert caller.post(path, {"amount": 4_000, "reason": "returned"}).done()["channel"] == CHANNEL
    assert wallet(caller, customer) == (48_000, 0)
    rest = caller.post(path, {"reason": "returned"}).done()
    assert (rest["amount"], rest["status"], rest["channel"]) == (2_000, "succeeded", None)
    assert wallet(caller, customer) == (50_000, 0)
    caller.post(path, {"amount": 1, "reason": "returned"}).refused(422, "refund_exceeds_payment")


def test_p64_while_nobody_knows_what_the_card_did_the_wallet_s_part_stays_frozen(
    service: Service, caller: Caller, merchant: str, customer: str
) -> None:
    token = fresh("tok")
    faults = [
        {"match": {"operation": operation, "token": token}, "fault": fault}
        for operation, fault in (
            ("charge", "timeout_after"),
            ("charge", "no_callback"),
            ("query_charge", "timeout_before"),
        )
    ]
    with service.faults(*faults):
        unknown = caller.post("/payments", mixed(merchant, customer, token)).done(202)
        time.sleep(1)
        assert wallet(caller, customer) == (48_000, 2_000)
    assert settles(service, caller, f"/payments/{unknown['id']}")["status"] == "succeeded"
    assert wallet(caller, customer) == (48_000, 0)


# --- credit


@pytest.fixture
def credit(caller: Caller, customer: str) -> str:
    """The address of a credit line of 100.00 EUR at 1.5 % a month."""
    terms = {"currency": "EUR", "limit": 10_000, "interest_bps_per_month": 150}
    line = caller.post(f"/customers/{customer}/credit-lines", terms).done()
    assert (line["available"], line["total"]) == (10_000, 0)
    return f"/customers/{customer}/credit-lines/EUR"


def buy(caller: Caller, merchant: str, customer: str, amount: int = 6_000) -> Any:
    body = payment(merchant, customer=customer, amount=amount, product="credit_pay", method={"type": "credit"})
    return caller.post("/payments", body)


def test_p65_a_repayment_smaller_than_the_interest_leaves_the_principal(
    caller: Caller, merchant: str, customer: str, credit: str
) -> None:
    assert buy(caller, merchant, customer).done()["status"] == "succeeded"
    month = time.strftime("%Y-%m", time.gmtime())
    charged = caller.post(f"{credit}/interest", {"period": month}).done()
    assert (charged["principal"], charged["interest"], charged["total"]) == (6_000, 90, 6_090)
    caller.post(f"{credit}/interest", {"period": month}).refused(409, "interest_charged_already")
    paid = repay(caller, credit, 50)
    assert (paid["status"], paid["interest"], paid["principal"]) == ("succeeded", 50, 0)
    line = caller.get(credit).done(200)
    assert (line["principal"], line["interest"]) == (6_000, 40)
    assert caller.get(f"/repayments/{paid['id']}").done(200)["interest"] == 50
    paid = repay(caller, credit, 7_000)
    assert (paid["interest"], paid["principal"], paid["to_wallet"]) == (40, 6_000, 960)
    assert wallet(caller, customer) == (50_960, 0)


def repay(caller: Caller, credit: str, amount: int) -> dict[str, Any]:
    body = {"amount": amount, "method": {"type": "card", "token": "tok_approved"}}
    done: dict[str, Any] = caller.post(f"{credit}/repayments", body).done()
    return done


def test_p65_a_refund_greater_than_what_is_owed_goes_to_the_wallet(
    caller: Caller, merchant: str, customer: str, credit: str
) -> None:
    bought = buy(caller, merchant, customer).done()
    repay(caller, credit, 5_000)
    refund = caller.post(f"/payments/{bought['id']}/refunds", {"reason": "returned"}).done()
    assert (refund["status"], refund["amount"]) == ("succeeded", 6_000)
    assert caller.get(credit).done(200)["total"] == 0
    assert wallet(caller, customer) == (55_000, 0)


def test_p65_purchases_at_once_never_pass_the_limit(caller: Caller, merchant: str, customer: str, credit: str) -> None:
    statuses = at_once(*[lambda: buy(caller, merchant, customer, 1_000).status] * 20)
    assert (statuses.count(201), statuses.count(409)) == (10, 10)
    assert caller.get(credit).done(200)["available"] == 0
    buy(caller, merchant, customer, 1).refused(409, "credit_limit_exceeded")
    for limit in (5_000, 10_001):
        assert caller.post(f"{credit}/limit", {"limit": limit}).done()["principal"] == 10_000
    assert buy(caller, merchant, customer, 1).done()["status"] == "succeeded"


def test_p65_a_loss_is_booked_when_somebody_else_agrees(
    service: Service, home: str, caller: Caller, merchant: str, customer: str, credit: str
) -> None:
    buy(caller, merchant, customer).done()
    loss = {"kind": "write_off", "amount": 6_000, "reason": "Insolvent"}
    caller.post(f"{credit}/losses", {**loss, "amount": 6_001}).refused(422, "loss_exceeds_principal")
    proposed = caller.post(f"{credit}/losses", loss).done()
    path = f"{credit}/losses/{proposed['number']}/decision"
    caller.post(path, {"agree": True}).refused(403, "second_person_required")
    assert service.caller(home).post(path, {"agree": True}).done()["status"] == "written_off"
    line = caller.get(credit, min_position=service.head(home)).done(200)
    assert (line["principal"], line["written_off"]) == (0, 6_000)


# --- foreign cards


@pytest.fixture
def american(caller: Caller) -> str:
    """A merchant who is settled in USD and pays 2 %; a euro is 1.25 dollars."""
    terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "USD"}
    caller.post("/fx/rates", {"from": "EUR", "to": "USD", "rate": "1.25", "source": "treasury"}).done()
    return str(caller.post("/merchants", {"id": fresh("merchant"), "name": "US Co", **terms}).done()["id"])


def quoted(caller: Caller, **more: int) -> str:
    quote = caller.post("/fx/quotes", {"from": "EUR", "to": "USD", "amount": 6_000, **more}).done()
    assert (quote["to_amount"], quote["rate"]) == (7_500, "1.25")
    return str(quote["id"])


def position(caller: Caller, paid: dict[str, Any]) -> list[int]:
    """The position between euros and dollars at the channel that was paid through."""
    channel = paid["attempts"][-1]["channel"]
    return standing(caller, f"sys:1410:{channel}:eur-usd:eur", f"sys:1410:{channel}:eur-usd:usd")


def test_p31_a_foreign_payment_keeps_its_units_apart(service: Service, caller: Caller, american: str) -> None:
    """Quoted, proved, paid, given back in part and settled; the position is where it was, in both units."""
    quote = quoted(caller)
    asked = caller.post("/payments", payment(american, product="foreign_card", quote=quote)).done()
    assert (asked["status"], asked["next_action"]["type"]) == ("requires_action", "three_ds")
    locked = asked["exchange"]
    assert (locked["amount"], locked["currency"], locked["rate"], locked["quote"]) == (7_500, "USD", "1.25", quote)
    assert caller.get(f"/fx/quotes/{quote}").done(200)["payment"] == asked["id"]
    before = position(caller, asked)
    payer(service, asked, "approve")
    paid = becomes(service, caller, asked, "succeeded")
    caller.position = paid["position"]
    assert (paid["amount_captured"], paid["currency"]) == (6_000, "EUR")
    assert caller.get(f"/merchants/{american}/balance").done(200)["pending"] == 7_500 - 150
    assert [now - then for now, then in zip(position(caller, paid), before, strict=True)] == [-6_000, 7_500]
    refund = caller.post(f"/payments/{paid['id']}/refunds", {"amount": 2_000, "reason": "returned"}).done()
    assert (refund["status"], refund["amount"], refund["currency"]) == ("succeeded", 2_000, "EUR")
    assert caller.get(f"/merchants/{american}/balance").done(200)["pending"] == 7_350 - 2_500
    came_to = caller.post("/fx/settlements", {"subject": paid["id"], "settled": 7_590, "kept_fee": 40}).done()
    assert (came_to["quoted"], came_to["gain"], came_to["loss"]) == (7_500, 90, 0)
    came_to = caller.post("/fx/settlements", {"subject": refund["id"], "settled": 2_510}).done()
    assert (came_to["quoted"], came_to["gain"], came_to["loss"]) == (2_500, 0, 10)
    assert position(caller, paid) == before
    caller.post("/fx/settlements", {"subject": paid["id"], "settled": 1}).refused(409, "exchange_settled_already")


def test_a_quote_is_for_one_payment_and_for_its_time(caller: Caller, american: str) -> None:
    body = payment(american, product="foreign_card", method={"type": "card", "token": "tok_frictionless"})
    quote = quoted(caller)
    assert caller.post("/payments", {**body, "quote": quote}).done()["status"] == "succeeded"
    caller.post("/payments", {**body, "quote": quote}).refused(409, "quote_used")
    caller.post("/payments", {**body, "quote": "fxq_none"}).refused(422, "quote_unknown")
    caller.post("/payments", {**body, "amount": 6_001, "quote": quoted(caller)}).refused(422, "quote_mismatch")
    short = quoted(caller, valid_for_s=1)
    time.sleep(1.1)
    caller.post("/payments", {**body, "quote": short}).refused(410, "quote_expired")
    caller.get("/fx/quotes/fxq_none").refused(404, "quote_not_found")


def test_a_foreign_payment_without_a_quote_takes_the_rate_of_now(caller: Caller, american: str) -> None:
    body = payment(american, product="foreign_card", method={"type": "card", "token": "tok_frictionless"})
    paid = caller.post("/payments", body).done()
    locked = paid["exchange"]
    assert (paid["status"], locked["amount"], locked["currency"], locked["rate"]) == ("succeeded", 7_500, "USD", "1.25")
    assert (paid["amount"], paid["amount_captured"], paid["currency"]) == (6_000, 6_000, "EUR")
    caller.post("/payments", {**body, "currency": "CHF"}).refused(422, "rate_unknown")


def test_one_quote_asked_for_by_twenty_at_once_is_taken_once(caller: Caller, american: str) -> None:
    body = payment(american, product="foreign_card", quote=quoted(caller))
    statuses = at_once(*[lambda: caller.post("/payments", body).status] * 20)
    assert (sum(status in (201, 202) for status in statuses), statuses.count(409)) == (1, 19)


# --- on a phone's bill


def on_the_phone_bill(caller: Caller, merchant: str, phone: str, amount: int = 5_000) -> Any:
    method = {"type": "carrier_billing", "phone": phone}
    return caller.post("/payments", payment(merchant, amount=amount, product="mobile_bill", method=method))


def test_a_phone_s_bill_is_charged_after_its_code_and_the_carrier_keeps_its_share(
    service: Service, caller: Caller, merchant: str
) -> None:
    before = standing(caller, "sys:5010:carrier:eur")
    asked = on_the_phone_bill(caller, merchant, "+4915110000001", 4_000).done()
    assert (asked["status"], asked["next_action"]["type"]) == ("requires_action", "sms_code")
    assert confirm(caller, asked, "123456").status in (200, 202)
    paid = becomes(service, caller, asked, "succeeded")
    caller.position = paid["position"]
    assert standing(caller, "sys:5010:carrier:eur") == [before[0] + 1_000]
    assert caller.get(f"/merchants/{merchant}/balance").done(200)["pending"] == 4_000


def test_a_phone_s_bill_has_a_cap_for_each_payment_and_for_each_month(caller: Caller, merchant: str) -> None:
    phone = "+4915110000002"
    problem = on_the_phone_bill(caller, merchant, phone, 5_001).refused(409, "cap_exceeded")
    assert (problem["most"], problem["errors"][0]["pointer"]) == (5_000, "/amount")
    statuses = at_once(*[lambda: on_the_phone_bill(caller, merchant, phone).status] * 10)
    assert (sum(status in (201, 202) for status in statuses), statuses.count(409)) == (6, 4)
