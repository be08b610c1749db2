"""A large batch is sent to the database while the rest of it is still decided, and is one transaction all the same."""

from collections import Counter
from collections.abc import Iterator

import pytest

from commands.accounts import OpenAccount
from commands.entries import ReverseEntry
from commands.envelope import Answer, Part
from commands.transfers import PostTransfer
from ledger.ids import ENTRY, new_id, new_ids
from ledger.store import append
from ledger.store.connection import Database
from tests.writing import Pen, check_books, envelope, fresh, part, pen

LARGE = 1_000


@pytest.fixture
def writer(database: Database, book: str) -> Iterator[Pen]:
    """Has cash, ada (100, floor 0) and bob."""
    assert LARGE > 3 * append.WORTH_BEGINNING
    with pen(database, book) as writer:
        writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        writer.do(OpenAccount("ada", "Ada", "liability", "EUR", min_balance=0))
        writer.do(OpenAccount("bob", "Bob", "liability", "EUR"))
        writer.do(PostTransfer("ent_first", "cash", "ada", 100, "EUR"))
        yield writer


def payments(count: int, debit_account: str = "cash", credit_account: str = "bob") -> list[Part]:
    return [
        part(PostTransfer(name, debit_account, credit_account, 1, "EUR"), fresh("k")) for name in new_ids(ENTRY, count)
    ]


def outcomes(answers: list[Answer]) -> Counter[str]:
    return Counter(answer.refusal.code() if answer.refusal else "created" for answer in answers)


def test_those_who_cannot_pay_are_refused_and_all_others_paid(writer: Pen, database: Database, book: str) -> None:
    answers = writer.submit(payments(LARGE, "ada"))()
    assert outcomes(answers) == {"created": 100, "insufficient_funds": LARGE - 100}
    again = writer.submit(payments(LARGE))()
    assert [answer.position for answer in again] == list(range(105, 105 + LARGE))
    with database.connect() as connection:
        check_books(connection, book)


def test_an_atomic_batch_that_is_refused_at_its_end_leaves_nothing(writer: Pen, database: Database, book: str) -> None:
    parts = payments(LARGE)
    refused = writer.submit([*parts, *payments(1, "nobody")], atomic=True, batch_key=envelope())()
    assert outcomes(refused)["account_unknown"] == 1
    with database.connect() as connection:
        assert len(check_books(connection, book)) == 4
    # Their keys are free: the same parts without the one to blame are carried out.
    assert outcomes(writer.submit(parts, atomic=True, batch_key=envelope())()) == {"created": LARGE}


def test_what_was_sent_first_goes_with_the_rest_when_a_constraint_refuses_the_last(
    writer: Pen, database: Database, book: str
) -> None:
    parts = payments(LARGE)
    parts[-1] = part(PostTransfer("ent_first", "cash", "bob", 1, "EUR"))  # whose stream has its first event already
    answers = writer.submit(parts)()
    assert {answer.status for answer in answers} == {500}
    with database.connect() as connection:
        assert len(check_books(connection, book)) == 4
    assert outcomes(writer.submit(payments(LARGE))()) == {"created": LARGE}


def test_what_is_read_in_between_is_read_behind_what_was_sent(writer: Pen, database: Database, book: str) -> None:
    # Which accounts an entry touches shows only when it is decided to take it back; ada is not remembered.
    reversal = part(ReverseEntry(new_id(ENTRY), "ent_first", "a mistake"))
    writer.handler.appender.forget()
    answers = writer.submit([*payments(LARGE), reversal, *payments(LARGE)])()
    assert outcomes(answers) == {"created": 2 * LARGE + 1}
    with database.connect() as connection:
        check_books(connection, book)
