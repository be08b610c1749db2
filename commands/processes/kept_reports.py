"""Kept reports: every report file as it came, once, before anything is read of it."""

from typing import Any

from psycopg import AsyncConnection

from ledger.store.connection import in_book

_KEEP = "INSERT INTO {schema}.report_file_contents (sha256, content) VALUES (%s, %s) ON CONFLICT DO NOTHING"
_CONTENT = "SELECT content FROM {schema}.report_file_contents WHERE sha256 = %s"


async def keep(connection: AsyncConnection[Any], book: str, digest: str, content: bytes) -> None:
    """Store the bytes of a file under their SHA-256, in hexadecimal digits."""
    await connection.execute(in_book(_KEEP, book), (digest, content))


async def content_of(connection: AsyncConnection[Any], book: str, digest: str) -> bytes | None:
    """The file as it came."""
    row = await (await connection.execute(in_book(_CONTENT, book), (digest,), binary=True)).fetchone()
    return None if row is None else bytes(row[0])
