"""Reconciled: a report file is taken in, a run is asked for and waited for, and a summary says what they came to.

the file ─▶ kept ─▶ read, row by row (the same process as behind the API) ─▶ a run, which the worker carries out
"""

import asyncio
import io
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec
from psycopg import AsyncConnection

from commands.deciders import DECIDERS
from commands.envelope import Answer, Part, own_envelope
from commands.handler import Handler
from commands.processes.kept_reports import keep
from commands.processes.report_imports import file_id, import_report
from commands.reconciliation import RequestReconciliation
from commands.report_files.reader import Reader
from commands.report_imports import ReceiveReportFile
from commands.submitting import submit
from commands.writer import Writers
from ledger.errors import ReportFileKnown
from ledger.ids import CORRELATION, RECONCILIATION_RUN, new_id
from ledger.reconciliation_state import FAILED, RUNNING, RunView
from ledger.report_file_state import FLAGGED, IMPORTED, READING, ControlView, FileStatus, ReportFileView
from ledger.report_row import RejectedRow
from ledger.store.append import Appender
from ledger.store.connection import Database
from projections.freshness import LOG, checkpoints
from projections.reconciliation import Reconciliation, run
from projections.report_files import ReportFiles, count_by_state, report_file

_ACTOR = "cli:reconcile"
_PATIENCE_S = 60.0
_LOOK_S = 0.1
_LISTS = (ReportFiles.name, Reconciliation.name)
# Without a run it is no trouble that nobody keeps the views.
_VIEWS_ALONE_S = 1.0
# Views are a fraction of a second behind; where they do not move at all, nobody moves them.
NOBODY_AFTER_S = 10.0
# Whoever carries out a run may hold a million rows against each other before he writes the first word.
_STUCK_AFTER_S = 900.0

_view_in = msgspec.json.Decoder(ReportFileView).decode


class Asked(msgspec.Struct, frozen=True):
    """What is to be done: the file, what it is said to be, and the last day that the run looks at."""

    book: str
    source: str
    account: str
    name: str
    content: bytes
    until: date
    with_run: bool = True


class Summary(msgspec.Struct):
    """What it came to. `states`: the rows of this file by what became of each; null where no view has seen it yet.

    `run` is about everything of this channel or bank account that was open, whichever file it came in.
    """

    file: str
    file_id: str
    sha256: str
    book: str
    source: str
    account: str
    status: FileStatus
    known_before: bool
    rows: int
    rejected: int
    rejected_rows: list[RejectedRow]
    duplicates: int | None
    states: dict[str, int] | None
    controls: list[ControlView]
    run: RunView | None
    agrees: bool
    seconds: float


class NotReadable(Exception):
    """The file is not what it is said to be, or was taken in as something else; the text says why."""


class NobodyWorks(Exception):
    """Nobody carries the run out; the text says what to do."""


