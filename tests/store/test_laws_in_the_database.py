"""The laws of money stand twice: where Python lets something pass, a constraint stops it, and it alone."""

import time
from collections.abc import Callable, Iterator
from typing import LiteralString

import pytest
from psycopg import Connection, errors

from commands import transfers
from commands.accounts import CloseAccount, OpenAccount
from commands.books import Books
from commands.envelope import Answer, Command
from commands.holds import CaptureHold
from commands.transfers import PlaceHold, PostTransfer
from ledger.accounts import Account
from ledger.store.connection import Database, in_book
from ledger.store.recorder import LawBroken
from tests.writing import Pen, check_books, fresh, part, pen


@pytest.fixture
def writer(database: Database, book: str) -> Iterator[Pen]:
    with pen(database, book) as writer:
        writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        writer.do(OpenAccount("ada", "Ada", "liability", "EUR", min_balance=0, max_balance=1_000))
        writer.do(OpenAccount("bob", "Bob", "liability", "EUR"))
        writer.do(OpenAccount("gone", "Gone", "liability", "EUR"))
        writer.do(CloseAccount("gone", "left"))
        writer.do(PostTransfer("ent_first", "cash", "ada", 100, "EUR", reference="first"))
        writer.do(PlaceHold("hold_1", "ada", "bob", 30, "EUR"))
        yield writer


def together(writer: Pen, database: Database, book: str, commands: list[Command]) -> list[Answer]:
    """The answers to commands that are decided in one batch: they gather behind one that waits for the head."""
    with database.connect(autocommit=False) as other:
        other.execute(in_book("SELECT 1 FROM {schema}.log_head FOR UPDATE", book))
        ahead = writer.submit([part(PostTransfer(fresh("ent_"), "cash", "bob", 1, "EUR"))])
        _until_it_waits(database, book)
        waiting = [writer.submit([part(command)]) for command in commands]
    ahead()
    return [answer for wait in waiting for answer in wait()]


def _until_it_waits(database: Database, book: str) -> None:
    with Connection.connect(database.conninfo, autocommit=True) as owner:
        for _ in range(500):
            row = owner.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s",
                (f"%book_{book}%log_head%",),
            ).fetchone()
            if row and row[0]:
                return
            time.sleep(0.01)
    raise AssertionError("the writer does not wait for the head")


def _judge_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Account, "judge", lambda account, movement: None)


def _free_every_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "check_reference", lambda books, reference: None)


