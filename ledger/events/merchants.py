"""Merchants: who is paid, and on which terms."""

from typing import ClassVar

import msgspec

from ledger.events.event import Event


def merchant_stream(merchant: str) -> str:
    return f"merchant/{merchant}"


class FeeTerms(msgspec.Struct, frozen=True):
    """What the merchant pays for a payment: ten-thousandths of the amount plus a fixed number of minor units."""

    percent_bps: int
    fixed: int


class MerchantCreated(Event, frozen=True, omit_defaults=True):
    """A merchant is served from here on."""

    topic: ClassVar[str] = "merchants.created.v1"

    id: str
    name: str
    fee: FeeTerms
    settlement_currency: str
    metadata: dict[str, str] = {}


MerchantEvent = MerchantCreated
