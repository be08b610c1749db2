"""Stripe's reports: the itemised ones in their column variants, and the older export of fourteen columns."""

import io
import os
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from commands.report_files.stripe import read
from ledger.report_row import FileRefused
from tests.report_files.disguises import TABLES
from tests.report_files.reading import bare, read_all

HEADING = (
    "automatic_payout_id,automatic_payout_effective_at,balance_transaction_id,created,available_on,currency,gross,fee,"
    "net,reporting_category,source_id,payment_intent_id,charge_id,payment_metadata[attempt_id],"
    "refund_metadata[refund_id],description\n"
)
REPORT = (
    HEADING
    + "po_1,2026-11-05,txn_1,2026-11-01 10:11:12,2026-11-03,usd,25.00,0.95,24.05,charge,ch_1,pi_1,ch_1,att_1,,Kaffee\n"
    + "po_1,2026-11-05,txn_2,2026-11-01 10:11:12,2026-11-03,usd,-5.00,-0.15,-4.85,partial_capture_reversal,"
    + "ch_1,pi_1,ch_1,att_1,,\n"
    + 'po_1,2026-11-05,txn_3,2026-11-02 00:00:00,2026-11-03,usd,-10,0,-10,refund,re_1,pi_1,ch_1,att_1,ref_1,"two\n'
    + 'lines, ""quoted"""\n'
    + ",,txn_4,2026-11-02 00:00:01,2026-11-03,usd,-7.40,0,-7.40,payout,po_instant,,,,,Instant payout\n"
    + ",,txn_5,2026-11-02 00:00:02,2026-11-03,JPY,1000,36,964,charge,py_1,pi_2,py_1,att_2,,\n"
)


def test_each_line_becomes_a_row() -> None:
    seen = read_all(read, REPORT)
    assert not seen.rejected
    sale, rest, refund, payout, yen = seen.rows
    assert (sale.line, sale.kind, sale.external_id, sale.our_reference) == (2, "sale", "pi_1", "att_1")
    assert (sale.gross, sale.fee, sale.net, sale.currency, sale.net_currency) == (2500, 95, 2405, "USD", "USD")
    assert sale.at == datetime(2026, 11, 1, 10, 11, 12, tzinfo=UTC)
    assert (sale.value_date, sale.batch, sale.entry_id) == (date(2026, 11, 3), "po_1", "txn_1")
    assert sale.raw["gross"] == "25.00"
    assert (refund.kind, refund.external_id, refund.our_reference, refund.about) == ("refund", "re_1", "ref_1", "pi_1")
    assert (refund.line, refund.gross, refund.text) == (4, -1000, 'two\nlines, "quoted"')
    assert (payout.line, payout.kind, payout.external_id) == (6, "payout", "po_instant")
    assert (yen.gross, yen.fee, yen.batch) == (1000, 36, "")
    assert rest.kind == "reversed"


def test_a_capture_of_a_part_is_the_charge_and_the_rest_of_the_same_payment() -> None:
    sale, rest, *_ = read_all(read, REPORT).rows
    assert (sale.external_id, sale.gross + rest.gross, sale.fee + rest.fee) == (rest.external_id, 2000, 80)


@pytest.mark.parametrize("disguise", TABLES)
def test_the_same_rows_come_whatever_the_file_looks_like(disguise: str) -> None:
    text = REPORT.replace("two\nlines", "two lines")  # a line end within a cell is rewritten with the others
    plain = read_all(read, text)
    disguised = read_all(read, TABLES[disguise](text))
    assert not disguised.rejected
    assert bare(disguised.rows) == bare(plain.rows)


def test_utc_columns_are_taken_before_those_of_the_reports_own_zone() -> None:
    text = (
        "created,created_utc,available_on,available_on_utc,balance_transaction_id,gross,fee,net,currency,"
        "reporting_category\n"
        "2026-11-01 23:30:00,2026-11-02 07:30:00,2026-11-02,2026-11-03,txn_1,1.00,0.00,1.00,usd,topup\n"
        "2026-11-01T23:30:00-08:00,,2026-11-02,,txn_2,1.00,0.00,1.00,usd,topup\n"
    )
    first, second = read_all(read, text).rows
    assert first.at == datetime(2026, 11, 2, 7, 30, tzinfo=UTC)
    assert first.value_date == date(2026, 11, 3)
    assert second.at == datetime(2026, 11, 1, 23, 30, tzinfo=timezone(timedelta(hours=-8)))
    assert (first.kind, first.external_id) == ("adjustment", "txn_1")


