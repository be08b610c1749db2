"""Journal files: a book's journal in the formats of others, piece by piece, for the interface and the command line."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Literal, Protocol

import msgspec

from ledger.audit.plain_text import AccountLine, EntryLine, Journal, JournalText, last_day, signed
from ledger.audit.plain_text_beancount import BeancountText
from ledger.audit.plain_text_hledger import HledgerText
from projections import journal
from projections.journal import Reading, Span, Told

Format = Literal["hledger", "beancount", "parquet"]
TEXT, TABLE = "text/plain", "application/vnd.apache.parquet"
SUFFIXES: dict[Format, str] = {"hledger": "journal", "beancount": "beancount", "parquet": "parquet"}


class JournalDisagrees(AssertionError):
    """The entries do not add up to the balances of the books; the file says both."""


class _File(Protocol):
    def begin(self, accounts: Iterable[AccountLine], opening: dict[str, int]) -> Iterator[bytes]: ...

    def entries(self, page: Sequence[EntryLine]) -> bytes: ...

    def close(self, closing: dict[str, int]) -> Iterator[bytes]: ...


class _TextFile:
    """A journal as text, in bytes."""

    def __init__(self, text: JournalText) -> None:
        self._text = text

    def begin(self, accounts: Iterable[AccountLine], opening: dict[str, int]) -> Iterator[bytes]:
        return map(str.encode, self._text.begin(accounts, opening))

    def entries(self, page: Sequence[EntryLine]) -> bytes:
        return self._text.entries(page).encode()

    def close(self, closing: dict[str, int]) -> Iterator[bytes]:
        return map(str.encode, self._text.close(closing))


class Prepared(msgspec.Struct):
    """All that is needed before the first piece: what may be refused has been, and only entries are still to be read.

    Balances are debits less credits by account, in minor units; `entries` is how many have been told.
    """

    book: str
    span: Span
    accounts: list[AccountLine]
    opening: dict[str, int]
    closing: dict[str, int]
    entries: int = 0

    async def pieces(
        self, reading: Reading, format_: Format, *, page_size: int, told: Told = lambda done, total: None
    ) -> AsyncIterator[bytes]:
        """The file; raises JournalDisagrees behind its last piece."""
        file = self._file(format_)
        for pieces in _together(file.begin(self.accounts, self.opening)):
            yield pieces
        sums = dict(self.opening)
        async for page in journal.entries(reading, self.book, self.span, page_size=page_size, told=told):
            for entry in page:
                for posting in entry.postings:
                    sums[posting.account] = sums.get(posting.account, 0) + signed(posting)
            self.entries += len(page)
            if piece := file.entries(page):
                yield piece
        for pieces in _together(file.close(self.closing)):
            yield pieces
        apart = [one.id for one in self.accounts if sums.get(one.id, 0) != self.closing.get(one.id, 0)]
        if apart:
            raise JournalDisagrees(f"{self.book}: the entries do not add up to the balance of {', '.join(apart[:5])}")

    def _file(self, format_: Format) -> _File:
        of = self.span
        end = last_day(of.until, of.recorded_at)
        if of.since is not None:
            end = max(end, of.since.date())
        about = Journal(self.book, of.known_at, of.since, of.until, end)
        if format_ == "parquet":
            # A quarter of the memory of a process, so that only those pay for it who ask for it.
            from ledger.audit.posting_table import PostingTable

            return PostingTable(about)
        return _TextFile(HledgerText(about) if format_ == "hledger" else BeancountText(about))


async def prepare(reading: Reading, book: str, of: Span) -> Prepared:
    """Read the accounts and their balances at both ends."""
    accounts = await journal.accounts(reading, book, of)
    opening = await journal.balances_before(reading, book, of.since, of) if of.since else {}
    closing = await journal.balances_before(reading, book, of.until, of)
    return Prepared(book, of, accounts, opening, closing)


# Bytes that are sent at once.
_TOGETHER = 64 * 1024


def _together(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer pieces."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        if len(waiting) >= _TOGETHER:
            yield bytes(waiting)
            waiting.clear()
    if waiting:
        yield bytes(waiting)
