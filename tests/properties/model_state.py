"""What the model remembers: accounts, entries, holds; and how a change to an account is judged."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.properties import requests as r
from tests.properties.requests import Posting

LARGEST = 2**63 - 1
Turnover = tuple[int, int, int, int]


class No(Exception):
    """The model refuses: a status, a code, and the numbers that the refusal must name."""

    def __init__(self, status: int, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.status, self.code, self.facts = status, code, facts


@dataclass
class Account:
    id: str
    kind: str
    currency: str
    floor: int | None
    ceiling: int | None
    status: str = "open"
    debits: int = 0
    credits: int = 0
    pending_debits: int = 0
    pending_credits: int = 0

    @property
    def grows_by_debits(self) -> bool:
        return self.kind in ("asset", "expense")

    @property
    def balance(self) -> int:
        return self.debits - self.credits if self.grows_by_debits else self.credits - self.debits

    @property
    def available(self) -> int:
        return self.balance - (self.pending_credits if self.grows_by_debits else self.pending_debits)

    @property
    def turnover(self) -> Turnover:
        return self.debits, self.credits, self.pending_debits, self.pending_credits


@dataclass
class Entry:
    postings: list[Posting]
    left: list[int]
    effective_at: datetime | None
    is_reversal: bool = False
    id: str = ""


@dataclass
class Hold:
    request: r.PlaceHold
    left: int
    captured: int = 0
    status: str = "active"
    events: int = 1
    id: str = ""


@dataclass
class Change:
    """What one account gets: posted and pending, gross on each side."""

    account: str
    debit: int = 0
    credit: int = 0
    pending_debit: int = 0
    pending_credit: int = 0


def changed(account: Account, change: Change) -> Account:
    """The account after the change, or its refusal."""
    after = Account(**vars(account))
    after.debits += change.debit
    after.credits += change.credit
    after.pending_debits += change.pending_debit
    after.pending_credits += change.pending_credit
    only_gives_back = not (change.debit or change.credit) and change.pending_debit <= 0 >= change.pending_credit
    if only_gives_back:
        return after
    if account.status != "open":
        raise No(409, f"account_{account.status}", account=account.id)
    # A limit refuses what moves away from it, and lets through what comes back.
    if account.floor is not None and after.available < min(account.floor, account.available):
        required = account.available - after.available
        raise No(409, "insufficient_funds", account=account.id, available=account.available, required=required)
    if account.ceiling is not None and after.balance > max(account.ceiling, account.balance):
        raise No(409, "balance_limit_exceeded", account=account.id, balance=account.balance)
    if max(after.turnover) > LARGEST:
        raise No(409, "balance_overflow", account=account.id)
    return after


def changes_of(postings: list[Posting]) -> list[Change]:
    """The postings by account, in the order in which accounts first appear."""
    changes: dict[str, Change] = {}
    for posting in postings:
        change = changes.setdefault(posting.account, Change(posting.account))
        if posting.direction == "debit":
            change.debit += posting.amount
        else:
            change.credit += posting.amount
    return list(changes.values())
