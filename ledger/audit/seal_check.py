"""Seal check: holds a log, event by event, against everything that was sealed of it, and names the first that differs.

event ─▶ its leaf ─▶ the tiles, or the new leaves that are in none yet ─▶ the root of every checkpoint, ours and kept

Each kind of fault has its own number, with which `ledger verify` ends.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType

from ledger.audit.checkpoint import Checkpoint
from ledger.audit.merkle import HASH_BYTES, Frontier
from ledger.audit.tiles import WIDTH, Tile, grown


class Fault(IntEnum):
    """What is wrong, as an exit code."""

    POSITIONS = 10
    """Events are missing, or there are too many."""
    EVENT = 11
    """An event is not the one that was sealed."""
    TILE = 12
    """A tile of the tree is not the one that was sealed."""
    HEAD = 13
    """The log's head tells of another tree."""
    CHECKPOINT = 14
    """A checkpoint of ours tells of another log, or nobody we know has signed it."""
    KEPT = 15
    """A checkpoint that somebody kept tells of another log."""


class SealBroken(Exception):
    """The log is not what was sealed, from the position `position` on; up to `until`, where it is not known exactly."""

    def __init__(self, fault: Fault, position: int, words: str, until: int | None = None) -> None:
        super().__init__(words)
        self.fault, self.position, self.until = fault, position, until


class SealCheck:
    """Takes the log from its beginning; raises SealBroken at the first thing that differs."""

    def __init__(
        self,
        sealed_size: int,
        tiles: Callable[[Sequence[Tile]], dict[Tile, bytes]],
        checkpoints: Iterable[Checkpoint],
        kept: Iterable[Checkpoint] = (),
        new_leaves: Mapping[int, bytes] = MappingProxyType({}),
    ) -> None:
        """`tiles` reads what is stored of tiles, which are those of a log of `sealed_size` events.

        `new_leaves` are hashes of leaves that stand in no tile yet, by the position before them.
        """
        self.frontier = Frontier()
        self._sealed_size, self._tiles = sealed_size, tiles
        self._edges: dict[int, bytes] = {}
        self._new_leaves = {
            after + 1 + at // HASH_BYTES: hashes[at : at + HASH_BYTES]
            for after, hashes in new_leaves.items()
            for at in range(0, len(hashes), HASH_BYTES)
        }
        # In the order in which the log passes them; what others kept is asked first.
        named = [(one.size, 0, one) for one in kept] + [(one.size, 1, one) for one in checkpoints]
        self._ahead = sorted(named, key=lambda one: one[:2], reverse=True)
        # Up to where somebody's checkpoint agrees: theirs says nothing of ours, which may have been signed anew.
        self._good_until = [0, 0]

    def take(self, hashes: list[bytes]) -> None:
        """The hashes of the next leaves of the log, as they follow from its events."""
        self._check_tiles(hashes)
        for position, reckoned in enumerate(hashes, self.frontier.size + 1):
            if self._new_leaves.get(position, reckoned) != reckoned:
                raise SealBroken(Fault.EVENT, position, "the event is not the one that was written")
        done = 0
        while True:
            self._check_roots()
            if done == len(hashes):
                return
            stop = min(len(hashes), done + self._ahead[-1][0] - self.frontier.size) if self._ahead else len(hashes)
            self.frontier = self.frontier.extended(hashes[done:stop])
            done = stop

    def finish(self, position: int, frontier: bytes | None) -> None:
        """The log has ended: its head says that it ends at `position` with this tree."""
        self._check_roots()
        size = self.frontier.size
        if size != position:
            words = f"the head says {position:,} events, and there are {size:,}"
            raise SealBroken(Fault.POSITIONS, min(size, position) + 1, words)
        if self._ahead:
            asked, kind, _ = self._ahead[-1]
            words = f"the log ends at {size:,}, and a checkpoint tells of {asked:,} events"
            raise SealBroken((Fault.KEPT, Fault.CHECKPOINT)[kind], self._good_until[kind] + 1, words, asked)
        if frontier is not None and frontier != self.frontier.stored():
            words = "the log's head tells of another tree than its events make"
            raise SealBroken(Fault.HEAD, max(self._good_until) + 1, words, size)

    def _check_roots(self) -> None:
        """Hold the log so far against the checkpoints of its size."""
        while self._ahead and self._ahead[-1][0] == self.frontier.size:
            size, kind, checkpoint = self._ahead.pop()
            if checkpoint.root != self.frontier.root:
                whose = ("a checkpoint that was kept", "our own checkpoint")[kind]
                words = f"the first {size:,} events are not those that {whose} tells of"
                raise SealBroken((Fault.KEPT, Fault.CHECKPOINT)[kind], self._good_until[kind] + 1, words, size)
            self._good_until[kind] = size

    def _check_tiles(self, hashes: list[bytes]) -> None:
        size = self.frontier.size
        sealed = hashes[: max(0, self._sealed_size - size)]
        made = grown(size, self._edges, b"".join(sealed))
        stored = self._tiles(list(made)) if made else {}
        for tile, content in made.items():
            if stored.get(tile) != content:
                self._differs(tile, content, stored.get(tile, b""))
        for tile, content in made.items():
            self._edges[tile.level] = content if tile.width < WIDTH else b""

    def _differs(self, tile: Tile, content: bytes, stored: bytes) -> None:
        if not stored:
            raise SealBroken(Fault.TILE, (tile.index << 8 * (tile.level + 1)) + 1, f"{tile.path} is missing")
        at = 0
        while stored[at : at + HASH_BYTES] == content[at : at + HASH_BYTES]:
            at += HASH_BYTES
        first = (tile.index * WIDTH + at // HASH_BYTES) << 8 * tile.level
        if tile.level == 0:
            raise SealBroken(Fault.EVENT, first + 1, "the event is not the one that was sealed")
        raise SealBroken(Fault.TILE, first + 1, f"{tile.path} is not what was sealed", first + (1 << 8 * tile.level))
