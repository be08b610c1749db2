"""BAI2: records with as many fields as their funds type brings, sums on every floor, and senses by type code."""

from datetime import date

import pytest
from hypothesis import given

from commands.report_files.bai2 import read
from ledger.report_row import FileRefused, ReportRow
from tests.report_files.bytes_gone_wrong import damaged
from tests.report_files.disguises import ENVELOPES
from tests.report_files.reading import Found, bare, read_all

HEAD = "01,021000021,LEDGER,261120,0600,1,80,,2/\n"


def total_of(line: str) -> int:
    """What a 16 or the first line of a 03 adds to the control total: these tests have one amount in each."""
    fields = line.removesuffix("/").split(",")
    amounts = fields[4::4] if fields[0] == "03" else fields[2:3]
    return sum(int(amount) for amount in amounts if amount.lstrip("+-").isdigit())


def account(*lines: str, head: str = "03,0123456789,USD,010,10000,,,015,12500,,/") -> list[str]:
    body = [head, *lines]
    return [*body, f"49,{sum(map(total_of, body))},{len(body) + 1}/"]


def file(*accounts: list[str], group: str = "02,LEDGER,021000021,1,261119,2359,USD,2/") -> str:
    inner = [line for one in accounts for line in one]
    total = sum(int(line.split(",")[1]) for line in inner if line.startswith("49,"))
    lines = [group, *inner, f"98,{total},{len(accounts)},{len(inner) + 2}/"]
    return HEAD + "\n".join([*lines, f"99,{total},1,{len(lines) + 2}/"]) + "\n"


CREDIT = "16,165,3000,V,261120,,BANK-1,po_1,ACH CREDIT, BATCH 380/1/"
DEBIT = "16,475,500,Z,,0001,CHECK PAID/"


def seen(*lines: str) -> Found:
    return read_all(read, file(account(*lines)))


def only(line: str) -> ReportRow:
    found = seen(line)
    assert not found.rejected
    (row,) = found.rows
    return row


def test_an_entry_becomes_a_row() -> None:
    found = seen(CREDIT, DEBIT)
    first, second = found.rows
    assert (first.line, first.kind, first.gross, first.fee, first.net, first.currency) == (
        4,
        "credit",
        3000,
        0,
        3000,
        "USD",
    )
    assert (first.external_id, first.our_reference, first.bank_reference) == ("BANK-1", "po_1", "BANK-1")
    assert (first.account, first.statement) == ("0123456789", "0123456789 2026-11-19")
    assert (first.at, first.value_date) == (None, date(2026, 11, 20))
    assert first.text == "ACH CREDIT, BATCH 380/1"
    assert (second.kind, second.gross, second.external_id, second.our_reference) == ("debit", -500, "", "0001")
    assert second.value_date == date(2026, 11, 19)
    assert [(control.name, control.stated) for control in found.controls] == [
        ("control total of account 0123456789 2026-11-19", 26000),
        ("records of account 0123456789 2026-11-19", 4),
        ("closing balance 0123456789 2026-11-19", 12500),
        ("control total of group 021000021 261119", 26000),
        ("accounts of group 021000021 261119", 1),
        ("records of group 021000021 261119", 6),
        ("control total of file", 26000),
        ("groups of file", 1),
        ("records of file", 8),
    ]
    assert not found.broken


@pytest.mark.parametrize("disguise", ENVELOPES)
def test_the_same_rows_come_whatever_the_file_looks_like(disguise: str) -> None:
    plain = read_all(read, file(account(CREDIT, DEBIT)))
    disguised = read_all(read, ENVELOPES[disguise](file(account(CREDIT, DEBIT))))
    assert bare(disguised.rows) == bare(plain.rows)
    assert disguised.controls == plain.controls


