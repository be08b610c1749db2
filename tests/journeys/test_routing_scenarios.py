"""Payments' black-box cases 47 to 57: routing, failover, circuits; two channels, each with books of its own.

The numbers are those of the list of scenarios. Whatever happens, one payment is charged once at most, at one of them.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import httpx2
import pytest

from commands.routing_replay import replayed
from ledger.store.append import recorded
from ledger.store.connection import in_book
from tests.journeys.caller import Caller, Reply, fresh
from tests.journeys.service import Service

A, B = "card_simulator", "card_simulator_b"
PATIENCE_S = 30.0
# So long a channel that does not answer is waited for.
READ_TIMEOUT_S = 2.0


class Shop:
    """A merchant in a book of its own, and both channels' books beside."""

    def __init__(self, service: Service) -> None:
        self.service, self.book = service, service.new_book()
        self.caller: Caller = service.caller(self.book)
        terms = {"fee": {"percent_bps": 200, "fixed": 0}, "settlement_currency": "EUR"}
        self.merchant = str(self.caller.post("/merchants", {"id": "shop", "name": "Shop", **terms}).done()["id"])
        self.payments: list[str] = []

    # --- rules

    def put_rules(self, status: int = 200, **document: Any) -> Any:
        reply = self.caller.send("PUT", "/routing/rules", json=document, headers={"idempotency-key": fresh("rules")})
        return reply.done(status) if status < 400 else reply.refused(status, "routing_rules_invalid")

    def evaluate(self, rules: dict[str, Any] | None = None, **charge: Any) -> dict[str, Any]:
        asked = {"product": "quick_pay", "method": "card", "amount": 6_000, "currency": "EUR", **charge}
        body = {"charge": asked} | ({} if rules is None else {"rules": rules})
        found: dict[str, Any] = self.caller.send("POST", "/routing/evaluate", json=body).done(200)
        return found

    # --- payments

    def order(self, token: str | None = None, **more: Any) -> Reply:
        method = {"type": "card"} | ({} if token is None else {"token": token})
        body = {
            "merchant": self.merchant,
            "amount": 6_000,
            "currency": "EUR",
            "product": "quick_pay",
            "method": method,
            "order_reference": fresh("order"),
            **more,
        }
        reply = self.caller.post("/payments", body)
        if reply.status < 300:
            self.payments.append(reply.body["id"])
        return reply

    def pay(self, token: str | None = None, **more: Any) -> dict[str, Any]:
        """The payment once its channel has said what became of it."""
        return self.outcome(self.order(token, **more).body["id"])

    def outcome(self, payment: str, *, until: Callable[[dict[str, Any]], bool] | None = None) -> dict[str, Any]:
        known = until or (lambda shown: shown["status"] != "processing")
        self.service.wait_until(lambda: known(self.caller.get(f"/payments/{payment}").done(200)), PATIENCE_S)
        shown: dict[str, Any] = self.caller.get(f"/payments/{payment}").done(200)
        return shown

    def channel(self, name: str) -> dict[str, Any]:
        channels = self.caller.get("/channels").done(200)["data"]
        (found,) = [channel for channel in channels if channel["name"] == name]
        shown: dict[str, Any] = found
        return shown

    def circuit(self, name: str) -> str:
        (card,) = [one for one in self.channel(name)["methods"] if one["method"] == "card"]
        return str(card["circuit"])

    # --- what the channels have in their books

    def charges(self) -> dict[str, list[str]]:
        """By payment: the channels that took money for it, once for each time."""
        taken: dict[str, list[str]] = {payment: [] for payment in self.payments}
        with httpx2.Client(trust_env=False) as client:
            for name in (A, B):
                for charge in client.get(f"{self.service.simulator_url}/{name}/books").json()["charges"]:
                    payment = charge["id"].rpartition("-")[0]
                    if payment in taken and charge["status"] == "succeeded":
                        taken[payment].append(name)
        return taken


@pytest.fixture
def shop(service: Service) -> Iterator[Shop]:
    """At its end nobody was charged twice, and every choice can be made again from the log."""
    shop = Shop(service)
    yield shop
    assert all(len(channels) <= 1 for channels in shop.charges().values())
    with service.database.owner() as connection:
        statement = (
            "SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata"
            " FROM {schema}.events ORDER BY notification_id"
        )
        log = [recorded(row) for row in connection.execute(in_book(statement, shop.book)).fetchall()]
    for recorded_choice, again in replayed(log):
        assert recorded_choice.event == again


