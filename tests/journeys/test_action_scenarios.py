"""The payer's part, black-box: codes, steps at the bank, giving up, time that runs out; with the real simulator.

The numbers are those of the list of scenarios. Tokens tell the channel simulator what to ask of the payer.
"""

from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from tests.journeys.caller import Caller, at_once, fresh
from tests.journeys.payers import becomes, cancel, charged_at_the_channel, confirm, new_merchant, order, owed, payer
from tests.journeys.service import Service
from tests.journeys.test_bad_inputs_payments import payment

CODE, WRONG = "123456", "000000"


@pytest.fixture
def merchant(caller: Caller) -> str:
    """A merchant who pays 2 % and nobody has bought from."""
    return new_merchant(caller, "EUR")


# --- created first, begun later -------------------------------------------------------------------------------------


def test_p02_created_then_confirmed_pays_once_and_a_second_time_is_refused(
    service: Service, caller: Caller, merchant: str
) -> None:
    charges = service.charges()
    created = order(caller, merchant, "tok_approved", confirm=False)
    assert (created["status"], created["attempts"], created["next_action"]) == ("created", [], None)
    assert created["expires_at"]
    assert service.charges() == charges
    paid = confirm(caller, created).done(200)
    assert (paid["status"], paid["amount_captured"]) == ("succeeded", 6_000)
    problem = confirm(caller, created).refused(409, "payment_state_invalid")
    assert (problem["payment_status"], problem["expected_status"]) == ("succeeded", ["created", "requires_action"])
    assert charged_at_the_channel(service, paid) == [6_000]


def test_p02_twenty_confirmations_at_once_are_one_charge(service: Service, caller: Caller, merchant: str) -> None:
    created = order(caller, merchant, "tok_approved", confirm=False)
    replies = at_once(*[lambda: confirm(caller, created)] * 20)
    assert sorted({reply.status for reply in replies}) in ([200, 409], [202, 409])
    assert sum(reply.status != 409 for reply in replies) == 1
    paid = becomes(service, caller, created, "succeeded")
    assert charged_at_the_channel(service, paid) == [6_000]
    assert owed(caller, merchant) == 5_880


# --- codes and steps at the bank ------------------------------------------------------------------------------------


def test_a_right_code_pays(service: Service, caller: Caller, merchant: str) -> None:
    asked = order(caller, merchant, "tok_sms")
    assert (asked["status"], asked["next_action"]["type"], asked["amount_captured"]) == (
        "requires_action",
        "sms_code",
        0,
    )
    assert asked["next_action"]["expires_at"] == asked["expires_at"]
    confirm(caller, asked).refused(422, "field_missing")
    paid = confirm(caller, asked, CODE).done(200)
    assert (paid["status"], paid["next_action"]) == ("succeeded", None)
    confirm(caller, asked, CODE).refused(409, "payment_state_invalid")
    assert charged_at_the_channel(service, paid) == [6_000]
    assert owed(caller, merchant) == 5_880


def test_a_wrong_code_asks_again_and_the_right_one_still_pays(caller: Caller, merchant: str) -> None:
    asked = order(caller, merchant, "tok_sms")
    again = confirm(caller, asked, WRONG).done(200)
    assert (again["status"], again["next_action"]["type"]) == ("requires_action", "sms_code")
    assert again["next_action"]["data"]["tries_left"] == "2"
    assert confirm(caller, asked, CODE).done(200)["status"] == "succeeded"


def test_too_many_wrong_codes_fail_in_words_for_the_payer(service: Service, caller: Caller, merchant: str) -> None:
    asked = order(caller, merchant, "tok_sms")
    for _ in range(2):
        assert confirm(caller, asked, WRONG).done(200)["status"] == "requires_action"
    failed = confirm(caller, asked, WRONG).body
    failed = becomes(service, caller, asked, "failed")
    assert (failed["error"]["code"], failed["error"]["next_action"]) == ("authentication_failed", "step_up")
    assert charged_at_the_channel(service, asked) == []
    assert owed(caller, merchant) == 0


