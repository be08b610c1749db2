"""PayPal's settlement report: records of ten kinds, amounts without sign or point, and totals of every section."""

from datetime import datetime, timedelta, timezone

import pytest

from commands.report_files.paypal import read
from ledger.report_row import Control, FileRefused
from tests.report_files.disguises import ENVELOPES
from tests.report_files.reading import bare, read_all

COLUMNS = (
    '"CH","Transaction ID","Invoice ID","PayPal Reference ID","PayPal Reference ID Type","Transaction Event Code",'
    '"Transaction Initiation Date","Transaction Completion Date","Transaction  Debit or Credit",'
    '"Gross Transaction Amount","Gross Transaction Currency","Fee Debit or Credit","Fee Amount","Fee Currency",'
    '"Custom Field","Consumer ID","Payment Tracking ID","Store ID","Bank Reference ID","Credit Transactional Fee",'
    '"Credit Promotional Fee","Credit Term"\n'
)
SALE = (
    '"SB","TXN1","att_1","","","T0006",2026/11/01 00:00:30 -0800,2026/11/01 00:00:31 -0800,"CR",5200,"USD","DR",225,'
    '"USD","","YM2C","","","",,,\n'
)
REST = (
    '"SB","TXN2","ref_1","TXN1","TXN","T1107",2026/11/01 01:00:00 -0800,2026/11/01 01:00:00 -0800,"DR",1200,"USD",'
    '"CR",35,"USD","","YM2C","","","",,,\n'
    '"SB","TXN3","","CONV1","TXN","T0200",2026/11/01 02:00:00 -0800,2026/11/01 02:00:00 -0800,"DR",2000,"USD",,,,'
    '"","","","","",,,\n'
    '"SB","TXN4","","CONV1","TXN","T0200",2026/11/01 02:00:00 -0800,2026/11/01 02:00:00 -0800,"CR",3040,"JPY",,,,'
    '"","","","","",,,\n'
    '"SB","TXN5","","","","T0400",2026/11/01 03:00:00 -0800,2026/11/01 03:00:00 -0800,"DR",1000,"USD","",0,"",'
    '"","","","","BANK77",,,\n'
)
USD_TOTALS = '"USD",5200,4200,35,225,"CR",1000,"CR",1810,"CR",1000,"CR",1810,"CR",0,"CR",0'
JPY_TOTALS = '"JPY",3040,0,0,0,"CR",0,"CR",3040,"CR",0,"CR",3040,"CR",0,"CR",0'
HEAD = (
    '"RH",2026/11/02 02:44:19 -0700,"A","MERCHANT1",009,\n"FH",01\n'
    '"SH",2026/11/01 00:00:00 -0800,2026/11/01 23:59:59 -0800,"MERCHANT1",""\n'
)
REPORT = (
    HEAD
    + COLUMNS
    + SALE
    + REST
    + f'"SF",{USD_TOTALS},4\n"SF",{JPY_TOTALS},1\n"SC",5\n"RF",{USD_TOTALS},4\n"RF",{JPY_TOTALS},1\n"RC",5\n"FF",5\n'
)


def test_each_row_of_a_section_becomes_a_row() -> None:
    seen = read_all(read, REPORT)
    assert not seen.rejected
    sale, refund, out, back, withdrawal = seen.rows
    assert (sale.line, sale.kind, sale.external_id, sale.our_reference) == (5, "sale", "TXN1", "att_1")
    assert (sale.gross, sale.fee, sale.net, sale.currency) == (5200, 225, 4975, "USD")
    assert sale.at == datetime(2026, 11, 1, 0, 0, 31, tzinfo=timezone(timedelta(hours=-8)))
    assert (sale.account, sale.statement) == ("MERCHANT1", "MERCHANT1 2026/11/01")
    assert (refund.kind, refund.gross, refund.fee, refund.net) == ("refund", -1200, -35, -1165)
    assert (refund.about, refund.our_reference) == ("TXN1", "ref_1")
    assert (withdrawal.kind, withdrawal.gross, withdrawal.bank_reference) == ("payout", -1000, "BANK77")
    assert (out.kind, back.kind, out.about, back.about) == ("fx", "fx", "CONV1", "CONV1")
    assert (out.gross, out.currency, back.gross, back.currency) == (-2000, "USD", 3040, "JPY")


def test_totals_counts_and_balances_of_sections_and_report_are_compared() -> None:
    seen = read_all(read, REPORT)
    assert not seen.broken
    assert Control("gross debits of section 1 MERCHANT1", 10, 4200, 4200, "USD") in seen.controls
    assert Control("closing balance of section 1 MERCHANT1", 10, 1810, 1810, "USD") in seen.controls
    assert Control("closing balance of the report", 14, 3040, 3040, "JPY") in seen.controls
    assert Control("rows of section 1 MERCHANT1", 12, 5, 5) in seen.controls
    assert Control("rows of the file", 16, 5, 5) in seen.controls


