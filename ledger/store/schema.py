"""Schemas: where a book's tables live, and which names a book may have."""

import re

from ledger.errors import BookNotFound

CONTROL = "ledger_control"
_BOOK = re.compile(r"[a-z][a-z0-9_]{0,30}")


def schema_of(book: str) -> str:
    """The PostgreSQL schema of a book; raises BookNotFound for what cannot be a book's name."""
    if not _BOOK.fullmatch(book):
        raise BookNotFound(book=book)
    return f"book_{book}"
