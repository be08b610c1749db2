"""Signed note: a short text with the signatures of those who vouch for it, as C2SP signed-note defines it.

The text ends with a newline; behind an empty line follows a line for each signature:
`— <name> <base64(key id ‖ signature)>`. Signatures of unknown keys are passed over, so that keys may change and others
may sign too. Known here are Ed25519 over the text (algorithm 0x01) and the cosignature of a witness (0x04, C2SP
tlog-cosignature): u64 seconds since 1970 ‖ Ed25519 over "cosignature/v1" ⏎ "time <seconds>" ⏎ text.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

ED25519 = b"\x01"
COSIGNATURE = b"\x04"
_KEY_BYTES, _KEY_ID_BYTES, _TIME_BYTES = 32, 4, 8
_LATEST_S = 2**63 - 1
_MARK = "— "
# More than a checkpoint with a witness for each day of the year; a note is read whole.
_LONGEST_BYTES = 100_000
_MOST_SIGNATURES = 400


class NoteInvalid(Exception):
    """The note is not well formed, or nobody who is known has signed it."""


class VerifierKey(Struct, frozen=True):
    """Whose signature is believed: a name, the 32 bytes of an Ed25519 public key, and what it is used for."""

    name: str
    public: bytes
    algorithm: bytes = ED25519

    def __post_init__(self) -> None:
        if self.algorithm not in (ED25519, COSIGNATURE):
            raise NoteInvalid("only Ed25519 keys are known")
        if not _is_name(self.name) or len(self.public) != _KEY_BYTES:
            raise NoteInvalid("a key has a name without spaces and plus signs, and 32 bytes")

    @property
    def id(self) -> bytes:
        """By which a signature names its key: four bytes."""
        return sha256(self.name.encode() + b"\n" + self.algorithm + self.public).digest()[:_KEY_ID_BYTES]

    @property
    def is_witness(self) -> bool:
        """Whether it signs what it has seen, and when, instead of what it says itself."""
        return self.algorithm == COSIGNATURE

    def __str__(self) -> str:
        """As people hand it on: `<name>+<key id>+<base64>`."""
        return f"{self.name}+{self.id.hex()}+{b64encode(self.algorithm + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """The key that this text names; raises NoteInvalid."""
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise NoteInvalid("a key is written as name+id+base64")
        name, key_id, key = parts
        raw = _unpacked(key)
        found = cls(name, raw[1:], raw[:1])
        if found.id.hex() != key_id:
            raise NoteInvalid("the id is not that of the key")
        return found


class Signature(Struct, frozen=True):
    """Who signed, by which key."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        """As it stands under a note: a line, without its end."""
        return f"{_MARK}{self.name} {b64encode(self.key_id + self.signature).decode()}"


class Note(Struct, frozen=True):
    """A text, which ends with a newline, and who signed it."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __str__(self) -> str:
        return "\n".join((self.text, *map(str, self.signatures), ""))


class Signer:
    """Who signs: a name and a private key."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key = VerifierKey(name, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def sign(self, note: Note) -> Note:
        """The note with one signature more."""
        _check_text(note.text)
        mine = Signature(self.key.name, self.key.id, self._key.sign(note.text.encode()))
        return Note(note.text, (*note.signatures, mine))


class Cosigner:
    """Who signs what others say, with the time: a name and a private key that signs nothing else."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key = VerifierKey(name, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), COSIGNATURE)

    def sign(self, note: Note, at_s: int) -> Note:
        """The note with one cosignature more, of so many seconds since 1970."""
        _check_text(note.text)
        signature = at_s.to_bytes(_TIME_BYTES) + self._key.sign(_cosigned(note.text, at_s))
        return Note(note.text, (*note.signatures, Signature(self.key.name, self.key.id, signature)))


def read_note(content: bytes) -> Note:
    """The note that is written here, nothing of it verified; raises NoteInvalid."""
    if len(content) > _LONGEST_BYTES:
        raise NoteInvalid("the note is too long")
    try:
        whole = content.decode()
    except UnicodeDecodeError:
        raise NoteInvalid("the note is not UTF-8") from None
    body, separator, tail = whole.rpartition("\n\n")
    text = body + "\n"
    if not separator or not tail.endswith("\n"):
        raise NoteInvalid("behind the text stand an empty line and signatures")
    _check_text(text)
    lines = tail[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise NoteInvalid("the note has too many signatures")
    return Note(text, tuple(_signature(line) for line in lines))


def verify_note(note: Note, known: Iterable[VerifierKey]) -> list[VerifierKey]:
    """Those of the known keys that have signed it; raises NoteInvalid where none has, or one of theirs is wrong."""
    keys = {(key.name, key.id): key for key in known}
    found: list[VerifierKey] = []
    for one in note.signatures:
        key = keys.get((one.name, one.key_id))
        if key is None or key in found:
            continue
        _verify(key, one.signature, note.text)
        found.append(key)
    if not found:
        raise NoteInvalid("nobody who is known has signed it")
    return found


def signature_of(key: VerifierKey, note: Note) -> Signature | None:
    """The one by this key, None where there is none; whether it is right, `verify_note` says."""
    return next((one for one in note.signatures if (one.name, one.key_id) == (key.name, key.id)), None)


def cosigned_at_s(signature: Signature) -> int:
    """When a witness signed, in seconds since 1970: what stands in a cosignature that was verified."""
    return int.from_bytes(signature.signature[:_TIME_BYTES])


def _verify(key: VerifierKey, signature: bytes, text: str) -> None:
    message = text.encode()
    if key.is_witness:
        at_s, signature = int.from_bytes(signature[:_TIME_BYTES]), signature[_TIME_BYTES:]
        if at_s > _LATEST_S:
            raise NoteInvalid(f"the time of {key.name} is none")
        message = _cosigned(text, at_s)
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature:
        raise NoteInvalid(f"the signature of {key.name} is wrong") from None


def _cosigned(text: str, at_s: int) -> bytes:
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def _signature(line: str) -> Signature:
    name, space, packed = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not space or not _is_name(name):
        raise NoteInvalid("a signature is written as — name base64")
    raw = _unpacked(packed)
    if len(raw) <= _KEY_ID_BYTES:
        raise NoteInvalid("a signature is behind the id of its key")
    return Signature(name, raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])


def _unpacked(text: str) -> bytes:
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise NoteInvalid("a key or a signature is not base64") from None


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(one.isspace() for one in name)


def _check_text(text: str) -> None:
    if len(text) < 2 or not text.endswith("\n"):
        raise NoteInvalid("a text ends with a newline")
    if any(one < " " and one != "\n" for one in text):
        raise NoteInvalid("a text has no control characters")
