"""/reports/journal: the book's journal as others read it: hledger, beancount, or a table in Parquet."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import Query
from starlette.responses import Response, StreamingResponse

from api.access_log import Sensitive
from api.answers import POSITION
from api.dependencies import Caller, Calling, KnownAtParameter, MinPosition
from api.fields import TimeParameter
from api.journal_files import SUFFIXES, TABLE, TEXT, Format, Prepared, prepare
from api.routing import Router
from ledger.errors import FieldInvalid, FieldMissing, PositionNotReached, TimestampFormat, TimestampRange
from projections.journal import span
from projections.postings import Postings

router = Router("/v1/reports/journal", "reports")

# Small enough that others are answered in between.
_ENTRIES_AT_ONCE = 250
_EXAMPLE = """\
2026-11-21 * (17) Rent of November
    ; entry:ent_019aa3c0a1b27c3d8e4f5a6b7c8d9e0f
    Assets:Cash-EUR  12.50 EUR
    Liabilities:Customer:17-EUR  -12.50 EUR
"""


_PARQUET = {"schema": {"type": "string", "format": "binary"}, "example": "PAR1…"}


class JournalFile(msgspec.Struct):
    """The journal as a file: text for hledger and beancount, a table for Parquet."""


@router.reads(
    "",
    JournalFile,
    _EXAMPLE,
    scope="audit:read",
    media_type=TEXT,
    refuses=(FieldMissing, PositionNotReached, TimestampFormat, TimestampRange),
    sensitive=Sensitive.FIRST,
    openapi_extra={"responses": {"200": {"content": {TABLE: _PARQUET}}}},
)
async def show_journal(
    caller: Calling,
    format_: Annotated[Format, Query(alias="format", description="What reads it; Parquet is a table of postings.")],
    since: Annotated[TimeParameter | None, Query(alias="from", description="With effect from this time on.")] = None,
    until: Annotated[TimeParameter | None, Query(alias="to", description="With effect before this time.")] = None,
    known_at: KnownAtParameter = None,
    min_position: MinPosition = None,
) -> Response:
    """Write the journal out for hledger, beancount or as Parquet, with the balances at both ends asserted.

    Entries stand in the order of effect. A text whose last line does not say `complete` was cut off.
    """
    if since and until and until <= since:
        raise FieldInvalid("It lies before `from`.", pointer="/query/to")
    await caller.see(min_position, Postings.name)
    await caller.know(known_at, Postings.name)
    async with caller.world.reading() as connection:
        of = await span(connection, caller.book, since, until, known_at)
    prepared = await prepare(caller.world.reading, caller.book, of)
    headers = {
        "Content-Disposition": f'attachment; filename="{caller.book}-{of.known_at}.{SUFFIXES[format_]}"',
        POSITION: str(of.known_at),
    }
    media_type = TABLE if format_ == "parquet" else TEXT
    return StreamingResponse(pieces(caller, prepared, format_), headers=headers, media_type=media_type)


async def pieces(caller: Caller, prepared: Prepared, format_: Format) -> AsyncIterator[bytes]:
    """The file, piece by piece; raises Unauthenticated once the caller's key is none any more."""
    async for piece in prepared.pieces(caller.world.reading, format_, page_size=_ENTRIES_AT_ONCE):
        await caller.still_may()
        yield piece
