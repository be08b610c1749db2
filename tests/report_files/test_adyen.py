"""Adyen's settlement detail report: journals in two currencies, costs in one column or three, and batches paid out."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from commands.report_files.adyen import read
from ledger.report_row import Control, FileRefused
from tests.report_files.disguises import TABLES
from tests.report_files.reading import bare, read_all

HEADING = (
    "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Creation Date,TimeZone,Type,"
    "Modification Reference,Gross Currency,Gross Debit (GC),Gross Credit (GC),Exchange Rate,Net Currency,"
    "Net Debit (NC),Net Credit (NC),Commission (NC),Markup (NC),Scheme Fees (NC),Interchange (NC),"
    "Payment Method Variant,Modification Merchant Reference,Batch Number,Reserved4\n"
)
AT = "2026-11-01 19:58:55,CET"
SALE = f"Co,Shop,PSP1,att_1,visa,{AT},Settled,CAP1,EUR,,100.00,1,EUR,,98.90,,0.10,0.20,0.80,visacredit,,380,\n"
REPORT = (
    HEADING
    + SALE
    + f"Co,Shop,PSP2,att_2,mc,{AT},Settled,CAP2,EUR,,10.00,1,EUR,,9.75,0.25,,,,mc,,380,\n"
    + f"Co,Shop,PSP1,att_1,visa,{AT},Refunded,MOD1,EUR,20.00,,1,EUR,20.10,,0.10,,,,visa,ref_1,380,\n"
    + f"Co,Shop,PSP0,att_0,visa,{AT},Chargeback,MOD0,EUR,5.00,,1,EUR,20.00,,,,,,visa,,380,\n"
    + f"Co,Shop,PSP9,att_9,visa,{AT},Settled,CAP9,INR,,10.00,0.012,USD,0.03,,,0.02,0.03,0.10,visa,,380,\n"
    + f"Co,Shop,,,,{AT},Fee,Transaction fees October,EUR,,,,EUR,2.55,,,,,,,,380,\n"
    + f"Co,Shop,,,,{AT},DepositCorrection,Deposit,EUR,,,,EUR,6.00,,,,,,,,380,\n"
    + f'Co,Shop,,,,{AT},MerchantPayout,"TX123456789XT batch 380, Shop",,,,,EUR,60.00,,,,,,,,380,\n'
)


def test_each_journal_becomes_a_row() -> None:
    seen = read_all(read, REPORT)
    assert not seen.rejected
    sale, _, refund, chargeback, _, fee, deposit, payout = seen.rows
    assert (sale.line, sale.kind, sale.external_id, sale.our_reference) == (2, "sale", "PSP1", "att_1")
    assert (sale.gross, sale.fee, sale.net, sale.currency) == (10000, 110, 9890, "EUR")
    assert (sale.batch, sale.account, sale.entry_id) == ("380", "Shop", "CAP1")
    assert sale.at == datetime(2026, 11, 1, 19, 58, 55, tzinfo=timezone(timedelta(hours=1)))
    assert sale.value_date == date(2026, 11, 1)
    assert (refund.kind, refund.external_id, refund.about, refund.our_reference) == ("refund", "MOD1", "PSP1", "ref_1")
    assert (refund.gross, refund.fee, refund.net) == (-2000, 10, -2010)
    assert (fee.kind, fee.gross, fee.fee, fee.net, fee.text) == ("fee", -255, 0, -255, "Transaction fees October")
    assert (deposit.kind, deposit.gross) == ("reserve_held", -600)
    assert (payout.kind, payout.gross, payout.net) == ("payout", -6000, -6000)
    assert (payout.external_id, payout.bank_reference) == ("TX123456789XT", "TX123456789XT")
    assert payout.text == "TX123456789XT batch 380, Shop"
    assert (chargeback.kind, chargeback.external_id, chargeback.about) == ("chargeback", "MOD0", "PSP0")


def test_what_a_chargeback_costs_is_what_net_takes_beyond_gross() -> None:
    chargeback = read_all(read, REPORT).rows[3]
    assert (chargeback.gross, chargeback.fee, chargeback.net) == (-500, 1500, -2000)


def test_a_small_sale_in_another_currency_may_cost_more_than_it_brings() -> None:
    rupees = read_all(read, REPORT).rows[4]
    assert (rupees.kind, rupees.gross, rupees.currency) == ("sale", 1000, "INR")
    assert (rupees.fee, rupees.fee_currency, rupees.net, rupees.net_currency) == (15, "USD", -3, "USD")


def test_the_payout_is_compared_with_the_other_lines_of_its_batch_wherever_they_stand() -> None:
    control = Control("payout of batch 380", 9, 6000, 6000, "EUR")
    assert read_all(read, REPORT).controls == [control]
    assert control.holds
    lines = REPORT.splitlines(keepends=True)
    (turned,) = read_all(read, lines[0] + "".join(reversed(lines[1:]))).controls
    assert (turned.line, turned.stated, turned.counted, turned.holds) == (2, 6000, 6000, True)
    (short,) = read_all(read, REPORT.replace(SALE, "")).controls
    assert (short.stated, short.counted, short.holds) == (6000, -3890, False)


def test_batches_are_told_apart_by_merchant_account_and_currency_and_open_ones_are_not_compared() -> None:
    other = REPORT.replace("Co,Shop,", "Co,Kiosk,").partition("\n")[2]
    controls = read_all(read, REPORT + other).controls
    assert [(one.stated, one.counted) for one in controls] == [(6000, 6000), (6000, 6000)]
    assert not read_all(read, HEADING + SALE).controls


def test_a_line_that_cannot_be_read_beyond_its_net_still_counts_in_its_batch() -> None:
    seen = read_all(read, REPORT.replace("0.10,0.20,0.80", "0.10,0.20,0.70"))
    assert [(one.line, one.reason) for one in seen.rejected] == [(2, "gross − costs is not net")]
    assert seen.controls[0].holds


@pytest.mark.parametrize("disguise", TABLES)
def test_the_same_rows_come_whatever_the_file_looks_like(disguise: str) -> None:
    plain, disguised = read_all(read, REPORT), read_all(read, TABLES[disguise](REPORT))
    assert not disguised.rejected
    assert bare(disguised.rows) == bare(plain.rows)
    assert disguised.controls == plain.controls


@pytest.mark.parametrize(
    ("journal", "way", "kind"),
    [
        ("Settled", ",1.00", "sale"),
        ("SettledReversed", "1.00,", "reversed"),
        ("Refunded", "1.00,", "refund"),
        ("RefundedReversed", ",1.00", "refund_returned"),
        ("Chargeback", "1.00,", "chargeback"),
        ("SecondChargeback", "1.00,", "chargeback"),
        ("ChargebackReversed", ",1.00", "chargeback_reversed"),
        ("Fee", "1.00,", "fee"),
        ("MiscCosts", "1.00,", "fee"),
        ("PaymentCost", ",1.00", "fee"),
        ("InvoiceDeduction", "1.00,", "fee"),
        ("DepositCorrection", "1.00,", "reserve_held"),
        ("DepositCorrection", ",1.00", "reserve_released"),
        ("Balancetransfer", ",1.00", "reserve_released"),
        ("Balancetransfer", "1.00,", "reserve_held"),
        ("MerchantPayout", "1.00,", "payout"),
        ("PaidOutReversed", ",1.00", "payout_returned"),
        ("BankInstructionReturned", ",1.00", "payout_returned"),
        ("ManualCorrected", ",1.00", "adjustment"),
        ("Novelty", ",1.00", "unknown"),
    ],
)
def test_a_journal_has_a_kind(journal: str, way: str, kind: str) -> None:
    (row,) = read_all(read, f"{HEADING}Co,Shop,,,,{AT},{journal},,EUR,,,,EUR,{way},,,,,,,1,\n").rows
    assert (row.kind, abs(row.gross)) == (kind, 100)


def test_costs_finer_than_the_minor_unit_are_kept_exactly() -> None:
    (row,) = read_all(read, HEADING + SALE.replace("0.10,0.20,0.80", "0.1025,0.2,0.8")).rows
    assert (row.fee, row.exact_fee) == (110, Decimal("110.25"))


def test_a_processing_fee_that_is_taken_too_is_told_apart() -> None:
    heading, sale = HEADING.replace("Reserved4", "Payment Fees (NC)"), SALE.replace("380,\n", "380,0.12\n")
    (invoiced,) = read_all(read, heading + sale).rows
    (taken,) = read_all(read, heading + sale.replace("98.90", "98.78")).rows
    assert (invoiced.fee, invoiced.net, taken.fee, taken.net) == (110, 9890, 122, 9878)


@pytest.mark.parametrize(
    ("zone", "offset_h"),
    [("CEST", 2), ("BST", 1), ("PDT", -7), ("GMT", 0), ("UTC", 0), ("Europe/Amsterdam", 1), ("CST", None), ("", None)],
)
def test_times_are_in_the_zone_beside_them(zone: str, offset_h: int | None) -> None:
    (row,) = read_all(read, HEADING + SALE.replace("CET", zone)).rows
    clock = datetime(2026, 11, 1, 19, 58, 55, tzinfo=UTC)
    assert row.at == (None if offset_h is None else clock - timedelta(hours=offset_h))


@pytest.mark.parametrize(
    ("was", "becomes", "reason"),
    [
        (",,98.90", ",1.00,98.90", "both net_credit_nc and net_debit_nc tell an amount"),
        (",,98.90", ",,", "neither net_credit_nc nor net_debit_nc tells an amount"),
        (",,100.00", ",1.00,100.00", "both gross_credit_gc and gross_debit_gc tell an amount"),
        ("98.90,,0.10", "98.90,1.10,0.10", "it tells both a commission and its parts"),
        ("98.90", "98.80", "gross − costs is not net"),
        ("98.90", "98.901", "“98.901” has more decimals than EUR"),
        ("1,EUR", "1,XXX", "“XXX” is no known currency"),
        ("CET", "MARS", "“MARS” is no known time zone"),
        ("2026-11-01 19:58:55", "01/11/2026", "“01/11/2026” is no time"),
        ("CAP1", "CAP1,", "it has 25 cells under 24 columns"),
    ],
)
def test_a_line_that_cannot_be_read_is_rejected_with_its_reason(was: str, becomes: str, reason: str) -> None:
    assert was in SALE
    line = SALE.replace(was, becomes).replace(",380,\n", ",380,x\n")
    seen = read_all(read, HEADING + line + SALE)
    assert [(one.line, one.reason) for one in seen.rejected] == [(2, reason)]
    assert [row.line for row in seen.rows] == [3]


@pytest.mark.parametrize("column", ["Type", "Net Currency", "Net Debit (NC)", "Gross Credit (GC)", "Batch Number"])
def test_a_report_without_a_column_of_the_money_is_refused(column: str) -> None:
    with pytest.raises(FileRefused, match="is missing"):
        read_all(read, REPORT.replace(column, "Something"))
