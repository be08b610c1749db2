"""/audit: the log under seal: its signed checkpoints, and proofs that are checked without us.

Sizes are numbers of events: the event at position n is leaf n − 1 of the tree (RFC 6962), whose preimage is in
`ledger/audit/leaf.py`. Hashes are base64, as C2SP writes them.
"""

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Query
from psycopg import AsyncConnection
from starlette.responses import Response

from api.answers import answer
from api.dependencies import Calling, MinPosition
from api.fields import PositionParameter, WitnessesParameter
from api.routing import Router
from ledger.audit.checkpoint import Checkpoint
from ledger.audit.leaf import leaf_of
from ledger.audit.merkle import EMPTY_ROOT, NodeAt, leaf_hash, range_root
from ledger.audit.proofs import consistency_proof, inclusion_proof
from ledger.audit.signed_note import read_note
from ledger.audit.tiles import Tile, nodes_in, tiles_needed
from ledger.errors import FieldInvalid, NotSealed, PositionNotReached, RouteNotFound
from ledger.store import read, sealed
from ledger.store.sealed import SignedCheckpoint

router = Router("/v1/audit", "audit")

_PROOF_FORMAT = "c2sp.org/tlog-proof@v1"
_OCTETS = "application/octet-stream"
_PATIENCE_S = 1.0
_LOOK_EVERY_S = 0.05
Asked = TypeVar("Asked")


class CheckpointView(msgspec.Struct):
    """The log has so many events and this root, signed.

    `note` is a C2SP tlog-checkpoint in a signed note, with the lines of witnesses; keep it, and show it to whoever
    verifies the log later. `keys` are our public keys that signed it: have them from us in another way once, too.
    `position` is where the log ends by now.
    """

    origin: str
    size: int
    root: str
    signed_at: datetime
    note: str
    keys: list[str]
    witnesses: list[str]
    position: int


class InclusionView(msgspec.Struct):
    """The event at `position` is in the log of `size` events with this root.

    `leaf` is the preimage of `leaf_hash`: the event as it is stored and what it posted. `proof` is the whole in one
    text, as C2SP tlog-proof has it.
    """

    position: int
    leaf_index: int
    leaf_hash: str
    leaf: str
    size: int
    root: str
    hashes: list[str]
    checkpoint: str
    proof: str


class ConsistencyView(msgspec.Struct):
    """The log of `to_size` events goes on from the one of `from_size`: nothing that stood there was changed."""

    from_size: int
    from_root: str
    to_size: int
    to_root: str
    hashes: list[str]


_ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
_NOTE = f"ledger.local/demo\n1729\n{_ROOT}\n\n— ledger.local/demo Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurm\n"
_CHECKPOINT = {
    "origin": "ledger.local/demo",
    "size": 1729,
    "root": _ROOT,
    "signed_at": "2026-11-22T10:20:30.123456Z",
    "note": _NOTE,
    "keys": ["ledger.local/demo+7b2d9c11+AXy5f1Wc5XnVp9j9K1rP0Qn2o5m0bqgQ0e3o0rjJm8kT"],
    "witnesses": [],
    "position": 1731,
}
_INCLUSION = {
    "position": 17,
    "leaf_index": 16,
    "leaf_hash": _ROOT,
    "leaf": "bGVkZ2VyLWxlYWYvdjEK",
    "size": 1729,
    "root": _ROOT,
    "hashes": [_ROOT],
    "checkpoint": _NOTE,
    "proof": f"{_PROOF_FORMAT}\nindex 16\n{_ROOT}\n\n{_NOTE}",
}
_CONSISTENCY = {"from_size": 17, "from_root": _ROOT, "to_size": 1729, "to_root": _ROOT, "hashes": [_ROOT]}


@router.reads("/checkpoint", CheckpointView, _CHECKPOINT, scope="audit:read", refuses=(NotSealed, PositionNotReached))
async def show_checkpoint(
    caller: Calling,
    covers: Annotated[
        PositionParameter | None, Query(description="The smallest that holds this position; without, the newest.")
    ] = None,
    witnesses: Annotated[
        WitnessesParameter, Query(description="Only one that at least so many witnesses have cosigned.")
    ] = 0,
    min_position: MinPosition = None,
) -> Response:
    """Show the newest signed checkpoint of the log, or the first that holds a position."""
    await wait_for_seal(caller, min_position)
    async with caller.world.snapshot() as connection:
        if covers is not None:
            await _check_reached(connection, caller.book, covers, "/query/covers")
        found = await _checkpoint(connection, caller.book, covers, witnesses)
        position, _ = await read.head(connection, caller.book)
    note = read_note(found.note)
    says = Checkpoint.parse(note.text)
    cosigners = [line.split(" ")[1] for line in found.cosignatures]
    view = CheckpointView(
        says.origin,
        found.size,
        _text(says.root),
        found.signed_at,
        bytes(found).decode(),
        list(found.keys),
        cosigners,
        position,
    )
    return answer(view)


