"""Wallets: money that moves between customers, and money that a customer may not spend for now."""

from typing import ClassVar

from ledger.events.event import Event


class WalletTransferred(Event, frozen=True, omit_defaults=True):
    """`amount` went from one customer's wallet into another's."""

    topic: ClassVar[str] = "wallets.transferred.v1"

    id: str
    customer: str
    to_customer: str
    amount: int
    currency: str
    description: str | None = None


class WalletFrozen(Event, frozen=True, omit_defaults=True):
    """`amount` of the wallet may not be spent until it is released."""

    topic: ClassVar[str] = "wallets.frozen.v1"

    id: str
    customer: str
    amount: int
    currency: str
    reason: str


class WalletReleased(Event, frozen=True, omit_defaults=True):
    """What was frozen may be spent again."""

    topic: ClassVar[str] = "wallets.released.v1"

    id: str
    customer: str
    amount: int
    currency: str
    reason: str = ""


WalletEvent = WalletTransferred | WalletFrozen | WalletReleased