def test_a_confirmation_with_the_same_key_is_one(service: Service, caller: Caller, merchant: str) -> None:
    asked = order(caller, merchant, "tok_sms")
    key = fresh("confirm")
    first, second = (
        caller.post(f"/payments/{asked['id']}/confirm", {"answer": CODE}, key=key).done(200) for _ in range(2)
    )
    assert first == second
    assert charged_at_the_channel(service, asked) == [6_000]


def test_a_code_that_the_payer_tells_stands_in_the_log_only_in_a_seal(
    service: Service, caller: Caller, merchant: str
) -> None:
    asked = order(caller, merchant, "tok_sms")
    confirm(caller, asked, CODE).done(200)
    becomes(service, caller, asked, "succeeded")
    facts = caller.get("/audit/trail", entity=asked["id"]).done(200)["data"]
    (sent,) = [fact for fact in facts if fact["topic"] == "payments.confirmation_sent.v1"]
    assert sent["data"]["answer"].startswith("sealed:")
    assert f'"{CODE}"' not in str(facts).replace("'", '"')


@pytest.mark.parametrize("token", ["tok_redirect", "tok_three_ds", "tok_qr"])
def test_what_the_payer_approves_at_the_channel_is_paid_by_its_callback(
    service: Service, caller: Caller, merchant: str, token: str
) -> None:
    asked = order(caller, merchant, token)
    action = asked["next_action"]
    assert (asked["status"], action["type"]) == (
        "requires_action",
        {"tok_qr": "qr_code"}.get(token, token.removeprefix("tok_")),
    )
    assert (action.get("url") or action["data"]["qr"]).startswith("http")
    payer(service, asked, "approve")
    paid = becomes(service, caller, asked, "succeeded")
    assert (paid["amount_captured"], paid["next_action"]) == (6_000, None)
    assert owed(caller, merchant) == 5_880


@pytest.mark.parametrize(("does", "status", "code"), [("refuse", "canceled", "cancelled_by_user")])
def test_what_the_payer_refuses_at_the_channel_is_canceled(
    service: Service, caller: Caller, merchant: str, does: str, status: str, code: str
) -> None:
    asked = order(caller, merchant, "tok_redirect")
    payer(service, asked, does)
    shown = becomes(service, caller, asked, status)
    assert (shown["error"]["code"], charged_at_the_channel(service, asked)) == (code, [])


def test_p52_a_decline_that_asks_for_a_proof_becomes_a_step_at_the_bank(
    service: Service, caller: Caller, merchant: str
) -> None:
    asked = order(caller, merchant, "tok_authentication_required")
    assert (asked["status"], asked["next_action"]["type"]) == ("requires_action", "three_ds")
    assert [attempt["status"] for attempt in asked["attempts"]] == ["declined", "requires_action"]
    payer(service, asked, "approve")
    paid = becomes(service, caller, asked, "succeeded")
    assert charged_at_the_channel(service, paid) == [6_000]


def test_online_banking_sends_the_payer_to_his_bank_and_is_paid_or_closed_there(
    service: Service, caller: Caller, merchant: str
) -> None:
    def by_bank() -> dict[str, Any]:
        method = {"type": "bank_redirect", "bank": "harbour"}
        body = payment(merchant, product="online_banking", method=method, return_url="https://shop.example/done")
        asked: dict[str, Any] = caller.post("/payments", body).done()
        assert (asked["status"], asked["next_action"]["type"]) == ("requires_action", "redirect")
        assert asked["next_action"]["url"].startswith("http")
        assert asked["expires_at"]
        return asked

    paid, canceled, refused = by_bank(), by_bank(), by_bank()
    payer(service, paid, "approve")
    assert becomes(service, caller, paid, "succeeded")["amount_captured"] == 6_000
    assert cancel(caller, canceled).done(200)["status"] == "canceled"
    payer(service, refused, "refuse")
    assert becomes(service, caller, refused, "canceled")["error"]["code"] == "cancelled_by_user"
    assert owed(caller, merchant) == 5_880


# --- giving up ------------------------------------------------------------------------------------------------------


