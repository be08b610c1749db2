"""Vault: seals personal values under a key of their subject, and opens them again while that key is there.

AES-256-GCM (NIST SP 800-38D) with a random nonce of 96 bits each time; bound to book and subject. A subject's key is
random and stands wrapped in `subject_keys`, by a key that comes from the pepper; without its row nobody can open what
it sealed, and it is told as `[erased]`.
"""

import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from re import Match
from typing import Any, LiteralString, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import AsyncConnection, Connection
from psycopg.rows import tuple_row

from ledger.store.arrays import Bytes, Texts
from ledger.store.connection import in_book
from ledger.tokens import ERASED, TOKEN_IN_BYTES, holds_tokens, masked, subjects_in, token

_NONCE_BYTES = 12
_KEY_BYTES = 32
_MOST_CIPHERS_KEPT = 4_096
_MARK_CHARACTERS = 32
_KEYS: LiteralString = "SELECT subject, wrapped FROM {schema}.subject_keys WHERE subject = ANY(%b)"
_ADD: LiteralString = (
    "INSERT INTO {schema}.subject_keys (subject, wrapped) SELECT * FROM unnest(%b::text[], %b::bytea[])"
)
_ERASE: LiteralString = "DELETE FROM {schema}.subject_keys WHERE subject = ANY(%b)"

Told = TypeVar("Told")


class WrongPepper(Exception):
    """A subject's key was wrapped by another installation: this one must not go on as if it were erased."""


class Cipher:
    """Closes and opens the values of one subject of a book."""

    def __init__(self, book: str, subject: str, key: bytes) -> None:
        self._subject, self._bound_to = subject, f"{book}\0{subject}".encode()
        self._cipher = AESGCM(key)

    def close(self, text: str) -> str:
        """A token: another one each time."""
        nonce = os.urandom(_NONCE_BYTES)
        box = nonce + self._cipher.encrypt(nonce, text.encode(), self._bound_to)
        return token(self._subject, urlsafe_b64encode(box).rstrip(b"=").decode())

    def open(self, box: str) -> str | None:
        """The value; None for what was sealed with a key that is gone."""
        whole = urlsafe_b64decode(box + "=" * (-len(box) % 4))
        try:
            return self._cipher.decrypt(whole[:_NONCE_BYTES], whole[_NONCE_BYTES:], self._bound_to).decode()
        except InvalidTag:
            return None


class Vault:
    """What one installation seals and opens with."""

    def __init__(self, pepper: bytes) -> None:
        self._wrapping = AESGCM(hmac.digest(pepper, b"ledger subject keys v1", sha256))
        self._marking = hmac.digest(pepper, b"ledger marks v1", sha256)
        # By the wrapped key, which is read anew each time: a key that was deleted opens nothing, whatever is kept here.
        self._cipher = lru_cache(_MOST_CIPHERS_KEPT)(self._unwrapped)

    def new_key(self, book: str, subject: str) -> bytes:
        """A fresh key of this subject, wrapped."""
        nonce, key = os.urandom(_NONCE_BYTES), os.urandom(_KEY_BYTES)
        return nonce + self._wrapping.encrypt(nonce, key, f"{book}\0{subject}".encode())

    def cipher(self, book: str, subject: str, wrapped: bytes) -> Cipher:
        """The cipher of this wrapped key; raises WrongPepper."""
        return self._cipher(book, subject, bytes(wrapped))

    def _unwrapped(self, book: str, subject: str, wrapped: bytes) -> Cipher:
        try:
            key = self._wrapping.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], f"{book}\0{subject}".encode())
        except InvalidTag:
            raise WrongPepper(f"the key of a subject of {book} was wrapped with another pepper") from None
        return Cipher(book, subject, key)

    def mark(self, book: str, kind: str, value: str) -> str:
        """What stands for a value where only sameness matters: nobody without the pepper can try values out."""
        return hmac.digest(self._marking, f"{book}\0{kind}\0{value}".encode(), sha256).hex()[:_MARK_CHARACTERS]

    def opened_with(self, book: str, body: bytes, keys: Mapping[str, bytes]) -> bytes:
        """JSON with every sealed value in it opened by these wrapped keys, or told as erased."""

        def opened(found: Match[bytes]) -> bytes:
            subject = found["subject"].decode()
            wrapped = keys.get(subject)
            value = None if wrapped is None else self.cipher(book, subject, wrapped).open(found["box"].decode())
            if value is None:
                value = ERASED
            elif found["kind"] == b"m1":
                value = masked(value)
            return msgspec.json.encode(value)[1:-1]

        return TOKEN_IN_BYTES.sub(opened, body)

    async def opened(self, connection: AsyncConnection[Any], book: str, body: bytes) -> bytes:
        """JSON with every sealed value in it opened, as far as its key is there."""
        subjects = subjects_in(body)
        if not subjects:
            return body
        rows = await (await connection.execute(in_book(_KEYS, book), (Texts(subjects),), binary=True)).fetchall()
        return self.opened_with(book, body, {subject: bytes(wrapped) for subject, wrapped in rows})

    async def opened_value(self, connection: AsyncConnection[Any], book: str, value: Told) -> Told:
        """A struct, or what is made of structs of one kind, with every sealed value in it opened."""
        body = msgspec.json.encode(value)
        if not holds_tokens(body):
            return value
        return msgspec.json.decode(await self.opened(connection, book, body), type=type(value))


