"""MT940: senses, days, pages, the words of several banks, and what is no statement."""

import gzip
from datetime import date

import pytest
from hypothesis import given

from commands.report_files.mt940 import read
from ledger.report_row import FileRefused, ReportRow
from tests.report_files.bytes_gone_wrong import damaged
from tests.report_files.disguises import ENVELOPES
from tests.report_files.reading import Found, bare, read_all

ENTRIES = """\
:61:2611201119C25,00NTRFpo_1//BANK-1
:86:Invoice 1
:61:2611201120D5,5NMSCNONREF
:86:Coffee
"""


def message(entries: str, opening: str = "60F:C261119EUR100,00", closing: str = "62F:C261120EUR119,50") -> str:
    return f":20:STMT\n:25:DE02120300000000202051\n:28C:42/1\n:{opening}\n{entries}:{closing}\n-\n"


def seen(entries: str, closing: str = "62F:C261120EUR119,50") -> Found:
    return read_all(read, message(entries, closing=closing))


def only(entry: str) -> ReportRow:
    found = seen(entry)
    assert not found.rejected
    (row,) = found.rows
    return row


def test_an_entry_becomes_a_row() -> None:
    found = seen(ENTRIES)
    first, second = found.rows
    assert (first.line, first.kind, first.gross, first.fee, first.net) == (5, "credit", 2500, 0, 2500)
    assert (first.external_id, first.our_reference, first.bank_reference) == ("BANK-1", "po_1", "BANK-1")
    assert (first.account, first.statement) == ("DE02120300000000202051", "STMT 42/1")
    assert (first.at, first.value_date, first.text) == (None, date(2026, 11, 20), "Invoice 1")
    assert first.raw["entry"] == "2026-11-19"
    assert (second.kind, second.gross, second.our_reference, second.external_id) == ("debit", -550, "", "")
    assert [(control.name, control.holds) for control in found.controls] == [("closing balance STMT 42/1", True)]


@pytest.mark.parametrize("disguise", ENVELOPES)
def test_the_same_rows_come_whatever_the_file_looks_like(disguise: str) -> None:
    plain = read_all(read, message(ENTRIES))
    disguised = read_all(read, ENVELOPES[disguise](message(ENTRIES)))
    assert bare(disguised.rows) == bare(plain.rows)
    assert disguised.controls == plain.controls


def test_what_is_not_utf8_is_latin1() -> None:
    data = message(":61:261120C19,50NTRFX\n:86:Gebühr\n").encode("latin-1")
    assert read_all(read, gzip.compress(data)).rows[0].text == "Gebühr"


@pytest.mark.parametrize(
    ("mark", "net"), [("C", 100), ("D", -100), ("RC", -100), ("RD", 100), ("DR", -100), ("CR", 100)]
)
def test_a_reversal_takes_back_and_a_funds_code_is_no_reversal(mark: str, net: int) -> None:
    """RC is a credit taken back; CR is a credit with the third letter of EUR behind it."""
    closing = f"62F:C261120EUR{(10_000 + net) / 100:.2f}".replace(".", ",")
    found = seen(f":61:261120{mark}1,00NTRFX\n", closing)
    (row,) = found.rows
    assert (row.net, row.kind) == (net, "credit" if net > 0 else "debit")
    assert not found.broken
    assert row.text == ("reversal" if mark.startswith("R") else "")


@pytest.mark.parametrize(
    ("days", "value_date", "entry_date"),
    [
        ("2612310102", date(2026, 12, 31), "2027-01-02"),
        ("2701021231", date(2027, 1, 2), "2026-12-31"),
        ("2402290301", date(2024, 2, 29), "2024-03-01"),
        ("2403010229", date(2024, 3, 1), "2024-02-29"),
        ("9912310101", date(1999, 12, 31), "2000-01-01"),
        ("261120    ", date(2026, 11, 20), None),
        ("261120", date(2026, 11, 20), None),
    ],
)
def test_the_entry_date_is_of_the_year_nearest_to_the_value_date(
    days: str, value_date: date, entry_date: str | None
) -> None:
    row = only(f":61:{days}C19,50NTRFX\n")
    assert (row.value_date, row.raw.get("entry")) == (value_date, entry_date)


@pytest.mark.parametrize(
    ("entry", "reference", "bank"),
    [
        ("C19,50NTRFpo_1//BANK-1", "po_1", "BANK-1"),
        ("C19,50NTRFpo/1//B//1", "po/1", "B//1"),
        ("C19,50NTRFNONREF//NONREF", "", ""),
        ("C19,50NOV NONREF", "", ""),
        ("C19,50 NRTIKREF+//2016", "", "2016"),
        ("C19,5N102EREF            ", "", ""),
        ("CR19,50FMSC01916", "01916", ""),
    ],
)
def test_references_of_an_entry(entry: str, reference: str, bank: str) -> None:
    row = only(f":61:261120{entry}\n")
    assert (row.net, row.our_reference, row.external_id) == (1950, reference, bank)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("261120C19.50NTRFX", "is no entry"),
        ("261120X19,50NTRFX", "is no entry"),
        ("261120C19,505NTRFX", "more decimals than EUR"),
        ("260230C19,50NTRFX", "“260230” is no day"),
        ("2611201345C19,50NTRFX", "“1345” is no day of a year"),
        ("261120C99999999999999999999,NTRFX", "more than can be counted"),
        ("", "is no entry"),
    ],
)
def test_a_bad_entry_is_rejected_with_its_line_and_the_others_are_read(entry: str, reason: str) -> None:
    found = seen(f":61:{entry}\n:86:card 4111111111111111\n" + ENTRIES)
    assert [row.gross for row in found.rows] == [2500, -550]
    (rejected,) = found.rejected
    assert rejected.line == 5
    assert reason in rejected.reason
    assert rejected.raw == f":61:{entry}\ncard …1111"


