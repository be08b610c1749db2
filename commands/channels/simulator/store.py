"""The store: operations, movements of money, owed messages and the fault plan of one channel, in SQLite.

A commit is on the disk (WAL, synchronous = FULL): kill -9 forgets nothing that was answered. What happened and the
message about it are one transaction.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from commands.channels.simulator.conduct import ANOTHER_CURRENCY, Conduct
from commands.channels.simulator.faults import Counted, FaultPlan, Operation, Rule, judge
from commands.channels.simulator.operations import CHANGES, Kind, Movement
from commands.channels.simulator.operations import Operation as Done
from ledger.money import LARGEST

_SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
    kind         TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    reference    TEXT    NOT NULL,
    parent       TEXT    NOT NULL,    -- the charge that it is about
    next_ms      INTEGER,             -- when something happens to it by itself
    state        BLOB    NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE UNIQUE INDEX IF NOT EXISTS operations_by_reference ON operations (reference);
CREATE INDEX IF NOT EXISTS operations_by_parent ON operations (parent) WHERE parent <> '';
CREATE INDEX IF NOT EXISTS operations_by_time ON operations (next_ms) WHERE next_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS movements (
    place        INTEGER PRIMARY KEY,
    at_ms        INTEGER NOT NULL,
    movement     BLOB    NOT NULL
);
CREATE INDEX IF NOT EXISTS movements_by_time ON movements (at_ms);
CREATE TABLE IF NOT EXISTS messages (
    place        INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    state        BLOB    NOT NULL,    -- the operation as it was
    fault        TEXT,                -- what goes wrong with it
    owed         INTEGER NOT NULL,    -- how often it has yet to be answered with 2xx
    tries        INTEGER NOT NULL DEFAULT 0,
    due_ms       INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS owed ON messages (due_ms) WHERE owed > 0;
CREATE INDEX IF NOT EXISTS overtaken ON messages (place)
 WHERE fault = 'reordered_callback' AND owed > 0 AND tries = 0;
CREATE TABLE IF NOT EXISTS fault_rules (
    place        INTEGER PRIMARY KEY,
    rule         TEXT    NOT NULL,
    seen         INTEGER NOT NULL,
    fired        INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS fault_seed (only INTEGER PRIMARY KEY CHECK (only = 1), seed TEXT NOT NULL);
"""

_done = msgspec.json.Decoder(Done)
_movement = msgspec.json.Decoder(Movement)
# How a transaction begins, ends and is undone, by itself and as a part of what is done together.
_WHOLE = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_PART = ("SAVEPOINT part", "RELEASE part", ("ROLLBACK TO part", "RELEASE part"))
_ONCE_WRONG = ("wrong_signature_callback", "altered_callback")


class Message(Struct, frozen=True):
    """A message that is due; `fault`: what is to go wrong with this delivery."""

    id: str
    state: Done
    tries: int
    fault: str | None


class Tried(Struct, frozen=True):
    """A delivery that was tried; `due_ms`: when it is tried again, if it is owed still."""

    id: str
    delivered: bool
    due_ms: int