def test_payouts_are_known_by_their_own_id_and_the_day_they_are_expected() -> None:
    text = (
        "payout_id,effective_at,currency,balance_transaction_id,gross,fee,net,reporting_category,description,"
        "payout_expected_arrival_date,payout_status,payout_type,trace_id\n"
        "po_1,2026-11-05 00:00:00,eur,txn_9,-240.50,0.00,-240.50,payout,STRIPE PAYOUT,2026-11-07,paid,bank_account,"
        "TRACE1\n"
        "po_2,2026-11-06 00:00:00,eur,txn_10,100.00,0.00,100.00,payout_reversal,,2026-11-08,failed,bank_account,\n"
    )
    payout, back = read_all(read, text).rows
    assert (payout.kind, payout.external_id, payout.batch, payout.bank_reference) == (
        "payout",
        "po_1",
        "po_1",
        "TRACE1",
    )
    assert (payout.gross, payout.value_date) == (-24050, date(2026, 11, 7))
    assert (back.kind, back.gross, back.external_id) == ("payout_returned", 10000, "po_2")


@pytest.mark.parametrize(
    ("category", "gross", "kind"),
    [
        ("charge", "1.00", "sale"),
        ("charge_failure", "-1.00", "reversed"),
        ("refund", "-1.00", "refund"),
        ("refund_failure", "1.00", "refund_returned"),
        ("dispute", "-1.00", "chargeback"),
        ("dispute_reversal", "1.00", "chargeback_reversed"),
        ("fee", "-1.00", "fee"),
        ("network_cost", "-1.00", "fee"),
        ("tax", "-1.00", "fee"),
        ("payout", "-1.00", "payout"),
        ("payout_reversal", "1.00", "payout_returned"),
        ("transfer", "-1.00", "adjustment"),
        ("topup", "1.00", "adjustment"),
        ("other_adjustment", "1.00", "adjustment"),
        ("risk_reserved_funds", "-1.00", "reserve_held"),
        ("risk_reserved_funds", "1.00", "reserve_released"),
        ("Charge", "1.00", "sale"),
        ("something_new", "1.00", "unknown"),
    ],
)
def test_a_category_has_a_kind(category: str, gross: str, kind: str) -> None:
    (row,) = read_all(read, f"{HEADING},,txn_1,,,usd,{gross},0,{gross},{category},,,,,,\n").rows
    assert (row.kind, row.at, row.value_date) == (kind, None, None)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (",,t,,,usd,1.00,0.10,0.80,charge,,,,,,", "gross − fee is not net"),
        (",,t,,,usd,1.001,0,1.001,charge,,,,,,", "“1.001” has more decimals than USD"),
        (",,t,,,jpy,1.5,0,1.5,charge,,,,,,", "“1.5” has more decimals than JPY"),
        (',,t,,,usd,"1,000",0,"1,000",charge,,,,,,', "“1,000” has more decimals than USD"),
        (",,t,,,usd,1e3,0,1e3,charge,,,,,,", "“1e3” is no amount"),
        (",,t,,,usd,,0,0,charge,,,,,,", "“” is no amount"),
        (",,t,,,xau,1,0,1,charge,,,,,,", "“xau” is no known currency"),
        (",,t,yesterday,,usd,1,0,1,charge,,,,,,", "“yesterday” is no time"),
        (",,t\u00e9,,,usd,1,0,1,charge,,,,,,", "“té” in balance_transaction_id is damaged"),
        (",,t,,,usd,1,0,1,charge", "it has 10 cells under 16 columns"),
        (",,t,,,usd,1,0,1,charge,,,,,,,beyond", "it has 17 cells under 16 columns"),
        (',,t,,,usd,1,0,1,"charge,,,,,,', "a quotation mark is not closed"),
        (',,t,,,usd,1,0,1,"charge"x,,,,,,', "a quotation mark stands where none may"),
    ],
)
def test_a_line_that_cannot_be_read_is_rejected_and_the_others_are_not_disturbed(cells: str, reason: str) -> None:
    good = ",,txn_1,,,usd,1.00,0.10,0.90,charge,,,,,,\n"
    seen = read_all(read, HEADING + good + cells + "\n" + good)
    assert [(one.line, one.reason) for one in seen.rejected] == [(3, reason)]
    assert [row.line for row in seen.rows] == [2, 4]


def test_a_comma_for_a_point_is_read_where_the_report_was_asked_for_so() -> None:
    text = HEADING.replace(",", ";") + ";;txn_1;;;eur;1234,50;0,5;1234;charge;;;;;;\n"
    (row,) = read_all(read, text).rows
    assert (row.gross, row.fee, row.net) == (123450, 50, 123400)


