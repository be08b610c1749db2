"""Batch writer: one process that has batches decided and stored by the writer of a book, without HTTP in between."""

import gc
import threading
import time
from collections import Counter
from hashlib import sha256
from operator import attrgetter

import msgspec

from benchmarks.mix import CURRENCY, FLOOR, POOR, Expected, Mix, Pattern, Transfer
from commands.accounts import OpenAccount
from commands.deciders import DECIDERS
from commands.envelope import Answer, Command, Envelope, Part, Submission
from commands.handler import Handler
from commands.transfers import PostTransfer
from commands.writer import Writer
from ledger.ids import CORRELATION, ENTRY, new_id
from ledger.store.append import Appender
from ledger.store.connection import Database

# As the service has them.
_GC_THRESHOLDS = (50_000, 50, 100)
_ACCOUNTS_AT_ONCE = 2_000
_outcome = attrgetter("status", "replayed")
_position = attrgetter("position")
_PATIENCE_S = 60


class Stored(msgspec.Struct, frozen=True):
    """What a round came to: so many commands in so many seconds, and where the log ended when the last was answered."""

    commands: int
    seconds: float
    position: int
    ended_at: float
    """On the monotonic clock of this machine."""

    @property
    def per_s(self) -> float:
        return self.commands / self.seconds


class BatchWriter:
    """Opens the accounts of a pattern in a book, and has batches of transfers between them stored one by one."""

    def __init__(self, database: Database, book: str, pattern: Pattern, seed: int) -> None:
        self._mix = Mix(pattern, seed)
        self._writer = Writer(Handler(Appender(database, book), DECIDERS))
        self._writer.start()
        names = [POOR, *pattern.names]
        for start in range(0, len(names), _ACCOUNTS_AT_ONCE):
            self._submit([_opening(name) for name in names[start : start + _ACCOUNTS_AT_ONCE]])
        self._prepared: list[list[Part]] = []
        gc.set_threshold(*_GC_THRESHOLDS)

    def open(self) -> None:
        """Answers once the accounts are open."""

    def prepare(self, batches: int, size: int) -> None:
        """Make so many batches, at least one."""
        self._mix.expected = Expected()
        drawn = self._mix.batches(max(1, batches), size)
        self._prepared = [[_part(transfer) for transfer in batch] for batch in drawn]

    def close(self) -> None:
        self._writer.stop()

    def store(self) -> Stored:
        """Store what was prepared, timed from the first to the last answer; checks what became of every command."""
        gc.collect()
        gc.freeze()
        begun = time.monotonic()
        outcomes: Counter[tuple[int, bool]] = Counter()
        position = 0
        for parts in self._prepared:
            answers = self._submit(parts)
            outcomes.update(map(_outcome, answers))
            position = max(position, *map(_position, answers))
        ended_at = time.monotonic()
        expected = self._mix.expected
        wanted = Counter(
            {(201, False): expected.created, (409, False): expected.refused, (201, True): expected.replayed}
        )
        if outcomes != wanted:
            raise AssertionError(f"{wanted} was to come out and {outcomes} did")
        return Stored(expected.total, ended_at - begun, position, ended_at)

    def _submit(self, parts: list[Part]) -> list[Answer]:
        answered: list[Answer] = []
        there = threading.Event()

        def done(answers: list[Answer]) -> None:
            answered.extend(answers)
            there.set()

        self._writer.submit(Submission(parts, done, time.monotonic() + _PATIENCE_S))
        if not there.wait(_PATIENCE_S):
            raise AssertionError(f"no answer within {_PATIENCE_S} s")
        return answered


def _opening(name: str) -> Part:
    floor = 0 if name == POOR else FLOOR
    return _enveloped(f"open {name}", OpenAccount(name, name, "liability", CURRENCY, min_balance=floor))


def _part(transfer: Transfer) -> Part:
    command = PostTransfer(new_id(ENTRY), transfer.debit_account, transfer.credit_account, transfer.amount, CURRENCY)
    return _enveloped(transfer.key, command)


def _enveloped(key: str, command: Command) -> Part:
    return Part(Envelope(key, sha256(key.encode()).digest(), "key_bench", new_id(CORRELATION)), command)
