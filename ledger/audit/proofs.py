"""Proofs: that an entry is in a log, and that a log goes on from an older one, each by a few hashes.

Made as RFC 6962 (2.1.1, 2.1.2) defines them, checked as RFC 9162 (2.1.3.2, 2.1.4.2) does: by whoever has only roots.
"""

from collections.abc import Sequence

from ledger.audit.merkle import HASH_BYTES, NodeAt, node_hash, range_root, split


class ProofInvalid(Exception):
    """What was to be proved is not."""


def inclusion_proof(index: int, size: int, node_at: NodeAt) -> list[bytes]:
    """The hashes that lead from the leaf at this index (from 0) to the root of a log of this size, lowest first."""
    if not 0 <= index < size:
        raise ValueError(f"a log of {size} entries has none at index {index}")
    proof: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + split(end - begin)
        if index < middle:
            proof.append(range_root(middle, end, node_at))
            end = middle
        else:
            proof.append(range_root(begin, middle, node_at))
            begin = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, node_at: NodeAt) -> list[bytes]:
    """The hashes that show a log of size `new` to go on from itself at size `old`; none for an empty log."""
    if not 0 <= old <= new:
        raise ValueError(f"a log of {new} entries was never one of {old}")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    begin, end, whole = 0, new, True
    while old != end:
        middle = begin + split(end - begin)
        if old <= middle:
            proof.append(range_root(middle, end, node_at))
            end = middle
        else:
            proof.append(range_root(begin, middle, node_at))
            begin, whole = middle, False
    # The old tree itself need not be told to whoever has its root.
    return ([] if whole else [range_root(begin, end, node_at)]) + proof[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raises ProofInvalid unless this hash of a leaf stands at this index of the log with this root."""
    _check_hashes(leaf, root, *proof)
    if not 0 <= index < size:
        raise ProofInvalid(f"a log of {size} entries has none at index {index}")
    at, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the proof is too short")
    if found != root:
        raise ProofInvalid("the entry is not in this log at this index")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Raises ProofInvalid unless the log with the new root and size goes on from the one with the old root and size."""
    _check_hashes(old_root, new_root, *proof)
    if not 0 <= old <= new:
        raise ProofInvalid(f"a log of {new} entries was never one of {old}")
    if old in (0, new):
        if proof:
            raise ProofInvalid("the proof is too long")
        if old == new and old_root != new_root:
            raise ProofInvalid("two logs of one size are not the same")
        return
    if not proof:
        raise ProofInvalid("the proof is too short")
    # A perfect old tree is a node of the new one; its root was left out.
    first, *rest = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    was, is_ = first, first
    for step in rest:
        if last == 0:
            raise ProofInvalid("the proof is too long")
        if at & 1 or at == last:
            was, is_ = node_hash(step, was), node_hash(step, is_)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            is_ = node_hash(is_, step)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the proof is too short")
    if was != old_root:
        raise ProofInvalid("the proof does not begin at the old root")
    if is_ != new_root:
        raise ProofInvalid("the new log does not go on from the old one")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofInvalid(f"a hash has {HASH_BYTES} bytes")
