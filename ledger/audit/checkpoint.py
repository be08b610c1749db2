"""Checkpoint: how large a log is and the root of its tree, as C2SP tlog-checkpoint writes it into a signed note.

origin ⏎ size in decimal ⏎ root in base64 ⏎      more lines may follow, and are passed over
"""

import binascii
from base64 import b64decode, b64encode

from msgspec import Struct

from ledger.audit.merkle import EMPTY_ROOT, HASH_BYTES
from ledger.audit.signed_note import NoteInvalid

_LARGEST = 2**63 - 1


class EmptyLogInvalid(NoteInvalid):
    """An empty log has the root of nothing, and this one says another."""


class Checkpoint(Struct, frozen=True):
    """The log of this origin has so many entries, and this root."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not self.origin or "\n" in self.origin:
            raise NoteInvalid("an origin is one line of text")
        if not 0 <= self.size <= _LARGEST or len(self.root) != HASH_BYTES:
            raise NoteInvalid("a checkpoint has a size and a root of 32 bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise EmptyLogInvalid("an empty log has the root of nothing")

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """What the text of a note says; raises NoteInvalid."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1]:
            raise NoteInvalid("a checkpoint is three lines")
        origin, size, root, *_ = lines
        if not (size.isascii() and size.isdigit()) or len(size) > 19 or (size != "0" and size.startswith("0")):
            raise NoteInvalid("a size is a decimal number without zeros before it")
        try:
            return cls(origin, int(size), b64decode(root.encode("ascii"), validate=True))
        except (binascii.Error, UnicodeEncodeError):
            raise NoteInvalid("a root is base64") from None
