"""Mixed day: imports of a size that counts, and hundreds of payments, with the channel's faults on; both books agree.

API, worker and channel simulator are processes, on a PostgreSQL of their own.
"""

import argparse

import msgspec

from tests.campaigns._ground import Shown, bar, throw_away_database
from tests.journeys import mixed_day
from tests.journeys.mixed_day import Report, Sizes
from tests.journeys.service import Service


def run(sizes: Sizes) -> Report:
    """One day on a service of its own."""
    with throw_away_database() as ground, Service(ground.database, ground.state) as service, bar() as progress:
        return mixed_day.run(service, sizes, Shown(progress))


def main(arguments: list[str]) -> int:
    usual = Sizes()
    options = argparse.ArgumentParser(prog="./run long mixed-day", description=__doc__)
    options.add_argument("--rows", type=int, default=100_000, help="of the CSV file, and of the JSON lines (100000)")
    options.add_argument("--payments", type=int, default=500, help="from wallets and by card (500)")
    options.add_argument("--moments", type=int, default=usual.moments, help="positions for trial balances (60)")
    options.add_argument("--at-once", type=int, default=usual.at_once, help="how many pay at the same time (12)")
    options.add_argument("--patience", type=float, default=120, help="seconds until payments are final (120)")
    options.add_argument("--seed", type=int, default=usual.seed, help="of faults, orders and positions (7)")
    given = options.parse_args(arguments)
    report = run(
        Sizes(
            rows=given.rows,
            formats=("csv", "jsonl"),
            payments=given.payments,
            top_ups=max(12, given.payments // 5),
            moments=given.moments,
            at_once=given.at_once,
            patience_s=given.patience,
            seed=given.seed,
        )
    )
    print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    print("NOT RIGHT" if report.wrong else "both books agree, and ours balance")
    return 1 if report.wrong else 0
