"""Posting table: a book's journal as Parquet, one row per posting, for whoever asks questions of it in bulk.

`amount` is in minor units; `amount_decimal` is the same in whole ones. What the table is about stands in its key
`ledger`, as JSON. pyarrow is a guest in this room: it is imported with it, and only by those who write a table.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ledger.audit.plain_text import AccountLine, EntryLine, Journal, moment
from ledger.currencies import ASSETS

# 20 digits before the point hold 2^63, and 8 behind it every currency and coin.
_DECIMAL = pa.decimal128(28, 8)
_WORD = pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        pa.field("position", pa.int64(), nullable=False),
        pa.field("entry_id", pa.string(), nullable=False),
        pa.field("leg", pa.int16(), nullable=False),
        pa.field("account", _WORD, nullable=False),
        pa.field("kind", _WORD, nullable=False),
        pa.field("currency", _WORD, nullable=False),
        pa.field("direction", _WORD, nullable=False),
        pa.field("amount", pa.int64(), nullable=False),
        pa.field("amount_decimal", _DECIMAL, nullable=False),
        pa.field("effective_at", _TIME, nullable=False),
        pa.field("recorded_at", _TIME, nullable=False),
        pa.field("description", pa.string()),
        pa.field("reference", pa.string()),
        pa.field("topic", _WORD, nullable=False),
        pa.field("stream", pa.string(), nullable=False),
    ]
)
# Rows that are written together, and so the most that wait in memory: about 5 MB.
_ROWS_TOGETHER = 20_000


class PostingTable:
    """One table, piece by piece: once `begin`, then pages of entries in the order of effect, once `close`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kinds: dict[str, str] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._count = 0
        self._turnover: dict[str, list[int]] = {}
        self._written = _Written()
        self._writer = pq.ParquetWriter(pa.PythonFile(self._written, mode="w"), SCHEMA, compression="zstd")

    def begin(self, accounts: Iterable[AccountLine], opening: dict[str, int]) -> Iterator[bytes]:
        """Take the kinds of the accounts in; a table has no opening balances, only what happened."""
        self._kinds = {account.id: account.kind for account in accounts}
        yield self._written.taken()

    def entries(self, page: Sequence[EntryLine]) -> bytes:
        """These entries, or some that waited; nothing where too few wait."""
        for entry in page:
            self._count += 1
            for leg, posting in enumerate(entry.postings):
                amount, currency, direction = posting.amount, posting.currency, posting.direction.value
                sides = self._turnover.setdefault(currency, [0, 0])
                sides[direction == "credit"] += amount
                in_whole_ones = Decimal(amount).scaleb(-ASSETS[currency].exponent)
                what = (posting.account, self._kinds[posting.account], currency, direction, amount, in_whole_ones)
                when = (entry.effective_at, entry.recorded_at, entry.description, entry.reference)
                self._rows.append((entry.position, entry.id, leg, *what, *when, entry.topic, entry.stream))
        if len(self._rows) >= _ROWS_TOGETHER:
            self._write()
        return self._written.taken()

    def close(self, closing: dict[str, int]) -> Iterator[bytes]:
        """What is left, and what the table is about."""
        if self._rows:
            self._write()
        journal = self._journal
        about = {
            "book": journal.book,
            "known_at": journal.known_at,
            "from": moment(journal.since) if journal.since else None,
            "to": moment(journal.until) if journal.until else None,
            "entries": self._count,
            "currencies": {
                currency: {"debits": str(debits), "credits": str(credits_)}
                for currency, (debits, credits_) in sorted(self._turnover.items())
            },
        }
        self._writer.add_key_value_metadata({"ledger": json.dumps(about)})
        self._writer.close()
        yield self._written.taken()

    def _write(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
        self._rows = []


class _Written:
    """What pyarrow writes to, as to a file that only grows; the pieces are taken from it as they come."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        self._length += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        return self._length

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
