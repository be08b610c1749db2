"""The faults of a mixed day: a plan for the channel simulator, by number, so that none is left out, and by chance."""

from collections.abc import Iterator
from typing import Any

Rule = dict[str, Any]

# fault, of a thousand requests, its delay
_ANSWERS: list[tuple[str, int, int | None]] = [
    ("timeout_before", 25, None),
    ("timeout_after", 25, None),
    ("error_500_before", 25, None),
    ("error_500_after", 25, None),
    ("malformed_body", 25, None),
    ("wrong_amount", 25, None),
    ("hang", 30, 300),
    ("hang", 15, 2_500),
]
_DECISIONS: list[tuple[str, int, int | None]] = [
    ("late_success", 40, 800),
    ("decline:insufficient_funds", 60, None),
    ("decline:do_not_honor", 30, None),
]
_CALLBACKS: list[tuple[str, int, int | None]] = [
    ("duplicate_callback", 80, None),
    ("late_callback", 60, 1_500),
    ("wrong_signature_callback", 60, None),
    ("no_callback", 80, None),
]


def plan(mute: str, mute_refund: str) -> list[Rule]:
    """Everything at once; what falls silent comes first."""
    return [*silence(mute, mute_refund), *_by_number(), *_by_chance()]


def silence(mute: str, mute_refund: str) -> list[Rule]:
    """Charges of the one card, and refunds to the other, are carried out without a word, and nobody is told of them."""
    return [
        rule
        for operation, token in (("charge", mute), ("refund", mute_refund))
        for rule in (
            _rule(operation, "timeout_after", token=token),
            _rule(operation, "no_callback", token=token),
            _rule(f"query_{operation}", "error_500_before", token=token),
        )
    ]


def of_every_day() -> set[str]:
    """What has gone wrong by evening, however small the day: `<operation> <fault>`."""
    return {f"{rule['match']['operation']} {rule['fault']}" for rule in _by_number()}


def _by_number() -> Iterator[Rule]:
    # The decisions come first: among the top-ups, with which the day begins, some are to be declined.
    for number, (fault, _, delay_ms) in enumerate((*_DECISIONS, *_ANSWERS, *_CALLBACKS)):
        yield _rule("charge", fault, nth=2 * number + 1, **_delay(delay_ms))
    for number, (fault, _, delay_ms) in enumerate((*_ANSWERS[:6], *_DECISIONS[:2])):
        yield _rule("refund", fault, nth=number + 1, **_delay(delay_ms))


def _by_chance() -> Iterator[Rule]:
    for operation in ("charge", "refund"):
        for fault, permille, delay_ms in (*_ANSWERS, *_DECISIONS, *_CALLBACKS):
            yield _rule(operation, fault, probability_permille=permille, **_delay(delay_ms))
    for operation in ("query_charge", "query_refund"):
        for fault, permille, delay_ms in _ANSWERS:
            yield _rule(operation, fault, probability_permille=permille, **_delay(delay_ms))


def _rule(operation: str, fault: str, **more: Any) -> Rule:
    match = {name: more.pop(name) for name in ("token", "nth") if name in more}
    return {"match": {"operation": operation, **match}, "fault": fault, **more}


def _delay(delay_ms: int | None) -> Rule:
    return {} if delay_ms is None else {"delay_ms": delay_ms}
