"""Beancount: a book's journal as `bean-check` reads it.

Beancount puts what it reads in the order of days itself, so each day asserts what the accounts that it moved came to
before it and behind it: an entry that is moved to another day breaks one of them. `~ 0` asks for the
exact amount; by itself beancount lets a unit of the last digit pass.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

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

# An entry may take effect before its account was opened; when that was stands beside it.
_BEGINNING = date(1970, 1, 1)
_ONE_DAY = timedelta(days=1)
_QUOTED = {ord("\\"): "\\\\", ord('"'): '\\"'}


class BeancountText:
    """One journal; see `JournalText`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._names: dict[str, str] = {}
        self._currencies: dict[str, str] = {}
        self._days = DayBalances({})
        # The accounts whose balance was asserted for the beginning of `_asserted_for`.
        self._asserted: set[str] = set()
        self._asserted_for: date | None = None
        self._count = 0

    def begin(self, accounts: Iterable[AccountLine], opening: dict[str, int]) -> Iterator[str]:
        """Commodities, accounts and what they were opened with."""
        journal = self._journal
        yield f"; The book {journal.book} as it is known at position {journal.known_at} of its log.\n"
        yield f'option "title" {_text(journal.book)}\n'
        declared: set[str] = set()
        for account in accounts:
            name = account_name(account.kind, account.id, account.currency)
            self._names[account.id], self._currencies[account.id] = name, account.currency
            if account.currency not in declared:
                declared.add(account.currency)
                yield f"{_BEGINNING} commodity {account.currency}\n  precision: {ASSETS[account.currency].exponent}\n"
            told = {"id": account.id, "name": account.name, "opened-at": moment(account.opened_at)}
            yield f"{_BEGINNING} open {name} {account.currency}\n" + _metadata(told)
        self._days = DayBalances(opening)
        if journal.since is not None:
            yield from self._opening(opening_day(journal.since), opening)

    def _opening(self, day: date, opening: dict[str, int]) -> Iterator[str]:
        by_currency: dict[str, list[str]] = {}
        for account, balance in opening.items():
            if balance:
                currency = self._currencies[account]
                line = f"  {self._names[account]}  {decimal(balance, currency)} {currency}\n"
                by_currency.setdefault(currency, []).append(line)
        for currency, lines in sorted(by_currency.items()):
            yield f'\n{day} * "opening balances in {currency}"\n'
            yield from lines

    def entries(self, page: Sequence[EntryLine]) -> str:
        """These entries, with the assertions of the days that end among them."""
        return "".join(self._entries(page))

    def _entries(self, page: Sequence[EntryLine]) -> Iterator[str]:
        days = self._days
        for entry in page:
            if entry.day != days.day:
                yield from self._end_of_day()
                days.begin(entry.day)
            days.take(entry)
            self._count += 1
            yield self._entry(entry)

    def _entry(self, entry: EntryLine) -> str:
        told = {
            "entry": entry.id,
            "stream": entry.stream,
            "topic": entry.topic,
            "effective-at": moment(entry.effective_at),
            "recorded-at": moment(entry.recorded_at),
        }
        if entry.reference is not None:
            told["reference"] = entry.reference
        postings = "".join(
            f"  {self._names[p.account]}  {decimal(signed(p), p.currency)} {p.currency}\n" for p in entry.postings
        )
        said = _text(entry.description or "")
        return f"\n{entry.day} * {said}\n  position: {entry.position}\n{_metadata(told)}{postings}"

    def _end_of_day(self) -> Iterator[str]:
        days = self._days
        if days.day is None:
            return
        asserted = self._asserted if self._asserted_for == days.day else set()
        before = {account: balance for account, balance in days.moved.items() if account not in asserted}
        yield from self._assertions(days.day, before)
        self._asserted, self._asserted_for = set(days.moved), days.day + _ONE_DAY
        yield from self._assertions(self._asserted_for, {account: days.balances[account] for account in days.moved})

    def _assertions(self, day: date, balances: dict[str, int]) -> Iterator[str]:
        """What accounts come to when the day begins."""
        if balances:
            yield "\n"
        for account, balance in balances.items():
            currency = self._currencies[account]
            yield f"{day} balance {self._names[account]}  {decimal(balance, currency)} ~ 0 {currency}\n"

    def close(self, closing: dict[str, int]) -> Iterator[str]:
        """The closing balance of every account, as the books have it."""
        yield from self._end_of_day()
        every = {account: closing.get(account, 0) for account in self._names}
        yield from self._assertions(self._journal.end + _ONE_DAY, every)
        yield f"\n; complete: {self._count} entries\n"


def _metadata(told: dict[str, str]) -> str:
    return "".join(f"  {name}: {_text(value)}\n" for name, value in told.items())


def _text(text: str) -> str:
    return f'"{one_line(text).translate(_QUOTED)}"'
