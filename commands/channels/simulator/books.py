"""The simulator's own books: every charge and refund once for each id, and the messages that it still owes, in SQLite.

An answer is given after the commit, and a commit is on the disk (WAL, synchronous = FULL): kill -9 forgets nothing
that was answered. What happened and the message about it are one transaction.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from commands.channels.simulator.conduct import DECLINES, Conduct
from commands.channels.simulator.faults import Counted, FaultPlan, Operation, Rule, judge
from ledger.money import LARGEST, share_in_basis_points

Kind = Literal["charge", "refund"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS operations (
    kind         TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    charge_id    TEXT,                -- of a refund
    content      TEXT    NOT NULL,    -- what was asked: the same id with other content is refused
    token        TEXT    NOT NULL,
    reference    TEXT    NOT NULL UNIQUE,
    amount       INTEGER NOT NULL,
    currency     TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    fee          INTEGER,
    decline_code TEXT,                -- decided, and shown once the status says so
    conduct      TEXT    NOT NULL,
    created_at   TEXT    NOT NULL,
    decided_at   TEXT,
    settles_ms   INTEGER,             -- when it is decided that was pending at first
    PRIMARY KEY (kind, id)
);
CREATE INDEX IF NOT EXISTS refunds_of_a_charge ON operations (charge_id) WHERE charge_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS pending ON operations (settles_ms) WHERE status = 'pending';
CREATE TABLE IF NOT EXISTS messages (
    id           TEXT    PRIMARY KEY,
    body         BLOB    NOT NULL,
    wrong_first  INTEGER NOT NULL,    -- the first delivery is wrongly signed
    owed         INTEGER NOT NULL,    -- how often it has yet to be answered with 2xx
    tries        INTEGER NOT NULL DEFAULT 0,
    due_ms       INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS owed ON messages (due_ms) WHERE owed > 0;
CREATE TABLE IF NOT EXISTS fault_rules (
    place        INTEGER PRIMARY KEY,
    rule         TEXT    NOT NULL,
    seen         INTEGER NOT NULL,
    fired        INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS fault_seed (only INTEGER PRIMARY KEY CHECK (only = 1), seed TEXT NOT NULL);
"""


class Refused(Exception):
    """The books refuse it and keep nothing: an HTTP status and the channel's code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


_Id = Annotated[str, Meta(pattern=r"^[!-~]{1,128}\Z")]
_Amount = Annotated[int, Meta(ge=1, le=LARGEST)]
_Currency = Annotated[str, Meta(pattern=r"^[A-Z0-9]{3,8}\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=255)]


class ChargeOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /charges."""

    id: _Id
    amount: _Amount
    currency: _Currency
    token: _Text
    order_reference: _Text
    merchant: _Text


class RefundOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /refunds."""

    id: _Id
    charge_id: _Id
    charge_reference: _Id
    amount: _Amount
    currency: _Currency


class Message(Struct, frozen=True):
    """A message that is due; `right`: sign it as it should be."""

    id: str
    body: bytes
    tries: int
    right: bool


class Books:
    """One SQLite file, one process, one thread."""

    def __init__(self, file: Path, fee_bps: int) -> None:
        """Raises sqlite3.OperationalError when another process has the file."""
        self._fee_bps = fee_bps
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=2)
        self._db.row_factory = sqlite3.Row
        # Exclusive: two simulators on one file would send every message twice and believe that they had not.
        self._db.executescript("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    # --- charges and refunds ---------------------------------------------------------------------------------------

    def charge(self, order: ChargeOrder, conduct: Conduct, now_ms: int) -> dict[str, object]:
        """The charge as it is shown; made now, or made before under this id. Raises Refused."""
        with self._transaction():
            known = self._known("charge", order.id, order)
            return known or self._record("charge", order, order.token, None, conduct, now_ms)

    def refund(self, order: RefundOrder, conduct: Conduct, now_ms: int) -> dict[str, object]:
        """The refund as it is shown; made now, or made before under this id. Raises Refused."""
        with self._transaction():
            known = self._known("refund", order.id, order)
            if known:
                return known
            charge = self._row("charge", order.charge_id)
            if charge is None or charge["reference"] != order.charge_reference:
                raise Refused(422, "charge_not_found", "There is no such charge.")
            if charge["status"] != "succeeded":
                raise Refused(422, "charge_not_refundable", f"The charge is {charge['status']}.")
            if charge["currency"] != order.currency:
                raise Refused(422, "invalid_request", "The currency is not the charge's.")
            given_back = "SELECT amount FROM operations WHERE charge_id = ? AND decline_code IS NULL"
            # Summed here: SQLite's SUM fails on more than 64 bits.
            before = sum(row["amount"] for row in self._db.execute(given_back, [order.charge_id]))
            if before + order.amount > charge["amount"]:
                raise Refused(422, "refund_exceeds_charge", "More than was charged and not yet given back.")
            return self._record("refund", order, charge["token"], order.charge_id, conduct, now_ms)

    def find(self, kind: Kind, operation_id: str) -> dict[str, object] | None:
        row = self._row(kind, operation_id)
        return None if row is None else _shown(row)

    def token_of(self, kind: Kind, operation_id: str) -> str | None:
        """The token of the charge, or of the charge that is refunded."""
        row = self._row(kind, operation_id)
        return None if row is None else str(row["token"])

    def whole(self) -> dict[str, object]:
        """Everything, in the order in which it came, for comparing."""
        rows = self._db.execute("SELECT * FROM operations ORDER BY rowid").fetchall()
        listed = [{**msgspec.json.decode(row["content"]), **_shown(row)} for row in rows]
        return {
            "charges": [each for each in listed if each["object"] == "charge"],
            "refunds": [each for each in listed if each["object"] == "refund"],
        }

    def settle_due(self, now_ms: int) -> None:
        """Decide the pending ones whose time has come, and owe a message about each."""
        due = "SELECT * FROM operations WHERE status = 'pending' AND settles_ms <= ?"
        for row in self._db.execute(due, [now_ms]).fetchall():
            decision = self._decision(row["kind"], row["amount"], row["decline_code"], now_ms)
            with self._transaction():
                self._db.execute(
                    "UPDATE operations SET status = ?, fee = ?, decided_at = ? WHERE kind = ? AND id = ?",
                    [*decision, row["kind"], row["id"]],
                )
                self._owe_message(row["kind"], row["id"], now_ms)

    # --- messages --------------------------------------------------------------------------------------------------

    def due_messages(self, now_ms: int, limit: int) -> list[Message]:
        due = "SELECT * FROM messages WHERE owed > 0 AND due_ms <= ? ORDER BY due_ms LIMIT ?"
        return [
            Message(row["id"], row["body"], row["tries"], not (row["wrong_first"] and row["tries"] == 0))
            for row in self._db.execute(due, [now_ms, limit])
        ]

    def message_tried(self, message_id: str, delivered: bool, due_ms: int) -> None:
        """Counts a delivery; `due_ms`: when it is tried again, if it is owed still."""
        with self._transaction():
            self._db.execute(
                "UPDATE messages SET tries = tries + 1, owed = owed - ?, due_ms = ? WHERE id = ?",
                [int(delivered), due_ms, message_id],
            )

    def messages_owed(self) -> int:
        (count,) = self._db.execute("SELECT count(*) FROM messages WHERE owed > 0").fetchone()
        return int(count)

    # --- the fault plan --------------------------------------------------------------------------------------------

    def set_plan(self, plan: FaultPlan) -> None:
        """Replaces the plan and begins its counts anew."""
        with self._transaction():
            self._db.execute("DELETE FROM fault_rules")
            self._db.execute("INSERT OR REPLACE INTO fault_seed VALUES (1, ?)", [str(plan.seed)])
            for place, rule in enumerate(plan.rules):
                self._db.execute("INSERT INTO fault_rules VALUES (?, ?, 0, 0)", [place, _json(rule)])

    def plan(self) -> tuple[int, list[Counted]]:
        row = self._db.execute("SELECT seed FROM fault_seed").fetchone()
        rules = self._db.execute("SELECT * FROM fault_rules ORDER BY place")
        return int(row["seed"]) if row else 0, [
            Counted(msgspec.json.decode(rule["rule"], type=Rule), rule["seen"], rule["fired"]) for rule in rules
        ]

    def conduct(self, operation: Operation, token: str | None, usual: Conduct) -> Conduct:
        """How this request is treated, with the plan's counts moved on."""
        seed, rules = self.plan()
        conduct, counts = judge(seed, rules, operation, token, usual)
        if counts:
            with self._transaction():
                for place, counted in counts.items():
                    new = [counted.seen, counted.fired, place]
                    self._db.execute("UPDATE fault_rules SET seen = ?, fired = ? WHERE place = ?", new)
        return conduct

    # --- below -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _row(self, kind: Kind, operation_id: str) -> sqlite3.Row | None:
        found = self._db.execute("SELECT * FROM operations WHERE kind = ? AND id = ?", [kind, operation_id])
        row: sqlite3.Row | None = found.fetchone()
        return row

    def _known(self, kind: Kind, operation_id: str, order: ChargeOrder | RefundOrder) -> dict[str, object] | None:
        row = self._row(kind, operation_id)
        if row is not None and row["content"] != _json(order):
            raise Refused(409, "id_reused", "This id was used for something else.")
        return None if row is None else _shown(row)

    def _record(
        self,
        kind: Kind,
        order: ChargeOrder | RefundOrder,
        token: str,
        charge_id: str | None,
        conduct: Conduct,
        now_ms: int,
    ) -> dict[str, object]:
        # From the id, so that the same story has the same references in each run.
        reference = kind[:2] + "_" + sha256(f"{kind}/{order.id}".encode()).hexdigest()[:24]
        if conduct.late_ms is None:
            status, fee, decided_at = self._decision(kind, order.amount, conduct.decline, now_ms)
            settles_ms = None
        else:
            status, fee, decided_at = "pending", None, None
            settles_ms = now_ms + conduct.late_ms
        self._db.execute(
            "INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(kind, order.id, charge_id, _json(order), token, reference, order.amount, order.currency),
                *(status, fee, conduct.decline, _json(conduct), _time(now_ms), decided_at, settles_ms),
            ],
        )
        if status != "pending":
            self._owe_message(kind, order.id, now_ms)
        row = self._row(kind, order.id)
        if row is None:
            raise AssertionError(f"{kind} {order.id} was written and is not there")
        return _shown(row)

    def _decision(self, kind: Kind, amount: int, decline: str | None, now_ms: int) -> tuple[str, int | None, str]:
        """status, fee, decided_at. Charges cost a share, half a unit rounded up; a refund costs nothing."""
        if decline is not None:
            return "declined", None, _time(now_ms)
        return "succeeded", share_in_basis_points(amount, self._fee_bps) if kind == "charge" else 0, _time(now_ms)

    def _owe_message(self, kind: Kind, operation_id: str, now_ms: int) -> None:
        row = self._row(kind, operation_id)
        if row is None:
            raise AssertionError(f"{kind} {operation_id} was decided and is not there")
        conduct = msgspec.json.decode(row["conduct"], type=Conduct)
        if conduct.callback == "no_callback":
            return
        self._db.execute(
            "INSERT INTO messages (id, body, wrong_first, owed, due_ms) VALUES (?, ?, ?, ?, ?)",
            [
                "evt_" + row["reference"],
                msgspec.json.encode(_shown(row)),
                int(conduct.callback == "wrong_signature_callback"),
                2 if conduct.callback == "duplicate_callback" else 1,
                now_ms + conduct.callback_after_ms,
            ],
        )


def _shown(row: sqlite3.Row) -> dict[str, object]:
    """A charge or refund as answers and messages carry it."""
    shown: dict[str, object] = {
        "object": row["kind"],
        **{name: row[name] for name in ("id", "status", "reference", "amount", "currency", "fee", "decided_at")},
        "decline": None,
    }
    if row["status"] == "declined":
        shown["decline"] = {"code": row["decline_code"], "message": DECLINES[row["decline_code"]]}
    return shown


def _json(value: Struct) -> str:
    return msgspec.json.encode(value).decode()


def _time(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms // 1000, UTC).replace(microsecond=now_ms % 1000 * 1000).isoformat()
