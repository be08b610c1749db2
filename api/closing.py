"""Closing: the evidence that a period is closed by, gathered from the views and the sealed log."""

import asyncio
import time

from api.dependencies import Caller
from commands.periods import Evidence, Finding
from ledger.errors import NotSealed
from ledger.store import read
from ledger.store.sealed import SignedCheckpoint, newest_checkpoint_async
from projections.period_checks import VIEWS, OpenWork, open_work, period_sums

_PATIENCE_S = 2.0
_PAUSE_S = 0.05


async def evidence_for(caller: Caller, period: str) -> Evidence:
    """What closing this period goes by, as things stand now; raises NotCaughtUp and NotSealed."""
    async with caller.world.reading() as connection:
        head, _ = await read.head(connection, caller.book)
    await caller.see(head, *VIEWS)
    async with caller.world.snapshot() as connection:
        sums = await period_sums(connection, caller.book, period, head)
        work = await open_work(connection, caller.book, period)
    checkpoint = await _checkpoint_over(caller, head)
    return Evidence(
        sums.position,
        sums.totals,
        sums.income,
        tuple(_findings(work)),
        bytes(checkpoint).decode(),
        checkpoint.size,
    )


def _findings(work: OpenWork) -> list[Finding]:
    found = [
        Finding("payments_unknown", work.payments_unknown, "Payments whose outcome nobody knows."),
        Finding("payouts_unknown", work.payouts_unknown, "Payouts whose outcome nobody knows."),
        Finding("breaks_open", work.breaks_open, "Breaks of the reconciliation that are not resolved."),
        Finding("reconciliations_running", work.reconciliations_running, "Runs of the reconciliation under way."),
        Finding("files_being_read", work.files_being_read, "Report files that are being read in."),
        Finding("approvals_pending", work.approvals_pending, "Entries of this period wait for a second person."),
        Finding("holds_active", work.accounts_with_holds, "Accounts with money on hold.", blocking=False),
        Finding("earlier_period_open", work.earlier_period_open, "The period before it is open.", blocking=False),
    ]
    return [finding for finding in found if finding.count]


async def _checkpoint_over(caller: Caller, position: int) -> SignedCheckpoint:
    """A signed checkpoint of the log that holds this position."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        async with caller.world.reading() as connection:
            newest = await newest_checkpoint_async(connection, caller.book)
        if newest is not None and newest.size >= position:
            return newest
        if time.monotonic() >= deadline:
            raise NotSealed(position=position, sealed=0 if newest is None else newest.size)
        await asyncio.sleep(_PAUSE_S)
