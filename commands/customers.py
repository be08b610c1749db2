"""Customers: who pays, and the wallets they hold, one for each currency."""

from datetime import datetime

from commands.books import Books
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.merchants import check_party_id
from commands.system_accounts import StreamEvents, openings
from ledger.chart import wallet_available, wallet_frozen
from ledger.currencies import asset_of
from ledger.errors import CustomerNotFound, IdExistsDifferent, WalletExists
from ledger.events.customers import CustomerCreated, CustomerDeleted, CustomerErased, WalletOpened, customer_stream


class CreateCustomer(Command, frozen=True):
    """Know a customer; `id` is the caller's or a fresh one."""

    id: str
    name: str | None = None
    metadata: dict[str, str] = {}


class OpenWallet(Command, frozen=True):
    """Give the customer a wallet in one currency."""

    customer: str
    currency: str


class CustomerReceipt(Receipt):
    """The customer as recorded."""

    id: str = ""
    name: str | None = None
    metadata: dict[str, str] = {}
    created_at: datetime | None = None


class WalletReceipt(Receipt):
    """The wallet as it was opened, in minor units."""

    customer: str = ""
    currency: str = ""
    available: int = 0
    frozen: int = 0
    opened_at: datetime | None = None


def customer_exists(books: Books, customer: str) -> bool:
    """Whether something new may begin for the customer: it is known, and was neither deleted nor erased."""
    history = books.history(customer_stream(customer))
    return bool(history) and not any(isinstance(event, CustomerDeleted | CustomerErased) for event in history)


def wallet_exists(books: Books, customer: str, currency: str) -> bool:
    """Whether the customer has a wallet in this currency; the account says so."""
    return books.find_account(wallet_available(customer, currency)) is not None


def wallet_openings(books: Books, customer: str, currency: str) -> StreamEvents:
    """What opens the customer's wallet in this currency; nothing where there is one."""
    if wallet_exists(books, customer, currency):
        return []
    accounts = (wallet_available(customer, currency), wallet_frozen(customer, currency))
    events = openings(books, ((account, currency) for account in accounts))
    return [*events, (customer_stream(customer), WalletOpened(customer, currency))]


def create(books: Books, command: CreateCustomer, envelope: Envelope) -> Decision:
    check_party_id(command.id)
    if books.recorded(customer_stream(command.id)):
        raise IdExistsDifferent(f"There is a customer {command.id} already.", pointer="/id", customer=command.id)
    created = CustomerCreated(command.id, command.name, command.metadata)
    receipt = CustomerReceipt(id=command.id, name=command.name, metadata=command.metadata, created_at=books.now)
    return Decision([(customer_stream(command.id), created)], receipt)


def open_wallet(books: Books, command: OpenWallet, envelope: Envelope) -> Decision:
    asset_of(command.currency)
    if not customer_exists(books, command.customer):
        raise CustomerNotFound(customer=command.customer)
    if wallet_exists(books, command.customer, command.currency):
        raise WalletExists(pointer="/currency", customer=command.customer, currency=command.currency)
    events = wallet_openings(books, command.customer, command.currency)
    receipt = WalletReceipt(customer=command.customer, currency=command.currency, opened_at=books.now)
    return Decision(events, receipt)


def _accounts(command: OpenWallet) -> tuple[str, str]:
    return wallet_available(command.customer, command.currency), wallet_frozen(command.customer, command.currency)


def _create_needs(command: CreateCustomer) -> Needs:
    return Needs(streams=(customer_stream(command.id),))


def _wallet_needs(command: OpenWallet) -> Needs:
    return Needs(accounts=_accounts(command), streams=(customer_stream(command.customer),))


DECIDERS: dict[type[Command], Decider] = {
    CreateCustomer: Decider(create, _create_needs),
    OpenWallet: Decider(open_wallet, _wallet_needs),
}
