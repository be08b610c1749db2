"""Hledger: a book's journal as `hledger check --strict ordereddates` reads it.

Around the entries of each day stand assertions without an amount: `=` says what an account comes to. The first one has
the day's date as well, so that no entry can be moved to another day without standing before or behind its turn.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from ledger.accounts import Kind
from ledger.audit.plain_text import (
    AccountLine,
    DayBalances,
    EntryLine,
    Journal,
    account_name,
    decimal,
    moment,
    one_line,
    opening_day,
    signed,
)
from ledger.currencies import ASSETS

_TYPES = {
    Kind.ASSET: "A",
    Kind.LIABILITY: "L",
    Kind.EQUITY: "E",
    Kind.REVENUE: "R",
    Kind.EXPENSE: "X",
    Kind.MEMO: "E",
}
# Where a comment begins, and where the value of a tag ends.
_WORDS = {ord(";"): "；"}
_VALUE = {ord(";"): "；", ord(","): "，"}


class HledgerText:
    """One journal; see `JournalText`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._names: dict[str, str] = {}
        self._currencies: dict[str, str] = {}
        self._days = DayBalances({})
        self._count = 0

    def begin(self, accounts: Iterable[AccountLine], opening: dict[str, int]) -> Iterator[str]:
        """Commodities, accounts and what they were opened with."""
        journal = self._journal
        yield f"; The book {journal.book} as it is known at position {journal.known_at} of its log.\n"
        yield "; hledger check --strict ordereddates\ndecimal-mark .\n"
        declared: set[str] = set()
        for account in accounts:
            name = account_name(account.kind, account.id, account.currency)
            self._names[account.id], self._currencies[account.id] = name, account.currency
            if account.currency not in declared:
                declared.add(account.currency)
                yield f"commodity {_format_of(account.currency)}\n"
            tags = {"type": _TYPES[Kind(account.kind)], "id": account.id, "name": account.name}
            yield f"account {name}\n" + _tags(tags | {"opened-at": moment(account.opened_at)})
        self._days = DayBalances(opening)
        if journal.since is not None:
            yield from self._opening(opening_day(journal.since), opening)

    def _opening(self, day: date, opening: dict[str, int]) -> Iterator[str]:
        by_currency: dict[str, list[str]] = {}
        for account, balance in opening.items():
            if balance:
                currency = self._currencies[account]
                line = f"    {self._names[account]}  {decimal(balance, currency)} {currency}\n"
                by_currency.setdefault(currency, []).append(line)
        for currency, lines in sorted(by_currency.items()):
            yield f"\n{day} * opening balances in {currency}\n"
            yield from lines

    def entries(self, page: Sequence[EntryLine]) -> str:
        """These entries, with the assertions of the days that begin and end among them."""
        return "".join(self._entries(page))

    def _entries(self, page: Sequence[EntryLine]) -> Iterator[str]:
        days = self._days
        for entry in page:
            if entry.day != days.day:
                yield from self._end_of_day()
                days.begin(entry.day)
                touched = {p.account: days.balances.get(p.account, 0) for p in entry.postings}
                yield from self._assertions(entry.day, "the day begins", touched)
            days.take(entry)
            self._count += 1
            yield self._entry(entry)

    def _entry(self, entry: EntryLine) -> str:
        said = one_line(entry.description or "").translate(_WORDS).strip()
        tags = {
            "entry": entry.id,
            "stream": entry.stream,
            "topic": entry.topic,
            "effective-at": moment(entry.effective_at),
            "recorded-at": moment(entry.recorded_at),
        }
        if entry.reference is not None:
            tags["reference"] = entry.reference
        postings = "".join(
            f"    {self._names[p.account]}  {decimal(signed(p), p.currency)} {p.currency}\n" for p in entry.postings
        )
        return f"\n{entry.day} * ({entry.position}) {said}".rstrip() + f"\n{_tags(tags)}{postings}"

    def _end_of_day(self) -> Iterator[str]:
        days = self._days
        if days.day is not None:
            moved = {account: days.balances[account] for account in days.moved}
            yield from self._assertions(days.day, "the day ends", moved)

    def _assertions(self, day: date, words: str, balances: dict[str, int]) -> Iterator[str]:
        if balances:
            yield f"\n{day} * {words}\n"
        for account, balance in balances.items():
            currency = self._currencies[account]
            nothing, comes_to = decimal(0, currency), decimal(balance, currency)
            yield f"    {self._names[account]}  {nothing} {currency} = {comes_to} {currency}\n"

    def close(self, closing: dict[str, int]) -> Iterator[str]:
        """The closing balance of every account, as the books have it."""
        yield from self._end_of_day()
        every = {account: closing.get(account, 0) for account in self._names}
        yield from self._assertions(self._journal.end, "closing balances", every)
        yield f"\n; complete: {self._count} entries\n"


def _format_of(currency: str) -> str:
    """An amount with all the digits of its currency, and the mark before them even where there are none."""
    return f"1000.{'0' * ASSETS[currency].exponent} {currency}"


def _tags(tags: dict[str, str]) -> str:
    return "".join(f"    ; {name}:{one_line(value).translate(_VALUE)}\n" for name, value in tags.items())
