"""Writer: group commit. One thread per book takes what is waiting and has it decided and stored in one transaction.

Waiting costs nothing: while one batch commits, the next one gathers. Several processes may write to one book; the head
row puts their batches in order.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable

from commands.envelope import Answer, Part, Submission
from commands.handler import Handler
from ledger.errors import Overloaded, Refusal, StorageFull, Unavailable
from ledger.store.recorder import DatabaseTrouble, LawBroken

logger = logging.getLogger(__name__)

MOST_PARTS_IN_A_BATCH = 8_000
MOST_PARTS_WAITING = 50_000
_PAUSE_BEFORE_RETRY_S = 0.05
# After so long without a database new work is refused at once, until a probe finds it again.
_PATIENCE_WITH_DATABASE_S = 0.5
_PAUSE_BETWEEN_PROBES_S = 0.1
_DISK_FULL = "53100"
_NO_DATABASE = "The database does not answer."

Delivery = list[tuple[Submission, list[Answer]]]


def _one_by_one(delivery: Delivery) -> None:
    for submission, answers in delivery:
        try:
            submission.done(answers)
        except Exception:
            # Whoever waited can ask again with the key; the others are answered.
            logger.exception("an answer could not be delivered")


class Writer(threading.Thread):
    """Takes submissions from any thread and calls `deliver` from its own once they are stored or refused."""

    def __init__(self, handler: Handler, deliver: Callable[[Delivery], None] = _one_by_one) -> None:
        super().__init__(name=f"writer of {handler.appender.book}", daemon=True)
        self.handler = handler
        self._deliver = deliver
        self._queue: queue.SimpleQueue[Submission | None] = queue.SimpleQueue()
        self._waiting = 0
        self._stopping = False
        self._trouble_since: float | None = None
        self._lock = threading.Lock()

    def submit(self, submission: Submission) -> None:
        """Line up; raises Overloaded when too much is waiting and Unavailable when the service stops."""
        with self._lock:
            if self._stopping:
                raise Unavailable("The service is stopping.")
            trouble_since = self._trouble_since
            if trouble_since is not None and time.monotonic() - trouble_since > _PATIENCE_WITH_DATABASE_S:
                raise Unavailable(_NO_DATABASE)
            if self._waiting + len(submission.parts) > MOST_PARTS_WAITING:
                raise Overloaded()
            self._waiting += len(submission.parts)
            self._queue.put(submission)

    @property
    def waiting(self) -> int:
        """How many commands wait to be decided."""
        return self._waiting

    def stop(self) -> None:
        """Answer what is waiting, then end."""
        with self._lock:
            self._stopping = True
        self._queue.put(None)
        if self.is_alive():
            self.join(timeout=10)
        self.handler.appender.close()

    def run(self) -> None:
        while batch := self._gather():
            with self._lock:
                self._waiting -= sum(len(submission.parts) for submission in batch)
            self._deliver(self._store(batch))

    def _gather(self) -> list[Submission]:
        """Everything that is waiting, up to a batch; an empty list at the end."""
        first = self._next()
        if first is None:
            return []
        batch, parts = [first], len(first.parts)
        while parts < MOST_PARTS_IN_A_BATCH:
            try:
                submission = self._queue.get_nowait()
            except queue.Empty:
                break
            if submission is None:
                self._queue.put(None)
                break
            batch.append(submission)
            parts += len(submission.parts)
        return batch

    def _next(self) -> Submission | None:
        """What waits longest; meanwhile, where the database was lost, see whether it is back."""
        while self._trouble_since is not None:
            try:
                return self._queue.get(timeout=_PAUSE_BETWEEN_PROBES_S)
            except queue.Empty:
                if self.handler.appender.probe():
                    self._trouble_since = None
        return self._queue.get()

    def _store(self, batch: list[Submission]) -> Delivery:
        """Have the batch decided and stored; what fails for want of a database is tried again until its deadline.

        Trying again is safe whatever became of the first time: the log's head waits for a transaction that may still
        be under way, and the keys are looked up behind it.
        """
        delivery = self._refuse_late(batch)
        batch = batch if not delivery else [s for s in batch if all(s is not late for late, _ in delivery)]
        integrity_failures = 0
        while batch:
            try:
                delivery += zip(batch, self.handler.handle(batch), strict=True)
                self._trouble_since = None
                return delivery
            except LawBroken as error:
                # A constraint stopped what Python let pass: with what was remembered, or with a bug in one command.
                integrity_failures += 1
                logger.exception("a constraint refused a batch", extra={"submissions": len(batch)})
                if integrity_failures > 1:
                    return delivery + (self._each_alone(batch) if len(batch) > 1 else _failed(batch, error))
            except DatabaseTrouble as error:
                self._trouble_since = self._trouble_since or time.monotonic()
                refusal = _refusal_for(error)
                expired = [s for s in batch if time.monotonic() + _PAUSE_BEFORE_RETRY_S >= s.deadline]
                batch = [s for s in batch if s not in expired]
                delivery += [(s, [Answer(refusal.status, 0, refusal=refusal)] * len(s.parts)) for s in expired]
                logger.warning("the database did not answer: %s", error)
                time.sleep(_PAUSE_BEFORE_RETRY_S)
            except Exception as error:
                # A bug is nobody else's in the batch, wherever it is.
                logger.exception("a batch failed", extra={"submissions": len(batch)})
                return delivery + (self._each_alone(batch) if len(batch) > 1 else _failed(batch, error))
        return delivery

    def _refuse_late(self, batch: list[Submission]) -> Delivery:
        """Refuse those that nobody waits for any more: whoever was told "not now" is not surprised by it afterwards."""
        now = time.monotonic()
        refusal = Overloaded() if self._trouble_since is None else Unavailable(_NO_DATABASE)
        answer = Answer(refusal.status, 0, refusal=refusal)
        return [(s, [answer] * len(s.parts)) for s in batch if s.deadline <= now]

    def _each_alone(self, batch: list[Submission]) -> Delivery:
        return [delivered for submission in batch for delivered in self._store([submission])]


def _failed(batch: list[Submission], error: Exception) -> Delivery:
    return [(submission, [Answer(500, 0, error=error)] * len(submission.parts)) for submission in batch]


def _refusal_for(error: Exception) -> Refusal:
    if getattr(error.__cause__, "sqlstate", None) == _DISK_FULL:
        return StorageFull()
    return Unavailable(_NO_DATABASE)


class Writers:
    """The writers of one process, one for each book that is written to; begun on first use."""

    def __init__(
        self, handler_for: Callable[[str], Handler], deliver: Callable[[Delivery], None] = _one_by_one
    ) -> None:
        self._handler_for = handler_for
        self._deliver = deliver
        self._writers: dict[str, Writer] = {}
        self._lock = threading.Lock()

    def of(self, book: str) -> Writer:
        writer = self._writers.get(book)
        if writer is None:
            with self._lock:
                writer = self._writers.get(book)
                if writer is None:
                    writer = self._writers[book] = Writer(self._handler_for(book), self._deliver)
                    writer.start()
        return writer

    def submit(self, book: str, submission: Submission) -> None:
        self.of(book).submit(submission)

    def execute(self, book: str, part: Part, patience_s: int = 10) -> Answer:
        """Submit one command and wait for its answer, on this thread; raises its refusal or its bug."""
        arrived = threading.Event()
        answers: list[Answer] = []

        def done(given: list[Answer]) -> None:
            answers.extend(given)
            arrived.set()

        self.submit(book, Submission([part], done, time.monotonic() + patience_s))
        if not arrived.wait(patience_s + 5):
            raise Unavailable()
        (answer,) = answers
        if answer.error is not None:
            raise answer.error
        if answer.refusal is not None:
            raise answer.refusal
        return answer

    def sealed_size(self, book: str) -> int:
        """How many events of the book the newest signed checkpoint held when its writer looked last."""
        writer = self._writers.get(book)
        return 0 if writer is None else writer.handler.appender.sealed_size

    def waiting(self) -> dict[str, int]:
        """How many commands wait to be decided, by book."""
        return {book: writer.waiting for book, writer in list(self._writers.items())}

    def stop(self) -> None:
        for writer in list(self._writers.values()):
            writer.stop()
