"""The list of bad inputs has 117 rows: each is put on the desk somewhere, or stands here with the reason why not."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from tests.journeys.bad_inputs import Case

LAST_ROW = 117
NOT_HERE = {
    72: "back-dating into an open period needs no scope of its own here",
    82: "nothing takes an expected version: limits are judged when an entry is written",
    109: "no chains: an atomic batch is one (rows 107 and H1)",
    111: "accounts have no hierarchy",
    113: "no proofs yet",
    116: "no erasure yet",
}


def rows_tried() -> Iterator[int]:
    """The rows of all cases in all tables, and those that the names of tests say."""
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        module = importlib.import_module(f"{__package__}.{file.stem}")
        for name, value in vars(module).items():
            if isinstance(value, list):
                yield from (case.row for case in value if isinstance(case, Case))
            elif name.startswith("test_"):
                yield from map(int, re.findall(r"_row_(\d+)", name))


def test_every_row_is_tried_or_explained() -> None:
    tried = {*rows_tried()} - {0}
    assert {*range(1, LAST_ROW + 1)} - tried - NOT_HERE.keys() == set()
    assert tried & NOT_HERE.keys() == set(), "a row that is tried needs no excuse"
