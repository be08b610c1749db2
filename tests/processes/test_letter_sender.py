"""The letter sender: payers hear by a real mail server that they paid and have money back, once, and only if wished."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import pytest

from commands.customers import CreateCustomer, OpenWallet
from commands.letters import letter_of_payment, letter_of_refund
from commands.merchants import CreateMerchant
from commands.payer_letters import SwitchPayerLetters
from commands.payments import CreatePayment
from commands.processes import letters_owed
from commands.processes.letter_sender import run_letters
from commands.processes.messengers import Kind
from commands.refunds import RequestRefund
from commands.top_ups import RecordTopUpResult, RequestTopUp
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Method
from ledger.ids import PAYMENT, new_id
from ledger.languages import Language
from ledger.money import Money
from ledger.store.connection import Database, in_book
from tests.commands.stories import CHANNEL, charged
from tests.postmen import Mail, MailServer, wait_until
from tests.writing import Pen, body_of

MAIL = "ann@example.org"


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


class Shop:
    """A book with a merchant, whose payers pay from their wallets: at once, and without a channel."""

    def __init__(self, database: Database, book: str) -> None:
        self.database, self.book = database, book
        self.pen = Pen(database, book)
        self.pen.do(CreateMerchant("acme", "Acme", FeeTerms(0, 0), "EUR"))

    def wish(self, to_payers: bool = True) -> None:
        self.pen.do(SwitchPayerLetters("acme", to_payers))

    def customer(self, name: str, **metadata: str) -> str:
        """Somebody with 1,000.00 in a wallet."""
        top_up = f"top_{name}"
        self.pen.do(CreateCustomer(name, name.title(), metadata))
        self.pen.do(OpenWallet(name, "EUR"))
        self.pen.do(RequestTopUp(top_up, name, 100_000, "EUR", Method("card", "tok_approved")))
        self.pen.do(RecordTopUpResult(f"{top_up}-1", CHANNEL, charged(100_000, f"ch_{name}")))
        return name

    def pay(self, customer: str, amount: int = 6_000, order: str = "order-1", **client: str) -> str:
        name = new_id(PAYMENT)
        wallet = Method("wallet")
        order_ = CreatePayment(name, "acme", amount, "EUR", "balance_pay", wallet, order, customer, client=client)
        assert body_of(self.pen.do(order_))["status"] == "succeeded"
        return name

    def refund(self, payment: str, amount: int) -> str:
        refund = body_of(self.pen.do(RequestRefund(payment, amount, "Came broken")))
        assert refund["status"] == "succeeded"
        return str(refund["id"])

    def rows(self) -> dict[str, str]:
        """The state of each letter by what it is about."""
        return dict(self.sql("SELECT subject, state FROM {schema}.payer_letters"))

    def has_read_all(self) -> bool:
        statement: LiteralString = (
            "SELECT (SELECT position FROM {schema}.process_checkpoints WHERE process = 'payer_letters')"
            " = (SELECT position FROM {schema}.log_head)"
        )
        return bool(self.sql(statement)[0][0])

    def sql(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        with self.database.owner() as connection:
            cursor = connection.execute(in_book(statement, self.book))
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def sending(self, email: str | None) -> Iterator[None]:
        """A sender runs for the length of the block, and does not break."""
        urls: dict[Kind, str | None] = {"email": email, "phone": None}
        started, held = threading.Event(), dict[str, Any]()

        async def send() -> None:
            held["loop"], held["stop"] = asyncio.get_running_loop(), asyncio.Event()
            started.set()
            await run_letters(self.database, urls, held["stop"])

        def run() -> None:
            try:
                asyncio.run(send())
            except BaseException as error:
                held["error"] = error

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert started.wait(10)
        try:
            yield
        finally:
            if thread.is_alive():
                held["loop"].call_soon_threadsafe(held["stop"].set)
            thread.join(30)
        assert not thread.is_alive(), "the sender does not stop"
        if "error" in held:
            raise held["error"]


@pytest.fixture
def shop(own_database: Database, own_book: str) -> Iterator[Shop]:
    made = Shop(own_database, own_book)
    yield made
    made.pen.stop()


def subject(mail: Mail) -> str:
    return str(mail.message["subject"])


def test_a_payer_hears_that_he_paid_and_that_he_has_money_back(shop: Shop, mails: MailServer) -> None:
    shop.wish()
    payment = shop.pay(shop.customer("ann", email=MAIL))
    with shop.sending(mails.url):
        (paid,) = mails.wait_for(1)
        assert (paid.to, subject(paid)) == ((MAIL,), "You paid 60.00 EUR to Acme")
        assert "Order: order-1." in paid.text
        shop.refund(payment, 2_000)
        _, first = mails.wait_for(2)
        assert (first.to, subject(first)) == ((MAIL,), "Acme refunded 20.00 EUR to you")
        shop.refund(payment, 500)
        *_, second = mails.wait_for(3)
        assert subject(second) == "Acme refunded 5.00 EUR to you"
        wait_until(lambda: set(shop.rows().values()) == {"sent"})
    assert len(shop.rows()) == 3


def test_the_letter_is_in_the_language_of_its_payer(shop: Shop, mails: MailServer) -> None:
    shop.wish()
    ann = shop.customer("ann", email=MAIL, language="zh-CN")
    shop.pay(ann, order="order-1")
    shop.pay(ann, 100, order="order-2", language="en")
    with shop.sending(mails.url):
        both = {subject(mail) for mail in mails.wait_for(2)}
    assert both == {"已向 Acme 支付 60.00 EUR", "You paid 1.00 EUR to Acme"}


def test_nobody_is_written_to_unasked_and_nothing_is_told_of_before_or_after(shop: Shop, mails: MailServer) -> None:
    ann = shop.customer("ann", email=MAIL)
    before = shop.pay(ann)
    shop.wish()
    wished = shop.pay(ann)
    shop.wish(False)
    shop.pay(ann)
    with shop.sending(mails.url):
        wait_until(lambda: shop.rows() == {wished: "sent"})
        # What happens from then on counts, also to a payment that is older.
        shop.wish()
        refund = shop.refund(before, 100)
        wait_until(lambda: shop.rows() == {wished: "sent", refund: "sent"})
    assert len(mails.received) == 2


def test_who_has_no_address_is_not_written_to(shop: Shop, mails: MailServer) -> None:
    shop.wish()
    nowhere = [shop.pay(shop.customer("bob")), shop.pay(shop.customer("cyd", email="not an address"))]
    known = shop.pay("bob", email=MAIL)
    with shop.sending(mails.url):
        wait_until(lambda: shop.rows() == {**dict.fromkeys(nowhere, "nowhere"), known: "sent"})
    assert [mail.to for mail in mails.received] == [(MAIL,)]


def test_a_letter_that_is_not_taken_comes_again_and_is_given_up_one_day(
    shop: Shop, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters_owed, "PAUSES_S", (0, 0))
    mails.refusals.extend(["451 later", "451 later"])
    shop.wish()
    ann = shop.customer("ann", email=MAIL)
    first = shop.pay(ann)
    with shop.sending(mails.url):
        wait_until(lambda: shop.rows() == {first: "sent"})
        mails.refusals.extend(["550 never"] * 3)
        second = shop.pay(ann)
        wait_until(lambda: shop.rows() == {first: "sent", second: "dead"})
    assert (len(mails.received), len(mails.refused_at_s)) == (1, 5)


def test_a_letter_whose_sender_died_is_sent_by_the_next_one_and_no_other_is_doubled(
    shop: Shop, mails: MailServer
) -> None:
    shop.wish()
    payment = shop.pay(shop.customer("ann", email=MAIL))

    async def claimed() -> None:
        async with await shop.database.connect_async() as connection:
            await letters_owed.follow(connection, shop.book)  # The switch.
            await letters_owed.follow(connection, shop.book)
            (owed,) = await letters_owed.claim(connection, shop.book, limit=5, lease_s=1)
            assert owed.subject == payment
            assert await letters_owed.claim(connection, shop.book, limit=5, lease_s=1) == []

    asyncio.run(claimed())
    with shop.sending(mails.url), shop.sending(mails.url):
        mails.wait_for(1)
        wait_until(lambda: shop.rows() == {payment: "sent"})
        time.sleep(1.5)
    # From the beginning of the log once more: what is known is not owed again.
    shop.sql("UPDATE {schema}.process_checkpoints SET position = 0 WHERE process = 'payer_letters'")
    with shop.sending(mails.url):
        wait_until(shop.has_read_all)
        time.sleep(1.5)
    assert len(mails.received) == 1


def test_what_happened_long_ago_is_no_news(shop: Shop, mails: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters_owed, "FRESH_FOR", letters_owed.FRESH_FOR * 0)
    shop.wish()
    shop.pay(shop.customer("ann", email=MAIL))
    with shop.sending(mails.url):
        wait_until(shop.has_read_all)
    assert (shop.rows(), mails.received) == ({}, [])


@pytest.mark.parametrize("email", [None, "nonsense://{recipient}", "json://localhost"])
def test_without_a_mail_server_nothing_is_read_and_nothing_breaks(shop: Shop, email: str | None) -> None:
    shop.wish()
    shop.pay(shop.customer("ann", email=MAIL))
    with shop.sending(email):
        time.sleep(0.3)
    assert shop.rows() == {}


@pytest.mark.parametrize(("language", "part"), [("en", "order-1"), ("zh", "订单号：order-1")])
def test_every_letter_names_the_amount_the_merchant_and_the_order(language: Language, part: str) -> None:
    for write in (letter_of_payment, letter_of_refund):
        letter = write(language, Money(6_000, "EUR"), "Acme", "order-1")
        assert all(told in letter.title for told in ("60.00 EUR", "Acme"))
        assert all(told in letter.body for told in ("60.00 EUR", "Acme", part))
        assert repr(letter) == "Letter(…)"
