"""Sealed answers: what a payer tells us for his bank alone, a code from a message, is written down only in a seal.

The intent to pass it on is an event, and events are for ever: so the event holds what only this service can open, and
the seal is opened where the channel is spoken to (AES-256-GCM, NIST SP 800-38D; the key comes from the pepper).
"""

import base64
import hmac
import os
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec.structs import replace

from commands.channels.requests import ChannelRequest, ConfirmCharge, SignContract

_SEALED = "sealed:"
_NONCE_BYTES = 12
_PURPOSE = b"payer's answers v1"


class AnswerSeal:
    """Closes and opens the answers of one installation."""

    def __init__(self, pepper: bytes) -> None:
        self._cipher = AESGCM(hmac.digest(pepper, _PURPOSE, sha256))

    def close(self, answer: str) -> str:
        """The answer in its seal: another text each time."""
        nonce = os.urandom(_NONCE_BYTES)
        return _SEALED + base64.b64encode(nonce + self._cipher.encrypt(nonce, answer.encode(), _PURPOSE)).decode()

    def open(self, sealed: str) -> str:
        """The answer that was sealed here; what is in no seal is returned as it is. Raises ValueError."""
        if not sealed.startswith(_SEALED):
            return sealed
        whole = base64.b64decode(sealed.removeprefix(_SEALED))
        try:
            return self._cipher.decrypt(whole[:_NONCE_BYTES], whole[_NONCE_BYTES:], _PURPOSE).decode()
        except InvalidTag:
            raise ValueError("an answer was sealed by another installation") from None

    def opened(self, request: ChannelRequest) -> ChannelRequest:
        """The request as its channel is to read it."""
        match request:
            case ConfirmCharge():
                return replace(request, answer=self.open(request.answer))
            case SignContract(answer=str(answer)):
                return replace(request, answer=self.open(answer))
            case _:
                return request
