"""Sealed: the log as bytes with their hashes, its tiles and its signed checkpoints, as they are stored.

Synchronous readers serve the command line and the sealer; those that end in `_async` serve answers.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection, Connection, Cursor
from psycopg.rows import TupleRow

from ledger.audit.leaf import StoredEvent, leaf_of, sealed_entry
from ledger.audit.merkle import HASH_BYTES, Frontier, leaf_hash
from ledger.audit.tiles import Tile
from ledger.store import codec
from ledger.store.connection import in_book

PAGE = 5_000
_MOST_BATCHES = 2_000

_EVENTS: LiteralString = """
SELECT notification_id, originator_id, originator_version, topic, recorded_at, metadata, state
  FROM {schema}.events
 WHERE notification_id > %s AND notification_id <= %s
 ORDER BY notification_id
 LIMIT %s
"""
_NEW_LEAVES: LiteralString = """
SELECT after, hashes FROM {schema}.new_leaves WHERE after >= %s ORDER BY after LIMIT %s
"""
_TILES: LiteralString = """
SELECT wanted.level, wanted.index, t.hashes
  FROM unnest(%s::smallint[], %s::bigint[]) AS wanted (level, index)
  JOIN {schema}.tiles AS t ON t.level = wanted.level AND t.index = wanted.index
"""
_CHECKPOINT: LiteralString = """
SELECT c.size, c.note, c.keys, c.signed_at, array(SELECT s.line FROM {schema}.cosignatures AS s
                                           WHERE s.size = c.size ORDER BY s.name)
  FROM {schema}.checkpoints AS c
"""
_NEWEST: LiteralString = _CHECKPOINT + " ORDER BY c.size DESC LIMIT 1"
_COVERING: LiteralString = _CHECKPOINT + " WHERE c.size >= %s ORDER BY c.size LIMIT 1"
_ALL_CHECKPOINTS: LiteralString = _CHECKPOINT + " ORDER BY c.size"
# One statement, so that what is in the tiles is not in the other.
_SEALED_SIZE: LiteralString = """
SELECT s.size, n.after, n.hashes FROM {schema}.sealer AS s LEFT JOIN {schema}.new_leaves AS n ON n.after >= s.size
"""
_AT: LiteralString = _CHECKPOINT + " WHERE c.size = %s"
_NEWEST_WITNESSED: LiteralString = """
SELECT size FROM {schema}.cosignatures
 WHERE size >= %s GROUP BY size HAVING count(*) >= %s ORDER BY size DESC LIMIT 1
"""
_COVERING_WITNESSED: LiteralString = """
SELECT size FROM {schema}.cosignatures
 WHERE size >= %s GROUP BY size HAVING count(*) >= %s ORDER BY size LIMIT 1
"""
_LATELY_COSIGNED: LiteralString = """
SELECT name, max(size)
  FROM (SELECT name, size FROM {schema}.cosignatures ORDER BY size DESC LIMIT 64) AS lately
 GROUP BY name
"""


class SignedCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint of `size` entries: the signed note as it was stored, and what witnesses added to it.

    `keys` are the public ones of ours that signed it, written as C2SP signed-note does.
    """

    size: int
    note: bytes
    keys: tuple[str, ...]
    signed_at: datetime
    cosignatures: tuple[str, ...] = ()

    def __bytes__(self) -> bytes:
        """The note with all signatures."""
        return self.note + "".join(f"{line}\n" for line in self.cosignatures).encode()


# --- the log


def stored_events(
    connection: Connection[Any], book: str, *, after: int = 0, until: int, page: int = PAGE
) -> Iterator[list[StoredEvent]]:
    """The events behind the position `after` up to and with `until`, in pages. Raises HoleInLog and Unsealable."""
    while after < until:
        rows = connection.execute(in_book(_EVENTS, book), (after, until, page), binary=True).fetchall()
        _check_whole(rows, after)
        after += len(rows)
        yield [_stored(row) for row in rows]


