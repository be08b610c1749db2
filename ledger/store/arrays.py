"""Arrays: columns of text, bytes and numbers as PostgreSQL's binary arrays, each built at once.

psycopg writes a list item by item in Python, and a batch of 1,000 transfers has some 15,000 items: four times as slow.
A list wrapped in one of these classes goes out the short way on connections that `register` has seen, and like any
other list on the rest.

The form: how many dimensions, whether there are nulls, the type of the items; the length and the first index of the one
dimension; then each item behind its length in bytes, a null being nothing behind the length -1.
"""

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct

from psycopg import postgres
from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEAD = Struct(">iiIii")
_EMPTY_HEAD = Struct(">iiI")
_LENGTH = Struct(">i").pack
_SHORT = 1024
# By length, and found quicker than packed; the last one is found as the length -1.
_LENGTHS = [*map(_LENGTH, range(_SHORT)), _LENGTH(-1)]


class Texts(list[str]):
    """A text[]."""


class Bytes(list[bytes | None]):
    """A bytea[]; None is null."""


class Bigints(list[int]):
    """A bigint[]."""


class Flags(list[bool]):
    """A boolean[]."""


class _ArrayDumper(Dumper):
    format = Format.BINARY
    item_oid: int

    def _head(self, length: int, *, nulls: bool = False) -> bytes:
        if not length:
            return _EMPTY_HEAD.pack(0, 0, self.item_oid)
        return _HEAD.pack(1, nulls, self.item_oid, length, 1)


def _behind_their_lengths(head: bytes, items: Sequence[bytes], lengths: Sequence[int]) -> bytes:
    parts = [head] * (2 * len(items) + 1)
    parts[1::2] = map(_LENGTHS.__getitem__ if max(lengths, default=0) < _SHORT else _LENGTH, lengths)
    parts[2::2] = items
    return b"".join(parts)


class _TextsDumper(_ArrayDumper):
    item_oid = postgres.types["text"].oid
    oid = postgres.types["text"].array_oid

    def dump(self, obj: list[str]) -> bytes:
        items = list(map(str.encode, obj))
        return _behind_their_lengths(self._head(len(obj)), items, list(map(len, items)))


class _BytesDumper(_ArrayDumper):
    item_oid = postgres.types["bytea"].oid
    oid = postgres.types["bytea"].array_oid

    def dump(self, obj: list[bytes | None]) -> bytes:
        lengths = [-1 if item is None else len(item) for item in obj]
        head = self._head(len(obj), nulls=-1 in lengths)
        return _behind_their_lengths(head, [item or b"" for item in obj], lengths)


@lru_cache(maxsize=256)
def _row_of(code: str, count: int) -> Struct:
    return Struct(">" + f"4x{code}" * count)


class _NumbersDumper(_ArrayDumper):
    code: str
    size: int

    def dump(self, obj: list[int]) -> bytes:
        packed = bytearray(_row_of(self.code, len(obj)).pack(*obj))
        packed[3 :: 4 + self.size] = bytes([self.size]) * len(obj)
        return self._head(len(obj)) + packed


class _BigintsDumper(_NumbersDumper):
    item_oid = postgres.types["int8"].oid
    oid = postgres.types["int8"].array_oid
    code, size = "q", 8


class _FlagsDumper(_NumbersDumper):
    item_oid = postgres.types["bool"].oid
    oid = postgres.types["bool"].array_oid
    code, size = "?", 1


def register(context: AdaptContext) -> None:
    """Teach a connection the short way."""
    context.adapters.register_dumper(Texts, _TextsDumper)
    context.adapters.register_dumper(Bytes, _BytesDumper)
    context.adapters.register_dumper(Bigints, _BigintsDumper)
    context.adapters.register_dumper(Flags, _FlagsDumper)
