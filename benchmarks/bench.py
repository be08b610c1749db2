"""Bench: what every measurement stands on: the ground, the reference, how much is to be measured, who is told."""

from collections.abc import Callable, Iterator
from itertools import count

import msgspec

from benchmarks.ground import Ground
from benchmarks.mix import Pattern
from benchmarks.reference import Reference
from ledger.store.connection import Database

UNIFORM = Pattern(1_000)
TWO_HOT = Pattern(2)
ONE_HOT = Pattern(1_000, hot=True)
LARGEST_BATCH = 8_000

LAG = "lag s"
"""How long after the last answer the postings had caught up."""
MOST_LAG_S = 2.0


class Scale(msgspec.Struct, frozen=True):
    """How much of everything is measured, in transfers unless it says otherwise."""

    rounds: int
    reference_s: int
    batched: int
    """In one round of batches."""
    one_by_one: int
    """In one round of single requests."""
    warm_up: int
    """Before the first round."""
    caught_up: int
    """In one round of catching up."""
    large: int
    """In a book that is large."""
    wide: int
    """Accounts of a book with many."""
    payers: int
    """Customers who pay."""
    paid_from_wallets: int
    """Payments in one round."""
    paid_by_card: int
    """Payments in one round."""
    decided: int
    """Decisions in one round."""
    past: int
    """Postings of a book whose past is asked for."""
    reconciled: int
    """Rows of a report, matched with as many items of ours."""
    reconciled_large: int
    """The same, of a report that is large."""


class Bench:
    """`tell` hears of every step."""

    def __init__(self, ground: Ground, scale: Scale, tell: Callable[[str], None]) -> None:
        self.ground = ground
        self.scale = scale
        self.tell = tell
        self._reference = Reference(ground.url, ground.folder)
        self._seeds = count(1)

    @property
    def database(self) -> Database:
        return self.ground.database

    @property
    def about(self) -> dict[str, object]:
        """What it was measured on and with."""
        return {"reference": self._reference.client, "database": self.ground.settings, "scale": self.scale}

    def next_seed(self) -> int:
        """Another one for everybody who draws, the same ones in every run."""
        return next(self._seeds)

    def rounds(self, name: str) -> Iterator[int]:
        for number in range(1, self.scale.rounds + 1):
            self.tell(f"{name}, round {number} of {self.scale.rounds}")
            yield number

    def measure_reference(self) -> float:
        """R of now, in commits/s."""
        return self._reference.commits_per_s(self.scale.reference_s)