def test_an_entry_rejected_for_its_day_still_counts_in_the_balance() -> None:
    assert not seen(":61:260230C19,50NTRFX\n").broken
    assert seen(":61:261120C19.50NTRFX\n").broken == ["closing balance STMT 42/1"]


# --- Statements and pages ---------------------------------------------------------------------------------------------


def test_a_balance_that_does_not_follow_is_told() -> None:
    (control,) = seen(ENTRIES, "62F:C261120EUR119,51").controls
    assert (control.stated, control.counted, control.currency, control.holds) == (11951, 11950, "EUR", False)


def test_an_account_may_be_overdrawn() -> None:
    assert not seen(":61:261120D150,00NTRFX\n", "62F:D261120EUR50,").broken


def test_pages_prove_themselves_and_carry_their_balance() -> None:
    pages = message(ENTRIES, closing="62M:C261120EUR119,50") + message(
        ":61:261120C1,NTRFX\n", "60M:C261120EUR119,50", "62F:C261120EUR120,50"
    ).replace("42/1", "42/2")
    found = read_all(read, pages)
    assert [(control.name, control.holds) for control in found.controls] == [
        ("closing balance STMT 42/1", True),
        ("balance carried to STMT 42/2", True),
        ("closing balance STMT 42/2", True),
    ]
    missing = pages.replace("60M:C261120EUR119,50", "60M:C261120EUR219,50").replace("EUR120,50", "EUR220,50")
    assert read_all(read, missing).broken == ["balance carried to STMT 42/2"]


def test_a_new_statement_carries_nothing_from_a_page_before_it() -> None:
    page = message(ENTRIES, closing="62M:C261120EUR119,50")
    new = message("", "60F:C261121EUR7,", "62F:C261121EUR7,")
    assert [control.name for control in read_all(read, page + new).controls] == ["closing balance STMT 42/1"] * 2


def test_several_statements_keep_their_own_entries_and_accounts() -> None:
    other = message(":61:261120C1,NTRFX\n", "60F:C261119JPY5,", "62F:C261120JPY6,").replace("DE02", "JP02")
    found = read_all(read, message(ENTRIES) + other)
    assert [(row.currency, row.net, row.account[:2]) for row in found.rows] == [
        ("EUR", 2500, "DE"),
        ("EUR", -550, "DE"),
        ("JPY", 1, "JP"),
    ]
    assert not found.broken


def test_the_same_statement_twice_flags_the_file_and_the_same_name_does_not() -> None:
    assert read_all(read, message(ENTRIES) * 2).broken == ["times that statement STMT 42/1 stands in the file"]
    next_day = message(":61:261121C1,NTRFX\n", "60F:C261120EUR119,50", "62F:C261121EUR120,50")
    assert not read_all(read, message(ENTRIES) + next_day).broken


def test_blocks_of_swift_are_unwrapped() -> None:
    body = message(ENTRIES).removesuffix("-\n")
    head = "\x01{1:F01BANKDEFFAXXX0000000000}{2:I940BANKDEFFXXXXN}{3:{108:X}}{4:\n"
    second = body.replace("STMT", "NEXT").replace("261120", "261121")
    wrapped = f"{head}{body}-}}{{5:{{MAC:00000000}}{{CHK:000000000000}}}}\x03{head}{second}-}}\x03"
    found = read_all(read, wrapped.replace("\n", "\r\n"))
    assert [row.statement for row in found.rows] == ["STMT 42/1"] * 2 + ["NEXT 42/1"] * 2
    assert not found.broken
    own_lines = f"{{1:F01X}}\n{{2:I940X}}\n{{4:\n{body}-}}\n"
    assert len(read_all(read, own_lines).rows) == 2