@pytest.mark.parametrize(
    ("was", "becomes", "broken"),
    [
        (SALE, "", {"gross credits", "fee debits", "closing balance", "rows"}),
        (SALE, SALE + SALE, {"gross credits", "fee debits", "closing balance", "rows"}),
        ('"DR",225', '"DR",226', {"fee debits", "closing balance"}),
        ('"CR",35', '"DR",35', {"fee credits", "fee debits", "closing balance"}),
        ('"CR",1810,"CR",0,"CR",0,4\n"SF"', '"CR",1811,"CR",0,"CR",0,4\n"SF"', set()),
        ('"DR",1000,"USD"', '"DR",1000,"EUR"', {"gross debits", "closing balance", "rows"}),
        ('"FF",5', '"FF",6', {"rows"}),
        ('"SC",5', '"SC",4', {"rows"}),
    ],
)
def test_a_total_that_does_not_hold_is_told(was: str, becomes: str, broken: set[str]) -> None:
    assert was in REPORT
    seen = read_all(read, REPORT.replace(was, becomes))
    assert {name.partition(" of ")[0] for name in seen.broken} == broken


def test_the_closing_balance_holds_by_the_total_or_by_what_is_available_of_it() -> None:
    held = USD_TOTALS.replace('"CR",1000,"CR",1810,"CR",0', '"CR",1000,"CR",1700,"CR",0')
    assert not read_all(read, REPORT.replace(USD_TOTALS, held)).broken
    neither = held.replace('"CR",1810', '"CR",1800')
    assert {name.partition(" of ")[0] for name in read_all(read, REPORT.replace(USD_TOTALS, neither)).broken} == {
        "closing balance"
    }


def test_a_currency_that_moved_and_has_no_totals_is_told() -> None:
    assert read_all(read, REPORT.replace(f'"SF",{JPY_TOTALS},1\n', "")).broken == [
        "rows of section 1 MERCHANT1 in JPY, without totals"
    ]


def test_a_row_that_cannot_be_read_still_counts_in_the_totals_where_its_money_can() -> None:
    seen = read_all(read, REPORT.replace("2026/11/01 00:00:31 -0800", "soon"))
    assert [(one.line, one.reason) for one in seen.rejected] == [(5, "“soon” is no time with its offset")]
    assert not seen.broken


