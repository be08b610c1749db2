"""Signatures: keyed hashes over raw bytes, in the shape of Standard Webhooks 1.0.0, and the secrets that make them.

A message carries three headers: `channel-id`, `channel-timestamp` (whole Unix seconds) and `channel-signature`, a
space-separated list of `v1,<base64 of HMAC-SHA-256 over id.timestamp.body>`; two of them while a secret is rotated.
"""

import base64
import binascii
import hmac
import os
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import SignatureInvalid, SignatureMalformed, TimestampOutOfWindow

ID_HEADER = "channel-id"
TIMESTAMP_HEADER = "channel-timestamp"
SIGNATURE_HEADER = "channel-signature"
WINDOW_S = 300
MOST_SIGNATURES = 16

# No dot: it separates the signed parts, and an id that holds one could be split in two ways.
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_VERSIONED = re.compile(r"(v[0-9]{1,2}[a-z]?),([!-~]{1,512})")
_WRITTEN_AS = "whsec_"


class Secret:
    """24 to 64 key bytes that sign and never show themselves."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if not 24 <= len(key) <= 64:
            raise ValueError("a secret has 24 to 64 bytes")
        self._key = key

    @classmethod
    def parse(cls, text: str) -> "Secret":
        """From `whsec_<base64>`; the error does not repeat the text."""
        if not text.startswith(_WRITTEN_AS):
            raise ValueError(f"a secret is written as {_WRITTEN_AS}<base64>")
        try:
            return cls(base64.b64decode(text.removeprefix(_WRITTEN_AS), validate=True))
        except binascii.Error:
            raise ValueError(f"a secret is written as {_WRITTEN_AS}<base64>") from None

    def signature(self, message: bytes) -> str:
        """`v1,<base64 HMAC-SHA-256>` of the message."""
        return "v1," + base64.b64encode(hmac.new(self._key, message, sha256).digest()).decode()

    def signed(self, message: bytes, signature: str) -> bool:
        """Whether the signature is ours, compared in a time that does not depend on where it differs."""
        return hmac.compare_digest(self.signature(message).encode(), signature.encode("utf-8", "replace"))

    def hexadecimal(self, message: bytes) -> str:
        """The HMAC-SHA-256 of the message in capital hexadecimals."""
        return hmac.new(self._key, message, sha256).hexdigest().upper()

    def encrypted(self, nonce: bytes, plain: bytes, beside: bytes) -> bytes:
        """AES in Galois/counter mode with the tag at the end; `beside` is not hidden, but cannot be altered either."""
        return AESGCM(self._key).encrypt(nonce, plain, beside)

    def decrypted(self, nonce: bytes, hidden: bytes, beside: bytes) -> bytes | None:
        """What was encrypted; None where it was not, not by us, or not so."""
        try:
            return AESGCM(self._key).decrypt(nonce, hidden, beside)
        except (InvalidTag, ValueError):
            return None

    @staticmethod
    def same(one: str, other: str) -> bool:
        """Whether two signatures are equal, compared in a time that does not depend on where they differ."""
        return hmac.compare_digest(one.encode(), other.encode("utf-8", "replace"))

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not pickled")


def secret_from_file(path: Path) -> Secret:
    """The secret in this file; made with mode 0600 on first use, by whichever process comes first."""
    return Secret.parse(made_once(path, _new_secret).decode("ascii").strip())


def made_once(path: Path, make: Callable[[], bytes]) -> bytes:
    """What is in this file, which is made with mode 0600 if it is not there; many processes may come at once."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(make())
    try:
        os.link(draft, path)  # Whole or not at all, and never over the file of a process that was quicker.
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_bytes()


def _new_secret() -> bytes:
    return f"{_WRITTEN_AS}{base64.b64encode(secrets.token_bytes(32)).decode()}\n".encode()


def sign_message(secret: Secret, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message."""
    signature = secret.signature(f"{message_id}.{timestamp}.".encode() + body)
    return {ID_HEADER: message_id, TIMESTAMP_HEADER: str(timestamp), SIGNATURE_HEADER: signature}


def verify_message(secret: Secret, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of a message that is authentic and fresh; nothing of the body is parsed.

    Raises SignatureMalformed (400), SignatureInvalid (401) or TimestampOutOfWindow (401). An authentic message may be
    a repetition within the window: whoever stores it keeps its id for ever.
    """
    message_id = _matching(headers, ID_HEADER, _ID)
    timestamp = _matching(headers, TIMESTAMP_HEADER, _TIMESTAMP)
    signatures = _signatures(_single(headers, SIGNATURE_HEADER))

    message = f"{message_id}.{timestamp}.".encode() + body
    # Every signature is compared, so that the time does not tell which one fitted.
    fits = [secret.signed(message, signature) for signature in signatures]
    if not any(fits):
        raise SignatureInvalid()
    if abs(int(now.timestamp()) - int(timestamp)) > WINDOW_S:
        raise TimestampOutOfWindow()
    return message_id


def _single(headers: Mapping[str, str], name: str) -> str:
    values = [value for key, value in headers.items() if key.lower() == name]
    if len(values) != 1:
        raise SignatureMalformed(f"the header {name} is given once")
    return values[0]


def _matching(headers: Mapping[str, str], name: str, shape: re.Pattern[str]) -> str:
    value = _single(headers, name)
    if shape.fullmatch(value) is None:
        raise SignatureMalformed(f"the header {name} cannot be read")
    return value


def _signatures(text: str) -> list[str]:
    """The v1 signatures of the header; versions that we do not know are left out, as the standard asks."""
    # One split more than we accept is enough to know that there are too many.
    items = text.split(" ", MOST_SIGNATURES)
    if len(items) > MOST_SIGNATURES:
        raise SignatureMalformed(f"at most {MOST_SIGNATURES} signatures are read")
    known: list[str] = []
    for item in items:
        versioned = _VERSIONED.fullmatch(item)
        if versioned is None:
            raise SignatureMalformed(f"the header {SIGNATURE_HEADER} is a list of v1,<base64>")
        if versioned[1] != "v1":
            continue
        try:
            base64.b64decode(versioned[2], validate=True)
        except binascii.Error:
            raise SignatureMalformed("a v1 signature is base64") from None
        known.append(item)
    return known
