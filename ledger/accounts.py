"""Accounts: a kind, a normal side, an asset, a floor and a ceiling, and the turnover that decides what may move.

Balances are stated on the normal side of the kind (debit for assets and expenses, credit for the others). `available`
is the balance less what is pending on the other side: a pending outflow counts at once, a pending inflow when captured.
"""

import re
from enum import StrEnum

import msgspec

from ledger.errors import (
    AccountClosed,
    AccountCodeInvalid,
    AccountFrozen,
    BalanceLimitExceeded,
    BalanceOverflow,
    InsufficientFunds,
)
from ledger.money import LARGEST

SYSTEM_PREFIX = "sys:"
_CODE = re.compile(r"[a-z0-9_.-]+(?::[a-z0-9_.-]+)*")
_CODE_LENGTH = 64


class Kind(StrEnum):
    """The five kinds of the accounting equation, and memo: beside it, for what is neither owned nor owed.

    Memo accounts come in pairs that sum to zero among themselves. Only the chart has them; no caller opens one.
    """

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    REVENUE = "revenue"
    EXPENSE = "expense"
    MEMO = "memo"


class Status(StrEnum):
    """What may be done with an account: open takes postings, frozen and closed take none."""

    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"


DEBIT_NORMAL = frozenset({Kind.ASSET, Kind.EXPENSE, Kind.MEMO})
_OPEN = Status.OPEN.value  # a look into an enum costs more than the rest of its comparison


def check_code(code: str) -> str:
    """An account id that a caller may choose; raises AccountCodeInvalid."""
    dots_only = any(not segment.strip(".") for segment in code.split(":"))
    if len(code) > _CODE_LENGTH or not _CODE.fullmatch(code) or dots_only or code.startswith(SYSTEM_PREFIX):
        raise AccountCodeInvalid(pointer="/id")
    return code


class Movement(msgspec.Struct, frozen=True, gc=False):
    """What one event does to one account: all amounts in minor units, netted over the event's postings."""

    account: str
    currency: str
    debit: int = 0
    credit: int = 0
    pending_debit: int = 0
    pending_credit: int = 0


class Account(msgspec.Struct, gc=False):
    """An account as decisions see it: its rules and its turnover of today, in minor units."""

    id: str
    kind: str
    currency: str
    min_balance: int | None = None
    max_balance: int | None = None
    status: str = Status.OPEN
    protected: bool = False
    posted_debits: int = 0
    posted_credits: int = 0
    pending_debits: int = 0
    pending_credits: int = 0
    # Limits were set that the balance did not keep; it may only move back towards them.
    outside: bool = False

    @property
    def debit_normal(self) -> bool:
        return self.kind in DEBIT_NORMAL

    @property
    def balance(self) -> int:
        net = self.posted_debits - self.posted_credits
        return net if self.kind in DEBIT_NORMAL else -net

    @property
    def available(self) -> int:
        if self.kind in DEBIT_NORMAL:
            return self.posted_debits - self.posted_credits - self.pending_credits
        return self.posted_credits - self.posted_debits - self.pending_debits

    def turnover(self) -> tuple[int, int, int, int]:
        """Posted debits and credits, pending debits and credits."""
        return self.posted_debits, self.posted_credits, self.pending_debits, self.pending_credits

    def breaks_limits(self) -> bool:
        """Whether the balance of now lies beyond the limits of now."""
        below = self.min_balance is not None and self.available < self.min_balance
        above = self.max_balance is not None and self.balance > self.max_balance
        return below or above

    def judge(self, movement: Movement) -> None:
        """Raise the refusal that this movement meets, or return.

        A limit refuses only what moves away from it: an account that stands outside may come back in steps.
        """
        debit, credit = movement.debit, movement.credit
        pending_debit, pending_credit = movement.pending_debit, movement.pending_credit
        if self.pending_debits + pending_debit < 0 or self.pending_credits + pending_credit < 0:
            raise AssertionError(f"more released than was pending on {self.id}: {movement}")
        if not debit and not credit and pending_debit <= 0 and pending_credit <= 0:
            return  # A release gives back what was held, whatever has become of the account.
        if self.status != _OPEN:
            refusal = AccountClosed if self.status == Status.CLOSED else AccountFrozen
            raise refusal(account=self.id)
        if self.kind in DEBIT_NORMAL:
            inflow, outflow, held = debit, credit, pending_credit
        else:
            inflow, outflow, held = credit, debit, pending_debit
        if self.min_balance is not None:
            fall = outflow + held - inflow
            if fall > 0 and (available := self.available) - fall < self.min_balance:
                raise InsufficientFunds(
                    f"{self.id} has {available} available, {fall} is required and {self.min_balance} has to remain.",
                    account=self.id,
                    available=available,
                    required=fall,
                    min_balance=self.min_balance,
                )
        if self.max_balance is not None:
            rise = inflow - outflow
            if rise > 0 and (balance := self.balance) + rise > self.max_balance:
                raise BalanceLimitExceeded(
                    f"{self.id} stands at {balance}, and {rise} more would pass {self.max_balance}.",
                    account=self.id,
                    balance=balance,
                    max_balance=self.max_balance,
                )
        if (
            self.posted_debits + debit > LARGEST
            or self.posted_credits + credit > LARGEST
            or self.pending_debits + pending_debit > LARGEST
            or self.pending_credits + pending_credit > LARGEST
        ):
            raise BalanceOverflow(account=self.id)

    def apply(self, movement: Movement) -> None:
        """Take the movement into the turnover; judged before."""
        self.posted_debits += movement.debit
        self.posted_credits += movement.credit
        self.pending_debits += movement.pending_debit
        self.pending_credits += movement.pending_credit
        if self.outside:
            self.outside = self.breaks_limits()

    def undo(self, movement: Movement, outside: bool) -> None:
        """Take the movement out again, the command it belonged to was refused; `outside` is as it was before."""
        self.posted_debits -= movement.debit
        self.posted_credits -= movement.credit
        self.pending_debits -= movement.pending_debit
        self.pending_credits -= movement.pending_credit
        self.outside = outside
