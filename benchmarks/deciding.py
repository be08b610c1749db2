"""Deciding: how long it takes to judge a payment by a hundred risk rules and to route it by a hundred routing rules."""

import gc
import statistics
import time
from collections.abc import Sequence

import msgspec

from benchmarks.bench import Bench
from benchmarks.figures import Figure, Round
from benchmarks.processes import child
from commands.policies.risk import Lists, RiskFacts, RuleSet, assess
from commands.policies.routing import RoutingFacts, route
from commands.policies.routing_rules import LeastCost, Priority, RoutingRules, Rule, SuccessRate, rules_of, text_of
from ledger.events.risk import RiskRule

RULES = 100
_CHANNELS = ("card_simulator", "card_simulator_b")
_STATISTICS = {f"{channel}/card": (90, 100) for channel in _CHANNELS}
# Every signal that the rules below ask about.
_SIGNALS: dict[str, str | int | bool] = {
    "ip_declines_1h": 1,
    "ip_attempts_1m": 2,
    "device_declines_1h": 0,
    "customer_successes": 12,
    "amount_ratio": 140,
    "distance_km": 12,
    "speed_kmh": 30,
    "account_age_h": 900,
}
_KINDS_OF_RISK = (
    "ip_declines_1h >= {n} + 2",
    "amount > 500000 + {n} && card_country != country",
    "amount_ratio >= 1000 + {n} && customer_successes >= 5",
    "distance_km >= 800 + {n} && speed_kmh >= 1000",
    "email.endsWith('@throwaway{n}.example') || bin.startsWith('49{n}')",
    "metadata['goods'] == 'gift card {n}' && account_age_h < 24",
    "country in ['X{n}', 'Y{n}', 'Z{n}'] && !on_allow_list",
    "device_declines_1h >= 5 + {n} || ip_attempts_1m >= 120 + {n}",
    "product == 'quick_pay' && hour < 5 && amount >= 90000 + {n}",
    "ip_declines_1h == 1 && customer_successes >= 5",
)
_KINDS_OF_ROUTING = (
    "method == 'card' && amount > 1000000 + {n}",
    "country == 'X{n}' && currency == 'EUR'",
    "merchant == 'shop {n}' && capture == 'manual'",
    "bin.startsWith('49{n}')",
    "metadata['tier'] == 'gold {n}'",
)


class Spent(msgspec.Struct, frozen=True):
    """The medians of many decisions, and the slowest of 100, in milliseconds."""

    whole_ms: float
    risk_ms: float
    routing_ms: float
    p99_ms: float


def decision(bench: Bench) -> list[Figure]:
    what = f"risk and routing of a payment by {RULES} rules each"
    figure = Figure("decision", what, "ms", 1, at_most=True)
    with child(Judge) as judge:
        judge.call("decide", max(50, bench.scale.decided // 10))
        for _ in bench.rounds("decision"):
            spent: Spent = judge.call("decide", bench.scale.decided)
            seen = {"risk ms": spent.risk_ms, "routing ms": spent.routing_ms, "p99 ms": spent.p99_ms}
            figure.rounds.append(Round(spent.whole_ms, seen=seen))
    return [figure]


class Judge:
    """Decides one payment after the other; of the risk rules one in ten holds, of the routing rules the last."""

    def __init__(self) -> None:
        conditions = [_KINDS_OF_RISK[n % len(_KINDS_OF_RISK)].format(n=n) for n in range(RULES)]
        rules = [RiskRule(f"risk {n}", condition, "flag", points=2) for n, condition in enumerate(conditions)]
        self._risk = RuleSet("bench", tuple(rules))
        self._reasons = tuple(rule.name for rule in rules if rule.condition == _KINDS_OF_RISK[-1])
        ways = (Priority(_CHANNELS), LeastCost(_CHANNELS), SuccessRate(_CHANNELS))
        asked = [_KINDS_OF_ROUTING[n % len(_KINDS_OF_ROUTING)].format(n=n) for n in range(RULES - 1)] + ["amount > 0"]
        listed = tuple(Rule(f"routing {n}", when, ways[n % len(ways)]) for n, when in enumerate(asked))
        self._routing = rules_of(*text_of(RoutingRules(rules=listed)))

    def decide(self, decisions: int) -> Spent:
        """Raises AssertionError where something else is decided than has to be."""
        gc.collect()
        gc.freeze()
        risk, routing = list[int](), list[int]()
        for number in range(decisions):
            begun = time.perf_counter_ns()
            assessment = assess(_risk_facts(number), _SIGNALS, self._risk, Lists())
            judged = time.perf_counter_ns()
            chosen = route(_routing_facts(number), self._routing, {}, _STATISTICS)
            routing.append(time.perf_counter_ns() - judged)
            risk.append(judged - begun)
            told = (assessment.decision, assessment.reasons, chosen.rule)
            if told != ("accept", self._reasons, f"routing {RULES - 1}"):
                raise AssertionError(f"the decision is {told}")
        whole = [one + other for one, other in zip(risk, routing, strict=True)]
        return Spent(
            _median_ms(whole), _median_ms(risk), _median_ms(routing), sorted(whole)[len(whole) * 99 // 100] / 1e6
        )


def _median_ms(spent_ns: Sequence[int]) -> float:
    return statistics.median(spent_ns) / 1e6


def _risk_facts(number: int) -> RiskFacts:
    return RiskFacts(
        merchant="shop",
        customer=f"payer:{number}",
        amount=6_000 + number,
        currency="EUR",
        product="quick_pay",
        client={"ip": "203.0.113.7", "country": "DE", "email": "ann@shop.example", "device": f"device:{number}"},
        method="card",
        source="channel",
        details={"bin": "424242", "country": "DE"},
        metadata={"goods": "books"},
        order_reference=f"order-{number}",
        hour=12,
    )


def _routing_facts(number: int) -> RoutingFacts:
    return RoutingFacts(
        seed=f"pay_{number:032}",
        product="quick_pay",
        method="card",
        amount=6_000 + number,
        currency="EUR",
        merchant="shop",
        customer=f"payer:{number}",
        country="DE",
        bin="424242",
        metadata={"tier": "silver"},
    )
