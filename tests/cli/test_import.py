"""`ledger import`: each row once, whatever happens; each rejected row by its line."""

import json
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from commands.accounts import OpenAccount
from ledger.events.transfers import TransferPosted
from ledger.store.connection import Database, in_book
from tests.cli import word
from tests.cli.transfer_files import account, transfers, write_csv, write_json_lines
from tests.writing import Turnover, check_books, part, pen, stored_balances

ACCOUNTS = 20
HEADER = "debit_account,credit_account,amount,currency"
GOOD = "acc:1,acc:2,5,EUR"
GOOD_JSON = '{"debit_account":"acc:1","credit_account":"acc:2","amount":5,"currency":"EUR"}'


class Books:
    """Books with the same accounts, and what an import into one of them says."""

    def __init__(self, database: Database, make_book: Callable[[], str], folder: Path) -> None:
        self._database, self._make_book = database, make_book
        self.folder = folder
        self.environment = {"DATABASE_URL": database.conninfo, "LEDGER_STATE": str(folder / "state")}

    def open(self) -> str:
        book = self._make_book()
        with pen(self._database, book) as held:
            commands = [OpenAccount(account(number), "A", "liability", "EUR") for number in range(ACCOUNTS)]
            commands.append(OpenAccount("thrifty", "T", "liability", "EUR", min_balance=0))
            assert all(answer.refusal is None for answer in held.submit([part(c) for c in commands])())
        return book

    def file(self, name: str, *lines: str | bytes, end: bytes = b"\n") -> Path:
        file = self.folder / name
        file.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + end for line in lines))
        return file

    def bring(self, file: Path, book: str, *words: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Import; the summary and the rejections."""
        rejected = self.folder / "rejected.jsonl"
        words = ("import", file, "--book", book, "--rejected", rejected, *words)
        summary = word.answer(*words, **self.environment)
        found = [json.loads(line) for line in rejected.read_text().splitlines()]
        assert len(found) == summary["rejected"]
        return summary, found

    def refused(self, file: Path, book: str, *words: str | Path) -> str:
        """Import what cannot be read; the complaint."""
        done = word.run("import", file, "--book", book, *words, **self.environment)
        assert done.returncode == 2, done
        assert done.stdout == ""
        return done.stderr

    def check(self, book: str) -> Turnover:
        """The balances, after all that has to hold of them was looked at."""
        with self._database.connect() as connection:
            check_books(connection, book)
            return stored_balances(connection, book)


@pytest.fixture
def books(database: Database, make_book: Callable[[], str], tmp_path: Path) -> Books:
    return Books(database, make_book, tmp_path)


SPOILT: list[dict[str, Any]] = [{"amount": -1}, {"currency": "EURO"}, {"credit_account": "nobody"}]


def test_good_rows_are_posted_once_and_bad_ones_are_named_by_their_lines(books: Books) -> None:
    """3,000 rows, every 100th of them bad in one of three ways, as CSV and as JSON lines, each twice."""
    rows = list(transfers(3_000, ACCOUNTS))
    for number in range(0, 3_000, 100):
        rows[number] |= SPOILT[number // 100 % 3]
    write_csv(books.folder / "rows.csv", rows)
    write_json_lines(books.folder / "rows.jsonl", rows)
    codes = ["amount_not_positive", "currency_unknown", "account_unknown"]
    balances = []
    for file, first_line in ((books.folder / "rows.csv", 2), (books.folder / "rows.jsonl", 1)):
        book = books.open()
        once, rejected = books.bring(file, book)
        assert (once["rows"], once["created"], once["replayed"], once["rejected"]) == (3_000, 2_970, 0, 30)
        expected = [(number + first_line, codes[number // 100 % 3]) for number in range(0, 3_000, 100)]
        assert [(one["line"], one["code"]) for one in rejected] == expected
        after_once = books.check(book)
        twice, rejected_again = books.bring(file, book)
        assert (twice["rows"], twice["created"], twice["replayed"], twice["rejected"]) == (3_000, 0, 2_970, 30)
        assert rejected_again == rejected
        assert books.check(book) == after_once
        balances.append(after_once)
    assert balances[0] == balances[1]


def test_an_import_that_is_killed_goes_on_where_it_stopped(books: Books, database: Database) -> None:
    file = books.folder / "rows.csv"
    write_csv(file, transfers(20_000, ACCOUNTS))
    undisturbed, killed = books.open(), books.open()
    books.bring(file, undisturbed)
    for share in (3_000, 9_000):
        process = word.start("import", file, "--book", killed, **books.environment)
        with database.connect() as connection:
            until = time.monotonic() + 60
            while position(connection, killed) < share:
                assert time.monotonic() < until
                assert process.poll() is None, "it was over before it could be killed"
                time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with database.connect() as connection:
        assert position(connection, killed) < 20_000
    summary, _ = books.bring(file, killed)
    assert summary["replayed"] >= 8_000
    assert summary["created"] + summary["replayed"] == summary["rows"] == 20_000
    assert books.check(killed) == books.check(undisturbed)


def position(connection: Connection, book: str) -> int:
    row = connection.execute(in_book("SELECT position FROM {schema}.log_head", book)).fetchone()
    assert row is not None
    return int(row[0])


LONG = "x" * 501
MORE_COLUMNS = HEADER + ",effective_at,description,idempotency_key,metadata.a"
COLUMNS = 8
BAD_CSV: list[tuple[str | bytes, str]] = [
    ("acc:1,acc:2,1.50,EUR", "amount_type"),
    ("acc:1,acc:2,1e3,EUR", "amount_type"),
    ("acc:1,acc:2, 5,EUR", "amount_type"),
    ("acc:1,acc:2,+5,EUR", "amount_type"),
    ('acc:1,acc:2,"1,000",EUR', "amount_type"),
    ("acc:1,acc:2,-5,EUR", "amount_not_positive"),
    ("acc:1,acc:2,0,EUR", "amount_not_positive"),
    ("acc:1,acc:2,9223372036854775808,EUR", "json_integer_too_large"),
    ("acc:1,acc:2,99999999999999999999,EUR", "amount_type"),
    ("acc:1,acc:2,,EUR", "field_missing"),
    (",acc:2,5,EUR", "field_missing"),
    ("acc:1,acc:2,5,eur", "currency_unknown"),
    ("acc:1,acc:2,5,USD", "currency_mismatch"),
    ("acc:1,acc:1,5,EUR", "same_account"),
    ("acc:1,nobody,5,EUR", "account_unknown"),
    ("thrifty,acc:1,5,EUR", "insufficient_funds"),
    ("acc:1,ACC:2,5,EUR", "account_code_invalid"),
    ("acc:1,acc:2,5,EUR,2999-01-01T00:00:00Z", "effective_date_in_future"),
    ("acc:1,acc:2,5,EUR,2026-01-01", "timestamp_format"),
    (f"acc:1,acc:2,5,EUR,,{LONG}", "too_long"),
    ("acc:1,acc:2,5,EUR,,zero\u200bwidth", "text_forbidden_character"),
    ('acc:1,acc:2,5,EUR,,"two\nlines"', "text_forbidden_character"),
    ("acc:1,acc:2,5,EUR,,4111 1111 1111 1111", "pan_not_allowed"),
    (b"acc:1,acc:2,5,EUR,,caf\xe9", "row_not_utf8"),
    ("acc:1,acc:2,5,EUR,,,,,", "row_malformed"),
    ("acc:1,acc:2,5", "row_malformed"),
    ('"acc:1"x,acc:2,5,EUR', "row_malformed"),
    ("x" * 300_000, "row_too_long"),
    ("acc:1,acc:2,5,EUR,,,has space", "idempotency_key_invalid"),
]


def test_each_bad_row_of_a_csv_file_is_rejected_with_its_code_and_disturbs_no_other(books: Books) -> None:
    """Good rows stand between the bad ones; a line break within quotes counts as a line."""
    lines: list[str | bytes] = [MORE_COLUMNS]
    expected, line = [], 2
    for bad, code in BAD_CSV:
        row = bad if isinstance(bad, bytes) else bad.encode()
        whole = row if code == "row_malformed" else row + b"," * (COLUMNS - 1 - commas(row))
        lines += [whole, GOOD + ",,,,"]
        expected.append((line, code))
        line += 2 + whole.count(b"\n")
    book = books.open()
    summary, rejected = books.bring(books.file("bad.csv", *lines), book)
    assert [(one["line"], one["code"]) for one in rejected] == expected
    assert summary["created"] == len(BAD_CSV)
    assert books.check(book)["acc:1"] == (5 * len(BAD_CSV), 0, 0, 0)


def commas(row: bytes) -> int:
    """Those outside of quotes."""
    return b"".join(row.split(b'"')[::2]).count(b",")


BAD_JSON: list[tuple[str | bytes, str]] = [
    ("{", "json_malformed"),
    ("[]", "body_type"),
    ("7", "body_type"),
    (GOOD_JSON + GOOD_JSON, "json_malformed"),
    (GOOD_JSON.replace("5", "5.0"), "json_fractional_number"),
    (GOOD_JSON.replace("5", '"5"'), "amount_type"),
    (GOOD_JSON.replace("}", ',"amount":6}'), "json_duplicate_key"),
    (GOOD_JSON.replace("}", ',"colour":"red"}'), "unknown_field"),
    (GOOD_JSON.replace("}", ',"dry_run":true}'), "field_invalid"),
    (GOOD_JSON.replace("}", ',"metadata":{"cvv":"123"}}'), "sensitive_field_not_allowed"),
    (GOOD_JSON.replace("}", ',"pending":{},"effective_at":"2026-01-01T00:00:00Z"}'), "field_invalid"),
    (GOOD_JSON.encode() + b"\xff", "json_not_utf8"),
    ("x" * 300_000, "row_too_long"),
]


def test_each_bad_line_of_json_is_rejected_with_its_code_and_disturbs_no_other(books: Books) -> None:
    lines: list[str | bytes] = [GOOD_JSON]
    for bad, _ in BAD_JSON:
        lines += [bad, "", GOOD_JSON]
    book = books.open()
    summary, rejected = books.bring(books.file("bad.jsonl", *lines), book)
    assert [one["code"] for one in rejected] == [code for _, code in BAD_JSON]
    assert [one["line"] for one in rejected] == [2 + 3 * number for number in range(len(BAD_JSON))]
    assert summary["created"] == 1 + len(BAD_JSON)
    assert books.check(book)["acc:1"] == (5 * (1 + len(BAD_JSON)), 0, 0, 0)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_windows_files_are_read_like_any_other(books: Books, end: bytes, mark: bytes) -> None:
    for name, lines in (("a.csv", [HEADER, GOOD, "", ",,,", GOOD]), ("a.jsonl", [GOOD_JSON, "", GOOD_JSON])):
        book = books.open()
        file = books.file(name, mark + lines[0].encode(), *lines[1:], end=end)
        assert books.bring(file, book)[0]["created"] == 2


def test_a_row_may_be_a_hold_and_may_carry_all_that_a_transfer_carries(books: Books, database: Database) -> None:
    book = books.open()
    hold = GOOD_JSON.replace("}", ',"pending":{"expires_at":"2999-01-01T00:00:00Z"}}')
    books.bring(books.file("hold.jsonl", hold), book)
    assert books.check(book)["acc:1"] == (0, 0, 5, 0)
    row = GOOD + ',2026-01-01T00:00:00+01:00,ref-1,"So, so",k-1,7,'
    columns = HEADER + ",effective_at,reference,description,idempotency_key,metadata.order,metadata.empty"
    books.bring(books.file("all.csv", columns, row), book)
    with database.connect() as connection:
        *_, posted = check_books(connection, book)
    effect = datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert posted.event == TransferPosted("acc:1", "acc:2", 5, "EUR", effect, "ref-1", "So, so", {"order": "7"})
    assert posted.metadata.key == "k-1"
    assert posted.metadata.actor == "cli:import"


def test_a_file_is_known_by_its_content_and_not_by_its_name(books: Books) -> None:
    book = books.open()
    books.bring(books.file("a.csv", HEADER, GOOD, GOOD), book)
    same, _ = books.bring(books.file("b.csv", HEADER, GOOD, GOOD), book)
    assert (same["created"], same["replayed"]) == (0, 2)
    other, _ = books.bring(books.file("a.csv", HEADER, GOOD, GOOD, GOOD), book)
    assert (other["created"], other["replayed"]) == (3, 0)
    assert books.check(book)["acc:1"] == (25, 0, 0, 0)


def test_a_rows_own_key_counts_in_every_file(books: Books) -> None:
    book = books.open()
    header = HEADER + ",idempotency_key"
    first, _ = books.bring(books.file("a.csv", header, GOOD + ",k-1", GOOD + ",k-1", GOOD + ",k-2"), book)
    assert (first["created"], first["replayed"]) == (2, 1)
    other, rejected = books.bring(books.file("b.csv", header, GOOD + ",k-2", "acc:1,acc:2,6,EUR,k-1"), book)
    assert (other["created"], other["replayed"], other["rejected"]) == (0, 1, 1)
    assert [(one["line"], one["code"]) for one in rejected] == [(3, "idempotency_key_reused")]


def test_a_rejected_row_stays_rejected_until_it_is_asked_for_anew(books: Books, database: Database) -> None:
    """A second run changes nothing, whatever has come to pass meanwhile; --retry-rejected decides again, once."""
    book = books.open()
    file = books.file("a.csv", HEADER, GOOD, "acc:1,late,7,EUR")
    assert books.bring(file, book)[0]["rejected"] == 1
    assert books.bring(file, book, "--retry-rejected")[0]["rejected"] == 1
    with pen(database, book) as held:
        held.do(OpenAccount("late", "L", "liability", "EUR"))
    assert books.bring(file, book)[0]["rejected"] == 1
    again, _ = books.bring(file, book, "--retry-rejected")
    assert (again["created"], again["replayed"], again["rejected"]) == (1, 1, 0)
    for _ in range(2):
        again, _ = books.bring(file, book, "--retry-rejected")
        assert (again["created"], again["replayed"], again["rejected"]) == (0, 2, 0)
    assert books.check(book)["late"] == (0, 7, 0, 0)


def test_a_dry_run_looks_at_the_rows_without_a_database(books: Books) -> None:
    file = books.file("a.csv", HEADER, GOOD, "acc:1,acc:2,x,EUR", "acc:1,nobody,5,EUR")
    books.environment["DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/none"
    summary, rejected = books.bring(file, "any", "--dry-run")
    assert (summary["rows"], summary["valid"], summary["created"], summary["rejected"]) == (3, 2, 0, 1)
    assert rejected[0]["errors"] == [
        {"pointer": "/amount", "code": "amount_type", "detail": rejected[0]["detail"]},
    ]


UNREADABLE = [
    ("a.csv", [], "it is empty"),
    ("a.csv", [HEADER + ",colour", GOOD + ",red"], "colour"),
    ("a.csv", [HEADER.replace(",", ";"), GOOD.replace(",", ";")], "separated by commas"),
    ("a.csv", [HEADER + ",amount", GOOD + ",5"], "amount more than once"),
    ("a.csv", ["debit_account,amount", "acc:1,5"], "lacks credit_account, currency"),
    ("a.csv", [HEADER + ",metadata.", GOOD + ",x"], "metadata."),
    ("a.csv", [HEADER.encode("utf-16")], "header"),
    ("a.csv", [HEADER, GOOD, 'acc:1,acc:2,5,"EUR', GOOD, GOOD], "a quote on line 3 is not closed"),
    ("a.csv", [HEADER, GOOD, '"' + "x" * 300_000, GOOD], "a quote on line 3 is not closed"),
    ("a.jsonl", ["", "[" + GOOD_JSON + ",", GOOD_JSON + "]"], "array"),
]


@pytest.mark.parametrize(("name", "lines", "complaint"), UNREADABLE)
def test_of_a_file_that_makes_no_sense_nothing_is_imported(
    books: Books, name: str, lines: list[str | bytes], complaint: str
) -> None:
    book = books.open()
    assert complaint in books.refused(books.file(name, *lines), book)
    assert books.check(book)["acc:1"] == (0, 0, 0, 0)


def test_what_cannot_be_opened_and_books_that_are_not_there_are_told(books: Books) -> None:
    book = books.open()
    assert "nowhere.csv" in books.refused(books.folder / "nowhere.csv", book)
    assert "cannot be read" in books.refused(books.folder, book)
    good = books.file("good.csv", HEADER, GOOD)
    assert "there is no book nobodys" in books.refused(good, "nobodys")
    assert "written over" in books.refused(good, book, "--rejected", good)
    assert "cannot be written" in books.refused(good, book, "--rejected", books.folder / "nowhere" / "r.jsonl")
    assert good.read_text() == f"{HEADER}\n{GOOD}\n"
    assert "csv or jsonl" in books.refused(good, book, "--format", "xml")


def test_the_first_rejections_are_shown_and_the_rest_is_not(books: Books) -> None:
    file = books.file("a.data", HEADER, *["acc:1,acc:2,x,EUR"] * 30)
    done = word.run("import", file, "--book", books.open(), **books.environment)
    assert done.returncode == 0
    shown = [line for line in done.stderr.splitlines() if line.startswith("line ")]
    assert [line.split(":")[0] for line in shown] == [f"line {number}" for number in range(2, 22)]
    assert "--rejected FILE keeps all" in done.stderr
    assert "30 rejected" in done.stdout
