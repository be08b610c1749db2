"""Statement totals: whether a bank's statement proves itself: opening balance + entries = closing balance.

All three formats of bank statements end in this: the balances stated, the entries that were counted, and the Controls
that follow. An entry that is rejected for anything but its amount still counts, so that one bad line leaves the rest
of a sound statement sound; one whose amount cannot be read cannot, and the statement is flagged.
"""

from collections.abc import Iterator
from hashlib import blake2b

from ledger.report_row import Control


class StatementTotals:
    """One statement while it is read; all sums in minor units."""

    def __init__(self) -> None:
        self._opening: dict[str, int] = {}
        self._closing: dict[str, int] = {}
        self._moved: dict[str, int] = {}
        self._content = blake2b(digest_size=16)

    def opens(self, currency: str, minor: int) -> None:
        self._opening[currency] = minor

    def closes(self, currency: str, minor: int) -> None:
        self._closing[currency] = minor

    def moves(self, currency: str, minor: int) -> None:
        """An entry that the bank has booked."""
        self._moved[currency] = self._moved.get(currency, 0) + minor

    def contains(self, text: str) -> None:
        """A piece of what it says, to know the same statement again."""
        self._content.update(text.encode("utf-8", "surrogatepass") + b"\n")

    @property
    def content(self) -> bytes:
        return self._content.digest()

    def controls(self, statement: str, line: int) -> Iterator[Control]:
        proven = self._opening.keys() & self._closing.keys()
        for currency in sorted(proven):
            counted = self._opening[currency] + self._moved.get(currency, 0)
            yield Control(f"closing balance {statement}", line, self._closing[currency], counted, currency)
        # A balance of one currency proves nothing about the money of another.
        named = self._opening.keys() | self._closing.keys() | self._moved.keys()
        if named != proven and len(named) > 1 and (self._opening or self._closing):
            yield Control(f"currencies with both balances {statement}", line, len(named), len(proven))


class StatementsSeen:
    """The statements of one file: the same one a second time flags it."""

    def __init__(self) -> None:
        self._times: dict[bytes, int] = {}

    def controls(self, totals: StatementTotals, statement: str, line: int) -> Iterator[Control]:
        """Banks give many statements one name, so that the same is what says the same from beginning to end."""
        times = self._times[totals.content] = self._times.get(totals.content, 0) + 1
        if times > 1:
            yield Control(f"times that statement {statement} stands in the file", line, 1, times)
