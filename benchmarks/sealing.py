"""Sealing: what the tree of hashes costs who appends, by the same batches with it and without, in turn."""

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
from ledger.store import append
from ledger.store.connection import Database, in_book
from ledger.store.recorder import BookRecorder


class UnsealedWriter(BatchWriter):
    """Appends as if there were no tree: for comparison, in a process of its own."""

    def __init__(self, database: Database, book: str, pattern: Pattern, seed: int) -> None:
        for room, name, nothing in (
            (books, "sealed_entry", lambda event, recorded_at: b""),
            (append, "leaf_hashes", lambda after_position, recorded_at, columns, entries: entries),
            (append.Appender, "frontier_at", lambda self, cursor, head: _NoTree(head.position)),
            (BookRecorder, "move_head_and_tree", _move_head_alone),
        ):
            getattr(room, name)  # It is there, and this is what does the work.
            setattr(room, name, nothing)
        with database.owner() as connection:
            # Whoever seals finds nothing to lock.
            connection.execute(in_book("DELETE FROM {schema}.sealer", book))
        super().__init__(database, book, pattern, seed)


class _NoTree:
    def __init__(self, size: int) -> None:
        self.size = size

    def extended(self, leaves: list[bytes]) -> "_NoTree":
        return _NoTree(self.size + len(leaves))


def _move_head_alone(
    self: BookRecorder, cursor: Cursor[Any], recorded_at: datetime, frontier: _NoTree, leaves: list[bytes]
) -> None:
    self.move_head(cursor, frontier.size, recorded_at)


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
