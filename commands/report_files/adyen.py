"""Adyen: the settlement detail report: each line a journal of a settlement batch, which its MerchantPayout pays out.

Amounts are in major units, in two columns for debit and credit: gross in the currency of the payment (GC), net in that
of the settlement (NC). Costs are either one commission or markup, scheme fees and interchange, in the currency of the
settlement and above 0 where Adyen keeps them; they can be more than a small sale, so that its net is a debit. In one
currency gross − fee = net. A journal that is of no payment (Fee, DepositCorrection, MerchantPayout) has a net only.

A payment is known by its PSP reference, what happened to it later by that of the modification. The payout's reference,
`TX… batch 380`, is what the bank shows. Times are in the zone of the column beside them; where its letters mean several
zones (CST, IST), the time is left out rather than guessed.

Controls: of each batch that is paid out, the payout beside Σ net of its other lines, wherever they stand in the file.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from typing import BinaryIO
from zoneinfo import ZoneInfo

from commands.report_files.opening import (
    Unreadable,
    day,
    exact_minor_units,
    known_currency,
    minor_units,
    moment,
    shown,
    without_card_numbers,
)
from commands.report_files.tables import Row, opened_table, raw_of, read_rows, rows_below
from ledger.report_row import Control, FileRefused, ReportItem, ReportRow, RowKind

_WANTED = (
    "type",
    "gross_currency",
    "gross_debit_gc",
    "gross_credit_gc",
    "net_currency",
    "net_debit_nc",
    "net_credit_nc",
    "batch_number",
)
_IDS = frozenset({"psp_reference", "merchant_reference", "modification_reference", "modification_merchant_reference"})
_MOST_BATCHES = 10_000  # what is remembered until the end: a report has one, or a handful

_KINDS: dict[str, RowKind] = {
    "settled": "sale",
    "settledbulk": "sale",
    "settledreversed": "reversed",
    "refunded": "refund",
    "refundedbulk": "refund",
    "refundedreversed": "refund_returned",
    "chargeback": "chargeback",
    "secondchargeback": "chargeback",
    "chargebackreversed": "chargeback_reversed",
    "fee": "fee",
    "invoicededuction": "fee",
    "misccosts": "fee",
    "paymentcost": "fee",
    "merchantpayout": "payout",
    "paidout": "payout",
    "paidoutreversed": "payout_returned",
    "bankinstructionreturned": "payout_returned",
    "converted": "fx",
    "advancement": "adjustment",
    "epapaid": "adjustment",
    "manualcorrected": "adjustment",
    "matchedstatement": "adjustment",
    "merchantpayin": "adjustment",
}
_RESERVES = frozenset({"depositcorrection", "balancetransfer"})
_CLOSES_THE_BATCH = "merchantpayout"

_HOURS_FROM_UTC = {
    "ACDT": 10.5, "ACST": 9.5, "ADT": -3, "AEDT": 11, "AEST": 10, "AKDT": -8, "AKST": -9, "AWST": 8, "BRT": -3,
    "BST": 1, "CDT": -5, "CEST": 2, "CET": 1, "EDT": -4, "EEST": 3, "EET": 2, "EST": -5, "GMT": 0, "HKT": 8,
    "HST": -10, "JST": 9, "KST": 9, "MDT": -6, "MSK": 3, "MST": -7, "NDT": -2.5, "NST": -3.5, "NZDT": 13, "NZST": 12,
    "PDT": -7, "PST": -8, "SAST": 2, "SGT": 8, "UTC": 0, "WEST": 1, "WET": 0, "Z": 0,
}  # fmt: skip
_SEVERAL = frozenset({"AST", "CST", "GST", "IST"})
_ZONES: dict[str, tzinfo] = {name: timezone(timedelta(hours=hours)) for name, hours in _HOURS_FROM_UTC.items()}
_REGION = re.compile(r"[A-Z][A-Za-z_]{1,20}/[A-Z][A-Za-z_/-]{1,30}")


@dataclass(slots=True)
class _Batch:
    """What the lines of one batch come to, of one merchant account and in one currency of settlement."""

    net: int = 0
    paid_out: int = 0
    closed_on_line: int = 0


@dataclass(slots=True)
class _Reading:
    batches: dict[tuple[str, str, str], _Batch] = field(default_factory=dict)

    def row(self, row: Row) -> ReportRow:
        journal = re.sub(r"[^a-z]", "", row["type"].lower())
        net_currency = known_currency(row["net_currency"])
        net = _credit_less_debit(row, "net_credit_nc", "net_debit_nc", net_currency)
        # Counted before anything else can be wrong with the line: the batch is of the money, readable or not.
        self._count(row, journal, net, net_currency)
        modification, payment = row["modification_reference"], row.id("psp_reference")
        gross, currency, fee, exact_fee = _gross_and_fee(row, net, net_currency)
        kind = _kind(journal, net)
        is_payment = kind == "sale" and payment != ""
        booked = row.first("booking_date", "creation_date")
        return ReportRow(
            line=row.line,
            kind=kind,
            external_id=payment if is_payment else _reference(modification) or payment,
            our_reference=row["merchant_reference" if is_payment else "modification_merchant_reference"],
            gross=gross,
            currency=currency,
            fee=fee,
            fee_currency=net_currency,
            net=net,
            net_currency=net_currency,
            at=_moment(row),
            value_date=day(booked) if booked else None,
            batch=row.id("batch_number"),
            bank_reference=_reference(modification) if kind == "payout" else "",
            exact_fee=exact_fee,
            entry_id=_reference(modification),
            about="" if is_payment else payment,
            account=row["merchant_account"],
            text=without_card_numbers(modification if " " in modification else ""),
            raw=raw_of(row, _IDS),
        )

    def _count(self, row: Row, journal: str, net: int, currency: str) -> None:
        number = row["batch_number"]
        if not number:
            return
        batch = self.batches.setdefault((row["merchant_account"], number, currency), _Batch())
        if len(self.batches) > _MOST_BATCHES:
            raise FileRefused("it has too many batches", row.line)
        if journal == _CLOSES_THE_BATCH:
            batch.paid_out -= net
            batch.closed_on_line = row.line
        else:
            batch.net += net

    def controls(self) -> Iterator[Control]:
        for (_, number, currency), batch in self.batches.items():
            if batch.closed_on_line:
                name = f"payout of batch {without_card_numbers(number[:80])}"
                yield Control(name, batch.closed_on_line, batch.paid_out, batch.net, currency)


def read(file: BinaryIO) -> Iterator[ReportItem]:
    """Each journal of the report, then a control of each batch that is paid out."""
    heading, body = opened_table(file)
    reading = _Reading()
    yield from read_rows(rows_below(heading, body, _WANTED), reading.row)
    yield from reading.controls()


def _kind(journal: str, net: int) -> RowKind:
    if journal in _RESERVES:
        return "reserve_held" if net < 0 else "reserve_released"
    return _KINDS.get(journal, "unknown")


def _credit_less_debit(row: Row, credit_column: str, debit_column: str, currency: str) -> int:
    credit, debit = row[credit_column], row[debit_column]
    if not credit and not debit:
        raise Unreadable(f"neither {credit_column} nor {debit_column} tells an amount")
    got, taken = (minor_units(one, currency, padded=True) if one else 0 for one in (credit, debit))
    if got and taken:
        raise Unreadable(f"both {credit_column} and {debit_column} tell an amount")
    return got - taken


def _gross_and_fee(row: Row, net: int, net_currency: str) -> tuple[int, str, int, Decimal | None]:
    """Gross, its currency, the fee as a whole number and, where it is told finer, exactly."""
    told = _told_fee(row, net_currency)
    exact = told or Decimal(0)
    fee = int(exact.to_integral_value(ROUND_HALF_EVEN))
    finer = exact if exact != fee else None
    if not row["gross_credit_gc"] and not row["gross_debit_gc"]:
        return net + fee, net_currency, fee, finer
    currency = known_currency(row["gross_currency"])
    gross = _credit_less_debit(row, "gross_credit_gc", "gross_debit_gc", currency)
    if currency != net_currency:
        return gross, currency, fee, finer
    if told is None:  # what a chargeback costs stands in no column of its own
        return gross, currency, gross - net, None
    # Newer reports tell the processing fee apart, where it is taken from the settlement and not invoiced.
    for costs in (exact, exact + _told(row, "payment_fees_nc", net_currency)):
        whole = costs == costs.to_integral_value()
        if gross - net == costs or (not whole and abs(gross - net - costs) < 1):
            return gross, currency, gross - net, None if whole else costs
    raise Unreadable("gross − costs is not net")


def _told_fee(row: Row, currency: str) -> Decimal | None:
    """The commission, or the sum of its parts; None where none of them is told."""
    parts = [name for name in ("markup_nc", "scheme_fees_nc", "interchange_nc") if row[name]]
    of_parts = sum((_told(row, name, currency) for name in parts), Decimal(0))
    commission = _told(row, "commission_nc", currency)
    if commission and of_parts:
        raise Unreadable("it tells both a commission and its parts")
    return commission + of_parts if row["commission_nc"] or parts else None


def _told(row: Row, column: str, currency: str) -> Decimal:
    return exact_minor_units(row[column], currency) if row[column] else Decimal(0)


def _reference(modification: str) -> str:
    """The reference in `TX123XT batch 380, merchant`, or the whole where it is one."""
    first, space, _ = modification.partition(" ")
    return first if space and re.fullmatch("TX[0-9A-Za-z]+", first) else "" if space else modification


def _moment(row: Row) -> datetime | None:
    text, letters = row["creation_date"], row["timezone"]
    if not text:
        return None
    zone = _zone(letters)
    at = moment(text, zone or UTC)
    return at if zone is not None else None


def _zone(letters: str) -> tzinfo | None:
    """The zone; None where it is not told or its letters mean several."""
    if not letters or letters.upper() in _SEVERAL:
        return None
    if known := _ZONES.get(letters.upper()):
        return known
    try:
        if _REGION.fullmatch(letters):
            return ZoneInfo(letters)
    except (OSError, ValueError):
        pass
    raise Unreadable(f"{shown(letters)} is no known time zone")
