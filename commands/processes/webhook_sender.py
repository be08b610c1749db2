"""Webhook sender: for every book, follows the log into the list of messages, and sends what is due.

A message's life here: claimed ──▶ sent to an address that was judged ──▶ answered with 2xx: delivered; anything else:
due again, later and later. Killed in between, it is sent again when its lease has run out, under the same id.
"""

import asyncio
import logging
import ssl
from datetime import UTC, datetime
from functools import partial
from math import inf

import httpx2
import psycopg
from psycopg_pool import AsyncConnectionPool

from commands.deciders import DECIDERS
from commands.envelope import Part, own_envelope
from commands.handler import Handler
from commands.processes import webhook_deliveries
from commands.processes.books import Book, for_each_book, wait_for
from commands.processes.webhook_deliveries import Attempt, Message, Page, delivery_id
from commands.submitting import submit
from commands.webhook_addresses import AddressRule, Place
from commands.webhook_headers import HeaderSeal
from commands.webhook_messages import body_of, headers_of, message_id, signing_keys
from commands.webhooks import DisableWebhookEndpoint
from commands.writer import Writers
from ledger.errors import Refusal, UrlNotAllowed
from ledger.store import read
from ledger.store.append import Appender
from ledger.store.connection import Database
from ledger.store.positions import events_at
from ledger.store.vault import Vault

logger = logging.getLogger(__name__)

SENT_AT_ONCE = 32
_TOTAL_S = 10.0
_CONNECT_S = 5.0
_LARGEST_ANSWER = 64 * 1024
_LEASE_S = 30.0
# Hints wake everything here; these are the pauses after which it looks without one, and between looks at a busy book.
_LOOK_S = 2.0
_SHORTEST_PAUSE_S = 0.05
_POOL_SIZE = 3
_GONE = 410