def test_what_stands_between_messages_and_behind_the_balance_is_no_detail() -> None:
    text = (
        "BANKNL2A\n940\nBANKNL2A\n" + message(ENTRIES).replace("-\n", ":86:D000001C000001\n-\n") + "\nBANKNL2A\n940\n"
    )
    assert [row.text for row in read_all(read, text).rows] == ["Invoice 1", "Coffee"]


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("", "no statement", 0),
        ("<Document/>", "no statement", 0),
        (":61:261120C1,NTRFX\n", "before any :20:", 1),
        (message(ENTRIES).partition(":62F")[0], "ends before its closing balance", 1),
        (message(ENTRIES).partition(":62F")[0] + message(ENTRIES), "ends before its closing balance", 1),
        (message(":61:261120C1,NTRFX\n").replace(":60F:", ":34F:"), "before the opening balance", 5),
        (message("", closing="62F:C261120EUR1.00"), ":62F: cannot be read", 5),
        (message("", closing="62F:C261120QQQ1,00"), ":62F: cannot be read", 5),
        (message("", closing="62F:C269920EUR1,00"), ":62F: cannot be read", 5),
        (message("") + ":61:261120C1,NTRFX\n", "behind the closing balance", 7),
        (message(":60F:C261119EUR1,\n"), "a second opening balance", 5),
        (message(":86:" + "x" * 60_000 + "\n" + ("y" * 60_000 + "\n") * 2), "does not end", 5),
    ],
)
def test_what_is_no_statement_is_refused_with_its_line(text: str, reason: str, line: int) -> None:
    with pytest.raises(FileRefused) as refusal:
        read_all(read, text)
    assert reason in refusal.value.reason
    assert refusal.value.line == line


# --- Details ----------------------------------------------------------------------------------------------------------


def test_german_subfields_are_joined_over_lines() -> None:
    row = only(
        ":61:2611201120C19,50NTRFNONREF//B1\n"
        ":86:166?00SEPA-GUTSCHRIFT?109075?20EREF+po_2026-11-2?210-0007 KREF+K\n"
        "1?22SVWZ+Settlement batch 38?230 November?30BANKDEFFXXX?31DE021203000\n"
        "00000202051?32Channel Payments ?33Europe\n"
    )
    assert row.our_reference == "po_2026-11-20-0007"
    assert row.text.startswith("SEPA-GUTSCHRIFT | EREF+po_2026-11-20-0007")
    assert row.text.endswith(" | Channel Payments Europe")
    assert row.raw["SVWZ+"] == "Settlement batch 380 November"
    assert row.raw["?31"] == "DE02120300000000202051"


def test_another_bank_marks_its_subfields_otherwise() -> None:
    assert only(":61:261120C19,50N000NONREF\n:86:000>100987\n>20 RENT>21 NOV 2026\n").text == "RENT NOV 2026"


def test_dutch_words_are_taken_apart() -> None:
    row = only(
        ":61:261120C19,50N102EREF\nNL02ABNA0123456789\n"
        ":86:/TRTP/SEPA OVERBOEKING/EREF/att_1/BENM//NAME/JOHN DOE/REMI/Invoice 1/2/I\nSDT/2026-11-20\n"
    )
    assert (row.our_reference, row.raw["/NAME/"], row.raw["/REMI/"]) == ("att_1", "JOHN DOE", "Invoice 1/2")
    assert row.raw["/ISDT/"] == "2026-11-20"
    assert row.raw["supplement"] == "NL02ABNA0123456789"
    assert "NL02ABNA0123456789" in row.text


def test_end_to_end_ids_that_are_none_are_left_out() -> None:
    assert only(":61:261120C19,50N102po_1\n:86:/EREF/NOTPROVIDED/REMI/x\n").our_reference == "po_1"


def test_lines_that_were_full_go_on_in_the_middle_of_a_word() -> None:
    full = "x" * 60 + " batc"
    assert only(f":61:261120C19,50NTRFX\n:86:{full}\nh 380\nshort\nline\n").text == "x" * 60 + " batch 380 short line"
    assert only(f":61:261120C19,50NTRFX\n:86:{'x' * 60} 123\n456\n").text.endswith(" 123456")


def test_a_return_says_so_and_its_included_charge_is_the_fee() -> None:
    found = seen(
        ":61:2611201120D12,35NRTINONREF//B1\n/OCMT/EUR11,85//CHGS/EUR0,50/\n:86:109?00RETOURE?20EREF+po_1\n",
        "62F:C261120EUR87,65",
    )
    (row,) = found.rows
    assert (row.gross, row.fee, row.net, row.about) == (-1185, 50, -1235, "po_1")
    assert row.text.startswith("returned | RETOURE")
    assert not found.broken


@pytest.mark.parametrize("told", ["/OCMT/EUR11,84//CHGS/EUR0,50/", "/OCMT/USD11,85//CHGS/USD0,50/", "/CHGS/EUR0,50/"])
def test_a_charge_that_the_entry_does_not_come_to_is_no_fee(told: str) -> None:
    row = only(f":61:261120D12,35NTRFX\n{told}\n")
    assert (row.gross, row.fee) == (-1235, 0)


def test_card_numbers_do_not_enter_and_references_keep_their_digits() -> None:
    number = "4111111111111111"
    row = only(f":61:261120C19,50NTRF{number}//{number}\n{number}\n:86:card {number}\n")
    assert (row.our_reference, row.external_id) == (number, number)
    assert row.text == "card …1111 | …1111"
    assert row.raw["supplement"] == "…1111"


@given(damaged([message(ENTRIES).encode()]))
def test_whatever_the_bytes_are_nothing_but_a_refusal_leaves(data: bytes) -> None:
    try:
        for row in read_all(read, data).rows:
            assert row.gross - row.fee == row.net
    except FileRefused:
        pass
