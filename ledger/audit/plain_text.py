"""Plain text: what a book's journal says to the plain-text ledgers of others, hledger and beancount.

Both read the same names. An account stands in a tree by its kind, and its id can be read back from its name:

    cash in EUR                          Assets:Cash-EUR
    customer:17 in EUR                   Liabilities:Customer:17-EUR
    sys:9010:card_simulator:eur in EUR   Equity:Off-Balance:Sys:9010:CardSimulator:Eur-EUR

The currency ends the name, so that no account lies within another: beancount adds sub-accounts to the balance of an
account, and a balance of ours never has any. Memo accounts stand beside the books; they sum to zero among themselves,
so that under Equity they add nothing to it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from msgspec import Struct

from ledger.accounts import Kind
from ledger.currencies import ASSETS
from ledger.journal import Direction, Posting

_ONE_DAY = timedelta(days=1)

# --- what is told


class AccountLine(Struct, frozen=True):
    """An account of the book."""

    id: str
    kind: str
    currency: str
    name: str
    opened_at: datetime


class EntryLine(Struct, frozen=True):
    """An entry of the book, in its place. Amounts in minor units."""

    position: int
    id: str
    stream: str
    topic: str
    effective_at: datetime
    recorded_at: datetime
    postings: tuple[Posting, ...]
    reference: str | None = None
    description: str | None = None

    @property
    def day(self) -> date:
        """The day it took effect on, in UTC."""
        return self.effective_at.astimezone(UTC).date()


class Journal(Struct, frozen=True):
    """What the file is about: entries with effect in [since, until), as known at a position of a book's log.

    `end` is the day whose close the closing balances are those of: the last one on which any could take
    effect.
    """

    book: str
    known_at: int
    since: datetime | None
    until: datetime | None
    end: date


class JournalText(Protocol):
    """A journal as text, piece by piece: once `begin`, then pages of entries in the order of effect, once `close`.

    `opening` and `closing` are debits less credits by account, in minor units. The closing balances are what the books
    say, and not what the entries add up to: that the two agree is what the reader's program finds out.
    """

    def begin(self, accounts: Iterable[AccountLine], opening: dict[str, int]) -> Iterator[str]: ...

    def entries(self, page: Sequence[EntryLine]) -> str: ...

    def close(self, closing: dict[str, int]) -> Iterator[str]: ...


# --- names of accounts

ROOTS = {
    Kind.ASSET: "Assets",
    Kind.LIABILITY: "Liabilities",
    Kind.EQUITY: "Equity",
    Kind.REVENUE: "Income",
    Kind.EXPENSE: "Expenses",
    # No id is written so: a capital behind a hyphen is the currency's.
    Kind.MEMO: "Equity:Off-Balance",
}
_NOTHING = "X"
# An underscore between two letters goes, and the second one becomes a capital; all else that is no part of a name, or
# cannot begin one, is written as its bytes.
_ESCAPED = re.compile(r"(?<=[a-z0-9])_([a-wyz])|[^a-z0-9-]|^[x-]")
_READ = re.compile(r"X([0-9a-f]{2})|([A-Z])|([a-z0-9-])")
_NAME = re.compile(r"(?P<segments>.+)-(?P<currency>[A-Z]{3,})")


def account_name(kind: str, account: str, currency: str) -> str:
    """The name of an account; two accounts never have the same, nor does one begin with all of another's."""
    segments = ":".join(map(_segment, account.split(":")))
    return f"{ROOTS[Kind(kind)]}:{segments}-{currency}"


def account_named(name: str) -> tuple[str, str, str]:
    """Kind, id and currency of the account with this name; raises ValueError for what is none."""
    # The longest root first: memo accounts lie under another's.
    for kind, root in sorted(ROOTS.items(), key=lambda item: -len(item[1])):
        if name.startswith(f"{root}:") and (found := _NAME.fullmatch(name, len(root) + 1)):
            return kind.value, ":".join(map(_read, found["segments"].split(":"))), found["currency"]
    raise ValueError(f"this is no account of a book: {name}")


def _segment(text: str) -> str:
    """One part of an id as one part of a name: [A-Z0-9][A-Za-z0-9-]*, with X before what is written in hexadecimal."""
    if not text:
        return _NOTHING
    written = _ESCAPED.sub(_escape, text)
    return written[0].upper() + written[1:]


def _escape(found: re.Match[str]) -> str:
    capital: str | None = found[1]
    return capital.upper() if capital else "".join(f"X{byte:02x}" for byte in found[0].encode())


def _read(segment: str) -> str:
    if segment == _NOTHING:
        return ""
    read, at = bytearray(), 0
    while found := _READ.match(segment, at):
        escaped, capital, plain = found.groups()
        if escaped:
            read.append(int(escaped, 16))
        else:
            read += (plain or ("_" if at else "") + capital.lower()).encode()
        at = found.end()
    if at < len(segment):
        raise ValueError(f"this is no part of a name: {segment}")
    return read.decode()


# --- amounts and words


def decimal(amount: int, currency: str) -> str:
    """Minor units as the decimal number that they are: 1250 of EUR is 12.50."""
    exponent = ASSETS[currency].exponent
    if not exponent:
        return str(amount)
    digits = f"{abs(amount):0{exponent + 1}d}"
    return f"{'-' if amount < 0 else ''}{digits[:-exponent]}.{digits[-exponent:]}"


def signed(posting: Posting) -> int:
    """The posting as both programs write it: a debit is positive."""
    return posting.amount if posting.direction == Direction.DEBIT else -posting.amount


# Characters that end a line or turn the direction of what follows: nobody sees them, and programs obey them.
_UNSEEN = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_UNSEEN |= dict.fromkeys((*range(0x80, 0xA0), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)
_UNSEEN |= dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)


def one_line(text: str) -> str:
    """The text with a picture in the place of each control character: it cannot end its line."""
    return text.translate(_UNSEEN)


def moment(time: datetime) -> str:
    """As RFC 3339 writes it, in UTC, to the microsecond."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def opening_day(since: datetime) -> date:
    """The day whose close the opening balances are those of."""
    return since.astimezone(UTC).date() - _ONE_DAY


def last_day(until: datetime | None, recorded_at: datetime) -> date:
    """The last day that an entry could have taken effect on: before `until`, and not after all was recorded."""
    last = recorded_at if until is None else min(recorded_at, until - timedelta(microseconds=1))
    return last.astimezone(UTC).date()


# --- balances day by day


class DayBalances:
    """What the entries add up to, and which accounts a day has moved; debits less credits, in minor units."""

    def __init__(self, opening: dict[str, int]) -> None:
        self.day: date | None = None
        self.balances = dict(opening)
        # The accounts that the day has moved, with their balances before it.
        self.moved: dict[str, int] = {}

    def begin(self, day: date) -> None:
        """From here on it is this day."""
        self.day, self.moved = day, {}

    def take(self, entry: EntryLine) -> None:
        """Take an entry of the day in."""
        for posting in entry.postings:
            before = self.balances.get(posting.account, 0)
            self.moved.setdefault(posting.account, before)
            self.balances[posting.account] = before + signed(posting)
