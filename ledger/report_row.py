"""Report row: what one line of a channel's report or of a bank's statement becomes, whatever format it came in."""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal, get_args

from msgspec import Struct

# What a line is about. A channel says sale to payout_returned; a bank credit or debit, whatever it is for.
RowKind = Literal[
    "sale",
    "refund",
    "refund_returned",
    "chargeback",
    "chargeback_reversed",
    "reversed",
    "fee",
    "reserve_held",
    "reserve_released",
    "payout",
    "payout_returned",
    "fx",
    "adjustment",
    "credit",
    "debit",
    "unknown",
]
ROW_KINDS: tuple[str, ...] = get_args(RowKind)


class ReportRow(Struct, frozen=True, omit_defaults=True):
    """One normal row. Amounts are whole minor units of the currency beside them, by ISO 4217.

    `gross` is what we are owed more by it, below 0 what was taken from us; `fee` what was kept, below 0 what was given
    back of that; net = gross − fee where both are in one currency. Of a bank's line `gross` is the line, and the fee 0.
    """

    line: int
    """Where it begins in the file, from 1; in a format without lines, the how-manieth entry it is."""
    kind: RowKind
    external_id: str
    """What the channel or the bank knows this movement by; empty where it says nothing."""
    our_reference: str
    """What we once gave it: of the attempt, refund or payout; empty where it does not tell."""
    gross: int
    currency: str
    fee: int
    fee_currency: str
    net: int
    net_currency: str
    at: datetime | None = None
    """When it happened, with its zone; None where only a day is told."""
    value_date: date | None = None
    """The day from which the money counts."""
    batch: str = ""
    """The payout or settlement batch it belongs to."""
    bank_reference: str = ""
    exact_fee: Decimal | None = None
    """The fee in minor units with its fraction, where it is told finer than the minor unit; `fee` is it, rounded."""
    entry_id: str = ""
    """The channel's own id of this line, where each has one: it tells two equal movements from one told twice."""
    about: str = ""
    """What the channel knows the original by that this is about: the charge of a refund."""
    account: str = ""
    """Whose statement it stands in, as the file names it: an IBAN, a merchant number."""
    statement: str = ""
    """Which statement of the file, where there are several."""
    text: str = ""
    """What it says for people, and references in free text."""
    posted: bool = True
    """False: the bank only announces it (pending, information); it is not money yet."""
    raw: dict[str, str] = {}
    """The line as it came, by column or field."""


class RejectedRow(Struct, frozen=True):
    """A line that cannot be read: where, why, and how it came. The other lines are not disturbed."""

    line: int
    reason: str
    raw: str


class Control(Struct, frozen=True):
    """A total that the file states, beside what its rows come to; the file is flagged where they differ.

    Counts are numbers of rows, and `currency` is empty; sums are minor units.
    """

    name: str
    """`count`, `gross`, `fee`, `closing balance` and the like, with the statement or the section it is of."""
    line: int
    stated: int
    counted: int
    currency: str = ""

    @property
    def holds(self) -> bool:
        return self.stated == self.counted


class FileRefused(Exception):
    """The whole file cannot be read as what it is said to be: a reason for people, and the line if there is one."""

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


ReportItem = ReportRow | RejectedRow | Control
