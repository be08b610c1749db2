"""Reconciliation: how long it takes to match a day's report with our books, and whether every break in it is found."""

import resource
import time

import msgspec

from benchmarks.bench import Bench
from benchmarks.figures import Figure, Round
from benchmarks.processes import child
from ledger.matching.matcher import match
from tests.matching.injected import NOW, POLICY, counts, day_of, differences

MOST_S = 3
MOST_S_OF_LARGE = 60
MOST_MB = 500
_MOST_GROWTH = 2.0
"""How much more of the processor a row takes in a large report; were the cost square, it would be ten times as much."""
_OF_EACH_IN = 500


class Matched(msgspec.Struct, frozen=True):
    """One run; `peak_mb` is the most that the process has ever held, with the rows and items themselves."""

    seconds: float
    processor_s: float
    breaks: int
    peak_mb: float
    output_hash: str


def reconciliation(bench: Bench) -> list[Figure]:
    rows, many = bench.scale.reconciled, bench.scale.reconciled_large
    seconds = Figure("reconciliation", f"{rows:,} rows matched, each break found", "s", MOST_S, at_most=True)
    seconds.limits["peak MB"] = MOST_MB
    large = Figure(
        "reconciliation-large", f"{many:,} rows matched, each break found", "s", MOST_S_OF_LARGE, at_most=True
    )
    large.limits["growth"] = _MOST_GROWTH
    with child(Matcher, rows) as few, child(Matcher, many) as more:
        for _ in bench.rounds("reconciliation"):
            of_few: Matched = few.call("match")
            seconds.rounds.append(Round(of_few.seconds, seen={"breaks": of_few.breaks, "peak MB": of_few.peak_mb}))
            of_more: Matched = more.call("match")
            growth = of_more.processor_s / of_few.processor_s / (many / rows)
            seen = {"breaks": of_more.breaks, "peak MB": of_more.peak_mb, "growth": growth}
            large.rounds.append(Round(of_more.seconds, seen=seen))
    return [seconds, large]


class Matcher:
    """Matches the same day again and again; raises AssertionError where anything else is found than was planted."""

    def __init__(self, rows: int) -> None:
        self._day = day_of(rows, k=max(1, rows // _OF_EACH_IN))
        self._hash = ""

    def match(self) -> Matched:
        self._day.shuffle()
        begun, processor_begun = time.perf_counter(), time.process_time()
        told = match(self._day.rows, self._day.items, POLICY, NOW)
        output_hash = told.output_hash
        seconds, processor_s = time.perf_counter() - begun, time.process_time() - processor_begun
        if wrong := differences(self._day, told):
            raise AssertionError(f"precision and recall are not 1: {wrong}")
        if self._hash not in ("", output_hash):
            raise AssertionError("the same day has come to another outcome")
        self._hash = output_hash
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return Matched(seconds, processor_s, counts(told).total(), peak_kb / 1024, output_hash)
