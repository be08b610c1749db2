"""Fees: what a merchant pays us and what a channel keeps, in minor units. Recorded, so that a replay never computes."""

import msgspec

from commands.policies.channels import CHANNELS
from ledger.errors import FeeExceedsAmount
from ledger.events.merchants import FeeTerms
from ledger.money import share_in_basis_points


class Fee(msgspec.Struct, frozen=True):
    """What a merchant pays: the fee, and the tax that comes on top of it. `invoiced`: apart from what it sold."""

    amount: int
    tax: int = 0
    invoiced: bool = False


def merchant_fee(terms: FeeTerms, amount: int) -> Fee:
    """A share of the amount, half a unit rounded up, and the fixed part, with tax; raises FeeExceedsAmount."""
    fee = merchant_fee_uncapped(terms, amount)
    tax = tax_on(terms, fee)
    if fee + tax > amount and not terms.invoiced:
        raise FeeExceedsAmount(pointer="/amount", amount=amount, fee=fee + tax)
    return Fee(fee, tax, terms.invoiced)


def merchant_fee_uncapped(terms: FeeTerms, amount: int) -> int:
    """The fee without its tax, even where it is more than the amount."""
    return share_in_basis_points(amount, terms.percent_bps) + terms.fixed


def tax_on(terms: FeeTerms, fee: int) -> int:
    """Half a unit is rounded up."""
    return share_in_basis_points(fee, terms.tax_bps)


def next_fee(terms: FeeTerms, before: tuple[Fee, ...], amount_before: int, amount: int) -> Fee:
    """What is paid for one more amount: with it, all of them together cost what one over their sum would.

    So the fixed part is paid once, and no rounding is lost, of the fee and of its tax. Where it is taken from what was
    sold, an amount that is smaller than its fee and tax leaves the rest of them to the next one.
    """
    paid, taxed = sum(fee.amount for fee in before), sum(fee.tax for fee in before)
    wanted = max(0, merchant_fee_uncapped(terms, amount_before + amount) - paid)
    if not terms.invoiced:
        wanted = _affordable(terms, wanted, amount, paid, taxed)
    return Fee(wanted, max(0, tax_on(terms, paid + wanted) - taxed), terms.invoiced)


def _affordable(terms: FeeTerms, wanted: int, amount: int, paid: int, taxed: int) -> int:
    """The largest fee, up to what is wanted, that the amount covers together with its tax."""
    low, high = 0, min(wanted, amount)
    while low < high:
        middle = (low + high + 1) // 2
        if middle + max(0, tax_on(terms, paid + middle) - taxed) <= amount:
            low = middle
        else:
            high = middle - 1
    return low


def channel_fee(channel: str, amount: int) -> int:
    """What the contract with the channel says it keeps of this amount; 0 where there is no contract."""
    return sum(share_in_basis_points(amount, terms.fee_bps) for terms in CHANNELS if terms.name == channel)


def invoices_fee(channel: str) -> bool:
    """Whether the channel settles the whole of what it took, and invoices its fee."""
    return any(terms.invoices_fee for terms in CHANNELS if terms.name == channel)
