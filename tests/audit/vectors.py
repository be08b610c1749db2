"""Vectors: what every verifier of an export has to answer the same; written by `python -m tests.audit.vectors`.

The answers come from our own code, apart from the cosignature, which is made here as C2SP tlog-cosignature defines it.
"""

import sys
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import ledger.audit.standalone
from ledger.audit.checkpoint import Checkpoint
from ledger.audit.leaf import StoredEvent, leaf_of, sealed_entry
from ledger.audit.merkle import Frontier, leaf_hash, node_hash
from ledger.audit.proofs import consistency_proof, inclusion_proof
from ledger.audit.signed_note import Note, Signature, Signer
from ledger.audit.tiles import Tile
from ledger.events.accounts import AccountOpened
from ledger.events.entries import EntryPosted
from ledger.events.event import Event
from ledger.events.transfers import TransferPosted
from ledger.journal import Direction, Posting
from ledger.store import codec

FILE = Path(ledger.audit.standalone.__file__).with_name("vectors.json")
ORIGIN = "ledger.example/shop"
_AT = datetime(2026, 3, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIZES = (0, 1, 2, 3, 4, 7, 8, 255, 256, 257, 300, 512, 1000)

Vector = dict[str, Any]


def vectors() -> dict[str, list[Vector]]:
    """All of them, each with the `answer` to it."""
    return {
        "leaves": list(_leaves()),
        "roots": [{"size": size, "answer": _tree(size).root.hex()} for size in _SIZES],
        "tiles": list(_tiles()),
        "inclusion": list(_inclusion()),
        "consistency": list(_consistency()),
        "notes": list(_notes()),
    }


# --- leaves


def _event(position: int, stream: str, event: Event, metadata: bytes = b'{"actor":"key_1","key":"a-1"}') -> StoredEvent:
    entry = sealed_entry(event, _AT)
    return StoredEvent(position, stream, 1, event.topic, _AT, metadata, codec.encode(event), entry)


def _leaves() -> Iterator[Vector]:
    opened = _event(1, "account/kasse", AccountOpened("kasse", "Kasse für Käse 🧀", "asset", "EUR"))
    transfer = _event(2**40, "ent_1", TransferPosted("kasse", "alice", 1250, "EUR", datetime(1970, 1, 1, tzinfo=UTC)))
    lines = [("a", Direction.DEBIT, 2**63 - 1, "EUR"), ("b", Direction.CREDIT, 2**63 - 1, "EUR")]
    lines += [("c", Direction.CREDIT, 1, "JPY"), ("d", Direction.DEBIT, 1, "JPY")]
    wide = _event(3, "ent_2", EntryPosted(tuple(Posting(*line) for line in lines), _AT - timedelta(days=30)))
    for event in (opened, transfer, wide):
        yield {"preimage": leaf_of(event).hex(), "answer": _told(event)}
    good = leaf_of(transfer)
    broken = [
        good[:-1],
        good + b"\0",
        b"x" + good[1:],
        good[:40],
        b"",
        good[:15],
        good[: len(good) - len(transfer.entry)],
    ]
    # A stream, a topic and a time are missing; a posting more is announced than there is.
    broken.append(good[:39] + b"\0\0" + good[41 + 5 :])
    broken.append(good[:31] + (2**63 - 1).to_bytes(8, "big") + good[39:])
    at = len(good) - len(transfer.entry) + 8
    broken.append(good[:at] + (3).to_bytes(2, "big") + good[at + 2 :])
    yield from ({"preimage": one.hex(), "answer": None} for one in broken)


def _told(event: StoredEvent) -> list[Any]:
    numbers = [event.position, event.version, _microseconds(event.recorded_at)]
    postings: list[list[Any]] = []
    decoded = codec.decode(event.topic, event.state)
    match decoded:
        case TransferPosted():
            numbers.append(_microseconds(decoded.effective_at or event.recorded_at))
            amount, currency = str(decoded.amount), decoded.currency
            postings = [[0, amount, currency, decoded.debit_account], [1, amount, currency, decoded.credit_account]]
        case EntryPosted():
            numbers.append(_microseconds(decoded.effective_at or event.recorded_at))
            postings = [
                [int(one.direction == Direction.CREDIT), str(one.amount), one.currency, one.account]
                for one in decoded.postings
            ]
    texts = [event.stream, event.topic, event.metadata.decode(), event.state.decode()]
    return [leaf_hash(leaf_of(event)).hex(), list(map(str, numbers)), texts, postings]


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


# --- the tree, over leaves whose entries are their indexes in decimal


def _leaf(index: int) -> bytes:
    return leaf_hash(str(index).encode())


def _tree(size: int) -> Frontier:
    return Frontier().extended(map(_leaf, range(size)))


def _node_at(level: int, index: int) -> bytes:
    """The root of the perfect subtree at this level and index."""
    if level == 0:
        return _leaf(index)
    return node_hash(_node_at(level - 1, 2 * index), _node_at(level - 1, 2 * index + 1))


def _tiles() -> Iterator[Vector]:
    for tile in (Tile(0, 0), Tile(0, 273), Tile(1, 1_234_067), Tile(2, 999, 1), Tile(3, 1000, 255), Tile(0, 10**9)):
        yield {"level": tile.level, "index": tile.index, "width": tile.width, "answer": tile.path}


def _inclusion() -> Iterator[Vector]:
    for size in (1, 2, 3, 7, 8, 300):
        root = _tree(size).root
        for index in sorted({0, size // 2, size - 1}):
            proof = inclusion_proof(index, size, _node_at)
            one = {"index": index, "size": size, "leaf": _leaf(index).hex(), "root": root.hex(), "proof": _hex(proof)}
            yield one | {"answer": True}
            yield one | {"answer": False, "leaf": _leaf(index + 1).hex()}
            yield one | {"answer": False, "proof": [*_hex(proof), root.hex()]}
            yield one | {"answer": False, "index": size}
            if proof:
                yield one | {"answer": False, "proof": _hex(proof[:-1])}
                yield one | {"answer": False, "proof": _hex([_turned(proof[0]), *proof[1:]])}


def _consistency() -> Iterator[Vector]:
    for old, new in ((0, 0), (0, 5), (1, 1), (1, 2), (3, 7), (4, 8), (6, 8), (7, 300), (256, 300), (299, 300)):
        proof = consistency_proof(old, new, _node_at)
        roots = _tree(old).root, _tree(new).root
        one = {"old": old, "new": new, "old_root": roots[0].hex(), "new_root": roots[1].hex(), "proof": _hex(proof)}
        yield one | {"answer": True}
        yield one | {"answer": False, "proof": [*_hex(proof), roots[0].hex()]}
        if old:
            yield one | {"answer": False, "old_root": _turned(roots[0]).hex()}
            yield one | {"answer": False, "new_root": _turned(roots[1]).hex()}
            yield one | {"answer": False, "old": new + 1}
        if proof:
            yield one | {"answer": False, "proof": _hex(proof[:-1])}


def _hex(hashes: list[bytes]) -> list[str]:
    return [one.hex() for one in hashes]


def _turned(hashed: bytes) -> bytes:
    return bytes([hashed[0] ^ 1]) + hashed[1:]


# --- notes


def signer(name: str, seed: int) -> Signer:
    """Who signs with a key that everybody knows."""
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


class Cosigner:
    """A witness: signs a checkpoint and the second at which it did, as C2SP tlog-cosignature defines it."""

    def __init__(self, name: str, seed: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self._name = name
        raw = b"\x04" + self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._id = sha256(name.encode() + b"\n" + raw).digest()[:4]
        self.key = f"{name}+{self._id.hex()}+{b64encode(raw).decode()}"

    def line(self, text: str, moment: int = 1_790_000_000) -> str:
        """A line to put under the note."""
        signature = self._key.sign(f"cosignature/v1\ntime {moment}\n{text}".encode())
        return f"— {self._name} {b64encode(self._id + moment.to_bytes(8, 'big') + signature).decode()}\n"


def _notes() -> Iterator[Vector]:
    ours, next_, witness = signer(ORIGIN, 1), signer(ORIGIN, 2), Cosigner("witness.example/w", 3)
    checkpoint = Checkpoint(ORIGIN, 300, _tree(300).root)
    text = str(checkpoint)
    signed = str(ours.sign(Note(text)))
    both = str(next_.sign(ours.sign(Note(text)))) + witness.line(text)
    keys = [str(ours.key), str(next_.key), witness.key]

    def one(note: str, keys: list[str], count: int | None) -> Vector:
        told = [ORIGIN, "300", checkpoint.root.hex(), count]
        return {"note": note, "keys": keys, "answer": None if count is None else told}

    yield one(signed, keys[:1], 1)
    yield one(signed, keys, 1)
    yield one(signed, keys[1:], 0)
    yield one(signed, [str(signer("another", 1).key)], 0)
    yield one(both, keys, 3)
    yield one(both, [keys[0], keys[0]], 1)
    yield one(both, keys[2:], 1)
    # Signed by a key, and then changed, or under its name without it.
    yield one(signed.replace("\n300\n", "\n301\n"), keys, None)
    yield one(both.replace(ORIGIN, "ledger.example/shoq", 1), keys[2:], None)
    forged = str(Note(text, (Signature(ORIGIN, ours.key.id, bytes(64)),)))
    yield one(forged, keys, None)
    yield one(str(ours.sign(Note(text + "more\n"))), keys[:1], 1)
    for broken in (
        "",
        text,
        signed.rstrip("\n"),
        signed.replace("—", "-"),
        signed.replace("\n300\n", "\n0300\n"),
        signed.replace("\n300\n", "\n+300\n"),
        signed.replace("\n300\n", "\n3e2\n"),
        signed.replace("=\n\n", "\n\n"),
        signed + "\n",
        signed[:-8] + "*" + signed[-7:],
        "\n" + signed,
        signed.replace(b64encode(checkpoint.root).decode(), b64encode(checkpoint.root[1:]).decode()),
    ):
        # By keys that have not signed it: what is told is whether it can be read.
        yield one(broken, keys[1:2], None)
    for key in ("", "a", keys[0].replace("+", "-"), keys[0][:-4], keys[0].replace("shop", "shap")):
        yield one(signed, [key], None)


if __name__ == "__main__":
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(vectors()), indent=1) + b"\n")
    sys.stdout.write(f"{FILE}\n")
