"""Settled items: what has its row already is spoken of by another row, and is not settled by it."""

from typing import Any

import pytest

from ledger.matching.outcome import BreakType
from tests.matching.given import LATELY, item, only_break, outcome, row

SETTLED = item("pay_1-1", 10_00, "ch_1", state="settled")


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"our_reference": "pay_1-1"}, "duplicate"),
        ({"our_reference": "pay_1-1", "gross": 11_00}, "duplicate"),
        ({"external_id": "ch_1"}, "duplicate"),
        ({"our_reference": "pay_2-1"}, "missing_here"),
        ({"kind": "reversed", "gross": -10_00, "about": "ch_1"}, "status_ahead"),
        ({"kind": "reversed", "gross": -10_00, "about": "ch_2"}, "missing_here"),
        ({"kind": "chargeback", "gross": -10_00, "about": "ch_1"}, "chargeback_without_dispute"),
    ],
)
def test_a_row_that_names_it_says_it_twice_or_takes_it_back(told: dict[str, Any], what: BreakType) -> None:
    found = only_break(outcome([row(**told)], [SETTLED]))
    assert found.type == what
    assert (found.items, found.related) == ((), () if what == "missing_here" else ("pay_1-1",))


def test_it_waits_like_any_other_row() -> None:
    told = outcome([row(our_reference="pay_1-1", at=LATELY)], [SETTLED])
    assert (told.waiting_rows, told.breaks) == (("f:1",), ())


def test_what_is_open_under_the_same_name_has_the_row() -> None:
    capture = item("pay_1.5", 10_00, "pay_1")
    settled = item("pay_1.4", 10_00, "pay_1", state="settled")
    told = outcome([row(our_reference="pay_1")], [capture, settled])
    assert [one.items for one in told.matches] == [("pay_1.5",)]
