"""A stream of which only the end was read goes on behind its end."""

from datetime import UTC, datetime

from commands.books import Books
from ledger.events.bank_lines import EntrySeenAtBank
from ledger.events.event import Metadata, Recorded

NOW = datetime(2026, 11, 21, tzinfo=UTC)
STREAM = "seen/ent_1"
SEEN = EntrySeenAtBank("ent_1", "sys:1020:main:eur", "bank_line/1")
NOBODY = Metadata("somebody")


def recorded(version: int) -> Recorded:
    return Recorded(STREAM, version, version, NOW, SEEN, NOBODY)


def record(books: Books) -> None:
    books.record(STREAM, SEEN, NOBODY, b"{}")


def test_what_is_recorded_behind_an_end_that_was_read_is_the_next_of_its_stream() -> None:
    books = Books({}, set(), 7, NOW)
    books.load_latest({STREAM: recorded(2)})
    record(books)
    record(books)
    assert books.draft.versions == [3, 4]
    # Read whole after all, it goes on where it was.
    books.load_streams({STREAM: [recorded(1), recorded(2)]})
    record(books)
    assert books.draft.versions == [3, 4, 5]
    assert [one.version for one in books.recorded(STREAM)] == [1, 2, 3, 4, 5]


def test_what_was_taken_back_counts_no_more() -> None:
    books = Books({}, set(), 7, NOW)
    books.load_latest({STREAM: recorded(2)})
    mark = books.mark()
    record(books)
    books.undo_to(mark)
    record(books)
    assert books.draft.versions == [3]


def test_a_stream_that_has_no_end_begins() -> None:
    books = Books({}, set(), 7, NOW)
    books.load_latest({STREAM: None})
    record(books)
    assert books.draft.versions == [1]
