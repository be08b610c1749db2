"""Reconciliation: a run held the reports of a channel or a bank account against the books, and what it came to."""

from datetime import date
from typing import ClassVar

import msgspec

from ledger.events.event import Event


class RunTotal(msgspec.Struct, frozen=True):
    """How many rows (of theirs) or items (of ours) are in one state, and their sums in minor units."""

    side: str
    state: str
    currency: str
    count: int
    gross: int
    fee: int


class ReconciliationRequested(Event, frozen=True, omit_defaults=True):
    """The reports of `source` about `account` are to be held against the books, as of the end of `until` (UTC)."""

    topic: ClassVar[str] = "reconciliation.requested.v1"

    id: str
    source: str
    account: str
    until: date


class AcknowledgedRow(msgspec.Struct, frozen=True):
    """A row that agrees with something of ours and moves no money, and what that is."""

    file: str
    number: int
    told_by: str


class RowsAcknowledged(Event, frozen=True, omit_defaults=True):
    """Rows that agree and post nothing: payouts that a channel reports, whose money the bank's line moves."""

    topic: ClassVar[str] = "reconciliation.rows_acknowledged.v1"

    id: str
    rows: tuple[AcknowledgedRow, ...]


class ReconciliationCompleted(Event, frozen=True, omit_defaults=True):
    """Everything that the run found is recorded. The same rows and items have the same `output_hash` in every run.

    `settled` matches were brought home, `refused` were not: the books had moved, and they are looked at again.
    """

    topic: ClassVar[str] = "reconciliation.completed.v1"

    id: str
    output_hash: str
    matches: int
    settled: int
    breaks: int
    opened: int
    waiting: int
    duplicates: int
    known_at: int
    """The position of the log up to which the books were looked at."""
    refused: int = 0
    totals: tuple[RunTotal, ...] = ()
    found_by: dict[str, int] = {}
    breaks_by_type: dict[str, int] = {}
    at_risk: dict[str, int] = {}
    """What may be lost by the breaks, in minor units by currency."""


class ReconciliationFailed(Event, frozen=True, omit_defaults=True):
    """The run could not be carried out; what it had settled before stands."""

    topic: ClassVar[str] = "reconciliation.failed.v1"

    id: str
    reason: str
