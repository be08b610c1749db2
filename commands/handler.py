"""Handler: the one way from a command to the log.

For a whole batch, in one transaction: lock the head → answered before? → read what the commands name → decide one after
another → append → commit. A refused command is an answer like any other and disturbs nobody else in the batch.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from commands.books import Books, NotLoaded, Standing
from commands.envelope import Answer, Command, Decision, Envelope, Part, Receipt, Submission
from ledger import errors
from ledger.errors import FieldError, IdempotencyKeyReused, Refusal
from ledger.events.approvals import POLICY_STREAM, ApprovalPolicyChanged
from ledger.events.customers import customer_stream
from ledger.events.event import Metadata, Recorded
from ledger.personal import sealed_answer
from ledger.store.append import Appender, Appending, StoredKey
from ledger.store.vault import Keeper, Vault

logger = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_LONGEST_TAIL = 20_000
_CUSTOMERS = customer_stream("")


class Needs(msgspec.Struct):
    """What a command will surely look at, so that a batch reads it in one go; the rest is read when it is asked for."""

    accounts: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    latest: tuple[str, ...] = ()
    """Streams of which the last event is enough."""


class Decider(msgspec.Struct, frozen=True):
    """What the handler knows of a kind of command: how it is decided, what it needs, how its answer is told again."""

    decide: Callable[[Books, Any, Envelope], Decision]
    needs: Callable[[Any], Needs] = lambda command: Needs()
    retell: Callable[[Recorded], Receipt] | None = None


class Handler:
    """Decides batches of one book. Not for concurrent use: the writer's thread owns it."""

    def __init__(self, appender: Appender, deciders: dict[type[Command], Decider], vault: Vault | None = None) -> None:
        """With a vault personal values are recorded in their seals; without one it must have none to record."""
        self.appender = appender
        self.vault = vault
        self.deciders = deciders
        self.standing = Standing()

    def handle(self, submissions: list[Submission]) -> list[list[Answer]]:
        """The answers to each submission's parts, in order; they are true once this returns. Raises database errors."""
        try:
            with self.appender.open() as appending:
                batch = _Batch(self, appending)
                batch.read(submissions)
                answers = [batch.answer(submission) for submission in submissions]
                last = appending.write(batch.books.draft)
                if batch.keeper is not None:
                    batch.keeper.write(appending.connection)
        except BaseException:
            self.appender.forget()
            raise
        self.appender.remember(last)
        return answers


