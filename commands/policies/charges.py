"""Charges: what a channel is asked for to pay an order: not always its whole amount, and not always its currency."""

import msgspec

from ledger.events.payments import PaymentCreated

MIXED = "mixed"
COIN = "coin"


class ToCharge(msgspec.Struct, frozen=True):
    """So many minor units by this method, with what the method needs to know."""

    amount: int
    currency: str
    method: str
    details: dict[str, str]


def charge_of(created: PaymentCreated) -> ToCharge:
    """The rest of a mixed payment goes to the card; coins are asked for as coins, at the rate that was locked."""
    method = created.method
    if method.type == MIXED:
        return ToCharge(created.amount - method.wallet_amount, created.currency, "card", method.details)
    if method.type == COIN and created.exchange is not None:
        return ToCharge(created.exchange.amount, created.exchange.currency, COIN, method.details)
    return ToCharge(created.amount, created.currency, method.type, method.details)
