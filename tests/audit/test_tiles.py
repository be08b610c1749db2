"""Tiles: named as C2SP names them; out of them comes every node, and so every proof, of a log."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.audit.merkle import Frontier, leaf_hash, node_hash, range_root
from ledger.audit.proofs import consistency_proof, inclusion_proof, verify_consistency, verify_inclusion
from ledger.audit.tiles import WIDTH, Tile, edges_of, frontier_in, grown, nodes_in, tiles_of

MOST = 70_000
LEAVES = [leaf_hash(str(number).encode()) for number in range(MOST)]
LEVELS = [LEAVES]
while len(LEVELS[-1]) > 1:
    below = LEVELS[-1]
    LEVELS.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])


def content(tile: Tile) -> bytes:
    begin = tile.index * WIDTH
    return b"".join(LEVELS[8 * tile.level][begin : begin + tile.width])


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 0, 1), "tile/0/000.p/1"),
        (Tile(1, 5, 112), "tile/1/005.p/112"),
        (Tile(0, 999), "tile/0/999"),
        (Tile(0, 1_000), "tile/0/x001/000"),
        (Tile(2, 1_234_067), "tile/2/x001/x234/067"),
    ],
)
def test_a_tile_has_one_path(tile: Tile, path: str) -> None:
    assert tile.path == path
    assert Tile.parse(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/tile/0/000",
        "tile/0/0",
        "tile/00/000",
        "tile/8/000",
        "tile/0/1000",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/\uff10\uff10\uff10",
        "tile/0/000\n",
    ],
)
def test_no_other_path_is_one(path: str) -> None:
    with pytest.raises(ValueError, match="tile"):
        Tile.parse(path)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_proof_comes_out_of_the_tiles(data: st.DataObject) -> None:
    size = data.draw(st.one_of(st.integers(1, 600), st.integers(1, MOST), st.sampled_from([256, 65_536, 65_537])))
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    there = set(tiles_of(size))

    def read(tile: Tile) -> bytes:
        assert tile in there
        return content(tile)

    node_at = nodes_in(read, size)
    root = Frontier().extended(LEAVES[:size]).root
    assert range_root(0, size, node_at) == root
    verify_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, node_at), root)
    old_root = Frontier().extended(LEAVES[:old]).root
    verify_consistency(old, size, consistency_proof(old, size, node_at), old_root, root)


@given(st.integers(0, MOST), st.integers(0, 2_000))
def test_what_is_new_is_written_and_what_is_whole_is_not_written_again(old: int, more: int) -> None:
    size = old + more
    new = list(tiles_of(size, old))
    assert set(tiles_of(size)) == {*new, *(tile for tile in tiles_of(old) if tile in set(tiles_of(size)))}
    whole_before = {tile for tile in tiles_of(old) if tile.width == WIDTH}
    assert not whole_before & set(new)


def test_a_tile_that_is_cut_off_is_noticed_and_what_is_not_there_is_not_asked_for() -> None:
    with pytest.raises(ValueError, match="has 31 bytes"):
        nodes_in(lambda _: bytes(31), 1)(0, 0)
    with pytest.raises(ValueError, match="no node 1 at level 0"):
        nodes_in(content, 1)(0, 1)
    with pytest.raises(ValueError, match="no tile"):
        Tile(0, -1)


@given(st.lists(st.integers(1, 600), max_size=6))
def test_tiles_grow_by_any_steps_to_those_of_the_whole_log(steps: list[int]) -> None:
    leaves = [leaf_hash(str(at).encode()) for at in range(sum(steps))]
    edges: dict[int, bytes] = {}
    stored: dict[tuple[int, int], bytes] = {}
    size = 0
    for step in steps:
        changed = grown(size, edges, b"".join(leaves[size : size + step]))
        assert list(changed) == list(tiles_of(size + step, size))
        size += step
        stored |= {(tile.level, tile.index): content for tile, content in changed.items()}
        edges = {tile.level: stored[tile.level, tile.index] for tile in edges_of(size)}
        assert frontier_in(size, edges) == Frontier().extended(leaves[:size])
    whole = {(tile.level, tile.index): content for tile, content in grown(0, {}, b"".join(leaves)).items()}
    assert stored == whole


def test_tiles_do_not_grow_from_an_edge_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="has 0 bytes and not 32"):
        grown(257, {1: leaf_hash(b"")}, leaf_hash(b""))
