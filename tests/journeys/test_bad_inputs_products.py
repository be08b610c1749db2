"""Bad inputs to what came with payments: captures, refunds, contracts, payouts, webhooks, risk, routing, exchange."""

from typing import Any

from tests.journeys.bad_inputs import CARD, Case, Desk, cases, check
from tests.journeys.caller import Reply, fresh
from tests.journeys.parties import BANK

NOBODY = "pay_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f"
PAYOUT: dict[str, Any] = {"merchant": "nobody", "amount": 1, "currency": "EUR", "destination": BANK}
CONTRACT: dict[str, Any] = {
    "customer": "nobody",
    "merchant": "nobody",
    "product": "protocol_pay",
    "method": {"type": "card", "token": "tok_visa"},
    "limits": {"currency": "EUR", "per_charge": 100, "per_period": {"amount": 100, "period": "month"}},
}
RATE: dict[str, Any] = {"from": "EUR", "to": "USD", "rate": "1.25", "source": "treasury"}
HOOK: dict[str, Any] = {"url": "https://hooks.example/in", "topics": ["payments.*"]}
RULE: dict[str, Any] = {"name": "large", "condition": "amount > 1", "verdict": "reject"}
CHARGE: dict[str, Any] = {"product": "quick_pay", "method": "card", "amount": 6_000, "currency": "EUR"}
LISTED: dict[str, Any] = {"type": "device", "value": "d-1", "reason": "stolen"}


def bad(
    row: int, what: str, path: str, body: Any, status: int, code: str, pointer: str = "", *, method: str = "POST"
) -> Case:
    """A body to this address, as somebody who may do everything."""

    def send(desk: Desk) -> Reply:
        return desk.caller.send(method, path, json=body, headers={"idempotency-key": fresh("bad")})

    return Case(row, what, send, status, code, pointer=pointer)


def limits(**changed: Any) -> dict[str, Any]:
    return {**CONTRACT, "limits": {**CONTRACT["limits"], **changed}}


