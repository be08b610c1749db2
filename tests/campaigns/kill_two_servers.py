"""Kill two servers: like `kill`, with two servers that write to one book, and every kind of command among the load.

Holds, reversals, batches, wallets, cards and refunds; processes that are frozen and not only killed; a channel that
errs. In the end the answers, the log, every view and the channel's books are held against each other.
"""

import argparse
import secrets

from rich.console import Console
from rich.table import Table

from tests.campaigns._ground import bar
from tests.faults import kill_campaign
from tests.faults.kill_campaign import Report


def _told(report: Report) -> list[str]:
    return [
        f"{report.requests:,} requests were answered for good, {report.accepted:,} of them carried out,",
        f"after {report.retries:,} tries in vain; {report.asked_again:,} were asked again.",
        f"0 acknowledged lost, 0 doubled, equal answers; every currency at zero over {report.events:,} events;",
        "balances and views are what the log makes of them; the channel agrees.",
        f"The slowest 503 took {report.slowest_refusal_s:.2f} s; seed {report.seed}",
    ]


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="./run long kill-two-servers", description=__doc__)
    options.add_argument("--faults", type=int, default=50, help="how often a server or PostgreSQL is killed (50)")
    options.add_argument("--seed", type=int, help="of the moments and the load; one is chosen and shown without it")
    given = options.parse_args(arguments)
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    with bar() as progress:
        task = progress.add_task("kills", total=given.faults)
        report = kill_campaign.run(seed, given.faults, lambda kills: progress.update(task, completed=kills))
    table = Table("fault", "times", box=None)
    for fault, times in sorted(report.faults.items()):
        table.add_row(fault, f"{times:,}")
    console = Console()
    console.print(table, *_told(report), sep="\n")
    return 0
