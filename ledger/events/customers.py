"""Customers: who pays, and the wallets they hold."""

from typing import ClassVar

from ledger.events.event import Event


def customer_stream(customer: str) -> str:
    return f"customer/{customer}"


class CustomerCreated(Event, frozen=True, omit_defaults=True):
    """A customer is known from here on."""

    topic: ClassVar[str] = "customers.created.v1"

    id: str
    name: str | None = None
    metadata: dict[str, str] = {}


class WalletOpened(Event, frozen=True):
    """The customer holds a wallet in this currency."""

    topic: ClassVar[str] = "customers.wallet_opened.v1"

    customer: str
    currency: str


class CustomerContractAdded(Event, frozen=True):
    """A contract was drafted for the customer, or a card of his is to be bound."""

    topic: ClassVar[str] = "customers.contract_added.v1"

    customer: str
    contract: str


class CustomerDeleted(Event, frozen=True):
    """Nothing new is begun for the customer; what is under way ends as it would."""

    topic: ClassVar[str] = "customers.deleted.v1"

    customer: str


class CustomerErased(Event, frozen=True, omit_defaults=True):
    """What was told of the customer cannot be read any more, here and wherever it was recorded: its key is no more.

    Nothing new is begun for the customer. `legal_basis` is a word such as `gdpr_17_1_b`; no personal data stands here.
    """

    topic: ClassVar[str] = "customers.erased.v1"

    customer: str
    reason: str
    legal_basis: str


CustomerEvent = CustomerCreated | WalletOpened | CustomerContractAdded | CustomerDeleted | CustomerErased
