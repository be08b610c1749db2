"""Export folder: a book as a stranger takes it home, so that it can be checked without us.

manifest.json            what is here: the log, its size and root, and every other file with its length and SHA-256
entries/000000.bin …     the preimages of 65,536 leaves each, every one behind its length as u32, big-endian
tile/…                   the hashes that were sealed, as C2SP tlog-tiles cuts and names them
checkpoint               the signed note of this size, with what witnesses signed
checkpoints/<size>       older ones
chart.json               accounts: id, kind, currency, name
balances.json            what each account is claimed to have moved, as decimal strings [debits, credits], and the sums
policy.json              who signed which sizes, and what two people have to agree to: told, and not to be believed
SPEC.md vectors.json verify_ledger.py verify_ledger.mjs

The manifest is written last: a folder without one is an export that was broken off.
"""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from hashlib import sha256
from struct import Struct as Layout
from typing import Protocol

import msgspec

from ledger.accounts import Kind
from ledger.audit.checkpoint import Checkpoint
from ledger.audit.leaf import StoredEvent, leaf_of
from ledger.audit.standalone import shipped

FORMAT = "ledger-export/v1"
BUNDLE = 65_536
"""Leaves in one file."""
MANIFEST = "manifest.json"
_LENGTH = Layout(">I").pack
_ENCODER = msgspec.json.Encoder()


class Writing(Protocol):
    """A file that is being written."""

    def write(self, content: bytes, /) -> object:
        """Add this at its end."""


class Sink(Protocol):
    """Where the files of an export go, one after the other."""

    def open(self, path: str) -> AbstractContextManager[Writing]:
        """A new file, written when the block ends."""


class ListedAccount(msgspec.Struct, frozen=True):
    """An account of the chart."""

    id: str
    kind: Kind
    currency: str
    name: str


class Manifest(msgspec.Struct):
    """What an export is, and what it consists of."""

    format: str
    origin: str
    book: str
    size: int
    root: str
    made_at: datetime
    files: dict[str, dict[str, int | str]]


class ExportFolder:
    """Writes the files of one export and remembers what they hash to."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._files: dict[str, dict[str, int | str]] = {}
        self.leaves = 0

    def write(self, path: str, content: bytes) -> None:
        """One file."""
        self._write(path, (content,))

    def write_json(self, path: str, content: object) -> None:
        """One file of JSON, in lines that people can read."""
        self._write(path, (msgspec.json.format(_ENCODER.encode(content), indent=1), b"\n"))

    def _write(self, path: str, pieces: Iterable[bytes]) -> None:
        for _ in self._writing(path, pieces):
            pass

    def _writing(self, path: str, pieces: Iterable[bytes]) -> Iterator[None]:
        hashed, size = sha256(), 0
        with self._sink.open(path) as file:
            for piece in pieces:
                file.write(piece)
                hashed.update(piece)
                size += len(piece)
                yield
        self._files[path] = {"bytes": size, "sha256": hashed.hexdigest()}

    def write_leaves(self, pages: Iterable[Iterable[StoredEvent]]) -> Iterator[int]:
        """All events of the book, in their order, page by page; says after each how many they were by then."""
        written = _Bundles(pages)
        while written.more():
            for _ in self._writing(f"entries/{written.number:06}.bin", written.bundle()):
                self.leaves = written.leaves
                yield self.leaves

    def end(self, checkpoint: Checkpoint, book: str, made_at: datetime) -> Manifest:
        """The words that explain it, the two programs that check it, and the manifest."""
        for name, content in shipped():
            self.write(name, content)
        root = checkpoint.root.hex()
        manifest = Manifest(FORMAT, checkpoint.origin, book, checkpoint.size, root, made_at, dict(self._files))
        self.write_json(MANIFEST, manifest)
        return manifest


class _Bundles:
    """Pages of events as files of leaves."""

    def __init__(self, pages: Iterable[Iterable[StoredEvent]]) -> None:
        self._pages = iter(pages)
        self._waiting: list[bytes] = []
        self.leaves = 0

    @property
    def number(self) -> int:
        return self.leaves // BUNDLE

    def more(self) -> bool:
        """Whether there is a leaf more."""
        while not self._waiting:
            page = next(self._pages, None)
            if page is None:
                return False
            self._waiting = [_framed(leaf_of(event)) for event in page]
        return True

    def bundle(self) -> Iterable[bytes]:
        """The content of the next file, piece by piece."""
        left = BUNDLE
        while left and self.more():
            taken, self._waiting = self._waiting[:left], self._waiting[left:]
            left -= len(taken)
            self.leaves += len(taken)
            yield b"".join(taken)


def _framed(leaf: bytes) -> bytes:
    return _LENGTH(len(leaf)) + leaf
