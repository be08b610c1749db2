"""Over HTTP: the same service that `./run` starts, from the first byte of a request to the last one of its answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.batch_writer import BatchWriter
from benchmarks.bench import LAG, MOST_LAG_S, ONE_HOT, UNIFORM, Bench
from benchmarks.figures import Figure, Round
from benchmarks.load import Callers, Load
from benchmarks.mix import Pattern
from benchmarks.processes import Child, child
from benchmarks.service import Api, resident_mb, serving, working
from benchmarks.views import caught_up_at, head_of

CALLERS = 64
BATCH_CALLERS = 4
BATCH = 1_000


def transfers(bench: Bench) -> list[Figure]:
    """One by one, between 1,000 accounts and through a hot one, in turn."""
    rate = Figure("transfers-http", f"POST /v1/transfers, {CALLERS} connections", "R", 0.4, limits={LAG: MOST_LAG_S})
    p99 = Figure("transfers-http-p99", "the slowest of 100 of these", "ms", 100, at_most=True)
    hot = Figure("transfers-http-hot", "one hot account, of these", "%", 80)
    each = bench.scale.one_by_one // CALLERS
    with (
        working(bench.ground),
        serving(bench.ground) as api,
        _callers(bench, api, UNIFORM) as even,
        _callers(bench, api, ONE_HOT) as uneven,
    ):
        for callers in (even, uneven):
            callers.prepare_transfers(each // 4)
            callers.send()
        for _ in bench.rounds("transfers-http"):
            even.prepare_transfers(each)
            uneven.prepare_transfers(each)
            reference = bench.measure_reference()
            one, lag_s = even.send()
            other, _ = uneven.send()
            rate.rounds.append(Round(one.per_s, reference, {LAG: lag_s, "callers' cpu": one.cpu_share}))
            p99.rounds.append(Round(one.p99_ms, seen={"p50 ms": one.p50_ms}))
            hot.rounds.append(
                Round(100 * other.per_s / one.per_s, seen={"p50 ms": other.p50_ms, "p99 ms": other.p99_ms})
            )
    return [rate, p99, hot]


def batches(bench: Bench) -> list[Figure]:
    what = f"POST /v1/batches of 1,000, {BATCH_CALLERS} connections"
    figure = Figure("batches-http", what, "R", 3, limits={LAG: MOST_LAG_S})
    with working(bench.ground), serving(bench.ground) as api, _callers(bench, api, UNIFORM) as callers:
        callers.prepare_batches(bench.scale.warm_up)
        callers.send()
        for _ in bench.rounds("batches-http"):
            callers.prepare_batches(bench.scale.batched)
            reference = bench.measure_reference()
            one, lag_s = callers.send()
            seen = {LAG: lag_s, "p50 ms": one.p50_ms, "p99 ms": one.p99_ms, "callers' cpu": one.cpu_share}
            figure.rounds.append(Round(one.per_s, reference, seen))
    return [figure]


def memory(bench: Bench) -> list[Figure]:
    """What the API and the worker hold after many transfers."""
    what = f"API and worker after {bench.scale.large:,} transfers"
    figure = Figure("memory", what, "MB", 300, at_most=True)
    with working(bench.ground) as worker_pid, serving(bench.ground) as api, _callers(bench, api, UNIFORM) as callers:
        steps = 10
        for step in range(steps):
            bench.tell(f"memory: {step} of {steps}")
            callers.prepare_batches(bench.scale.large // steps)
            callers.send()
        of_api, of_worker = resident_mb(api.pid), resident_mb(worker_pid)
        figure.rounds.append(Round(of_api + of_worker, seen={"API MB": of_api, "worker MB": of_worker}))
    return [figure]


class _BookCallers:
    """Callers of one book; whatever they send is checked against the log."""

    def __init__(self, bench: Bench, process: Child, book: str) -> None:
        self._bench, self._process, self._book = bench, process, book

    def prepare_transfers(self, each: int) -> None:
        self._process.call("prepare_transfers", CALLERS, each)

    def prepare_batches(self, transfers: int) -> None:
        self._process.call("prepare_batches", BATCH_CALLERS, max(1, transfers // BATCH // BATCH_CALLERS), BATCH)

    def send(self) -> tuple[Load, float]:
        """What came of what was prepared, and how long after it the postings were there."""
        database, book = self._bench.database, self._book
        before = head_of(database, book)
        load: Load = self._process.call("send")
        if load.unexpected:
            raise AssertionError(f"{load.transfers} was to come out, and these answers came: {load.statuses}")
        end = head_of(database, book)
        if end - before != load.transfers.created:
            raise AssertionError(f"{load.transfers.created} were created and {end - before} are in the log")
        return load, caught_up_at(database, book, end) - load.ended_at


@contextmanager
def _callers(bench: Bench, api: Api, pattern: Pattern) -> Iterator[_BookCallers]:
    """Callers of a fresh book with the accounts of a pattern."""
    book = bench.ground.new_book()
    with child(BatchWriter, bench.database, book, pattern, 0) as accounts:
        accounts.call("open")
    with child(Callers, api.target(book), pattern, bench.next_seed()) as process:
        yield _BookCallers(bench, process, book)
