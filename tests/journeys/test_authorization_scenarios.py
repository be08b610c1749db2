"""Payments' black-box cases of authorizations: captures in parts, voids, increments, expiry, revocations.

The numbers are those of the list of scenarios. Tokens tell the channel simulator how to behave.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_bad_inputs_payments import payment
from tests.journeys.test_payment_scenarios import becomes, owed, standing

MEMO, CONTRA = f"sys:9010:{CHANNEL}:eur", f"sys:9019:{CHANNEL}:eur"
RECEIVABLE, CHANNEL_FEE = f"sys:1110:{CHANNEL}:eur", f"sys:5010:{CHANNEL}:eur"
Hold = Callable[..., dict[str, Any]]


@pytest.fixture
def merchant(caller: Caller) -> str:
    """A merchant who pays 2 % and 10 cents, and nobody has bought from."""
    terms = {"fee": {"percent_bps": 200, "fixed": 10}, "settlement_currency": "EUR"}
    return str(caller.post("/merchants", {"id": fresh("merchant"), "name": "Shop", **terms}).done()["id"])


@pytest.fixture
def hold(caller: Caller, merchant: str) -> Hold:
    """Have 60.00 EUR held by card with this token; what is answered at once."""

    def by_card(token: str | None = None, status: int = 201, **more: Any) -> dict[str, Any]:
        order = payment(merchant, method={"type": "card", "token": token}, capture="manual", **more)
        answered: dict[str, Any] = caller.post("/payments", order).done(status)
        return answered

    return by_card


def act(caller: Caller, held: dict[str, Any], what: str, **asked: Any) -> Reply:
    return caller.post(f"/payments/{held['id']}/{what}", asked)


def capture(caller: Caller, held: dict[str, Any], amount: int | None = None, *, final: bool = False) -> Reply:
    return act(caller, held, "capture", final=final, **({} if amount is None else {"amount": amount}))


def show(caller: Caller, held: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = caller.get(f"/payments/{held['id']}").done(200)
    return shown


def memo(caller: Caller) -> int:
    """What is held beside the books; its two accounts always sum to nothing."""
    held, contra = standing(caller, MEMO, CONTRA)
    assert held == -contra
    return held


def requests_to_channel(service: Service) -> int:
    """How many charges and changes the channel has in its books."""
    books = service._simulated("/books")
    return sum(len(kind) for kind in books.values() if isinstance(kind, list))


def test_p03_what_is_held_is_captured_whole(caller: Caller, merchant: str, hold: Hold) -> None:
    before = memo(caller)
    held = hold()
    assert (held["status"], held["amount_authorized"], held["amount_captured"]) == ("authorized", 6_000, 0)
    assert held["capture_before"] is not None
    assert memo(caller) == before + 6_000
    taken = capture(caller, held).done()
    assert (taken["id"], taken["status"], taken["amount_captured"]) == (held["id"], "succeeded", 6_000)
    assert (memo(caller), owed(caller, merchant)) == (before, 6_000 - 130)
    trial = caller.get("/trial-balance").done(200)
    assert trial["currencies"]["EUR"]["difference"] == 0
    assert {row["kind"] for row in trial["accounts"] if row["account"] in (MEMO, CONTRA)} == {"memo"}
    own = {"id": fresh("memo"), "name": "Mine", "kind": "memo", "currency": "EUR"}
    caller.post("/accounts", own).refused(422, "field_invalid")


def test_p04_a_final_capture_of_a_part_lets_go_of_the_rest(caller: Caller, merchant: str, hold: Hold) -> None:
    before = memo(caller)
    held = hold()
    taken = capture(caller, held, 4_000, final=True).done()
    assert (taken["status"], taken["amount_captured"], taken["amount_capturable"]) == ("succeeded", 4_000, 0)
    assert (memo(caller), owed(caller, merchant)) == (before, 4_000 - 90)
    problem = act(caller, held, "cancel").refused(409, "payment_state_invalid")
    assert problem["payment_status"] == "succeeded"


def test_p05_captures_in_parts_and_not_one_unit_more(
    service: Service, caller: Caller, merchant: str, hold: Hold
) -> None:
    held = hold()
    for _ in range(2):
        assert capture(caller, held, 2_000).done()["status"] == "partially_captured"
    taken = capture(caller, held, 2_000).done()
    assert taken["status"] == "succeeded"
    assert [(one["amount"], one["status"]) for one in taken["captures"]] == [(2_000, "succeeded")] * 3
    sent = requests_to_channel(service)
    problem = capture(caller, held, 1).refused(409, "payment_state_invalid")
    assert (problem["payment_status"], problem["expected_status"]) == (
        "succeeded",
        ["authorized", "partially_captured"],
    )
    assert (requests_to_channel(service), owed(caller, merchant)) == (sent, 6_000 - 130)


def test_p06_more_than_is_held_is_refused_and_nothing_is_sent(service: Service, caller: Caller, hold: Hold) -> None:
    held = hold()
    sent = requests_to_channel(service)
    problem = capture(caller, held, 6_001).refused(422, "capture_exceeds_authorization")
    assert (problem["amount"], problem["capturable"]) == (6_001, 6_000)
    assert problem["errors"][0]["pointer"] == "/amount"
    capture(caller, held, 0).refused(422, "amount_not_positive")
    assert (requests_to_channel(service), show(caller, held)["captures"]) == (sent, [])


def test_p06_a_channel_may_allow_more_than_was_authorized(service: Service) -> None:
    caller = service.caller(service.new_book())
    only_b = {"rules": [], "default": {"type": "priority", "channels": ["card_simulator_b"]}}
    caller.send("PUT", "/routing/rules", json=only_b, headers={"idempotency-key": fresh("key")}).done(200)
    terms = {"fee": {"percent_bps": 200, "fixed": 10}, "settlement_currency": "EUR"}
    merchant = caller.post("/merchants", {"id": fresh("merchant"), "name": "Shop", **terms}).done()["id"]
    held = caller.post("/payments", payment(merchant, capture="manual")).done()
    problem = capture(caller, held, 6_901).refused(422, "capture_exceeds_authorization")
    assert problem["capturable"] == 6_900
    taken = capture(caller, held, 6_900).done()
    assert (taken["status"], taken["amount_captured"]) == ("succeeded", 6_900)
    assert standing(caller, "sys:9010:card_simulator_b:eur") == [0]


def test_p07_only_what_is_held_is_captured(caller: Caller, merchant: str, hold: Hold) -> None:
    paid = caller.post("/payments", payment(merchant)).done()
    failed = hold("tok_do_not_honor")
    canceled = hold()
    act(caller, canceled, "cancel").done(200)
    unknown = hold("tok_timeout_before", 202)
    for held, status in ((paid, "succeeded"), (failed, "failed"), (canceled, "canceled"), (unknown, "processing")):
        problem = capture(caller, held).refused(409, "payment_state_invalid")
        assert (problem["payment_status"], problem["expected_status"]) == (
            status,
            ["authorized", "partially_captured"],
        )
    capture(caller, {"id": "pay_nobody"}).refused(404, "payment_not_found")


def test_p08_a_void_once_and_only_of_what_is_held(caller: Caller, merchant: str, hold: Hold) -> None:
    before = memo(caller)
    held = hold()
    canceled = act(caller, held, "cancel", reason="changed their mind").done(200)
    assert (canceled["status"], canceled["amount_capturable"], memo(caller)) == ("canceled", 0, before)
    problem = act(caller, held, "cancel").refused(409, "payment_state_invalid")
    assert problem["payment_status"] == "canceled"
    paid = caller.post("/payments", payment(merchant)).done()
    act(caller, paid, "cancel").refused(409, "payment_state_invalid")


def test_p09_more_is_held_and_captured(caller: Caller, merchant: str, hold: Hold) -> None:
    before = memo(caller)
    held = hold()
    raised = act(caller, held, "increment", amount=2_000).done()
    assert (raised["status"], raised["amount_authorized"], memo(caller)) == ("authorized", 8_000, before + 8_000)
    taken = capture(caller, held, 8_000).done()
    assert (taken["status"], taken["amount_captured"], memo(caller)) == ("succeeded", 8_000, before)
    assert owed(caller, merchant) == 8_000 - 170
    act(caller, held, "increment", amount=1).refused(409, "payment_state_invalid")


def test_p10_what_is_held_is_held_for_longer(caller: Caller, hold: Hold) -> None:
    held = hold("tok_expires_600")
    extended = act(caller, held, "extend").done()
    assert extended["capture_before"] > held["capture_before"]
    assert capture(caller, held).done()["status"] == "succeeded"
    act(caller, held, "extend").refused(409, "payment_state_invalid")


def test_p11_what_is_held_ends_by_the_clock(service: Service, caller: Caller, hold: Hold) -> None:
    before = memo(caller)
    held = hold("tok_expires_1")
    becomes(service, caller, f"/payments/{held['id']}", "expired")
    problem = capture(caller, held).refused(409, "auth_expired")
    assert problem["payment_status"] == "expired"
    assert memo(caller) == before


def test_p12_a_capture_is_taken_back_and_made_again(caller: Caller, merchant: str, hold: Hold) -> None:
    accounts = (RECEIVABLE, CHANNEL_FEE, MEMO, CONTRA, f"sys:2110:{merchant}:eur", "sys:4010:quick_pay:eur")
    before = standing(caller, *accounts)
    held = hold()
    capture(caller, held).done()
    once = standing(caller, *accounts)
    revoked = act(caller, held, "revoke", reason="wrong article").done()
    assert (revoked["revoked_by"], revoked["status"], revoked["payment_status"]) == (
        "void",
        "succeeded",
        "authorized",
    )
    assert show(caller, held)["amount_captured"] == 0
    assert standing(caller, *accounts) == [
        then + (6_000 if name == MEMO else -6_000 if name == CONTRA else 0)
        for name, then in zip(accounts, before, strict=True)
    ]
    assert capture(caller, held).done()["status"] == "succeeded"
    assert standing(caller, *accounts) == once


def test_p12_a_payment_in_one_step_is_revoked_on_its_day(caller: Caller, merchant: str) -> None:
    accounts = (RECEIVABLE, CHANNEL_FEE, f"sys:2110:{merchant}:eur", "sys:4010:quick_pay:eur")
    before = standing(caller, *accounts)
    paid = caller.post("/payments", payment(merchant)).done()
    revoked = act(caller, paid, "revoke").done()
    assert (revoked["revoked_by"], revoked["payment_status"], revoked["amount"]) == ("void", "canceled", 6_000)
    assert standing(caller, *accounts) == before
    act(caller, paid, "revoke").refused(409, "payment_state_invalid")
    caller.post(f"/payments/{paid['id']}/refunds", {"reason": "again"}).refused(409, "payment_state_invalid")


def test_p12_what_was_given_back_in_part_is_revoked_by_a_refund(caller: Caller, merchant: str) -> None:
    paid = caller.post("/payments", payment(merchant)).done()
    caller.post(f"/payments/{paid['id']}/refunds", {"amount": 1_000, "reason": "returned"}).done()
    revoked = act(caller, paid, "revoke").done()
    assert (revoked["revoked_by"], revoked["status"], revoked["amount"]) == ("refund", "succeeded", 5_000)
    assert show(caller, paid)["refund_status"] == "full"
    held_by_nobody = {"id": "pay_nobody"}
    act(caller, held_by_nobody, "revoke").refused(404, "payment_not_found")


def test_p14_a_part_that_is_held_is_the_merchants_choice(caller: Caller, merchant: str, hold: Hold) -> None:
    before = memo(caller)
    held = hold("tok_partial_75")
    assert (held["status"], held["partially_authorized"], held["amount_authorized"]) == ("authorized", True, 4_500)
    assert (memo(caller), owed(caller, merchant)) == (before + 4_500, 0)
    capture(caller, held, 4_501).refused(422, "capture_exceeds_authorization")
    assert capture(caller, held).done()["amount_captured"] == 4_500
    refused = hold("tok_partial_75")
    assert act(caller, refused, "cancel").done(200)["status"] == "canceled"
    assert memo(caller) == before


def test_p16_a_second_payment_under_the_same_key_leaves_the_first_untouched(caller: Caller, merchant: str) -> None:
    key, order = fresh("key"), payment(merchant, capture="manual")
    first = caller.post("/payments", order, key=key)
    head = caller.head()
    again = caller.post("/payments", order, key=key)
    assert (again.is_replay, again.raw) == (True, first.raw)
    caller.post("/payments", {**order, "amount": 1}, key=key).refused(422, "idempotency_key_reused")
    caller.post("/payments", {**order, "id": first.body["id"]}).refused(422, "unknown_field")
    assert caller.head() == head


def test_p20_a_partly_captured_payment_gives_back_what_was_captured(caller: Caller, hold: Hold) -> None:
    held = hold()
    capture(caller, held, 4_000).done()
    body = {"amount": 4_001, "reason": "returned"}
    problem = caller.post(f"/payments/{held['id']}/refunds", body).refused(422, "refund_exceeds_payment")
    assert problem["refundable"] == 4_000
    caller.post(f"/payments/{held['id']}/refunds", {**body, "amount": 4_000}).done()
    shown = show(caller, held)
    assert (shown["status"], shown["amount_refunded"], shown["amount_capturable"]) == (
        "partially_captured",
        4_000,
        2_000,
    )


def test_p21_what_is_only_held_is_not_given_back(caller: Caller, hold: Hold) -> None:
    problem = caller.post(f"/payments/{hold()['id']}/refunds", {"reason": "returned"}).refused(
        409, "payment_state_invalid"
    )
    assert problem["payment_status"] == "authorized"


def test_a_capture_that_the_channel_refuses_can_be_made_again(caller: Caller, hold: Hold) -> None:
    held = hold("tok_capture_generic_decline")
    refused = capture(caller, held, 4_000).done()
    assert (refused["status"], refused["amount_capturable"]) == ("authorized", 6_000)
    assert (refused["captures"][0]["status"], refused["captures"][0]["error"]["code"]) == ("failed", "generic_decline")


def test_a_capture_without_an_answer_is_processing_until_it_is_known(
    service: Service, caller: Caller, hold: Hold
) -> None:
    held = hold("tok_capture_late")
    with service.faults({"match": {"operation": "capture"}, "fault": "timeout_after"}):
        key = fresh("key")
        pending = caller.post(f"/payments/{held['id']}/capture", {"amount": 1_000}, key=key)
        assert pending.status in (201, 202)
    shown = becomes(service, caller, f"/payments/{held['id']}", "partially_captured")
    assert (shown["amount_captured"], len(shown["captures"])) == (1_000, 1)
    again = caller.post(f"/payments/{held['id']}/capture", {"amount": 1_000}, key=key)
    assert (again.is_replay, again.raw) == (True, pending.raw)


def test_money_in_a_wallet_is_held_captured_and_let_go(caller: Caller, merchant: str) -> None:
    customer = fresh("customer")
    caller.post("/customers", {"id": customer}).done()
    caller.post(f"/customers/{customer}/wallets", {"currency": "EUR"}).done()
    top_up = {"amount": 10_000, "method": {"type": "card", "token": "tok_approved"}}
    caller.post(f"/wallets/{customer}/EUR/top-ups", top_up).done()
    frozen, wallet = f"sys:2020:{customer}:eur", f"sys:2010:{customer}:eur"
    order = payment(merchant, product="balance_pay", method={"type": "wallet"}, customer=customer, capture="manual")
    held = caller.post("/payments", order).done()
    assert (held["status"], standing(caller, wallet, frozen)) == ("authorized", [4_000, 6_000])
    caller.post("/payments", {**order, "amount": 4_001, "order_reference": fresh("order")}).refused(
        409, "insufficient_funds"
    )
    taken = capture(caller, held, 4_000).done()
    assert (taken["status"], standing(caller, wallet, frozen)) == ("partially_captured", [4_000, 2_000])
    done = act(caller, held, "revoke").done()
    assert (done["revoked_by"], standing(caller, wallet, frozen)) == ("refund", [10_000, 0])
    again = caller.post("/payments", {**order, "order_reference": fresh("order")}).done()
    assert act(caller, again, "revoke").done()["revoked_by"] == "void"
    assert standing(caller, wallet, frozen) == [10_000, 0]
