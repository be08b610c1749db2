"""Schemathesis: a stranger who knows only the description of the interface tries 20,000 requests and more.

In rounds, each with a seed and a book of its own, on one service: none is answered with a 5xx or with
anything that the description does not tell. What fails is printed, with the seed that makes it happen again.
"""

import argparse
import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import Connection
from rich.progress import Progress

from ledger.store.connection import Database
from ledger.store.embedded import Embedded
from ledger.store.migrate import application_role, migrate_control
from tests.journeys.service import Service
from tests.journeys.stranger import meet

_PATIENCE_S = 1_800


@contextmanager
def own_service() -> Iterator[Service]:
    """All processes, on a PostgreSQL of their own that is thrown away."""
    state = Path(tempfile.mkdtemp(prefix="ledger-stranger-"))
    postgres = Embedded.start(state)
    try:
        with Connection.connect(postgres.url, autocommit=True) as connection:
            migrate_control(connection)
            database = Database(postgres.url, role=application_role(connection))
        with Service(database, state, servers=1) as service:
            yield service
    finally:
        postgres.stop()
        shutil.rmtree(state, ignore_errors=True)


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="./run long schemathesis", description=__doc__)
    options.add_argument("--cases", type=int, default=20_000, help="how many requests at least (20,000)")
    options.add_argument("--examples", type=int, default=100, help="how many random ones an operation and round (100)")
    options.add_argument("--seed", type=int, help="of the first round; without, a new one each time")
    given = options.parse_args(arguments)
    seed = random.randrange(2**32) if given.seed is None else given.seed
    tried = 0
    with own_service() as service, Progress(transient=True) as progress:
        bar = progress.add_task("tried", total=given.cases)
        while tried < given.cases:
            met = meet(service, examples=given.examples, seed=seed, patience_s=_PATIENCE_S)
            tried += met.cases
            progress.update(bar, completed=tried)
            if met.code or not met.cases:
                progress.stop()
                print(met.told)
                print(f"NOT CLEAN after {tried} cases; again with --seed {seed} --examples {given.examples}")
                return 1
            seed += 1
    print(f"{tried} cases, no answer that is not described")
    return 0
