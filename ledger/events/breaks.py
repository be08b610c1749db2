"""Breaks: something in a report that does not agree with the books, from its opening to whoever resolved it."""

from datetime import date, datetime
from typing import ClassVar

import msgspec

from ledger.events.event import Event
from ledger.journal import Posting
from ledger.report_row import RowKind


class SuggestedResolution(msgspec.Struct, frozen=True, omit_defaults=True):
    """The row of the table of postings that would resolve it, with its amounts by their letters, in minor units."""

    row: str
    amounts: dict[str, int]
    currency: str
    then: str = ""
    """What is posted after it."""


class BreakRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row of a report that a break is about: where it stands, and what it says, with a report's signs."""

    file: str
    number: int
    fingerprint: str
    kind: RowKind
    gross: int
    fee: int
    currency: str
    line: int = 0
    external_id: str = ""
    our_reference: str = ""
    batch: str = ""
    bank_reference: str = ""
    at: datetime | None = None
    fee_currency: str = ""
    net: int | None = None
    net_currency: str = ""
    """Of the fee and of what is left, where they are others; `net` where it is not gross − fee in `currency`."""

    @property
    def id(self) -> str:
        return f"{self.file}-{self.number}"


class BreakOpened(Event, frozen=True, omit_defaults=True):
    """A run found rows and items that do not agree. Amounts in minor units of `currency`, with the signs of a report.

    `source` and `account` say whose report it is; `rows` are its rows, `items` ours, `related` what it speaks of.
    """

    topic: ClassVar[str] = "breaks.opened.v1"

    id: str
    run: str
    source: str
    account: str
    type: str
    side: str
    kind: str
    currency: str
    ours: int
    theirs: int
    at_risk: int
    rows: tuple[BreakRow, ...] = ()
    items: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    their_currency: str = ""
    since: date | None = None
    suggested: SuggestedResolution | None = None


class BreakAssigned(Event, frozen=True, omit_defaults=True):
    """Somebody looks into it."""

    topic: ClassVar[str] = "breaks.assigned.v1"

    id: str
    assignee: str
    note: str = ""


class BreakProposed(Event, frozen=True, omit_defaults=True):
    """`maker` proposes how to resolve it; these postings would be made. `four_eyes`: somebody else has to approve."""

    topic: ClassVar[str] = "breaks.proposed.v1"

    id: str
    number: int
    resolution: str
    parameters: dict[str, str]
    postings: tuple[Posting, ...]
    maker: str
    four_eyes: bool
    reason: str


class BreakRejected(Event, frozen=True, omit_defaults=True):
    """The proposal is not carried out."""

    topic: ClassVar[str] = "breaks.rejected.v1"

    id: str
    number: int
    checker: str
    reason: str


class BreakResolved(Event, frozen=True, omit_defaults=True):
    """The proposal was approved and carried out, by the events that follow in the log.

    `undoes`: the number of the proposal that this one took back; the break is again as it was before that.
    """

    topic: ClassVar[str] = "breaks.resolved.v1"

    id: str
    number: int
    resolution: str
    maker: str
    checker: str
    undoes: int = 0


class BreakSettled(Event, frozen=True, omit_defaults=True):
    """A later run found that it agrees after all, by new evidence: nobody had to decide."""

    topic: ClassVar[str] = "breaks.settled.v1"

    id: str
    run: str


class BreakReopened(Event, frozen=True, omit_defaults=True):
    """What was taken for resolved is not: somebody says so, or a run found it again; what was done stands no more."""

    topic: ClassVar[str] = "breaks.reopened.v1"

    id: str
    reason: str
    run: str = ""
