"""Witness feed: shows each new checkpoint of every book to the witnesses, and keeps what they sign under it.

newest checkpoint ─▶ proof that it goes on from what the witness saw last ─▶ asked ─▶ its line verified ─▶ kept
                                ▲                                           │
                                └──── it has seen another size (409) ◀──────┘

A witness that is away misses nothing: the newest checkpoint tells of all before it. Each is fed by itself, and one that
does not answer keeps no other waiting. What is refused is said, again and again, for that is what a witness is for.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString

import httpx2
from psycopg import AsyncConnection
from psycopg.errors import ForeignKeyViolation
from psycopg_pool import AsyncConnectionPool

from commands.processes.books import Book, for_each_book, wait_for
from commands.witnesses import Witness
from ledger.audit.proofs import consistency_proof
from ledger.audit.signed_note import NoteInvalid, VerifierKey, read_note, signature_of, verify_note
from ledger.audit.tiles import nodes_in, tiles_needed
from ledger.audit.witness import written_request
from ledger.store import sealed
from ledger.store.connection import Database, in_book
from ledger.store.sealed import SignedCheckpoint

logger = logging.getLogger(__name__)

_TOTAL_S = 5.0
_CONNECT_S = 2.0
_LARGEST_ANSWER = 16 * 1024
# Between two checkpoints of one book: a cosignature is a row for ever.
_PAUSE_S = 1.0
_LOOK_S = 2.0
_FIRST_BACK_OFF_S, _LONGEST_BACK_OFF_S = 1.0, 30.0
# Nothing is wrong with a witness that knows some of our books only, and it does not learn of others every moment.
_BACK_OFF_WHEN_UNKNOWN_S = 300.0
_MOST_CONNECTIONS = 4
# Other workers may feed the same witness: its size moves while we ask.
_MOST_TRIES = 4
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)

_LAST: LiteralString = "SELECT size FROM {schema}.cosignatures WHERE name = %s ORDER BY size DESC LIMIT 1"
_KEEP: LiteralString = """
INSERT INTO {schema}.cosignatures (size, name, line, received_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (size, name) DO NOTHING
"""


class NotWitnessed(Exception):
    """A checkpoint has no cosignature. The message says why.

    `is_contradicted`: the witness has seen another history of the log than the one that we have. `is_unknown`: it does
    not know this log.
    """

    def __init__(self, why: str, *, is_contradicted: bool = False, is_unknown: bool = False) -> None:
        super().__init__(why)
        self.is_contradicted, self.is_unknown = is_contradicted, is_unknown


class _Fed:
    """How far a witness is with one book: the size it saw last, the size it needs not be asked about again."""

    def __init__(self) -> None:
        self.sealed = asyncio.Event()
        self.seen: int | None = None
        self.done: int | None = None
        self.back_off_s = _FIRST_BACK_OFF_S


class WitnessFeed:
    """Feeds one witness."""

    def __init__(
        self, witness: Witness, pool: AsyncConnectionPool, client: httpx2.AsyncClient, stop: asyncio.Event
    ) -> None:
        self._witness, self._pool, self._client, self._stop = witness, pool, client, stop
        self._fed: dict[str, _Fed] = {}

    def sealed(self, book: str) -> None:
        """There is a new checkpoint of this book."""
        self._of(book).sealed.set()

    def wake(self) -> None:
        """Whatever waits shall look."""
        for fed in self._fed.values():
            fed.sealed.set()

    def begin_anew(self) -> None:
        """The database was away, and may come back as an older one."""
        for fed in self._fed.values():
            fed.seen = fed.done = None

    async def look(self, book: Book) -> None:
        """Show the newest checkpoint, then wait for another."""
        fed = self._of(book.name)
        fed.sealed.clear()
        try:
            asked = await self._show_newest(book.name, fed)
        except NotWitnessed as trouble:
            level = logging.CRITICAL if trouble.is_contradicted else logging.WARNING
            logger.log(level, "%s does not cosign %s: %s", self._witness.key.name, book.name, trouble)
            await wait_for(self._stop, _BACK_OFF_WHEN_UNKNOWN_S if trouble.is_unknown else fed.back_off_s)
            fed.back_off_s = min(fed.back_off_s * 2, _LONGEST_BACK_OFF_S)
            return
        fed.back_off_s = _FIRST_BACK_OFF_S
        if asked:
            await wait_for(self._stop, _PAUSE_S)
        else:
            await wait_for(fed.sealed, book.pause_s(_LOOK_S))

    def _of(self, book: str) -> _Fed:
        return self._fed.setdefault(book, _Fed())

    async def _show_newest(self, book: str, fed: _Fed) -> bool:
        """Whether there was something to show."""
        key = self._witness.key
        for _ in range(_MOST_TRIES):
            async with self._pool.connection() as connection:
                newest = await sealed.newest_checkpoint_async(connection, book)
                if newest is None or newest.size == fed.done or _has_signed(key, newest):
                    return False
                if fed.seen is None:
                    fed.seen = await _last_cosigned(connection, book, key.name)
                # A witness that has seen more than there is, is asked as if it had seen nothing, and says so again.
                old = fed.seen if fed.seen <= newest.size else 0
                proof = await _proof(connection, book, old, newest.size)
            status, answer = await self._ask(written_request(old, proof, newest.note))
            if status == 200:
                await self._keep(book, newest.size, _line_of(key, newest.note, answer))
                fed.seen = fed.done = newest.size
                logger.info("%s cosigned %s at %d", key.name, book, newest.size)
                return True
            if status != 409:
                raise _refusal(status, answer)
            size = _SIZE.fullmatch(answer.decode(errors="replace"))
            if size is None:
                raise NotWitnessed("it answers 409 without a size")
            seen, fed.seen = fed.seen, int(size[1])
            if seen == fed.seen and fed.seen == old:
                # Witnesses of an older protocol say so where they have another root at this size.
                raise NotWitnessed(f"it has seen another log of {old} events", is_contradicted=True)
            if seen == fed.seen > newest.size:
                why = f"it has seen {fed.seen} events, and the newest checkpoint has {newest.size}"
                raise NotWitnessed(why, is_contradicted=True)
        raise NotWitnessed("others feed it faster")

    async def _keep(self, book: str, size: int, line: str) -> None:
        values = (size, self._witness.key.name, line, datetime.now(UTC))
        try:
            async with self._pool.connection() as connection:
                await connection.execute(in_book(_KEEP, book), values, binary=True)
        except ForeignKeyViolation:
            # Nothing of ours removes one.
            raise NotWitnessed(f"the checkpoint of {size} events is gone", is_contradicted=True) from None

    async def _ask(self, request: bytes) -> tuple[int, bytes]:
        try:
            async with (
                asyncio.timeout(_TOTAL_S),
                self._client.stream("POST", f"{self._witness.url}/add-checkpoint", content=request) as answer,
            ):
                content = b""
                async for piece in answer.aiter_bytes():
                    content += piece
                    if len(content) > _LARGEST_ANSWER:
                        raise NotWitnessed("its answer is too long")
                return answer.status_code, content
        except TimeoutError:
            raise NotWitnessed("no answer in time") from None
        except (httpx2.HTTPError, OSError) as trouble:
            raise NotWitnessed(type(trouble).__name__) from None


class WitnessFeeds:
    """Feeds these witnesses with the logs of all books; without any, nothing is read."""

    def __init__(self, database: Database, witnesses: Sequence[Witness]) -> None:
        self._database, self._witnesses = database, witnesses
        self._feeds: list[WitnessFeed] = []

    async def sealed(self, book: str, _: int) -> None:
        """What the sealer calls: there is a new checkpoint of this book."""
        for feed in self._feeds:
            feed.sealed(book)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. A bug ends it with an exception."""
        if not self._witnesses:
            await stop.wait()
            return
        pool = self._database.pool(size=min(len(self._witnesses) + 1, _MOST_CONNECTIONS))
        client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(_TOTAL_S, connect=_CONNECT_S), follow_redirects=False, trust_env=False
        )
        self._feeds = [WitnessFeed(witness, pool, client, stop) for witness in self._witnesses]
        waking = asyncio.create_task(self._wake_at(stop))
        try:
            await pool.open()
            await for_each_book(self._database, [feed.look for feed in self._feeds], stop, self._begin_anew)
        finally:
            waking.cancel()
            await client.aclose()
            await pool.close()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        for feed in self._feeds:
            feed.wake()

    def _begin_anew(self) -> None:
        for feed in self._feeds:
            feed.begin_anew()


