"""The seal of a book's log, held against the log: by `ledger verify`."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import LiteralString

import msgspec
from psycopg import Connection

from ledger.audit.checkpoint import Checkpoint
from ledger.audit.leaf import leaf_of
from ledger.audit.merkle import leaf_hash
from ledger.audit.seal_check import Fault, SealBroken, SealCheck
from ledger.audit.signed_note import Note, NoteInvalid, VerifierKey, read_note, verify_note
from ledger.store import sealed
from ledger.store.connection import in_book

_HEAD: LiteralString = """
SELECT position, frontier, (SELECT coalesce(max(notification_id), 0) FROM {schema}.events) FROM {schema}.log_head
"""


class SealReport(msgspec.Struct):
    """What was found of the seal: `size` events are in the tree with this root (hex).

    Where something is wrong, `fault` says what kind of thing, and `from_position` and `to_position` where: it is one of
    these events, or the one of the first number.
    """

    size: int = 0
    root: str = ""
    checkpoints: int = 0
    kept: int = 0
    unsigned: int = 0
    """Checkpoints that were kept and that nobody we know has signed: they were compared all the same."""
    fault: str | None = None
    exit_code: int = 0
    words: str = ""
    from_position: int | None = None
    to_position: int | None = None


class KeptCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint that somebody kept, as the note says it."""

    note: Note
    says: Checkpoint


def kept_in(files: Iterable[Path]) -> list[KeptCheckpoint]:
    """The checkpoints in these files; raises NoteInvalid and OSError."""
    notes = [read_note(file.read_bytes()) for file in files]
    return [KeptCheckpoint(note, Checkpoint.parse(note.text)) for note in notes]


def verify_seal(
    connection: Connection,
    book: str,
    *,
    kept: Iterable[KeptCheckpoint] = (),
    keys: Iterable[VerifierKey] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> SealReport:
    """Hold the log against its seal. `keys` are those that are believed; without any, those that the book itself names.

    Checkpoints that were kept count for the book whose origin they name.
    """
    report = SealReport()
    try:
        _verify(connection, book, list(kept), list(keys), progress, report)
    except SealBroken as broken:
        report.fault, report.exit_code, report.words = broken.fault.name.lower(), int(broken.fault), str(broken)
        report.from_position, report.to_position = broken.position, broken.until
    return report


def _verify(
    connection: Connection,
    book: str,
    kept: list[KeptCheckpoint],
    keys: list[VerifierKey],
    progress: Callable[[int, int], None],
    report: SealReport,
) -> None:
    # What was signed first and the head afterwards: the log goes on meanwhile, and is never behind its seal.
    own = list(_own(connection, book, keys))
    sealed_size, new_leaves = sealed.sealed_size(connection, book)
    row = connection.execute(in_book(_HEAD, book), binary=True).fetchone()
    if row is None:
        raise SealBroken(Fault.POSITIONS, 1, "the log has lost its head")
    position, frontier, last = row[0], None if row[1] is None else bytes(row[1]), row[2]
    ours = [one for one in kept if is_of(book, one)]
    report.kept = len(ours)
    report.unsigned = sum(not _is_signed(one, keys) for one in ours)
    check = SealCheck(
        sealed_size,
        lambda tiles: sealed.tiles(connection, book, list(tiles)),
        own,
        [one.says for one in ours],
        new_leaves,
    )
    report.checkpoints = len(own)
    for hashes in _hashes(connection, book, position):
        check.take(hashes)
        progress(check.frontier.size, position)
    report.size, report.root = check.frontier.size, check.frontier.root.hex()
    check.finish(position, frontier)
    if last > position:
        raise SealBroken(
            Fault.POSITIONS, position + 1, f"the head says {position:,} events, and there is one at {last:,}"
        )


def is_of(book: str, kept: KeptCheckpoint) -> bool:
    """Whether the checkpoint is one of this book's log."""
    return kept.says.origin.rpartition("/")[2] == book


def _own(connection: Connection, book: str, keys: list[VerifierKey]) -> Iterator[Checkpoint]:
    """Our own checkpoints, their signatures verified."""
    for found in sealed.all_checkpoints(connection, book):
        try:
            note = read_note(found.note)
            says = Checkpoint.parse(note.text)
            named = [VerifierKey.parse(key) for key in found.keys]
            verify_note(note, keys or named)
        except NoteInvalid as invalid:
            raise SealBroken(
                Fault.CHECKPOINT, found.size, f"the checkpoint of {found.size:,} events: {invalid}"
            ) from None
        if says.size != found.size:
            raise SealBroken(Fault.CHECKPOINT, found.size, "a checkpoint stands where another one should")
        yield says


def _hashes(connection: Connection, book: str, until: int) -> Iterator[list[bytes]]:
    try:
        for page in sealed.stored_events(connection, book, until=until):
            yield [leaf_hash(leaf_of(event)) for event in page]
    except sealed.Unsealable as unsealable:
        raise SealBroken(Fault.EVENT, unsealable.position, str(unsealable)) from None
    except sealed.HoleInLog as hole:
        raise SealBroken(Fault.POSITIONS, hole.position, str(hole)) from None


def _is_signed(one: KeptCheckpoint, keys: list[VerifierKey]) -> bool:
    try:
        return bool(verify_note(one.note, keys))
    except NoteInvalid:
        return False