class Keeper:
    """The keys of subjects as one batch of decisions knows and changes them; written in the batch's transaction."""

    def __init__(self, vault: Vault, book: str) -> None:
        self.vault, self.book = vault, book
        # subject -> its wrapped key, None where it has none
        self.known: dict[str, bytes | None] = {}
        self._stored: set[str] = set()
        self._made: dict[str, bytes] = {}
        self._erased: set[str] = set()

    def read(self, connection: Connection[Any], subjects: Iterable[str]) -> None:
        """Know these subjects' keys."""
        wanted = [subject for subject in subjects if subject not in self.known]
        if wanted:
            statement = in_book(_KEYS, self.book)
            cursor = connection.cursor(row_factory=tuple_row)
            rows = cursor.execute(statement, (Texts(wanted),), binary=True, prepare=True).fetchall()
            found = {subject: bytes(wrapped) for subject, wrapped in rows}
            self.known |= dict.fromkeys(wanted) | found
            self._stored |= found.keys()

    def cipher(self, subject: str) -> Cipher:
        """Of a subject that is known here; a new one where it has no key."""
        wrapped = self.known[subject]
        if wrapped is None:
            wrapped = self.known[subject] = self._made[subject] = self.vault.new_key(self.book, subject)
        return self.vault.cipher(self.book, subject, wrapped)

    def erase(self, subject: str) -> None:
        """Its key is to be no more, whether it had one or not."""
        self._made.pop(subject, None)
        self.known[subject] = None
        self._erased.add(subject)

    def unmake(self, subject: str) -> None:
        """Take back that a key was made."""
        self.known[subject] = None
        self._made.pop(subject, None)

    def unerase(self, subject: str, wrapped: bytes | None) -> None:
        """Take back that its key was erased, which was this one; where it was made here, it is made again."""
        self.known[subject] = wrapped
        self._erased.discard(subject)
        if wrapped is not None and subject not in self._stored:
            self._made[subject] = wrapped

    def write(self, connection: Connection[Any]) -> None:
        """Delete what was erased, and add what was made."""
        if self._erased:
            connection.cursor().execute(in_book(_ERASE, self.book), (Texts(sorted(self._erased)),), binary=True)
        if self._made:
            columns = (Texts(self._made), Bytes(self._made.values()))
            connection.cursor().execute(in_book(_ADD, self.book), columns, binary=True, prepare=True)

    def opened(self, value: Told) -> Told:
        """The value with every sealed value in it opened by the keys that are known."""
        body = msgspec.json.encode(value)
        if not holds_tokens(body):
            return value
        keys = {subject: wrapped for subject, wrapped in self.known.items() if wrapped is not None}
        return msgspec.json.decode(self.vault.opened_with(self.book, body, keys), type=type(value))
