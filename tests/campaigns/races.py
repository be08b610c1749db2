"""Races: every race that the suite knows, again and again."""

import argparse
import time
from pathlib import Path

import pytest
from rich.console import Console

from tests.campaigns._ground import bar

ROOT = Path(__file__).parents[2]
RACES = (
    "tests/journeys/test_races.py",
    "tests/processes/test_races.py",
    "tests/store/test_two_writers.py",
    "tests/store/test_recorder.py",
)


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="./run long races", description=__doc__)
    options.add_argument("--rounds", type=int, default=20, help="how often each race is run (20)")
    given = options.parse_args(arguments)
    began = time.monotonic()
    with bar() as progress:
        task = progress.add_task("rounds", total=given.rounds)
        for _ in range(given.rounds):
            code = pytest.main(["-q", "--no-header", "-p", "no:cacheprovider", *(str(ROOT / race) for race in RACES)])
            if code != pytest.ExitCode.OK:
                return int(code)
            progress.advance(task)
    seconds = time.monotonic() - began
    Console().print(f"{given.rounds} rounds of all races in {seconds:.0f} s, and each ended as it must")
    return 0
