"""Risk language: conditions of risk rules, written in CEL over typed names; checked when they are saved, then compiled.

Whole numbers, texts, truth and `map<string, string>` (client, details, metadata) are all there is: nothing in it loops
without end, reads a clock or looks anything up. https://cel.dev says how it is written.
"""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

import msgspec
from cel_expr_python import cel

from ledger.risk_keys import HISTORY, VELOCITIES

LONGEST_CONDITION = 1_000
_MOST_COMPILED = 4_096

_TEXT = cel.Type.STRING
_WHOLE = cel.Type.INT
_TRUTH = cel.Type.BOOL
_TEXTS = cel.Type.Map(_TEXT, _TEXT)

_FACTS = {
    "merchant": _TEXT,
    "customer": _TEXT,
    "amount": _WHOLE,
    "currency": _TEXT,
    "product": _TEXT,
    "method": _TEXT,
    "source": _TEXT,
    "order_reference": _TEXT,
    "hour": _WHOLE,
    "country": _TEXT,
    "card_country": _TEXT,
    "bin": _TEXT,
    "ip": _TEXT,
    "email": _TEXT,
    "device": _TEXT,
    "client": _TEXTS,
    "details": _TEXTS,
    "metadata": _TEXTS,
    "on_allow_list": _TRUTH,
    "on_block_list": _TRUTH,
    "on_review_list": _TRUTH,
}
# What has to be known of the past, all whole numbers.
TRAVEL = frozenset({"distance_km", "speed_kmh"})
"""Whole kilometres and km/h since the customer's last payment; -1 where either place is not known."""
MEDIAN = frozenset({"customer_median", "amount_ratio"})
"""The median of the customer's last successful payments in this currency, and the amount in per cent of it; 0: none."""
AGE = "account_age_h"
"""Whole hours since the customer was created; -1 without one."""
PAST = frozenset({*VELOCITIES, *HISTORY, *TRAVEL, *MEDIAN})

_ENVIRONMENT = cel.NewEnv(variables={**_FACTS, **dict.fromkeys(sorted({*PAST, AGE}), _WHOLE)})
_NAMES = frozenset({*_FACTS, *PAST, AGE})
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A word in quotes is no name; one too many does no harm, one too few would.
_ERROR = re.compile(r":(?P<line>\d+):(?P<column>\d+): (?P<what>[^\n]*)")
_NOT_TOLD = "Key not found in map"
# Each goes through a list, so that one inside of another could take for ever.
_LOOPS = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")


class Unanswered(msgspec.Struct, frozen=True):
    """The condition asks for a value that is not known."""


class Failed(msgspec.Struct, frozen=True):
    """The condition cannot be computed for these values, as when it divides by zero."""


class Misunderstood(Exception):
    """The condition is none; `line` and `column` count from 1 and say where."""

    def __init__(self, what: str, line: int = 1, column: int = 1) -> None:
        super().__init__(what)
        self.what, self.line, self.column = what, line, column


class Condition:
    """A compiled condition; `uses` are the names that it asks for."""

    __slots__ = ("_expression", "uses")

    def __init__(self, expression: cel.Expression, uses: frozenset[str]) -> None:
        self._expression = expression
        self.uses = uses

    @staticmethod
    def activation(values: Mapping[str, object]) -> cel.Activation:
        """Values for many conditions."""
        return _ENVIRONMENT.Activation(dict(values))

    def holds(self, activation: cel.Activation, known: Collection[str]) -> bool | Unanswered | Failed:
        """Whether it is so, if all that it asks for is among the known names."""
        if not all(name in known for name in self.uses):
            return Unanswered()
        value = self._expression.eval(activation).value()
        if isinstance(value, bool):
            return value
        # What nobody told about a payment makes no condition true.
        return False if _NOT_TOLD in str(value) else Failed()


@lru_cache(_MOST_COMPILED)
def compiled(condition: str) -> Condition:
    """The condition, ready to be asked; raises Misunderstood."""
    if len(condition) > LONGEST_CONDITION:
        raise Misunderstood(f"A condition has at most {LONGEST_CONDITION} characters.")
    loops = [match.start() for match in _LOOPS.finditer(condition)]
    if len(loops) > 1:
        raise Misunderstood("A condition goes through one list at most.", *_place(condition, loops[1]))
    try:
        expression = _ENVIRONMENT.compile(condition)
    except Exception as error:
        raise _misunderstood(str(error)) from None
    if expression.return_type() != _TRUTH:
        raise Misunderstood("A condition is answered with true or false.")
    return Condition(expression, frozenset(_WORD.findall(condition)) & _NAMES)


def _misunderstood(text: str) -> Misunderstood:
    found = _ERROR.search(text)
    if found is None:
        return Misunderstood(text.strip().splitlines()[0] if text.strip() else "The condition cannot be read.")
    return Misunderstood(found["what"].strip(), int(found["line"]), int(found["column"]))


def _place(text: str, at: int) -> tuple[int, int]:
    before = text[:at]
    return before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
