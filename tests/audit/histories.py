"""Histories: logs of a few entries whose owner signs one history, or two."""

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, range_root
from ledger.audit.proofs import consistency_proof
from ledger.audit.signed_note import Note, Signer
from ledger.audit.witness import written_request

ORIGIN = "ledger.example/shop"
MOST = 24


class Log:
    """A log of up to MOST entries, signed by its key; with `forked_at` its history is another from there on."""

    def __init__(self, origin: str = ORIGIN, seed: int = 1, forked_at: int = MOST) -> None:
        self.signer = Signer(origin, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))
        self.leaves = [leaf_hash(bytes([number, number >= forked_at])) for number in range(MOST)]

    def node_at(self, level: int, index: int) -> bytes:
        return Frontier().extended(self.leaves[index << level : (index + 1) << level]).root

    def root(self, size: int) -> bytes:
        return range_root(0, size, self.node_at) if size else EMPTY_ROOT

    def proof(self, old: int, new: int) -> list[bytes]:
        return consistency_proof(old, new, self.node_at) if old <= new else []

    def note(self, size: int, root: bytes | None = None) -> Note:
        """Its checkpoint; with `root`, what it never was."""
        text = f"{self.signer.key.name}\n{size}\n{b64encode(root or self.root(size)).decode()}\n"
        return self.signer.sign(Note(text))

    def request(self, old: int, new: int) -> bytes:
        """What it asks a witness for."""
        return written_request(old, self.proof(old, new), str(self.note(new)).encode())