class HoleInLog(Exception):
    """There is no event at this position, and there should be one."""

    def __init__(self, position: int) -> None:
        super().__init__(f"there is no event at position {position}")
        self.position = position


class Unsealable(Exception):
    """What stands at this position is no event; the cause says why."""

    def __init__(self, position: int) -> None:
        super().__init__(f"what stands at position {position} cannot be read as an event")
        self.position = position


async def new_leaves_async(connection: AsyncConnection[Any], book: str, *, after: int, until: int) -> bytes:
    """Hashes of leaves behind a position, at most up to and with another: of whole batches, or reckoned.

    Those of a log that was written before there was a tree are reckoned from its events. Raises HoleInLog and
    Unsealable.
    """
    cursor = await connection.execute(in_book(_NEW_LEAVES, book), (after, _MOST_BATCHES), binary=True)
    found: list[bytes] = []
    reached = after
    for begin, hashes in await cursor.fetchall():
        if begin != reached or begin + len(hashes) // HASH_BYTES > until:
            until = min(until, begin)
            break
        found.append(hashes)
        reached += len(hashes) // HASH_BYTES
    if found:
        return b"".join(found)
    cursor = await connection.execute(in_book(_EVENTS, book), (after, until, PAGE), binary=True)
    rows = await cursor.fetchall()
    _check_whole(rows, after)
    return b"".join([leaf_hash(leaf_of(_stored(row))) for row in rows])


def hashes_in(content: bytes) -> list[bytes]:
    """The hashes that stand one behind the other here."""
    return [bytes(content[at : at + HASH_BYTES]) for at in range(0, len(content), HASH_BYTES)]


def frontier_of_log(connection: Connection[Any] | Cursor[TupleRow], book: str, position: int) -> Frontier:
    """The tree of hashes over the log up to a position, from the log itself."""
    frontier = Frontier()
    while frontier.size < position:
        wanted = (frontier.size, min(frontier.size + PAGE, position), PAGE)
        rows = connection.execute(in_book(_EVENTS, book), wanted, binary=True).fetchall()
        _check_whole(rows, frontier.size)
        frontier = frontier.extended([leaf_hash(leaf_of(_stored(row))) for row in rows])
    return frontier


def _check_whole(rows: list[TupleRow], after: int) -> None:
    for position, row in enumerate(rows, after + 1):
        if row[0] != position:
            raise HoleInLog(position)
    if not rows:
        raise HoleInLog(after + 1)


async def stored_event_async(connection: AsyncConnection[Any], book: str, position: int) -> StoredEvent:
    """The event at this position, which is in the log."""
    row = await (await connection.execute(in_book(_EVENTS, book), (position - 1, position, 1), binary=True)).fetchone()
    if row is None:
        raise AssertionError(f"{book}: there is no event at {position}")
    return _stored(row)


def _stored(row: TupleRow) -> StoredEvent:
    position, stream, version, topic, recorded_at, metadata, state = row
    state = bytes(state)
    try:
        entry = sealed_entry(codec.decode(topic, state), recorded_at)
    except Exception as error:
        raise Unsealable(position) from error
    return StoredEvent(position, stream, version, topic, recorded_at, bytes(metadata), state, entry)


# --- tiles


def tiles(connection: Connection[Any] | Cursor[TupleRow], book: str, wanted: list[Tile]) -> dict[Tile, bytes]:
    """The content of these tiles, each cut to its width; those that are not stored so far are left out."""
    return _cut(wanted, connection.execute(in_book(_TILES, book), _places(wanted), binary=True).fetchall())


async def tiles_async(connection: AsyncConnection[Any], book: str, wanted: list[Tile]) -> dict[Tile, bytes]:
    """The same."""
    cursor = await connection.execute(in_book(_TILES, book), _places(wanted), binary=True)
    return _cut(wanted, await cursor.fetchall())


