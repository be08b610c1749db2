"""The journal: postings that sum to zero in each currency, or an entry that cannot be constructed."""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from ledger.accounts import Movement
from ledger.errors import AmountNotPositive, AmountOverflow, TooFewPostings, TooManyPostings, Unbalanced
from ledger.money import LARGEST

MOST_POSTINGS = 100


class Direction(StrEnum):
    """The two sides of an account."""

    DEBIT = "debit"
    CREDIT = "credit"

    @property
    def opposite(self) -> "Direction":
        return Direction.CREDIT if self is Direction.DEBIT else Direction.DEBIT


class Posting(msgspec.Struct, frozen=True):
    """One line of an entry: `amount` minor units of `currency` to one side of one account."""

    account: str
    direction: Direction
    amount: int
    currency: str


class JournalEntry(msgspec.Struct, frozen=True):
    """2 to 100 postings whose debits equal their credits in each currency."""

    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        postings = self.postings
        if len(postings) < 2:
            raise TooFewPostings(pointer="/postings")
        if len(postings) > MOST_POSTINGS:
            raise TooManyPostings(pointer="/postings")
        turnover: dict[str, list[int]] = {}
        for index, posting in enumerate(postings):
            if posting.amount <= 0:
                raise AmountNotPositive(pointer=f"/postings/{index}/amount")
            sides = turnover.setdefault(posting.currency, [0, 0])
            sides[posting.direction == Direction.CREDIT] += posting.amount
        for currency, (debits, total_credits) in turnover.items():
            if debits != total_credits:
                raise Unbalanced(
                    f"{currency}: debits of {debits} against credits of {total_credits}.",
                    pointer="/postings",
                    currency=currency,
                    debits=debits,
                    credits=total_credits,
                )
            if debits > LARGEST:
                raise AmountOverflow(pointer="/postings")

    def movements(self) -> list[Movement]:
        """The net effect on each account, in the order in which the accounts first appear."""
        turnover: dict[tuple[str, str], list[int]] = {}
        for posting in self.postings:
            sides = turnover.setdefault((posting.account, posting.currency), [0, 0])
            sides[posting.direction == Direction.CREDIT] += posting.amount
        return [Movement(account, currency, *sides) for (account, currency), sides in turnover.items()]


def debit(account: str, amount: int, currency: str) -> Posting:
    return Posting(account, Direction.DEBIT, amount, currency)


def credit(account: str, amount: int, currency: str) -> Posting:
    return Posting(account, Direction.CREDIT, amount, currency)


def entry_of(*postings: Posting) -> JournalEntry:
    """An entry of these postings; those of amount 0 are left out, so that a rule may state a fee that is nil."""
    return JournalEntry(tuple(posting for posting in postings if posting.amount))


def opposite(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """The same amounts on the other sides."""
    return tuple(Posting(p.account, p.direction.opposite, p.amount, p.currency) for p in postings)
