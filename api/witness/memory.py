"""Memory: what a witness cosigned last of each log, in SQLite; a commit is on the disk before anybody hears of it.

One statement puts a checkpoint in the place of the one that it was held against. Of two requests at once, in one
process or in two, that statement finds the other's checkpoint there, and the second one is told so.
"""

import sqlite3
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from ledger.audit.signed_note import Note
from ledger.audit.witness import Kept, NotCosigned, Submission, check_submission

_PATIENCE_S = 5.0
# Whoever has a log's old requests can have them refused again and again.
_MOST_DISPUTED = 1_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS witness (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    vkey   TEXT    NOT NULL
);
CREATE TABLE IF NOT EXISTS logs (
    origin TEXT    PRIMARY KEY,
    hash   TEXT    NOT NULL UNIQUE,    -- SHA-256 of the origin, by which monitors ask
    size   INTEGER NOT NULL,
    root   BLOB    NOT NULL,
    note   BLOB    NOT NULL            -- with the signatures of the log and of the witness
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS disputed (  -- signed by the log, and not shown to go on from what was kept: evidence
    origin TEXT    NOT NULL,
    size   INTEGER NOT NULL,
    root   BLOB    NOT NULL,
    note   BLOB    NOT NULL,
    kept   BLOB    NOT NULL,           -- the cosigned note that it was held against; empty before the first
    at_s   INTEGER NOT NULL,
    PRIMARY KEY (origin, size, root)
) WITHOUT ROWID;
"""
_REPLACE = """
INSERT INTO logs (origin, hash, size, root, note) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note
 WHERE logs.size = ? AND logs.root = ?
"""
_DISPUTE = """
INSERT OR IGNORE INTO disputed (origin, size, root, note, kept, at_s)
SELECT ?, ?, ?, ?, coalesce((SELECT note FROM logs WHERE origin = ?), x''), ?
 WHERE (SELECT count(*) FROM disputed WHERE origin = ?) < ?
"""


class Memory:
    """One SQLite file; several processes may have it open. One thread at a time."""

    def __init__(self, file: Path) -> None:
        """Raises sqlite3.Error for a file that is none of ours."""
        self._file = sqlite3.connect(file, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
        try:
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = FULL")
            self._file.executescript(_SCHEMA)
        except sqlite3.Error:
            self._file.close()
            raise

    def close(self) -> None:
        self._file.close()

    # --- whose it is

    def vkey(self) -> str | None:
        """The witness whose memory this is; None while it is nobody's."""
        row = self._file.execute("SELECT vkey FROM witness").fetchone()
        return None if row is None else str(row[0])

    def belong_to(self, vkey: str) -> None:
        """From now on it is the memory of this witness; raises sqlite3.IntegrityError where it is another's."""
        self._file.execute("INSERT INTO witness (one, vkey) VALUES (1, ?)", (vkey,))

    # --- what it holds

    def kept(self, origin: str) -> Kept:
        """The last checkpoint of this log that was cosigned."""
        row = self._file.execute("SELECT size, root FROM logs WHERE origin = ?", (origin,)).fetchone()
        return Kept() if row is None else Kept(*row)

    def note(self, origin_hash: str) -> bytes | None:
        """The last cosigned note of the log with this hash of its origin; None before the first."""
        row = self._file.execute("SELECT note FROM logs WHERE hash = ?", (origin_hash,)).fetchone()
        return None if row is None else bytes(row[0])

    def cosign(self, submission: Submission, sign: Callable[[Note], Note]) -> Note:
        """Keep the checkpoint, and return its note with the cosignature; raises NotCosigned with 409 or 422."""
        new, kept = submission.checkpoint, self.kept(submission.checkpoint.origin)
        try:
            check_submission(submission, kept)
        except NotCosigned as refusal:
            if refusal.is_disputed:
                self._dispute(submission)
            raise
        note = sign(submission.note)
        place = (new.origin, sha256(new.origin.encode()).hexdigest(), new.size, new.root, str(note).encode())
        if self._file.execute(_REPLACE, (*place, kept.size, kept.root)).rowcount == 0:
            # Another request was quicker; it may have kept this very checkpoint, and is asked about in the same way.
            raise NotCosigned(409, f"{self.kept(new.origin).size}\n")
        return note

    def disputed(self, origin: str) -> list[bytes]:
        """The notes of this log that were refused although it had signed them."""
        rows = self._file.execute("SELECT note FROM disputed WHERE origin = ? ORDER BY at_s, size", (origin,))
        return [bytes(row[0]) for row in rows]

    def _dispute(self, submission: Submission) -> None:
        one, note = submission.checkpoint, str(submission.note).encode()
        values = (one.origin, one.size, one.root, note, one.origin, int(time.time()), one.origin, _MOST_DISPUTED)
        self._file.execute(_DISPUTE, values)
