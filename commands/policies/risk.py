"""Risk: what is decided about a payment before any money is asked for, with a score and the reasons.

To grow: a rule is a pure function from the facts to a finding or None, listed in RULES; what a rule needs to know of
the past (how often lately, from where) becomes a field of `RiskFacts` that somebody else fills in. A new word in
`RiskDecision` makes the type checker name each place that has to answer it.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

RiskDecision = Literal["accept"]


class RiskFacts(msgspec.Struct, frozen=True):
    """What rules may look at. Amount in minor units."""

    merchant: str
    customer: str | None
    amount: int
    currency: str
    product: str
    client: dict[str, str]


class Finding(msgspec.Struct, frozen=True):
    """What one rule says: points from 0 to 100, and the reason in words."""

    points: int
    reason: str


class Assessment(msgspec.Struct, frozen=True):
    """The decision, the sum of the points (at most 100) and every reason."""

    decision: RiskDecision
    score: int
    reasons: tuple[str, ...]


Rule = Callable[[RiskFacts], Finding | None]
RULES: tuple[Rule, ...] = ()
HIGHEST_SCORE = 100


def assess(facts: RiskFacts, rules: tuple[Rule, ...] = RULES) -> Assessment:
    """Every payment is accepted today; what rules find is recorded with it."""
    findings = [finding for rule in rules if (finding := rule(facts)) is not None]
    score = min(HIGHEST_SCORE, sum(finding.points for finding in findings))
    return Assessment("accept", score, tuple(finding.reason for finding in findings))