CHANGES = [
    bad(1, "capture of 0", f"/payments/{NOBODY}/capture", {"amount": 0}, 422, "amount_not_positive", "/amount"),
    bad(2, "increment by -1", f"/payments/{NOBODY}/increment", {"amount": -1}, 422, "amount_not_positive", "/amount"),
    bad(6, "capture of a text", f"/payments/{NOBODY}/capture", {"amount": "7"}, 422, "amount_type", "/amount"),
    bad(5, "capture of 1.5", f"/payments/{NOBODY}/capture", {"amount": 1.5}, 400, "json_fractional_number"),
    bad(
        3,
        "refund of true",
        f"/payments/{NOBODY}/refunds",
        {"amount": True, "reason": "x"},
        422,
        "amount_type",
        "/amount",
    ),
    bad(29, "capture to somebody", f"/payments/{NOBODY}/capture", {"to": "me"}, 422, "unknown_field", "/to"),
    bad(39, "capture of nothing", f"/payments/{NOBODY}/capture", {}, 404, "payment_not_found"),
    bad(39, "confirmation of nothing", f"/payments/{NOBODY}/confirm", {}, 404, "payment_not_found"),
    bad(39, "cancellation of nothing", f"/payments/{NOBODY}/cancel", {}, 404, "payment_not_found"),
    bad(39, "extension of nothing", f"/payments/{NOBODY}/extend", {}, 404, "payment_not_found"),
    bad(39, "revocation of nothing", f"/payments/{NOBODY}/revoke", {}, 404, "payment_not_found"),
    bad(39, "another try of nothing", f"/payments/{NOBODY}/retry", {}, 404, "payment_not_found"),
    bad(
        64, "a card in the reason of a refund", f"/payments/{NOBODY}/refunds", {"reason": CARD}, 422, "pan_not_allowed"
    ),
]
CONTRACTS = [
    bad(1, "a limit of 0", "/contracts", limits(per_charge=0), 422, "amount_not_positive"),
    bad(31, "limits in no currency", "/contracts", limits(currency="EURO"), 422, "currency_unknown"),
    bad(39, "a contract with nobody", "/contracts", CONTRACT, 422, "merchant_unknown", "/merchant"),
    bad(30, "a contract that is active", "/contracts", {**CONTRACT, "status": "active"}, 422, "unknown_field"),
    bad(
        66,
        "an end without an offset",
        "/contracts",
        {**CONTRACT, "expires_at": "2030-01-01T00:00:00"},
        422,
        "timestamp_format",
    ),
    bad(39, "the end of no contract", "/contracts/con_1/terminate", {"reason": "x"}, 404, "contract_not_found"),
]
PAYOUTS = [
    bad(2, "a payout of -1", "/payouts", {**PAYOUT, "amount": -1}, 422, "amount_not_positive", "/amount"),
    bad(20, "a payout of all money", "/payouts", {**PAYOUT, "amount": 10**17 + 1}, 422, "amount_overflow"),
    bad(16, "a payout beyond numbers", "/payouts", {**PAYOUT, "amount": 2**63}, 400, "json_integer_too_large"),
    bad(39, "a payout of nobody", "/payouts", PAYOUT, 422, "merchant_unknown", "/merchant"),
    bad(29, "a payout to two", "/payouts", {**PAYOUT, "destination": {**BANK, "also": "me"}}, 422, "unknown_field"),
    bad(
        64,
        "a payout to a card",
        "/payouts",
        {**PAYOUT, "destination": {**BANK, "account_number": CARD}},
        422,
        "pan_not_allowed",
    ),
    bad(
        65,
        "a payout with a PIN",
        "/payouts",
        {**PAYOUT, "metadata": {"pin": "1234"}},
        422,
        "sensitive_field_not_allowed",
    ),
    bad(102, "agreement to no payout", "/payouts/po_1/approve", {}, 404, "payout_not_found"),
]
HOOKS = [
    bad(
        106,
        "a file as address",
        "/webhook-endpoints",
        {**HOOK, "url": "file:///etc/passwd"},
        422,
        "url_not_allowed",
        "/url",
    ),
    bad(106, "gopher", "/webhook-endpoints", {**HOOK, "url": "gopher://8.8.8.8/"}, 422, "url_not_allowed", "/url"),
    bad(
        106,
        "a name and a password",
        "/webhook-endpoints",
        {**HOOK, "url": "https://me:x@8.8.8.8/"},
        422,
        "url_not_allowed",
        "/url",
    ),
    bad(106, "port 22", "/webhook-endpoints", {**HOOK, "url": "https://8.8.8.8:22/"}, 422, "url_not_allowed", "/url"),
    bad(106, "this machine", "/webhook-endpoints", {**HOOK, "url": "https://127.1/"}, 422, "url_not_allowed", "/url"),
    bad(90, "no topics", "/webhook-endpoints", {**HOOK, "topics": []}, 422, "field_invalid", "/topics"),
    bad(
        39,
        "a replay to nobody",
        "/webhook-endpoints/whe_1/replay",
        {"from_position": 1},
        404,
        "webhook_endpoint_not_found",
    ),
]
RULES = [
    bad(
        89,
        "a rule that asks for nothing known",
        "/risk/rules",
        {"rules": [{**RULE, "condition": "amuont > 1"}]},
        422,
        "risk_rule_invalid",
        "/rules/0/condition",
        method="PUT",
    ),
    bad(
        89,
        "a rule that cannot be read",
        "/risk/rules",
        {"rules": [{**RULE, "condition": "amount >"}]},
        422,
        "risk_rule_invalid",
        "/rules/0/condition",
        method="PUT",
    ),
    bad(
        29,
        "a rule with a mistyped field",
        "/risk/rules",
        {"rules": [{**RULE, "verdcit": "allow"}]},
        422,
        "unknown_field",
        method="PUT",
    ),
    bad(89, "a list that is not there", "/risk/lists/grey", LISTED, 422, "field_invalid"),
    bad(64, "a card on the block list", "/risk/lists/block", {**LISTED, "value": CARD}, 422, "pan_not_allowed"),
    bad(
        89,
        "routing to no channel",
        "/routing/rules",
        {"default": {"type": "priority", "channels": ["nobody"]}},
        422,
        "routing_rules_invalid",
        method="PUT",
    ),
    bad(
        89,
        "a split of 90 %",
        "/routing/rules",
        {"default": {"type": "split", "shares": [{"channel": "card_simulator", "percent": 90}]}},
        422,
        "routing_rules_invalid",
        method="PUT",
    ),
    bad(
        89,
        "a rehearsal of nothing",
        "/routing/evaluate",
        {"charge": {**CHARGE, "amount": 0}},
        422,
        "amount_not_positive",
        "/charge/amount",
    ),
    bad(
        89,
        "a circuit half-way",
        "/channels/card_simulator/circuit",
        {"state": "ajar", "reason": "x"},
        422,
        "field_invalid",
        "/state",
    ),
    bad(39, "a review that is not there", "/reviews/rev_1/approve", {}, 404, "review_not_found"),
]
EXCHANGE = [
    bad(112, "a rate of 0", "/fx/rates", {**RATE, "rate": "0"}, 422, "rate_invalid", "/rate"),
    bad(112, "a rate of 0.000", "/fx/rates", {**RATE, "rate": "0.000"}, 422, "rate_invalid", "/rate"),
    bad(112, "a negative rate", "/fx/rates", {**RATE, "rate": "-1.25"}, 422, "rate_invalid", "/rate"),
    bad(112, "a rate that is a number", "/fx/rates", {**RATE, "rate": 1.25}, 400, "json_fractional_number"),
    bad(112, "a rate with an exponent", "/fx/rates", {**RATE, "rate": "1e3"}, 422, "rate_invalid", "/rate"),
    bad(31, "a rate of no currency", "/fx/rates", {**RATE, "to": "EURO"}, 422, "currency_unknown", "/to"),
    bad(37, "a rate of a currency to itself", "/fx/rates", {**RATE, "to": "EUR"}, 422, "field_invalid", "/to"),
    bad(1, "a quote of nothing", "/fx/quotes", {"from": "EUR", "to": "USD", "amount": 0}, 422, "amount_not_positive"),
]


@cases(*CHANGES, *CONTRACTS, *PAYOUTS, *HOOKS, *RULES, *EXCHANGE)
def test_what_is_no_request_of_ours_is_refused_and_nothing_is_written(desk: Desk, case: Case) -> None:
    check(desk, case)
