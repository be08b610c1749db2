"""Keys: RSA key pairs, ours and a channel's, made on first use in the state directory and kept nowhere else."""

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from msgspec import Struct

from commands.channels.signatures import made_once

_BITS = 2048
_EXPONENT = 65_537


class VerifyingKey:
    """The public half of a pair."""

    __slots__ = ("_key",)

    def __init__(self, key: rsa.RSAPublicKey) -> None:
        self._key = key

    @classmethod
    def parse(cls, pem: bytes) -> "VerifyingKey":
        """From a PEM of SubjectPublicKeyInfo; raises ValueError."""
        key = serialization.load_pem_public_key(pem)
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("not an RSA key")
        return cls(key)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the other half signed this message: RSASSA-PKCS1-v1_5 with SHA-256."""
        try:
            self._key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        return self._key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class SigningKey:
    """A whole pair that signs and never shows itself."""

    __slots__ = ("_key",)

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    @classmethod
    def new(cls) -> "SigningKey":
        return cls(rsa.generate_private_key(public_exponent=_EXPONENT, key_size=_BITS))

    @classmethod
    def parse(cls, pem: bytes) -> "SigningKey":
        """From a PEM of PKCS #8; raises ValueError, which does not repeat the text."""
        key = serialization.load_pem_private_key(pem, password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("not an RSA key")
        return cls(key)

    def signature(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256: the same message always has the same signature."""
        return self._key.sign(message, padding.PKCS1v15(), hashes.SHA256())

    def verifying(self) -> VerifyingKey:
        return VerifyingKey(self._key.public_key())

    def pem(self) -> bytes:
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def __repr__(self) -> str:
        return "SigningKey(…)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a key is not pickled")


class Keyring(Struct, frozen=True):
    """What one side signs with, and what it knows the other by."""

    own: SigningKey
    other: VerifyingKey


def our_ring(folder: Path, channel: str) -> Keyring:
    """Ours: we sign with our key and know the channel by the public half of its own.

    A real channel sends us its public half: `<channel>.theirs.pub`, which then is the one that counts.
    """
    public = folder / f"{channel}.theirs.pub"
    theirs = VerifyingKey.parse(public.read_bytes()) if public.exists() else _theirs(folder, channel).verifying()
    return Keyring(_ours(folder, channel), theirs)


def their_ring(folder: Path, channel: str) -> Keyring:
    """The channel's, for whoever plays it."""
    return Keyring(_theirs(folder, channel), _ours(folder, channel).verifying())


def _ours(folder: Path, channel: str) -> SigningKey:
    return _key_in(folder / f"{channel}.ours.pem")


def _theirs(folder: Path, channel: str) -> SigningKey:
    return _key_in(folder / f"{channel}.theirs.pem")


def _key_in(path: Path) -> SigningKey:
    """The key in this file; made with mode 0600 on first use, by whichever process comes first."""
    return SigningKey.parse(made_once(path, lambda: SigningKey.new().pem()))
