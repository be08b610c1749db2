"""Allocation: the laws of dividing money exactly."""

import pytest
from hypothesis import assume
from hypothesis import given as sampled
from hypothesis import strategies as st

from ledger.money import BASIS_POINTS, LARGEST, allocate, share_in_basis_points

amounts = st.integers(0, LARGEST)
weights = st.lists(st.integers(0, LARGEST), min_size=1, max_size=10).filter(any)


@sampled(amounts, weights)
def test_the_shares_sum_to_the_amount(amount: int, parts: list[int]) -> None:
    assert sum(allocate(amount, parts)) == amount


@sampled(amounts, weights)
def test_every_share_is_the_exact_one_rounded_down_or_up(amount: int, parts: list[int]) -> None:
    total = sum(parts)
    for share, weight in zip(allocate(amount, parts), parts, strict=True):
        assert 0 <= share * total - amount * weight + (total - 1) <= 2 * (total - 1)
        assert share == 0 or weight > 0


@sampled(amounts, weights)
def test_no_share_exceeds_its_weight_while_the_amount_fits(amount: int, parts: list[int]) -> None:
    assume(amount <= sum(parts))
    assert all(share <= weight for share, weight in zip(allocate(amount, parts), parts, strict=True))


@sampled(weights)
def test_the_whole_is_divided_as_it_was(parts: list[int]) -> None:
    assert allocate(sum(parts), parts) == parts


@sampled(st.integers(0, 1000), weights)
def test_the_leftovers_go_to_the_earliest_and_one_unit_each(amount: int, parts: list[int]) -> None:
    total = sum(parts)
    rounded_up = [
        share - amount * weight // total for share, weight in zip(allocate(amount, parts), parts, strict=True)
    ]
    with_room = [up for up, weight in zip(rounded_up, parts, strict=True) if amount * weight % total]
    assert set(rounded_up) <= {0, 1}
    assert with_room == sorted(with_room, reverse=True)


@pytest.mark.parametrize(
    ("amount", "parts", "shares"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (2, [1, 1, 1], [1, 1, 0]),
        (5, [0, 1], [0, 5]),
        (0, [3, 4], [0, 0]),
        (LARGEST, [1, 1], [2**62, 2**62 - 1]),
    ],
)
def test_examples(amount: int, parts: list[int], shares: list[int]) -> None:
    assert allocate(amount, parts) == shares


@pytest.mark.parametrize(("amount", "parts"), [(1, []), (1, [0]), (-1, [1]), (1, [2, -1])])
def test_what_cannot_be_divided_is_a_bug(amount: int, parts: list[int]) -> None:
    with pytest.raises(ValueError, match="cannot allocate"):
        allocate(amount, parts)


@sampled(amounts, st.integers(0, BASIS_POINTS))
def test_a_share_in_basis_points_is_within_half_a_unit(amount: int, basis_points: int) -> None:
    share = share_in_basis_points(amount, basis_points)
    assert -BASIS_POINTS < 2 * (share * BASIS_POINTS - amount * basis_points) <= BASIS_POINTS
    assert 0 <= share <= amount


@pytest.mark.parametrize(
    ("amount", "basis_points", "share"), [(50, 100, 1), (49, 100, 0), (10_000, 290, 290), (1, 5000, 1)]
)
def test_half_a_unit_is_rounded_up(amount: int, basis_points: int, share: int) -> None:
    assert share_in_basis_points(amount, basis_points) == share