OLDER = (
    "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Available On (UTC),Description,Customer Facing Amount,"
    "Customer Facing Currency,Transfer,Transfer Date (UTC)\n"
)


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ("t,charge,ch_1,8.00,0.50,7.50,usd,2016-07-14 07:45,2016-07-16 00:00,Order 1,8.00,usd,tr_1,2016-07-18", "sale"),
        ("t,payment,py_1,8.00,0.50,7.50,usd,2016-07-14 07:45,2016-07-16 00:00,,,,,", "sale"),
        ("t,refund,re_1,-8.00,-0.50,-7.50,usd,2016-07-14 07:45,,,,,,", "refund"),
        ("t,transfer,tr_1,-7.50,0.00,-7.50,usd,2016-07-15 04:28,,STRIPE TRANSFER,,,tr_1,", "payout"),
        ("t,transfer,tr_1,-7.50,0.00,-7.50,usd,2020-07-15 04:28,,to a connected account,,,,", "adjustment"),
        ("t,payout,po_1,-7.50,0.00,-7.50,usd,2020-07-15 04:28,,STRIPE PAYOUT,,,po_1,", "payout"),
        ("t,payout_failure,po_1,7.50,0.00,7.50,usd,2020-07-15 04:28,,,,,,", "payout_returned"),
        ("t,adjustment,ch_1,-8.00,15.00,-23.00,usd,2016-07-13 19:29,,Chargeback withdrawal for ch_1,,,,", "chargeback"),
        ("t,adjustment,ch_1,8.00,-15.00,23.00,usd,2016-07-13 19:29,,Chargeback reversal,,,,", "chargeback_reversed"),
        ("t,adjustment,re_1,8.00,0.00,8.00,usd,2016-07-13 19:29,,REFUND FAILURE,,,,", "refund_returned"),
        ("t,adjustment,,8.00,0.00,8.00,usd,2016-07-13 19:29,,Courtesy,,,,", "adjustment"),
        ("t,stripe_fee,,-8.00,0.00,-8.00,usd,2020-07-13 19:29,,Radar,,,,", "fee"),
        ("t,reserve_transaction,,-8.00,0.00,-8.00,usd,2020-07-13 19:29,,,,,,", "reserve_held"),
        ("t,validation,,0.00,0.00,0.00,usd,2020-07-13 19:29,,,,,,", "unknown"),
    ],
)
def test_the_older_export_is_read_too(cells: str, kind: str) -> None:
    seen = read_all(read, f"{OLDER}{cells}\n")
    assert [row.kind for row in seen.rows] == [kind]
    assert not seen.rejected


def test_the_older_export_names_the_payout_a_line_was_in() -> None:
    cells = "txn_1,charge,ch_1,8.00,0.50,7.50,usd,2016-07-14 07:45,2016-07-16 00:00,Order 1,8.00,usd,tr_1,2016-07-18"
    (row,) = read_all(read, f"{OLDER}{cells}\n").rows
    assert (row.external_id, row.batch, row.entry_id, row.about) == ("ch_1", "tr_1", "txn_1", "ch_1")
    assert (row.at, row.value_date) == (datetime(2016, 7, 14, 7, 45, tzinfo=UTC), date(2016, 7, 16))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is empty"),
        ("\n\n", "it is empty"),
        ("a,b\n1,2\n", "its columns are of no report of Stripe that is read"),
        (HEADING.replace("gross", "net"), "the column “net” is there twice"),
        (HEADING.replace("gross,", ""), "the column “gross” is missing"),
        ('"automatic_payout_id,gross', "its first line does not name columns"),
    ],
)
def test_what_is_no_report_of_stripe_is_refused(text: str, reason: str) -> None:
    with pytest.raises(FileRefused, match=reason):
        read_all(read, text)


def test_card_numbers_do_not_come_in_and_ids_keep_their_digits() -> None:
    text = HEADING + ",,txn_1,,,usd,1,0,1,charge,4111111111111111,,,,,card 4111 1111 1111 1111 paid\n"
    (row,) = read_all(read, text).rows
    assert (row.external_id, row.raw["source_id"]) == ("4111111111111111", "4111111111111111")
    assert row.text == row.raw["description"] == "card …1111 paid"


def test_reading_does_not_close_the_file() -> None:
    file = io.BytesIO(REPORT.encode())
    assert list(read(file)) == list(read(file))


@pytest.mark.skipif("LEDGER_SAMPLES" not in os.environ, reason="LEDGER_SAMPLES names no folder of real files")
def test_real_files_are_read_whole() -> None:
    for path in Path(os.environ["LEDGER_SAMPLES"], "stripe").glob("*.csv"):
        seen = read_all(read, path.read_bytes())
        assert seen.rows, path
        assert not seen.rejected, path
        assert all(row.kind != "unknown" for row in seen.rows), path
