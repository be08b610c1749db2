"""Fees: what a merchant pays us and what a channel keeps, in minor units. Recorded, so that a replay never computes."""

from commands.policies.channels import CHANNELS
from ledger.errors import FeeExceedsAmount
from ledger.events.merchants import FeeTerms
from ledger.money import share_in_basis_points


def merchant_fee(terms: FeeTerms, amount: int) -> int:
    """A share of the amount, half a unit rounded up, and the fixed part; raises FeeExceedsAmount."""
    fee = merchant_fee_uncapped(terms, amount)
    if fee > amount:
        raise FeeExceedsAmount(pointer="/amount", amount=amount, fee=fee)
    return fee


def merchant_fee_uncapped(terms: FeeTerms, amount: int) -> int:
    """The same, even where it is more than the amount."""
    return share_in_basis_points(amount, terms.percent_bps) + terms.fixed


def channel_fee(channel: str, amount: int) -> int:
    """What the contract with the channel says it keeps of this amount; 0 where there is no contract."""
    return sum(share_in_basis_points(amount, terms.fee_bps) for terms in CHANNELS if terms.name == channel)
