"""Orders, black-box: what makes none, minor units of every size, keys, lists, and outcomes that nobody knows.

The numbers are those of the list of scenarios. Tokens tell the channel simulator how to behave.
"""

import time
from typing import Any

import pytest

from tests.journeys.bad_inputs import CARD
from tests.journeys.caller import Caller, Reply, at_once, fresh
from tests.journeys.payers import becomes, charged_at_the_channel, confirm, new_merchant, order, payer
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment

CODE = "123456"


@pytest.fixture
def merchant(caller: Caller) -> str:
    """A merchant who pays 2 % and nobody has bought from."""
    return new_merchant(caller, "EUR")


# --- refusals -------------------------------------------------------------------------------------------------------


def test_p15_every_bad_field_is_named_in_one_answer_and_nothing_is_sent(
    service: Service, home: str, caller: Caller, merchant: str
) -> None:
    head, charges = service.settled_head(home), service.charges()
    bad = payment(merchant, amount=-1, currency="EURO", capture="sometimes", product="barter", expires_in_s=1)
    bad["method"] = {"type": "card", "exp_month": 13, "exp_year": 1999, "scene": "shout", "bin": "1", "country": "de"}
    problem = caller.post("/payments", bad).refused(422, "amount_not_positive")
    assert {error["pointer"]: error["code"] for error in problem["errors"]} == {
        "/amount": "amount_not_positive",
        "/currency": "currency_unknown",
        "/capture": "field_invalid",
        "/product": "product_not_supported",
        "/expires_in_s": "field_invalid",
        "/method/exp_month": "unknown_field",
        "/method/exp_year": "unknown_field",
        "/method/scene": "field_invalid",
        "/method/bin": "field_invalid",
        "/method/country": "field_invalid",
    }
    assert (service.head(home), service.charges()) == (head, charges)


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ({"number": CARD}, "pan_not_allowed"),
        ({"cvc": "12"}, "sensitive_field_not_allowed"),
        ({"token": CARD}, "pan_not_allowed"),
    ],
)
def test_p15_card_data_is_never_taken(caller: Caller, merchant: str, method: dict[str, str], code: str) -> None:
    bad = payment(merchant, method={"type": "card", **method})
    caller.post("/payments", bad).refused(422, code)


def test_p15_a_bank_takes_what_it_takes_and_the_list_says_so(caller: Caller, merchant: str) -> None:
    banks = {bank["code"]: bank for bank in caller.get("/banks").done(200)["data"]}
    assert banks["meadow"]["out"]
    limit = banks["granite"]["limits"][0]
    listed = caller.get("/banks", currency="CNY").done(200)["data"]
    assert all(any(each["currency"] == "CNY" for each in bank["limits"]) for bank in listed)

    def by_bank(bank: str | None, amount: int = 6_000) -> Reply:
        method = {"type": "bank_redirect"} | ({} if bank is None else {"bank": bank})
        return caller.post("/payments", payment(merchant, product="online_banking", method=method, amount=amount))

    by_bank(None).refused(422, "field_missing")
    by_bank("nobody").refused(422, "bank_unknown")
    by_bank("meadow").refused(503, "bank_unavailable")
    for amount in (limit["least"] - 1, limit["most"] + 1):
        problem = by_bank("granite", amount).refused(422, "amount_outside_limits")
        assert (problem["least"], problem["most"]) == (limit["least"], limit["most"])


