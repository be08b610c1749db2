"""`ledger reconcile`: a file comes in, is held against the books by a worker, and what it came to is told truly."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection, errors

from api.cli.reconciling import SOURCES_IN_WORDS
from commands.report_files.sources import SOURCES
from ledger.store.connection import Database
from ledger.store.migrate import application_role, migrate_control
from ledger.store.schema import schema_of
from tests.cli import word
from tests.cli.test_import import position
from tests.journeys.service import CHANNEL, Service
from tests.journeys.test_reconciliation_scenarios import Desk, credit
from tests.journeys.test_report_file_scenarios import line, report


def today() -> date:
    """Asked anew each time: tests may run past midnight."""
    return datetime.now(UTC).date()


# Older than anything waits for.
OLD = b"2026-01-05"


@pytest.fixture(scope="module")
def service(make_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """All processes, on a database of their own: their worker would serve everybody else's books too."""
    try:
        url = make_database()
    except errors.InsufficientPrivilege:
        pytest.skip("the user of DATABASE_URL may not make databases")
    with Connection.connect(url, autocommit=True) as connection:
        migrate_control(connection)
        database = Database(url, role=application_role(connection))
    with Service(database, Path(tmp_path_factory.mktemp("service")), servers=1) as running:
        yield running


class Reconciled:
    """What the word says of a file, on a database."""

    def __init__(self, database: Database, folder: Path, book: str) -> None:
        self.folder, self.book = folder, book
        self.environment = {"DATABASE_URL": database.conninfo, "LEDGER_STATE": str(folder / "state"), "COLUMNS": "200"}

    def file(self, name: str, content: bytes) -> Path:
        file = self.folder / name
        file.write_bytes(content)
        return file

    def run(self, file: Path, source: str, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        asked: tuple[str | Path, ...] = ("reconcile", file, "--source", source, "--book", self.book, *words)
        done = word.run(*asked, **self.environment)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done

    def summary(self, file: Path, source: str, *words: str, status: int = 0) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.run(file, source, "--json", *words, status=status).stdout)
        assert told["agrees"] == (status == 0)
        return told


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


@pytest.fixture
def word_of(service: Service, desk: Desk, tmp_path: Path) -> Reconciled:
    """The word beside a service with its worker, in the desk's book."""
    return Reconciled(service.database, tmp_path, desk.book)


@pytest.fixture
def alone(database: Database, book: str, tmp_path: Path) -> Reconciled:
    """The word on a database without a worker."""
    return Reconciled(database, tmp_path, book)


def settlement(desk: Desk, *payments: str) -> bytes:
    table = desk.settlement(*payments)
    out = io.StringIO()
    writer = csv.DictWriter(out, list(table[0]))
    writer.writeheader()
    writer.writerows(table)
    return out.getvalue().encode()


def statement(*lines: str, closing: int) -> bytes:
    day, cents = f"{today():%y%m%d}", f"{closing // 100},{closing % 100:02d}"
    body = "\n".join(lines)
    return f":20:S\n:25:1\n:28C:1/1\n:60F:C{day}EUR0,00\n{body}\n:62F:C{day}EUR{cents}\n-\n".encode()


def test_a_day_that_agrees_ends_with_0_from_the_channel_to_the_bank(desk: Desk, word_of: Reconciled) -> None:
    payments = [desk.pay(10_000), desk.pay(2_500)]
    owed = desk.held("sys:1110:")
    file = word_of.file("day.csv", settlement(desk, *payments))
    told = word_of.summary(file, "channel_csv", "--account", CHANNEL)
    run = told["run"]
    assert (told["status"], told["rows"], told["rejected"], told["duplicates"]) == ("imported", 2, 0, 0)
    assert (run["status"], run["settled"], run["breaks"], run["waiting"]) == ("completed", 2, 0, 0)
    assert sum(run["found_by"].values()) == 2
    assert told["states"] == {"matched": 2}
    bank = word_of.file("bank.sta", statement(credit(owed), closing=owed))
    words = word_of.run(bank, "mt940", "--account", "main").stdout
    assert "Everything agrees." in words
    desk.caller.position = desk.service.head(desk.book)
    assert (desk.held("sys:1110:"), desk.held("sys:1120:"), desk.held("sys:1020:")) == (0, 0, owed)


