"""Code sender: for every book, takes one-time codes out of the outbox and has them brought to their payers.

A code's life here: waits ──▶ its row locked while a messenger is on the way ──▶ taken: the row is blotted out, and
stays until the code's time is over, so that it is not put in again ──▶ forgotten. Not taken: tried again, later and
later, until its time is over. Killed in between, the lock is gone and whoever comes next sends it once more.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from commands.letters import Letter, letter_with_code
from commands.notifying import OneTimeCode
from commands.processes.books import TROUBLE, Book, for_each_book, wait_for
from commands.processes.messengers import RECIPIENT, Kind, Messenger, address_of
from ledger.events.customers import CustomerCreated, customer_stream
from ledger.events.merchants import MerchantCreated, merchant_stream
from ledger.languages import language_for
from ledger.money import Money
from ledger.payment import REQUIRES_ACTION
from ledger.payment_state import fold
from ledger.store import read
from ledger.store.connection import Database, in_book
from ledger.store.vault import Vault

logger = logging.getLogger(__name__)

SETTINGS: Mapping[Kind, str] = {"email": "LEDGER_EMAIL_URL", "phone": "LEDGER_SMS_URL"}
"""Which variable of the environment says how each kind of address is reached."""

SENT_AT_ONCE = 8
_LOOK_S = 0.3
# Where nothing can be sent, or nobody has asked for a code, they are only forgotten when their time is over.
_LOOK_AT_REST_S = 5.0
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_KEPT_IN_MIND = timedelta(hours=1)
_LANGUAGE = "language"

_FORGET = """
DELETE FROM {schema}.one_time_codes
 WHERE payment IN (SELECT payment FROM {schema}.one_time_codes WHERE expires_at <= now() FOR UPDATE SKIP LOCKED)
RETURNING payment, code <> ''
"""
_WAITING = """
SELECT payment FROM {schema}.one_time_codes
 WHERE code <> '' AND expires_at > now() AND payment <> ALL(%s)
 ORDER BY expires_at
 LIMIT %s
"""
_TAKE = """
SELECT payment, recipient, code, expires_at FROM {schema}.one_time_codes
 WHERE payment = %s AND code <> '' AND expires_at > now()
   FOR UPDATE SKIP LOCKED
"""
_BLOT_OUT = "UPDATE {schema}.one_time_codes SET recipient = '', code = '', sent_at = now() WHERE payment = %s"
# As long as the slowest service may take; other transactions of ours never rest.
_MAY_REST = "SET LOCAL idle_in_transaction_session_timeout = '120s'"


class _Waiting(msgspec.Struct):
    """A code that could not be sent, and when it is tried again, on the loop's clock."""

    tries: int
    until_s: float
    expires_at: datetime


