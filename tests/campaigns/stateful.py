"""Stateful: the ledger and a plain-Python model of it are asked the same, over HTTP, and must say the same.

In rounds of some books each, with replays, looks into the past and rebuilds among what is asked. What fails is printed
as hypothesis has shrunk it.
"""

import argparse
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator

from hypothesis import seed as with_seed
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.campaigns._ground import bar, throw_away_database
from tests.journeys.service import Service
from tests.properties.driver import Driver, InProcess
from tests.properties.http_driver import OverHttp
from tests.properties.machine import LedgerMachine, run
from tests.properties.test_stateful import InProcessMachine
from tests.properties.test_stateful_api import OverHttpMachine

_BOOKS_OF_A_ROUND = 10
_RULES_OF_A_BOOK = 100
_ROUNDS_OF_A_SERVICE = 10

Outcomes = Counter[tuple[str, str]]


def campaign(steps: int, seed: int, over: str, progress: Progress) -> Outcomes:
    """Compare so many requests, or a few more; returns what was asked and how it was answered."""
    chance, outcomes = random.Random(seed), Outcomes()
    task = progress.add_task("requests", total=steps)
    for machine, make_driver in _grounds(over):
        seeded = with_seed(chance.getrandbits(64))(machine)
        outcomes += run(seeded, make_driver, books=_BOOKS_OF_A_ROUND, rules=_RULES_OF_A_BOOK)
        progress.update(task, completed=min(outcomes.total(), steps))
        if outcomes.total() >= steps:
            break
    return outcomes


def _grounds(over: str) -> Iterator[tuple[type[LedgerMachine], Callable[[], Driver]]]:
    """For each round what is driven and how a book of it is opened, for ever; a database is replaced now and then."""
    while True:
        with throw_away_database() as ground:
            if over == "process":
                for _ in range(_ROUNDS_OF_A_SERVICE):
                    yield InProcessMachine, lambda: InProcess(ground.database, ground.new_book())
            else:
                with Service(ground.database, ground.state) as service:
                    for _ in range(_ROUNDS_OF_A_SERVICE):
                        yield OverHttpMachine, lambda: OverHttp(service)


def _table(outcomes: Outcomes) -> Table:
    table = Table("request", "answered", "times", box=None)
    for (request, answer), times in sorted(outcomes.items()):
        table.add_row(request, answer, f"{times:,}")
    return table


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="./run long stateful", description=__doc__)
    options.add_argument("--steps", type=int, default=100_000, help="how many requests are compared (100000)")
    options.add_argument(
        "--over", choices=["http", "process"], default="http", help="process: the writers alone, faster"
    )
    options.add_argument("--seed", type=int, help="makes the same requests again; one is chosen and shown without it")
    given = options.parse_args(arguments)
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    console = Console()
    console.print(f"seed {seed}")
    with bar() as progress:
        outcomes = campaign(given.steps, seed, given.over, progress)
    console.print(_table(outcomes))
    console.print(f"{outcomes.total():,} requests over {given.over}, and no answer that was not the model's")
    return 0
