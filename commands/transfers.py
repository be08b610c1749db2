"""Transfers: one amount from one account to another, at once or as a hold."""

from datetime import datetime

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from ledger.accounts import Account
from ledger.errors import (
    AccountProtected,
    CurrencyMismatch,
    ExpiryInPast,
    ReferenceExists,
    SameAccount,
)
from ledger.events.event import Recorded
from ledger.events.holds import HoldPlaced
from ledger.events.transfers import TransferPosted
from ledger.periods import check_effective


class PostTransfer(Command, frozen=True):
    """Debit one account and credit the other with `amount` minor units; `id` is fresh."""

    id: str
    debit_account: str
    credit_account: str
    amount: int
    currency: str
    effective_at: datetime | None = None
    reference: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}


class PlaceHold(Command, frozen=True):
    """Set `amount` minor units aside for a transfer that is captured later; `id` is fresh."""

    id: str
    debit_account: str
    credit_account: str
    amount: int
    currency: str
    expires_at: datetime | None = None
    reference: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}


class TransferReceipt(Receipt):
    """A transfer or a hold as it was recorded."""

    id: str = ""
    debit_account: str = ""
    credit_account: str = ""
    amount: int = 0
    currency: str = ""
    effective_at: datetime | None = None
    recorded_at: datetime | None = None
    reference: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}


class HoldPlacedReceipt(TransferReceipt):
    """A hold as it was placed: its `id` is also `hold_id`."""

    hold_id: str = ""
    status: str = "active"
    expires_at: datetime | None = None


def check_postable(books: Books, account: Account, currency: str, envelope: Envelope, pointer: str) -> None:
    """What every posting that a caller asks for must keep, on top of what the account itself judges."""
    if account.protected and not envelope.administrator:
        raise AccountProtected(pointer=pointer, account=account.id)
    if account.currency != currency:
        raise CurrencyMismatch(
            f"{account.id} is kept in {account.currency}.",
            pointer=pointer,
            account=account.id,
            currency=account.currency,
        )


def check_reference(books: Books, reference: str | None) -> None:
    """A reference is given once in a book."""
    if reference is not None and (holder := books.reference_holder(reference)):
        raise ReferenceExists(pointer="/reference", reference=reference, entry=holder)


def _check(books: Books, command: PostTransfer | PlaceHold, envelope: Envelope) -> None:
    if command.debit_account == command.credit_account:
        raise SameAccount(pointer="/credit_account")
    currency = command.currency
    debit_account = books.account(command.debit_account, "/debit_account")
    credit_account = books.account(command.credit_account, "/credit_account")
    # Asked here already: most transfers are spared the calls.
    if debit_account.protected or debit_account.currency != currency:
        check_postable(books, debit_account, currency, envelope, "/debit_account")
    if credit_account.protected or credit_account.currency != currency:
        check_postable(books, credit_account, currency, envelope, "/credit_account")
    if command.reference is not None:
        check_reference(books, command.reference)


def post_transfer(books: Books, command: PostTransfer, envelope: Envelope) -> Decision:
    _check(books, command, envelope)
    if command.effective_at is not None:
        check_effective(command.effective_at, books.now, books.closed_periods)
    posted = TransferPosted(
        command.debit_account,
        command.credit_account,
        command.amount,
        command.currency,
        command.effective_at,
        command.reference,
        command.description,
        command.metadata,
    )
    return Decision([(command.id, posted)], _receipt(command.id, posted, books.now, None), retold=True)


def _receipt(entry: str, posted: TransferPosted, recorded_at: datetime, position: int | None) -> TransferReceipt:
    return TransferReceipt(
        position,
        entry,
        posted.debit_account,
        posted.credit_account,
        posted.amount,
        posted.currency,
        posted.effective_at or recorded_at,
        recorded_at,
        posted.reference,
        posted.description,
        posted.metadata,
    )


def retell_transfer(recorded: Recorded) -> Receipt:
    """The answer to a transfer, from its event."""
    if not isinstance(recorded.event, TransferPosted):
        raise AssertionError(f"no transfer stands at {recorded.position}: {recorded.event}")
    return _receipt(recorded.stream, recorded.event, recorded.recorded_at, recorded.position)


def place_hold(books: Books, command: PlaceHold, envelope: Envelope) -> Decision:
    _check(books, command, envelope)
    if command.expires_at is not None and command.expires_at <= books.now:
        raise ExpiryInPast(pointer="/pending/expires_at")
    placed = HoldPlaced(
        command.debit_account,
        command.credit_account,
        command.amount,
        command.currency,
        command.expires_at,
        command.reference,
        command.description,
        command.metadata,
    )
    receipt = HoldPlacedReceipt(
        None,
        command.id,
        command.debit_account,
        command.credit_account,
        command.amount,
        command.currency,
        books.now,
        books.now,
        command.reference,
        command.description,
        command.metadata,
        command.id,
        expires_at=command.expires_at,
    )
    return Decision([(command.id, placed)], receipt)


def _needs(command: PostTransfer | PlaceHold) -> Needs:
    return Needs(
        accounts=(command.debit_account, command.credit_account),
        references=() if command.reference is None else (command.reference,),
    )


DECIDERS: dict[type[Command], Decider] = {
    PostTransfer: Decider(post_transfer, _needs, retell_transfer),
    PlaceHold: Decider(place_hold, _needs),
}