def _places(wanted: list[Tile]) -> tuple[list[int], list[int]]:
    return [tile.level for tile in wanted], [tile.index for tile in wanted]


def _cut(wanted: list[Tile], rows: list[TupleRow]) -> dict[Tile, bytes]:
    stored = {(level, index): bytes(hashes) for level, index, hashes in rows}
    found: dict[Tile, bytes] = {}
    for tile in wanted:
        content = stored.get((tile.level, tile.index), b"")[: tile.width * HASH_BYTES]
        if len(content) == tile.width * HASH_BYTES:
            found[tile] = content
    return found


# --- checkpoints


def newest_checkpoint(connection: Connection[Any], book: str) -> SignedCheckpoint | None:
    """The checkpoint of the largest size; None before the first."""
    return _checkpoint(connection.execute(in_book(_NEWEST, book), binary=True).fetchone())


async def newest_checkpoint_async(connection: AsyncConnection[Any], book: str) -> SignedCheckpoint | None:
    """The same."""
    return _checkpoint(await (await connection.execute(in_book(_NEWEST, book), binary=True)).fetchone())


def checkpoint_covering(connection: Connection[Any], book: str, size: int) -> SignedCheckpoint | None:
    """The smallest checkpoint that holds the first `size` events; None where none does yet."""
    return _checkpoint(connection.execute(in_book(_COVERING, book), (size,), binary=True).fetchone())


async def checkpoint_covering_async(connection: AsyncConnection[Any], book: str, size: int) -> SignedCheckpoint | None:
    """The smallest checkpoint that holds the first `size` events; None where none does yet."""
    return _checkpoint(await (await connection.execute(in_book(_COVERING, book), (size,), binary=True)).fetchone())


async def checkpoint_at_async(connection: AsyncConnection[Any], book: str, size: int) -> SignedCheckpoint | None:
    """The checkpoint of exactly this size; None where there is none."""
    return _checkpoint(await (await connection.execute(in_book(_AT, book), (size,), binary=True)).fetchone())


async def witnessed_checkpoint_async(
    connection: AsyncConnection[Any], book: str, witnesses: int, covers: int | None = None
) -> SignedCheckpoint | None:
    """The newest checkpoint that so many witnesses cosigned, or the smallest that holds the first `covers` events."""
    statement = _NEWEST_WITNESSED if covers is None else _COVERING_WITNESSED
    cursor = await connection.execute(in_book(statement, book), (covers or 0, witnesses), binary=True)
    row = await cursor.fetchone()
    return None if row is None else await checkpoint_at_async(connection, book, row[0])


async def lately_cosigned_async(connection: AsyncConnection[Any], book: str) -> dict[str, int]:
    """How far each witness has cosigned, by its name; those that fell far behind are left out."""
    cursor = await connection.execute(in_book(_LATELY_COSIGNED, book), binary=True)
    return dict(await cursor.fetchall())


def all_checkpoints(connection: Connection[Any], book: str) -> list[SignedCheckpoint]:
    """Every checkpoint, the smallest first."""
    rows = connection.execute(in_book(_ALL_CHECKPOINTS, book), binary=True).fetchall()
    return [found for found in map(_checkpoint, rows) if found is not None]


def sealed_size(connection: Connection[Any], book: str) -> tuple[int, dict[int, bytes]]:
    """How far the tiles reach, and the hashes of the leaves behind them, by the position before each batch."""
    rows = connection.execute(in_book(_SEALED_SIZE, book), binary=True).fetchall()
    return rows[0][0] if rows else 0, {after: bytes(hashes) for _, after, hashes in rows if after is not None}


def _checkpoint(row: TupleRow | None) -> SignedCheckpoint | None:
    if row is None:
        return None
    size, note, keys, signed_at, lines = row
    return SignedCheckpoint(size, bytes(note), tuple(keys), signed_at, tuple(lines))
