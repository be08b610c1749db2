"""Notifying: the port through which a payer is told something that only he may know."""

from datetime import datetime
from typing import Any, Protocol

import msgspec
from psycopg import AsyncConnection

from ledger.store.connection import in_book

_PUT_DOWN = """
INSERT INTO {schema}.one_time_codes (payment, recipient, code, expires_at)
VALUES (%s, %s, %s, %s)
    ON CONFLICT DO NOTHING
"""


class OneTimeCode(msgspec.Struct, frozen=True):
    """A code for a payer. Not to be logged: `repr` keeps it to itself."""

    payment: str
    recipient: str
    """An e-mail address or a telephone number."""
    code: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"OneTimeCode({self.payment!r}, …)"


class CodeSender(Protocol):
    """Who brings a code to a payer, once for each payment, however often it is told."""

    async def __call__(self, book: str, code: OneTimeCode) -> None:
        """Take the code for sending; what is not taken is told again."""


async def put_into_outbox(connection: AsyncConnection[Any], book: str, code: OneTimeCode) -> None:
    """Let the code wait in the table of codes for whoever sends it; one that is there already stays as it is."""
    await connection.execute(in_book(_PUT_DOWN, book), (code.payment, code.recipient, code.code, code.expires_at))


def masked(recipient: str) -> str:
    """What may be shown of an address or a number: `a…@example.org`, `…89`."""
    name, at, domain = recipient.partition("@")
    return f"{name[:1]}…@{domain}" if at else f"…{recipient[-2:]}"