class _Batch:
    def __init__(self, handler: Handler, appending: Appending) -> None:
        self.appending = appending
        self.deciders = handler.deciders
        appender = handler.appender
        if appender.closed_periods is None:
            # Forgotten together: somebody else has written.
            appender.closed_periods = appending.closed_periods()
            handler.standing.policy = _policy_in(appending)
        self.keeper = None if handler.vault is None else Keeper(handler.vault, appender.book)
        self.books = Books(
            appender.accounts,
            appender.closed_periods,
            appending.position,
            appending.recorded_at,
            handler.standing,
            self.keeper,
        )
        self.answered: dict[str, StoredKey] = {}
        self.retold: dict[int, Recorded] = {}
        self.fresh: dict[str, Answer] = {}

    def read(self, submissions: list[Submission]) -> None:
        """Read the keys, and what the commands surely look at."""
        parts = [part for submission in submissions for part in submission.parts if not part.envelope.dry_run]
        batch_keys = [submission.batch_key.key for submission in submissions if submission.batch_key]
        self.answered = self.appending.keys([part.envelope.key for part in parts] + batch_keys)
        accounts: set[str] = set()
        streams: set[str] = set()
        references: set[str] = set()
        latest: set[str] = set()
        for submission in submissions:
            for part in submission.parts:
                needs = self.deciders[type(part.command)].needs(part.command)
                accounts.update(needs.accounts)
                if needs.streams or needs.references:
                    streams.update(needs.streams)
                    references.update(needs.references)
                    latest.update(needs.latest)
        self._load(accounts - self.books.known_accounts, streams, references, latest)
        if self.keeper is not None and (customers := [name for name in streams if name.startswith(_CUSTOMERS)]):
            self.keeper.read(self.appending.connection, customers)
        positions = [key.position for key in self.answered.values() if key.answer is None]
        self.retold = self.appending.events_at(positions)

    def _load(self, accounts: set[str], streams: set[str], references: set[str], latest: set[str]) -> None:
        self.books.load_accounts(self.appending.accounts(accounts))
        self.books.load_streams(self.appending.streams(streams))
        self.books.load_references(self.appending.references(references))
        self.books.load_latest(self.appending.latest(latest))

    def _load_tail(self, behind: int) -> None:
        end = self.appending.position
        if end - behind > _LONGEST_TAIL:
            # Whoever looked at the log a moment ago is not that far behind; to read more would keep all others waiting.
            return self.books.load_tail(behind, None)
        found = self.appending.events_at(list(range(behind + 1, end + 1)))
        return self.books.load_tail(behind, [found[position] for position in sorted(found)])

    def answer(self, submission: Submission) -> list[Answer]:
        told = None
        if submission.batch_key and (told := self.answered.get(submission.batch_key.key)):
            refused = self._already_refused(told, submission.batch_key)
            if refused:
                return [refused] * len(submission.parts)
            if told.status >= 400:
                return load_refusals(told.answer or b"[]")
        mark, answers = self.books.mark(), list[Answer]()
        keys_before = len(self.books.draft.keys)
        for part in submission.parts:
            answers.append(self._answer_part(part))
            if not submission.atomic:
                self.books.settle()
                self.appending.begin(self.books.draft)
        whole = not submission.atomic or all(a.refusal is None and a.error is None for a in answers)
        if not whole:
            self.books.undo_to(mark)
            for stored in self.books.draft.keys[keys_before:]:
                del self.answered[stored.key]
            del self.books.draft.keys[keys_before:]
        if submission.batch_key and submission.batch_key.key not in self.answered:
            self._keep_batch(submission.batch_key, answers, whole)
        self.books.settle()
        self.appending.begin(self.books.draft)
        return answers if told is None else _as_told_first(answers, told)

    def _keep_batch(self, envelope: Envelope, answers: list[Answer], whole: bool) -> None:
        if whole:
            last = max((answer.position for answer in answers), default=0)
            # Which of its parts were known already: all of them will be when the batch comes again.
            known = bytes(answer.replayed for answer in answers) if any(a.replayed for a in answers) else b""
            self._keep(StoredKey(envelope.key, envelope.fingerprint, 201, last, known))
        elif not any(answer.error or _is_transient(answer.refusal) for answer in answers):
            # Nothing was carried out, and the same batch is told so again, whatever its transfers would meet then.
            self._keep(StoredKey(envelope.key, envelope.fingerprint, 422, 0, store_refusals(answers)))

    def _already_refused(self, stored: StoredKey, envelope: Envelope) -> Answer | None:
        if stored.fingerprint != envelope.fingerprint:
            return Answer(IdempotencyKeyReused.status, 0, refusal=IdempotencyKeyReused(pointer=None))
        return None

    def _answer_part(self, part: Part) -> Answer:
        envelope = part.envelope
        if not envelope.dry_run and (stored := self.answered.get(envelope.key)):
            return self._already_refused(stored, envelope) or self._replay(stored, part)
        mark = self.books.mark()
        while True:
            try:
                answer = self._decide(part)
            except NotLoaded as missing:
                self.books.undo_to(mark)
                self._load(_one(missing.account), _one(missing.stream), _one(missing.reference), _one(missing.end_of))
                if missing.behind is not None:
                    self._load_tail(missing.behind)
                if missing.subject is not None and self.keeper is not None:
                    self.keeper.read(self.appending.connection, [missing.subject])
                continue
            except Refusal as refusal:
                self.books.undo_to(mark)
                # Without its traceback, which leads back here and would keep all of this alive until a collection.
                answer = Answer(refusal.status, 0, refusal=refusal.with_traceback(None))
                if envelope.keeps_refusals and not envelope.dry_run and not _is_transient(refusal):
                    self._keep(StoredKey(envelope.key, envelope.fingerprint, refusal.status, 0, store_refusal(refusal)))
                return answer
            except Exception as error:
                # A bug in one decider is nobody else's in the batch.
                self.books.undo_to(mark)
                logger.exception("a decider failed", extra={"command": type(part.command).__name__})
                return Answer(500, 0, error=error)
            if envelope.dry_run:
                self.books.undo_to(mark)
            return answer

    def _decide(self, part: Part) -> Answer:
        envelope, books = part.envelope, self.books
        decision = self.deciders[type(part.command)].decide(books, part.command, envelope)
        metadata = metadata_of(envelope)
        stored_metadata = _encode(metadata)
        position = first = 0
        books.tokens.clear()
        for stream, event in decision.events:
            position = books.record(stream, event, metadata, stored_metadata)
            if not first:
                first = position
                if decision.first_causes_the_rest:
                    metadata = metadata_of(envelope, f"{stream}.{books.draft.versions[-1]}")
                    stored_metadata = _encode(metadata)
        receipt, status = decision.receipt, decision.status
        if envelope.dry_run:
            receipt.position = None
            return Answer(200, 0, _encode(receipt))
        if receipt.position is None:
            receipt.position = position
        if decision.retold:
            answer = self.fresh[envelope.key] = Answer(status, position, receipt)
            self._keep(StoredKey(envelope.key, envelope.fingerprint, status, first, None))
        else:
            answer = Answer(status, position, _encode(receipt))
            kept = _sealed(answer.body, books.tokens) if books.tokens else answer.body
            self._keep(StoredKey(envelope.key, envelope.fingerprint, status, position, kept))
        return answer

    def _replay(self, stored: StoredKey, part: Part) -> Answer:
        if stored.status >= 400:
            return Answer(stored.status, 0, replayed=True, refusal=load_refusal(stored.answer or b"{}"))
        if stored.answer is not None:
            return Answer(stored.status, stored.position, stored.answer, replayed=True)
        if fresh := self.fresh.get(stored.key):
            return msgspec.structs.replace(fresh, replayed=True)
        retell = self.deciders[type(part.command)].retell
        recorded = self.retold.get(stored.position)
        if retell is None or recorded is None:
            raise AssertionError(f"the answer to {stored.key} is lost: no event at {stored.position}")
        return Answer(stored.status, stored.position, retell(recorded), replayed=True)

    def _keep(self, stored: StoredKey) -> None:
        self.answered[stored.key] = stored
        self.books.draft.keys.append(stored)


