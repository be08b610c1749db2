"""Sealing: what is signed is the tree over what is stored, whoever seals when; what was tampered with is not signed."""

import asyncio
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import LiteralString

import pytest
from psycopg import Connection

from commands.accounts import OpenAccount
from commands.log_keys import LogKeys, LogKeyUnusable
from commands.transfers import PostTransfer
from ledger.audit.checkpoint import Checkpoint
from ledger.audit.leaf import leaf_of
from ledger.audit.merkle import Frontier, leaf_hash, range_root
from ledger.audit.signed_note import NoteInvalid, VerifierKey, read_note, verify_note
from ledger.audit.tiles import nodes_in, tiles_needed, tiles_of
from ledger.store import sealed
from ledger.store.connection import Database, in_book
from ledger.store.sealing import SealBroken, seal
from tests.writing import Pen, fresh, part, pen

ORIGIN = "ledger.example/book"


@pytest.fixture
def keys(tmp_path: Path) -> LogKeys:
    return LogKeys(tmp_path / "keys")


@pytest.fixture
def writer(database: Database, book: str) -> Iterator[Pen]:
    with pen(database, book) as writer:
        writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        writer.do(OpenAccount("ada", "Ada", "liability", "EUR"))
        yield writer


@pytest.fixture
def sealing(database: Database, book: str, keys: LogKeys) -> Callable[[], int | None]:
    """Seal what is new, and say how much is sealed."""

    async def once() -> int | None:
        async with await database.connect_async() as connection:
            return await seal(connection, book, ORIGIN, lambda text: keys.sign(ORIGIN, text))

    return lambda: asyncio.run(once())


def pay(writer: Pen, count: int) -> None:
    parts = [part(PostTransfer(fresh("ent_"), "cash", "ada", 1 + at, "EUR")) for at in range(count)]
    assert all(answer.status == 201 for answer in writer.submit(parts)())


def head(connection: Connection, book: str) -> tuple[int, bytes]:
    row = connection.execute(in_book("SELECT position, frontier FROM {schema}.log_head", book)).fetchone()
    assert row is not None
    return row[0], bytes(row[1])


def hashes(connection: Connection, book: str) -> list[bytes]:
    """The hashes of the leaves, as they follow from the events."""
    until, _ = head(connection, book)
    return [leaf_hash(leaf_of(one)) for page in sealed.stored_events(connection, book, until=until) for one in page]


def new_leaves(connection: Connection, book: str) -> dict[int, list[bytes]]:
    """The hashes that stand in no tile yet, by the position before each batch."""
    _, found = sealed.sealed_size(connection, book)
    return {after: sealed.hashes_in(hashed) for after, hashed in found.items()}


def test_every_batch_leaves_the_tree_over_all_that_is_stored(database: Database, book: str, writer: Pen) -> None:
    new: dict[int, list[bytes]] = {}
    with database.connect() as connection:
        for count in (1, 3, 700, 1):
            pay(writer, count)
            position, frontier = head(connection, book)
            reckoned = hashes(connection, book)
            assert Frontier().extended(reckoned) == Frontier.parse(position, frontier)
            new = new_leaves(connection, book)
            assert [one for after in sorted(new) for one in new[after]] == reckoned
        assert list(new) == [0, 1, 2, 3, 6, 706]


def test_what_is_refused_leaves_no_leaf(database: Database, book: str, writer: Pen) -> None:
    parts = [
        part(PostTransfer(fresh("ent_"), "cash", account, 1, "EUR")) for account in ("ada", "nobody", "ada", "nobody")
    ]
    assert [answer.status for answer in writer.submit(parts)()] == [201, 422, 201, 422]
    with database.connect() as connection:
        position, frontier = head(connection, book)
        assert Frontier().extended(hashes(connection, book)) == Frontier.parse(position, frontier)


def test_a_log_that_was_written_before_there_was_a_tree_gets_one_with_the_next_batch(
    database: Database, book: str, writer: Pen, sealing: Callable[[], int | None]
) -> None:
    pay(writer, 5)
    with database.owner() as connection:
        connection.execute(in_book("UPDATE {schema}.log_head SET frontier = NULL", book))
        connection.execute(in_book("DELETE FROM {schema}.new_leaves", book))
    pay(writer, 2)
    with database.connect() as connection:
        position, frontier = head(connection, book)
        assert {after: len(leaves) for after, leaves in new_leaves(connection, book).items()} == {7: 2}
        assert Frontier().extended(hashes(connection, book)) == Frontier.parse(position, frontier)
    assert sealing() == 9
    with database.connect() as connection:
        assert new_leaves(connection, book) == {}, "it stands in tiles now"


