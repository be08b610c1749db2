"""Brute force: the past of a book, added up from its whole log each time it is asked for."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.accounts import DEBIT_NORMAL
from ledger.events.accounts import AccountOpened
from ledger.events.event import Recorded
from ledger.journal import Direction
from ledger.posting_rules import effective_at, entry_for, movements_for


class Row(NamedTuple):
    """One posting, in the order of effect when sorted."""

    effective_at: datetime
    position: int
    leg: int
    account: str
    is_debit: bool
    amount: int
    recorded_at: datetime
    entry_id: str

    @property
    def net(self) -> int:
        """What it adds to the debit side."""
        return self.amount if self.is_debit else -self.amount


class Past:
    """A log, and what can be asked of it."""

    def __init__(self, log: list[Recorded]) -> None:
        self.log = log
        self.rows = sorted(self._rows())
        self.opened: dict[str, tuple[int, AccountOpened]] = {
            fact.event.id: (fact.position, fact.event) for fact in log if isinstance(fact.event, AccountOpened)
        }

    def _rows(self) -> Iterable[Row]:
        for fact in self.log:
            entry = entry_for(fact.event)
            for leg, posting in enumerate(entry.postings if entry else ()):
                yield Row(
                    effective_at(fact.event, fact.recorded_at),
                    fact.position,
                    leg,
                    posting.account,
                    posting.direction == Direction.DEBIT,
                    posting.amount,
                    fact.recorded_at,
                    fact.entry_id,
                )

    def sign(self, account: str) -> int:
        return 1 if self.opened[account][1].kind in DEBIT_NORMAL else -1

    def position_at(self, known_at: int | datetime | None) -> int:
        """The position that somebody means by a position, a time or nothing."""
        if isinstance(known_at, datetime):
            return sum(fact.recorded_at <= known_at for fact in self.log)
        return len(self.log) if known_at is None else known_at

    def known(self, account: str, as_of: datetime | None, known_at: int) -> list[Row]:
        """The postings of an account in the order of effect."""
        return [
            row
            for row in self.rows
            if row.account == account and row.position <= known_at and (as_of is None or row.effective_at <= as_of)
        ]

    def turnover(self, account: str, as_of: datetime | None, known_at: int) -> tuple[int, int]:
        """Debits and credits."""
        rows = self.known(account, as_of, known_at)
        return sum(row.amount for row in rows if row.is_debit), sum(row.amount for row in rows if not row.is_debit)

    def pending(self, account: str, as_of: datetime | None, known_at: int) -> tuple[int, int]:
        """Pending debits and credits."""
        debits = credits_ = 0
        for fact in self.log[:known_at]:
            if as_of is None or fact.recorded_at <= as_of:
                for movement in movements_for(fact.event):
                    if movement.account == account:
                        debits += movement.pending_debit
                        credits_ += movement.pending_credit
        return debits, credits_

    def moments(self) -> list[datetime]:
        """Every time at which something was recorded or took effect."""
        return sorted({fact.recorded_at for fact in self.log} | {row.effective_at for row in self.rows})