def _policy_in(appending: Appending) -> ApprovalPolicyChanged | None:
    last = appending.latest((POLICY_STREAM,))[POLICY_STREAM]
    policy = None if last is None else last.event
    return policy if isinstance(policy, ApprovalPolicyChanged) and policy.asks_for_anything else None


def metadata_of(envelope: Envelope, causation: str = "") -> Metadata:
    """What is recorded of who asked."""
    caused_by = causation or envelope.causation
    return Metadata(envelope.actor, envelope.key, envelope.correlation, caused_by, person=envelope.person)


def _sealed(body: bytes, tokens: dict[str, str]) -> bytes:
    """An answer as it is kept: what it repeats of personal values can be erased there too."""
    return _encode(sealed_answer(msgspec.json.decode(body), tokens))


def _one(name: str | None) -> set[str]:
    return set() if name is None else {name}


def _as_told_first(answers: list[Answer], told: StoredKey) -> list[Answer]:
    """The answers of a batch that comes again, with `replayed` as it was said the first time."""
    known = told.answer or bytes(len(answers))
    return [
        msgspec.structs.replace(answer, replayed=bool(was), again=True)
        for answer, was in zip(answers, known, strict=True)
    ]


def _is_transient(refusal: Refusal | None) -> bool:
    """Whether the same request may be answered otherwise the next time, so that nothing is kept with its key."""
    return refusal is not None and refusal.status in (401, 403, 429, 503)


def store_refusal(refusal: Refusal) -> bytes:
    """A refusal as it is kept with its key."""
    return _encode(_as_values(refusal))


def store_refusals(answers: list[Answer]) -> bytes:
    """The refusals of an atomic batch as they are kept with its key; null for what was not to blame."""
    return _encode([None if answer.refusal is None else _as_values(answer.refusal) for answer in answers])


def _as_values(refusal: Refusal) -> dict[str, Any]:
    fields = [[error.pointer, error.code, error.detail] for error in refusal.errors]
    return {"code": refusal.code(), "detail": refusal.detail, "errors": fields, "facts": refusal.facts}


def _refusals(parent: type[Refusal]) -> dict[str, type[Refusal]]:
    found = {parent.code(): parent}
    for child in parent.__subclasses__():
        found |= _refusals(child)
    return found


def load_refusal(stored: bytes) -> Refusal:
    """The refusal that was kept with a key."""
    return _of_values(msgspec.json.decode(stored))


def load_refusals(stored: bytes) -> list[Answer]:
    """The answers of an atomic batch that was refused."""
    refusals = [None if values is None else _of_values(values) for values in msgspec.json.decode(stored)]
    return [Answer(refusal.status if refusal else 422, 0, replayed=True, refusal=refusal) for refusal in refusals]


def _of_values(values: dict[str, Any]) -> Refusal:
    refusal = _refusals(errors.Refusal)[values["code"]]
    fields = tuple(FieldError(*field) for field in values["errors"])
    return refusal(values["detail"], errors=fields, **values["facts"])
