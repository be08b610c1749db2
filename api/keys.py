"""API keys: who asks, for which book, and what they may do.

A key is `lk_<id>_<secret>`, shown once. Stored is its HMAC under the service's pepper, so that a copy of the database
holds nothing that could be used or guessed. Keys are long and random: a slow hash would protect nothing more, and would
let strangers spend our time.
"""

import asyncio
import hashlib
import hmac
import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from ledger.errors import ScopeMissing, Unauthenticated, Unavailable

ADMIN = "admin"
SCOPES = frozenset(
    {
        "ledger:read",
        "ledger:write",
        "payments:read",
        "payments:write",
        "audit:read",
        "reconciliation:write",
        "risk:read",
        "risk:write",
        ADMIN,
    }
)

_PEPPER_FILE = "pepper"
_SHORTEST_PEPPER = 16
_LONGEST_KEY = 512
_PERSON = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")
_FRESH_S = 4.0  # A revoked key is refused everywhere within 5 seconds.
_MOST_KNOWN_KEYS = 10_000
_PATIENCE_S = 1.9  # With a database that neither answers nor refuses.

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a key, its book, and its scopes."""

    key_id: str
    name: str
    book: str
    scopes: frozenset[str]
    person: str = ""
    """Whose hands the key is in, where that was said when it was made."""

    def may(self, scope: str) -> bool:
        """Whether the key has this scope; admin has every scope."""
        return scope in self.scopes or ADMIN in self.scopes

    def require(self, scope: str) -> None:
        """Return if the key has this scope, else raise ScopeMissing."""
        if not self.may(scope):
            raise ScopeMissing(scope=scope)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as it may be shown: everything but the key."""

    id: str
    book: str
    name: str
    scopes: list[str]
    created_at: datetime
    revoked_at: datetime | None
    expires_at: datetime | None
    person: str

    def is_valid(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class NewKey(NamedTuple):
    """A key at its birth, the only time that its text is known."""

    id: str
    text: str


# --- the pepper -----------------------------------------------------------------------------------------------------


def load_or_create_pepper(state: Path, given: str | None = None) -> bytes:
    """The secret that keys are hashed with: the given one, else that of the state folder, made on first use.

    Raises ValueError for one that is too short. Two processes that begin at once end up with the same one.
    """
    if given:
        return _long_enough(given.encode(), "the given pepper")
    file = state / _PEPPER_FILE
    if not file.exists():
        _create_pepper(file)
    if file.stat().st_mode & 0o077:
        logger.warning("%s can be read by other users of this machine", file)
    return _long_enough(file.read_bytes().strip(), str(file))


def _long_enough(pepper: bytes, what: str) -> bytes:
    if len(pepper) < _SHORTEST_PEPPER:
        raise ValueError(f"{what} has less than {_SHORTEST_PEPPER} characters")
    return pepper


def _create_pepper(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(6)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as new:
        new.write(secrets.token_hex(32).encode())
        new.flush()
        os.fsync(new.fileno())
    try:
        file.hardlink_to(draft)  # Unlike a rename it does not replace what another process has just made.
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # Keys are stored durably, and without the pepper they open nothing.
    finally:
        os.close(folder)


# --- making and revoking --------------------------------------------------------------------------------------------

_INSERT = """
INSERT INTO ledger_control.api_keys (id, book, name, key_hash, scopes, expires_at, person)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_REVOKE = "UPDATE ledger_control.api_keys SET revoked_at = now() WHERE id = %s AND revoked_at IS NULL"
_LIST = """
SELECT id, book, name, scopes, created_at, revoked_at, expires_at, person
  FROM ledger_control.api_keys
 WHERE %(book)s::text IS NULL OR book = %(book)s
 ORDER BY created_at, id
"""
_LOOK_UP = """
SELECT key_hash, id, book, name, scopes, created_at, revoked_at, expires_at, person
  FROM ledger_control.api_keys
 WHERE key_hash = %s
"""


def hash_of(pepper: bytes, text: str) -> bytes:
    """What is stored in place of the key."""
    return hmac.digest(pepper, b"ledger api key v1\0" + text.encode(), hashlib.sha256)


def create_key(
    connection: Connection,
    pepper: bytes,
    *,
    book: str,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime | None = None,
    person: str = "",
) -> NewKey:
    """Make a key for a book; commits with the caller's transaction.

    Raises ValueError for an unknown scope, and for what is no name of a person.
    """
    key_id = secrets.token_hex(8)
    text = f"lk_{key_id}_{secrets.token_urlsafe(32)}"
    row = (key_id, book, name, hash_of(pepper, text), _known(scopes), expires_at, person_named(person))
    connection.execute(_INSERT, row)
    return NewKey(key_id, text)


def adopt_key(connection: Connection, pepper: bytes, text: str, *, book: str, name: str, scopes: Iterable[str]) -> str:
    """Make a key of a text that somebody chose, unless it is one already; its id."""
    if not 0 < len(text) <= _LONGEST_KEY or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a key is sent in a header: it is 1 to 512 printable ASCII characters without spaces")
    digest = hash_of(pepper, text)
    key_id = digest.hex()[:16]
    row = (key_id, book, name, digest, _known(scopes), None, "")
    connection.execute(_INSERT + "ON CONFLICT (key_hash) DO NOTHING", row)
    return key_id


def person_named(name: str) -> str:
    """A person as they are written down: Ann and ann are one. Raises ValueError for what is no name."""
    person = name.lower()
    if person and not _PERSON.fullmatch(person):
        raise ValueError("a person is up to 64 of a to z, digits and . _ @ + -, and begins with a letter or a digit")
    return person


def _known(scopes: Iterable[str]) -> list[str]:
    given = sorted(set(scopes))
    if not given or not SCOPES.issuperset(given):
        raise ValueError(f"scopes are one or more of {', '.join(sorted(SCOPES))}")
    return given


def revoke_key(connection: Connection, key_id: str) -> bool:
    """Revoke a key for ever; whether there was a valid one. The API takes it for up to 5 seconds more."""
    return connection.execute(_REVOKE, (key_id,)).rowcount == 1


def list_keys(connection: Connection, book: str | None = None) -> list[StoredKey]:
    """All keys of a book, or of all books, the oldest first."""
    with connection.cursor(row_factory=class_row(StoredKey)) as cursor:
        return cursor.execute(_LIST, {"book": book}).fetchall()


# --- asking ---------------------------------------------------------------------------------------------------------


class _Known(NamedTuple):
    principal: Principal
    fresh_until_s: float
    expires_at: datetime | None


class KeyRing:
    """Tells who sends an Authorization header; asks the database, and remembers the answer for a few seconds."""

    def __init__(
        self,
        pool: AsyncConnectionPool,
        pepper: bytes,
        *,
        fresh_s: float = _FRESH_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._pepper = pepper
        self._fresh_s = fresh_s
        self._clock = clock
        self._known: dict[bytes, _Known] = {}
        # For as long as that is fresh the header itself is remembered too: hashing it gives the interpreter away to the
        # writers each time, and costs a busy service more waiting than all other checks together.
        self._by_header: dict[str, _Known] = {}
        self._asking: dict[bytes, asyncio.Task[_Known]] = {}

    async def authenticate(self, authorization: str | None) -> Principal:
        """Who sends this header; raises Unauthenticated, with one text for every reason."""
        known = self._by_header.get(authorization) if authorization else None
        if known is None or self._clock() >= known.fresh_until_s:
            known = await self._find_out(authorization or "")
        if known.expires_at is not None and datetime.now(UTC) >= known.expires_at:
            raise Unauthenticated
        return known.principal

    async def _find_out(self, authorization: str) -> _Known:
        self._by_header.pop(authorization, None)
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer" or not 0 < len(text) <= _LONGEST_KEY:
            raise Unauthenticated
        digest = hash_of(self._pepper, text)
        known = self._known.get(digest)
        if known is None or self._clock() >= known.fresh_until_s:
            known = await self._ask_once(digest)
        if len(self._by_header) >= _MOST_KNOWN_KEYS:
            self._by_header.clear()
        self._by_header[authorization] = known
        return known

    async def _ask_once(self, digest: bytes) -> _Known:
        """Many requests that need the same answer at the same time ask one question."""
        asking = self._asking.get(digest)
        if asking is None:
            asking = self._asking[digest] = asyncio.create_task(self._ask(digest))
            asking.add_done_callback(lambda done: self._asked(digest, done))
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await asyncio.shield(asking)
        except TimeoutError:
            raise Unavailable("The database does not answer.") from None

    def _asked(self, digest: bytes, done: asyncio.Task[_Known]) -> None:
        del self._asking[digest]
        if not done.cancelled():
            done.exception()  # Everybody who asked may have gone; then nobody else looks at it.

    async def _ask(self, digest: bytes) -> _Known:
        asked_at_s = self._clock()
        self._known.pop(digest, None)
        async with self._pool.connection() as connection:
            row = await (await connection.execute(_LOOK_UP, (digest,))).fetchone()
        key_hash, *columns = row or (bytes(len(digest)),)
        # The comparison is made for an unknown key too, so that both take the same time.
        if not hmac.compare_digest(digest, key_hash):
            raise Unauthenticated
        key = StoredKey(*columns)
        if not key.is_valid(datetime.now(UTC)):
            raise Unauthenticated
        if len(self._known) >= _MOST_KNOWN_KEYS:
            self._known.clear()
        principal = Principal(key.id, key.name, key.book, frozenset(key.scopes), key.person)
        known = self._known[digest] = _Known(principal, asked_at_s + self._fresh_s, key.expires_at)
        return known
