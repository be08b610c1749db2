"""The list of bad inputs has 117 rows: each is put on the desk somewhere, or stands here with the reason why not."""

import re
from pathlib import Path

LAST_ROW = 117
NOT_HERE = {
    72: "back-dating into an open period needs no scope of its own here",
    78: "a second request waits for the first one's commit and is replayed: nothing is ever `in progress` (see C7)",
    82: "nothing takes an expected version: limits are judged when an entry is written",
    101: "no approvals yet",
    102: "no approvals yet",
    106: "no webhooks of ours yet, so no addresses of callers",
    109: "no chains: an atomic batch is one (rows 107 and H1)",
    111: "accounts have no hierarchy",
    112: "nothing is exchanged: an entry states both sides (B2)",
    113: "no proofs yet",
    116: "no erasure yet",
}


def rows_on_the_desk() -> set[int]:
    """Numbers at the beginning of cases and of the names of tests."""
    said = "".join(
        file.read_text() for file in Path(__file__).parent.glob("test_*.py") if file.name != Path(__file__).name
    )
    named = re.findall(r"def test_(?:\w+_)?row_(\d+)_", said)
    in_tables = re.findall(
        r"^\s*(?:Case|amount|field|currency|time|description|name|metadata|entry|body|move|get|path)?\(\s*(\d+),",
        said,
        re.MULTILINE,
    )
    return {int(row) for row in [*named, *in_tables]}


def test_every_row_is_tried_or_explained() -> None:
    tried = rows_on_the_desk()
    assert set(range(1, LAST_ROW + 1)) - tried - NOT_HERE.keys() == set()
    assert tried & NOT_HERE.keys() == set(), "a row that is tried needs no excuse"
