"""Suite: every figure there is, how it is measured, and how much of it a quick run measures."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from benchmarks.batch_writer import BatchWriter, Stored
from benchmarks.figures import Figure, Round
from benchmarks.ground import Ground
from benchmarks.mix import Pattern
from benchmarks.processes import Child, child
from benchmarks.reference import Reference
from benchmarks.views import CatchingUp, Rebuilding, caught_up_at, kept_up

UNIFORM = Pattern(1_000)
TWO_HOT = Pattern(2)
WIDE = Pattern(100_000)
MOST_LAG_S = 2.0


class Scale(msgspec.Struct, frozen=True):
    """How much of everything is measured."""

    rounds: int
    reference_s: int
    batched: int
    """Transfers of one round in batches."""
    stored: int
    """Events that make a book large."""
    wide: int
    """Accounts of a book with many."""
    http_s: int


FULL = Scale(rounds=5, reference_s=3, batched=200_000, stored=1_000_000, wide=100_000, http_s=5)
QUICK = Scale(rounds=1, reference_s=1, batched=24_000, stored=24_000, wide=5_000, http_s=2)
