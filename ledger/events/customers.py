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


CustomerEvent = CustomerCreated | WalletOpened