def _nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No guard stands before this one: entries have fresh ids, which only we give."""


@pytest.mark.parametrize(
    ("switch_off", "unlawful", "constraint"),
    [
        (_judge_nothing, PostTransfer("ent_x", "ada", "bob", 71, "EUR"), "balances_floor"),
        (_judge_nothing, PlaceHold("hold_x", "ada", "bob", 71, "EUR"), "balances_floor"),
        (_judge_nothing, PostTransfer("ent_x", "cash", "ada", 920, "EUR"), "balances_ceiling"),
        (_judge_nothing, PostTransfer("ent_x", "cash", "gone", 1, "EUR"), "balances_closed_is_empty"),
        (_free_every_reference, PostTransfer("ent_x", "cash", "ada", 1, "EUR", None, "first"), "entry_references_pkey"),
        (_nothing, PostTransfer("ent_first", "cash", "ada", 1, "EUR"), "events_pkey"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_a_constraint_stops_what_python_lets_pass_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
    database: Database,
    book: str,
    writer: Pen,
    switch_off: Callable[[pytest.MonkeyPatch], None],
    unlawful: Command,
    constraint: str,
) -> None:
    """The batch is taken apart: the unlawful command fails as the bug it is, the others are carried out."""
    lawful: list[Command] = [
        PostTransfer(fresh("ent_"), "cash", "bob", 2, "EUR"),
        PostTransfer(fresh("ent_"), "ada", "bob", 3, "EUR"),
        PostTransfer(fresh("ent_"), "ada", "bob", 3_000, "USD"),
        CaptureHold("hold_1", 10),
    ]
    with monkeypatch.context() as without_the_guard:
        switch_off(without_the_guard)
        answers = together(writer, database, book, [*lawful[:2], unlawful, *lawful[2:]])
    assert [answer.status for answer in answers] == [201, 201, 500, 422, 201]
    error = answers[2].error
    assert isinstance(error, LawBroken)
    assert isinstance(error.__cause__, errors.IntegrityError)
    assert error.__cause__.diag.constraint_name == constraint
    writer.do(PostTransfer(fresh("ent_"), "ada", "bob", 1, "EUR"))
    with database.connect() as connection:
        check_books(connection, book)


def test_a_failed_command_leaves_no_answer_so_that_it_can_be_sent_again(
    monkeypatch: pytest.MonkeyPatch, writer: Pen
) -> None:
    overdraft = PostTransfer("ent_x", "ada", "bob", 71, "EUR")
    with monkeypatch.context() as without_the_guard:
        _judge_nothing(without_the_guard)
        with pytest.raises(LawBroken):
            writer.ask(overdraft, "key-of-a-bug")
    assert writer.refused(overdraft, "key-of-a-bug").code() == "insufficient_funds"


def test_a_bug_in_one_decider_is_nobody_elses(
    monkeypatch: pytest.MonkeyPatch, database: Database, book: str, writer: Pen
) -> None:
    def stumble(books: Books, reference: str | None) -> None:
        if reference == "stumble":
            raise ZeroDivisionError

    monkeypatch.setattr(transfers, "check_reference", stumble)
    answers = together(
        writer,
        database,
        book,
        [
            PostTransfer(fresh("ent_"), "cash", "bob", 2, "EUR"),
            PostTransfer(fresh("ent_"), "cash", "bob", 2, "EUR", reference="stumble"),
            PostTransfer(fresh("ent_"), "cash", "bob", 2, "EUR"),
        ],
    )
    assert [answer.status for answer in answers] == [201, 500, 201]
    assert isinstance(answers[1].error, ZeroDivisionError)
    with database.connect() as connection:
        check_books(connection, book)


EVENT: LiteralString = "'x.v1', '', {position}, now(), ''"


@pytest.mark.parametrize(
    ("constraint", "statement"),
    [
        ("balances_not_negative", "UPDATE {schema}.balances SET pending_debits = -1 WHERE account = 'bob'"),
        ("balances_not_negative", "UPDATE {schema}.balances SET posted_debits = -1 WHERE account = 'bob'"),
        ("balances_kind", "UPDATE {schema}.balances SET kind = 'magic' WHERE account = 'bob'"),
        ("balances_closed_is_empty", "UPDATE {schema}.balances SET status = 'closed' WHERE account = 'ada'"),
        ("balances_floor", "UPDATE {schema}.balances SET min_balance = 71 WHERE account = 'ada'"),
        ("balances_ceiling", "UPDATE {schema}.balances SET max_balance = 99 WHERE account = 'ada'"),
        ("idempotency_keys_pkey", "INSERT INTO {schema}.idempotency_keys VALUES ('k', '', 201, 1), ('k', '', 201, 1)"),
        ("events_position", "INSERT INTO {schema}.events SELECT 'another', 1, " + EVENT.format(position=1)),
        ("events_version_positive", "INSERT INTO {schema}.events SELECT 'x', 0, " + EVENT.format(position=1_000)),
        ("log_head_is_one_row", "INSERT INTO {schema}.log_head (one) VALUES (false)"),
    ],
)
def test_the_tables_keep_the_laws_by_themselves(
    database: Database, book: str, writer: Pen, constraint: str, statement: LiteralString
) -> None:
    with database.owner() as connection, pytest.raises(errors.IntegrityError) as refused:
        connection.execute(in_book(statement, book))
    assert refused.value.diag.constraint_name == constraint
