"""Seals: what only this service may read and still has to keep, because one day it is told to somebody.

Events are for ever, so they hold a seal (AES-256-GCM, NIST SP 800-38D); its key comes from the pepper, one for each
purpose. What was sealed for one purpose is not opened for another.
"""

import base64
import hmac
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_SEALED = "sealed:"
_NONCE_BYTES = 12


class Seal:
    """Closes and opens the texts of one purpose, in one installation."""

    def __init__(self, pepper: bytes, purpose: bytes) -> None:
        self._purpose = purpose
        self._cipher = AESGCM(hmac.digest(pepper, purpose, sha256))

    def close(self, text: str) -> str:
        """The text in its seal: another one each time."""
        nonce = os.urandom(_NONCE_BYTES)
        return _SEALED + base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), self._purpose)).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed here; what is in no seal is returned as it is. Raises ValueError."""
        if not sealed.startswith(_SEALED):
            return sealed
        whole = base64.b64decode(sealed.removeprefix(_SEALED))
        try:
            return self._cipher.decrypt(whole[:_NONCE_BYTES], whole[_NONCE_BYTES:], self._purpose).decode()
        except InvalidTag:
            raise ValueError("it was sealed by another installation, or for another purpose") from None
