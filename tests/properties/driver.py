"""Drivers: how a request of the model reaches a ledger, and what the ledger's tables say afterwards."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec
import pytest
from psycopg import Connection

from commands import accounts, entries, holds, periods, transfers
from commands.envelope import Answer, Command, Part
from ledger import journal
from ledger.errors import Unbalanced
from ledger.ids import new_id
from ledger.store import append
from ledger.store.connection import Database, in_book
from tests.properties import requests as r
from tests.properties.model import Model
from tests.properties.model_state import Turnover
from tests.properties.requests import Json, Reply, Request
from tests.writing import Pen, check_books, envelope, stored_balances


class Driver(Protocol):
    """A ledger with one empty book."""

    def now(self) -> datetime:
        """The ledger's time, at the earliest."""

    def send(self, key: str, request: Request) -> Callable[[], Reply]:
        """Send a request behind those that were sent before; the function that comes back waits for its answer."""

    def balances(self) -> dict[str, Turnover]:
        """The turnover of every account."""

    def check(self, model: Model) -> None:
        """What must hold at the end, beside the balances."""

    def close(self) -> None:
        """Let go of the book."""


class InProcess:
    """Two writers on one book, without HTTP, and a clock that can be put forward and back."""

    def __init__(self, database: Database, book: str) -> None:
        self._database, self._book = database, book
        self._pens = [Pen(database, book), Pen(database, book)]
        self._active = 0
        self._connection: Connection = database.connect()
        self._ahead = timedelta()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(append, "datetime", self._clock())

    def now(self) -> datetime:
        row = self._connection.execute(in_book("SELECT recorded_at FROM {schema}.log_head", self._book)).fetchone()
        assert row is not None
        recorded_at: datetime = row[0]
        return max(self._clock_now(), recorded_at)  # Whatever the clock says, the log does not go back in time.

    def _clock_now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def put_clock(self, forward: timedelta) -> None:
        """Forward, or back."""
        self._ahead += forward

    def switch(self) -> None:
        """Go on with the other writer, which remembers what was before."""
        self._active = 1 - self._active

    def restart(self) -> None:
        """Go on with a writer that remembers nothing."""
        self._pens[self._active].stop()
        self._pens[self._active] = Pen(self._database, self._book)

    def send(self, key: str, request: Request) -> Callable[[], Reply]:
        pen = self._pens[self._active]
        if isinstance(request, r.Batch):
            parts = [_part(item_key, transfer) for item_key, transfer in request.items]
            atomic = request.mode == "atomic"
            wait = pen.submit(parts, atomic=atomic, batch_key=envelope(key, command=request))
            return lambda: _batch_reply(wait(), atomic)
        if isinstance(request, r.PostEntry) and not request.balances:
            with pytest.raises(Unbalanced):
                journal.JournalEntry(_postings(request))
            return lambda: Reply(422, "unbalanced", {}, replayed=False)
        wait = pen.submit([_part(key, request)])
        return lambda: _reply(wait()[0])

    def balances(self) -> dict[str, Turnover]:
        return stored_balances(self._connection, self._book)

    def check(self, model: Model) -> None:
        log = check_books(self._connection, self._book)
        assert len(log) == model.position

    def close(self) -> None:
        for pen in self._pens:
            pen.stop()
        self._connection.close()
        self._patch.undo()

    def _clock(self) -> type[datetime]:
        driver = self

        class Clock(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
                return driver._clock_now()

        return Clock


def _part(key: str, request: r.Single) -> Part:
    dry_run = isinstance(request, r.PostEntry) and request.dry_run
    return Part(envelope(key, command=request, dry_run=dry_run), command_of(request))


def command_of(request: r.Single) -> Command:
    """The command that an interface makes of a request, with a fresh id where the ledger gives one."""
    match request:
        case r.OpenAccount(name, kind, currency, floor, ceiling):
            return accounts.OpenAccount(name, name, kind, currency, floor, ceiling)
        case r.ChangeLimits(account, floor, ceiling):
            return accounts.ChangeLimits(account, floor, ceiling)
        case r.ChangeStatus(account, "freeze"):
            return accounts.FreezeAccount(account, "asked to")
        case r.ChangeStatus(account, "unfreeze"):
            return accounts.UnfreezeAccount(account, "asked to")
        case r.ChangeStatus(account, "close"):
            return accounts.CloseAccount(account, "asked to")
        case r.Transfer(debit, credit, amount, currency, effective_at, reference):
            return transfers.PostTransfer(new_id("ent_"), debit, credit, amount, currency, effective_at, reference)
        case r.PlaceHold(debit, credit, amount, currency, expires_at, reference):
            return transfers.PlaceHold(new_id("hold_"), debit, credit, amount, currency, expires_at, reference)
        case r.PostEntry(_, effective_at, reference):
            return entries.PostEntry(new_id("ent_"), _postings(request), effective_at, reference)
        case r.Reverse(entry, amount, effective_at):
            return entries.ReverseEntry(new_id("ent_"), entry, "mistake", amount, effective_at)
        case r.Capture(hold, amount, final):
            return holds.CaptureHold(hold, amount, final)
        case r.Release(hold, expired):
            return holds.ExpireHold(hold) if expired else holds.ReleaseHold(hold)
        case r.ChangePeriod(period, "close"):
            return periods.ClosePeriod(period, "month-end")
        case r.ChangePeriod(period, "reopen"):
            return periods.ReopenPeriod(period, "month-end")
    raise AssertionError(f"no command for {request}")


def _postings(request: r.PostEntry) -> tuple[journal.Posting, ...]:
    return tuple(
        journal.Posting(p.account, journal.Direction(p.direction), p.amount, p.currency) for p in request.postings
    )


def _reply(answer: Answer) -> Reply:
    if answer.error is not None:
        raise answer.error
    if answer.refusal is not None:
        refusal = answer.refusal
        pointers = [{"pointer": error.pointer, "code": error.code} for error in refusal.errors]
        body: Json = {"code": refusal.code(), "detail": refusal.detail, "errors": pointers, **refusal.facts}
        return Reply(answer.status, refusal.code(), body, answer.replayed)
    return Reply(answer.status, None, msgspec.json.decode(answer.body) if answer.body else {}, answer.replayed)


def _batch_reply(answers: list[Answer], atomic: bool) -> Reply:
    replies = [_reply(answer) for answer in answers]
    replayed = all(answer.replayed or answer.again for answer in answers)
    if atomic and any(reply.code for reply in replies):
        errors = [{"pointer": f"/transfers/{i}", "code": reply.code} for i, reply in enumerate(replies) if reply.code]
        return Reply(422, "batch_rejected", {"errors": errors}, replayed)
    results: list[Json] = []
    for index, reply in enumerate(replies):
        if reply.code:
            results.append({"index": index, "status": "rejected", "problem": reply.body})
        else:
            status = "replayed" if reply.replayed else "created"
            results.append({"index": index, "status": status, "id": reply.body["id"]})
    return Reply(201, None, {"results": results}, replayed)
