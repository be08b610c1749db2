"""Tiles: the tree in pieces of 256 hashes, as C2SP tlog-tiles cuts and names them; whole ones never change.

A tile at level L and index N holds the roots at level 8·L of the tree, from 256·N on. It is found at
`tile/<L>/<N>[.p/<W>]`: N in groups of three digits, all but the last with an x before them; W where there are only so
many hashes yet.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256

from msgspec import Struct

from ledger.audit.merkle import HASH_BYTES, Frontier, NodeAt

HEIGHT = 8
WIDTH = 1 << HEIGHT
_WHOLE = WIDTH * HASH_BYTES
_HIGHEST = 63 // HEIGHT
_PATH = re.compile(r"tile/(0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


class Tile(Struct, frozen=True, order=True):
    """Which tile: level, index, and how many hashes it has."""

    level: int
    index: int
    width: int = WIDTH

    def __post_init__(self) -> None:
        if not (0 <= self.level <= _HIGHEST and self.index >= 0 and 1 <= self.width <= WIDTH):
            raise ValueError(f"there is no tile {self.level}/{self.index} of {self.width} hashes")

    @property
    def path(self) -> str:
        """Where it is found."""
        digits = f"{self.index:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        *before, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
        name = "".join(f"x{group}/" for group in before) + last
        return f"tile/{self.level}/{name}" + (f".p/{self.width}" if self.width < WIDTH else "")

    @classmethod
    def parse(cls, path: str) -> "Tile":
        """The tile that is found there; raises ValueError where none is."""
        match = _PATH.fullmatch(path)
        if match is None:
            raise ValueError("that is no path of a tile")
        level, name, width = match.groups()
        found = cls(int(level), int(name.replace("x", "").replace("/", "")), WIDTH if width is None else int(width))
        if found.path != path:
            raise ValueError("a tile has one path")
        return found


def tiles_of(size: int, since: int = 0) -> Iterator[Tile]:
    """The tiles of a log of this size that differ from those at an older size, the lowest level first."""
    for level in range(_HIGHEST + 1):
        count, before = size >> HEIGHT * level, since >> HEIGHT * level
        if count == 0:
            return
        if count == before:
            continue
        for index in range(before >> HEIGHT, (count + WIDTH - 1) >> HEIGHT):
            yield Tile(level, index, min(WIDTH, count - (index << HEIGHT)))


def grown(size: int, edges: Mapping[int, bytes], leaves: bytes) -> dict[Tile, bytes]:
    """The tiles that change when a log of this size grows by these hashes of leaves, with their content.

    `edges` holds the content of the last tile of each level, as far as it is not whole; `leaves` one hash behind the
    other.
    """
    changed: dict[Tile, bytes] = {}
    level, hashes = 0, leaves
    while hashes:
        index, width = divmod(size >> HEIGHT * level, WIDTH)
        edge = edges.get(level, b"")[: width * HASH_BYTES]
        if len(edge) != width * HASH_BYTES:
            raise ValueError(f"the last tile of level {level} has {len(edge)} bytes and not {width * HASH_BYTES}")
        content = edge + hashes
        pieces = [content[at : at + _WHOLE] for at in range(0, len(content), _WHOLE)]
        changed |= {Tile(level, index + at, len(piece) // HASH_BYTES): piece for at, piece in enumerate(pieces)}
        hashes = b"".join([_root(piece) for piece in pieces if len(piece) == _WHOLE])
        level += 1
    return changed


def frontier_in(size: int, edges: Mapping[int, bytes]) -> Frontier:
    """The frontier of a log of this size, out of the last tile of each level, as far as it is not whole."""
    roots: list[bytes] = []
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            tile_level, height = divmod(level, HEIGHT)
            begin = ((size >> level) - 1 << height) % WIDTH
            content = edges[tile_level][begin * HASH_BYTES : (begin + (1 << height)) * HASH_BYTES]
            roots.append(_root(content))
    return Frontier(size, tuple(roots))


def edges_of(size: int) -> list[Tile]:
    """The last tile of each level of a log of this size, as far as it is not whole."""
    widths = ((level, size >> HEIGHT * level) for level in range(_HIGHEST + 1))
    return [Tile(level, count >> HEIGHT, count % WIDTH) for level, count in widths if count % WIDTH]


def nodes_in(read: Callable[[Tile], bytes], size: int) -> NodeAt:
    """Every node of the tree of a log of this size, out of its tiles; raises ValueError for a wrong length."""

    def node_at(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, HEIGHT)
        first = index << height
        count = size >> HEIGHT * tile_level
        if first + (1 << height) > count:
            raise ValueError(f"a log of {size} entries has no node {index} at level {level}")
        place = first >> HEIGHT
        tile = Tile(tile_level, place, min(WIDTH, count - (place << HEIGHT)))
        content = read(tile)
        if len(content) != tile.width * HASH_BYTES:
            raise ValueError(f"{tile.path} has {len(content)} bytes")
        begin = (first - (place << HEIGHT)) * HASH_BYTES
        return _root(content[begin : begin + (HASH_BYTES << height)])

    return node_at


def tiles_needed(size: int, ask: Callable[[NodeAt], object]) -> list[Tile]:
    """Out of which tiles of a log of this size a question is answered, to be read in one go before it is asked."""
    needed: dict[Tile, None] = {}

    def read(tile: Tile) -> bytes:
        needed[tile] = None
        return bytes(tile.width * HASH_BYTES)

    ask(nodes_in(read, size))
    return list(needed)


def _root(content: bytes) -> bytes:
    """What stands above these hashes, which are as many as a power of two."""
    while len(content) > HASH_BYTES:
        # Written out here, because a sealer does it for every event.
        pairs = range(0, len(content), 2 * HASH_BYTES)
        content = b"".join([sha256(b"\x01" + content[at : at + 2 * HASH_BYTES]).digest() for at in pairs])
    return content