class WebhookSender:
    """Sends the messages of all books of one process. One for an event loop; closed at its end."""

    def __init__(self, pool: AsyncConnectionPool, writers: Writers, pepper: bytes, rule: AddressRule) -> None:
        self._pool, self._writers, self._pepper, self._rule = pool, writers, pepper, rule
        self._seal = HeaderSeal(pepper)
        self._vault = Vault(pepper)
        self._read_until: dict[str, int] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(_TOTAL_S, connect=_CONNECT_S),
            limits=httpx2.Limits(max_connections=SENT_AT_ONCE, max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=False,
            verify=ssl.create_default_context(),
        )

    async def close(self) -> None:
        """Let what is under way end; what is cut off is sent again by whoever comes next."""
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=1)
            for one in late:
                one.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._client.aclose()

    def begin_anew(self) -> None:
        """The database was away, and may come back as an older one."""
        self._read_until.clear()

    async def follow(self, book: str) -> Page:
        """Take what is new into the list."""
        async with self._pool.connection() as connection:
            page = await webhook_deliveries.follow(connection, book, self._read_until.get(book, 0))
        self._read_until[book] = page.position
        return page

    async def send_due(self, book: str) -> float | None:
        """Begin to send what is due; how long until there is more, in seconds."""
        free = SENT_AT_ONCE - len(self._sending)
        if free <= 0:
            await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
            return 0
        async with self._pool.connection() as connection:
            messages = await webhook_deliveries.claim(connection, book, limit=free, lease_s=_LEASE_S)
            to_next = None if messages else await webhook_deliveries.seconds_to_next(connection, book)
        for message in messages:
            task = asyncio.create_task(self._deliver(book, message))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return 0 if messages else to_next

    async def _deliver(self, book: str, message: Message) -> None:
        name = delivery_id(message.endpoint, message.position)
        try:
            attempt = await self._try(book, message)
            done = attempt.status is not None and 200 <= attempt.status < 300
            if attempt.status == _GONE:
                await self._disable(book, message.endpoint)
            async with self._pool.connection() as connection:
                await webhook_deliveries.settle(connection, book, message, attempt, done=done)
        except (psycopg.OperationalError, psycopg.InterfaceError) as trouble:
            logger.warning("the message %s of %s waits for the database: %s", name, book, trouble)
        except Exception:
            logger.exception("the message %s of %s failed", name, book)

    async def _try(self, book: str, message: Message) -> Attempt:
        async with self._pool.connection() as connection:
            (recorded,) = await events_at(connection, book, [message.position])
            history = await read.stream(connection, book, recorded.stream)
            body = body_of(recorded, [fact for fact in history if fact.position <= message.position])
            body = await self._vault.opened(connection, book, body)
        began = datetime.now(UTC)
        keys = signing_keys(self._pepper, book, message.endpoint, message.generation, message.rotated_at, began)
        try:
            own = self._seal.opened(message.headers)
        except ValueError as trouble:
            return Attempt(began, None, f"a header of the endpoint cannot be read: {trouble}", 0)
        headers = headers_of(keys, message_id(book, message.position), began, body, own)
        status, error = await self._post(message.url, headers, body)
        took = datetime.now(UTC) - began
        return Attempt(began, status, error, took.seconds * 1_000 + took.microseconds // 1_000)

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int | None, str | None]:
        """The status of the answer, or what went wrong instead of one."""
        try:
            async with asyncio.timeout(_TOTAL_S):
                place = await self._rule.place_of(url)
                return await self._exchange(place, headers, body), None
        except UrlNotAllowed:
            logger.warning("a webhook address leads to a place that is not allowed: %s", url)
            return None, "the address leads to a place that is not allowed"
        except TimeoutError:
            return None, "no answer in time"
        except (httpx2.HTTPError, OSError) as trouble:
            return None, type(trouble).__name__

    async def _exchange(self, place: Place, headers: dict[str, str], body: bytes) -> int:
        # To the address that was judged, and to no other that the name may have by now.
        bare = f"[{place.address}]" if ":" in place.address else place.address
        named = f"[{place.host}]" if ":" in place.host else place.host
        exchange = self._client.stream(
            "POST",
            f"{place.scheme}://{bare}:{place.port}{place.target}",
            headers=headers | {"host": f"{named}:{place.port}"},
            content=body,
            extensions={"sni_hostname": place.host},
        )
        async with exchange as response:
            read_bytes = 0
            async for chunk in response.aiter_raw():
                read_bytes += len(chunk)
                if read_bytes > _LARGEST_ANSWER:
                    break
            return response.status_code

    async def _disable(self, book: str, endpoint: str) -> None:
        """Whoever answers that it is gone for ever is asked no more."""
        command = DisableWebhookEndpoint(endpoint, "answered 410 Gone")
        envelope = own_envelope(f"webhook_gone/{endpoint}/{datetime.now(UTC):%Y%m%d%H%M%S}", actor="webhooks")
        try:
            answer = await submit(self._writers, book, Part(envelope, command))
        except Refusal as refusal:
            logger.warning("the endpoint %s of %s is not disabled: %s", endpoint, book, refusal.detail)
        else:
            if answer.error is not None:
                raise answer.error


async def run_webhooks(database: Database, pepper: bytes, rule: AddressRule, stop: asyncio.Event) -> None:
    """Tell endpoints of all books, also those that are made meanwhile, until `stop` is set. A bug ends it."""
    writers = Writers(lambda book: Handler(Appender(database, book), DECIDERS, Vault(pepper)))
    pool = database.pool(size=_POOL_SIZE)
    await pool.open()
    sender = WebhookSender(pool, writers, pepper, rule)
    try:
        await for_each_book(database, (partial(_follow, sender), partial(_send, sender)), stop, sender.begin_anew)
    finally:
        await sender.close()
        await pool.close()
        await asyncio.to_thread(writers.stop)


async def _follow(sender: WebhookSender, book: Book) -> None:
    book.grown.clear()
    page = await sender.follow(book.name)
    if page.owed:
        book.due.set()
    if not page.more:
        await asyncio.sleep(_SHORTEST_PAUSE_S)
        await wait_for(book.grown, book.pause_s(_LOOK_S))


async def _send(sender: WebhookSender, book: Book) -> None:
    book.due.clear()
    to_next = await sender.send_due(book.name)
    if to_next != 0:
        soon_s = inf if to_next is None else max(to_next, _SHORTEST_PAUSE_S)
        await wait_for(book.due, min(soon_s, book.pause_s(_LOOK_S)))
