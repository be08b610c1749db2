"""Erasing a customer, decided on the books: what stands against it, the key in the same transaction, and who seals."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.customers import CreateCustomer, OpenWallet
from commands.erasure import EraseCustomer
from commands.payment_methods import BindPaymentMethod
from ledger.errors import CustomerHasOpenMatters, CustomerNotFound, CustomerUnknown, IdExistsDifferent
from ledger.events.customers import CustomerCreated, CustomerErased
from ledger.events.payments import Method
from ledger.ids import PAYMENT_METHOD, new_id
from ledger.store.connection import Database, in_book
from ledger.store.vault import Keeper, Vault
from tests.writing import Pen, part, pen, read_log

ROOT = Path(__file__).parents[2]
VAULT = Vault(b"a pepper of the tests")
ANN = CreateCustomer("ann", "Ann Shirley", {"email": "ann@example.org"})
ERASE = EraseCustomer("ann", "asked for", "gdpr_17_1_b")


@pytest.fixture
def held(database: Database, book: str) -> Iterator[Pen]:
    with pen(database, book) as writer:
        writer.handler.vault = VAULT
        yield writer


def subjects(database: Database, book: str) -> list[str]:
    with database.connect() as connection:
        rows = connection.execute(in_book("SELECT subject FROM {schema}.subject_keys ORDER BY 1", book)).fetchall()
    return [subject for (subject,) in rows]


def test_all_that_stands_against_it_is_told_at_once(held: Pen) -> None:
    held.do(ANN)
    held.do(OpenWallet("ann", "EUR"))
    card = new_id(PAYMENT_METHOD)
    held.do(BindPaymentMethod(card, "ann", Method("card", "tok_approved")))
    refusal = held.ask(EraseCustomer("ann", "x", "y", ("sys:2010:ann:eur",), ("pay_1", "po_2"))).refusal
    assert isinstance(refusal, CustomerHasOpenMatters)
    # The wallet is empty: only what holds money stands against it.
    assert refusal.facts == {
        "customer": "ann",
        "accounts": [],
        "contracts": [card],
        "open_matters": ["pay_1", "po_2"],
    }
    assert isinstance(held.ask(EraseCustomer("nobody", "x", "y")).refusal, CustomerNotFound)


def test_each_alone_stands_against_it(held: Pen) -> None:
    for name in ("ann", "bob"):
        held.do(CreateCustomer(name, name))
    assert isinstance(held.ask(EraseCustomer("ann", "x", "y", (), ("po_2",))).refusal, CustomerHasOpenMatters)
    held.do(BindPaymentMethod(new_id(PAYMENT_METHOD), "bob", Method("card", "tok_approved")))
    assert isinstance(held.ask(EraseCustomer("bob", "x", "y")).refusal, CustomerHasOpenMatters)
    held.do(ERASE)


def test_the_key_goes_with_the_event_and_nothing_can_begin_any_more(held: Pen, database: Database, book: str) -> None:
    held.do(ANN)
    assert subjects(database, book) == ["customer/ann"]
    first = held.do(ERASE)
    assert subjects(database, book) == []
    again = held.do(ERASE)
    assert again.body == first.body
    with database.connect() as connection:
        log = read_log(connection, book)
    assert [type(recorded.event) for recorded in log] == [CustomerCreated, CustomerErased]
    created = log[0].event
    assert isinstance(created, CustomerCreated)
    assert "Ann" not in str(created)
    keeper = Keeper(VAULT, book)
    with database.connect() as connection:
        keeper.read(connection, ["customer/ann"])
    assert keeper.opened(created) == CustomerCreated("ann", "[erased]", {"email": "[erased]"})
    assert isinstance(held.ask(ANN).refusal, IdExistsDifferent)
    assert isinstance(held.ask(OpenWallet("ann", "EUR")).refusal, CustomerNotFound | CustomerUnknown)


def test_what_is_refused_leaves_no_key_and_what_is_erased_at_once_neither(
    held: Pen, database: Database, book: str
) -> None:
    both = [part(CreateCustomer("eve", "Eve")), part(OpenWallet("nobody", "EUR"))]
    assert [answer.refusal is None for answer in held.submit(both, atomic=True)()] == [True, False]
    assert subjects(database, book) == []
    held.submit([part(ANN), part(ERASE), part(CreateCustomer("bob", "Bob"))])()
    assert subjects(database, book) == ["customer/bob"]


def test_an_erasure_that_is_taken_back_keeps_the_key(held: Pen, database: Database, book: str) -> None:
    held.do(ANN)
    held.submit([part(ERASE), part(OpenWallet("nobody", "EUR"))], atomic=True)()
    assert subjects(database, book) == ["customer/ann"]


def test_an_answer_is_kept_sealed_and_told_again_as_it_was(held: Pen, database: Database, book: str) -> None:
    first = held.do(ANN, key="create-ann")
    again = held.do(ANN, key="create-ann")
    assert b"Ann Shirley" in first.body
    assert b"Ann Shirley" not in again.body
    keeper = Keeper(VAULT, book)
    with database.connect() as connection:
        keeper.read(connection, ["customer/ann"])
        assert keeper.known["customer/ann"] is not None
        keys = {"customer/ann": keeper.known["customer/ann"] or b""}
        assert VAULT.opened_with(book, again.body, keys) == first.body


# What they record tells nothing of persons: runs and matches, entries of files.
_WITHOUT_A_VAULT = {
    "api/cli/importing.py",
    "api/cli/reconciled.py",
    "commands/processes/reconciliation_runs.py",
    "api/cli/log_keys.py",
}


def test_whoever_records_what_is_personal_has_a_vault() -> None:
    without = {
        file.relative_to(ROOT).as_posix()
        for folder in ("api", "commands")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"Handler\(Appender\([^()]*\), DECIDERS\)", file.read_text())
    }
    assert without <= _WITHOUT_A_VAULT
