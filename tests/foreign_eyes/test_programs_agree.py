"""Programs agree: hledger and beancount read a book of all kinds, come to our balances, and refuse what was touched."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commands.accounts import OpenAccount
from commands.transfers import PostTransfer
from ledger.accounts import Kind
from ledger.audit.plain_text import account_named, moment
from ledger.chart import Code
from ledger.currencies import ASSETS
from ledger.events.transfers import TransferPosted
from ledger.ids import ENTRY, new_id
from ledger.posting_rules import entry_for
from ledger.store.connection import Database
from projections.trial_balance import TrialBalance, trial_balance
from tests.foreign_eyes.book_of_all_kinds import DESCRIPTIONS
from tests.foreign_eyes.conftest import Kept
from tests.foreign_eyes.programs import PROGRAMS, Program, hledger, query
from tests.projections.reading import Reader, catch_up
from tests.writing import pen, read_log

each_program = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)


def in_minor_units(program: Program, journal: Path) -> dict[str, int]:
    """What the program says that each account comes to, by our own id; accounts at zero are left out."""
    found = {}
    for name, balance in program.balances(journal).items():
        _, account, currency = account_named(name)
        assert account not in found
        units = balance.scaleb(ASSETS[currency].exponent)
        assert units == int(units), f"{name} has half a unit"
        found[account] = int(units)
    return {account: units for account, units in found.items() if units}


def of_the_books(found: TrialBalance) -> dict[str, int]:
    return {row.account: row.debits - row.credits for row in found.accounts if row.debits != row.credits}


# --- agreement


@each_program
def test_a_book_of_more_than_ten_thousand_entries_of_all_kinds(large: Kept, program: Program) -> None:
    journal, said = large.exported(program.name)
    books = large.reader.ask(trial_balance)
    assert program.refusal(journal) == ""
    assert in_minor_units(program, journal) == of_the_books(books)
    assert (said["position"], said["behind"], said["accounts"]) == (books.position, 0, len(books.accounts))
    assert said["entries"] >= 10_000
    assert not any(totals.difference for totals in books.currencies.values())


def test_the_book_has_something_of_everything(large: Kept) -> None:
    """Else the agreement could be about nothing."""
    rows = [row for row in large.reader.ask(trial_balance).accounts if row.debits]
    codes = {row.account.split(":")[1] for row in rows if row.account.startswith("sys:")}
    assert codes >= {
        code.number
        for code in (
            Code.CHANNEL_RECEIVABLE,
            Code.CHANNEL_FEE,
            Code.REFUND_IN_TRANSIT,
            Code.DISPUTE_RECEIVABLE,
            Code.MERCHANT_DISPUTE_HOLD,
            Code.FX_POSITION,
            Code.FX_LOSS,
            Code.COIN_CUSTODY,
            Code.PAYOUT_IN_TRANSIT,
            Code.MERCHANT_AVAILABLE,
            Code.AUTHORIZED,
        )
    }
    assert {row.kind for row in rows} == {kind.value for kind in Kind}
    assert {ASSETS[row.currency].exponent for row in rows} == {0, 2, 3, 6, 8}


@each_program
def test_memo_accounts_balance_among_themselves(small: Kept, program: Program) -> None:
    balances = program.balances(small.export(program.name))
    memo = [balance for name, balance in balances.items() if name.startswith("Equity:Off-Balance:")]
    assert any(memo)
    assert sum(memo) == 0


# --- what is said of entries


def test_each_entry_is_told_with_its_place_its_id_and_its_words(small: Kept) -> None:
    with small.database.connect() as connection:
        log = read_log(connection, small.book)
    expected = {fact.position: fact for fact in log if entry_for(fact.event) is not None}
    journal = small.export("beancount")
    keys = ", ".join(
        f"entry_meta('{key}')" for key in ("position", "entry", "stream", "topic", "recorded-at", "reference")
    )
    found = query(journal, f"SELECT DISTINCT narration, {keys} WHERE entry_meta('position') > 0")
    assert len(found) == len(expected)
    said = set()
    for narration, position, entry, stream, topic, recorded_at, reference in found:
        fact = expected[int(position)]
        assert (entry, stream, topic) == (fact.entry_id, fact.stream, fact.event.topic)
        assert recorded_at == moment(fact.recorded_at)
        if isinstance(fact.event, TransferPosted):
            assert (narration, reference) == ((fact.event.description or "").strip(), fact.event.reference or "")
            said.add(fact.event.description)
    assert said == set(DESCRIPTIONS)


def test_hledger_knows_as_many_entries_and_no_tags_but_ours(small: Kept) -> None:
    journal = small.export("hledger")
    with small.database.connect() as connection:
        positions = {str(fact.position) for fact in read_log(connection, small.book) if entry_for(fact.event)}
    told = hledger(journal, "print", "-O", "json")
    transactions = msgspec.json.decode(told, type=list[dict[str, Any]])
    assert {one["tcode"] for one in transactions if one["tcode"]} == positions
    tags = {name for one in transactions for name, _ in one["ttags"]}
    assert tags == {"entry", "stream", "topic", "effective-at", "recorded-at", "reference"}
    assert {name for one in transactions for posting in one["tpostings"] for name, _ in posting["ptags"]} <= tags | {
        "id",
        "type",
        "name",
        "opened-at",
    }


# --- ranges and what was known

MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=20)


@each_program
def test_a_range_carries_its_opening_balances_and_ends_with_its_closing_ones(small: Kept, program: Program) -> None:
    first, last = MIDNIGHT, MIDNIGHT + timedelta(days=7, hours=5)
    whole = small.exported(program.name)[1]["entries"]
    counted = 0
    for name, begin, end in (("before", None, first), ("range", first, last), ("after", last, None)):
        options = ["--from", moment(begin)] if begin else []
        options += ["--until", moment(end)] if end else []
        journal, said = small.exported(program.name, name, *options)
        assert program.refusal(journal) == ""
        as_of = end - timedelta(microseconds=1) if end else None
        assert in_minor_units(program, journal) == of_the_books(small.reader.ask(trial_balance, as_of=as_of))
        assert said["entries"] > 0
        counted += said["entries"]
    assert counted == whole


def test_a_range_may_be_given_in_days(small: Kept) -> None:
    day = MIDNIGHT.date()
    by_day = small.export("hledger", "days", "--from", f"{day}", "--until", f"{day + timedelta(days=7)}")
    by_time = small.export(
        "hledger", "times", "--from", moment(MIDNIGHT), "--until", moment(MIDNIGHT + timedelta(days=7))
    )
    assert by_day.read_bytes() == by_time.read_bytes()


def test_what_was_known_is_told_the_same_ever_after(keep: Callable[[int, int], Kept]) -> None:
    kept = keep(60, 20)
    formats = ("hledger", "beancount", "parquet")
    then = {format_: kept.export(format_, "then").read_bytes() for format_ in formats}
    known = kept.reader.ask(trial_balance).position
    with pen(kept.database, kept.book) as held:
        held.do(OpenAccount("later", "Later", "asset", "EUR"))
        held.do(PostTransfer(new_id(ENTRY), "later", "customer", 7, "EUR", MIDNIGHT))
    # The view has not seen it: that is said, and nothing is told by halves.
    behind, said = kept.exported("hledger", "behind")
    assert (said["position"], said["behind"], behind.read_bytes()) == (known, 2, then["hledger"])
    catch_up(kept.database, kept.book)
    for format_ in formats:
        assert kept.export(format_, "again", "--known-at", str(known)).read_bytes() == then[format_]
        assert kept.export(format_, "now").read_bytes() != then[format_]


@each_program
def test_a_book_of_nothing_is_told_too(
    database: Database, book: str, reader: Reader, program: Program, tmp_path: Path
) -> None:
    kept = Kept(book, reader, database, tmp_path)
    assert program.refusal(kept.export(program.name)) == ""
    assert program.refusal(kept.export(program.name, "range", "--from", "2026-01-01")) == ""