class CodeSender:
    """Sends the codes of all books of one process. One for an event loop; closed at its end."""

    def __init__(
        self, pool: AsyncConnectionPool, messengers: Mapping[Kind, Messenger], vault: Vault | None = None
    ) -> None:
        self._pool, self._messengers, self._vault = pool, messengers, vault
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._sending: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Let what is under way end: it ends in the time that a service is given."""
        await asyncio.gather(*self._sending.values())

    async def look(self, book: str) -> None:
        """Forget what is over, and begin to send what is due."""
        async with self._pool.connection() as connection:
            for payment, unsent in await (await connection.execute(in_book(_FORGET, book))).fetchall():
                self._waiting.pop((book, payment), None)
                if unsent:
                    logger.warning("the code for the payment %s of %s was not sent in time", payment, book)
            free = SENT_AT_ONCE - len(self._sending)
            if free <= 0:
                return
            passed_over = self._passed_over(book)
            due = await (await connection.execute(in_book(_WAITING, book), (passed_over, free))).fetchall()
        for (payment,) in due:
            task = asyncio.create_task(self._deliver(book, payment))
            self._sending[book, payment] = task
            task.add_done_callback(partial(self._sent, (book, payment)))

    def _sent(self, key: tuple[str, str], _: asyncio.Task[None]) -> None:
        self._sending.pop(key, None)

    def _passed_over(self, book: str) -> list[str]:
        now_s, now = asyncio.get_running_loop().time(), datetime.now(UTC)
        # Those that another process has sent meanwhile are not heard of again.
        self._waiting = {key: found for key, found in self._waiting.items() if found.expires_at > now}
        waiting = [key for key, found in self._waiting.items() if found.until_s > now_s]
        return [payment for of, payment in [*waiting, *self._sending] if of == book]

    async def _deliver(self, book: str, payment: str) -> None:
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(_MAY_REST)
                row = await (await connection.execute(in_book(_TAKE, book), (payment,))).fetchone()
                # Without a row somebody else has it.
                if row is not None and await self._is_done_with(connection, book, OneTimeCode(*row)):
                    await connection.execute(in_book(_BLOT_OUT, book), (payment,))
                    self._waiting.pop((book, payment), None)
        except TROUBLE as trouble:
            logger.warning("the code for %s waits for the database: %s", payment, type(trouble).__name__)
        except Exception:
            # One that cannot be sent keeps no other from being sent.
            logger.exception("the code for the payment %s of %s failed", payment, book)
            self._put_off(book, payment, datetime.now(UTC) + _KEPT_IN_MIND)

    async def _is_done_with(self, connection: AsyncConnection[Any], book: str, code: OneTimeCode) -> bool:
        """Whether the code is sent, or will never be needed."""
        recipient = code.recipient
        if self._vault is not None:
            recipient = await self._vault.opened_value(connection, book, recipient)
        reached = address_of(recipient)
        if reached is None:
            logger.warning("the code for the payment %s of %s has nowhere to go", code.payment, book)
            return True
        kind, address = reached
        messenger = self._messengers.get(kind)
        if messenger is None:
            logger.warning("the code for the payment %s of %s stays here: no %s", code.payment, book, SETTINGS[kind])
            self._put_off(book, code.payment, code.expires_at, _whole(code.expires_at, timedelta(seconds=1)))
            return False
        letter = await _letter(connection, book, code, self._vault)
        if letter is None:
            return True
        if await messenger.send(address, letter):
            return True
        pause_s = self._put_off(book, code.payment, code.expires_at)
        logger.warning("the code for the payment %s of %s is sent again in %d s", code.payment, book, pause_s)
        return False

    def _put_off(self, book: str, payment: str, expires_at: datetime, pause_s: float | None = None) -> float:
        """Try again after this time, or after twice the time before."""
        before = self._waiting.get((book, payment))
        tries = 1 if before is None else before.tries + 1
        pause_s = pause_s or min(_FIRST_PAUSE_S * 2 ** (tries - 1), _LONGEST_PAUSE_S)
        until_s = asyncio.get_running_loop().time() + pause_s
        self._waiting[book, payment] = _Waiting(tries, until_s, expires_at)
        return pause_s


async def _letter(
    connection: AsyncConnection[Any], book: str, code: OneTimeCode, vault: Vault | None = None
) -> Letter | None:
    """What the payer is to read; None when nobody waits for his code any more."""
    payment = fold(await read.stream(connection, book, code.payment))
    if payment is None or payment.challenge is None or payment.status != REQUIRES_ACTION:
        return None
    created = payment.created
    merchant = await read.event(connection, book, merchant_stream(created.merchant), 1)
    customer = await read.event(connection, book, customer_stream(created.customer), 1) if created.customer else None
    known = customer.event.metadata if customer and isinstance(customer.event, CustomerCreated) else {}
    if vault is not None:
        known = await vault.opened_value(connection, book, known)
    name = merchant.event.name if merchant and isinstance(merchant.event, MerchantCreated) else created.merchant
    # What he reads now, before what was once noted of him.
    language = language_for(created.client.get(_LANGUAGE) or known.get(_LANGUAGE, ""))
    minutes = _whole(code.expires_at, timedelta(minutes=1))
    return letter_with_code(language, code.code, Money(created.amount, created.currency), name, minutes)


def _whole(until: datetime, unit: timedelta) -> int:
    """How many of these units there are until then, at least one."""
    return max(1, (until - datetime.now(UTC)) // unit)


async def run_codes(
    database: Database, urls: Mapping[Kind, str | None], stop: asyncio.Event, vault: Vault | None = None
) -> None:
    """Send the codes of all books, also of those that are made meanwhile, until `stop` is set. A bug ends it.

    A kind of address without a URL is not sent to: its codes stay in the outbox until their time is over.
    """
    messengers = [Messenger(kind, url, SENT_AT_ONCE) for kind, url in urls.items() if url]
    usable = {one.kind: one for one in messengers if await one.is_usable()}
    for one in messengers:
        if one.kind not in usable:
            logger.error("%s is no URL of apprise with %s in it: nothing is sent", SETTINGS[one.kind], RECIPIENT)
    pool = database.pool(size=SENT_AT_ONCE + 1)
    await pool.open()
    sender = CodeSender(pool, usable, vault)
    look_s = _LOOK_S if usable else _LOOK_AT_REST_S
    try:
        await for_each_book(database, (partial(_watch, sender, look_s),), stop)
    finally:
        await sender.close()
        for one in messengers:
            one.close()
        await pool.close()


async def _watch(sender: CodeSender, look_s: float, book: Book) -> None:
    # A code comes together with the event that asks for it.
    book.grown.clear()
    await sender.look(book.name)
    await wait_for(book.grown, book.pause_s(look_s, _LOOK_AT_REST_S))