def test_what_was_only_created_is_canceled_and_nothing_was_sent(
    service: Service, caller: Caller, merchant: str
) -> None:
    charges = service.charges()
    created = order(caller, merchant, "tok_approved", confirm=False)
    canceled = cancel(caller, created, reason="changed").done(200)
    assert (canceled["status"], canceled["error"]["code"]) == ("canceled", "cancelled_by_user")
    problem = cancel(caller, created).refused(409, "payment_state_invalid")
    assert problem["payment_status"] == "canceled"
    assert "authorized" in problem["expected_status"]
    confirm(caller, created).refused(409, "payment_state_invalid")
    assert service.charges() == charges


@pytest.mark.parametrize("token", ["tok_sms", "tok_redirect", "tok_qr"])
def test_what_waits_for_its_payer_is_closed_at_the_channel_and_nobody_can_pay_it_any_more(
    service: Service, caller: Caller, merchant: str, token: str
) -> None:
    asked = order(caller, merchant, token)
    canceled = cancel(caller, asked).done(200)
    assert (canceled["status"], canceled["attempts"][0]["status"]) == ("canceled", "closed")
    with pytest.raises(AssertionError):
        payer(service, asked, "approve")
    assert charged_at_the_channel(service, asked) == []
    assert caller.get(f"/payments/{asked['id']}").done(200)["status"] == "canceled"


def test_a_closing_that_nobody_answers_is_asked_until_it_is_known(
    service: Service, caller: Caller, merchant: str
) -> None:
    token = fresh("tok_sms+order")
    asked = order(caller, merchant, token)
    with service.faults({"match": {"operation": "void", "token": token}, "fault": "timeout_after", "times": 1}):
        answered = cancel(caller, asked)
        assert (answered.status, answered.body["status"]) in ((202, "processing"), (200, "canceled"))
        becomes(service, caller, asked, "canceled")
    assert charged_at_the_channel(service, asked) == []


def test_money_that_came_before_the_order_was_closed_pays_it(service: Service, caller: Caller, merchant: str) -> None:
    asked = order(caller, merchant, "tok_redirect+tok_no_callback")
    payer(service, asked, "approve")
    cancel(caller, asked)
    paid = becomes(service, caller, asked, "succeeded")
    assert paid["amount_captured"] == 6_000
    cancel(caller, asked).refused(409, "payment_state_invalid")
    assert owed(caller, merchant) == 5_880


def test_an_order_expires_is_closed_and_cannot_be_paid_any_more(
    service: Service, caller: Caller, merchant: str
) -> None:
    asked = order(caller, merchant, "tok_redirect+tok_expires_2")
    created = order(caller, merchant, "tok_approved", confirm=False, expires_in_s=60)
    assert asked["status"] == "requires_action"
    expired = becomes(service, caller, asked, "expired")
    assert (expired["error"]["code"], expired["error"]["next_action"]) == ("session_expired", "restart")
    assert charged_at_the_channel(service, asked) == []
    assert caller.get(f"/payments/{created['id']}").done(200)["status"] == "created"


# --- what is lost, and what comes at once -----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "error_500_before", "malformed_body"])
def test_p46_a_right_code_whose_answer_was_lost_pays_once_and_is_not_counted_as_wrong(
    service: Service, caller: Caller, merchant: str, fault: str
) -> None:
    token = fresh("tok_sms+order")
    asked = order(caller, merchant, token)
    with service.faults({"match": {"operation": "confirm", "token": token}, "fault": fault, "times": 1}):
        confirm(caller, asked, CODE)
        paid = becomes(service, caller, asked, "succeeded")
    assert charged_at_the_channel(service, paid) == [6_000]
    assert owed(caller, merchant) == 5_880


def test_giving_up_and_paying_at_the_same_moment_end_in_one_of_the_two_on_both_sides(
    service: Service, caller: Caller, merchant: str
) -> None:
    def approve(asked: dict[str, Any]) -> None:
        with suppress(AssertionError):
            payer(service, asked, "approve")

    orders = [order(caller, merchant, "tok_redirect") for _ in range(10)]
    at_once(*[call for each in orders for call in (partial(cancel, caller, each), partial(approve, each))])
    shown = [becomes(service, caller, each, "succeeded", "canceled") for each in orders]
    for each in shown:
        taken = charged_at_the_channel(service, each)
        assert taken == ([6_000] if each["status"] == "succeeded" else [])
    assert owed(caller, merchant) == 5_880 * sum(each["status"] == "succeeded" for each in shown)