@contextmanager
def going_wrong(service: Service, **faults: list[dict[str, Any]]) -> Iterator[None]:
    """Each of these channels misbehaves by its rules for the length of a block."""
    with httpx2.Client(trust_env=False) as client:

        def plan(rules: dict[str, list[dict[str, Any]]]) -> None:
            for name, told in rules.items():
                answer = client.put(f"{service.simulator_url}/{name}/faults", json={"seed": 1, "rules": told})
                assert answer.status_code == 200, answer.text

        plan(faults)
        try:
            yield
        finally:
            plan({name: [] for name in faults})


def at_a(service: Service, token: str, fault: str, **more: Any) -> AbstractContextManager[None]:
    """Charges with this token go wrong at the first channel, and go well at the second."""
    return going_wrong(service, **{A: [{"match": {"operation": "charge", "token": token}, "fault": fault, **more}]})


def priority(*channels: str) -> dict[str, Any]:
    return {"type": "priority", "channels": list(channels)}


def split(a: int, b: int) -> dict[str, Any]:
    return {"type": "split", "shares": [{"channel": A, "percent": a}, {"channel": B, "percent": b}]}


def channels_of(payment: dict[str, Any]) -> list[str]:
    return [attempt["channel"] for attempt in payment["attempts"]]


# --- which channel --------------------------------------------------------------------------------------------------


def test_p47_a_list_is_followed_changed_and_given_up(shop: Shop) -> None:
    first = shop.put_rules(default=priority(A, B))
    paid = shop.pay()
    assert (paid["status"], channels_of(paid), paid["routing"]["rules"]) == ("succeeded", [A], first["version"])
    second = shop.put_rules(default=priority(B, A))
    paid = shop.pay()
    assert (channels_of(paid), paid["routing"]["candidates"]) == ([B], [B, A])
    old = shop.caller.get("/routing/rules", version=first["version"]).done(200)
    assert (old["active"], old["document"]["default"]) == (False, priority(A, B))
    now = shop.caller.get("/routing/rules").done(200)
    assert (now["version"], now["versions"]) == (second["version"], [first["version"], second["version"]])
    shop.caller.get("/routing/rules", version="nonsense").refused(404, "routing_rules_not_found")
    shop.caller.post("/routing/rules/deactivate", {"reason": "enough"}).done(200)
    paid = shop.pay()
    assert (channels_of(paid), paid["routing"]["rules"]) == ([A], None)
    shop.caller.post("/routing/rules/deactivate", {"reason": "again"}).refused(409, "routing_rules_not_active")


def test_p48_volume_is_split_by_the_payments_ids(shop: Shop) -> None:
    shop.put_rules(default=split(100, 0))
    assert {channels_of(shop.pay())[0] for _ in range(5)} == {A}
    shop.put_rules(default=split(50, 50))
    paid = [shop.pay() for _ in range(10)]
    chosen = [shop.evaluate(seed=f"pay_{n}")["channel"] for n in range(1_000)]
    assert abs(chosen.count(A) - 500) <= 50
    # The same id is the same choice: asked again, and as it was really made.
    assert [shop.evaluate(seed=f"pay_{n}")["channel"] for n in range(50)] == chosen[:50]
    assert [shop.evaluate(seed=payment["id"])["channel"] for payment in paid] == [
        payment["routing"]["channel"] for payment in paid
    ]


RULES: dict[str, Any] = {
    "rules": [
        {"name": "large", "when": "amount > 6000", "then": priority(B)},
        {"name": "dollars", "when": "currency == 'USD'", "then": priority(A)},
        {"name": "gold", "when": "method == 'card' && metadata.tier == 'gold'", "then": priority(B, A)},
    ],
    "default": priority(A, B),
}