class Store:
    """One SQLite file, one process, one thread."""

    def __init__(self, file: Path) -> None:
        """Raises sqlite3.OperationalError when another process has the file."""
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=2)
        self._db.row_factory = sqlite3.Row
        self._together = False
        # Exclusive: two simulators on one file would send every message twice and believe that they had not.
        self._db.executescript("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        self._db.executescript(_SCHEMA)
        self._plan = self._read_plan()

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """The transactions of this block are on the disk, all at once, when it ends well; each may still fail alone."""
        self._db.execute("BEGIN IMMEDIATE")
        self._together = True
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._plan = self._read_plan()
            raise
        finally:
            self._together = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._together and not self._db.in_transaction:
            raise sqlite3.OperationalError("what is done together was given up")
        begin, end, undo = _PART if self._together else _WHOLE
        self._db.execute(begin)
        try:
            yield
        except BaseException:
            for statement in undo:
                self._db.execute(statement)
            raise
        self._db.execute(end)

    # --- operations ------------------------------------------------------------------------------------------------

    def get(self, kind: Kind, operation_id: str) -> Done | None:
        return self._first("SELECT state FROM operations WHERE kind = ? AND id = ?", kind, operation_id)

    def get_change(self, change_id: str) -> Done | None:
        """The capture, void or increment of this id."""
        found = (self.get(kind, change_id) for kind in CHANGES)
        return next((change for change in found if change is not None), None)

    def by_reference(self, reference: str) -> Done | None:
        return self._first("SELECT state FROM operations WHERE reference = ?", reference)

    def children(self, parent: str, kind: Kind) -> list[Done]:
        rows = self._db.execute("SELECT state FROM operations WHERE parent = ? AND kind = ?", [parent, kind])
        return [_done.decode(row["state"]) for row in rows]

    def all(self) -> list[Done]:
        """In the order in which they came."""
        return [_done.decode(row["state"]) for row in self._db.execute("SELECT state FROM operations ORDER BY rowid")]

    def due(self, now_ms: int) -> list[Done]:
        """Those to which something happens by itself, and now."""
        rows = self._db.execute("SELECT state FROM operations WHERE next_ms <= ? ORDER BY next_ms", [now_ms])
        return [_done.decode(row["state"]) for row in rows.fetchall()]

    def put(self, operation: Done) -> Done:
        self._db.execute(
            "INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE"
            " SET next_ms = excluded.next_ms, state = excluded.state",
            [
                *(operation.kind, operation.id, operation.reference, operation.parent, operation.next_ms),
                msgspec.json.encode(operation),
            ],
        )
        return operation

    def move(self, movement: Movement) -> None:
        """Money moved: it stands in the settlement file of its day."""
        self._db.execute(
            "INSERT INTO movements (at_ms, movement) VALUES (?, ?)", [movement.at_ms, msgspec.json.encode(movement)]
        )

    def movements(self, from_ms: int, until_ms: int) -> list[Movement]:
        rows = self._db.execute(
            "SELECT movement FROM movements WHERE at_ms >= ? AND at_ms < ? ORDER BY place", [from_ms, until_ms]
        )
        return [_movement.decode(row["movement"]) for row in rows]

    def _first(self, statement: str, *values: str) -> Done | None:
        row = self._db.execute(statement, values).fetchone()
        return None if row is None else _done.decode(row["state"])

    # --- messages --------------------------------------------------------------------------------------------------

    def tell(self, operation: Done, now_ms: int) -> Done:
        """Put it down and owe a message that says how it stands."""
        conduct = operation.conduct
        told = self.put(structs.replace(operation, told=operation.told + 1))
        if conduct.callback == "no_callback":
            return told
        number = "" if told.told == 1 else f"_{told.told}"
        self._db.execute(
            "INSERT INTO messages (id, state, fault, owed, due_ms) VALUES (?, ?, ?, ?, ?)",
            [
                f"evt_{told.reference}{number}",
                msgspec.json.encode(_as_told(told)),
                conduct.callback,
                2 if conduct.callback == "duplicate_callback" else 1,
                now_ms + conduct.callback_after_ms,
            ],
        )
        return told

    def due_messages(self, now_ms: int, limit: int) -> list[Message]:
        due = "SELECT * FROM messages WHERE owed > 0 AND due_ms <= ? ORDER BY due_ms LIMIT ?"
        return [
            Message(
                row["id"],
                _done.decode(row["state"]),
                row["tries"],
                None if row["fault"] in _ONCE_WRONG and row["tries"] > 0 else row["fault"],
            )
            for row in self._db.execute(due, [now_ms, limit])
        ]

    def messages_tried(self, tried: Iterable[Tried]) -> None:
        """Counts deliveries, all in one transaction: what is lost of it is only sent once more."""
        with self.transaction():
            for one in tried:
                self._db.execute(
                    "UPDATE messages SET tries = tries + 1, owed = owed - ?, due_ms = ? WHERE id = ?",
                    [int(one.delivered), one.due_ms, one.id],
                )
                if one.delivered:
                    # Those that wait to be overtaken have been.
                    self._db.execute(
                        "UPDATE messages SET due_ms = 0 WHERE fault = 'reordered_callback' AND owed > 0 AND tries = 0"
                        " AND place < (SELECT place FROM messages WHERE id = ?)",
                        [one.id],
                    )

    def messages_owed(self) -> int:
        (count,) = self._db.execute("SELECT count(*) FROM messages WHERE owed > 0").fetchone()
        return int(count)

    # --- the fault plan --------------------------------------------------------------------------------------------

    def plan(self) -> tuple[int, list[Counted]]:
        return self._plan[0], list(self._plan[1])

    def set_plan(self, plan: FaultPlan) -> None:
        """Replaces the plan and begins its counts anew."""
        with self.transaction():
            self._db.execute("DELETE FROM fault_rules")
            self._db.execute("INSERT OR REPLACE INTO fault_seed VALUES (1, ?)", [str(plan.seed)])
            for place, rule in enumerate(plan.rules):
                whole = msgspec.json.encode(rule).decode()
                self._db.execute("INSERT INTO fault_rules VALUES (?, ?, 0, 0)", [place, whole])
        self._plan = self._read_plan()

    def conduct(self, operation: Operation, token: str | None, usual: Conduct) -> Conduct:
        """How this request is treated, with the plan's counts moved on."""
        seed, rules = self._plan
        if not rules:
            return usual
        conduct, counts = judge(seed, rules, operation, token, usual)
        if counts:
            with self.transaction():
                for place, counted in counts.items():
                    new = [counted.seen, counted.fired, place]
                    self._db.execute("UPDATE fault_rules SET seen = ?, fired = ? WHERE place = ?", new)
            for place, counted in counts.items():
                rules[place] = counted
        return conduct

    def _read_plan(self) -> tuple[int, list[Counted]]:
        row = self._db.execute("SELECT seed FROM fault_seed").fetchone()
        rules: Iterable[sqlite3.Row] = self._db.execute("SELECT * FROM fault_rules ORDER BY place")
        return int(row["seed"]) if row else 0, [
            Counted(msgspec.json.decode(rule["rule"], type=Rule), rule["seen"], rule["fired"]) for rule in rules
        ]


def _as_told(operation: Done) -> Done:
    """The operation as its message tells of it, where that is to be wrong."""
    match operation.conduct.callback:
        case "wrong_amount_callback":
            return another_amount(operation)
        case "wrong_currency_callback":
            return structs.replace(operation, currency=ANOTHER_CURRENCY)
        case _:
            return operation


def another_amount(operation: Done) -> Done:
    amount = operation.amount
    return structs.replace(operation, amount=amount - 1 if amount == LARGEST else amount + 1)
