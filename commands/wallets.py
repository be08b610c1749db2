"""Wallets: transfers between customers, and freezes: money that stays theirs and may not be spent for now."""

from datetime import datetime

from commands.books import Books
from commands.channel_facts import check_amount
from commands.customers import customer_exists, wallet_exists
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from commands.system_accounts import with_accounts
from ledger.chart import wallet_available, wallet_frozen
from ledger.currencies import asset_of
from ledger.errors import (
    CustomerNotFound,
    CustomerUnknown,
    FreezeNotActive,
    FreezeNotFound,
    SameAccount,
    WalletNotFound,
    WalletUnknown,
)
from ledger.events.customers import customer_stream
from ledger.events.wallets import WalletFrozen, WalletReleased, WalletTransferred
from ledger.ids import FREEZE

ACTIVE = "active"
RELEASED = "released"


class TransferToWallet(Command, frozen=True):
    """Move `amount` minor units from one customer's wallet into another's; `id` is fresh."""

    id: str
    customer: str
    to_customer: str
    amount: int
    currency: str
    description: str | None = None


class FreezeWallet(Command, frozen=True):
    """Keep `amount` minor units of the wallet from being spent; `id` is fresh."""

    id: str
    customer: str
    amount: int
    currency: str
    reason: str


class ReleaseFreeze(Command, frozen=True):
    """Let what was frozen be spent again."""

    id: str
    customer: str
    currency: str
    reason: str = ""


class WalletTransferReceipt(Receipt):
    """What went from whom to whom, in minor units; `available` is what the giver has left."""

    id: str = ""
    customer: str = ""
    to_customer: str = ""
    amount: int = 0
    currency: str = ""
    available: int = 0
    description: str | None = None
    recorded_at: datetime | None = None


class FreezeReceipt(Receipt):
    """A freeze as it stands, and what the wallet holds with it, in minor units."""

    id: str = ""
    customer: str = ""
    amount: int = 0
    currency: str = ""
    status: str = ACTIVE
    reason: str = ""
    available: int = 0
    frozen: int = 0


def transfer(books: Books, command: TransferToWallet, envelope: Envelope) -> Decision:
    available = _available(books, command.customer, command.amount, command.currency)
    if command.to_customer == command.customer:
        raise SameAccount("Money goes from one customer to another.", pointer="/to_customer")
    if not customer_exists(books, command.to_customer):
        raise CustomerUnknown(pointer="/to_customer", customer=command.to_customer)
    if not wallet_exists(books, command.to_customer, command.currency):
        raise WalletUnknown(pointer="/to_customer", customer=command.to_customer, currency=command.currency)
    transferred = WalletTransferred(
        command.id, command.customer, command.to_customer, command.amount, command.currency, command.description
    )
    receipt = WalletTransferReceipt(
        id=command.id,
        customer=command.customer,
        to_customer=command.to_customer,
        amount=command.amount,
        currency=command.currency,
        available=available - command.amount,
        description=command.description,
        recorded_at=books.now,
    )
    return Decision([(command.id, transferred)], receipt)


def freeze(books: Books, command: FreezeWallet, envelope: Envelope) -> Decision:
    available = _available(books, command.customer, command.amount, command.currency)
    frozen = WalletFrozen(command.id, command.customer, command.amount, command.currency, command.reason)
    receipt = FreezeReceipt(
        id=command.id,
        customer=command.customer,
        amount=command.amount,
        currency=command.currency,
        reason=command.reason,
        available=available - command.amount,
        frozen=_frozen(books, command.customer, command.currency) + command.amount,
    )
    return Decision(with_accounts(books, [(command.id, frozen)]), receipt)


def release(books: Books, command: ReleaseFreeze, envelope: Envelope) -> Decision:
    history = books.history(command.id) if command.id.startswith(FREEZE) else []
    frozen = history[0] if history else None
    if not isinstance(frozen, WalletFrozen) or (frozen.customer, frozen.currency) != (
        command.customer,
        command.currency,
    ):
        raise FreezeNotFound(freeze=command.id)
    if len(history) > 1:
        raise FreezeNotActive(freeze=command.id)
    released = WalletReleased(frozen.id, frozen.customer, frozen.amount, frozen.currency, command.reason)
    wallet = books.account(wallet_available(frozen.customer, frozen.currency))
    receipt = FreezeReceipt(
        id=frozen.id,
        customer=frozen.customer,
        amount=frozen.amount,
        currency=frozen.currency,
        status=RELEASED,
        reason=command.reason or frozen.reason,
        available=wallet.available + frozen.amount,
        frozen=_frozen(books, frozen.customer, frozen.currency) - frozen.amount,
    )
    return Decision([(frozen.id, released)], receipt, status=200)


def _available(books: Books, customer: str, amount: int, currency: str) -> int:
    """What the wallet can spend; whether that is enough is judged by its account."""
    asset_of(currency)
    check_amount(amount)
    if not customer_exists(books, customer):
        raise CustomerNotFound(customer=customer)
    wallet = books.find_account(wallet_available(customer, currency))
    if wallet is None:
        raise WalletNotFound(customer=customer, currency=currency)
    return wallet.available


def _frozen(books: Books, customer: str, currency: str) -> int:
    account = books.find_account(wallet_frozen(customer, currency))
    return 0 if account is None else account.balance


def _transfer_needs(command: TransferToWallet) -> Needs:
    parties = (command.customer, command.to_customer)
    return Needs(
        accounts=tuple(wallet_available(customer, command.currency) for customer in parties),
        streams=tuple(customer_stream(customer) for customer in parties),
    )


def _freeze_needs(command: FreezeWallet) -> Needs:
    wallet = (command.customer, command.currency)
    accounts = (wallet_available(*wallet), wallet_frozen(*wallet))
    return Needs(accounts=accounts, streams=(customer_stream(command.customer),))


def _release_needs(command: ReleaseFreeze) -> Needs:
    wallet = (command.customer, command.currency)
    return Needs(accounts=(wallet_available(*wallet), wallet_frozen(*wallet)), streams=(command.id,))


DECIDERS: dict[type[Command], Decider] = {
    TransferToWallet: Decider(transfer, _transfer_needs),
    FreezeWallet: Decider(freeze, _freeze_needs),
    ReleaseFreeze: Decider(release, _release_needs),
}
