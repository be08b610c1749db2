"""The access log: who read what among the sensitive queries, written in bulk beside the answers.

The rule: nothing sensitive is answered while its line cannot be kept. What shows a person, an order or the books is
NOTED: its line waits in memory for a few hundredths of a second and is written behind the answer; a book whose lines
cannot be written has room for so many, and then such queries are refused (503). What gives out the log, files as they
came, secrets, or what others read, is written FIRST: the answer leaves when the line is stored. A process that is
killed loses what it had NOTED and not written, never what was to be written FIRST.
"""

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from urllib.parse import parse_qsl

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests
from starlette.requests import Request
from starlette.responses import Response

from api.keys import Principal
from api.problems import refusal_of
from api.telemetry import correlation_id
from ledger.errors import Unavailable
from ledger.ids import ACCESS, new_id
from ledger.store import accesses
from ledger.store.accesses import Access

PRINCIPAL = "ledger.principal"
_MOST_WAITING = 10_000
_MOST_AT_ONCE = 1_000
_PAUSE_S = 0.05
_PAUSE_AFTER_TROUBLE_S = 0.25
_PATIENCE_S = 1.9
_GRACE_S = 3.0
# Parameters whose values are words of ours, numbers or times. Of all others only the name is kept.
_PLAIN = frozenset(
    {
        "after",
        "as_of",
        "channel",
        "currency",
        "effect",
        "from",
        "kind",
        "known_at",
        "limit",
        "list_name",
        "min_position",
    }
    | {"period", "product", "reported_at", "role", "source", "state", "status", "step", "to", "topic", "type", "unit"}
)
# Parameters that name what is asked for by an id.
_NAMES = frozenset(
    {"account", "contract", "customer", "entity", "key", "merchant", "party", "payment", "principal", "reviewer"}
)
_HIDDEN = "…"
_ID = re.compile(r"[A-Za-z0-9_:.+-]{1,64}")

logger = logging.getLogger(__name__)


class Sensitive(Enum):
    """When the line about a query is written: behind its answer, or before the answer leaves."""

    NOTED = "noted"
    FIRST = "first"


class AccessLog:
    """What one process has still to write, by book; to be used from one event loop."""

    def __init__(
        self, pool: AsyncConnectionPool, *, most_waiting: int = _MOST_WAITING, patience_s: float = _PATIENCE_S
    ) -> None:
        self._pool = pool
        self._most_waiting = most_waiting
        self._patience_s = patience_s
        self._waiting: defaultdict[str, dict[str, Access]] = defaultdict(dict)
        self._awaited: dict[str, asyncio.Future[None]] = {}
        self._hurry = asyncio.Event()
        self._writers: dict[str, asyncio.Task[None]] = {}

    def has_room(self, book: str) -> bool:
        """Whether one more line may wait; else so much does that nothing more may be read unseen."""
        return book not in self._waiting or len(self._waiting[book]) < self._most_waiting

    def note(self, book: str, access: Access) -> None:
        """Have this written soon."""
        self._waiting[book][access.id] = access
        if book not in self._writers:
            writer = self._writers[book] = asyncio.create_task(self._write(book))
            writer.add_done_callback(partial(_tell_of_trouble, book))

    async def write(self, book: str, access: Access) -> None:
        """Return once this is stored; raises Unavailable where it cannot be: its line says that nothing was shown."""
        written = self._awaited[access.id] = asyncio.get_running_loop().create_future()
        self.note(book, access)
        self._hurry.set()
        try:
            async with asyncio.timeout(self._patience_s):
                await written
        except TimeoutError:
            access.status = Unavailable.status
            raise Unavailable("This access could not be recorded, so it was not answered.") from None
        finally:
            self._awaited.pop(access.id, None)

    async def close(self) -> None:
        """Write what waits, as long as there is hope."""
        self._hurry.set()
        if writers := list(self._writers.values()):
            await asyncio.wait(writers, timeout=_GRACE_S)
        for writer in list(self._writers.values()):
            writer.cancel()
        if lost := sum(map(len, self._waiting.values())):
            logger.error("%d accesses were not written to the access log", lost)

    async def _write(self, book: str) -> None:
        """Write until nothing waits; whatever fails is tried again."""
        try:
            await self._write_all(book)
        finally:
            # In the same breath as the last look at what waits: what comes next begins a writer of its own.
            del self._writers[book]

    async def _write_all(self, book: str) -> None:
        waiting = self._waiting[book]
        while waiting:
            if not any(name in self._awaited for name in waiting):
                self._hurry.clear()
                try:
                    async with asyncio.timeout(_PAUSE_S):
                        await self._hurry.wait()
                except TimeoutError:
                    pass
            batch = [access for _, access in zip(range(_MOST_AT_ONCE), waiting.values(), strict=False)]
            try:
                async with self._pool.connection() as connection:
                    await accesses.add(connection, book, batch)
            except (psycopg.Error, PoolTimeout, TooManyRequests) as error:
                logger.warning("accesses to %s cannot be written: %s", book, type(error).__qualname__)
                await asyncio.sleep(_PAUSE_AFTER_TROUBLE_S)
                continue
            for access in batch:
                del waiting[access.id]
                if (written := self._awaited.get(access.id)) is not None and not written.done():
                    written.set_result(None)


def _tell_of_trouble(book: str, writer: asyncio.Task[None]) -> None:
    if not writer.cancelled() and (error := writer.exception()) is not None:
        logger.error("the access log of %s broke", book, exc_info=error)


async def observed(
    request: Request,
    sensitive: Sensitive,
    admitted: Callable[[Request], Awaitable[None]],
    answered: Callable[[Request], Awaitable[Response]],
) -> Response:
    """What `answered` gives to somebody who was `admitted`, with its line in the access log; refusals have one too."""
    log: AccessLog = request.scope["app"].state.world.access_log
    access = _access_of(request)
    try:
        await admitted(request)
        if not log.has_room(_principal_of(request).book):
            raise Unavailable("Accesses to sensitive data cannot be recorded now, so there are none.")
        response = await answered(request)
    except Exception as error:
        if (principal := request.scope.get(PRINCIPAL)) is not None and log.has_room(principal.book):
            _complete(access, principal, refusal_of(error).status)
            log.note(principal.book, access)
        raise
    principal = _principal_of(request)
    _complete(access, principal, response.status_code)
    if sensitive is Sensitive.FIRST:
        await log.write(principal.book, access)
    else:
        log.note(principal.book, access)
    return response


def _principal_of(request: Request) -> Principal:
    principal: Principal = request.scope[PRINCIPAL]
    return principal


def _complete(access: Access, principal: Principal, status: int) -> None:
    access.key, access.person, access.status = principal.key_id, principal.person or None, status


def _access_of(request: Request) -> Access:
    """What is asked, as far as it may be kept, before anybody knows by whom."""
    asked = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    ids = [str(value) for value in request.path_params.values()]
    ids += [value for name, value in asked if name in _NAMES]
    known = request.scope["route"].path_format
    return Access(
        id=new_id(ACCESS),
        at=datetime.now(UTC),
        key="",
        person=None,
        route=f"{request.method} {known}",
        entities=[one for one in dict.fromkeys(ids) if _ID.fullmatch(one)],
        parameters={
            name: value if name in _PLAIN | _NAMES and _ID.fullmatch(value) else _HIDDEN
            for name, value in asked
            if _ID.fullmatch(name)
        },
        correlation=correlation_id.get(),
        status=0,
    )
