"""Acknowledgements: connections are cut around COMMIT, most of them behind it, while eight writers write to one book.

In the end each key has one effect, its answer is the true one, and none was told of a conflict that there was not.
"""

import argparse
import secrets

from rich.console import Console

from tests.campaigns._ground import bar, throw_away_database
from tests.faults.test_lost_acknowledgements import lose_acknowledgements


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="./run long acknowledgements", description=__doc__)
    options.add_argument("--lost", type=int, default=2_000, help="how many answers to a COMMIT are lost (2000)")
    options.add_argument("--seed", type=int, help="of the moments and the load; one is chosen and shown without it")
    given = options.parse_args(arguments)
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    with throw_away_database() as ground, bar() as progress:
        task = progress.add_task("acknowledgements lost", total=given.lost)
        cuts = lose_acknowledgements(
            ground.database, ground.new_book(), given.lost, seed, lambda lost: progress.update(task, completed=lost)
        )
    told = ", ".join(f"{times:,} {cut.name.lower()}" for cut, times in cuts.items())
    Console().print(f"cut around COMMIT: {told}; 0 lost, 0 doubled, 0 false conflicts; seed {seed}")
    return 0
