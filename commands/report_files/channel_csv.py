"""The settlement file of our channel simulator: CSV with a heading, amounts in minor units, times in UTC.

Money of one currency that settles on one day is one batch, `<day>-<currency>`. Payouts are in none: they are paid from
the float or the bank account, not from what the channel owes. The file states no totals; each row states its net.
"""

import re
from collections.abc import Iterator
from datetime import UTC
from typing import BinaryIO

from commands.report_files.opening import Unreadable, day, known_currency, moment, shown, without_card_numbers
from commands.report_files.tables import Row, opened_table, raw_of, read_rows, rows_below
from ledger.money import LARGEST
from ledger.report_row import ReportItem, ReportRow, RowKind

_COLUMNS = ("type", "id", "charge_id", "reference", "gross", "fee", "net", "currency", "occurred_at", "settles_on")
_IDS = ("id", "charge_id", "reference")
_KINDS: dict[str, RowKind] = {
    "charge": "sale",
    "capture": "sale",
    "void": "reversed",
    "refund": "refund",
    "refund_returned": "refund_returned",
    "dispute": "chargeback",
    "dispute_reversed": "chargeback_reversed",
    "payout": "payout",
    "payout_returned": "payout_returned",
}
_PAID_BESIDE = ("payout", "payout_returned")
_DISPUTES = ("chargeback", "chargeback_reversed")
_MINOR = re.compile("-?[0-9]{1,19}")


def read(file: BinaryIO) -> Iterator[ReportItem]:
    """The rows in the order of the file."""
    heading, body = opened_table(file)
    yield from read_rows(rows_below(heading, body, _COLUMNS), _read)


def _read(row: Row) -> ReportRow:
    """Raises Unreadable."""
    kind = _KINDS.get(row["type"], "unknown")
    currency = known_currency(row["currency"])
    gross, fee, net = (_minor(row[column]) for column in ("gross", "fee", "net"))
    if gross - fee != net:
        raise Unreadable("gross − fee is not net")
    ours, charge = row.id("id"), row.id("charge_id")
    settles_on = day(row["settles_on"])
    return ReportRow(
        line=row.line,
        kind=kind,
        external_id=row.id("reference"),
        # A dispute was not begun by us: its id is the channel's.
        our_reference="" if kind in _DISPUTES else ours,
        gross=gross,
        currency=currency,
        fee=fee,
        fee_currency=currency,
        net=net,
        net_currency=currency,
        at=moment(row["occurred_at"], UTC),
        value_date=settles_on,
        batch="" if kind in _PAID_BESIDE else f"{settles_on}-{currency.lower()}",
        about="" if charge == ours else charge,
        text=without_card_numbers(row["type"]) if kind == "unknown" else "",
        raw=raw_of(row, _IDS),
    )


def _minor(text: str) -> int:
    if not _MINOR.fullmatch(text) or abs(int(text)) > LARGEST:
        raise Unreadable(f"{shown(text)} is no amount in minor units")
    return int(text)
