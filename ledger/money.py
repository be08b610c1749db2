"""Money: a whole number of minor units of one asset, and the exact ways to divide it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.currencies import asset_of
from ledger.errors import AmountOverflow

LARGEST = 2**63 - 1  # What a bigint column and a JSON integer of the interface hold.
BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """`minor` minor units of `currency`: Money(1250, "EUR") is twelve euro fifty."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        # bool is an int to Python and never an amount to us.
        if type(self.minor) is not int:
            raise TypeError(f"an amount is an int of minor units, not {self.minor!r}")
        asset_of(self.currency)
        if not -LARGEST <= self.minor <= LARGEST:
            raise AmountOverflow()

    def _minor_of(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise AssertionError(f"{self.currency} and {other.currency} do not mix")
        return other.minor

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._minor_of(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._minor_of(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._minor_of(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._minor_of(other)

    def __str__(self) -> str:
        """Major units for people: `12.50 EUR`. Never parsed back."""
        exponent = asset_of(self.currency).exponent
        sign = "-" if self.minor < 0 else ""
        digits = str(abs(self.minor)).rjust(exponent + 1, "0")
        whole, fraction = (digits[:-exponent], "." + digits[-exponent:]) if exponent else (digits, "")
        return f"{sign}{whole}{fraction} {self.currency}"


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide `amount` minor units by `weights`: floors first, then one unit each to the earliest with room.

    The shares sum to `amount` exactly, and where amount ≤ Σ weights no share exceeds its weight.
    """
    total = sum(weights)
    if amount < 0 or total <= 0 or min(weights) < 0:
        raise ValueError(f"cannot allocate {amount} by {list(weights)}")
    shares = [amount * weight // total for weight in weights]
    left = amount - sum(shares)
    for index, weight in enumerate(weights):
        if left == 0:
            break
        # A floor below the exact share has room for one unit; a share that came out even has none.
        if amount * weight % total:
            shares[index] += 1
            left -= 1
    return shares


def share_in_basis_points(amount: int, basis_points: int) -> int:
    """`basis_points` ten-thousandths of `amount` minor units, half a unit rounded up."""
    return (amount * basis_points * 2 + BASIS_POINTS) // (2 * BASIS_POINTS)
