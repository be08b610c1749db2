"""Connections: how every part of the service reaches PostgreSQL, with which role, and how long it waits."""

import select
import time
from functools import lru_cache
from typing import Any, LiteralString
from weakref import WeakKeyDictionary

import msgspec
from psycopg import AsyncConnection, Connection, sql
from psycopg_pool import AsyncConnectionPool

from ledger.store.arrays import register
from ledger.store.schema import schema_of

APPLICATION_ROLE = "ledger_app"
_STATEMENT_TIMEOUT_MS = 5_000
_LOCK_TIMEOUT_MS = 2_000
_IDLE_IN_TRANSACTION_MS = 10_000
_ASKED_AGAIN_AFTER_S = 1.0
_MOST_STATEMENTS_KEPT = 8_192


class Database(msgspec.Struct, frozen=True):
    """One PostgreSQL: its URL, and the role that the application acts as (None: as the URL says)."""

    conninfo: str
    role: str | None = APPLICATION_ROLE
    pool_timeout_s: int = 1
    statement_timeout_ms: int = _STATEMENT_TIMEOUT_MS

    @property
    def connection_kwargs(self) -> dict[str, Any]:
        """What every connection of the application is opened with."""
        settings = {
            "statement_timeout": self.statement_timeout_ms,
            "lock_timeout": _LOCK_TIMEOUT_MS,
            "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION_MS,
            # Pinned, so that a changed default cannot make a commit something else than durable.
            "synchronous_commit": "on",
        }
        if self.role:
            settings["role"] = self.role
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        return {"options": options, "application_name": "ledger", "connect_timeout": 2, "tcp_user_timeout": 5_000}

    def connect(self, *, autocommit: bool = True) -> Connection:
        """A connection of the application's role."""
        connection = Connection.connect(self.conninfo, autocommit=autocommit, **self.connection_kwargs)
        register(connection)
        return connection

    async def connect_async(self) -> AsyncConnection:
        """A connection of the application's role, for asynchronous use."""
        connection = await AsyncConnection.connect(self.conninfo, autocommit=True, **self.connection_kwargs)
        register(connection)
        return connection

    def owner(self) -> Connection:
        """A connection as the URL says, for migrations and rebuilds; no time limit on its statements."""
        return Connection.connect(self.conninfo, autocommit=True, connect_timeout=5, application_name="ledger owner")

    def pool(self, *, size: int) -> AsyncConnectionPool:
        """A pool for reading, not yet open; a caller waits for a connection at most `pool_timeout_s`."""
        return AsyncConnectionPool(
            self.conninfo,
            min_size=min(size, 2),
            max_size=size,
            max_waiting=512,
            timeout=self.pool_timeout_s,
            # Whoever asks for a connection tries anew: waiting longer and longer by itself, the pool would be the last
            # to know that the database is back.
            reconnect_timeout=1.0,
            kwargs={**self.connection_kwargs, "autocommit": True},
            check=_check,
            configure=_configure,
            open=False,
        )


# When a connection was last asked whether it lives, on the monotonic clock.
_asked_at: WeakKeyDictionary[AsyncConnection[Any], float] = WeakKeyDictionary()


async def _check(connection: AsyncConnection[Any]) -> None:
    """Raise for a connection that is dead, before it is handed out.

    The server is asked only now and then, for each time costs as much as a short question. In between its silence is
    enough: a server that goes away closes the connection, and then there is something to be read from it.
    """
    silent = select.poll()
    silent.register(connection.fileno(), select.POLLIN)
    now = time.monotonic()
    if now - _asked_at.get(connection, -_ASKED_AGAIN_AFTER_S) < _ASKED_AGAIN_AFTER_S and not silent.poll(0):
        return
    await AsyncConnectionPool.check_connection(connection)
    _asked_at[connection] = now


async def _configure(connection: AsyncConnection[Any]) -> None:
    register(connection)


@lru_cache(_MOST_STATEMENTS_KEPT)
def in_book(statement: LiteralString, book: str) -> bytes:
    """The statement with `{schema}` filled in as the book's schema.

    As bytes, and kept, because psycopg would put a composed statement together at every use.
    """
    return sql.SQL(statement).format(schema=sql.Identifier(schema_of(book))).as_bytes()