@router.reads(
    "/proofs/inclusion",
    InclusionView,
    _INCLUSION,
    scope="audit:read",
    refuses=(NotSealed, PositionNotReached),
)
async def prove_inclusion(
    caller: Calling,
    position: Annotated[PositionParameter, Query(description="The position of the event.")],
    min_position: MinPosition = None,
) -> Response:
    """Prove that the event at a position is in the log that the newest checkpoint tells of."""
    await wait_for_seal(caller, min_position)
    if position == 0:
        raise FieldInvalid("Positions begin with 1.", pointer="/query/position")
    async with caller.world.snapshot() as connection:
        await _check_reached(connection, caller.book, position, "/query/position")
        found = await _checkpoint(connection, caller.book, None)
        if found.size < position:
            raise NotSealed(f"{found.size} events are sealed so far.", position=position, size=found.size)
        stored = await sealed.stored_event_async(connection, caller.book, position)
        root, hashes = await _ask(
            connection,
            caller.book,
            found.size,
            lambda node_at: (
                range_root(0, found.size, node_at),
                inclusion_proof(position - 1, found.size, node_at),
            ),
        )
    note, leaf = bytes(found).decode(), leaf_of(stored)
    lines = [_text(one) for one in hashes]
    proof = "\n".join((_PROOF_FORMAT, f"index {position - 1}", *lines, "", note))
    view = InclusionView(
        position, position - 1, _text(leaf_hash(leaf)), _text(leaf), found.size, _text(root), lines, note, proof
    )
    return answer(view)


@router.reads(
    "/proofs/consistency",
    ConsistencyView,
    _CONSISTENCY,
    scope="audit:read",
    refuses=(NotSealed, PositionNotReached),
)
async def prove_consistency(
    caller: Calling,
    since: Annotated[PositionParameter, Query(alias="from", description="The size of the older log.")],
    until: Annotated[
        PositionParameter | None, Query(alias="to", description="The size of the newer one; without, the newest.")
    ] = None,
    min_position: MinPosition = None,
) -> Response:
    """Prove that the log goes on from what it was, by the sizes of two checkpoints."""
    await wait_for_seal(caller, min_position)
    async with caller.world.snapshot() as connection:
        newest = await _checkpoint(connection, caller.book, None)
        to_size = newest.size if until is None else until
        if since > to_size:
            raise FieldInvalid("The older log is not the larger one.", pointer="/query/from")
        await _check_reached(connection, caller.book, to_size, "/query/to")
        if newest.size < to_size:
            raise NotSealed(f"{newest.size} events are sealed so far.", position=to_size, size=newest.size)
        from_root, to_root, hashes = await _ask(
            connection,
            caller.book,
            to_size,
            lambda node_at: (
                _root_of(since, node_at),
                _root_of(to_size, node_at),
                consistency_proof(since, to_size, node_at),
            ),
        )
    return answer(ConsistencyView(since, _text(from_root), to_size, _text(to_root), [_text(one) for one in hashes]))


@router.reads(
    "/tile/{path:path}",
    (),
    "32 bytes a hash",
    scope="audit:read",
    media_type=_OCTETS,
    refuses=(NotSealed, RouteNotFound),
)
async def show_tile(path: str, caller: Calling, min_position: MinPosition = None) -> Response:
    """Show a tile of the tree of hashes, as C2SP tlog-tiles cuts and names them: up to 256 hashes of 32 bytes."""
    try:
        tile = Tile.parse(f"tile/{path}")
    except ValueError:
        raise RouteNotFound from None
    await wait_for_seal(caller, min_position)
    async with caller.world.reading() as connection:
        found = await sealed.tiles_async(connection, caller.book, [tile])
    if tile not in found:
        raise RouteNotFound
    return Response(found[tile], media_type=_OCTETS)


async def wait_for_seal(caller: Calling, min_position: int | None) -> None:
    """Wait up to a second until a signed checkpoint holds this position; raises NotSealed."""
    if min_position is None:
        return
    until = time.monotonic() + _PATIENCE_S
    while True:
        async with caller.world.reading() as connection:
            found = await sealed.newest_checkpoint_async(connection, caller.book)
        if found is not None and found.size >= min_position:
            return
        if time.monotonic() > until:
            raise NotSealed(position=min_position, size=0 if found is None else found.size)
        await asyncio.sleep(_LOOK_EVERY_S)


async def _checkpoint(
    connection: AsyncConnection[Any], book: str, covers: int | None, witnesses: int = 0
) -> SignedCheckpoint:
    if witnesses:
        found = await sealed.witnessed_checkpoint_async(connection, book, witnesses, covers)
    elif covers is None:
        found = await sealed.newest_checkpoint_async(connection, book)
    else:
        found = await sealed.checkpoint_covering_async(connection, book, covers)
    if found is None:
        raise NotSealed
    return found


async def _check_reached(connection: AsyncConnection[Any], book: str, position: int, pointer: str) -> None:
    end, _ = await read.head(connection, book)
    if position > end:
        raise PositionNotReached(f"The log ends at {end}.", pointer=pointer, position=end)


async def _ask(connection: AsyncConnection[Any], book: str, size: int, ask: Callable[[NodeAt], Asked]) -> Asked:
    """What the tree of this size answers, out of its tiles, which are read in one go."""
    wanted = tiles_needed(size, ask)
    found = await sealed.tiles_async(connection, book, wanted)
    if len(found) != len(wanted):
        raise AssertionError(f"{book}: {len(wanted) - len(found)} tiles of the tree of {size} events are missing")
    return ask(nodes_in(found.__getitem__, size))


def _root_of(size: int, node_at: NodeAt) -> bytes:
    return range_root(0, size, node_at) if size else EMPTY_ROOT


def _text(hashed: bytes) -> str:
    return b64encode(hashed).decode()
