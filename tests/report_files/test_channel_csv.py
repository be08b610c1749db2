"""The simulator's settlement file is read as what it says: each type, its batch, and lines that cannot be read."""

import io
from datetime import UTC, date, datetime

import pytest
from hypothesis import given

from commands.channels.simulator.operations import Movement
from commands.channels.simulator.settlement import bounds, written
from commands.report_files.channel_csv import read
from ledger.report_row import FileRefused, RejectedRow, ReportItem, ReportRow
from tests.report_files.bytes_gone_wrong import damaged, survives

DAY = date(2026, 11, 21)
NOON_MS = bounds(DAY)[0] + 12 * 3_600_000
MOVED = [
    Movement("charge", "pay_1-1", "pay_1-1", "ch_1", 6_000, 95, "EUR", NOON_MS),
    Movement("capture", "cap_1", "pay_2-1", "cp_1", 700, 11, "EUR", NOON_MS + 1),
    Movement("void", "void_1", "pay_2-1", "vo_1", -700, -11, "EUR", NOON_MS + 2),
    Movement("refund", "ref_1-1", "pay_1-1", "re_1", -2_500, 10, "EUR", NOON_MS + 3),
    Movement("refund_returned", "ref_1-1", "pay_1-1", "re_1", 2_500, 0, "EUR", NOON_MS + 4),
    Movement("dispute", "dp_1", "pay_1-1", "dp_1", -6_000, 1_500, "EUR", NOON_MS + 5),
    Movement("dispute_reversed", "dp_1", "pay_1-1", "dp_1", 6_000, 0, "EUR", NOON_MS + 6),
    Movement("payout", "po_1", "", "pt_1", -900, 25, "JPY", NOON_MS + 7),
    Movement("payout_returned", "po_1", "", "pt_1", 900, 0, "JPY", NOON_MS + 8),
]
FILE = written(MOVED, 2)


def items(text: str | bytes) -> list[ReportItem]:
    return list(read(io.BytesIO(text.encode() if isinstance(text, str) else text)))


def test_each_type_of_movement_is_a_kind_of_row_and_names_what_it_is_about() -> None:
    rows = [item for item in items(FILE) if isinstance(item, ReportRow)]
    facts = [(row.kind, row.external_id, row.our_reference, row.about, row.gross, row.fee, row.net) for row in rows]
    assert facts == [
        ("sale", "ch_1", "pay_1-1", "", 6_000, 95, 5_905),
        ("sale", "cp_1", "cap_1", "pay_2-1", 700, 11, 689),
        ("reversed", "vo_1", "void_1", "pay_2-1", -700, -11, -689),
        ("refund", "re_1", "ref_1-1", "pay_1-1", -2_500, 10, -2_510),
        ("refund_returned", "re_1", "ref_1-1", "pay_1-1", 2_500, 0, 2_500),
        ("chargeback", "dp_1", "", "pay_1-1", -6_000, 1_500, -7_500),
        ("chargeback_reversed", "dp_1", "", "pay_1-1", 6_000, 0, 6_000),
        ("payout", "pt_1", "po_1", "", -900, 25, -925),
        ("payout_returned", "pt_1", "po_1", "", 900, 0, 900),
    ]
    assert [row.line for row in rows] == list(range(2, 11))
    assert rows[0].at == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert {row.value_date for row in rows} == {date(2026, 11, 23)}
    assert rows[0].raw["reference"] == "ch_1"


def test_what_settles_on_one_day_in_one_currency_is_a_batch_and_payouts_are_in_none() -> None:
    batches = [(item.currency, item.batch) for item in items(FILE) if isinstance(item, ReportRow)]
    assert batches == [("EUR", "2026-11-23-eur")] * 7 + [("JPY", "")] * 2


def test_a_type_that_nobody_knows_is_unknown_and_keeps_its_word() -> None:
    (row,) = items(written([Movement("gift", "g_1", "", "gi_1", 5, 0, "EUR", NOON_MS)], 1))
    assert isinstance(row, ReportRow)
    assert (row.kind, row.text, row.gross) == ("unknown", "gift", 5)


HEADING = "type,id,charge_id,reference,gross,fee,net,currency,occurred_at,settles_on"
SOUND = "charge,a,a,ch,100,1,99,EUR,2026-11-21T12:00:00+00:00,2026-11-22"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (SOUND.replace(",99,", ",98,"), "gross − fee is not net"),
        (SOUND.replace(",100,", ",1.00,"), "“1.00” is no amount in minor units"),
        (SOUND.replace(",100,", ",9223372036854775808,"), "“9223372036854775808” is no amount in minor units"),
        (SOUND.replace("EUR", "EUX"), "“EUX” is no known currency"),
        (SOUND.replace("T12", "T25"), "“2026-11-21T25:00:00+00:00” is no time"),
        (SOUND.replace(",2026-11-22", ",soon"), "“soon” is no day"),
        (SOUND + ",more", "it has 11 cells under 10 columns"),
    ],
)
def test_a_line_that_cannot_be_read_is_rejected_alone(line: str, reason: str) -> None:
    before, wrong, after = items(f"{HEADING}\n{SOUND}\n{line}\n{SOUND}\n")
    assert isinstance(before, ReportRow)
    assert isinstance(after, ReportRow)
    assert isinstance(wrong, RejectedRow)
    assert (wrong.line, wrong.reason) == (3, reason)


def test_columns_are_found_by_name() -> None:
    names, cells = HEADING.split(","), SOUND.split(",")
    turned = "\n".join(",".join([*reversed(line), "?"]) for line in (names, cells))
    (row,) = items(turned)
    assert isinstance(row, ReportRow)
    assert (row.gross, row.our_reference, row.external_id) == (100, "a", "ch")


@pytest.mark.parametrize("text", ["", "\n\n", "type,id\n", HEADING.replace("fee", "costs"), f"{HEADING},fee\n"])
def test_a_file_without_its_columns_is_refused(text: str) -> None:
    with pytest.raises(FileRefused):
        items(text)


@given(damaged([FILE.encode(), f"{HEADING}\n{SOUND}\n".encode()]))
def test_whatever_happens_to_its_bytes_it_is_read_or_refused(content: bytes) -> None:
    survives(read, content)
