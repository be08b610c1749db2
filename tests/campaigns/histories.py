"""Histories: whatever may happen to payments at random; after each event the books say what the payments say.

Commands of payments, captures, refunds, receipts, disputes, shares and releases, and every word of a channel about
them; decided in memory by the deciders of production. What breaks a rule is printed with the seed that tells it again.
"""

import argparse
import secrets
from collections import Counter
from random import Random

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.campaigns._ground import bar
from tests.commands.histories import tell

_SHOWN = 25


def campaign(histories: int, steps: int, seed: int, progress: Progress) -> Counter[str]:
    """Tell so many histories; returns how often each kind of event was recorded. Raises AssertionError, with a note."""
    topics: Counter[str] = Counter()
    task = progress.add_task("histories", total=histories)
    for number in range(histories):
        own_seed = seed + number
        try:
            topics.update(recorded.event.topic for recorded in tell(Random(own_seed), steps).log)
        except Exception as error:
            error.add_note(f"seed {own_seed}: ./run long histories --histories 1 --steps {steps} --seed {own_seed}")
            raise
        progress.update(task, completed=number + 1)
    return topics


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="./run long histories", description=__doc__)
    options.add_argument("--histories", type=int, default=10_000, help="how many are told (10000)")
    options.add_argument("--steps", type=int, default=40, help="how much happens in each of them (40)")
    options.add_argument("--seed", type=int, help="tells the same ones again; one is chosen and shown without it")
    given = options.parse_args(arguments)
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    console = Console()
    console.print(f"seed {seed}")
    with bar() as progress:
        topics = campaign(given.histories, given.steps, seed, progress)
    table = Table("event", "times", box=None)
    for topic, times in topics.most_common(_SHOWN):
        table.add_row(topic, f"{times:,}")
    console.print(table)
    console.print(f"{given.histories:,} histories, {topics.total():,} events, and after each the books held")
    return 0
