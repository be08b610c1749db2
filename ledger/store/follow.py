"""Follow: the log in pages behind a position, for whoever keeps a checkpoint and takes each event exactly once.

transaction: lock the checkpoint ─▶ read the page behind it ─▶ write what follows from it ─▶ move the checkpoint
"""

from typing import LiteralString

from psycopg import Cursor
from psycopg.rows import TupleRow

from ledger.events.event import Recorded
from ledger.store.append import recorded
from ledger.store.connection import in_book

_PAGE: LiteralString = """
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at, metadata
  FROM {schema}.events
 WHERE notification_id > %s
 ORDER BY notification_id
 LIMIT %s
"""


class UnreadableEvent(Exception):
    """An event of the log cannot be read by this version of the program; the cause says why."""


def page(cursor: Cursor[TupleRow], book: str, *, after: int, limit: int) -> list[Recorded]:
    """The next events behind the position `after`, at most `limit`; none at the end of the log.

    Positions are dense: that the page begins right behind `after` and has no holes is checked, so that nothing is ever
    skipped. Raises UnreadableEvent, and AssertionError for a hole.
    """
    rows = cursor.execute(in_book(_PAGE, book), (after, limit), binary=True).fetchall()
    if rows and (rows[0][4] != after + 1 or rows[-1][4] != after + len(rows)):
        raise AssertionError(f"{book}: a hole in the log: {len(rows)} events stand between {after} and {rows[-1][4]}")
    try:
        return [recorded(row) for row in rows]
    except Exception:
        # Once more and slowly, to say which one it is.
        for row in rows:
            _check_readable(book, row)
        raise


def _check_readable(book: str, row: TupleRow) -> None:
    try:
        recorded(row)
    except Exception as error:
        raise UnreadableEvent(f"{book}: event {row[4]}, {row[2]} in {row[0]}: {error!r}") from error
