"""Sealing: the tree of hashes over a book's log grows by what is new, and its root is signed, in one transaction.

lock the sealer's row ─▶ hashes of what is new ─▶ tiles ─▶ is it the tree that the writers say? ─▶ signed checkpoint

Killed anywhere, the former checkpoint stands or the next one, and nothing between.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection

from ledger.audit.checkpoint import Checkpoint
from ledger.audit.merkle import HASH_BYTES, Frontier
from ledger.audit.signed_note import Note, VerifierKey
from ledger.audit.tiles import edges_of, frontier_in, grown
from ledger.store.connection import in_book
from ledger.store.sealed import HoleInLog, Unsealable, new_leaves_async, tiles_async

MOST_AT_ONCE = 20_000

_LOCK: LiteralString = "SELECT size FROM {schema}.sealer FOR UPDATE SKIP LOCKED"
_HEAD: LiteralString = "SELECT position, frontier FROM {schema}.log_head"
_HAS_CHECKPOINTS: LiteralString = "SELECT EXISTS (SELECT FROM {schema}.checkpoints)"
_PUT_TILES: LiteralString = """
INSERT INTO {schema}.tiles (level, index, hashes)
SELECT * FROM unnest(%s::smallint[], %s::bigint[], %s::bytea[])
    ON CONFLICT (level, index) DO UPDATE SET hashes = excluded.hashes
"""
_PUT_CHECKPOINT: LiteralString = """
INSERT INTO {schema}.checkpoints (size, note, keys, signed_at) VALUES (%s, %s, %s, %s)
"""
_MOVE: LiteralString = "UPDATE {schema}.sealer SET size = %s"
_FORGET: LiteralString = "DELETE FROM {schema}.new_leaves WHERE after < %s"

Sign = Callable[[str], tuple[Note, list[VerifierKey]]]
"""Signs a text with the keys of the installation, and says which they are."""


class SealBroken(Exception):
    """The log is not the one that its writers left: nothing of it is signed any more."""


async def seal(connection: AsyncConnection[Any], book: str, origin: str, sign: Sign) -> int | None:
    """Seal what is new, up to the head; the size that is sealed now, None while another one seals.

    What is signed has been held against the tree that the writers left in the head. Raises SealBroken.
    """
    async with connection.transaction():
        row = await (await connection.execute(in_book(_LOCK, book), binary=True)).fetchone()
        if row is None:
            return None
        size: int = row[0]
        head = await (await connection.execute(in_book(_HEAD, book), binary=True)).fetchone()
        if head is None:
            raise SealBroken(f"the log of {book} has lost its head")
        position: int = head[0]
        at_head: bytes | None = head[1]
        if position < size:
            raise SealBroken(f"the log of {book} ends at {position}, and {size} events of it are sealed")
        if position == size and await _has_checkpoints(connection, book):
            return position
        frontier = Frontier()
        while size < position:
            frontier = await _grow(connection, book, size, min(position, size + MOST_AT_ONCE))
            size = frontier.size
        if at_head is not None and bytes(at_head) != frontier.stored():
            raise SealBroken(f"the events of {book} up to {position} are not those that were written")
        note, keys = sign(str(Checkpoint(origin, position, frontier.root)))
        signed = (position, str(note).encode(), [str(key) for key in keys], datetime.now(UTC))
        await connection.execute(in_book(_PUT_CHECKPOINT, book), signed)
        await connection.execute(in_book(_MOVE, book), (position,))
        await connection.execute(in_book(_FORGET, book), (position,))
        return position


async def _grow(connection: AsyncConnection[Any], book: str, size: int, until: int) -> Frontier:
    edges = {tile.level: content for tile, content in (await tiles_async(connection, book, edges_of(size))).items()}
    try:
        leaves = await new_leaves_async(connection, book, after=size, until=until)
        tiles = grown(size, edges, leaves)
    except (HoleInLog, Unsealable, ValueError) as error:
        raise SealBroken(f"the log of {book} or its tiles have a hole: {error}") from None
    columns = ([tile.level for tile in tiles], [tile.index for tile in tiles], list(tiles.values()))
    await connection.execute(in_book(_PUT_TILES, book), columns, binary=True)
    edges |= {tile.level: content for tile, content in tiles.items()}
    return frontier_in(size + len(leaves) // HASH_BYTES, edges)


async def _has_checkpoints(connection: AsyncConnection[Any], book: str) -> bool:
    row = await (await connection.execute(in_book(_HAS_CHECKPOINTS, book))).fetchone()
    return row is not None and bool(row[0])
