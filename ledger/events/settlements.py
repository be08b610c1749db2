"""Settlements: what a channel's report says of the items of its receivable, and of the batches in which it pays us.

A line is recorded in the stream of what it settles (payment, top-up, …), a row that belongs to a batch as a whole in
the batch's own. Amounts in minor units with a report's signs: gross above 0 is owed to us, a fee above 0 is kept.
"""

from typing import ClassVar

import msgspec

from ledger.chart import batch_key
from ledger.events.event import Event
from ledger.events.fx import FxRealized, FxSettled

# Who bears a difference between our amount and the channel's.
MERCHANT = "merchant"
PLATFORM = "platform"
TOLERANCE = "tolerance"

# What a row of a batch is for.
FEE = "fee"
RESERVE = "reserve"
SUSPENSE = "suspense"


def batch_stream(channel: str, currency: str, batch: str) -> str:
    return f"settlement/{channel}/{currency.lower()}/{batch_key(batch)}"


def tolerance_stream(channel: str, currency: str, day: str) -> str:
    """What was tolerated of a channel on one day (`2026-11-21`): its last event tells the sum."""
    return f"settlement_tolerance/{channel}/{currency.lower()}/{day}"


class RowPlace(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which row of which file: by its number among the file's rows, the line it begins in, and the channel's id."""

    file: str
    number: int
    line: int = 0
    external_id: str = ""


class LineSettled(Event, frozen=True, omit_defaults=True):
    """The channel reported `item`: it no longer stands on the receivable, but in a batch that is to be paid.

    Our `gross` and `fee`, and the `reported` ones. A difference between the grosses goes to merchant, platform or
    tolerance, one between the fees to our costs, or as a claim into suspense; `from_payable` of it we owed anyhow.
    `exchanged`: reported in another currency, and moved by the FxSettled in front of it.
    """

    topic: ClassVar[str] = "settlements.line_settled.v1"

    item: str
    kind: str
    channel: str
    currency: str
    batch: str
    gross: int
    fee: int
    reported_gross: int
    reported_fee: int
    row: RowPlace
    more_rows: tuple[RowPlace, ...] = ()
    """Other rows of the report that make up the amounts together with it."""
    difference_to: str = ""
    bearer: str = ""
    from_payable: int = 0
    claim: bool = False
    exchanged: bool = False
    reported_currency: str = ""
    reason: str = ""

    @property
    def difference(self) -> int:
        """How much less than ours the reported gross is."""
        return 0 if self.exchanged else self.gross - self.reported_gross

    @property
    def fee_excess(self) -> int:
        """How much more than expected was kept, beside what we owed anyhow."""
        return 0 if self.exchanged else self.reported_fee - self.fee - self.from_payable

    @property
    def claimed(self) -> int:
        return self.fee_excess if self.claim else 0


class LineUnsettled(Event, frozen=True, omit_defaults=True):
    """The exact opposite of a settled line: the item is open again, and the row waits for another match."""

    topic: ClassVar[str] = "settlements.line_unsettled.v1"

    settled: LineSettled
    exchange: FxSettled | None = None
    realized: FxRealized | None = None
    reason: str = ""


class DifferenceTolerated(Event, frozen=True, omit_defaults=True):
    """A difference of `amount`, whichever way, was borne without asking; `total` is the sum of the day with it.

    An `amount` below 0: what was tolerated was undone.
    """

    topic: ClassVar[str] = "settlements.difference_tolerated.v1"

    item: str
    channel: str
    currency: str
    amount: int
    total: int


class ItemsOffset(Event, frozen=True, omit_defaults=True):
    """Two items of one stream that together are nothing, and that the channel does not report: nothing moves."""

    topic: ClassVar[str] = "settlements.items_offset.v1"

    items: tuple[str, str]
    channel: str
    currency: str
    reason: str = ""


class ClaimClosed(Event, frozen=True, omit_defaults=True):
    """A claim over `amount` of an item's fee is over: paid back in a batch, or, with no `batch`, given up.

    Below 0: what the channel kept too little is kept in a batch after all, or, with no `batch`, is ours for good.
    """

    topic: ClassVar[str] = "settlements.claim_closed.v1"

    item: str
    channel: str
    currency: str
    amount: int
    batch: str = ""
    row: RowPlace | None = None
    reason: str = ""


class ClaimReopened(Event, frozen=True, omit_defaults=True):
    """The exact opposite of a closed claim: it was not paid back, or is not given up."""

    topic: ClassVar[str] = "settlements.claim_reopened.v1"

    closed: ClaimClosed
    reason: str = ""


class BatchRowSettled(Event, frozen=True, omit_defaults=True):
    """A row of a batch that is about none of its lines: by `amount` the channel will pay us more, below 0 less.

    `purpose` is fee, reserve or suspense (nobody knows what it is). `from_payable` of a fee we owed on an invoice.
    """

    topic: ClassVar[str] = "settlements.batch_row_settled.v1"

    purpose: str
    channel: str
    currency: str
    batch: str
    amount: int
    row: RowPlace
    from_payable: int = 0
    reason: str = ""


class BatchRowUndone(Event, frozen=True, omit_defaults=True):
    """The exact opposite of a row of a batch."""

    topic: ClassVar[str] = "settlements.batch_row_undone.v1"

    settled: BatchRowSettled
    reason: str = ""


class FractionRounded(Event, frozen=True, omit_defaults=True):
    """Fees finer than the minor unit: what the channel deducts for a batch is `amount` more than its lines say."""

    topic: ClassVar[str] = "settlements.fraction_rounded.v1"

    channel: str
    currency: str
    batch: str
    amount: int
    exact: str = ""
    """The sum of the exact fees, in minor units with their fraction."""


class FractionUndone(Event, frozen=True, omit_defaults=True):
    """The exact opposite of a rounded fraction, whose item is `item`."""

    topic: ClassVar[str] = "settlements.fraction_undone.v1"

    item: str
    rounded: FractionRounded
    reason: str = ""


class BatchPaid(Event, frozen=True, omit_defaults=True):
    """The bank's statement shows the batch: `amount` of it, below 0 where we paid, by the line of that stream.

    From here on nothing is added to the batch.
    """

    topic: ClassVar[str] = "settlements.batch_paid.v1"

    channel: str
    currency: str
    batch: str
    amount: int
    bank_line: str


class BatchUnpaid(Event, frozen=True, omit_defaults=True):
    """The line of the bank's statement was about something else: the batch waits to be paid."""

    topic: ClassVar[str] = "settlements.batch_unpaid.v1"

    channel: str
    currency: str
    batch: str
    bank_line: str