def _has_signed(key: VerifierKey, newest: SignedCheckpoint) -> bool:
    return signature_of(key, read_note(bytes(newest))) is not None


async def _last_cosigned(connection: AsyncConnection[Any], book: str, name: str) -> int:
    row = await (await connection.execute(in_book(_LAST, book), (name,), binary=True)).fetchone()
    return 0 if row is None else int(row[0])


async def _proof(connection: AsyncConnection[Any], book: str, old: int, new: int) -> list[bytes]:
    """That the log goes on from what it was; raises NotWitnessed where the tiles do not tell it."""
    wanted = tiles_needed(new, lambda node_at: consistency_proof(old, new, node_at))
    found = await sealed.tiles_async(connection, book, wanted)
    if len(found) != len(wanted):
        raise NotWitnessed(f"{len(wanted) - len(found)} tiles of the tree of {new} events are missing")
    return consistency_proof(old, new, nodes_in(found.__getitem__, new))


def _line_of(key: VerifierKey, note: bytes, answer: bytes) -> str:
    """The cosignature in an answer; raises NotWitnessed unless it is this witness's, under this note."""
    try:
        whole = read_note(note + answer)
        verify_note(whole, [key])
    except NoteInvalid as error:
        raise NotWitnessed(f"its cosignature is not valid: {error}") from None
    return str(signature_of(key, whole))


def _refusal(status: int, answer: bytes) -> NotWitnessed:
    # The text is a stranger's: one line of it, and no control characters.
    said = "".join(one for one in answer.decode(errors="replace")[:200].partition("\n")[0] if one.isprintable())
    return NotWitnessed(f"it answers {status}: {said}", is_contradicted=status == 422, is_unknown=status == 404)
