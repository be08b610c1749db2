"""Erasure: what was told of a customer is made unreadable everywhere, by deleting the one key that it is sealed with.

Refused while money of the customer is held, owed or on its way, or something of his is not decided: all of it is named
in one answer. What is exact is judged here, on the books; what only a search can find comes with the command.
"""

from datetime import datetime

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.payment_methods import live_agreements
from ledger.errors import CustomerHasOpenMatters, CustomerNotFound
from ledger.events.customers import CustomerErased, customer_stream


class EraseCustomer(Command, frozen=True):
    """Make everything that was told of the customer unreadable, for ever.

    `accounts`: those that hold money of the customer or what it owes. `open_matters`: what a search has found of him
    that is not over, by id.
    """

    customer: str
    reason: str
    legal_basis: str
    accounts: tuple[str, ...] = ()
    open_matters: tuple[str, ...] = ()


class ErasureReceipt(Receipt):
    """That the customer is erased, since when, and why."""

    id: str = ""
    reason: str = ""
    legal_basis: str = ""
    erased_at: datetime | None = None


def erase(books: Books, command: EraseCustomer, envelope: Envelope) -> Decision:
    stream = customer_stream(command.customer)
    history = books.recorded(stream)
    if not history:
        raise CustomerNotFound(customer=command.customer)
    accounts = [name for name in command.accounts if _is_moved(books, name)]
    contracts = [each.drafted.id for each in live_agreements(books, command.customer)]
    if accounts or contracts or command.open_matters:
        raise CustomerHasOpenMatters(
            customer=command.customer,
            accounts=list(accounts),
            contracts=list(contracts),
            open_matters=list(command.open_matters),
        )
    for recorded in history:
        if isinstance(event := recorded.event, CustomerErased) and not books.is_sealed(stream):
            at = recorded.recorded_at
            receipt = ErasureReceipt(recorded.position, command.customer, event.reason, event.legal_basis, at)
            return Decision([], receipt, status=200)
    erased = CustomerErased(command.customer, command.reason, command.legal_basis)
    receipt = ErasureReceipt(
        id=command.customer, reason=command.reason, legal_basis=command.legal_basis, erased_at=books.now
    )
    return Decision([(stream, erased)], receipt, status=200)


def _is_moved(books: Books, name: str) -> bool:
    account = books.find_account(name)
    return account is not None and account.balance != 0


def _needs(command: EraseCustomer) -> Needs:
    return Needs(accounts=command.accounts, streams=(customer_stream(command.customer),))


DECIDERS: dict[type[Command], Decider] = {EraseCustomer: Decider(erase, _needs)}
