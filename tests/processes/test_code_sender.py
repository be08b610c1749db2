"""The code sender: every code reaches its payer, by a real mail server and a real provider, and stays nowhere else."""

import asyncio
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import pytest

from commands.cancellations import CancelPayment
from commands.customers import CreateCustomer
from commands.letters import letter_with_code
from commands.merchants import CreateMerchant
from commands.notifying import OneTimeCode, put_into_outbox
from commands.payments import CreatePayment
from commands.processes.code_sender import run_codes
from commands.processes.messengers import Kind, Messenger, address_of
from commands.risk_rules import ChangeRiskRules
from commands.risk_signals import RiskSignals
from ledger.events.merchants import FeeTerms
from ledger.events.payments import Method
from ledger.events.risk import RiskPolicy, RiskRule
from ledger.ids import PAYMENT, new_id
from ledger.money import Money
from ledger.store.connection import Database, in_book
from tests.postmen import MailServer, TextProvider, wait_until
from tests.writing import Pen, body_of

MAIL, PHONE, CODE = "ann@example.org", "+4915112345678", "271828"
IN_TIME = timedelta(minutes=10)


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def texts() -> Iterator[TextProvider]:
    with TextProvider() as provider:
        yield provider


class Outbox:
    """A book in which every payment is challenged, and its codes."""

    def __init__(self, database: Database, book: str) -> None:
        self.database, self.book = database, book
        self.pen = Pen(database, book)
        self.pen.do(CreateMerchant("acme", "Acme", FeeTerms(200, 10), "EUR"))
        self.pen.do(ChangeRiskRules((RiskRule("all", "amount > 0", "challenge"),), RiskPolicy()))

    def challenged(self, **more: Any) -> str:
        """A payment whose payer is asked for a code."""
        client = {"email": MAIL, **more.pop("client", {})}
        order = CreatePayment(
            new_id(PAYMENT),
            "acme",
            6_000,
            "EUR",
            "quick_pay",
            Method("card", "tok_approved"),
            order_reference="order-1",
            client=client,
            risk=RiskSignals(proof="a proof"),
            **more,
        )
        answer = self.pen.do(order)
        assert body_of(answer)["status"] == "requires_action"
        return order.id

    def put(self, payment: str, recipient: str = MAIL, code: str = CODE, lasts: timedelta = IN_TIME) -> None:
        async def put() -> None:
            async with await self.database.connect_async() as connection:
                told = OneTimeCode(payment, recipient, code, datetime.now(UTC) + lasts)
                await put_into_outbox(connection, self.book, told)

        asyncio.run(put())

    def rows(self) -> list[tuple[Any, ...]]:
        """(recipient, code, whether it was sent) of all that are known."""
        return self.sql("SELECT recipient, code, sent_at IS NOT NULL FROM {schema}.one_time_codes")

    def sql(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        with self.database.owner() as connection:
            cursor = connection.execute(in_book(statement, self.book))
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def sending(self, *, email: str | None = None, phone: str | None = None) -> Iterator[None]:
        """A sender runs for the length of the block, and does not break."""
        urls: dict[Kind, str | None] = {"email": email, "phone": phone}
        started, held = threading.Event(), dict[str, Any]()

        async def send() -> None:
            held["loop"], held["stop"] = asyncio.get_running_loop(), asyncio.Event()
            started.set()
            await run_codes(self.database, urls, held["stop"])

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


SENT = [("", "", True)]


@pytest.fixture
def outbox(own_database: Database, own_book: str) -> Iterator[Outbox]:
    made = Outbox(own_database, own_book)
    yield made
    made.pen.stop()


def test_a_code_arrives_by_mail_and_is_blotted_out(outbox: Outbox, mails: MailServer) -> None:
    payment = outbox.challenged()
    outbox.put(payment)
    with outbox.sending(email=mails.url):
        (mail,) = mails.wait_for(1)
        wait_until(lambda: outbox.rows() == SENT)
        # Handed over again, as after every look at the payment, it is not sent again.
        outbox.put(payment)
        time.sleep(1)
    assert len(mails.received) == 1
    assert outbox.rows() == SENT
    assert mail.to == (MAIL,)
    assert mail.message["from"].addresses[0].addr_spec == "pay@ledger.example"
    assert mail.message["subject"] == "Confirm your payment of 60.00 EUR to Acme"
    assert mail.text.startswith(f"{CODE} is your code for paying 60.00 EUR to Acme. It is valid for 9 minutes.")


def test_a_code_arrives_by_telephone(outbox: Outbox, texts: TextProvider) -> None:
    outbox.put(outbox.challenged(), "+49 151 (1234) 5678")
    with outbox.sending(phone=texts.url):
        (text,) = texts.wait_for(1)
        wait_until(lambda: outbox.rows() == SENT)
    assert text["to"] == PHONE
    assert text["message"].startswith(f"{CODE} is your code")
    assert text["title"] == ""


@pytest.mark.parametrize(
    ("client", "metadata", "chinese"),
    [
        ({"language": "zh-CN,zh;q=0.9,en;q=0.5"}, {}, True),
        ({}, {"language": "zh"}, True),
        ({"language": "en-GB"}, {"language": "zh"}, False),
        ({}, {}, False),
    ],
)
def test_the_payer_reads_his_own_language(
    outbox: Outbox, mails: MailServer, client: dict[str, str], metadata: dict[str, str], chinese: bool
) -> None:
    outbox.pen.do(CreateCustomer("ann", metadata={**metadata, "email": MAIL}))
    outbox.put(outbox.challenged(customer="ann", client=client))
    with outbox.sending(email=mails.url):
        (mail,) = mails.wait_for(1)
    if chinese:
        assert mail.message["subject"] == "确认向 Acme 支付 60.00 EUR"
        assert mail.text.startswith(f"验证码 {CODE}，用于确认向 Acme 支付 60.00 EUR，9 分钟内有效。")
    else:
        assert mail.text.startswith(f"{CODE} is your code")


def test_what_is_refused_is_sent_again_later_and_later(outbox: Outbox, mails: MailServer) -> None:
    mails.refusals.extend(["451 greylisted", "451 greylisted"])
    outbox.put(outbox.challenged())
    with outbox.sending(email=mails.url):
        (mail,) = mails.wait_for(1)
        wait_until(lambda: outbox.rows() == SENT)
    first, second = mails.refused_at_s
    assert 0.9 < second - first < mail.at_s - second


def test_a_provider_that_is_away_is_asked_again_and_keeps_no_mail_from_being_sent(
    outbox: Outbox, mails: MailServer, texts: TextProvider
) -> None:
    texts.answers.extend([503])
    outbox.put(outbox.challenged(), PHONE)
    outbox.put(outbox.challenged())
    with outbox.sending(email=mails.url, phone=texts.url):
        mails.wait_for(1)
        texts.wait_for(1)
        wait_until(lambda: outbox.rows() == SENT * 2)


def test_a_code_whose_time_is_over_is_forgotten_unsent(
    outbox: Outbox, mails: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    payment = outbox.challenged()
    outbox.put(payment, lasts=-timedelta(seconds=1))
    with outbox.sending(email=mails.url):
        wait_until(lambda: outbox.rows() == [])
    assert mails.received == []
    assert f"the code for the payment {payment} of {outbox.book} was not sent in time" in caplog.text


def test_one_that_was_sent_is_forgotten_when_its_time_is_over(outbox: Outbox, mails: MailServer) -> None:
    outbox.put(outbox.challenged(), lasts=timedelta(seconds=2))
    with outbox.sending(email=mails.url):
        wait_until(lambda: outbox.rows() == SENT)
        wait_until(lambda: outbox.rows() == [])


def test_without_a_way_to_send_it_a_code_stays_and_the_log_says_so(
    outbox: Outbox, mails: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    telephoned, mailed = outbox.challenged(), outbox.challenged()
    outbox.put(telephoned, PHONE)
    outbox.put(mailed)
    with outbox.sending(email=mails.url):
        mails.wait_for(1)
        wait_until(lambda: "LEDGER_SMS_URL" in caplog.text)
        time.sleep(1)
    assert (PHONE, CODE, False) in outbox.rows()
    said = [line for line in caplog.messages if "LEDGER_SMS_URL" in line]
    assert said == [f"the code for the payment {telephoned} of {outbox.book} stays here: no LEDGER_SMS_URL"]


@pytest.mark.parametrize("url", ["mailto://127.0.0.1:25?to=ann@example.org", "nothing://{recipient}"])
def test_a_url_that_cannot_be_used_is_told_and_stops_nothing_else(
    outbox: Outbox, texts: TextProvider, caplog: pytest.LogCaptureFixture, url: str
) -> None:
    outbox.put(outbox.challenged(), PHONE)
    with outbox.sending(email=url, phone=texts.url):
        texts.wait_for(1)
    assert "LEDGER_EMAIL_URL is no URL of apprise with {recipient} in it" in caplog.text


def test_a_url_without_a_place_for_the_recipient_is_not_used(
    outbox: Outbox, texts: TextProvider, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.put(outbox.challenged(), PHONE)
    with outbox.sending(phone=texts.url.replace("{recipient}", PHONE)):
        wait_until(lambda: "stays here: no LEDGER_SMS_URL" in caplog.text)
    assert texts.received == []
    assert "LEDGER_SMS_URL is no URL of apprise" in caplog.text


def test_a_code_that_nobody_waits_for_is_not_sent(outbox: Outbox, mails: MailServer) -> None:
    canceled, waiting = outbox.challenged(), outbox.challenged()
    outbox.pen.do(CancelPayment(canceled))
    outbox.put(canceled, code="314159", lasts=IN_TIME / 2)
    outbox.put(waiting)
    with outbox.sending(email=mails.url):
        (mail,) = mails.wait_for(1)
        wait_until(lambda: outbox.rows() == SENT * 2)
    assert CODE in mail.text


def test_several_senders_send_a_code_once(outbox: Outbox, mails: MailServer) -> None:
    for _ in range(5):
        outbox.put(outbox.challenged())
    mails.open.clear()
    with outbox.sending(email=mails.url), outbox.sending(email=mails.url):
        time.sleep(1)
        mails.open.set()
        wait_until(lambda: outbox.rows() == SENT * 5)
    assert len(mails.received) == 5


def test_a_sender_that_is_lost_on_the_way_is_followed_by_another(outbox: Outbox, mails: MailServer) -> None:
    """Its transaction is gone, as when the process is killed: the code is sent twice rather than never."""
    outbox.put(outbox.challenged())
    mails.open.clear()
    on_the_way: LiteralString = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = "
    with outbox.sending(email=mails.url):
        wait_until(lambda: outbox.sql(on_the_way + "current_database()") != [])
        outbox.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE state = 'idle in transaction' AND datname = current_database()"
        )
        mails.open.set()
        wait_until(lambda: outbox.rows() == SENT)
    assert len(mails.received) == 2


def test_no_log_tells_a_code_or_an_address(
    outbox: Outbox, mails: MailServer, texts: TextProvider, caplog: pytest.LogCaptureFixture
) -> None:
    mails.refusals.append("550 no")
    texts.answers.append(500)
    with caplog.at_level(logging.DEBUG):
        outbox.put(outbox.challenged(), PHONE)
        outbox.put(outbox.challenged(), "ann@@example")
        outbox.put(outbox.challenged())
        with outbox.sending(email=mails.url, phone=texts.url):
            mails.wait_for(1)
            texts.wait_for(1)
            wait_until(lambda: outbox.rows() == [*SENT * 3])
    ours = "\n".join(line.getMessage() for line in caplog.records if not line.name.startswith("mail."))
    assert "is sent again in" in ours
    assert "has nowhere to go" in ours
    assert "error=500" in ours, "why a provider refused is told"
    # At DEBUG they tell whole letters, in more shapes than can be looked for.
    theirs = [line.levelno for line in caplog.records if line.name.startswith(("apprise", "urllib3"))]
    assert min(theirs) >= logging.WARNING
    for secret in (CODE, MAIL, PHONE, PHONE[1:], "ann%40", "ann@@"):
        assert secret not in ours


def test_a_letter_does_not_show_itself() -> None:
    letter = letter_with_code("en", CODE, Money(6_000, "EUR"), "Acme", 1)
    assert CODE not in repr(letter)
    assert CODE not in letter.title
    assert "valid for 1 minute." in letter.body


@pytest.mark.parametrize(
    ("recipient", "reached"),
    [
        ("ann@example.org", ("email", "ann@example.org")),
        ("ann+pay@mail.example.org", ("email", "ann+pay@mail.example.org")),
        ("+49 (0)30 90-18.20", ("phone", "+4930901820")),
        ("0309018201", ("phone", "0309018201")),
        ("(0)30 9018201", ("phone", "0309018201")),
        # Neither nobody, nor two at once, nor what a URL or a mail server would read in another way.
        ("", None),
        ("ann@example.org,eve@example.org", None),
        ("ann@example.org;eve@example.org", None),
        ("ann@example.org eve@example.org", None),
        ("Ann <ann@example.org>", None),
        ("ann%2Ceve@example.org", None),
        ("ann@example.org\nBcc: eve@example.org", None),
        ("ann@example.org?bcc=eve", None),
        ("ann@localhost", None),
        ("o'hara@example.org", None),
        (f"{'a' * 60}@{'b' * 63}.{'c' * 63}.{'d' * 63}.example", None),
        ("+4915112345678,+4915112345679", None),
        ("+49151/../../x", None),
        ("1234", None),
        ("\uff11\uff12\uff13\uff14\uff15\uff16", None),
    ],
)
def test_a_letter_goes_to_one_address_or_nowhere(recipient: str, reached: tuple[str, str] | None) -> None:
    assert address_of(recipient) == reached


@pytest.mark.parametrize("local", ["ann", "ann+pay", "a.b-c_d", *(f"a{sign}b" for sign in "!#$&*+-/=?^_`{|}~.'")])
def test_an_address_reaches_the_server_as_it_is_or_is_not_written_to(mails: MailServer, local: str) -> None:
    """Some of what may stand in an address has another meaning to the library: nobody else may get the code."""
    address = f"{local}@example.org"

    async def send() -> bool:
        messenger = Messenger("email", mails.url)
        try:
            return await messenger.send(address, letter_with_code("en", CODE, Money(1, "EUR"), "Acme", 9))
        finally:
            messenger.close()

    taken = asyncio.run(send())
    assert [mail.to for mail in mails.received] == ([(address,)] if taken else [])
    if local.replace("+", "").replace("_", "").replace("-", "").replace(".", "").isalnum():
        assert taken


def test_the_library_is_loaded_only_where_something_is_sent() -> None:
    program = "import api.cli.working, api.app, sys; sys.exit('apprise' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
