"""Tampering, by SQL as the owner of the tables: each of many random cases is found, with its place and its own number.

The lazy attacker changes a row. The careful one also brings up to date what is stored beside it: the hashes of leaves,
the tiles, the tree in the head. The insider has the signing key too, and signs all of it anew: only who has kept a
checkpoint outside finds out.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from psycopg import Connection

from api.cli.verifying_seal import KeptCheckpoint, SealReport, kept_in, verify_seal
from commands.accounts import OpenAccount
from commands.log_keys import LogKeys
from commands.transfers import PostTransfer
from ledger.audit.checkpoint import Checkpoint
from ledger.audit.leaf import leaf_of
from ledger.audit.merkle import Frontier, leaf_hash
from ledger.audit.seal_check import Fault
from ledger.audit.tiles import grown
from ledger.store import sealed
from ledger.store.connection import Database, in_book
from ledger.store.sealing import seal
from tests.writing import fresh, part, pen

CASES = 100
ORIGIN = "ledger.example"
JANUARY = datetime(2026, 1, 15, tzinfo=UTC)


class Case:
    """One sealed book under attack, in a transaction that is taken back."""

    def __init__(self, connection: Connection, book: str, size: int, keys: LogKeys, chance: random.Random) -> None:
        self.connection, self.book, self.size, self.keys, self.chance = connection, book, size, keys, chance

    def run(self, statement: str, *values: object) -> None:
        assert self.connection.execute(in_book(statement, self.book), values).rowcount >= 1

    def any_position(self) -> int:
        return self.chance.randint(1, self.size)

    def any_transfer(self) -> int:
        rows = self.connection.execute(
            in_book(
                "SELECT notification_id FROM {schema}.events WHERE topic = 'transfers.posted.v1' ORDER BY 1", self.book
            )
        ).fetchall()
        return int(self.chance.choice(rows)[0])

    def column(self, position: int, name: str) -> bytes:
        row = self.connection.execute(
            in_book("SELECT state, metadata FROM {schema}.events WHERE notification_id = %s", self.book), (position,)
        ).fetchone()
        assert row is not None
        return bytes(row[("state", "metadata").index(name)])

    def rewrite(self, position: int, column: str, change: Callable[[dict[str, object]], None]) -> None:
        value = msgspec.json.decode(self.column(position, column))
        change(value)
        # A name of ours, not a caller's text.
        self.run(
            f"UPDATE {{schema}}.events SET {column} = %s WHERE notification_id = %s",  # noqa: S608
            msgspec.json.encode(value),
            position,
        )

    def cover_up(self, *, signing: bool) -> None:
        """Bring the hashes up to date, and with the key also every checkpoint."""
        row = self.connection.execute(in_book("SELECT count(*) FROM {schema}.events", self.book)).fetchone()
        assert row is not None
        until = row[0]
        events = [one for page in sealed.stored_events(self.connection, self.book, until=until) for one in page]
        leaves = [leaf_hash(leaf_of(one)) for one in events]
        frontier = Frontier().extended(leaves)
        self.run("UPDATE {schema}.log_head SET position = %s, frontier = %s", until, frontier.stored())
        self.run("UPDATE {schema}.sealer SET size = %s", until)
        self.run("DELETE FROM {schema}.tiles")
        for tile, content in grown(0, {}, b"".join(leaves)).items():
            self.run("INSERT INTO {schema}.tiles VALUES (%s, %s, %s)", tile.level, tile.index, content)
        if not signing:
            return
        for found in sealed.all_checkpoints(self.connection, self.book):
            size = min(found.size, until)
            root = Frontier().extended(leaves[:size]).root
            note, _ = self.keys.sign(f"{ORIGIN}/{self.book}", str(Checkpoint(f"{ORIGIN}/{self.book}", size, root)))
            self.run("DELETE FROM {schema}.checkpoints WHERE size = %s", found.size)
            self.connection.execute(
                in_book(
                    "INSERT INTO {schema}.checkpoints VALUES (%s, %s, %s, now()) ON CONFLICT DO NOTHING", self.book
                ),
                (size, str(note).encode(), list(found.keys)),
            )


# --- what is done to the log; each returns the first position that is not what it was


def amount(case: Case) -> int:
    position = case.any_transfer()
    case.rewrite(position, "state", lambda state: state.update(amount=int(str(state["amount"])) + 1))
    return position


def date(case: Case) -> int:
    position = case.any_position()
    moved = "UPDATE {schema}.events SET recorded_at = recorded_at - interval '1 microsecond' WHERE notification_id = %s"
    case.run(moved, position)
    return position


def effective_date(case: Case) -> int:
    position = case.any_transfer()
    case.rewrite(position, "state", lambda state: state.update(effective_at=(JANUARY - timedelta(1)).isoformat()))
    return position


def metadata(case: Case) -> int:
    position = case.any_position()
    case.rewrite(position, "metadata", lambda values: values.update(reason="for no reason"))
    return position


def actor(case: Case) -> int:
    position = case.any_position()
    case.rewrite(position, "metadata", lambda values: values.update(actor="somebody else"))
    return position


def topic(case: Case) -> int:
    position = case.any_transfer()
    case.run("UPDATE {schema}.events SET topic = 'entries.posted.v1' WHERE notification_id = %s", position)
    return position


def delete_in_the_middle(case: Case) -> int:
    position = case.chance.randint(1, case.size - 1)
    case.run("DELETE FROM {schema}.events WHERE notification_id = %s", position)
    return position


def delete_in_the_middle_and_close_the_gap(case: Case) -> int:
    position = delete_in_the_middle(case)
    # In two steps, for no two events may have one position.
    case.run(
        "UPDATE {schema}.events SET notification_id = notification_id + 1000000 WHERE notification_id > %s", position
    )
    case.run("UPDATE {schema}.events SET notification_id = notification_id - 1000001 WHERE notification_id > 1000000")
    return position


def delete_at_the_tail(case: Case) -> int:
    position = case.chance.randint(case.size // 2, case.size)
    case.run("DELETE FROM {schema}.events WHERE notification_id >= %s", position)
    return position


def swap(case: Case) -> int:
    one, other = sorted(case.chance.sample(range(1, case.size + 1), 2))
    case.run("UPDATE {schema}.events SET notification_id = 1000000 WHERE notification_id = %s", one)
    case.run("UPDATE {schema}.events SET notification_id = %s WHERE notification_id = %s", one, other)
    case.run("UPDATE {schema}.events SET notification_id = %s WHERE notification_id = 1000000", other)
    return one


def duplicate(case: Case) -> int:
    """The same event once more, behind itself: all that comes later moves up."""
    position = case.any_transfer()
    _make_room(case, position + 1)
    case.run(
        "INSERT INTO {schema}.events SELECT originator_id || 'x', originator_version, topic, state, %s, recorded_at,"
        " metadata FROM {schema}.events WHERE notification_id = %s",
        position + 1,
        position,
    )
    return position + 1


def insert(case: Case) -> int:
    position = case.chance.randint(1, case.size + 1)
    _make_room(case, position)
    case.run(
        "INSERT INTO {schema}.events SELECT 'ent_invented', 1, 'transfers.posted.v1', %s, %s, max(recorded_at), %s"
        " FROM {schema}.events",
        b'{"debit_account":"cash","credit_account":"ada","amount":1000000,"currency":"EUR"}',
        position,
        b'{"actor":"nobody"}',
    )
    return position


def _make_room(case: Case, position: int) -> None:
    case.connection.execute(
        in_book(
            "UPDATE {schema}.events SET notification_id = notification_id + 1000001 WHERE notification_id >= %s",
            case.book,
        ),
        (position,),
    )
    case.connection.execute(
        in_book(
            "UPDATE {schema}.events SET notification_id = notification_id - 1000000 WHERE notification_id > 1000000",
            case.book,
        )
    )


def rewrite_everything(case: Case) -> int:
    case.run(
        "UPDATE {schema}.events"
        "   SET metadata = convert_to(replace(convert_from(metadata, 'UTF8'), 'key_tests', 'me'), 'UTF8')"
    )
    return 1


ATTACKS = [
    amount,
    date,
    effective_date,
    metadata,
    actor,
    topic,
    delete_in_the_middle,
    delete_in_the_middle_and_close_the_gap,
    delete_at_the_tail,
    swap,
    duplicate,
    insert,
    rewrite_everything,
]
# The row is no event, or there is a hole: nothing that is reckoned anew hides it.
PLAIN_TO_SEE = (topic, delete_in_the_middle)


@pytest.fixture
def keys(tmp_path: Path) -> LogKeys:
    return LogKeys(tmp_path / "keys")


class Victim(msgspec.Struct, frozen=True):
    """A sealed book, and checkpoints of it that somebody kept."""

    connection: Connection
    book: str
    size: int
    kept: list[KeptCheckpoint]


@pytest.fixture
def victim(database: Database, book: str, keys: LogKeys, tmp_path: Path) -> Iterator[Victim]:
    """Some 270 events in six checkpoints: one whole tile, and one that is not."""

    async def sealing() -> None:
        async with await database.connect_async() as connection:
            origin = f"{ORIGIN}/{book}"
            await seal(connection, book, origin, lambda text: keys.sign(origin, text))

    with pen(database, book) as writer:
        writer.do(OpenAccount("cash", "Cash", "asset", "EUR"))
        writer.do(OpenAccount("ada", "Ada", "liability", "EUR"))
        for _ in range(6):
            moved = [PostTransfer(fresh("ent_"), "cash", "ada", at, "EUR", effective_at=JANUARY) for at in range(1, 45)]
            assert all(answer.status == 201 for answer in writer.submit(map(part, moved))())
            asyncio.run(sealing())
    with database.owner() as connection:
        files = []
        for found in sealed.all_checkpoints(connection, book):
            file = tmp_path / f"checkpoint-{found.size}"
            file.write_bytes(found.note)
            files.append(file)
        yield Victim(connection, book, 2 + 6 * 44, kept_in(files[2:]))


def attacked(
    victim: Victim, keys: LogKeys, attack: Callable[[Case], int], verdict: Callable[[Case, int], None], seed: int
) -> None:
    chance = random.Random(f"{attack.__name__} {seed}")
    with victim.connection.transaction(force_rollback=True):
        case = Case(victim.connection, victim.book, victim.size, keys, chance)
        verdict(case, attack(case))


def look(case: Case, kept: list[KeptCheckpoint] | None = None) -> SealReport:
    return verify_seal(case.connection, case.book, kept=kept or [])


def test_nothing_is_found_where_nothing_was_done(victim: Victim) -> None:
    report = verify_seal(victim.connection, victim.book, kept=victim.kept)
    assert (report.fault, report.size, report.checkpoints, report.kept) == (None, victim.size, 6, 4)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_row_that_is_changed_is_found_at_its_position(
    attack: Callable[[Case], int], victim: Victim, keys: LogKeys
) -> None:
    def verdict(case: Case, position: int) -> None:
        report = look(case)
        assert report.exit_code in (Fault.POSITIONS, Fault.EVENT)
        assert report.from_position == position, report.words

    for seed in range(CASES):
        attacked(victim, keys, attack, verdict, seed)


@pytest.mark.parametrize(
    "attack", [one for one in ATTACKS if one not in PLAIN_TO_SEE], ids=lambda attack: attack.__name__
)
def test_who_reckons_the_hashes_anew_is_found_by_the_checkpoints(
    attack: Callable[[Case], int], victim: Victim, keys: LogKeys
) -> None:
    def verdict(case: Case, position: int) -> None:
        case.cover_up(signing=False)
        report = look(case)
        if position > victim.size:
            # Something behind all that was sealed: not a change of what was.
            assert report.fault is None
            return
        assert report.exit_code == Fault.CHECKPOINT
        assert report.from_position is not None
        assert report.to_position is not None
        assert report.from_position <= position <= report.to_position, report.words

    for seed in range(CASES):
        attacked(victim, keys, attack, verdict, seed)


@pytest.mark.parametrize(
    "attack", [one for one in ATTACKS if one not in PLAIN_TO_SEE], ids=lambda attack: attack.__name__
)
def test_who_signs_everything_anew_is_found_by_who_has_kept_a_checkpoint(
    attack: Callable[[Case], int], victim: Victim, keys: LogKeys
) -> None:
    def verdict(case: Case, position: int) -> None:
        case.cover_up(signing=True)
        assert look(case).fault is None, "nothing within the book tells of it"
        if position > victim.size:
            return
        report = look(case, victim.kept)
        assert report.exit_code == Fault.KEPT
        assert report.from_position is not None
        assert report.to_position is not None
        assert report.from_position <= position <= report.to_position, report.words

    for seed in range(CASES):
        attacked(victim, keys, attack, verdict, seed)
