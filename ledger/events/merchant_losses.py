"""Merchant losses: what a merchant owes us and will not pay, given up by two people (row C7)."""

from typing import ClassVar

from ledger.events.event import Event


def merchant_losses_stream(merchant: str, currency: str) -> str:
    return f"merchant_losses/{merchant}/{currency}"


class MerchantLossProposed(Event, frozen=True):
    """Somebody proposes to write off `amount` of what the merchant owes us; nothing is booked until another agrees."""

    topic: ClassVar[str] = "merchant_losses.proposed.v1"

    number: int
    merchant: str
    amount: int
    currency: str
    reason: str
    maker: str


class MerchantLossRejected(Event, frozen=True, omit_defaults=True):
    """It is not written off."""

    topic: ClassVar[str] = "merchant_losses.rejected.v1"

    number: int
    checker: str
    reason: str = ""


class MerchantDebtWrittenOff(Event, frozen=True):
    """`amount` of what the merchant owed us is an expense now."""

    topic: ClassVar[str] = "merchant_losses.written_off.v1"

    number: int
    merchant: str
    amount: int
    currency: str
    maker: str
    checker: str
