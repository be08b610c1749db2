"""Laws of money: nothing is lost by dividing, nothing is mixed, and nothing is a float."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ledger.currencies import ASSETS
from ledger.errors import AmountOverflow, CurrencyUnknown
from ledger.money import LARGEST, Money, allocate, share_in_basis_points

minors = st.integers(-LARGEST, LARGEST)
amounts = st.integers(0, LARGEST)
currencies = st.sampled_from(sorted(ASSETS))
weights = st.lists(st.integers(0, LARGEST), min_size=1, max_size=100).filter(any)


@given(amounts, weights)
def test_shares_sum_to_the_amount(amount: int, weights: list[int]) -> None:
    shares = allocate(amount, weights)
    assert sum(shares) == amount
    assert len(shares) == len(weights)


@given(amounts, weights)
def test_a_share_is_less_than_one_unit_away_from_the_exact_one(amount: int, weights: list[int]) -> None:
    total = sum(weights)
    for share, weight in zip(allocate(amount, weights), weights, strict=True):
        assert abs(share - Fraction(amount * weight, total)) < 1
        assert share >= 0


@given(weights, st.data())
def test_no_share_exceeds_its_weight_where_there_is_enough_for_all(weights: list[int], data: st.DataObject) -> None:
    """The reversal of a part of an entry rests on this: no posting gives back more than it has."""
    amount = data.draw(st.integers(0, sum(weights)))
    assert all(share <= weight for share, weight in zip(allocate(amount, weights), weights, strict=True))


@given(weights, st.lists(st.integers(1, LARGEST), max_size=20))
def test_taken_in_parts_and_then_the_rest_nothing_is_left(weights: list[int], parts: list[int]) -> None:
    left = list(weights)
    for part in parts:
        amount = min(part, sum(left))
        if amount:
            left = [weight - share for weight, share in zip(left, allocate(amount, left), strict=True)]
            assert min(left) >= 0
    if any(left):
        assert allocate(sum(left), left) == left


@given(amounts, weights)
def test_leftovers_go_to_the_earliest(amount: int, weights: list[int]) -> None:
    """Of two that are owed the same, the earlier never has less."""
    shares = allocate(amount, weights)
    for earlier, later in zip(range(len(weights)), range(1, len(weights)), strict=False):
        if weights[earlier] == weights[later]:
            assert shares[earlier] >= shares[later]


@pytest.mark.parametrize(("amount", "weights"), [(1, []), (1, [0]), (1, [0, 0]), (-1, [1]), (1, [2, -1])])
def test_what_cannot_be_divided_is_not(amount: int, weights: list[int]) -> None:
    with pytest.raises(ValueError, match=r"cannot allocate"):
        allocate(amount, weights)


@given(amounts, st.integers(0, 10_000))
@example(1, 5_000)
@example(3, 5_000)
def test_a_share_in_basis_points_rounds_half_a_unit_up(amount: int, basis_points: int) -> None:
    exact = Fraction(amount * basis_points, 10_000)
    share = share_in_basis_points(amount, basis_points)
    assert exact - Fraction(1, 2) < share <= exact + Fraction(1, 2)
    assert 0 <= share <= amount


@given(amounts, st.integers(0, 9_999))
def test_a_greater_share_is_never_less(amount: int, basis_points: int) -> None:
    assert share_in_basis_points(amount, basis_points) <= share_in_basis_points(amount, basis_points + 1)


@given(minors, minors, currencies)
def test_adding_and_taking_away_is_exact_or_refused(a: int, b: int, currency: str) -> None:
    first, second = Money(a, currency), Money(b, currency)
    for exact, operate in ((a + b, first.__add__), (a - b, first.__sub__)):
        if abs(exact) > LARGEST:
            with pytest.raises(AmountOverflow):
                operate(second)
        else:
            assert operate(second) == Money(exact, currency)
    assert (-first).minor == -a
    assert (first < second, first <= second) == (a < b, a <= b)


@given(minors, minors, currencies, currencies)
def test_two_currencies_never_mix(a: int, b: int, one: str, other: str) -> None:
    assume(one != other)
    first, second = Money(a, one), Money(b, other)
    assert first != second
    for operate in (first.__add__, first.__sub__, first.__lt__, first.__le__):
        with pytest.raises(AssertionError, match="do not mix"):
            operate(second)


@given(minors, currencies)
def test_what_people_read_is_exact(minor: int, currency: str) -> None:
    number, code = str(Money(minor, currency)).split()
    assert code == currency
    assert Decimal(number).scaleb(ASSETS[currency].exponent) == minor
    assert len(number.partition(".")[2]) == ASSETS[currency].exponent


@pytest.mark.parametrize("amount", [True, 1.0, "1", Decimal(1), None])
def test_an_amount_is_an_int_and_nothing_like_it(amount: object) -> None:
    with pytest.raises(TypeError, match="int of minor units"):
        Money(amount, "EUR")  # type: ignore[arg-type]


@pytest.mark.parametrize("minor", [LARGEST + 1, -LARGEST - 1, 10**30])
def test_an_amount_fits_its_column(minor: int) -> None:
    with pytest.raises(AmountOverflow):
        Money(minor, "EUR")


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "XXX", "XTS", "EÜR", "XAU"])
def test_a_currency_is_known(currency: str) -> None:
    with pytest.raises(CurrencyUnknown):
        Money(1, currency)
