"""Risk: what is decided about a payment before any money is asked for, with a score and the reasons. Pure.

    facts, signals of the past, lists ──▶ rules ──▶ verdicts and points ──▶ accept · challenge · review · reject

The strictest verdict wins, and a score is a verdict like any other. An `allow` sets reviews and rejections aside, and a
challenge stands all the same: the order in which Stripe asks its rules (3-D Secure, allow, block, review).
"""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import msgspec

from commands.policies.risk_language import Condition, Failed, Unanswered, compiled
from ledger.events.risk import RiskPolicy, RiskRule

RiskDecision = Literal["accept", "challenge", "review", "reject"]
Verdict = Literal["flag", "challenge", "review", "reject", "allow"]
StepUp = Literal["one_time_code", "three_ds"]
FailMode = Literal["open", "review", "closed"]
OnDeadline = Literal["reject", "approve"]
SignalValue = str | int | bool

DECISIONS: tuple[RiskDecision, ...] = get_args(RiskDecision)  # from the mildest to the strictest
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
HIGHEST_SCORE = 100
_OF_FAIL_MODE: dict[str, RiskDecision] = {"open": "accept", "review": "review", "closed": "reject"}


class RiskFacts(msgspec.Struct, frozen=True):
    """What the order itself says. Amount in minor units, `hour` of the day in UTC; texts are empty if not told."""

    merchant: str
    customer: str | None
    amount: int
    currency: str
    product: str
    client: dict[str, str]
    method: str = ""
    source: str = ""
    details: dict[str, str] = {}
    metadata: dict[str, str] = {}
    order_reference: str = ""
    hour: int = 0

    def variables(self) -> dict[str, object]:
        """The facts under the names that rules know them by."""
        return {
            "merchant": self.merchant,
            "customer": self.customer or "",
            "amount": self.amount,
            "currency": self.currency,
            "product": self.product,
            "method": self.method,
            "source": self.source,
            "order_reference": self.order_reference,
            "hour": self.hour,
            "country": self.client.get("country", "").upper(),
            "card_country": self.details.get("country", "").upper(),
            "bin": self.details.get("bin", ""),
            "ip": self.client.get("ip", ""),
            "email": self.client.get("email", "").lower(),
            "device": self.client.get("device", "") or self.details.get("device", ""),
            "client": self.client,
            "details": self.details,
            "metadata": self.metadata,
        }


class Lists(msgspec.Struct, frozen=True):
    """The values of the payment that stand on a list, as `type value`, by list."""

    allow: tuple[str, ...] = ()
    block: tuple[str, ...] = ()
    review: tuple[str, ...] = ()

    def variables(self) -> dict[str, object]:
        return {
            "on_allow_list": bool(self.allow),
            "on_block_list": bool(self.block),
            "on_review_list": bool(self.review),
        }


class RuleSet(msgspec.Struct, frozen=True):
    """The rules that are asked, under the version that is recorded with each decision."""

    version: str
    rules: tuple[RiskRule, ...]
    policy: RiskPolicy = RiskPolicy()


class Assessment(msgspec.Struct, frozen=True):
    """The decision, the points of all rules (0 to 100), every reason in the order of the rules, and whose it is.

    `flagged`: something is to be looked at, although the payment may go on. `step_up`: how to challenge the payer.
    """

    decision: RiskDecision
    score: int
    reasons: tuple[str, ...]
    flagged: bool = False
    rules: str = ""
    step_up: StepUp = "one_time_code"


def assess(
    facts: RiskFacts, signals: Mapping[str, SignalValue], rules: RuleSet, lists: Lists, trouble: str = ""
) -> Assessment:
    """Judge a payment. `signals` are the values that are known of the past; `trouble` says why some are not there.

    A rule that asks for a signal that is not there, or that cannot be computed, is left out; the fail mode of the
    product says what follows from that.
    """
    asked = in_scope(rules, facts.product)
    conditions = [(rule, compiled(rule.condition)) for rule in asked]
    names = {name for _, condition in conditions for name in condition.uses}
    known = facts.variables() | lists.variables() | dict(signals)
    activation = Condition.activation({name: known[name] for name in names if name in known})
    points, verdicts, reasons, left_out = 0, set[str](), list[str](), list[str]()
    for rule, condition in conditions:
        holds = condition.holds(activation, known.keys())
        match holds:
            case True:
                points += rule.points
                verdicts.add(rule.verdict)
                reasons.append(rule.name)
            case False:
                pass
            case Unanswered() | Failed():
                left_out.append(rule.name)
    score = max(0, min(HIGHEST_SCORE, points))
    if left_out:
        mode = rules.policy.fail_modes.get(facts.product, rules.policy.fail_mode)
        verdicts.update(("flag", _OF_FAIL_MODE[mode]))
        because = f" ({trouble})" if trouble else ""
        reasons.append(f"not asked{because}: {', '.join(left_out)}")
    verdicts.add(_of_score(score, rules.policy))
    step_up: StepUp = (
        "three_ds" if rules.policy.step_up == "three_ds" and facts.source == "channel" else "one_time_code"
    )
    return Assessment(_decided(verdicts), score, tuple(reasons), "flag" in verdicts, rules.version, step_up)


def in_scope(rules: RuleSet, product: str) -> tuple[RiskRule, ...]:
    """The rules that are asked about payments of this product."""
    return tuple(rule for rule in rules.rules if not rule.products or product in rule.products)


def signals_of(rules: RuleSet, product: str) -> frozenset[str]:
    """The names that these rules ask about payments of this product."""
    return frozenset(name for rule in in_scope(rules, product) for name in compiled(rule.condition).uses)


def _of_score(score: int, policy: RiskPolicy) -> RiskDecision:
    thresholds = (("reject", policy.reject_at), ("review", policy.review_at), ("challenge", policy.challenge_at))
    words: Iterable[RiskDecision] = (word for word, at in thresholds if at is not None and score >= at)  # type: ignore[misc]
    return next(iter(words), "accept")


def _decided(verdicts: set[str]) -> RiskDecision:
    """The strictest of what was said; an `allow` lets nothing but a challenge stand."""
    left = verdicts & {"challenge"} if "allow" in verdicts else verdicts
    return max((word for word in DECISIONS if word in left), key=DECISIONS.index, default="accept")


# --- what a new book begins with ------------------------------------------------------------------------------------

_BY_CHANNEL = ("quick_pay", "online_banking", "protocol_pay", "platform_pay", "foreign_card", "mobile_bill")

DEFAULT_RULES = RuleSet(
    "default-1",
    (
        RiskRule("allowed by a list", "on_allow_list", "allow"),
        RiskRule("blocked by a list", "on_block_list", "reject"),
        RiskRule("reviewed by a list", "on_review_list", "review"),
        # Whoever tries out cards is declined again and again; three in an hour from one address or device is enough.
        RiskRule("card testing from one address", "ip_declines_1h >= 3", "reject", products=_BY_CHANNEL),
        RiskRule("card testing from one device", "device_declines_1h >= 5", "reject", products=_BY_CHANNEL),
        RiskRule("many payments from one address", "ip_attempts_1m >= 120", "reject", products=_BY_CHANNEL),
        RiskRule("impossible travel", "distance_km >= 800 && speed_kmh >= 1000", "challenge"),
        RiskRule(
            "far more than this customer pays",
            "customer_successes >= 5 && amount_ratio >= 2000",
            "flag",
            points=30,
            products=_BY_CHANNEL,
        ),
    ),
)
