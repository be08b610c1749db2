"""Accounts: opened, limited, frozen, unfrozen, closed."""

from typing import ClassVar

from ledger.events.event import Event


def account_stream(account: str) -> str:
    return f"account/{account}"


class AccountOpened(Event, frozen=True, omit_defaults=True):
    """An account exists from here on. `protected`: only the system's own events post to it."""

    topic: ClassVar[str] = "accounts.opened.v1"

    id: str
    name: str
    kind: str
    currency: str
    min_balance: int | None = None
    max_balance: int | None = None
    protected: bool = False
    metadata: dict[str, str] = {}


class AccountLimitsChanged(Event, frozen=True, omit_defaults=True):
    """The floor and the ceiling of the balance, in minor units; None is no limit."""

    topic: ClassVar[str] = "accounts.limits_changed.v1"

    id: str
    min_balance: int | None = None
    max_balance: int | None = None


class AccountFrozen(Event, frozen=True):
    """The account takes no postings until it is unfrozen."""

    topic: ClassVar[str] = "accounts.frozen.v1"

    id: str
    reason: str


class AccountUnfrozen(Event, frozen=True):
    """The account takes postings again."""

    topic: ClassVar[str] = "accounts.unfrozen.v1"

    id: str
    reason: str


class AccountClosed(Event, frozen=True):
    """The account stood at zero and takes no postings any more."""

    topic: ClassVar[str] = "accounts.closed.v1"

    id: str
    reason: str


AccountEvent = AccountOpened | AccountLimitsChanged | AccountFrozen | AccountUnfrozen | AccountClosed
