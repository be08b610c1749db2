"""Principals: for whom we collect money and pay it out, and the money that they put in themselves."""

from datetime import datetime

from commands.books import Books
from commands.channel_facts import check_amount
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.merchants import check_fee_terms, check_party_id
from commands.system_accounts import with_accounts
from ledger.chart import agency_balance, principal_receivable
from ledger.currencies import asset_of
from ledger.errors import FieldInvalid, IdExistsDifferent, PrincipalNotFound, PrincipalUnknown
from ledger.events.merchants import FeeTerms
from ledger.events.principals import PrincipalCreated, PrincipalFunded, principal_stream
from ledger.money import LARGEST


class CreatePrincipal(Command, frozen=True):
    """Serve a principal; `id` is the caller's or a fresh one. `fee`, in minor units, is paid for each payout.

    `collection_fee` is paid for each payment that is collected for it.
    """

    id: str
    name: str
    fee: int = 0
    approve_above: int | None = None
    metadata: dict[str, str] = {}
    collection_fee: FeeTerms = FeeTerms(0, 0)


class FundPrincipal(Command, frozen=True):
    """The principal put `amount` minor units into our client money; `id` is fresh."""

    id: str
    principal: str
    amount: int
    currency: str
    bank_account: str
    reference: str | None = None


class PrincipalReceipt(Receipt):
    """The principal as recorded."""

    id: str = ""
    name: str = ""
    fee: int = 0
    approve_above: int | None = None
    metadata: dict[str, str] = {}
    collection_fee: FeeTerms = FeeTerms(0, 0)
    created_at: datetime | None = None


class FundingReceipt(Receipt):
    """What was put in, what of it paid a debt to us, and the balance after it, in minor units."""

    id: str = ""
    principal: str = ""
    amount: int = 0
    currency: str = ""
    balance: int = 0
    reference: str | None = None
    recovered: int = 0


def principal_named(books: Books, name: str) -> PrincipalCreated:
    """The principal that a request names; raises PrincipalUnknown."""
    history = books.history(principal_stream(name))
    if not history:
        raise PrincipalUnknown(pointer="/principal", principal=name)
    created = history[0]
    if not isinstance(created, PrincipalCreated):
        raise AssertionError(f"{name} does not begin with its creation: {created}")
    return created


def create(books: Books, command: CreatePrincipal, envelope: Envelope) -> Decision:
    check_party_id(command.id)
    if not 0 <= command.fee <= LARGEST:
        raise FieldInvalid("A fee is not negative.", pointer="/fee")
    check_fee_terms(command.collection_fee, "/collection_fee")
    if books.recorded(principal_stream(command.id)):
        raise IdExistsDifferent(f"There is a principal {command.id} already.", pointer="/id", principal=command.id)
    created = PrincipalCreated(
        command.id, command.name, command.fee, command.approve_above, command.metadata, command.collection_fee
    )
    receipt = PrincipalReceipt(
        id=command.id,
        name=command.name,
        fee=command.fee,
        approve_above=command.approve_above,
        metadata=command.metadata,
        collection_fee=command.collection_fee,
        created_at=books.now,
    )
    return Decision([(principal_stream(command.id), created)], receipt)


def fund(books: Books, command: FundPrincipal, envelope: Envelope) -> Decision:
    asset_of(command.currency)
    check_amount(command.amount)
    if not books.recorded(principal_stream(command.principal)):
        raise PrincipalNotFound(principal=command.principal)
    held = books.find_account(agency_balance(command.principal, command.currency))
    debt = books.find_account(principal_receivable(command.principal, command.currency))
    recovered = min(command.amount, max(0, 0 if debt is None else debt.balance))
    funded = PrincipalFunded(
        command.id,
        command.principal,
        command.amount,
        command.currency,
        command.bank_account,
        command.reference,
        recovered,
    )
    receipt = FundingReceipt(
        id=command.id,
        principal=command.principal,
        amount=command.amount,
        currency=command.currency,
        balance=(0 if held is None else held.balance) + command.amount - recovered,
        reference=command.reference,
        recovered=recovered,
    )
    return Decision(with_accounts(books, [(command.id, funded)]), receipt)


def _create_needs(command: CreatePrincipal) -> Needs:
    return Needs(streams=(principal_stream(command.id),))


def _fund_needs(command: FundPrincipal) -> Needs:
    whose = (command.principal, command.currency)
    accounts = (agency_balance(*whose), principal_receivable(*whose))
    return Needs(accounts=accounts, streams=(command.id, principal_stream(command.principal)))


DECIDERS: dict[type[Command], Decider] = {
    CreatePrincipal: Decider(create, _create_needs),
    FundPrincipal: Decider(fund, _fund_needs),
}