@pytest.mark.parametrize(
    ("funds", "told", "value_date"),
    [
        ("", "", date(2026, 11, 19)),
        ("Z", "Z", date(2026, 11, 19)),
        ("0", "0", date(2026, 11, 19)),
        ("1", "1", date(2026, 11, 19)),
        ("2", "2", date(2026, 11, 19)),
        ("V,261201,", "V 261201", date(2026, 12, 1)),
        ("v,261201,1530", "V 261201 1530", date(2026, 12, 1)),
        ("V,,", "V", date(2026, 11, 19)),
        ("S,100,200,2200", "S 100 200 2200", date(2026, 11, 19)),
        ("S,,200,2300", "S 0 200 2300", date(2026, 11, 19)),
        ("D,3,0,1000,1,1000,3,500", "D 3 0 1000 1 1000 3 500", date(2026, 11, 19)),
        ("D,0", "D 0", date(2026, 11, 19)),
    ],
)
def test_a_funds_type_brings_its_own_fields(funds: str, told: str, value_date: date) -> None:
    row = only(f"16,165,2500,{funds},BANK-1,po_1,some, text/")
    assert (row.external_id, row.our_reference, row.text) == ("BANK-1", "po_1", "some, text")
    assert (row.raw.get("funds", ""), row.value_date) == (told, value_date)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("16,165,2500,Z,B,C,plain/", "plain"),
        ("16,165,2500,Z,B,C,padded        /", "padded"),
        ("16,165,2500,Z,B,C,no stroke", "no stroke"),
        ("16,165,2500,Z,B,C,a/b, c", "a/b, c"),
        ("16,165,2500,Z,B,C,a/\n88,b, c/\n88,d", "a b, c d"),
        ("16,165,2500,Z,B,C/\n88,all of it/", "all of it"),
        ("16,165,2500/\n88,Z,B/\n88,C,text/", "text"),
        ("16,165,2500,V/\n88,261120,/\n88,B,C,text/", "text"),
        ("16,165,2500,Z,B,C/", ""),
        ("16,165,2500,Z,B,C,/", ""),
    ],
)
def test_text_is_all_that_remains_and_records_go_on(line: str, text: str) -> None:
    found = read_all(read, file(account(*line.split("\n"))))
    (row,) = found.rows
    assert (row.text, row.external_id, row.our_reference, row.net) == (text, "B", "C", 2500)
    assert not found.broken


def test_the_totals_of_an_account_go_on_in_the_next_record() -> None:
    lines = [
        "03,0123456789,,010,10000/",
        "88,,,015/",
        "88,12500,,,074,700,2,D,1,0,700,400/",
        "88,500,1,/",
        CREDIT,
        DEBIT,
    ]
    sums = 10000 + 12500 + 700 + 500 + 3000 + 500
    found = read_all(read, file([*lines, f"49,{sums},{len(lines) + 1}/"]))
    assert not found.rejected
    assert not found.broken
    assert "total debits 0123456789 2026-11-19" in [control.name for control in found.controls]


@pytest.mark.parametrize(
    ("code", "net"),
    [
        ("100", 2500),
        ("165", 2500),
        ("399", 2500),
        ("400", -2500),
        ("475", -2500),
        ("699", -2500),
        ("721", 2500),
        ("760", -2500),
        ("920", 2500),
        ("960", -2500),
    ],
)
def test_the_type_code_has_the_sense(code: str, net: int) -> None:
    row = only(f"16,{code},2500,Z,,,/")
    assert (row.net, row.kind) == (net, "credit" if net > 0 else "debit")


