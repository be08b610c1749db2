"""Sides: the two that are compared, rows of a report and items of our books, as lean as the comparison allows.

Both speak of money in the same sense: above 0 what we are owed or given, below 0 what is taken from us, in minor units
of the currency beside it. A bank's line is `credit` (above 0) or `debit` (below 0), and so is our item that waits for
it: the balance of a batch, or a payout of ours.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from ledger.report_row import ReportRow, RowKind

BANK_KINDS = frozenset({"credit", "debit"})
# Lines that may stand for many movements at once.
BATCH_KINDS = BANK_KINDS | {"payout", "payout_returned"}
# What a row of the one kind takes back, and under which kind we know that.
TAKES_BACK = {"reversed": "sale", "refund_returned": "refund", "payout_returned": "payout", "chargeback": "sale"}
TAKES_BACK |= {"chargeback_reversed": "chargeback", "refund": "sale", "credit": "debit", "debit": "credit"}

# What banks write where they have no reference to give.
NO_NAMES = frozenset({"", "NONREF", "NOTPROVIDED", "NOT PROVIDED", "NONE", "N/A", "-"})

State = Literal["booked", "unknown", "failed", "optional", "settled"]
"""booked: it is in our books; unknown: nobody told us how it ended, a row is evidence; failed: it is not in our books,
and is given so that a success of it is not taken for a stranger's; optional: a row may name it, and none has to;
settled: a row has it already, and another one that names it says it twice, or takes it back."""


class Row(Struct, frozen=True, gc=False, omit_defaults=True):
    """One row of a report, as far as it is compared. `id` names it for ever, e.g. `<file>:<line>`."""

    id: str
    kind: RowKind
    gross: int
    currency: str
    external_id: str = ""
    our_reference: str = ""
    about: str = ""
    fee: int = 0
    fee_currency: str = ""
    """Empty where it is `currency`; in another one the fee is not compared."""
    exact_fee: Decimal | None = None
    net: int | None = None
    """None where it is gross − fee, in `currency`."""
    net_currency: str = ""
    at: datetime | None = None
    value_date: date | None = None
    batch: str = ""
    bank_reference: str = ""
    party: str = ""
    """Who it came from or went to, in the form in which the items' `parties` say it: last4, IBAN, name."""
    text: str = ""
    posted: bool = True
    order: int = 0
    """Files in the order in which they came: of two equal rows the later is the copy."""


class Item(Struct, frozen=True, gc=False, omit_defaults=True):
    """One movement that a report has to show, as we know it. `id` names it for ever; `stream` is whose events it is."""

    id: str
    stream: str
    kind: RowKind
    gross: int
    currency: str
    our_references: tuple[str, ...] = ()
    """Everything that we may have told the other side to know it by."""
    channel_references: tuple[str, ...] = ()
    """Everything that the other side told us to know it by; empty while it has told nothing."""
    fee: int | None = None
    """What we expect to be kept; None where it is not known or not kept, and then it is not compared."""
    at: datetime | None = None
    state: State = "booked"
    batch: str = ""
    """Of what has been reported and waits for the bank: the batch it will be paid in."""
    parties: tuple[str, ...] = ()

    @property
    def net(self) -> int:
        return self.gross - (self.fee or 0)


def row_of(row_id: str, told: ReportRow, order: int = 0, party: str = "") -> Row:
    """A row as a reader tells it."""
    return Row(
        id=row_id,
        kind=told.kind,
        gross=told.gross,
        currency=told.currency,
        external_id=told.external_id,
        our_reference=told.our_reference,
        about=told.about,
        fee=told.fee,
        fee_currency="" if told.fee_currency == told.currency else told.fee_currency,
        exact_fee=told.exact_fee,
        net=told.net,
        net_currency="" if told.net_currency == told.currency else told.net_currency,
        at=told.at,
        value_date=told.value_date,
        batch=told.batch,
        bank_reference=told.bank_reference,
        party=party,
        text=told.text,
        posted=told.posted,
        order=order,
    )


def net_of(row: Row) -> tuple[int, str]:
    """What a row leaves, and in which currency."""
    net = row.gross - row.fee if row.net is None else row.net
    return net, row.net_currency or row.currency


def is_name(text: str) -> bool:
    """Whether it names anything."""
    return text not in NO_NAMES
