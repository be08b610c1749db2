"""Receivable items as they are kept: the open ones of a channel, what a batch settled, and the control account."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace
from psycopg import AsyncConnection, Cursor

from commands.envelope import Command
from commands.principals import CreatePrincipal, FundPrincipal
from commands.settlements import UndoSettlement
from ledger.errors import NotCaughtUp
from ledger.events.event import Metadata, Recorded
from ledger.store.connection import Database, in_book
from projections import receivable_items
from projections.audit_trail import trail
from projections.bank_expectations import expected
from projections.rebuild import rebuild
from projections.receivable_items import ReceivableItems, control, item, items_of_batch, items_of_stream, open_items
from tests.commands.dispute_stories import word
from tests.commands.given import given
from tests.commands.settlement_stories import BATCH, by_batch, cleared, items_of, line, place
from tests.commands.stories import (
    CHANNEL,
    PAID_BY_CARD,
    attempt_of,
    by_card,
    charged,
    refund,
    refund_result,
    refunded,
    topped_up,
)
from tests.projections.reading import Reader
from tests.writing import Pen

SOON = datetime(2100, 1, 1, tzinfo=UTC)
SALES: tuple[Command, ...] = (*PAID_BY_CARD, by_card("pay_2"), attempt_of("pay_2", charged(reference="ch_2")))


@pytest.fixture
def tell(held: Pen, keep_up: Callable[[], object]) -> Callable[..., None]:
    """Commands that are carried out, and the views behind them."""

    def told(*commands: Command) -> None:
        for command in commands:
            held.do(command)
        keep_up()

    return told


def test_what_is_open_is_listed_in_its_order(tell: Callable[..., None], reader: Reader) -> None:
    tell(*SALES)
    found = reader.ask(open_items, CHANNEL)
    assert [(one.subject, one.gross, one.fee) for one in found] == [("pay_1-1", 6_000, 36), ("pay_2-1", 6_000, 36)]
    assert found == reader.ask(open_items, CHANNEL, currency="EUR", until=SOON)
    assert reader.ask(open_items, CHANNEL, currency="USD") == []
    assert reader.ask(open_items, "alipay") == []
    assert reader.ask(open_items, CHANNEL, until=found[0].at) == []


def test_what_is_settled_is_listed_by_its_batch(tell: Callable[..., None], reader: Reader) -> None:
    tell(*SALES)
    first, second = reader.ask(open_items, CHANNEL)
    tell(line(first))
    assert reader.ask(open_items, CHANNEL) == [second]
    (settled,) = reader.ask(items_of_batch, CHANNEL, "EUR", BATCH)
    assert (settled.id, settled.status) == (first.id, "settled")
    assert reader.ask(item, first.id) == settled
    assert reader.ask(items_of_stream, "pay_1") == [settled]
    assert reader.ask(items_of_batch, CHANNEL, "EUR", BATCH, after=settled.position) == []
    tell(UndoSettlement(first.id))
    assert reader.ask(open_items, CHANNEL) == [first, second]
    assert reader.ask(item, "pay_9.1") is None


def test_what_changes_an_item_finds_it_pages_later(tell: Callable[..., None], reader: Reader) -> None:
    tell(*PAID_BY_CARD)
    tell(word(fee=1_500))
    tell(word("won"))
    kinds = [(one.kind, one.gross, one.fee) for one in reader.ask(items_of_stream, "pay_1")]
    assert kinds == [("sale", 6_000, 36), ("chargeback", -6_000, 1_500), ("chargeback_reversed", 6_000, 0)]


def test_the_view_is_what_a_decision_sees(tell: Callable[..., None], reader: Reader) -> None:
    """One fold serves both: what a run reads is what the handler will find."""
    commands = (*PAID_BY_CARD, refund(1_000), refund_result(1, refunded(1_000)), word(fee=1_500), *topped_up(500))
    tell(*commands)
    kept = [one for stream in ("pay_1", "top_0") for one in reader.ask(items_of_stream, stream)]
    told = items_of(given(*commands))
    assert [replace(one, position=0, at=SOON) for one in kept] == [replace(one, position=0, at=SOON) for one in told]


def test_the_open_items_are_their_control_account(tell: Callable[..., None], held: Pen, reader: Reader) -> None:
    tell(*SALES, *topped_up(500))
    found = reader.ask(control)
    assert found.holds
    (only,) = found.lines
    assert (only.channel, only.currency, only.items, only.open) == (CHANNEL, "EUR", 3, 2 * 5_964 + 497)
    # What the view has not seen is not held against it.
    held.do(by_card("pay_3"))
    held.do(attempt_of("pay_3", charged(reference="ch_3")))
    behind = reader.ask(control)
    assert behind == found
    tell()
    assert reader.ask(control).lines[0].open == 3 * 5_964 + 497
    for one in reader.ask(open_items, CHANNEL):
        tell(line(one))
    assert [(one.items, one.open, one.balance) for one in reader.ask(control).lines] == [(0, 0, 0)]


def test_a_receivable_that_is_not_its_items_is_told(
    tell: Callable[..., None], reader: Reader, database: Database, book: str
) -> None:
    tell(*SALES)
    with database.owner() as connection:
        connection.execute(in_book("UPDATE {schema}.receivable_items SET net = net + 1 WHERE stream = 'pay_1'", book))
    found = reader.ask(control)
    assert not found.holds
    assert found.lines[0].open - found.lines[0].balance == 1


def test_a_view_that_is_far_behind_says_so(
    tell: Callable[..., None], held: Pen, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(*PAID_BY_CARD)
    monkeypatch.setattr(receivable_items, "_FARTHEST_BEHIND", 1)
    held.do(by_card("pay_3"))
    with pytest.raises(NotCaughtUp):
        reader.ask(control)


def test_the_trail_of_a_payment_leads_to_the_bank(tell: Callable[..., None], reader: Reader) -> None:
    tell(*PAID_BY_CARD)
    (one,) = reader.ask(open_items, CHANNEL)
    tell(line(one))
    tell(cleared(5_964, by_batch()))
    topics = [fact.topic for fact in reader.ask(trail, "pay_1")]
    assert topics[-3:] == ["settlements.line_settled.v1", "bank_lines.cleared.v1", "settlements.batch_paid.v1"]
    at_the_bank = reader.ask(trail, "pay_1")[-2]
    # And back: the line is named by the batches that it pays.
    assert [fact.topic for fact in reader.ask(trail, at_the_bank.stream)] == [
        "bank_lines.cleared.v1",
        "settlements.batch_paid.v1",
    ]


def test_what_the_banks_are_to_show_is_kept_too(
    tell: Callable[..., None], reader: Reader, database: Database, book: str
) -> None:
    tell(*SALES, CreatePrincipal("payroll", "Payroll", fee=30), FundPrincipal("fnd_1", "payroll", 900, "EUR", "main"))
    first, second = reader.ask(open_items, CHANNEL)
    tell(line(first))
    tell(line(second, row=place(2)))
    wanted = [(one.kind, one.amount) for one in reader.ask(expected, currency="EUR", until=SOON)]
    assert sorted(wanted) == [("batch", 2 * 5_964), ("entry", 900)]
    assert len(reader.ask(expected, bank_account="main")) == 2
    assert [one.kind for one in reader.ask(expected, bank_account="other")] == ["batch"]
    assert reader.ask(expected, bank_account="main", own=True) == []
    assert reader.ask(expected, currency="USD") == []
    tell(cleared(2 * 5_964, by_batch()))
    assert [one.kind for one in reader.ask(expected)] == ["entry"]
    assert rebuild(database, book, "bank_expectations", swap=False).is_equal


def test_it_is_rebuilt_from_the_log(tell: Callable[..., None], reader: Reader, database: Database, book: str) -> None:
    tell(*SALES, word(fee=1_500))
    first, *_ = reader.ask(open_items, CHANNEL)
    tell(line(first))
    tell(cleared(5_964, by_batch()))
    assert rebuild(database, book, "receivable_items", swap=False).is_equal


def test_all_open_items_are_written_and_read_in_few_statements_however_many_they_are(
    tell: Callable[..., None], reader: Reader, database: Database, book: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(*PAID_BY_CARD)
    (one,) = reader.ask(open_items, CHANNEL)
    view = ReceivableItems(book)
    sale = next(fact for fact in given(*PAID_BY_CARD).stream("pay_1") if fact.event.topic == "payments.captured.v1")
    statements: list[object] = []

    def count(of: type[Any]) -> None:
        execute = of.execute

        def counted(asked: Any, statement: object, *values: Any, **named: Any) -> Any:
            statements.append(statement)
            return execute(asked, statement, *values, **named)

        monkeypatch.setattr(of, "execute", counted)

    names = [f"pay_{page}_{number}" for page in range(3) for number in range(1_000)]
    with database.connect() as connection, connection.transaction(), connection.cursor() as cursor:
        count(Cursor)
        for page in range(0, len(names), 1_000):
            view.project(
                [Recorded(name, 4, 1, one.at, sale.event, Metadata("")) for name in names[page : page + 1_000]], cursor
            )
    assert len(statements) <= 3 * 3, "what is known, the items, what flowed: once per page each"
    statements.clear()
    count(AsyncConnection)
    found = reader.ask(open_items, CHANNEL, currency="EUR", until=SOON)
    assert {item.stream for item in found} == {"pay_1", *names}
    assert len(found) == len(names) + 1
    assert len(statements) == 1
