"""Races: many at once on one payment, one wallet, one merchant."""

from collections import Counter
from collections.abc import Iterator

import pytest

from commands.envelope import Answer
from commands.payments import CreatePayment
from commands.refunds import RequestRefund
from ledger.events.payments import Method
from ledger.ids import new_id
from ledger.store.connection import Database
from tests.commands.stories import PARTIES, attempt_of, charged, topped_up
from tests.writing import Pen, check_books, part, pen


def codes(answers: list[Answer]) -> Counter[str]:
    return Counter("done" if answer.refusal is None else answer.refusal.code() for answer in answers)


@pytest.fixture
def pens(own_database: Database, own_book: str) -> Iterator[tuple[Pen, Pen]]:
    """Two writers, as two processes have them."""
    with pen(own_database, own_book) as one, pen(own_database, own_book) as other:
        for command in PARTIES:
            one.do(command)
        yield one, other


def test_fifty_refunds_of_ten_on_a_hundred_are_exactly_ten(
    pens: tuple[Pen, Pen], own_database: Database, own_book: str
) -> None:
    one, _ = pens
    one.do(CreatePayment("pay_1", "acme", 100, "EUR", "quick_pay", Method("card"), "o"))
    one.do(attempt_of("pay_1", charged(100)))
    waiting = [pens[number % 2].submit([part(RequestRefund("pay_1", 10, "r"))]) for number in range(50)]
    answers = [answer for wait in waiting for answer in wait()]
    assert codes(answers) == {"done": 10, "refund_exceeds_payment": 40}
    with own_database.connect() as connection:
        check_books(connection, own_book)


def test_a_hundred_payments_of_ten_on_a_wallet_of_five_hundred_are_exactly_fifty(
    pens: tuple[Pen, Pen], own_database: Database, own_book: str
) -> None:
    for command in topped_up(500):
        pens[0].do(command)
    orders = [
        CreatePayment(new_id("pay_"), "acme", 10, "EUR", "balance_pay", Method("wallet"), "o", customer="ann")
        for _ in range(100)
    ]
    waiting = [pens[number % 2].submit([part(order)]) for number, order in enumerate(orders)]
    answers = [answer for wait in waiting for answer in wait()]
    assert codes(answers) == {"done": 50, "insufficient_funds": 50}
    with own_database.connect() as connection:
        check_books(connection, own_book)
