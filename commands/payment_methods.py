"""Payment methods: cards that a customer has bound by a code from his bank, and pays with by their name.

Also here: a customer is deleted, which is refused while a contract or a card of his is not over.

A bound card is a contract between the customer and the house, without limits and without a merchant. Binding moves no
money: nothing is posted.
"""

from commands.books import Books
from commands.contract_channels import CARD, contract_named
from commands.contract_charges import ended
from commands.contracts import answered, draft
from commands.customers import customer_exists
from commands.envelope import Command, Decision, Envelope, Receipt
from commands.handler import Decider, Needs
from ledger.chart import wallet_available, wallet_frozen
from ledger.contract_state import SIGNED, TERMINATED, UNSIGNED, Contract, fold
from ledger.errors import (
    ContractAlreadyEnded,
    CustomerHasContracts,
    CustomerHasFunds,
    CustomerNotFound,
    MethodNotSupported,
    PaymentMethodInUse,
    PaymentMethodNotFound,
)
from ledger.events.contracts import ContractDrafted
from ledger.events.customers import CustomerContractAdded, CustomerDeleted, WalletOpened, customer_stream
from ledger.events.payments import Method
from ledger.ids import CONTRACT, PAYMENT_METHOD

PRODUCT = "quick_pay"


class BindPaymentMethod(Command, frozen=True):
    """Have the customer asked to let the house charge this card; `id` is fresh."""

    id: str
    customer: str
    method: Method
    return_url: str | None = None
    metadata: dict[str, str] = {}


class DeletePaymentMethod(Command, frozen=True):
    """Forget a card that the customer has bound, here and at the channel."""

    customer: str
    payment_method: str


class DeleteCustomer(Command, frozen=True):
    """Begin nothing new for the customer. What was recorded stays recorded."""

    customer: str


def bind(books: Books, command: BindPaymentMethod, envelope: Envelope) -> Decision:
    if command.method.type != CARD:
        raise MethodNotSupported(pointer="/type", method=command.method.type, supported=[CARD])
    if not customer_exists(books, command.customer):
        raise CustomerNotFound(customer=command.customer)
    drafted = ContractDrafted(
        id=command.id,
        customer=command.customer,
        merchant=None,
        product=PRODUCT,
        method=command.method,
        channel="",
        return_url=command.return_url,
        metadata=command.metadata,
    )
    return draft(books, drafted)


def delete(books: Books, command: DeletePaymentMethod, envelope: Envelope) -> Decision:
    name = command.payment_method
    card = contract_named(books, name) if name.startswith(PAYMENT_METHOD) else None
    if card is None or card.drafted.customer != command.customer:
        raise PaymentMethodNotFound(payment_method=name)
    if card.status not in (*UNSIGNED, *SIGNED):
        detail = "The card is deleted already." if card.status == TERMINATED else "The card was never bound."
        raise ContractAlreadyEnded(detail, payment_method=name, contract_status=card.status)
    using = [contract.drafted.id for contract in live_contracts(books, command.customer) if _is_with(contract, name)]
    if using:
        raise PaymentMethodInUse(payment_method=name, contracts=list(using))
    return answered(books, name, ended(books, name, "user", "the card was deleted"))


def delete_customer(books: Books, command: DeleteCustomer, envelope: Envelope) -> Decision:
    name = command.customer
    if not customer_exists(books, name):
        raise CustomerNotFound(customer=name)
    live = [each.drafted.id for each in _live(books, name, (CONTRACT, PAYMENT_METHOD))]
    if live:
        raise CustomerHasContracts(customer=name, contracts=list(live))
    for opened in books.history(customer_stream(name)):
        if isinstance(opened, WalletOpened):
            _check_empty(books, opened)
    return Decision([(customer_stream(name), CustomerDeleted(name))], DeletedReceipt(id=name), status=200)


def _check_empty(books: Books, wallet: WalletOpened) -> None:
    for account in (wallet_available, wallet_frozen):
        if books.account(account(wallet.customer, wallet.currency)).balance:
            raise CustomerHasFunds(customer=wallet.customer, currency=wallet.currency)


class DeletedReceipt(Receipt):
    """The customer that is deleted."""

    id: str = ""


def live_contracts(books: Books, customer: str) -> list[Contract]:
    """The customer's contracts with merchants that are signed, or may yet be."""
    return _live(books, customer, (CONTRACT,))


def live_agreements(books: Books, customer: str) -> list[Contract]:
    """The customer's contracts and bound cards that are signed, or may yet be."""
    return _live(books, customer, (CONTRACT, PAYMENT_METHOD))


def _live(books: Books, customer: str, prefixes: tuple[str, ...]) -> list[Contract]:
    added = [e.contract for e in books.history(customer_stream(customer)) if isinstance(e, CustomerContractAdded)]
    found = [fold(books.recorded(name)) for name in added if name.startswith(prefixes)]
    return [each for each in found if each is not None and each.status in (*UNSIGNED, *SIGNED)]


def _is_with(contract: Contract, card: str) -> bool:
    methods = [contract.method] if contract.updating is None else [contract.method, contract.updating.method]
    return any(method.details.get("payment_method") == card for method in methods)


def _bind_needs(command: BindPaymentMethod) -> Needs:
    return Needs(streams=(command.id, customer_stream(command.customer)))


def _delete_customer_needs(command: DeleteCustomer) -> Needs:
    return Needs(streams=(customer_stream(command.customer),))


def _delete_needs(command: DeletePaymentMethod) -> Needs:
    return Needs(streams=(command.payment_method, customer_stream(command.customer)))


DECIDERS: dict[type[Command], Decider] = {
    BindPaymentMethod: Decider(bind, _bind_needs),
    DeletePaymentMethod: Decider(delete, _delete_needs),
    DeleteCustomer: Decider(delete_customer, _delete_customer_needs),
}
