"""An import outlives a database that dies under it, and ends with a sentence where that stays away."""

import os
import signal
import time
from pathlib import Path

import pytest
from psycopg import Connection, OperationalError

from api.cli import import_batches
from api.cli.import_batches import Importer
from api.cli.import_rows import Row
from commands.accounts import OpenAccount
from commands.deciders import DECIDERS
from commands.handler import Handler
from commands.writer import Writers
from ledger.errors import Unavailable
from ledger.store.append import Appender
from ledger.store.connection import Database, in_book
from ledger.store.embedded import Embedded
from tests.cli import word
from tests.cli.transfer_files import account, transfers, write_csv
from tests.faults.conftest import BOOK
from tests.writing import check_books, part, pen

ROWS = 20_000
ACCOUNTS = 10


def position(database: Database) -> int:
    try:
        with database.connect() as connection:
            row = connection.execute(in_book("SELECT position FROM {schema}.log_head", BOOK)).fetchone()
    except OperationalError:
        return 0
    return 0 if row is None else int(row[0])


def test_a_killed_database_neither_loses_nor_doubles_a_row(
    victim: Embedded, victims_database: Database, tmp_path: Path
) -> None:
    with pen(victims_database, BOOK) as held:
        opened = [part(OpenAccount(account(number), "A", "liability", "EUR")) for number in range(ACCOUNTS)]
        assert all(answer.refusal is None for answer in held.submit(opened)())
    file = tmp_path / "rows.csv"
    write_csv(file, transfers(ROWS, ACCOUNTS))
    environment = {"DATABASE_URL": victim.url, "LEDGER_STATE": str(tmp_path / "state")}
    process = word.start("import", file, "--book", BOOK, "--json", **environment)
    for share in (3_000, 9_000):
        until = time.monotonic() + 60
        while position(victims_database) < share:
            assert time.monotonic() < until
            assert process.poll() is None, "it was over before the database died"
        pid = victim.postmaster_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        time.sleep(1)
        victim.ensure_running()
    said, complained = process.communicate(timeout=word.PATIENCE_S)
    assert process.returncode == 0, complained
    assert f'"rows":{ROWS},' in said
    assert '"rejected":0,' in said
    with Connection.connect(victim.url) as connection:
        assert len(check_books(connection, BOOK)) == ACCOUNTS + ROWS


def test_a_database_that_stays_away_ends_the_import_with_a_sentence(
    victim: Embedded, victims_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_batches, "_PATIENCE_S", 0.5)
    writers = Writers(lambda book: Handler(Appender(victims_database, book), DECIDERS))
    row = b'{"debit_account":"acc:1","credit_account":"acc:2","amount":1,"currency":"EUR"}'
    victim.stop()
    with pytest.raises(Unavailable):
        list(Importer(writers, BOOK, "0" * 64).run(Row(line, row) for line in range(1, 5_000)))
    victim.ensure_running()
    writers.stop()