def test_a_message_is_no_money() -> None:
    found = seen("16,890,,Z,,,SYSTEM CLOSED AT NOON/", "16,165,2500,,,,/")
    assert [(row.kind, row.net, row.posted) for row in found.rows] == [("unknown", 0, False), ("credit", 2500, True)]
    assert not found.broken


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("16,165,25.00,Z,,,/", "“25.00” is no amount in minor units"),
        ("16,165,,Z,,,/", "is no amount in minor units"),
        ("16,165,-2500,Z,,,/", "has a sign"),
        ("16,045,2500,Z,,,/", "neither a credit nor a debit"),
        ("16,700,2500,Z,,,/", "neither a credit nor a debit"),
        ("16,1x5,2500,Z,,,/", "neither a credit nor a debit"),
        ("16,165,2500,Q,,,/", "the funds type “Q” is not known"),
        ("16,165,2500,D,x,,,/", "no number of days"),
        ("16,165,2500,V,261399,,,,/", "“261399” is no day"),
        ("17,165,2500,Z,,,/", "record code “17” is not known"),
        ("a line that was broken", "record code “??” is not known"),
    ],
)
def test_a_bad_record_is_rejected_with_its_line_and_the_others_are_read(bad: str, reason: str) -> None:
    found = seen(CREDIT, bad, DEBIT)
    assert [row.net for row in found.rows] == [3000, -500]
    (rejected,) = found.rejected
    assert rejected.line == 5
    assert reason in rejected.reason
    assert rejected.raw


def test_an_account_of_an_unknown_currency_has_its_entries_rejected() -> None:
    found = read_all(read, file(account(CREDIT, head="03,1,QQQ,010,0,,/")))
    assert [rejected.reason for rejected in found.rejected] == ["“QQQ” is no known currency"]


@pytest.mark.parametrize(
    ("of_account", "of_group", "currency"),
    [("CAD", "EUR", "CAD"), ("", "EUR", "EUR"), ("", "", "USD"), ("jpy", "", "JPY")],
)
def test_the_currency_is_the_accounts_else_the_groups_else_the_dollar(
    of_account: str, of_group: str, currency: str
) -> None:
    group = f"02,LEDGER,021000021,1,261119,2359,{of_group},2/"
    (row,) = read_all(read, file(account(CREDIT, head=f"03,1,{of_account},010,0,,/"), group=group)).rows
    assert (row.currency, row.net) == (currency, 3000)


# --- Sums -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong", "name"),
    [
        ("49,26000,4/", "49,26001,4/", "control total of account 0123456789 2026-11-19"),
        ("49,26000,4/", "49,26000,5/", "records of account 0123456789 2026-11-19"),
        ("98,26000,1,6/", "98,26001,1,6/", "control total of group 021000021 261119"),
        ("98,26000,1,6/", "98,26000,2,6/", "accounts of group 021000021 261119"),
        ("98,26000,1,6/", "98,26000,1,7/", "records of group 021000021 261119"),
        ("99,26000,1,8/", "99,26001,1,8/", "control total of file"),
        ("99,26000,1,8/", "99,26000,2,8/", "groups of file"),
        ("99,26000,1,8/", "99,26000,1,9/", "records of file"),
    ],
)
def test_each_stated_sum_is_compared(right: str, wrong: str, name: str) -> None:
    text = file(account(CREDIT, DEBIT))
    assert right in text
    assert read_all(read, text.replace(right, wrong)).broken == [name]


def test_opening_and_entries_are_the_closing_balance() -> None:
    found = read_all(read, file(account(CREDIT, DEBIT, head="03,1,USD,010,10000,,,015,12501,,/")))
    assert found.broken == ["closing balance 1 2026-11-19"]
    overdrawn = read_all(read, file(account(CREDIT, DEBIT, head="03,1,USD,010,-10000,,,015,-7500,,/")))
    assert not overdrawn.broken


def test_a_report_of_totals_alone_has_nothing_to_prove_by_entries() -> None:
    found = read_all(read, file(account(head="03,1,USD,010,10000,,,015,12500,,,100,2500,1,/")))
    assert not found.rows
    assert not found.broken


@pytest.mark.parametrize(("items", "told"), [("1", True), ("2", False), ("", False)])
def test_total_credits_are_compared_where_all_items_are_there(items: str, told: bool) -> None:
    found = read_all(read, file(account(CREDIT, DEBIT, head=f"03,1,USD,100,3001,{items},/")))
    assert found.broken == (["total credits 1 2026-11-19"] if told else [])


