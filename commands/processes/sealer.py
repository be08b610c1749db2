"""Sealer: keeps the logs of all books under seal, a fraction of a second behind their writers.

The tree of hashes is extended by the writers themselves, in the transaction of each batch; here its tiles are stored
and its root is signed. What does not fit the tree is not signed: it is said, again and again, until somebody looks.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from commands.log_keys import LogKeys
from commands.processes.books import Book, for_each_book, wait_for
from ledger.store.connection import Database
from ledger.store.sealing import SealBroken, seal

logger = logging.getLogger(__name__)

_POOL_SIZE = 2
# A checkpoint costs a commit: so many a second are enough for a log that grows all the time.
_PAUSE_S = 0.2
_LOOK_S = 2.0
_PAUSE_WHEN_BROKEN_S = 10.0

Sealed = Callable[[str, int], Awaitable[None]]
"""Is told of a book and the size of its newest checkpoint."""


async def _nobody(book: str, size: int) -> None:
    return


async def run_sealer(
    database: Database, name: str, keys: LogKeys, stop: asyncio.Event, sealed: Sealed = _nobody
) -> None:
    """Seal the logs of all books until `stop` is set; `name` stands before each log's own."""
    pool = database.pool(size=_POOL_SIZE)
    sizes: dict[str, int] = {}

    async def look(book: Book) -> None:
        book.grown.clear()
        origin = f"{name}/{book.name}"
        try:
            async with pool.connection() as connection:
                size = await seal(connection, book.name, origin, lambda text: keys.sign(origin, text))
        except SealBroken as broken:
            logger.critical("the seal of %s is broken: %s", book.name, broken)
            await wait_for(stop, _PAUSE_WHEN_BROKEN_S)
            return
        if size is not None and size != sizes.get(book.name):
            sizes[book.name] = size
            await sealed(book.name, size)
            await wait_for(stop, _PAUSE_S)
        else:
            await wait_for(book.grown, book.pause_s(_LOOK_S))

    try:
        await pool.open()
        await for_each_book(database, (look,), stop)
    finally:
        await pool.close()
