"""Worker: it finds books by itself, waits for a database, and stops with a bug instead of going on without."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from commands.accounts import FreezeAccount, UnfreezeAccount
from commands.payments import CreatePayment
from ledger.events.payments import Method, PaymentCaptured
from ledger.store.connection import Database
from ledger.store.migrate import create_book
from tests.commands.stories import PARTIES
from tests.processes.house import House, stream_in, until
from tests.writing import part, pen


def test_a_book_that_is_made_meanwhile_is_served_too(house: House, own_database: Database) -> None:
    house.start_worker()
    house.settled(house.pay())
    later = f"{house.book}_later"
    with own_database.owner() as connection:
        create_book(connection, later)
    with pen(own_database, later) as writing:
        for command in PARTIES:
            writing.do(command)
        writing.do(CreatePayment("pay_1", "acme", 600, "EUR", "quick_pay", Method("card"), "order-1"))

    def captured() -> bool | None:
        with own_database.connect() as connection:
            events = [recorded.event for recorded in stream_in(connection, later, "pay_1")]
        return True if any(isinstance(event, PaymentCaptured) for event in events) else None

    until(captured)
    with own_database.owner() as connection:
        connection.execute("DELETE FROM ledger_control.books WHERE name = %s", (later,))


def test_two_workers_share_the_work_and_double_nothing(house: House) -> None:
    house.start_worker()
    house.start_worker_process()
    payments = [house.pay() for _ in range(60)]
    assert {view.status for view in house.settled(*payments)} == {"succeeded"}
    assert all(len(house.charges(payment)) == 1 for payment in payments)
    house.agrees_with_the_channel()


def test_a_bug_ends_the_worker_and_says_what_it_was(house: House) -> None:
    async def broken(book: str, now: datetime) -> Sequence[str]:
        raise LookupError("a bug")

    house.start_worker(broken)
    house.wait_for_the_worker_s_end()
    with pytest.raises(ExceptionGroup) as ended:
        house.stop_worker()
    assert ended.group_contains(LookupError, match="a bug")


def test_an_answer_that_cannot_be_taken_now_is_asked_for_again_until_it_can(house: House) -> None:
    house.misbehave("tok_quiet", "no_callback")
    house.start_worker()
    house.settled(house.pay())
    merchant = "sys:2110:acme:eur"
    house.pen.submit([part(FreezeAccount(merchant, "suspicion"), administrator=True)])()
    payment = house.pay("tok_quiet")
    house.wait_for_tries(payment, 2)
    ((answer,),) = house.sql("SELECT last_answer FROM {book}.channel_calls WHERE subject = %s", payment)
    assert (answer, house.payment(payment).status) == ("refused: account_frozen", "processing")
    house.pen.submit([part(UnfreezeAccount(merchant, "cleared"), administrator=True)])()
    (view,) = house.settled(payment)
    assert (view.status, house.sends("tok_quiet")) == ("succeeded", 1)
    house.agrees_with_the_channel()


def test_the_channel_s_word_is_recorded_with_what_caused_it(house: House) -> None:
    house.start_worker()
    payment = house.pay()
    house.settled(payment)
    house.all_calls_done()
    facts = [recorded.metadata for recorded in house.history(payment)]
    assert (facts[-1].actor, facts[-1].causation) in {
        ("channel:card_simulator", f"{payment}.4"),  # the answer
        ("channel:card_simulator", ""),  # or the callback, which was quicker
    }
