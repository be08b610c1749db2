"""Reconciliation state: how a run stands, folded from its stream."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from ledger.events.event import Recorded
from ledger.events.reconciliation import (
    ReconciliationCompleted,
    ReconciliationFailed,
    ReconciliationRequested,
    RunTotal,
)

RunStatus = Literal["running", "completed", "failed"]
RUNNING: RunStatus = "running"
COMPLETED: RunStatus = "completed"
FAILED: RunStatus = "failed"


class Run(msgspec.Struct, frozen=True):
    """running ─▶ completed | failed."""

    requested: ReconciliationRequested
    requested_at: datetime
    position: int
    completed: ReconciliationCompleted | None = None
    failed: ReconciliationFailed | None = None
    ended_at: datetime | None = None

    @property
    def status(self) -> RunStatus:
        if self.completed is not None:
            return COMPLETED
        return RUNNING if self.failed is None else FAILED


class RunView(msgspec.Struct):
    """A run as it is shown. `output_hash` is the same for the same rows and items; null while it runs."""

    id: str
    status: RunStatus
    source: str
    account: str
    date: date
    requested_at: datetime
    ended_at: datetime | None
    output_hash: str | None
    matches: int
    settled: int
    refused: int
    breaks: int
    opened: int
    waiting: int
    duplicates: int
    found_by: dict[str, int]
    breaks_by_type: dict[str, int]
    at_risk: dict[str, int]
    totals: list[RunTotal]
    known_at: int | None
    reason: str | None
    position: int | None = None


def evolve(run: Run | None, recorded: Recorded) -> Run | None:
    """The run after one more event of its stream."""
    match recorded.event:
        case ReconciliationRequested() as requested:
            return Run(requested, recorded.recorded_at, recorded.position)
        case ReconciliationCompleted() as completed if run is not None:
            return replace(run, completed=completed, ended_at=recorded.recorded_at, position=recorded.position)
        case ReconciliationFailed() as failed if run is not None:
            return replace(run, failed=failed, ended_at=recorded.recorded_at, position=recorded.position)
    return run


def fold(history: Iterable[Recorded]) -> Run | None:
    """The run that this stream tells of; None for an empty one."""
    run: Run | None = None
    for recorded in history:
        run = evolve(run, recorded)
    return run


def shown(history: Iterable[Recorded]) -> RunView:
    """The run that this stream tells of; there is one."""
    run = fold(history)
    if run is None:
        raise AssertionError("a run that nobody asked for")
    return view_of(run)


def view_of(run: Run) -> RunView:
    requested, done = run.requested, run.completed
    return RunView(
        id=requested.id,
        status=run.status,
        source=requested.source,
        account=requested.account,
        date=requested.until,
        requested_at=run.requested_at,
        ended_at=run.ended_at,
        output_hash=None if done is None else done.output_hash,
        matches=0 if done is None else done.matches,
        settled=0 if done is None else done.settled,
        refused=0 if done is None else done.refused,
        breaks=0 if done is None else done.breaks,
        opened=0 if done is None else done.opened,
        waiting=0 if done is None else done.waiting,
        duplicates=0 if done is None else done.duplicates,
        found_by={} if done is None else dict(done.found_by),
        breaks_by_type={} if done is None else dict(done.breaks_by_type),
        at_risk={} if done is None else dict(done.at_risk),
        totals=[] if done is None else list(done.totals),
        known_at=None if done is None else done.known_at,
        reason=None if run.failed is None else run.failed.reason,
        position=run.position,
    )
