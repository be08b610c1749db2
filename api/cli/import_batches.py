"""Batches of an import: rows become commands, a thousand at a time, and each row comes back with what became of it.

    rows ─▶ the API's own gate and fields ─▶ 1,000 in one submission ─▶ the book's writer ─▶ what became of each row
                    └─▶ rejected at once ──────────── in their order ───────────────────────▶┘

Two submissions are under way: while one is stored, the next one is made ready. A row's key is its own, or it follows
from the file and the line, so that a file that is imported again is only answered again. Where the database goes away
the writer goes on trying in the same order; whoever loses patience runs the same import again.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal, NamedTuple

from fastapi.exceptions import RequestValidationError
from msgspec.structs import replace

from api.cli.import_rows import LONGEST_ROW, Row
from api.dependencies import understood
from api.fields import IdempotencyKey
from api.fingerprints import fingerprint
from api.json_gate import parse
from api.routes.transfers import ROUTE, TransferRequest
from api.validation import refusal_of_validation
from commands.envelope import Answer, Envelope, Part, Submission
from commands.writer import Writers
from ledger.errors import InternalError, Refusal, Unavailable
from ledger.ids import CORRELATION, new_id

ROWS_IN_A_BATCH = 1_000
# Long rows make smaller batches, so that memory has a bound.
_BYTES_IN_A_BATCH = 4 * 1024 * 1024
_BATCHES_UNDER_WAY = 2
_PATIENCE_S = 60.0
_PAUSE_S = 0.2
_ACTOR = "cli:import"

Became = Literal["created", "replayed", "valid"]


class Outcome(NamedTuple):
    """A row and what became of it; a refusal says why it was rejected. `position` is that of its last event, or 0."""

    line: int
    became: Became | Refusal
    position: int = 0


class ImportedTransfer(TransferRequest):
    """A transfer as the API takes it, with the key that it would be sent with, if it has one."""

    idempotency_key: IdempotencyKey | None = None
    dry_run: Literal[False] = False


class _Entry(NamedTuple):
    line: int
    made: Part | Refusal


class _Batch:
    """Rows that were submitted together."""

    def __init__(self, entries: list[_Entry]) -> None:
        self.entries = entries
        self.parts = [entry.made for entry in entries if isinstance(entry.made, Part)]
        self.answers: list[Answer] = []
        self._arrived = threading.Event()

    def submit(self, writers: Writers, book: str) -> None:
        """Line up; raises Unavailable when the database stays away."""
        if not self.parts:
            return self._arrived.set()
        give_up_at = time.monotonic() + _PATIENCE_S
        while True:
            try:
                # Without a deadline: a batch that gave up could be overtaken by the next one.
                return writers.submit(book, Submission(self.parts, self._take, deadline=math.inf))
            except Unavailable:
                if time.monotonic() >= give_up_at:
                    raise
                time.sleep(_PAUSE_S)

    def _take(self, answers: list[Answer]) -> None:
        self.answers = answers
        self._arrived.set()

    def wait(self) -> None:
        if not self._arrived.wait(_PATIENCE_S):
            raise Unavailable("The database does not answer.")


class Importer:
    """Has the rows of one file carried out in one book."""

    def __init__(self, writers: Writers, book: str, file_sha256: str, *, retry_rejected: bool = False) -> None:
        """`retry_rejected`: rows without a key of their own that were rejected by an earlier run are decided anew."""
        self._writers = writers
        self._book = book
        self._prefix = f"import/{file_sha256}"
        self._correlation = new_id(CORRELATION)
        self._retry_rejected = retry_rejected

    def run(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """What became of each row, in their order; raises Unavailable when the database stays away."""
        under_way: deque[_Batch] = deque()
        for batch in self._batches(rows):
            if len(under_way) == _BATCHES_UNDER_WAY:
                yield from self._finish(under_way.popleft())
            batch.submit(self._writers, self._book)
            under_way.append(batch)
        yield from chain.from_iterable(map(self._finish, under_way))

    def _batches(self, rows: Iterable[Row]) -> Iterator[_Batch]:
        entries: list[_Entry] = []
        size = 0
        for row in rows:
            entries.append(self._entry(row))
            size += 0 if isinstance(row.content, Refusal) else len(row.content)
            if len(entries) == ROWS_IN_A_BATCH or size > _BYTES_IN_A_BATCH:
                yield _Batch(entries)
                entries, size = [], 0
        if entries:
            yield _Batch(entries)

    def _entry(self, row: Row) -> _Entry:
        try:
            asked = transfer_of(row)
            key = asked.idempotency_key or f"{self._prefix}/{row.line}"
            envelope = Envelope(key, fingerprint(ROUTE, asked), _ACTOR, self._correlation)
            return _Entry(row.line, Part(envelope, asked.to_command()))
        except Refusal as refusal:
            return _Entry(row.line, refusal)

    def _finish(self, batch: _Batch) -> Iterator[Outcome]:
        batch.wait()
        answers = self._retried(batch) if self._retry_rejected else batch.answers
        told = iter(answers)
        for line, made in batch.entries:
            yield Outcome(line, made) if isinstance(made, Refusal) else _outcome(line, next(told))

    def _retried(self, batch: _Batch) -> list[Answer]:
        """The answers, after the rejected rows were sent again with a second key, a third, … until one is fresh."""
        answers, attempt = list(batch.answers), 1
        places = [place for place, part in enumerate(batch.parts) if part.envelope.key.startswith(self._prefix)]
        while places := [place for place in places if answers[place].refusal and answers[place].replayed]:
            attempt += 1
            again = _Batch([_Entry(0, _with_attempt(batch.parts[place], attempt)) for place in places])
            again.submit(self._writers, self._book)
            again.wait()
            for place, answer in zip(places, again.answers, strict=True):
                answers[place] = answer
        return answers


def transfer_of(row: Row) -> ImportedTransfer:
    """The row as the API would understand it; raises what the API would answer."""
    if isinstance(row.content, Refusal):
        raise row.content
    try:
        return understood(ImportedTransfer, parse(row.content, max_bytes=LONGEST_ROW))
    except RequestValidationError as error:
        raise refusal_of_validation(error) from None


def checked(rows: Iterable[Row]) -> Iterator[Outcome]:
    """Whether each row makes sense by itself, whatever the book would say to it."""
    for row in rows:
        try:
            transfer_of(row).to_command()
        except Refusal as refusal:
            yield Outcome(row.line, refusal)
        else:
            yield Outcome(row.line, "valid")


def _with_attempt(part: Part, attempt: int) -> Part:
    return Part(replace(part.envelope, key=f"{part.envelope.key}/{attempt}"), part.command)


def _outcome(line: int, answer: Answer) -> Outcome:
    if answer.refusal is not None:
        return Outcome(line, answer.refusal)
    if answer.error is not None:
        return Outcome(line, InternalError())
    return Outcome(line, "replayed" if answer.replayed else "created", answer.position)
