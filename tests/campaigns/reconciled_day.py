"""Reconciled day: payments over every channel with every fault on, then every report, and the bank to the cent.

API, worker and channel simulator are processes, on a PostgreSQL of their own. What the channels report is read from
them over HTTP; after the bank's statement nothing is owed, nothing waits, and nothing is a break.
"""

import argparse

import msgspec

from tests.campaigns._ground import Shown, bar, throw_away_database
from tests.faults import reconciled_day, reconciled_day_injected
from tests.faults.reconciled_day import Report
from tests.faults.reconciled_day_injected import InjectedReport
from tests.faults.two_channels import Sizes
from tests.journeys.service import Service


def run(sizes: Sizes) -> Report:
    """The whole of it on a service of its own."""
    with throw_away_database() as ground, Service(ground.database, ground.state) as service, bar() as progress:
        return reconciled_day.run(service, sizes, Shown(progress))


def run_injected(sizes: Sizes) -> InjectedReport:
    """A day whose files are not what the channels wrote, on a service of its own."""
    with throw_away_database() as ground, Service(ground.database, ground.state) as service, bar() as progress:
        return reconciled_day_injected.run(service, sizes, Shown(progress))


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="./run long reconciled-day", description=__doc__)
    options.add_argument("--payments", type=int, default=2_000, help="how many (2000)")
    options.add_argument("--at-once", type=int, default=16, help="how many pay at the same time (16)")
    options.add_argument("--evening", type=float, default=30, help="seconds to settle with the faults still on (30)")
    options.add_argument("--night", type=float, default=300, help="seconds to settle with the channels well (300)")
    options.add_argument("--seed", type=int, default=1, help="of faults, orders and payers (1)")
    options.add_argument("--injected", action="store_true", help="change the files first: each difference is found")
    given = options.parse_args(arguments)
    sizes = Sizes(given.payments, given.at_once, given.evening, given.night, given.seed)
    report = run_injected(sizes) if given.injected else run(sizes)
    print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    good = "what was injected was found, and nothing else" if given.injected else "channels, bank and books agree"
    print("NOT RIGHT" if report.wrong else f"{good}, to the minor unit")
    return 1 if report.wrong else 0