def test_the_same_file_is_compared_again_and_changes_nothing(desk: Desk, word_of: Reconciled) -> None:
    file = word_of.file("day.csv.gz", gzip.compress(settlement(desk, desk.pay(700))))
    first = word_of.summary(file, "channel_csv", "--account", CHANNEL)
    again = word_of.summary(file, "channel_csv", "--account", CHANNEL)
    assert (first["known_before"], again["known_before"]) == (False, True)
    assert again["file_id"] == first["file_id"]
    assert (first["run"]["settled"], again["run"]["settled"]) == (1, 0)
    assert again["run"]["output_hash"] == first["run"]["output_hash"]
    other = word_of.run(file, "channel_csv", "--account", "another", status=2)
    assert f"said to be about {CHANNEL}" in other.stderr


def test_breaks_rejected_lines_and_duplicates_are_told_and_end_with_1(desk: Desk, word_of: Reconciled) -> None:
    earlier = word_of.file("earlier.csv", report(line("txn_1")).replace(b"2026-11-20", OLD))
    word_of.summary(earlier, "stripe", "--no-run")
    file = word_of.file(
        "later.csv",
        report(line("txn_1"), line("txn_2", net="9.99"), line("txn_3", "4.00", "0", "4")).replace(b"2026-11-20", OLD),
    )
    told = word_of.summary(file, "stripe", status=1)
    assert (told["rows"], told["rejected"], told["duplicates"]) == (2, 1, 1)
    assert [(one["line"], bool(one["reason"])) for one in told["rejected_rows"]] == [(3, True)]
    assert told["run"]["breaks_by_type"] == {"missing_here": 2}
    assert told["run"]["at_risk"]["EUR"] > 0
    shown = word_of.run(file, "stripe", status=1)
    for words in ("missing_here", "value at risk", "The file was there already", "2 × break"):
        assert words in shown.stdout


def test_a_rejected_line_is_shown_with_its_reason_when_it_is_met(alone: Reconciled) -> None:
    file = alone.file("a.csv", report(line("txn_1"), *(line(f"bad_{n}", net="9.99") for n in range(30))))
    done = alone.run(file, "stripe", "--no-run", status=1)
    shown = [told for told in done.stderr.splitlines() if told.startswith("line ")]
    assert [told.split(":")[0] for told in shown] == [f"line {number}" for number in range(3, 23)]
    assert all(told.partition(": ")[2] for told in shown)
    assert "further rejected lines are not shown" in done.stderr


def test_a_total_that_does_not_hold_flags_the_file_and_nothing_of_it_is_compared(alone: Reconciled) -> None:
    file = alone.file("bank.sta", statement(credit(1_000), closing=1_100))
    told = alone.summary(file, "mt940", "--account", "main", status=1)
    assert (told["status"], told["run"]) == ("flagged", None)
    (control,) = [one for one in told["controls"] if not one["holds"]]
    assert (control["stated"], control["counted"], control["currency"]) == (1_100, 1_000, "EUR")
    shown = alone.run(file, "mt940", "--account", "main", status=1).stdout
    assert "11.00 EUR stated, 10.00 EUR counted" in shown
    assert "it is flagged" in shown


def test_without_a_worker_the_file_comes_in_and_a_sentence_says_what_is_missing(alone: Reconciled) -> None:
    file = alone.file("a.csv", report(line("txn_1")))
    taken_in = alone.summary(file, "stripe", "--no-run")
    assert (taken_in["rows"], taken_in["duplicates"], taken_in["run"]) == (1, None, None)
    done = alone.run(file, "stripe", status=2)
    assert done.stdout == ""
    assert "no worker carries it out: start one with `ledger worker`" in done.stderr


