"""Callbacks: what a channel tells us unasked, as a command.

A route verifies and reads the message with the channel's adapter, finds the book with `find_books`, and submits
`part_of(…)` to its writers. Answered with 200: an effect, a repetition, and also a message about an id that is not
known here (no book, or a refusal with status 404). Every authentic message is kept as it came (kept_callbacks.py);
one about nothing of ours is counted and marked. What is refused otherwise is answered as refused, so that the channel
comes again.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier, Literal

from commands.channel_results import command_for
from commands.channels.channel import CallbackNotice
from commands.envelope import Part, own_envelope
from ledger import ids
from ledger.ids import (
    CAPTURE,
    CLOSING,
    CONTRACT,
    INCREMENT,
    PAYMENT,
    PAYMENT_METHOD,
    PAYOUT,
    RECEIPT_RETURN,
    REFUND,
    REPAYMENT,
    TOP_UP,
    VOID,
)
from ledger.store.arrays import Texts
from ledger.store.schema import schema_of

_BOOKS = "SELECT name FROM ledger_control.books ORDER BY name"
_HAS_STREAMS = """
SELECT originator_id, {book} FROM {schema}.events WHERE originator_id = ANY(%(streams)s) AND originator_version = 1
"""


# What a notice about these ids may speak of.
_SUBJECTS = {
    PAYMENT: ("charge", "dispute"),
    TOP_UP: ("charge",),
    REPAYMENT: ("charge",),
    REFUND: ("refund",),
    RECEIPT_RETURN: ("refund",),
    CAPTURE: ("change",),
    VOID: ("change",),
    CLOSING: ("change",),
    INCREMENT: ("change",),
    PAYOUT: ("payout",),
    CONTRACT: ("contract",),
    PAYMENT_METHOD: ("contract",),
}


def stream_of(notice: CallbackNotice) -> str:
    """The stream of what the notice is about; empty where its id is none of ours, or of something else."""
    name = notice.subject_id
    ours = notice.subject in _SUBJECTS.get(name[: name.find("_") + 1], ())
    return ids.stream_of(name) if ours else ""


def part_of(channel: str, notice: CallbackNotice) -> Part | None:
    """The command in its envelope: one effect for one message of this channel, for ever. None: no id of ours."""
    command = command_for(notice.subject_id, channel, notice.verdict) if stream_of(notice) else None
    if command is None:
        return None
    key = f"callback/{channel}/{notice.event_id}"
    return Part(own_envelope(key, actor=f"channel:{channel}", content=msgspec.json.encode(command)), command)


async def find_books(connection: AsyncConnection, notices: Sequence[CallbackNotice]) -> list[str | None]:
    """For each notice the book that knows what it is about: a channel knows our ids and not our books. None: none."""
    streams = [stream_of(notice) for notice in notices]
    books = tuple(name for (name,) in await (await connection.execute(_BOOKS)).fetchall())
    wanted = Texts(sorted({stream for stream in streams if stream}))
    found: dict[str, str] = {}
    if wanted and books:
        for stream, book in await (await connection.execute(_looks(books), {"streams": wanted})).fetchall():
            found.setdefault(stream, book)
    return [found.get(stream) for stream in streams]


@lru_cache(16)
def _looks(books: tuple[str, ...]) -> bytes:
    looks = (SQL(_HAS_STREAMS).format(book=Literal(book), schema=Identifier(schema_of(book))) for book in books)
    return SQL(" UNION ALL ").join(looks).as_bytes()
