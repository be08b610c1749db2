"""Cursors: where a page of a list ended, given out as a text that fits this book, this list and these filters only.

A cursor is readable by whoever decodes it and holds nothing that its page did not show; it is signed, so that it cannot
be made up or changed, and it ends with its lifetime.
"""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping, Sequence

from ledger.errors import CursorInvalid

Filters = Mapping[str, str | int | None]
Place = Sequence[str | int]

_SIGNATURE_BYTES = 16
_LONGEST = 1_024
_LIFETIME_S = 7 * 24 * 3600


class Cursors:
    """Gives out cursors and takes them back; processes with the same secret take each other's."""

    def __init__(self, secret: bytes, *, lifetime_s: int = _LIFETIME_S, now: Callable[[], float] = time.time) -> None:
        # A key of its own, so that no signature made for another purpose is ever a cursor.
        self._key = hmac.digest(secret, b"ledger cursors v1", hashlib.sha256)
        self._lifetime_s = lifetime_s
        self._now = now

    def give(self, book: str, list_name: str, filters: Filters, last: Place) -> str:
        """The cursor after the row whose keys are `last`."""
        content = _encode([int(self._now()), *last])
        return urlsafe_b64encode(self._sign(book, list_name, filters, content) + content).rstrip(b"=").decode()

    def take(self, cursor: str, book: str, list_name: str, filters: Filters) -> list[str | int]:
        """The keys of the row to go on after; raises CursorInvalid."""
        if len(cursor) > _LONGEST:
            raise CursorInvalid(pointer="/query/cursor")
        try:
            signed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (NotBase64, ValueError):
            raise CursorInvalid(pointer="/query/cursor") from None
        signature, content = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        # The last character has bits that decode to nothing: only the one spelling that we give out is taken.
        spelt = urlsafe_b64encode(signed).rstrip(b"=").decode()
        fits = hmac.compare_digest(signature, self._sign(book, list_name, filters, content))
        if not fits or spelt != cursor:
            raise CursorInvalid(pointer="/query/cursor")
        given_at: int
        last: list[str | int]
        given_at, *last = json.loads(content)
        if self._now() - given_at > self._lifetime_s:
            raise CursorInvalid("This cursor is too old; begin the list again.", pointer="/query/cursor")
        return last

    def _sign(self, book: str, list_name: str, filters: Filters, content: bytes) -> bytes:
        named = {name: value for name, value in filters.items() if value is not None}
        whose = _encode([book, list_name, sorted(named.items())])
        return hmac.digest(self._key, whose + b"\n" + content, hashlib.sha256)[:_SIGNATURE_BYTES]


def _encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
