"""Exporting: a book is written out as of one checkpoint, page by page, with all that it takes to check it.

The entries follow from the log, the hashes were sealed when it was written, and the balances are those that stood
beside it: three things that whoever changed only one of them cannot hide.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.accounts import Kind
from ledger.audit.checkpoint import Checkpoint
from ledger.audit.export_folder import ExportFolder, ListedAccount, Manifest, Sink
from ledger.audit.leaf import StoredEvent
from ledger.audit.signed_note import read_note
from ledger.audit.tiles import Tile, tiles_of
from ledger.events.accounts import AccountOpened
from ledger.events.approvals import ApprovalPolicyChanged
from ledger.events.event import Event
from ledger.events.periods import PeriodClosed
from ledger.journal import Direction
from ledger.posting_rules import entry_for
from ledger.store import codec
from ledger.store.connection import in_book
from ledger.store.sealed import SignedCheckpoint, stored_events, tiles

_TILES_AT_ONCE = 256
# The last one of each day.
_OLDER: LiteralString = """
SELECT DISTINCT ON (date_trunc('day', signed_at, 'UTC')) size, note
  FROM {schema}.checkpoints
 WHERE size > 0 AND size < %s
 ORDER BY date_trunc('day', signed_at, 'UTC'), size DESC
"""
_AT_SIZES: LiteralString = "SELECT size, note FROM {schema}.checkpoints WHERE size = ANY(%s) AND size < %s"
_KEYS: LiteralString = """
SELECT key, min(size), max(size)
  FROM {schema}.checkpoints, unnest(keys) AS key
 WHERE size <= %s
 GROUP BY key
 ORDER BY 2, 1
"""
_WITNESSES: LiteralString = "SELECT DISTINCT name FROM {schema}.cosignatures WHERE size <= %s ORDER BY name"
# One statement, so that the balances are those of this position.
_BALANCES: LiteralString = """
SELECT h.position, b.account, b.posted_debits, b.posted_credits
  FROM {schema}.log_head AS h LEFT JOIN {schema}.balances AS b ON true
