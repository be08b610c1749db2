"""Views of reconciliation: batches, flows beside the journal, control accounts and safeguarding."""

import time
from collections.abc import Callable
from typing import LiteralString

import pytest

from commands.envelope import Command
from commands.settlement_batches import SettleBatchRow, UndoBatchRow
from commands.settlements import UndoSettlement
from commands.wallets import FreezeWallet
from ledger.errors import NotCaughtUp
from ledger.store.connection import Database
from projections.control_accounts import control_accounts
from projections.rebuild import rebuild
from projections.receivable_flows import receivable_control, receivable_flows
from projections.receivable_items import open_items
from projections.safeguarding import safeguarding
from projections.settlement_batches import NO_BATCH, batch, batch_rows, batches
from tests.commands.dispute_stories import word
from tests.commands.payout_stories import FUNDED, agency, at_the_bank, payout, withdrawal
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
Tell = Callable[..., None]


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


def test_what_is_on_its_way_out_comes_to_its_control_account(
    tell: Tell, reader: Reader, falsify: Callable[[LiteralString], None]
) -> None:
    tell(*FUNDED, payout("po_1", 900), withdrawal("po_2", 800), agency("po_3", 700))
    found = reader.ask(control_accounts)
    assert found.holds
    sums = {one.code: (one.items, one.open) for one in found.controls}
    assert (sums["2220"], sums["2230"]) == ((2, 1_700), (1, 700))
    tell(at_the_bank("po_1"))
    gone = {one.code: (one.items, one.open) for one in reader.ask(control_accounts).controls}
    assert gone["2220"] == (1, 800)
    falsify("UPDATE {schema}.balances SET posted_debits = posted_credits WHERE account LIKE 'sys:2220:wallet:%'")
    falsify("DELETE FROM {schema}.sub_ledger_items WHERE account LIKE 'sys:2230:%'")
    wrong = {one.code: one.differences[0] for one in reader.ask(control_accounts).controls if not one.holds}
    assert {code: (one.open, one.balance) for code, one in wrong.items()} == {"2220": (800, 0), "2230": (0, 700)}


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


# --- how long it takes ------------------------------------------------------------------------------------------------


def test_every_view_answers_in_less_than_a_second_among_a_hundred_thousand(
    tell: Tell, reader: Reader, falsify: Callable[[LiteralString], None]
) -> None:
    tell(*EVERYTHING)
    first, *_ = reader.ask(open_items, CHANNEL)
    tell(line(first))
    many: tuple[LiteralString, ...] = (
        (
            "INSERT INTO {schema}.receivable_items SELECT 'pay_x.' || g, 'pay_x', 1, channel, currency, at, 'open', 1,"
            " '', '', state FROM {schema}.receivable_items, generate_series(1, 100000) AS g WHERE item = 'pay_1.5'"
        ),
        (
            "INSERT INTO {schema}.receivable_flows SELECT account, position, 'pay_x.' || g, 1"
            " FROM {schema}.receivable_flows, generate_series(1, 10000) AS g WHERE item = 'pay_1.5' AND amount > 0"
        ),
        (
            "INSERT INTO {schema}.settlement_batch_rows SELECT account, position, g, role, item, file, number, 0, state"
            " FROM {schema}.settlement_batch_rows, generate_series(1, 100000) AS g WHERE role = 'line'"
        ),
        (
            "INSERT INTO {schema}.settlement_batches SELECT account || g, channel, currency, batch || g, position, 0,"
            " 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM {schema}.settlement_batches, generate_series(1, 100000) AS g"
        ),
        (
            "INSERT INTO {schema}.sub_ledger_items SELECT account, subject || g, currency, position, 1"
            " FROM {schema}.sub_ledger_items, generate_series(1, 100000) AS g WHERE account LIKE 'sys:2020:%'"
        ),
    )
    tables: tuple[LiteralString, ...] = (
        "ANALYZE {schema}.receivable_items",
        "ANALYZE {schema}.settlement_batch_rows",
        "ANALYZE {schema}.settlement_batches",
        "ANALYZE {schema}.sub_ledger_items",
    )
    for statement in many + tables:
        falsify(statement)
    views: dict[str, Callable[[], object]] = {
        "batches": lambda: reader.ask(batches, {"channel": CHANNEL}),
        "batch": lambda: reader.ask(batch, CHANNEL, "EUR", BATCH),
        "lines": lambda: reader.ask(batch_rows, PENDING, "line", after=(1, 50_000)),
        "flows": lambda: reader.ask(receivable_flows, CHANNEL, limit=100),
        "control": lambda: reader.ask(receivable_control, CHANNEL),
        "control accounts": lambda: reader.ask(control_accounts),
        "safeguarding": lambda: reader.ask(safeguarding),
    }
    took: dict[str, float] = {}
    for name, ask in views.items():
        begun = time.monotonic()
        ask()
        took[name] = time.monotonic() - begun
    assert max(took.values()) < 1, took
