"""The tree of hashes: equal to the definition of RFC 6962 at every size, and proved only by what belongs to it."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash, range_root
from ledger.audit.proofs import (
    ProofInvalid,
    consistency_proof,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)

# The entries that certificate-transparency's own tests use, and the root after each of them.
ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
MOST = 40
LEAVES = [leaf_hash(bytes([number])) for number in range(MOST)]


def root_by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1
    while middle * 2 < len(leaves):
        middle *= 2
    return node_hash(root_by_definition(leaves[:middle]), root_by_definition(leaves[middle:]))


def node_at(level: int, index: int) -> bytes:
    return root_by_definition(LEAVES[index << level : (index + 1) << level])


def test_the_roots_of_the_published_vectors() -> None:
    frontier = Frontier()
    assert frontier.root == EMPTY_ROOT == sha256().digest()
    for entry, root in zip(ENTRIES, ROOTS, strict=True):
        frontier = frontier.extended([leaf_hash(entry)])
        assert frontier.root.hex() == root


@given(st.lists(st.integers(0, 9), max_size=12))
def test_a_frontier_extended_by_any_pieces_is_the_tree_of_all_of_them(pieces: list[int]) -> None:
    frontier, given_so_far = Frontier(), 0
    for piece in pieces:
        more = [leaf_hash(bytes([number % 256])) for number in range(given_so_far, given_so_far + piece)]
        frontier, given_so_far = frontier.extended(more), given_so_far + piece
    leaves = [leaf_hash(bytes([number % 256])) for number in range(given_so_far)]
    assert (frontier.size, frontier.root) == (given_so_far, root_by_definition(leaves))


def test_a_frontier_has_a_root_for_each_bit_of_its_size() -> None:
    with pytest.raises(ValueError, match="2 perfect subtrees"):
        Frontier(3, (LEAVES[0],))
    with pytest.raises(ValueError, match="no leaves"):
        range_root(4, 4, node_at)


def test_every_entry_of_every_log_is_proved_and_nothing_else_is_by_that_proof() -> None:
    for size in range(1, MOST + 1):
        root = root_by_definition(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(index, size, node_at)
            verify_inclusion(LEAVES[index], index, size, proof, root)
            forged = [*proof]
            if forged:
                forged[size % len(forged)] = sha256(forged[size % len(forged)]).digest()
            for leaf, at, of, by, under in (
                (LEAVES[(index + 1) % MOST], index, size, proof, root),
                (LEAVES[index], index, size, proof, LEAVES[index] if size > 1 else EMPTY_ROOT),
                (LEAVES[index], index, size, [*proof, root], root),
                (LEAVES[index], size, size, proof, root),
                (LEAVES[index], -1, size, proof, root),
                *([(LEAVES[index], index, size, proof[:-1], root)] if proof else []),
                *([(LEAVES[index], index, size, forged, root)] if proof else []),
                *((LEAVES[index], other, size, proof, root) for other in range(size) if other != index),
            ):
                with pytest.raises(ProofInvalid):
                    verify_inclusion(leaf, at, of, by, under)


def test_every_log_goes_on_from_each_of_its_older_ones_and_from_no_other() -> None:
    roots = [root_by_definition(LEAVES[:size]) for size in range(MOST + 1)]
    for new in range(MOST + 1):
        for old in range(new + 1):
            proof = consistency_proof(old, new, node_at)
            verify_consistency(old, new, proof, roots[old], roots[new])
            with pytest.raises(ProofInvalid):
                verify_consistency(old, new, [*proof, roots[old]], roots[old], roots[new])
            if old == 0:
                continue
            another = sha256(roots[old]).digest()
            with pytest.raises(ProofInvalid):
                verify_consistency(old, new, proof, another, roots[new])
            with pytest.raises(ProofInvalid):
                verify_consistency(old, new, proof, roots[old], another)
            for place in range(len(proof)):
                forged = [*proof[:place], sha256(proof[place]).digest(), *proof[place + 1 :]]
                with pytest.raises(ProofInvalid):
                    verify_consistency(old, new, forged, roots[old], roots[new])
                with pytest.raises(ProofInvalid):
                    verify_consistency(old, new, proof[:place], roots[old], roots[new])


def test_a_log_does_not_shrink_and_a_hash_has_its_length() -> None:
    with pytest.raises(ProofInvalid, match="never one of 5"):
        verify_consistency(5, 4, [], LEAVES[0], LEAVES[1])
    with pytest.raises(ProofInvalid, match="32 bytes"):
        verify_inclusion(b"short", 0, 1, [], LEAVES[0])
    with pytest.raises(ValueError, match="none at index 3"):
        inclusion_proof(3, 3, node_at)
    with pytest.raises(ValueError, match="never one of 4"):
        consistency_proof(4, 3, node_at)
