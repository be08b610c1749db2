"""Views of reconciliation: sums of reports, batches, flows beside the journal, control accounts and safeguarding."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, LiteralString

import pytest

from commands.breaks import OpenBreak
from commands.envelope import Command
from commands.report_imports import FinishReportFile, ReadReportRows, ReceiveReportFile
from commands.settlement_batches import SettleBatchRow, UndoBatchRow
from commands.settlements import UndoSettlement
from commands.wallets import FreezeWallet
from ledger.errors import NotCaughtUp
from ledger.events.breaks import BreakOpened, BreakRow
from ledger.events.settlements import RowPlace
from ledger.report_row import RejectedRow, ReportRow
from ledger.store.connection import Database, in_book
from projections.control_accounts import control_accounts
from projections.rebuild import rebuild
from projections.receivable_flows import receivable_control, receivable_flows
from projections.receivable_items import open_items
from projections.reconciliation_summary import SummaryWanted, reconciliation_summary
from projections.safeguarding import safeguarding
from projections.settlement_batches import NO_BATCH, batch, batch_rows, batches
from tests.commands.dispute_stories import word
from tests.commands.settlement_stories import BATCH, PENDING, by_batch, cleared, line, place
from tests.commands.stories import (
    CHANNEL,
    PAID_BY_CARD,
    attempt_of,
    by_card,
    charged,
    refund,
    topped_up,
)
from tests.projections.reading import Reader
from tests.writing import Pen

SALES: tuple[Command, ...] = (*PAID_BY_CARD, by_card("pay_2"), attempt_of("pay_2", charged(reference="ch_2")))
TODAY = datetime.now(UTC).date()
REPORTED = date(2026, 3, 15)
_NUMBERS = count(1)
Tell = Callable[..., None]


@pytest.fixture
def tell(held: Pen, keep_up: Callable[[], object]) -> Tell:
    """Commands that are carried out, and the views behind them."""

    def told(*commands: Command) -> None:
        for command in commands:
            held.do(command)
        keep_up()

    return told


@pytest.fixture
def falsify(database: Database, book: str) -> Callable[[LiteralString], None]:
    """Somebody writes into a table what no event says."""

    def falsified(statement: LiteralString) -> None:
        with database.owner() as connection:
            connection.execute(in_book(statement, book))

    return falsified


def row(
    number: int, amount: int = 6_000, *, kind: str = "sale", posted: bool = True, currency: str = "EUR"
) -> ReportRow:
    return ReportRow(
        line=number + 1,
        kind="sale" if kind == "sale" else "credit",
        external_id=f"txn_{number}",
        our_reference="",
        gross=amount,
        currency=currency,
        fee=36,
        fee_currency=currency,
        net=amount - 36,
        net_currency=currency,
        value_date=REPORTED,
        posted=posted,
    )


def file(
    *rows: ReportRow, source: str = "channel_csv", account: str = CHANNEL, rejected: int = 0, name: str = ""
) -> list[Command]:
    """A file of these rows, as it is imported."""
    name = name or f"file_{next(_NUMBERS)}"
    wrong = tuple(RejectedRow(number, "no amount", "?") for number in range(rejected))
    prints = tuple(f"{source}{one.external_id}{one.gross}" for one in rows)
    return [
        ReceiveReportFile(name, source, account, name, 100),
        ReadReportRows(name, source, account, 1, 1, rows, prints, wrong),
        FinishReportFile(name, len(rows), rejected, (), wrong),
    ]


def found_break(name: str, age_days: int, *rows: BreakRow, at_risk: int = 500) -> OpenBreak:
    since = TODAY - timedelta(days=age_days)
    told = (name, "run_1", "channel_csv", CHANNEL, "amount_ours_more", "both", "sale", "EUR", 600, 100, at_risk)
    return OpenBreak(BreakOpened(*told, rows=rows, since=since))


def wanted(**more: Any) -> SummaryWanted:
    return SummaryWanted(**{"from_": REPORTED, "to": REPORTED, "today": TODAY, "banks": ("mt940",), **more})


# --- the summary ------------------------------------------------------------------------------------------------------


def test_rows_are_summed_up_by_what_became_of_them(tell: Tell, reader: Reader) -> None:
    tell(*SALES)
    first, _ = reader.ask(open_items, CHANNEL)
    day = file(
        row(1), row(2, 5_800), row(3, 70), row(4, 9, posted=False), row(5, 44, kind="credit"), rejected=2, name="file_a"
    )
    again = file(row(1), row(6, 50, currency="USD"))
    tell(*day, *again, *file(row(7, 300, kind="credit"), source="mt940", account="main"))
    name = "file_a"
    tell(
        line(first, row=RowPlace(name, 1)),
        found_break("brk_1", 0, BreakRow(name, 2, "print", "sale", 5_800, 36, "EUR")),
    )
    found = reader.ask(reconciliation_summary, wanted())
    shown = {(one.source, one.currency): one for one in found.days}
    euros = shown["channel_csv", "EUR"]
    assert (euros.account, euros.day) == (CHANNEL, REPORTED)
    sums = {name: getattr(euros, name) for name in ("matched", "waiting", "broken", "duplicate", "announced", "flows")}
    assert {name: (one.rows, one.amount) for name, one in sums.items()} == {
        "matched": (1, 6_000),
        "waiting": (1, 70),
        "broken": (1, 5_800),
        "duplicate": (1, 6_000),
        "announced": (1, 9),
        "flows": (1, 44),
    }
    assert shown["channel_csv", "USD"].waiting.amount == 50
    # What a bank credits is no account of anybody's own flows.
    assert (shown["mt940", "EUR"].waiting.amount, shown["mt940", "EUR"].flows.rows) == (300, 0)
    assert (
        reader.ask(reconciliation_summary, wanted(to=REPORTED - timedelta(days=1), from_=date(2026, 1, 1))).days == []
    )
    only = reader.ask(reconciliation_summary, wanted(source="mt940", channel_side=False))
    assert [one.source for one in only.days] == ["mt940"]
    assert {one.side for one in only.open_items} <= {"bank"}


def test_files_are_summed_up_by_the_day_they_came(tell: Tell, reader: Reader) -> None:
    tell(*file(row(1), rejected=3), *file(row(2)))
    (only,) = reader.ask(reconciliation_summary, wanted(from_=TODAY, to=TODAY)).files
    assert (only.source, only.account, only.day) == ("channel_csv", CHANNEL, TODAY)
    assert (only.imported, only.flagged, only.rejected) == (2, 0, 3)


def test_what_nobody_reported_is_summed_up_by_its_day(tell: Tell, reader: Reader) -> None:
    tell(*SALES)
    found = reader.ask(reconciliation_summary, wanted(from_=TODAY, to=TODAY)).open_items
    assert [(one.side, one.account, one.day, one.items, one.amount) for one in found] == [
        ("channel", CHANNEL, TODAY, 2, 2 * 5_964)
    ]
    first, _ = reader.ask(open_items, CHANNEL)
    tell(line(first))
    found = reader.ask(reconciliation_summary, wanted(from_=TODAY, to=TODAY)).open_items
    assert [(one.side, one.account, one.items, one.amount) for one in found] == [
        ("channel", CHANNEL, 1, 5_964),
        ("bank", "", 1, 5_964),
    ]
    assert reader.ask(reconciliation_summary, wanted(account="alipay", bank_side=False)).open_items == []


def test_breaks_are_summed_up_by_their_age(tell: Tell, reader: Reader) -> None:
    tell(
        *SALES, *file(row(1)), *(found_break(f"brk_{age}", age, at_risk=100 + age) for age in (0, 1, 2, 3, 4, 7, 8, 40))
    )
    found = reader.ask(reconciliation_summary, wanted(to=TODAY))
    (only,) = found.breaks
    assert (only.source, only.account, only.type, only.currency) == ("channel_csv", CHANNEL, "amount_ours_more", "EUR")
    ages = (only.days_0_1, only.days_2_3, only.days_4_7, only.days_8_up, only.total)
    assert [(one.breaks, one.at_risk) for one in ages] == [(2, 201), (2, 205), (2, 211), (2, 248), (8, 865)]
    assert found.at_risk == {"EUR": 865}
    young = reader.ask(reconciliation_summary, wanted(to=TODAY, since=TODAY - timedelta(days=3)))
    assert young.breaks[0].total.breaks == 4


def test_a_hundred_thousand_rows_are_summed_up_in_less_than_a_second(
    tell: Tell, reader: Reader, falsify: Callable[[LiteralString], None]
) -> None:
    tell(*file(*(row(number) for number in range(10))))
    falsify(
        "INSERT INTO {schema}.report_rows SELECT r.file, r.number + 100 * g, r.account, r.source, r.fingerprint || g,"
        " r.day, r.state, r.told_by, r.row, r.currency, r.amount, r.kind"
        " FROM {schema}.report_rows AS r, generate_series(1, 10000) AS g"
    )
    falsify("ANALYZE {schema}.report_rows")
    begun = time.monotonic()
    found = reader.ask(reconciliation_summary, wanted())
    assert time.monotonic() - begun < 1
    assert found.days[0].waiting.rows == 100_010


# --- batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_is_what_was_reported_of_it_until_the_bank_has_paid_it(tell: Tell, reader: Reader) -> None:
    tell(*SALES)
    first, second = reader.ask(open_items, CHANNEL)
    tell(line(first), line(second, row=place(2), fee=126))
    tell(SettleBatchRow(CHANNEL, "EUR", BATCH, "fee", -500, place(3)))
    (found,) = reader.ask(batches, {"status": "due"})
    due = 2 * 6_000 - 36 - 126 - 500
    assert (found.batch, found.key, found.account, found.status) == (BATCH, BATCH, PENDING, "due")
    assert (found.lines, found.gross, found.fee, found.other) == (2, 12_000, 162, -500)
    assert (found.paid, found.due, found.balance) == (0, due, due)
    assert found.fee_difference + found.claimed == 90
    lines = [one.kept for one in reader.ask(batch_rows, PENDING, "line")]
    assert [(one.movement.item, one.movement.net, one.movement.number) for one in lines] == [
        (first.id, 5_964, 1),
        (second.id, 5_874, 2),
    ]
    assert lines[0].stream == "pay_1"
    (other,) = reader.ask(batch_rows, PENDING, "row")
    assert (other.kept.movement.kind, other.kept.movement.net) == ("fee", -500)
    page = reader.ask(batch_rows, PENDING, "line", limit=1)
    assert [
        one.kept for one in reader.ask(batch_rows, PENDING, "line", after=(page[0].position, page[0].nth))
    ] == lines[1:]
    tell(cleared(due, by_batch()))
    assert reader.ask(batches, {"status": "due"}) == []
    (found,) = reader.ask(batches, {"status": "paid", "channel": CHANNEL, "currency": "EUR"})
    assert (found.paid, found.due, found.balance, found.status) == (due, 0, 0, "paid")
    (paid,) = reader.ask(batch_rows, PENDING, "payment")
    assert paid.kept.movement.bank_line == paid.kept.stream
    assert reader.ask(batches, {}, after=(found.position, found.account)) == []


def test_what_is_undone_stands_in_its_batch_no_more(tell: Tell, reader: Reader, database: Database, book: str) -> None:
    tell(*SALES)
    first, _ = reader.ask(open_items, CHANNEL)
    tell(line(first), UndoSettlement(first.id), line(first, gross=5_900, bears="platform"))
    tell(
        SettleBatchRow(CHANNEL, "EUR", BATCH, "reserve", -500, place(3)), UndoBatchRow(CHANNEL, "EUR", BATCH, place(3))
    )
    found = reader.ask(batch, CHANNEL, "EUR", BATCH)
    assert found is not None
    assert (found.lines, found.gross, found.other, found.borne_by_us) == (1, 5_900, 0, 100)
    assert found.due == found.balance == 5_864
    assert [one.kept.movement.gross for one in reader.ask(batch_rows, PENDING, "line")] == [5_900]
    assert reader.ask(batch_rows, PENDING, "row") == []
    tell(UndoSettlement(first.id))
    empty = reader.ask(batch, CHANNEL, "EUR", BATCH)
    assert empty is not None
    assert (empty.status, empty.lines) == ("empty", 0)
    assert rebuild(database, book, "settlement_batches", swap=False).is_equal


def test_a_batch_is_found_by_what_its_channel_calls_it_and_by_its_key(tell: Tell, reader: Reader) -> None:
    tell(*SALES)
    first, second = reader.ask(open_items, CHANNEL)
    tell(line(first, batch="Auszahlung Nr. 7 / März, und noch viel mehr Text"))
    (found,) = reader.ask(batches, {})
    assert reader.ask(batch, CHANNEL, "EUR", found.batch) == found
    assert reader.ask(batch, CHANNEL, "EUR", found.key) == found
    assert found.key != found.batch
    assert reader.ask(batch, CHANNEL, "USD", found.key) is None
    assert reader.ask(batch, CHANNEL, "EUR", NO_BATCH) is None
    tell(line(second, row=place(2), batch="other"))
    assert len(reader.ask(batches, {})) == 2


# --- single-entry beside double-entry ---------------------------------------------------------------------------------


def test_items_and_journal_tell_the_same_of_each_event(
    tell: Tell, reader: Reader, database: Database, book: str
) -> None:
    tell(*SALES, word(fee=1_500))
    first, *_ = reader.ask(open_items, CHANNEL)
    tell(line(first), UndoSettlement(first.id), line(first))
    seen, found = reader.ask(receivable_flows, CHANNEL)
    assert [one.flow for one in found] == [5_964, 5_964, *[one.flow for one in found[2:-3]], -5_964, 5_964, -5_964]
    assert all(one.holds for one in found)
    assert found[0].items[0].item == found[0].entry_id == first.id
    assert seen >= found[-1].position
    (control,) = reader.ask(receivable_control, CHANNEL)
    assert control.holds
    assert sum(one.flow for one in found) == control.open == control.balance
    # Page by page, the same.
    paged, after = [], (0, "")
    while page := reader.ask(receivable_flows, CHANNEL, currency="EUR", after=after, limit=2)[1]:
        paged += page
        after = (page[-1].position, page[-1].account)
    assert paged == found
    assert reader.ask(receivable_flows, "alipay")[1] == []
    assert rebuild(database, book, "receivable_items", swap=False).is_equal


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {schema}.postings WHERE account LIKE 'sys:1110:%'",
        "UPDATE {schema}.postings SET amount = amount + 1 WHERE is_debit AND account LIKE 'sys:1110:%'",
        "DELETE FROM {schema}.receivable_flows",
        "UPDATE {schema}.receivable_flows SET amount = -amount",
    ],
)
def test_a_posting_that_is_missing_or_false_is_seen_at_its_event(
    statement: LiteralString, tell: Tell, reader: Reader, falsify: Callable[[LiteralString], None]
) -> None:
    tell(*PAID_BY_CARD)
    falsify(statement)
    _, (only,) = reader.ask(receivable_flows, CHANNEL)
    assert not only.holds


# --- control accounts -------------------------------------------------------------------------------------------------

EVERYTHING: tuple[Command, ...] = (
    *SALES,
    refund(1_000, "pay_2"),
    word(fee=1_500),
    *topped_up(5_000),
    FreezeWallet("frz_1", "ann", 700, "EUR", "asked for"),
)


def test_every_sub_ledger_comes_to_its_control_account(tell: Tell, held: Pen, reader: Reader) -> None:
    tell(*EVERYTHING)
    first, *_ = reader.ask(open_items, CHANNEL)
    tell(line(first))
    found = reader.ask(control_accounts)
    assert found.holds
    sums = {one.code: (one.items, one.open) for one in found.controls if one.currency == "EUR"}
    assert sums["1120"] == (1, 5_964)
    assert sums["1230"] == sums["2140"] == (1, 6_000)
    assert sums["2210"] == (1, 1_000)
    assert sums["2020"] == (1, 700)
    # What the views have not seen is not held against them.
    held.do(refund(500, "pay_2"))
    assert reader.ask(control_accounts) == found


@pytest.mark.parametrize("code", ["1110", "1120", "1230", "2020", "2140", "2210"])
def test_a_control_account_that_is_not_its_sub_ledger_is_told(
    code: str, tell: Tell, reader: Reader, falsify: Callable[[LiteralString], None]
) -> None:
    """A posting is missing in the journal, as it were: the account stands at less than what is open."""
    tell(*EVERYTHING)
    first, *_ = reader.ask(open_items, CHANNEL)
    tell(line(first))
    statements: dict[str, LiteralString] = {
        "1110": "UPDATE {schema}.balances SET posted_credits = posted_credits + 1 WHERE account LIKE 'sys:1110:%'",
        "1120": "UPDATE {schema}.balances SET posted_credits = posted_credits + 1 WHERE account LIKE 'sys:1120:%'",
        "1230": "UPDATE {schema}.balances SET posted_debits = 0 WHERE account LIKE 'sys:1230:%'",
        "2020": "UPDATE {schema}.sub_ledger_items SET amount = amount + 3 WHERE account LIKE 'sys:2020:%'",
        "2140": "DELETE FROM {schema}.sub_ledger_items WHERE account LIKE 'sys:2140:%'",
        "2210": "UPDATE {schema}.balances SET posted_debits = posted_credits WHERE account LIKE 'sys:2210:%'",
    }
    falsify(statements[code])
    found = reader.ask(control_accounts)
    assert not found.holds
    (wrong,) = [one for one in found.controls if not one.holds]
    assert (wrong.code, wrong.different, len(wrong.differences)) == (code, 1, 1)
    assert wrong.differences[0].open != wrong.differences[0].balance
    assert wrong.differences[0].open - wrong.differences[0].balance == wrong.open - wrong.balance


def test_what_is_open_is_rebuilt_from_the_log(tell: Tell, database: Database, book: str) -> None:
    tell(*EVERYTHING)
    assert rebuild(database, book, "sub_ledgers", swap=False).is_equal


# --- safeguarding -----------------------------------------------------------------------------------------------------


def test_what_we_owe_is_covered_until_a_claim_is_missing(
    tell: Tell, reader: Reader, falsify: Callable[[LiteralString], None]
) -> None:
    tell(*SALES)
    found = reader.ask(safeguarding)
    (euros,) = found.currencies
    assert (euros.currency, euros.claims) == ("EUR", 2 * 5_964)
    assert euros.obligations == sum(one.balance for one in euros.owed)
    assert [one.code for one in euros.assets] == ["1110"]
    assert euros.difference == euros.claims - euros.obligations
    assert found.holds is euros.holds is (euros.difference >= 0)
    past = reader.ask(safeguarding, known_at=found.position)
    assert past == found
    assert reader.ask(safeguarding, known_at=1).currencies == []
    falsify("UPDATE {schema}.balances SET posted_debits = 0 WHERE account LIKE 'sys:1110:%'")
    short = reader.ask(safeguarding)
    assert not short.holds
    assert short.currencies[0].difference < 0


def test_a_view_that_is_far_behind_says_so(
    tell: Tell, held: Pen, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(*PAID_BY_CARD)
    monkeypatch.setattr("projections.control_accounts._FARTHEST_BEHIND", 1)
    held.do(by_card("pay_3"))
    with pytest.raises(NotCaughtUp):
        reader.ask(control_accounts)