"""

# What only a second person may let happen, whatever a book's own policy says.
_ALWAYS_APPROVED = (
    "merchant_losses.written_off.v1",
    "credit_lines.impaired.v1",
    "credit_lines.written_off.v1",
    "breaks.resolved.v1 where four_eyes was asked for",
    "payouts.reserved.v1 where needs_approval was asked for",
    "periods.reopened.v1",
    "periods.closed.v1 in spite of a check",
    "entries that adjust a closed period",
)


class _Noticed(msgspec.Struct):
    """What else the events say that an export wants to know."""

    chart: list[ListedAccount] = []
    closings: list[int] = []
    policy: ApprovalPolicyChanged | None = None


class BookExport:
    """One export of a book as of a checkpoint; `manifest` is there when it is done."""

    def __init__(self, connection: Connection[Any], book: str, checkpoint: SignedCheckpoint, sink: Sink) -> None:
        self.accounts = self.older_checkpoints = 0
        self.manifest: Manifest | None = None
        self._connection, self._book, self._checkpoint = connection, book, checkpoint
        self._folder = ExportFolder(sink)

    def steps(self) -> Iterator[int]:
        """Write everything, a piece at a time; says after each how many events are written.

        Raises AssertionError for a hole in the log or its tiles.
        """
        connection, book, size, folder = self._connection, self._book, self._checkpoint.size, self._folder
        noticed = _Noticed()
        # First of all: what is posted from here on has to be taken off again.
        turnover = _turnover(connection, book, size)
        yield from folder.write_leaves(_read(connection, book, size, noticed))
        if folder.leaves != size:
            raise AssertionError(f"{book}: there are {folder.leaves} events instead of {size}")
        for some in _by(_TILES_AT_ONCE, list(tiles_of(size))):
            found = tiles(connection, book, some)
            for tile in some:
                if tile not in found:
                    raise AssertionError(f"{book}: {tile.path} is not there")
                folder.write(tile.path, found[tile])
            yield size
        self._write_checkpoints(noticed)
        folder.write_json("chart.json", {"accounts": noticed.chart})
        folder.write_json("balances.json", _claimed(noticed.chart, turnover, size))
        folder.write_json("policy.json", _policy(connection, book, size, noticed))
        self.accounts = len(noticed.chart)
        head = Checkpoint.parse(read_note(bytes(self._checkpoint)).text)
        self.manifest = folder.end(head, book, datetime.now(UTC))
        yield size

    def _write_checkpoints(self, noticed: _Noticed) -> None:
        connection, book, size, folder = self._connection, self._book, self._checkpoint.size, self._folder
        folder.write("checkpoint", bytes(self._checkpoint))
        rows = connection.execute(in_book(_OLDER, book), (size,), binary=True).fetchall()
        rows += connection.execute(in_book(_AT_SIZES, book), (noticed.closings, size), binary=True).fetchall()
        older = {one: bytes(note) for one, note in rows}
        for one, note in sorted(older.items()):
            folder.write(f"checkpoints/{one}", note)
        self.older_checkpoints = len(older)


def _read(connection: Connection[Any], book: str, size: int, noticed: _Noticed) -> Iterator[list[StoredEvent]]:
    for page in stored_events(connection, book, until=size):
        for event in page:
            if event.topic in _NOTICED:
                _notice(noticed, codec.decode(event.topic, event.state))
        yield page


def _by(count: int, wanted: list[Tile]) -> Iterator[list[Tile]]:
    return (wanted[begin : begin + count] for begin in range(0, len(wanted), count))


def _notice(noticed: _Noticed, event: Event) -> None:
    match event:
        case AccountOpened():
            noticed.chart.append(ListedAccount(event.id, Kind(event.kind), event.currency, event.name))
        case PeriodClosed():
            noticed.closings.append(event.checkpoint_size)
        case ApprovalPolicyChanged():
            noticed.policy = event


_NOTICED = frozenset({AccountOpened.topic, PeriodClosed.topic, ApprovalPolicyChanged.topic})


def _turnover(connection: Connection[Any], book: str, size: int) -> dict[str, list[int]]:
    """What the balances beside the log say that each account had moved at this position: debits and credits."""
    rows = connection.execute(in_book(_BALANCES, book), binary=True).fetchall()
    position: int = rows[0][0]
    turnover = {account: [debits, credits_] for _, account, debits, credits_ in rows if account is not None}
    for page in stored_events(connection, book, after=size, until=position):
        for one in page:
            entry = entry_for(codec.decode(one.topic, one.state))
            for posting in () if entry is None else entry.postings:
                turnover[posting.account][posting.direction == Direction.CREDIT] -= posting.amount
    return turnover


def _claimed(chart: list[ListedAccount], turnover: dict[str, list[int]], size: int) -> dict[str, object]:
    totals: dict[str, list[int]] = {}
    for account in chart:
        sums = totals.setdefault(account.currency, [0, 0])
        for side, moved in enumerate(turnover.get(account.id, (0, 0))):
            sums[side] += moved
    accounts = {account.id: turnover.get(account.id, [0, 0]) for account in chart}
    return {
        "size": size,
        "accounts": {account: list(map(str, sides)) for account, sides in accounts.items()},
        "trial_balance": {currency: list(map(str, sides)) for currency, sides in sorted(totals.items())},
    }


def _policy(connection: Connection[Any], book: str, size: int, noticed: _Noticed) -> dict[str, object]:
    keys = connection.execute(in_book(_KEYS, book), (size,)).fetchall()
    witnesses = connection.execute(in_book(_WITNESSES, book), (size,)).fetchall()
    return {
        "vkeys": [{"vkey": key, "from_size": first, "to_size": last} for key, first, last in keys],
        "witnesses": [name for (name,) in witnesses],
        "approvals": {"always": _ALWAYS_APPROVED, "policy": noticed.policy},
    }
