"""The fault plan: rules that say when the simulator misbehaves, reproducible by their seed.

{"seed": 7, "rules": [{"match": {"operation": "charge", "token": "tok_x", "nth": 3}, "fault": "timeout_after",
                       "probability_permille": 100, "times": 5, "delay_ms": 2000}]}

Whether a rule fires for the n-th request that it matches depends on the seed, the rule's place and n, and on nothing
else. Of the rules that fire, the first one about the decision, about the answer and about the callback counts.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Literal

from msgspec import Meta, Struct

from commands.channels.requests import (
    AcceptDispute,
    CaptureCharge,
    ChallengeDispute,
    ChannelRequest,
    Charge,
    ConfirmCharge,
    ExtendCharge,
    IncrementCharge,
    QueryChange,
    QueryCharge,
    QueryContract,
    QueryDisputeAnswer,
    QueryPayout,
    QueryRefund,
    RefundCharge,
    SendPayout,
    SignContract,
    TerminateContract,
    VoidCharge,
)
from commands.channels.simulator.conduct import LONGEST_DELAY_MS, Conduct, aspect

Operation = Literal[
    "charge",
    "confirm",
    "capture",
    "void",
    "increment",
    "extend",
    "refund",
    "payout",
    "sign",
    "end",
    "accept_dispute",
    "challenge_dispute",
    "query_charge",
    "query_change",
    "query_refund",
    "query_payout",
    "query_contract",
    "query_dispute_answer",
]
_OPERATIONS: dict[type[ChannelRequest], Operation] = {
    Charge: "charge",
    ConfirmCharge: "confirm",
    CaptureCharge: "capture",
    VoidCharge: "void",
    IncrementCharge: "increment",
    ExtendCharge: "extend",
    RefundCharge: "refund",
    SendPayout: "payout",
    SignContract: "sign",
    TerminateContract: "end",
    AcceptDispute: "accept_dispute",
    ChallengeDispute: "challenge_dispute",
    QueryCharge: "query_charge",
    QueryChange: "query_change",
    QueryRefund: "query_refund",
    QueryPayout: "query_payout",
    QueryContract: "query_contract",
    QueryDisputeAnswer: "query_dispute_answer",
}
_Count = Annotated[int, Meta(ge=1, le=2**31)]


def operation_of(request: ChannelRequest) -> Operation:
    """The word by which the plan knows such a request."""
    return _OPERATIONS[type(request)]


class Match(Struct, frozen=True, forbid_unknown_fields=True):
    """`token`: only charges with it, and what is done with such charges. `nth`: only the n-th of all that match."""

    operation: Operation
    token: str | None = None
    nth: _Count | None = None


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """`times`: how often it fires at most. `delay_ms`: of the faults that take time, such as `hang`, `late_success`."""

    match: Match
    fault: str
    probability_permille: Annotated[int, Meta(ge=0, le=1000)] = 1000
    times: _Count | None = None
    delay_ms: Annotated[int, Meta(ge=0, le=LONGEST_DELAY_MS)] | None = None

    def __post_init__(self) -> None:
        Conduct().with_fault(self.fault)


class FaultPlan(Struct, frozen=True, forbid_unknown_fields=True):
    seed: int = 0
    rules: Annotated[tuple[Rule, ...], Meta(max_length=100)] = ()


class Counted(Struct, frozen=True):
    """A rule, how many requests it has matched and how often it has fired."""

    rule: Rule
    seen: int = 0
    fired: int = 0


def judge(
    seed: int, rules: Sequence[Counted], operation: Operation, token: str | None, conduct: Conduct
) -> tuple[Conduct, dict[int, Counted]]:
    """The conduct with the faults that fire now, and the new counts of the rules that matched, by place."""
    taken: set[str] = set()
    counts: dict[int, Counted] = {}
    for place, counted in enumerate(rules):
        rule = counted.rule
        if rule.match.operation != operation or rule.match.token not in (None, token):
            continue
        seen = counted.seen + 1
        fires = (
            aspect(rule.fault) not in taken
            and rule.match.nth in (None, seen)
            and (rule.times is None or counted.fired < rule.times)
            and _permille(seed, place, seen) < rule.probability_permille
        )
        if fires:
            taken.add(aspect(rule.fault))
            conduct = conduct.with_fault(rule.fault, rule.delay_ms)
        counts[place] = Counted(rule, seen, counted.fired + fires)
    return conduct, counts


def _permille(seed: int, place: int, seen: int) -> int:
    return int.from_bytes(sha256(f"{seed}/{place}/{seen}".encode()).digest()[:8], "big") % 1000
