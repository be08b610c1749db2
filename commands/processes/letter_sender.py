"""Letter sender: for every book, follows the log into the list of letters to payers, and sends what is due by e-mail.

A letter's life here: claimed ──▶ written from the log as it stands ──▶ taken by the mail server: sent; not taken: due
again, later and later, for a day. Killed in between, it is claimed again when its lease has run out, and may then come
a second time: a letter comes at least once, and never for what was told of already.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from commands.letters import Letter, letter_of_payment, letter_of_refund
from commands.processes import letters_owed
from commands.processes.books import TROUBLE, Book, for_each_book, wait_for
from commands.processes.letters_owed import Outcome, Owed
from commands.processes.messengers import RECIPIENT, Kind, Messenger, address_of
from ledger.events.customers import CustomerCreated, customer_stream
from ledger.events.merchants import MerchantCreated, merchant_stream
from ledger.languages import language_for
from ledger.money import Money
from ledger.payment_state import fold
from ledger.store import read
from ledger.store.connection import Database
from ledger.store.vault import Vault

logger = logging.getLogger(__name__)

SENT_AT_ONCE = 4
_LOOK_S = 1.0
# A letter that was not taken waits for seconds at first.
_LOOK_AT_REST_S = 5.0
# Longer than a mail server may take for a letter.
_LEASE_S = 60.0
_LANGUAGE, _EMAIL = "language", "email"


class LetterSender:
    """Sends the letters of all books of one process."""

    def __init__(self, pool: AsyncConnectionPool, messenger: Messenger, vault: Vault | None = None) -> None:
        self._pool, self._messenger, self._vault = pool, messenger, vault
        self._read_until: dict[str, int] = {}

    def begin_anew(self) -> None:
        """The database was away, and may come back as an older one."""
        self._read_until.clear()

    async def follow(self, book: str) -> bool:
        """Take what is new into the list; whether there is more."""
        async with self._pool.connection() as connection:
            page = await letters_owed.follow(connection, book, self._read_until.get(book, 0))
        self._read_until[book] = page.position
        return page.more

    async def send_due(self, book: str) -> bool:
        """Send some of what is due; whether there was anything."""
        async with self._pool.connection() as connection:
            due = await letters_owed.claim(connection, book, limit=SENT_AT_ONCE, lease_s=_LEASE_S)
        await asyncio.gather(*(self._deliver(book, owed) for owed in due))
        return bool(due)

    async def _deliver(self, book: str, owed: Owed) -> None:
        try:
            outcome = await self._try(book, owed)
            async with self._pool.connection() as connection:
                await letters_owed.settle(connection, book, owed, outcome)
        except TROUBLE as trouble:
            logger.warning("the letter about %s of %s waits for the database: %s", owed.subject, book, trouble)
        except Exception:
            # One that cannot be written keeps no other from being sent; its lease runs out.
            logger.exception("the letter about %s of %s failed", owed.subject, book)

    async def _try(self, book: str, owed: Owed) -> Outcome:
        async with self._pool.connection() as connection:
            written = await _written(connection, book, owed, self._vault)
        if written is None:
            return "nowhere"
        address, letter = written
        if await self._messenger.send(address, letter):
            return "sent"
        logger.warning("the letter about %s of %s was not taken at try %d", owed.subject, book, owed.tries)
        return "not_taken"


async def _written(
    connection: AsyncConnection[Any], book: str, owed: Owed, vault: Vault | None = None
) -> tuple[str, Letter] | None:
    """Whom the letter goes to and what it says, in the language of its payer; None: he has no e-mail address."""
    payment = fold(await read.stream(connection, book, owed.payment))
    if payment is None:
        raise AssertionError(f"a letter is owed about {owed.payment}, which is not there")
    created = payment.created
    customer = await read.event(connection, book, customer_stream(created.customer), 1) if created.customer else None
    known = customer.event.metadata if customer and isinstance(customer.event, CustomerCreated) else {}
    client = created.client
    if vault is not None:
        known, client = await vault.opened_value(connection, book, (known, client))
    reached = address_of(known.get(_EMAIL) or client.get(_EMAIL, ""))
    if reached is None or reached[0] != "email":
        return None
    merchant = await read.event(connection, book, merchant_stream(created.merchant), 1)
    name = merchant.event.name if merchant and isinstance(merchant.event, MerchantCreated) else created.merchant
    language = language_for(client.get(_LANGUAGE) or known.get(_LANGUAGE, ""))
    refund = next((one for one in payment.refunds if one.id == owed.subject), None)
    if refund is not None:
        given_back = Money(refund.amount - refund.subsidy, created.currency)
        return reached[1], letter_of_refund(language, given_back, name, created.order_reference)
    paid = Money(payment.captured - payment.subsidized, created.currency)
    return reached[1], letter_of_payment(language, paid, name, created.order_reference)


async def run_letters(
    database: Database, urls: Mapping[Kind, str | None], stop: asyncio.Event, vault: Vault | None = None
) -> None:
    """Write to the payers of all books, also of those that are made meanwhile, until `stop` is set. A bug ends it.

    Without a URL for e-mail nothing is read, and nothing is owed.
    """
    url = urls.get("email")
    messenger = Messenger("email", url, SENT_AT_ONCE) if url else None
    if messenger is None or not await messenger.is_usable():
        if messenger is not None:
            logger.error("the URL for e-mail is none of apprise with %s in it: no letter is sent", RECIPIENT)
            messenger.close()
        await stop.wait()
        return
    pool = database.pool(size=SENT_AT_ONCE + 1)
    await pool.open()
    sender = LetterSender(pool, messenger, vault)
    try:
        await for_each_book(database, (partial(_watch, sender),), stop, sender.begin_anew)
    finally:
        messenger.close()
        await pool.close()


async def _watch(sender: LetterSender, book: Book) -> None:
    book.grown.clear()
    more = await sender.follow(book.name)
    more |= await sender.send_due(book.name)
    if not more:
        await wait_for(book.grown, book.pause_s(_LOOK_S, _LOOK_AT_REST_S))
