"""Languages: which of ours somebody reads, from the list of languages that he names with their weights (RFC 9110)."""

import re
from collections.abc import Iterator
from typing import Literal

Language = Literal["en", "zh"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")
DEFAULT: Language = "en"

# `*`, `zh`, `zh-Hans-CN`, with `;q=0.7` or without; what is written otherwise is passed over, as if it were not there.
_RANGE = re.compile(r"(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?", re.I)
_ANY = "*"
_LONGEST = 1_000


def language_for(accepted: str) -> Language:
    """The language of ours that fits best: `zh-CN,zh;q=0.9,en;q=0.5` means zh. English where none is wished for.

    What is said of a language by its name counts for more than `*`; of two that fit as well, the one named first.
    """
    weights: dict[str, int] = {}
    for name, weight in _ranges(accepted[:_LONGEST]):
        weights[name] = max(weight, weights.get(name, 0))
    for_any = weights.pop(_ANY, 0)
    named = [name for name in weights if name in LANGUAGES]
    in_order = [*named, *(name for name in LANGUAGES if name not in named)]
    best = max(in_order, key=lambda name: weights.get(name, for_any))
    return "zh" if best == "zh" and weights.get(best, for_any) > 0 else DEFAULT


def _ranges(accepted: str) -> Iterator[tuple[str, int]]:
    """The first part of each name, and its weight in thousandths."""
    for piece in accepted.split(","):
        found = _RANGE.fullmatch(piece.strip(" \t"))
        if found is not None:
            name, _, _ = found[1].lower().partition("-")
            yield name, _thousandths(found[2] or "1")


def _thousandths(weight: str) -> int:
    whole, _, fraction = weight.partition(".")
    return int(whole) * 1_000 + int(fraction.ljust(3, "0") or "0")