def test_p16_a_second_payment_with_the_key_of_the_first_is_refused_and_the_first_is_untouched(
    caller: Caller, merchant: str
) -> None:
    key, asked = fresh("key"), payment(merchant)
    first = caller.post("/payments", asked, key=key).done()
    caller.post("/payments", {**asked, "amount": 7_000}, key=key).refused(422, "idempotency_key_reused")
    assert caller.post("/payments", asked, key=key).done() == first
    assert caller.get(f"/payments/{first['id']}").done(200)["amount_captured"] == 6_000


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", 100), ("KWD", 1_234), ("ISK", 500), ("EUR", 9_007_199_254_740_993)]
)
def test_p17_minor_units_arrive_at_the_channel_as_they_were_sent(
    service: Service, caller: Caller, currency: str, amount: int
) -> None:
    paid = order(caller, new_merchant(caller, currency), "tok_approved", currency=currency, amount=amount)
    assert (paid["status"], paid["amount"], paid["amount_captured"]) == ("succeeded", amount, amount)
    assert charged_at_the_channel(service, paid) == [amount]


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", 100.5), ("JPY", "100"), ("KWD", 1.2345), ("KWD", "1.234"), ("EUR", 2**53 + 1.0)]
)
def test_p17_no_other_numbers_are_taken(caller: Caller, currency: str, amount: Any) -> None:
    reply = caller.post("/payments", payment(new_merchant(caller, currency), currency=currency, amount=amount))
    assert reply.status in (400, 422)
    assert reply.body["code"] in ("json_fractional_number", "amount_type")


def test_the_list_takes_the_statuses_of_payments_and_no_others(caller: Caller, merchant: str) -> None:
    created = order(caller, merchant, "tok_approved", confirm=False)
    listed = caller.get("/payments", status="created", merchant=merchant).done(200)["data"]
    assert [each["id"] for each in listed] == [created["id"]]
    for status in ("in_review", "partially_captured", "rejected", "expired"):
        assert caller.get("/payments", status=status, merchant=merchant).done(200)["data"] == []
    caller.get("/payments", status="paid").refused(422, "field_invalid")


# --- what is not known ----------------------------------------------------------------------------------------------


def test_p35_looking_at_a_payment_asks_the_channel_and_looking_twice_at_once_asks_it_once(
    service: Service, caller: Caller, merchant: str
) -> None:
    """The channel is silent, and the worker asks by itself ever more seldom: whoever looks does not wait for that."""
    token = f"{fresh('tok')}+tok_redirect+tok_no_callback"
    questions = {"match": {"operation": "query_charge", "token": token}, "fault": "error_500_before"}
    with service.faults({**questions, "probability_permille": 0}):
        asked = order(caller, merchant, token)
        path = f"/payments/{asked['id']}"
        service.wait_until(lambda: service.matched() >= 3)  # The next question of its own is seconds away.
        time.sleep(0.7)
        payer(service, asked, "approve")
        before = service.matched()
        for reply in at_once(*[lambda: caller.get(path)] * 2):
            assert reply.status == 200
        service.wait_until(lambda: caller.send("GET", f"{path}?min_position=1").body["status"] == "succeeded", 1.5)
        assert service.matched() == before + 1
    assert charged_at_the_channel(service, asked) == [6_000]


def test_p36_the_key_of_a_payment_that_is_pending_tells_of_it_and_makes_no_second_one(
    service: Service, caller: Caller, merchant: str
) -> None:
    key, asked = fresh("key"), payment(merchant, method={"type": "card", "token": "tok_sms"})
    first = caller.post("/payments", asked, key=key).done()
    assert caller.post("/payments", asked, key=key).done() == first
    paid = confirm(caller, first, CODE).done(200)
    assert caller.post("/payments", asked, key=key).done() == first
    assert charged_at_the_channel(service, paid) == [6_000]
    listed = caller.get("/payments", order_reference=asked["order_reference"]).done(200)["data"]
    assert [each["status"] for each in listed] == ["succeeded"]


@pytest.mark.parametrize(
    "token", ["tok_malformed_body", "tok_error_500_after", "tok_hangs_for_seconds", "tok_timeout_after"]
)
def test_p46_a_channel_that_answers_with_nonsense_or_not_at_all_is_unknown_until_it_is_asked(
    service: Service, caller: Caller, merchant: str, token: str
) -> None:
    # Longer than anybody waits for it, and not as long as tok_hang.
    hangs = {"match": {"operation": "charge", "token": "tok_hangs_for_seconds"}, "fault": "hang", "delay_ms": 6_000}
    with service.faults(hangs):
        asked = order(caller, merchant, token)
        assert asked["status"] in ("processing", "succeeded")
        paid = becomes(service, caller, asked, "succeeded")
    assert charged_at_the_channel(service, paid) == [6_000]
