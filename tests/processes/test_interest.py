"""Interest: the timer asks for every line that owes something; whether its month is over, the log says."""

import asyncio
from datetime import UTC, datetime

from commands.credit_lines import OpenCreditLine
from commands.customers import CreateCustomer
from commands.envelope import Answer, Part
from commands.merchants import CreateMerchant
from commands.payments import CreatePayment
from commands.processes.interest import charge_interest, owing
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Method
from ledger.ids import new_id
from ledger.store.connection import Database, in_book
from tests.writing import Pen


def on_credit(customer: str) -> CreatePayment:
    method = Method("credit")
    return CreatePayment(new_id("pay_"), "acme", 6_000, "EUR", "credit_pay", method, "order-1", customer=customer)


def in_the_next_month() -> datetime:
    now = datetime.now(UTC)
    return now.replace(year=now.year + now.month // 12, month=now.month % 12 + 1, day=1)


def test_every_line_that_owes_is_asked_for_and_no_month_is_charged_ahead_of_time(database: Database, book: str) -> None:
    pen = Pen(database, book)
    pen.do(CreateMerchant("acme", "Acme", FeeTerms(0, 0), "EUR"))
    for name in ("ann", "bob", "cyd"):
        pen.do(CreateCustomer(name))
        pen.do(OpenCreditLine(name, "EUR", 10_000, 150))
    for name in ("ann", "bob"):
        pen.do(on_credit(name))

    async def submit(_: str, part: Part) -> Answer:
        (answer,) = await asyncio.to_thread(pen.submit([part]))
        return answer

    async def charge(now: datetime) -> tuple[list[tuple[str, str]], bool]:
        async with await database.connect_async() as connection:
            lines = await owing(connection, book)
        return lines, await charge_interest(book, lines, submit, now)

    try:
        lines, done = asyncio.run(charge(datetime.now(UTC)))
        assert (lines, done) == ([("ann", "EUR"), ("bob", "EUR")], True)
        assert _interest(database, book) == {}, "the lines were opened after that month"
        # The clock of the decision is the log's: by it this month still goes on, so it is tried again later.
        assert not asyncio.run(charge(in_the_next_month()))[1]
        assert _interest(database, book) == {}
    finally:
        pen.stop()


def _interest(database: Database, book: str) -> dict[str, int]:
    statement = "SELECT account, posted_debits - posted_credits FROM {schema}.balances WHERE account LIKE 'sys:1221:%'"
    with database.connect() as connection:
        return {name: int(owed) for name, owed in connection.execute(in_book(statement, book)).fetchall()}
