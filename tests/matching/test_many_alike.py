"""Many alike: thousands that share an amount, a name or a batch take no longer than thousands that do not.

A step that is a product of both sides would take minutes; each of these takes about a second.
"""

from collections.abc import Callable
from typing import Any

import pytest

from ledger.matching.policy import Policy
from ledger.matching.sides import Item, Row
from tests.matching.given import item, outcome, row

MANY = 20_000
BATCHES = [item(f"p{n}", 3**n, batch=f"{n}") for n in range(10)]


def rows_of(**more: Any) -> Callable[[], list[Row]]:
    return lambda: [row(f"f:{n:05}", **more) for n in range(MANY)]


def these(*items: Item) -> Callable[[], list[Item]]:
    return lambda: [*items]


def items_of(*names: str, **more: Any) -> Callable[[], list[Item]]:
    return lambda: [item(f"p{n:05}", 10_00, *names, **more) for n in range(MANY)]


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("rows", "items", "matches", "breaks"),
    [
        pytest.param(rows_of(party="4242"), items_of(parties=("4242",)), 0, 2 * MANY, id="amount and card"),
        pytest.param(rows_of(kind="credit"), items_of(kind="credit"), 0, 2 * MANY, id="credits of a bank"),
        pytest.param(rows_of(our_reference="x"), items_of("x"), MANY, 0, id="one name of all"),
        pytest.param(rows_of(external_id="x", our_reference="y"), items_of("x", "y"), MANY, 0, id="two names of all"),
        pytest.param(rows_of(our_reference="x", currency="USD"), items_of("x"), 0, 1, id="one name, other currency"),
        pytest.param(rows_of(external_id="x"), these(item("p", 1)), 0, 2, id="copies"),
        pytest.param(rows_of(external_id="x", fee=1), these(item("p", 10_00, "x")), 1, 0, id="copies of a match"),
        pytest.param(rows_of(kind="credit", text="to batch_77"), items_of(batch="batch_77"), 1, 0, id="one batch"),
        pytest.param(rows_of(kind="credit"), these(*BATCHES), 0, MANY + 10, id="sums"),
        pytest.param(rows_of(external_id="x_12345"), items_of(), 0, MANY + 1, id="nothing agrees"),
    ],
)
def test_many_alike_do_not_take_longer(
    rows: Callable[[], list[Row]], items: Callable[[], list[Item]], matches: int, breaks: int
) -> None:
    told = outcome(rows(), items(), Policy(subset_units=10))
    assert (len(told.matches), len(told.breaks)) == (matches, breaks)


def test_the_memory_of_sums_is_bounded() -> None:
    """With more than may be tried, none is: a thousand batches and a line that names none."""
    told = outcome([row(kind="credit", gross=7)], [item(f"p{n}", 2**n, batch=f"{n}") for n in range(1_000)])
    assert not told.matches
