"""Merkle: the tree of hashes over a log, as RFC 6962 (section 2.1) and RFC 9162 define it.

leaf = SHA-256(0x00 ‖ entry)      node = SHA-256(0x01 ‖ left ‖ right)

A log of any size is a row of perfect subtrees, the largest first, one for each bit of the size that is set. Their roots
are its `Frontier`: all that has to be kept to append and to know the root.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256

from msgspec import Struct

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()

NodeAt = Callable[[int, int], bytes]
"""The root of the perfect subtree at a level (0: the leaves) and an index there, counted from the left."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry of the log."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of what stands above two hashes."""
    return sha256(b"\x01" + left + right).digest()


class Frontier(Struct, frozen=True):
    """The roots of the perfect subtrees of a log of this size, the largest first."""

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.roots) != self.size.bit_count():
            raise ValueError(f"a log of {self.size} entries has {self.size.bit_count()} perfect subtrees")

    @classmethod
    def parse(cls, size: int, stored: bytes) -> "Frontier":
        """The frontier of a log of this size, as it is stored: hash by hash; raises ValueError."""
        if len(stored) % HASH_BYTES:
            raise ValueError("a frontier is stored hash by hash")
        return cls(size, tuple(stored[at : at + HASH_BYTES] for at in range(0, len(stored), HASH_BYTES)))

    def stored(self) -> bytes:
        """As it is stored."""
        return b"".join(self.roots)

    def extended(self, leaves: Iterable[bytes]) -> "Frontier":
        """With these hashes of leaves behind."""
        size, roots = self.size, list(self.roots)
        for leaf in leaves:
            root, above = leaf, size
            while above & 1:
                root = node_hash(roots.pop(), root)
                above >>= 1
            roots.append(root)
            size += 1
        return Frontier(size, tuple(roots))

    @property
    def root(self) -> bytes:
        """The hash of all of the log."""
        if not self.roots:
            return EMPTY_ROOT
        *left, root = self.roots
        for one in reversed(left):
            root = node_hash(one, root)
        return root


def range_root(begin: int, end: int, node_at: NodeAt) -> bytes:
    """The root of the leaves from `begin` until `end`, of which at least one is there.

    `begin` is a multiple of the largest power of two that is smaller than their number, as in every tree of RFC 6962.
    """
    if begin >= end:
        raise ValueError("a root of no leaves is asked for")
    count = end - begin
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node_at(level, begin >> level)
    middle = begin + split(count)
    return node_hash(range_root(begin, middle, node_at), range_root(middle, end, node_at))


def split(count: int) -> int:
    """How many leaves stand left in a tree of more than one: the largest power of two below their number."""
    return 1 << (count - 1).bit_length() - 1