@pytest.mark.parametrize(
    ("was", "becomes", "reason"),
    [
        ('"CR",5200', '"XX",5200', "“XX” is neither CR nor DR"),
        ('"CR",5200', '"CR",52.00', "“52.00” is no amount in minor units"),
        ('"CR",5200', '"CR",-5200', "“-5200” is no amount in minor units"),
        ('5200,"USD"', '5200,"ZZZ"', "“ZZZ” is no known currency"),
        ('5200,"USD"', '5200,"$"', "“$” is no currency"),
        ('"DR",225', '"",225', "“” is neither CR nor DR"),
        ('"TXN1"', '"TXN1\u00e9"', "“TXN1é” in transactionid is damaged"),
        (',,,\n"SB","TXN2"', ',,,,beyond\n"SB","TXN2"', "it has 23 cells under 22 columns"),
        ('"SB","TXN1"', '"SX","TXN1"', "it is no record of a settlement report"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_and_the_others_are_not_disturbed(
    was: str, becomes: str, reason: str
) -> None:
    assert was in REPORT
    seen = read_all(read, REPORT.replace(was, becomes, 1))
    assert [(one.line, one.reason) for one in seen.rejected] == [(5, reason)]
    assert [row.line for row in seen.rows] == [6, 7, 8, 9]


@pytest.mark.parametrize(
    ("code", "way", "kind"),
    [
        ("T0000", "CR", "sale"),
        ("T0003", "CR", "sale"),
        ("T0006", "CR", "sale"),
        ("T0000", "DR", "unknown"),
        ("T0001", "DR", "payout"),
        ("T0106", "DR", "fee"),
        ("T0200", "DR", "fx"),
        ("T0201", "CR", "fx"),
        ("T0300", "CR", "adjustment"),
        ("T0400", "DR", "payout"),
        ("T0400", "CR", "payout_returned"),
        ("T1106", "DR", "chargeback"),
        ("T1107", "DR", "refund"),
        ("T1107", "CR", "refund_returned"),
        ("T1108", "CR", "fee"),
        ("T1110", "DR", "reserve_held"),
        ("T1111", "CR", "reserve_released"),
        ("T1201", "DR", "chargeback"),
        ("T1202", "CR", "chargeback_reversed"),
        ("T1900", "CR", "adjustment"),
        ("T2101", "DR", "reserve_held"),
        ("T2102", "CR", "reserve_released"),
        ("T9800", "CR", "unknown"),
        ("NOVEL", "CR", "unknown"),
    ],
)
def test_an_event_code_has_a_kind_by_its_group_and_by_which_way_the_money_went(code: str, way: str, kind: str) -> None:
    line = SALE.replace("T0006", code).replace('"CR",5200', f'"{way}",5200')
    (row,) = read_all(read, f'{HEAD}{COLUMNS}{line}"FF",1\n').rows
    assert (row.kind, row.gross) == (kind, 5200 if way == "CR" else -5200)


def test_the_custom_field_is_our_reference_where_no_invoice_is_told_and_holds_no_card_number() -> None:
    text = REPORT.replace('"att_1"', '""').replace('"USD","","YM2C"', '"USD","4111111111111111","YM2C"')
    sale, refund, *_ = read_all(read, text).rows
    assert (sale.our_reference, refund.our_reference) == ("…1111", "ref_1")
    assert sale.text == "T0006 · …1111"
    assert sale.raw["customfield"] == "…1111"


def test_columns_stand_in_any_order_and_go_by_their_older_names() -> None:
    cells = [
        ("CH", "SB"),
        ("FeeCurrency", "EUR"),
        ("FeeAmount", "10"),
        ("FeeDebitOrCredit", "DR"),
        ("GrossTransactionCurrency", "EUR"),
        ("GrossTransactionAmount", "100"),
        ("TransactionDebitOrCredit", "CR"),
        ("TransactionEventCode", "T0006"),
        ("Novelty", "x"),
        ("TransactionID", "TXN1"),
    ]
    columns, row = (",".join(pair[place] for pair in cells) for place in (0, 1))
    (only,) = read_all(read, f'{HEAD}{columns}\n{row}\n"FF",1\n').rows
    assert (only.external_id, only.gross, only.fee, only.at) == ("TXN1", 100, 10, None)


@pytest.mark.parametrize("disguise", ENVELOPES)
def test_the_same_rows_come_however_the_file_is_written(disguise: str) -> None:
    plain, disguised = read_all(read, REPORT), read_all(read, ENVELOPES[disguise](REPORT))
    assert bare(disguised.rows) == bare(plain.rows)
    assert disguised.controls == plain.controls


def test_tabs_part_the_cells_as_well() -> None:
    assert bare(read_all(read, REPORT.replace(",", "\t")).rows) == bare(read_all(read, REPORT).rows)


def test_totals_of_a_further_file_that_include_rows_of_the_one_before_are_not_compared() -> None:
    seen = read_all(read, REPORT.replace('"FH",01', '"FH",02').replace(SALE, "").replace('"FF",5', '"FF",4'))
    assert [control.name for control in seen.controls] == ["rows of the file"]
    assert not seen.broken


def test_a_file_that_is_continued_in_another_states_no_totals_yet() -> None:
    seen = read_all(read, f'{HEAD}{COLUMNS}{SALE}"FF",1\n')
    assert [control.name for control in seen.controls] == ["rows of the file"]
    assert not seen.broken


def test_a_section_of_an_account_without_movements_is_read() -> None:
    none = '"SF","USD",0,0,0,0,"CR",0,"CR",0,"CR",0,"CR",0,"CR",0,"CR",0,0\n"SC",0\n'
    seen = read_all(read, f'{HEAD}{none}"FF",0\n')
    assert not seen.rows
    assert not seen.broken


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n", "it does not begin as a settlement report"),
        (REPORT.replace('"FF",5\n', ""), "it breaks off before its end"),
        (REPORT[: len(REPORT) // 2], "it breaks off before its end"),
        (REPORT + REPORT, "it goes on after its end"),
        (HEAD + HEAD, "a second report begins in it"),
        (REPORT.replace('"SF","USD",5200', '"SF","USD",lots'), "its totals cannot be read"),
        (REPORT.replace('"SC",5', '"SC"'), "its count cannot be read"),
        (REPORT.replace('"Fee Amount"', '"Fee"'), "the column “feeamount” is missing"),
        (REPORT.replace(HEAD, HEAD.partition('"SH"')[0]), "totals of a section stand where none is"),
    ],
)
def test_what_is_no_whole_settlement_report_is_refused(text: str, reason: str) -> None:
    with pytest.raises(FileRefused, match=reason):
        read_all(read, text)