def test_the_seal_says_how_large_the_log_is_and_its_root(
    database: Database, book: str, writer: Pen, sealing: Callable[[], int | None]
) -> None:
    assert sealing() == 2, "the accounts"
    pay(writer, 700)
    assert sealing() == 702
    assert sealing() == 702, "and nothing new to sign"
    with database.connect() as connection:
        found = sealed.newest_checkpoint(connection, book)
        assert found is not None
        assert found.size == 702
        note = read_note(found.note)
        verify_note(note, [VerifierKey.parse(key) for key in found.keys])
        with pytest.raises(NoteInvalid):
            verify_note(note, [VerifierKey("ledger.example/other", VerifierKey.parse(found.keys[0]).public)])
        position, frontier = head(connection, book)
        assert Checkpoint.parse(note.text) == Checkpoint(ORIGIN, 702, Frontier.parse(position, frontier).root)
        stored = connection.execute(in_book("SELECT level, index, length(hashes) FROM {schema}.tiles", book)).fetchall()
        assert sorted(stored) == [(tile.level, tile.index, tile.width * 32) for tile in tiles_of(702)]


@pytest.mark.parametrize("sizes", [(1, 1, 1), (254, 1, 1, 1), (256, 256), (100, 600, 3), (515,)])
def test_the_tiles_are_the_same_whenever_they_were_sealed(
    sizes: tuple[int, ...], database: Database, book: str, writer: Pen, sealing: Callable[[], int | None]
) -> None:
    for size in sizes:
        pay(writer, size)
        sealing()
    whole = 2 + sum(sizes)
    with database.connect() as connection:
        stored = sealed.tiles(connection, book, list(tiles_of(whole)))
        position, frontier = head(connection, book)
        for size in (1, whole // 2, whole):
            wanted = tiles_needed(size, lambda node_at, size=size: range_root(0, size, node_at))  # type: ignore[misc]
            found = sealed.tiles(connection, book, wanted)
            reckoned = Frontier().extended(hashes(connection, book)[:size])
            assert range_root(0, size, nodes_in(found.__getitem__, size)) == reckoned.root
    assert len(stored) == len(list(tiles_of(whole)))
    assert position == whole
    assert len(frontier) == 32 * whole.bit_count()


def test_one_seals_at_a_time_and_the_other_leaves_it_alone(
    database: Database, book: str, writer: Pen, sealing: Callable[[], int | None]
) -> None:
    pay(writer, 1)
    with database.connect() as connection, connection.transaction():
        connection.execute(in_book("SELECT FROM {schema}.sealer FOR UPDATE", book))
        assert sealing() is None
    assert sealing() == 3


TAMPERING = [
    pytest.param("UPDATE {schema}.new_leaves SET hashes = sha256(hashes) WHERE after = 3", id="another hash"),
    pytest.param("UPDATE {schema}.log_head SET frontier = sha256(frontier)", id="another tree in the head"),
    pytest.param(
        "WITH gone AS (DELETE FROM {schema}.new_leaves) DELETE FROM {schema}.events WHERE notification_id = 4",
        id="an event is gone",
    ),
    pytest.param("UPDATE {schema}.log_head SET position = 2", id="the tail is cut off"),
    pytest.param("DELETE FROM {schema}.tiles", id="the tiles are gone"),
]


@pytest.mark.parametrize("statement", TAMPERING)
def test_what_was_tampered_with_is_not_signed(
    statement: LiteralString, database: Database, book: str, writer: Pen, sealing: Callable[[], int | None]
) -> None:
    pay(writer, 1)
    assert sealing() == 3
    pay(writer, 5)
    with database.owner() as connection:
        connection.execute(in_book(statement, book))
    with pytest.raises(SealBroken):
        sealing()
    with database.connect() as connection:
        found = sealed.newest_checkpoint(connection, book)
        assert found is not None
        assert found.size == 3


def test_the_application_can_change_no_checkpoint(
    database: Database, book: str, writer: Pen, sealing: Callable[[], int | None]
) -> None:
    sealing()
    with database.connect() as connection:
        for statement in ("DELETE FROM {schema}.checkpoints", "UPDATE {schema}.checkpoints SET size = 7"):
            with pytest.raises(Exception, match="permission denied"):
                connection.execute(in_book(statement, book))


# --- the keys


def test_a_key_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    keys = LogKeys(tmp_path / "keys")
    (first,) = keys.sign(ORIGIN, "text\n")[1]
    (again,) = LogKeys(tmp_path / "keys").sign(ORIGIN, "text\n")[1]
    assert first == again
    (file,) = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    with pytest.raises(LogKeyUnusable):
        keys.sign(ORIGIN, "text\n")


def test_two_keys_sign_while_one_follows_the_other(tmp_path: Path) -> None:
    keys = LogKeys(tmp_path / "keys")
    (old,) = keys.sign(ORIGIN, "text\n")[1]
    name, _ = keys.prepared()
    assert keys.sign(ORIGIN, "text\n")[1] == [old], "it is announced before it signs"
    assert keys.prepared()[0] == name == "0002"
    keys.begin(name)
    note, both = keys.sign(ORIGIN, "text\n")
    assert both[0] == old
    assert verify_note(note, both) == both
    keys.retire("0001")
    note, (new,) = keys.sign(ORIGIN, "text\n")
    assert new == both[1]
    with pytest.raises(NoteInvalid):
        verify_note(note, [old])


def test_two_that_make_the_first_key_at_once_have_the_same(tmp_path: Path) -> None:
    one, other = LogKeys(tmp_path / "keys"), LogKeys(tmp_path / "keys")
    assert one.private().keys() == other.private().keys() == {"0001"}
