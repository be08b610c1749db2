"""What docs/reconciliation.md lists is what there is: sources, passes, types of breaks, resolutions, and the policy."""

import re
from pathlib import Path
from typing import get_args

import pytest

from commands.break_resolutions import RESOLUTIONS
from commands.policies.reconciliation import ONE_PERSON_MAY, policy_of
from commands.policies.settlements import DEFAULT
from commands.report_files.sources import SOURCES
from ledger.matching.outcome import BREAK_TYPES, FoundBy

TEXT = (Path(__file__).parents[2] / "docs" / "reconciliation.md").read_text()


def listed(heading: str) -> set[str]:
    """The words in the first column of the table below this line."""
    table = TEXT[TEXT.index(heading) :].partition("\n\n")[0]
    firsts = [line.split("|")[1] for line in table.splitlines()[2:]]
    return {word for first in firsts for word in re.findall(r"`([^`]+)`", first)}


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("| source |", set(SOURCES)),
        ("| pass |", set(get_args(FoundBy))),
        ("| type |", set(BREAK_TYPES)),
        ("| resolution |", set(RESOLUTIONS)),
    ],
)
def test_each_table_names_all_that_there_is_and_nothing_else(heading: str, names: set[str]) -> None:
    assert listed(heading) == names


def test_the_figures_are_those_of_the_policy() -> None:
    assert f"| {DEFAULT.amount} minor units, together at most {DEFAULT.amount_per_day} a day" in TEXT
    assert f"| {DEFAULT.fee} minor units or {DEFAULT.fee_bps / 100:.2f} % of the gross" in TEXT
    assert {policy_of(source).wait_days for source in SOURCES} == {3}
    assert {policy_of(source).window_days for source in SOURCES} == {2}
    assert {policy_of(source).subset_units for source in SOURCES} == {10}
    assert f"| up to {ONE_PERSON_MAY} whole units at risk or moved" in TEXT
