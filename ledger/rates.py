"""Rates: what one whole unit of an asset is worth in another, exactly: a decimal number as text, never a float."""

import re
from fractions import Fraction

from ledger.currencies import asset_of
from ledger.errors import RateInvalid

_RATE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")


def check_rate(rate: str) -> str:
    """A rate greater than zero, with at most 12 digits on each side of the point; raises RateInvalid."""
    if not _RATE.fullmatch(rate) or not rate.strip("0."):
        raise RateInvalid("It has at most 12 digits on each side of the point.", pointer="/rate")
    return rate


def _minor_units(rate: str, from_currency: str, to_currency: str) -> Fraction:
    """How many minor units of one are worth a minor unit of the other."""
    # Fraction reads decimal text exactly.
    return Fraction(rate) * Fraction(10) ** (asset_of(to_currency).exponent - asset_of(from_currency).exponent)


def converted(amount: int, from_currency: str, to_currency: str, rate: str) -> int:
    """`amount` minor units in the other currency, rounded down: nobody is owed a fraction that we do not have."""
    exact = amount * _minor_units(rate, from_currency, to_currency)
    return exact.numerator // exact.denominator


def worth(amount: int, currency: str, coin: str, price: str) -> int:
    """How many minor units of the coin are worth `amount`, rounded up. `price` is that of one whole coin."""
    exact = amount / _minor_units(price, coin, currency)
    return -(-exact.numerator // exact.denominator)
