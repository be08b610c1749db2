"""Merchants: who is paid, and on which terms."""

from typing import ClassVar

import msgspec

from ledger.events.event import Event


def merchant_stream(merchant: str) -> str:
    return f"merchant/{merchant}"


class FeeTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the merchant pays for a payment: ten-thousandths of the amount plus a fixed number of minor units.

    On top of it comes tax, `tax_bps` ten-thousandths of the fee. `invoiced`: it is not taken from what was sold, but
    stands as an invoice (gross model).
    """

    percent_bps: int
    fixed: int
    tax_bps: int = 0
    invoiced: bool = False


class SettlementTerms(msgspec.Struct, frozen=True):
    """When a merchant may have what it sold, and what is kept back. Shares in ten-thousandths, sums in minor units.

    Sales become available after `days`; `reserve_bps` of them are kept for `reserve_days` more. Each payout costs
    `payout_fee`, and one above `approve_above` needs a second person; None: as the house has it.
    """

    days: int = 2
    reserve_bps: int = 0
    reserve_days: int = 90
    payout_fee: int = 0
    approve_above: int | None = None


class AfterSaleTerms(msgspec.Struct, frozen=True):
    """What is done when something comes after a sale. Sums in minor units of the settlement currency.

    Each dispute costs the merchant `dispute_fee`, and `dispute_liability` says who bears one that is lost, merchant or
    platform. `late_success`: what comes for an order that was given up is accepted for it or given back (refund).
    `returns_fee`: with each refund goes back as much of what the payment cost the merchant.
    """

    dispute_fee: int = 0
    dispute_liability: str = "merchant"
    late_success: str = "refund"
    returns_fee: bool = False


class MerchantCreated(Event, frozen=True, omit_defaults=True):
    """A merchant is served from here on."""

    topic: ClassVar[str] = "merchants.created.v1"

    id: str
    name: str
    fee: FeeTerms
    settlement_currency: str
    metadata: dict[str, str] = {}
    settlement: SettlementTerms = SettlementTerms()
    after_sale: AfterSaleTerms = AfterSaleTerms()


class PayerLettersSwitched(Event, frozen=True, omit_defaults=True):
    """From here on the payers of this merchant are written to about what they paid and have back, or no more."""

    topic: ClassVar[str] = "merchants.payer_letters_switched.v1"

    merchant: str
    to_payers: bool


MerchantEvent = MerchantCreated | PayerLettersSwitched