@pytest.mark.parametrize(
    ("charge", "rule", "channel"),
    [
        ({"amount": 6_001}, "large", B),
        ({"amount": 6_000}, None, A),
        ({"currency": "USD"}, "dollars", A),
        ({"metadata": {"tier": "gold"}}, "gold", B),
        ({"metadata": {"tier": "silver"}}, None, A),
    ],
)
def test_p49_p50_rules_decide_in_order_and_a_rehearsal_says_which(
    shop: Shop, charge: dict[str, Any], rule: str | None, channel: str
) -> None:
    shop.put_rules(**RULES)
    before = shop.caller.head()
    found = shop.evaluate(**charge)
    assert (found["rule"], found["channel"]) == (rule, channel)
    assert found["considered"].keys() >= {A, B} - {channel}
    assert shop.evaluate(rules={"default": priority(B)}, **charge)["channel"] == B
    assert shop.caller.head() == before  # nothing was made of it
    if "currency" not in charge:
        assert channels_of(shop.pay(**charge)) == [channel]


# --- what comes after a failure ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "channels", "status"), [(2, [A, B], "succeeded"), (1, [A], "failed"), (0, [A], "failed")]
)
def test_p51_a_channels_trouble_leads_to_the_next_one_as_often_as_allowed(
    service: Service, shop: Shop, most: int, channels: list[str], status: str
) -> None:
    shop.put_rules(default=priority(A, B), max_attempts=most)
    token = fresh("tok")
    with at_a(service, token, "decline:try_again_later"):
        paid = shop.pay(token)
    assert (paid["status"], channels_of(paid)) == (status, channels)
    assert [attempt["id"] for attempt in paid["attempts"]] == [f"{paid['id']}-{n + 1}" for n in range(len(channels))]
    assert shop.charges()[paid["id"]] == ([B] if status == "succeeded" else [])


def test_p52_an_issuer_who_wants_a_proof_gets_it(service: Service, shop: Shop) -> None:
    token = fresh("tok")
    with at_a(service, token, "decline:authentication_required", times=1):
        asked = shop.pay(token)
    assert (asked["status"], channels_of(asked)) == ("requires_action", [A, A])
    assert asked["next_action"]["type"] == "three_ds"
    with httpx2.Client(trust_env=False) as client:
        page = f"{service.simulator_url}/control/charges/{asked['id']}-2/approve"
        assert client.post(page, json={}).status_code == 200
    paid = shop.outcome(asked["id"], until=lambda shown: shown["status"] == "succeeded")
    assert [attempt["status"] for attempt in paid["attempts"]] == ["declined", "succeeded"]
    assert shop.charges()[paid["id"]] == [A]


def test_p53_a_failed_payment_is_tried_again_on_demand_while_that_is_allowed(service: Service, shop: Shop) -> None:
    token = fresh("tok")
    with at_a(service, token, "decline:insufficient_funds", times=1):
        failed = shop.pay(token)
    assert failed["status"] == "failed"
    shop.put_rules(retry_minutes=0)
    retry = f"/payments/{failed['id']}/retry"
    assert shop.caller.post(retry, {}).refused(409, "retry_not_allowed")["retry_minutes"] == 0
    shop.put_rules(retry_minutes=60)
    assert shop.caller.post(retry, {}).status in (201, 202)
    assert shop.outcome(failed["id"])["status"] == "succeeded"
    shop.caller.post(retry, {}).refused(409, "payment_state_invalid")
    hard = shop.pay("tok_stolen_card")
    shop.caller.post(f"/payments/{hard['id']}/retry", {}).refused(409, "retry_not_allowed")


@pytest.mark.parametrize("token", ["tok_stolen_card", "tok_fraudulent", "tok_insufficient_funds", "tok_do_not_honor"])
def test_p54_a_no_of_the_issuer_goes_nowhere_else(shop: Shop, token: str) -> None:
    failed = shop.pay(token)
    assert (failed["status"], channels_of(failed), shop.charges()[failed["id"]]) == ("failed", [A], [])


@pytest.mark.parametrize("fault", ["timeout_after", "error_500_after", "malformed_body"])
def test_p54_an_unknown_outcome_goes_nowhere_else(service: Service, shop: Shop, fault: str) -> None:
    token = fresh("tok")
    with at_a(service, token, fault):
        paid = shop.pay(token)
    assert (paid["status"], channels_of(paid), shop.charges()[paid["id"]]) == ("succeeded", [A], [A])


# --- circuits -------------------------------------------------------------------------------------------------------


