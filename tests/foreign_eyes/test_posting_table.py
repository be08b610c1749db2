"""The posting table: what Parquet says of a book adds up to the book, to the last unit."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ledger.audit.plain_text import AccountLine, EntryLine, Journal
from ledger.audit.posting_table import PostingTable
from ledger.currencies import ASSETS
from ledger.journal import credit, debit
from ledger.posting_rules import effective_at, entry_for
from projections.trial_balance import trial_balance
from tests.cli import word
from tests.foreign_eyes.conftest import Kept
from tests.writing import read_log

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)


def test_a_table_adds_up_to_the_trial_balance(small: Kept) -> None:
    file, said = small.exported("parquet")
    rows = pq.read_table(file).to_pylist()
    books = small.reader.ask(trial_balance)
    turnover: Counter[tuple[str, str]] = Counter()
    for row in rows:
        turnover[row["account"], row["direction"]] += row["amount"]
        assert row["amount_decimal"] == Decimal(row["amount"]).scaleb(-ASSETS[row["currency"]].exponent)
    assert turnover == Counter(
        {
            (row.account, side): amount
            for row in books.accounts
            for side, amount in (("debit", row.debits), ("credit", row.credits))
            if amount
        }
    )
    assert {row["account"]: row["kind"] for row in rows}.items() <= {r.account: r.kind for r in books.accounts}.items()
    about = json.loads(pq.read_metadata(file).metadata[b"ledger"])
    assert about == {
        "book": small.book,
        "known_at": books.position,
        "from": None,
        "to": None,
        "entries": said["entries"],
        "currencies": {
            unit: {"debits": str(totals.debits), "credits": str(totals.credits)}
            for unit, totals in books.currencies.items()
        },
    }


def test_each_row_is_a_posting_of_the_log(small: Kept) -> None:
    rows = pq.read_table(small.export("parquet")).to_pylist()
    with small.database.connect() as connection:
        log = {fact.position: fact for fact in read_log(connection, small.book)}
    assert len(rows) == sum(len(entry.postings) for fact in log.values() if (entry := entry_for(fact.event)))
    for row in rows:
        fact = log[row["position"]]
        entry = entry_for(fact.event)
        assert entry is not None
        posting = entry.postings[row["leg"]]
        assert (row["account"], row["currency"]) == (posting.account, posting.currency)
        assert (row["direction"], row["amount"]) == (posting.direction.value, posting.amount)
        assert (row["entry_id"], row["stream"], row["topic"]) == (fact.entry_id, fact.stream, fact.event.topic)
        assert (row["recorded_at"], row["effective_at"]) == (
            fact.recorded_at,
            effective_at(fact.event, fact.recorded_at),
        )


def test_a_large_table_leaves_piece_by_piece_and_is_whole() -> None:
    count, at_once = 25_000, 500
    about = Journal("shop", count, None, None, NOON.date())
    table, accounts = PostingTable(about), [AccountLine(name, "asset", "JPY", name, NOON) for name in ("a", "b")]
    pieces = [*table.begin(accounts, {})]
    pages = ([entry(begin + number) for number in range(at_once)] for begin in range(0, count, at_once))
    pieces += map(table.entries, pages)
    before_the_end = sum(map(len, pieces))
    pieces += table.close({})
    whole = b"".join(pieces)
    found = pq.ParquetFile(BytesIO(whole))
    assert found.metadata.num_rows == 2 * count
    assert found.metadata.num_row_groups == 3
    assert before_the_end > len(whole) / 2
    assert found.read(["position"]).column(0).to_pylist() == [number for number in range(count) for _ in range(2)]


def entry(number: int) -> EntryLine:
    postings = (debit("a", 2**63 - 1, "JPY"), credit("b", 2**63 - 1, "JPY"))
    return EntryLine(number, f"ent_{number}", "ent", "entries.posted.v1", NOON, NOON, postings)


def test_who_writes_no_table_does_not_load_what_writes_them() -> None:
    """It is a quarter of a process's memory: one module has it, and nobody has that module before it is asked for."""
    root = Path(__file__).parents[2]
    program = [file for part in ("ledger", "commands", "projections", "api") for file in (root / part).rglob("*.py")]
    hosts = {file.name for file in program if "pyarrow" in re.findall(r"^\s*import (\w+)", file.read_text(), re.M)}
    assert hosts == {"posting_table.py"}
    at_once = {file.name for file in program if re.search(r"^(from|import) .*posting_table", file.read_text(), re.M)}
    assert at_once == set()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--format", "ledger"), 2, "hledger, beancount or parquet"),
        (("--format", "hledger", "--from", "March"), 2, "a day"),
        (("--format", "hledger", "--from", "2026-03-02", "--until", "2026-03-02"), 2, "before --from"),
        (("--format", "hledger", "--known-at", "99999999"), 1, "position_not_reached"),
        (("--format", "hledger", "--book", "nobodys"), 2, "no book"),
    ],
)
def test_what_cannot_be_exported_is_said_and_leaves_no_file(
    small: Kept, options: tuple[str, ...], code: int, words: str
) -> None:
    file = small.folder / "not"
    book = () if "--book" in options else ("--book", small.book)
    done = word.run("export-journal", "--to", file, *book, *options, **small.environment)
    assert done.returncode == code, done.stderr
    assert words in " ".join(done.stderr.replace("│", " ").split())
    assert not list(small.folder.glob("not*"))


def test_a_file_that_cannot_be_written_is_said(small: Kept) -> None:
    file = small.folder / "nowhere" / "file"
    words = ("export-journal", "--to", file, "--book", small.book, "--format", "hledger")
    done = word.run(*words, **small.environment)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