def test_a_sum_over_two_currencies_is_of_none() -> None:
    found = read_all(read, file(account(CREDIT, head="03,1,USD,,,,/"), account(CREDIT, head="03,2,CAD,,,,/")))
    currencies = {control.name: control.currency for control in found.controls}
    assert currencies["control total of account 2 2026-11-19"] == "CAD"
    assert currencies["control total of file"] == ""
    assert not found.broken


# --- Groups and files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("modifier", "posted"), [("1", False), ("2", True), ("3", False), ("4", True), ("", True)])
def test_what_is_interim_is_only_announced(modifier: str, posted: bool) -> None:
    group = f"02,LEDGER,021000021,1,261119,2359,USD,{modifier}/"
    assert [row.posted for row in read_all(read, file(account(CREDIT), group=group)).rows] == [posted]


@pytest.mark.parametrize(("status", "reason"), [("2", "deletes what was sent before"), ("4", "is a test")])
def test_a_group_that_deletes_or_tests_is_no_money(status: str, reason: str) -> None:
    found = read_all(read, file(account(CREDIT, DEBIT), group=f"02,LEDGER,021000021,{status},261119,2359,USD,2/"))
    assert not found.rows
    assert [reason in rejected.reason for rejected in found.rejected] == [True, True]


def test_the_same_account_and_day_twice_flags_the_file() -> None:
    found = read_all(read, file(account(CREDIT, DEBIT), account(CREDIT, DEBIT)))
    assert found.broken == ["times that statement 0123456789 2026-11-19 stands in the file"]


def test_a_file_may_follow_a_file() -> None:
    other = file(account(CREDIT, DEBIT), group="02,LEDGER,021000021,1,261120,2359,USD,2/")
    found = read_all(read, file(account(CREDIT, DEBIT)) + other)
    assert [row.statement for row in found.rows] == ["0123456789 2026-11-19"] * 2 + ["0123456789 2026-11-20"] * 2
    assert not found.broken


VALID = file(account(CREDIT, DEBIT))


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("", "no record 01", 0),
        ("<Document/>", "does not begin with a record 01", 1),
        (VALID.replace(",2/\n", ",3/\n", 1), "version “3”", 1),
        (VALID.partition("99,")[0], "ends before its record 99", 7),
        (VALID.partition("98,")[0] + "99,26000,1,8/", "before its groups have ended", 7),
        (VALID.replace("49,26000,4/\n", ""), "a record 98 comes where no group can end", 6),
        (VALID.replace("49,26000,4/", "49,26.00,4/"), "the trailer 49 cannot be read", 6),
        (VALID.replace("261119", "261399"), "the group is of no day", 2),
        (HEAD + CREDIT, "outside of an account", 2),
        (HEAD + "03,1,USD,,,,/", "where no account can begin", 2),
        (HEAD + "49,1,1/", "where no account has begun", 2),
        (HEAD + HEAD, "a second record 01", 2),
        (VALID.replace("49,", "02,LEDGER,021000021,1,261119,2359,USD,2/\n49,"), "a record 02", 6),
        (HEAD + "88," + "x" * 900_000 + "\n88," + "x" * 900_000, "too long", 3),
    ],
)
def test_what_is_not_bai2_is_refused_with_its_line(text: str, reason: str, line: int) -> None:
    with pytest.raises(FileRefused) as refusal:
        read_all(read, text)
    assert reason in refusal.value.reason
    assert refusal.value.line == line


def test_card_numbers_do_not_enter_and_references_keep_their_digits() -> None:
    number = "4111111111111111"
    row = only(f"16,165,2500,Z,{number},{number},card {number}/")
    assert (row.external_id, row.our_reference, row.text) == (number, number, "card …1111")
    assert row.raw["text"] == "card …1111"
    (rejected,) = seen(f"16,165,25.00,Z,,,card {number}/").rejected
    assert number not in rejected.raw


@given(damaged([VALID.encode()]))
def test_whatever_the_bytes_are_nothing_but_a_refusal_leaves(data: bytes) -> None:
    try:
        for row in read_all(read, data).rows:
            assert row.gross - row.fee == row.net
    except FileRefused:
        pass