class Reconciler:
    """Carries out what was asked, straight on the database."""

    def __init__(self, database: Database, asked: Asked, reader: Reader, waits: Callable[[], None]) -> None:
        """`waits` is called once, when the run is waited for."""
        self._database, self._asked, self._reader, self._waits = database, asked, reader, waits
        self._writers = Writers(lambda book: Handler(Appender(database, book), DECIDERS))
        self._submit = partial(submit, self._writers, patience_s=_PATIENCE_S)
        self._correlation = new_id(CORRELATION)

    async def carry_out(self) -> Summary:
        """Raises NotReadable, NobodyWorks and refusals; what was done until then stays done."""
        began = time.monotonic()
        async with await self._database.connect_async() as connection:
            file, known_before = await self._take_in(connection)
            run = None
            if self._asked.with_run and file.status == IMPORTED:
                run = await self._compared(connection)
            states = await self._states(connection, file, run)
        # Not after a failure: a writer that still waits for its database ends with the process.
        await asyncio.to_thread(self._writers.stop)
        return _summary(self._asked, file, run, states, known_before=known_before, seconds=time.monotonic() - began)

    async def _take_in(self, connection: AsyncConnection[Any]) -> tuple[ReportFileView, bool]:
        """The file once it is in, and whether it was before."""
        asked = self._asked
        digest = sha256(asked.content).hexdigest()
        name = file_id(asked.source, digest)
        command = ReceiveReportFile(name, asked.source, asked.account, digest, len(asked.content), asked.name)
        envelope = own_envelope(f"cli/{self._correlation}/file", actor=_ACTOR, correlation=self._correlation)
        await keep(connection, asked.book, digest, asked.content)
        content = io.BytesIO(asked.content)
        given = await import_report(asked.book, command, envelope, self._reader, content, self._submit)
        if isinstance(given.refusal, ReportFileKnown):
            known = await report_file(connection, asked.book, name)
            if known is None or known.account != asked.account or known.status == READING:
                about = "another account" if known is None else known.account
                raise NotReadable(f"it came in before, and was said to be about {about}")
            _readable(known)
            return known, True
        _raise_trouble(given)
        file = _view_in(given.body)
        _readable(file)
        return file, False

    async def _compared(self, connection: AsyncConnection[Any]) -> RunView:
        asked, name = self._asked, new_id(RECONCILIATION_RUN)
        command = RequestReconciliation(name, asked.source, asked.account, asked.until)
        envelope = own_envelope(f"cli/{self._correlation}/run", actor=_ACTOR, correlation=self._correlation)
        given = await self._submit(asked.book, Part(envelope, command))
        _raise_trouble(given)
        self._waits()
        moved, seen = time.monotonic(), (-1, -1)
        while True:
            found = await run(connection, asked.book, name)
            if found is not None and found.status != RUNNING:
                return found
            views = await checkpoints(connection, asked.book)
            reached = views[Reconciliation.name].position if Reconciliation.name in views else 0
            now = views[LOG].position, sum(view.position for view in views.values())
            if now != seen:
                moved, seen = time.monotonic(), now
            still_s = time.monotonic() - moved
            if still_s > (NOBODY_AFTER_S if reached < given.position else _STUCK_AFTER_S):
                raise NobodyWorks(
                    f"the file is in and the run {name} is asked for, but no worker carries it out: "
                    "start one with `ledger worker` (`./run` starts it too), and then run the same command again"
                )
            await asyncio.sleep(_LOOK_S)

    async def _states(
        self, connection: AsyncConnection[Any], file: ReportFileView, run: RunView | None
    ) -> dict[str, int] | None:
        """The rows by state, once the lists show all of it, for whoever looks next; None where they do not move."""
        wanted = max(file.position or 0, 0 if run is None else run.position or 0)
        deadline = time.monotonic() + (_VIEWS_ALONE_S if run is None else _PATIENCE_S)
        while time.monotonic() < deadline:
            views = await checkpoints(connection, self._asked.book)
            if all(name in views and views[name].position >= wanted for name in _LISTS):
                return await count_by_state(connection, self._asked.book, file.file_id)
            await asyncio.sleep(_LOOK_S)
        return None


def _raise_trouble(given: Answer) -> None:
    if given.error is not None:
        raise given.error
    if given.refusal is not None:
        raise given.refusal


def _readable(file: ReportFileView) -> None:
    if file.refused is not None:
        where = f"line {file.refused.line}: " if file.refused.line else ""
        raise NotReadable(f"{where}{file.refused.reason}")


def _summary(
    asked: Asked,
    file: ReportFileView,
    run: RunView | None,
    states: dict[str, int] | None,
    *,
    known_before: bool,
    seconds: float,
) -> Summary:
    is_sound = file.status != FLAGGED and file.rejected == 0
    is_settled = run is None or (run.status != FAILED and run.breaks == 0 and run.refused == 0)
    return Summary(
        file=asked.name,
        file_id=file.file_id,
        sha256=file.sha256,
        book=asked.book,
        source=file.source,
        account=file.account,
        status=file.status,
        known_before=known_before,
        rows=file.rows,
        rejected=file.rejected,
        rejected_rows=file.rejected_rows,
        duplicates=None if states is None else states.get("duplicate", 0),
        states=states,
        controls=file.control_totals,
        run=run,
        agrees=is_sound and is_settled,
        seconds=round(seconds, 3),
    )