def test_p55_a_dead_channel_rests_is_probed_and_comes_back(service: Service, shop: Shop) -> None:
    terms = {"failures": 3, "of": 5, "slow_s": 20, "open_s": 6, "probes": 2, "probe_percent": 100}
    shop.put_rules(default=priority(A, B), circuit=terms)
    for _ in range(6):
        assert shop.pay("tok_do_not_honor")["status"] == "failed"
    assert shop.circuit(A) == "closed", "what issuers decline says nothing against a channel"
    token = fresh("tok")
    with at_a(service, token, "timeout_before"):
        stuck = [shop.order(token).body["id"] for _ in range(3)]
        service.wait_until(lambda: shop.circuit(A) == "open", PATIENCE_S)
        shown = shop.channel(A)
        assert len(shown["methods"][0]["last_failures"]) >= 3
        assert shop.channel(B)["health"] == "up"
        begun = time.monotonic()
        elsewhere, *_ = [shop.pay() for _ in range(5)]
        assert time.monotonic() - begun < 5 * READ_TIMEOUT_S, "nobody waits for the dead channel any more"
        assert channels_of(elsewhere) == [B]
        assert elsewhere["routing"]["considered"][A].startswith("its circuit is open: 3 of the last ")
    assert all(shop.outcome(payment)["status"] == "succeeded" for payment in stuck)
    service.wait_until(lambda: shop.circuit(A) == "half_open", PATIENCE_S)
    probes = [shop.pay() for _ in range(2)]
    assert [channels_of(probe) for probe in probes] == [[A], [A]]
    service.wait_until(lambda: shop.circuit(A) == "closed", PATIENCE_S)
    moves = [event["topic"] for event in shop.caller.get("/events", limit=500).done(200)["data"]]
    assert [topic for topic in moves if topic.startswith("circuits.")] == [
        "circuits.opened.v1",
        "circuits.half_opened.v1",
        "circuits.closed.v1",
    ]


def test_p55_a_channel_is_taken_out_and_given_back_by_hand(shop: Shop) -> None:
    switch = f"/channels/{A}/circuit"
    opened = shop.caller.post(switch, {"state": "open", "reason": "maintenance"}).done(200)
    assert [(one["state"], one["by_hand"]) for one in opened["circuits"]] == [("open", True)] * len(opened["circuits"])
    assert (shop.channel(A)["health"], channels_of(shop.pay())) == ("down", [B])
    shop.caller.post(f"/channels/{B}/circuit", {"state": "open", "reason": "both"}).done(200)
    assert shop.order().refused(503, "channel_unavailable")["considered"][A] == "its circuit is open: maintenance"
    for name in (A, B):
        shop.caller.post(f"/channels/{name}/circuit", {"state": "auto", "reason": "over"}).done(200)
    assert channels_of(shop.pay()) == [A]
    shop.caller.post("/channels/nobody/circuit", {"state": "open", "reason": "x"}).refused(404, "channel_not_found")


# --- rules themselves -------------------------------------------------------------------------------------------------


def test_p56_a_rule_that_can_never_match_is_refused_with_its_place(shop: Shop) -> None:
    rules = [
        {"name": "cards", "when": "method == 'card'", "then": priority(A)},
        {"name": "behind", "when": "method == 'card' && amount > 1", "then": priority(B)},
        {"name": "torn", "when": "amount > 10 && amount < 5", "then": priority(B)},
        {"name": "typed", "when": "amount > 'ten'", "then": priority(B)},
    ]
    problem = shop.put_rules(422, rules=rules)
    told = {error["pointer"]: error["detail"] for error in problem["errors"]}
    assert told.keys() == {"/rules/1/when", "/rules/2/when", "/rules/3/when"}
    assert "cards holds before it" in told["/rules/1/when"]
    assert "two things at once" in told["/rules/2/when"]
    assert told["/rules/3/when"].startswith("Line 1, column 8:")
    assert shop.caller.get("/routing/rules").done(200)["version"] == ""


def test_p57_choices_made_again_from_the_log_are_those_that_were_made(service: Service, shop: Shop) -> None:
    token = fresh("tok")
    shop.put_rules(default={"type": "success_rate", "channels": [A, B], "explore_percent": 50})
    with at_a(service, token, "decline:try_again_later", probability_permille=500):
        paid = [shop.pay(token) for _ in range(20)]
    shop.put_rules(default={"type": "least_cost", "channels": [B, A]})
    assert shop.pay()["routing"]["because"] == "the default: it keeps 36, the least of 2"
    assert {payment["status"] for payment in paid} == {"succeeded"}
    # The fixture makes every choice again; so it does for each test here.
