"""Accounts: opened, limited, frozen, unfrozen, closed.

OpenAccount ──▶ open ⇄ frozen
                  └──▶ closed (at zero, with nothing pending)
"""

from datetime import datetime

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from ledger.accounts import Account, Status
from ledger.currencies import asset_of
from ledger.errors import (
    AccountClosed,
    AccountFrozen,
    AccountNotEmpty,
    AccountNotFound,
    AccountNotFrozen,
    AccountProtected,
    IdExistsDifferent,
    LimitsInvalid,
)
from ledger.events import accounts as events
from ledger.events.accounts import account_stream
from ledger.events.event import Event


class OpenAccount(Command, frozen=True):
    """Open an account; `id` is the caller's or a fresh one. Limits: on the normal side of the kind, in minor units."""

    id: str
    name: str
    kind: str
    currency: str
    min_balance: int | None = None
    max_balance: int | None = None
    metadata: dict[str, str] = {}


class ChangeLimits(Command, frozen=True):
    """Set both limits anew; None is no limit."""

    id: str
    min_balance: int | None
    max_balance: int | None


class FreezeAccount(Command, frozen=True):
    """Let the account take no postings until it is unfrozen."""

    id: str
    reason: str


class UnfreezeAccount(Command, frozen=True):
    """Let the account take postings again."""

    id: str
    reason: str


class CloseAccount(Command, frozen=True):
    """Let the account take no postings any more."""

    id: str
    reason: str


class AccountReceipt(Receipt):
    """The account as it is after the command."""

    id: str = ""
    name: str = ""
    kind: str = ""
    currency: str = ""
    min_balance: int | None = None
    max_balance: int | None = None
    status: str = Status.OPEN
    metadata: dict[str, str] = {}
    opened_at: datetime | None = None


def _check_limits(min_balance: int | None, max_balance: int | None) -> None:
    if min_balance is not None and max_balance is not None and min_balance > max_balance:
        raise LimitsInvalid(pointer="/min_balance")


def open_account(books: Books, command: OpenAccount, envelope: Envelope) -> Decision:
    asset_of(command.currency)
    _check_limits(command.min_balance, command.max_balance)
    opened = events.AccountOpened(
        command.id,
        command.name,
        command.kind,
        command.currency,
        command.min_balance,
        command.max_balance,
        metadata=command.metadata,
    )
    if books.find_account(command.id) is not None:
        raise IdExistsDifferent(f"There is an account {command.id} already.", pointer="/id", account=command.id)
    receipt = AccountReceipt(
        id=command.id,
        name=command.name,
        kind=command.kind,
        currency=command.currency,
        min_balance=command.min_balance,
        max_balance=command.max_balance,
        metadata=command.metadata,
        opened_at=books.now,
    )
    return Decision([(account_stream(command.id), opened)], receipt)


def change_limits(books: Books, command: ChangeLimits, envelope: Envelope) -> Decision:
    account = _changeable(books, command.id, envelope)
    _check_limits(command.min_balance, command.max_balance)
    if account.status == Status.CLOSED:
        raise AccountClosed(account=account.id)
    changed = events.AccountLimitsChanged(account.id, command.min_balance, command.max_balance)
    return _changed(books, account, changed, min_balance=command.min_balance, max_balance=command.max_balance)


def freeze(books: Books, command: FreezeAccount, envelope: Envelope) -> Decision:
    account = _changeable(books, command.id, envelope)
    if account.status != Status.OPEN:
        raise (AccountClosed if account.status == Status.CLOSED else AccountFrozen)(account=account.id)
    return _changed(books, account, events.AccountFrozen(account.id, command.reason), status=Status.FROZEN)


def unfreeze(books: Books, command: UnfreezeAccount, envelope: Envelope) -> Decision:
    account = _changeable(books, command.id, envelope)
    if account.status != Status.FROZEN:
        raise (AccountClosed if account.status == Status.CLOSED else AccountNotFrozen)(account=account.id)
    return _changed(books, account, events.AccountUnfrozen(account.id, command.reason), status=Status.OPEN)


def close(books: Books, command: CloseAccount, envelope: Envelope) -> Decision:
    account = _changeable(books, command.id, envelope)
    if account.protected:
        # Closed is for ever, and what a channel will say tomorrow is a fact that has to be booked.
        raise AccountProtected("An account of the system is never closed.", account=account.id)
    if account.status == Status.CLOSED:
        raise AccountClosed(account=account.id)
    if account.balance or account.pending_debits or account.pending_credits:
        raise AccountNotEmpty(
            account=account.id,
            balance=account.balance,
            pending_debits=account.pending_debits,
            pending_credits=account.pending_credits,
        )
    return _changed(books, account, events.AccountClosed(account.id, command.reason), status=Status.CLOSED)


def _changeable(books: Books, name: str, envelope: Envelope) -> Account:
    account = books.find_account(name)
    if account is None:
        raise AccountNotFound(account=name)
    if account.protected and not envelope.administrator:
        raise AccountProtected(account=name)
    return account


def _changed(books: Books, account: Account, event: Event, **rules: str | int | None) -> Decision:
    opened = books.recorded(account_stream(account.id))[0]
    beginning = opened.event
    if not isinstance(beginning, events.AccountOpened):
        raise AssertionError(f"{account.id} does not begin with its opening: {opened}")
    receipt = AccountReceipt(
        id=account.id,
        name=beginning.name,
        kind=account.kind,
        currency=account.currency,
        min_balance=account.min_balance,
        max_balance=account.max_balance,
        status=account.status,
        metadata=beginning.metadata,
        opened_at=opened.recorded_at,
    )
    for rule, value in rules.items():
        setattr(receipt, rule, value)
    return Decision([(account_stream(account.id), event)], receipt, status=200)


def _needs(command: OpenAccount | ChangeLimits | FreezeAccount | UnfreezeAccount | CloseAccount) -> Needs:
    return Needs(accounts=(command.id,), streams=(account_stream(command.id),))


DECIDERS: dict[type[Command], Decider] = {
    OpenAccount: Decider(open_account, _needs),
    ChangeLimits: Decider(change_limits, _needs),
    FreezeAccount: Decider(freeze, _needs),
    UnfreezeAccount: Decider(unfreeze, _needs),
    CloseAccount: Decider(close, _needs),
}
