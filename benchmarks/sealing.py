"""Sealing: what the tree of hashes costs who appends, by the same batches with it and without, in turn."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import Cursor

from benchmarks.batch_writer import BatchWriter
from benchmarks.bench import UNIFORM, Bench
from benchmarks.figures import Figure, Round
from benchmarks.mix import Pattern
from benchmarks.processes import child
from benchmarks.service import working
from commands import books
from ledger.audit.merkle import Frontier
from ledger.store import append
from ledger.store.connection import Database, in_book
from ledger.store.recorder import BookRecorder


class UnsealedWriter(BatchWriter):
    """Appends as if there were no tree: for comparison, in a process of its own."""

    def __init__(self, database: Database, book: str, pattern: Pattern, seed: int) -> None:
        for room, name, nothing in (
            (books, "sealed_entry", lambda event, recorded_at: b""),
            (append, "leaf_hashes", lambda after_position, recorded_at, columns, entries: []),
            (append.Appender, "frontier_at", lambda self, cursor, head: _NoTree()),
        ):
            getattr(room, name)  # It is there, and this is what does the work.
            setattr(room, name, nothing)
        move_head = BookRecorder.move_head

        def move_head_without(
            self: BookRecorder, cursor: Cursor[Any], position: int, recorded_at: datetime, tree: Frontier | None = None
        ) -> None:
            move_head(self, cursor, position, recorded_at)

        BookRecorder.move_head = move_head_without  # type: ignore[method-assign, assignment]
        with database.owner() as connection:
            # Whoever seals finds nothing to lock.
            connection.execute(in_book("DELETE FROM {schema}.sealer", book))
        super().__init__(database, book, pattern, seed)


class _NoTree:
    def extended(self, leaves: Sequence[Any]) -> "_NoTree":
        return self


def sealing(bench: Bench) -> list[Figure]:
    """Throughput under seal, with a sealer behind it, of the one without."""
    figure = Figure("sealing", "batches of 1,000 under seal, of those that are not", "%", 90)
    each = bench.scale.batched // 1_000
    sealed_book, unsealed_book = bench.ground.new_book(), bench.ground.new_book()
    database = bench.database
    with (
        working(bench.ground),
        child(BatchWriter, database, sealed_book, UNIFORM, bench.next_seed()) as sealed,
        child(UnsealedWriter, database, unsealed_book, UNIFORM, bench.next_seed()) as unsealed,
    ):
        for turn in bench.rounds("sealing"):
            per_s: dict[str, float] = {}
            writers = {"sealed": sealed, "unsealed": unsealed}
            for name in sorted(writers, reverse=bool(turn % 2)):
                writers[name].call("prepare", each, 1_000)
                per_s[name] = writers[name].call("store").per_s
            seen = {f"per s {name}": value for name, value in per_s.items()}
            figure.rounds.append(Round(100 * per_s["sealed"] / per_s["unsealed"], seen=seen))
    return [figure]
