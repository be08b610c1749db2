"""In process: batches through the commands and the store, and the views that follow, without HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.batch_writer import BatchWriter, Stored
from benchmarks.bench import LAG, LARGEST_BATCH, MOST_LAG_S, TWO_HOT, UNIFORM, Bench
from benchmarks.figures import Figure, Round
from benchmarks.mix import Pattern
from benchmarks.processes import Child, child
from benchmarks.service import working
from benchmarks.views import CatchingUp, caught_up_at, rebuild_seconds


def batches(bench: Bench) -> list[Figure]:
    return _batches(bench, Figure("batches-1000", "batches of 1,000", "R", 3), UNIFORM, 1_000)


def hot_batches(bench: Bench) -> list[Figure]:
    return _batches(bench, Figure("batches-hot", "batches of 1,000 on 2 hot accounts", "R", 4), TWO_HOT, 1_000)


def large_batches(bench: Bench) -> list[Figure]:
    return _batches(bench, Figure("batches-8000", "batches of 8,000", "R", 5), UNIFORM, LARGEST_BATCH)


def wide_batches(bench: Bench) -> list[Figure]:
    wide = bench.scale.wide
    figure = Figure("batches-wide", f"batches of 1,000 over {wide:,} accounts", "R", 1.5)
    return _batches(bench, figure, Pattern(wide), 1_000)


def _batches(bench: Bench, figure: Figure, pattern: Pattern, size: int) -> list[Figure]:
    figure.limits[LAG] = MOST_LAG_S
    book = bench.ground.new_book()
    with working(bench.ground), _writer(bench, book, pattern) as writer:
        writer.call("prepare", bench.scale.warm_up // size, size)
        _store(bench, writer, book)
        for _ in bench.rounds(figure.name):
            writer.call("prepare", bench.scale.batched // size, size)
            reference = bench.measure_reference()
            stored, lag_s = _store(bench, writer, book)
            figure.rounds.append(Round(stored.per_s, reference, {LAG: lag_s}))
    return [figure]


def growth(bench: Bench) -> list[Figure]:
    """Alternately in a large book and in a fresh one."""
    what = f"batches of 1,000 at {bench.scale.large:,} events, of those at 0"
    figure = Figure("growth", what, "%", 80)
    each = bench.scale.batched // 1_000
    with _large_book(bench, "growth") as (large, old):
        for _ in bench.rounds("growth"):
            fresh = bench.ground.new_book()
            with _writer(bench, fresh, UNIFORM) as new:
                new.call("prepare", each, 1_000)
                old.call("prepare", each, 1_000)
                at_none, _ = _store(bench, new, fresh)
                at_many, _ = _store(bench, old, large)
            seen = {"per s at 0": at_none.per_s, "per s": at_many.per_s}
            figure.rounds.append(Round(100 * at_many.per_s / at_none.per_s, seen=seen))
    return [figure]


def catch_up(bench: Bench) -> list[Figure]:
    """All views of a book that nobody has followed yet."""
    figure = Figure("catch-up", "events that all views together catch up with", "/s", 20_000)
    book = bench.ground.new_book()
    with _writer(bench, book, UNIFORM) as writer:
        bench.tell("catch-up: filling a book")
        events = bench.scale.caught_up * (bench.scale.rounds + 1)
        writer.call("prepare", events // LARGEST_BATCH, LARGEST_BATCH)
        writer.call("store")
    with child(CatchingUp, bench.database, book) as view:
        for _ in bench.rounds("catch-up"):
            reference = bench.measure_reference()
            figure.rounds.append(Round(view.call("events_per_s", bench.scale.caught_up), reference))
    return [figure]


def rebuild(bench: Bench) -> list[Figure]:
    """The view that balances of any time are read from, compared with the live one and put in its place."""
    what = f"rebuild of the balances of {bench.scale.large:,} entries"
    figure = Figure("rebuild", what, "s", 60, at_most=True)
    with _large_book(bench, "rebuild") as (book, _):
        bench.tell("rebuild: rebuilding")
        figure.rounds.append(Round(rebuild_seconds(bench.database, book)))
    return [figure]


@contextmanager
def _writer(bench: Bench, book: str, pattern: Pattern) -> Iterator[Child]:
    with child(BatchWriter, bench.database, book, pattern, bench.next_seed()) as writer:
        yield writer


@contextmanager
def _large_book(bench: Bench, name: str) -> Iterator[tuple[str, Child]]:
    """A book with many events, its views kept up, and its writer."""
    book = bench.ground.new_book()
    with working(bench.ground), _writer(bench, book, UNIFORM) as writer:
        steps = 10
        for step in range(steps):
            bench.tell(f"{name}: filling a book, {step} of {steps}")
            writer.call("prepare", bench.scale.large // steps // LARGEST_BATCH + 1, LARGEST_BATCH)
            _store(bench, writer, book)
        yield book, writer


def _store(bench: Bench, writer: Child, book: str) -> tuple[Stored, float]:
    """What came of the batches that were prepared, and how long after it the postings were there."""
    stored: Stored = writer.call("store")
    return stored, caught_up_at(bench.database, book, stored.position) - stored.ended_at
