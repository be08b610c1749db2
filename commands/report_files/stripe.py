"""Stripe: the itemised reports and the older export of the balance's history, both one balance transaction a line.

Reports: `balance_change_from_activity`, `payout_reconciliation`, `ending_balance_reconciliation` and `payouts`, each
`.itemized.*`, and their twins for connected accounts. Amounts are in major units, with a comma for a point where the
report was asked for so; a fee is above 0 where Stripe keeps it, and gross − fee = net on each line. Times without a
zone are UTC: a column `…_utc` is taken before one in the time zone of the report.

The file states no totals, so there are no controls. A capture of a part is two lines: the whole charge, and below 0 the
rest, `partial_capture_reversal`, which is here a `reversed` of the same payment. Lines of a payout that we ask for
ourselves (instant, manual) cannot be told from others: they have no batch.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from commands.report_files.opening import Unreadable, day, known_currency, minor_units, moment, without_card_numbers
from commands.report_files.tables import Row, column_names, folded, opened_table, raw_of, read_rows, rows_below
from ledger.report_row import FileRefused, ReportItem, ReportRow, RowKind

_REPORT = ("balance_transaction_id", "gross", "fee", "net", "currency", "reporting_category")
_EXPORT = ("id", "amount", "fee", "net", "currency", "type")

_KINDS: dict[str, RowKind] = {
    "charge": "sale",
    "charge_failure": "reversed",
    "partial_capture_reversal": "reversed",
    "refund": "refund",
    "refund_failure": "refund_returned",
    "dispute": "chargeback",
    "dispute_reversal": "chargeback_reversed",
    "fee": "fee",
    "network_cost": "fee",
    "tax": "fee",
    "payout": "payout",
    "payout_reversal": "payout_returned",
    # Money that Stripe lends, that we move between accounts, or that has nothing to do with payments.
    "advance": "adjustment",
    "advance_funding": "adjustment",
    "anticipation_repayment": "adjustment",
    "climate_order_purchase": "adjustment",
    "climate_order_refund": "adjustment",
    "connect_collection_transfer": "adjustment",
    "contribution": "adjustment",
    "financing_paydown": "adjustment",
    "financing_paydown_reversal": "adjustment",
    "financing_payout": "adjustment",
    "financing_payout_reversal": "adjustment",
    "issuing_authorization_hold": "adjustment",
    "issuing_authorization_release": "adjustment",
    "issuing_dispute": "adjustment",
    "issuing_transaction": "adjustment",
    "other_adjustment": "adjustment",
    "platform_earning": "adjustment",
    "platform_earning_refund": "adjustment",
    "topup": "adjustment",
    "topup_reversal": "adjustment",
    "transfer": "adjustment",
    "transfer_reversal": "adjustment",
}
_RESERVES = frozenset(
    {
        "connect_reserved_funds",
        "payout_minimum_balance_hold",
        "payout_minimum_balance_release",
        "payment_network_reserve_hold",
        "payment_network_reserve_release",
        "reserve_hold",
        "reserve_release",
        "reserve_transaction",
        "reserved_funds",
        "risk_reserved_funds",
    }
)

# What the older export and the API call a type, where the report has a category of another name.
_CATEGORIES = {
    "payment": "charge",
    "payment_failure_refund": "charge_failure",
    "payment_refund": "refund",
    "payment_reversal": "charge_failure",
    "payout_cancel": "payout_reversal",
    "payout_failure": "payout_reversal",
    "stripe_fee": "fee",
    "stripe_fx_fee": "fee",
    "tax_fee": "tax",
    "application_fee": "platform_earning",
    "application_fee_refund": "platform_earning_refund",
    "transfer_cancel": "transfer_reversal",
    "transfer_failure": "transfer_reversal",
    "transfer_refund": "transfer_reversal",
}
_PAYOUTS_HAVE_THEIR_NAME = datetime(2017, 4, 6, tzinfo=UTC)  # before it `transfer` is what is now `payout`


def read(file: BinaryIO) -> Iterator[ReportItem]:
    """Each balance transaction of a report or of the older export."""
    heading, body = opened_table(file)
    names = column_names(heading, (), folded)
    if "reporting_category" in names:
        yield from read_rows(rows_below(heading, body, _REPORT), _of_report)
    elif {"type", "amount"} <= {*names}:
        yield from read_rows(rows_below(heading, body, _EXPORT), _of_export)
    else:
        raise FileRefused("its columns are of no report of Stripe that is read", heading.line)


def _of_report(row: Row) -> ReportRow:
    category = row["reporting_category"].lower()
    payment, source = row.id("payment_intent_id") or row.id("charge_id"), row.id("source_id")
    payout = row.id("payout_id")
    metadata = {"sale": "payment_metadata[attempt_id]", "refund": "refund_metadata[refund_id]"}
    # We know a payment by its intent, and whatever else moves money by its own id.
    known_by = payment if category in ("charge", "charge_failure", "partial_capture_reversal") else payout
    created = row.first("created_utc", "created", "effective_at_utc", "effective_at")
    available = row.first("payout_expected_arrival_date", "available_on_utc", "available_on")
    kind, gross, fee, net, currency = _money(row, category, "gross")
    return ReportRow(
        line=row.line,
        kind=kind,
        external_id=known_by or source or row.id("balance_transaction_id"),
        our_reference=row[metadata[kind]] if kind in metadata else "",
        gross=gross,
        currency=currency,
        fee=fee,
        fee_currency=currency,
        net=net,
        net_currency=currency,
        at=moment(created, UTC) if created else None,
        value_date=day(available) if available else None,
        batch=row.id("automatic_payout_id") or payout or (source if category == "payout" else ""),
        bank_reference=row.id("trace_id"),
        entry_id=row.id("balance_transaction_id"),
        about=payment,
        account=row.id("connected_account_id") or row.id("connected_account"),
        text=_text(row),
        raw=raw_of(row, _ids(row.cells)),
    )


def _of_export(row: Row) -> ReportRow:
    created = row.first("created_utc", "created")
    at = moment(created, UTC) if created else None
    category = _CATEGORIES.get(row["type"].lower(), row["type"].lower())
    if category == "transfer" and at is not None and at < _PAYOUTS_HAVE_THEIR_NAME:
        category = "payout"
    if category == "adjustment":
        category = _adjustment(row["description"].lower())
    kind, gross, fee, net, currency = _money(row, category, "amount")
    available, source, payout = row.first("available_on_utc", "available_on"), row.id("source"), row.id("transfer")
    return ReportRow(
        line=row.line,
        kind=kind,
        external_id=source or row.id("id"),
        our_reference="",
        gross=gross,
        currency=currency,
        fee=fee,
        fee_currency=currency,
        net=net,
        net_currency=currency,
        at=at,
        value_date=day(available) if available else None,
        batch=payout or (source if category == "payout" else ""),
        entry_id=row.id("id"),
        # A refund's source is in old exports the charge itself.
        about=source if source.startswith(("ch_", "py_", "pi_")) else "",
        text=_text(row),
        raw=raw_of(row, {*_ids(row.cells), "source", "transfer"}),
    )


def _adjustment(description: str) -> str:
    """The category of an adjustment, which the older export tells in words only."""
    if description.startswith(("chargeback withdrawal", "dispute withdrawal")):
        return "dispute"
    if description.startswith(("chargeback reversal", "dispute reversal")):
        return "dispute_reversal"
    return "refund_failure" if "refund failure" in description else "other_adjustment"


def _money(row: Row, category: str, gross_column: str) -> tuple[RowKind, int, int, int, str]:
    currency = known_currency(row["currency"])
    gross, fee, net = (_amount(row[name], currency) for name in (gross_column, "fee", "net"))
    if gross - fee != net:
        raise Unreadable(f"{gross_column} − fee is not net")
    if category in _RESERVES:
        return ("reserve_held" if gross < 0 else "reserve_released"), gross, fee, net, currency
    return _KINDS.get(category, "unknown"), gross, fee, net, currency


def _amount(text: str, currency: str) -> int:
    """Stripe writes no thousands separators, so a comma can only be the decimal sign that was asked for."""
    return minor_units(text, currency, point="," if "," in text else ".", padded=True)


def _ids(columns: Collection[str]) -> set[str]:
    return {name for name in columns if name == "id" or name.endswith("_id")}


def _text(row: Row) -> str:
    words = (row["description"], row["payout_description"], row["payout_status"])
    return without_card_numbers(" · ".join(word for word in words if word))
