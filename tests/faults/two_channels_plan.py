"""The faults of two channels: everything that the simulator can do wrong, at each of them, by chance.

Sums of thousandths stay small enough that most requests go well and each fault comes about hundreds of times in 2,000
payments. `hang` and `arrives_late` last longer than anybody waits for an answer.
"""

from collections.abc import Iterator
from typing import Any

Rule = dict[str, Any]

CARDS = ("card_simulator", "card_simulator_b")
OTHERS = ("bank_redirect", "carrier")
# Declined by each channel, and taken by some of them a while later.
LATE_SUCCESS = "tok_try_again_later"
_ERRANDS = ("charge", "capture", "void", "refund")
_QUESTIONS = ("query_charge", "query_change", "query_refund")

# fault, of a thousand requests, its delay
_ANSWERS: list[tuple[str, int, int | None]] = [
    ("timeout_before", 20, None),
    ("timeout_after", 25, None),
    ("error_500_before", 25, None),
    ("error_500_after", 25, None),
    ("malformed_body", 25, None),
    ("wrong_amount", 20, None),
    ("wrong_currency", 20, None),
    ("hang", 15, 3_500),
    ("arrives_late", 20, 4_500),
]
_ANSWERS_TO_QUESTIONS = ("error_500_before", "malformed_body", "wrong_amount", "wrong_currency")
_CALLBACKS: list[tuple[str, int, int | None]] = [
    ("duplicate_callback", 60, None),
    ("late_callback", 50, 2_000),
    ("reordered_callback", 50, None),
    ("altered_callback", 50, None),
    ("wrong_signature_callback", 50, None),
    ("wrong_amount_callback", 40, None),
    ("wrong_currency_callback", 40, None),
    ("no_callback", 80, None),
]
# The channel's own trouble leads to the other one, what an issuer says does not.
_DECISIONS: dict[str, list[tuple[str, int, int | None]]] = {
    "charge": [
        ("late_success", 40, 1_200),
        ("decline:processing_error", 60, None),
        ("decline:issuer_not_available", 60, None),
        ("decline:authentication_required", 25, None),
        ("decline:insufficient_funds", 30, None),
        ("decline:stolen_card", 10, None),
    ],
    "capture": [("late_success", 40, 1_200), ("decline:processing_error", 30, None)],
    "refund": [("late_success", 40, 1_200), ("decline:invalid_account", 40, None)],
    "void": [("late_success", 40, 1_200)],
}


def plan_of(channel: str) -> list[Rule]:
    """What this channel does wrong."""
    errands = _ERRANDS if channel in CARDS else ("charge", "void", "refund")
    return [_told_of_late_successes(), *_of_errands(errands), *_of_confirmations(), *_of_questions()]


def _told_of_late_successes() -> Rule:
    """Nobody asks about what was declined: only a message, or a settlement, tells that it succeeded after all."""
    return {"match": {"operation": "charge", "token": LATE_SUCCESS}, "fault": "duplicate_callback"}


def _of_errands(errands: tuple[str, ...]) -> Iterator[Rule]:
    for operation in errands:
        for fault, permille, delay_ms in (*_DECISIONS[operation], *_ANSWERS, *_CALLBACKS):
            yield _rule(operation, fault, permille, delay_ms)


def _of_confirmations() -> Iterator[Rule]:
    for fault, permille, delay_ms in _ANSWERS[:5]:
        yield _rule("confirm", fault, permille, delay_ms)


def _of_questions() -> Iterator[Rule]:
    for operation in _QUESTIONS:
        for fault in _ANSWERS_TO_QUESTIONS:
            yield _rule(operation, fault, 40, None)


def _rule(operation: str, fault: str, permille: int, delay_ms: int | None) -> Rule:
    rule = {"match": {"operation": operation}, "fault": fault, "probability_permille": permille}
    return rule if delay_ms is None else {**rule, "delay_ms": delay_ms}
