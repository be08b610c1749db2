"""Authorizations while the channel misbehaves: in the end its own books and ours say the same, payment by payment."""

from functools import partial
from itertools import cycle
from typing import Any

from tests.journeys.caller import Caller, at_once, fresh
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_bad_inputs_payments import payment
from tests.journeys.test_payment_scenarios import standing

OPERATIONS = ("charge", "capture", "void", "increment")
FAULTS = ("timeout_after", "error_500_before", "error_500_after", "malformed_body", "wrong_amount")
MESSAGES = ("duplicate_callback", "reordered_callback", "wrong_signature_callback", "no_callback")
RULES: list[dict[str, Any]] = [
    {"match": {"operation": operation}, "fault": fault, "probability_permille": 120}
    for operation in OPERATIONS
    for fault in (*FAULTS, *MESSAGES)
]
# What is done with what is held: path and body, one after another.
PLANS: list[list[tuple[str, dict[str, Any]]]] = [
    [("capture", {})],
    [("capture", {"amount": 2_000}), ("capture", {"amount": 1_000, "final": True})],
    [("increment", {"amount": 2_000}), ("capture", {"amount": 8_000})],
    [("capture", {"amount": 1_500}), ("cancel", {})],
    [("cancel", {})],
    [("capture", {}), ("revoke", {}), ("capture", {"amount": 500})],
]
UNDER_WAY = {"processing", "requires_action"}
# What came before is not known yet.
NOT_YET = ("change_under_way", "capture_exceeds_authorization")


def settled(service: Service, caller: Caller, name: str) -> dict[str, Any]:
    """What is shown once neither the payment nor a capture of it is under way."""

    def show() -> dict[str, Any]:
        shown: dict[str, Any] = caller.get(f"/payments/{name}").done(200)
        return shown

    def is_over() -> bool:
        shown = show()
        return not {shown["status"], *(one["status"] for one in shown["captures"])} & UNDER_WAY

    service.wait_until(is_over, patience_s=60)
    return show()


def carry_out(service: Service, caller: Caller, merchant: str, plan: list[tuple[str, dict[str, Any]]]) -> str:
    """Have money held and do with it what is planned, each step once the one before it is known."""
    name = str(caller.post("/payments", payment(merchant, capture="manual")).body["id"])

    def is_taken(path: str, body: dict[str, Any]) -> bool:
        # What is refused stays refused under its key: asked again, it is another request.
        reply = caller.post(f"/payments/{name}/{path}", body)
        assert reply.status in (200, 201, 202) or reply.body["code"] in NOT_YET, (path, reply.status, reply.raw[:500])
        return reply.status < 400

    for path, body in plan:
        settled(service, caller, name)
        service.wait_until(partial(is_taken, path, body), patience_s=60)
    return name


def test_whatever_the_channel_does_its_books_and_ours_agree(service: Service) -> None:
    caller = service.caller(service.new_book())
    terms = {"fee": {"percent_bps": 200, "fixed": 10}, "settlement_currency": "EUR"}
    merchant = caller.post("/merchants", {"id": fresh("merchant"), "name": "Shop", **terms}).done()["id"]
    plans = [plan for plan, _ in zip(cycle(PLANS), range(18), strict=False)]
    with service.faults(*RULES):
        names = at_once(*(partial(carry_out, service, caller, merchant, plan) for plan in plans))

        def agrees(name: str) -> bool:
            ours, theirs = caller.get(f"/payments/{name}").done(200), charge_of(service, name)
            return (ours["amount_captured"], ours["amount_capturable"]) == (theirs["captured"], theirs["open"])

        service.wait_until(lambda: all(agrees(name) for name in names), patience_s=90)
    held = sum(charge_of(service, name)["open"] for name in names)
    captured = sum(charge_of(service, name)["captured"] for name in names)
    memo, receivable, fees = standing(
        caller, f"sys:9010:{CHANNEL}:eur", f"sys:1110:{CHANNEL}:eur", f"sys:5010:{CHANNEL}:eur"
    )
    assert (memo, receivable + fees) == (held, captured)
    trial = caller.get("/trial-balance").done(200)["currencies"]["EUR"]
    assert trial["difference"] == 0


def charge_of(service: Service, name: str) -> dict[str, Any]:
    charges = service._simulated("/books")["charges"]
    found: dict[str, Any] = next(one for one in charges if one["id"] == f"{name}-1")
    return found