def test_what_cannot_be_done_at_all_ends_with_2_and_a_sentence(alone: Reconciled) -> None:
    good = alone.file("good.csv", report(line("txn_1")))
    tries: list[tuple[Path, tuple[str, ...], str]] = [
        (alone.file("no.csv", b"a,b\n1,2\n"), ("stripe",), "cannot be read as stripe"),
        (alone.file("empty.csv", b""), ("adyen",), "cannot be read as adyen"),
        (alone.folder / "nowhere.csv", ("stripe",), "cannot be read: No such file"),
        (alone.folder, ("stripe",), "cannot be read"),
        (good, ("excel",), "there is no source excel"),
        (good, ("mt940",), "say with --account"),
        (good, ("mt940", "--account", "our bank"), "an account is 1 to 64"),
        (good, ("stripe", "--date", "2999-01-01"), "The day is still to come"),
        (good, ("stripe", "--date", "yesterday"), "--date"),
    ]
    for file, (source, *words), complaint in tries:
        done = alone.run(file, source, *words, status=2)
        assert done.stdout == ""
        assert complaint in done.stderr
    nobody = word.run("reconcile", good, "--source", "stripe", "--book", "nobodys", **alone.environment)
    assert (nobody.returncode, nobody.stdout) == (2, "")
    assert "there is no book nobodys" in nobody.stderr
    # What was refused once is refused again, with the same reason.
    assert "cannot be read as stripe" in alone.run(alone.folder / "no.csv", "stripe", status=2).stderr


def test_a_file_may_be_called_anything_on_its_machine(alone: Reconciled) -> None:
    name = b"bill of 4111111111111111 \xff\n.csv"
    file = Path(os.fsdecode(os.fsencode(alone.folder) + b"/" + name))
    file.write_bytes(report(line("txn_1")))
    assert alone.summary(file, "stripe", "--no-run")["file"] == "bill_of_1111_.csv"


def test_an_import_that_is_killed_goes_on_where_it_stopped(alone: Reconciled, database: Database) -> None:
    file = alone.file("long.csv", report(*(line(f"txn_{number}") for number in range(20_000))))
    asked = ("reconcile", file, "--source", "stripe", "--book", alone.book, "--no-run")
    for share in (5, 20):
        process = word.start(*asked, **alone.environment)
        with database.connect() as connection:
            until = time.monotonic() + 60
            while position(connection, alone.book) < share:
                assert time.monotonic() < until
                assert process.poll() is None, "it was over before it could be killed"
                time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with database.connect() as connection:
        assert position(connection, alone.book) < 42
    told = alone.summary(file, "stripe", "--no-run")
    assert (told["status"], told["rows"], told["rejected"], told["known_before"]) == ("imported", 20_000, 0, False)
    with database.connect() as connection:
        # Received, forty pieces of 500 rows, and imported: once each.
        assert position(connection, alone.book) == 42


def test_ctrl_c_while_it_waits_ends_with_a_sentence(alone: Reconciled, database: Database) -> None:
    file = alone.file("a.csv", report(line("txn_1")))
    process = word.start("reconcile", file, "--source", "stripe", "--book", alone.book, **alone.environment)
    # It waits from when it asks how far the views have come, which it does only then.
    asks = f"%{schema_of(alone.book)}%projection_checkpoints%"
    with database.owner() as connection:
        until = time.monotonic() + 60
        while not connection.execute(
            "SELECT FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE %s", (asks,)
        ).fetchall():
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.02)
        assert position(connection, alone.book) == 4  # received, read, imported, and the run is asked for
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=word.PATIENCE_S)
    assert (process.returncode, "run the same command again" in complaint) == (130, True), complaint
    assert "Traceback" not in complaint


def test_the_help_names_every_source() -> None:
    assert set(SOURCES) <= set(SOURCES_IN_WORDS.replace(",", "").replace(";", "").split())
