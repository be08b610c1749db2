"""Entry point of `./run bench`: measures, shows a table, and ends with one line of JSON on standard output."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.bench import Bench
from benchmarks.figures import Figure, as_json, table_of
from benchmarks.ground import Ground
from benchmarks.suite import FULL, MEASUREMENTS, QUICK

people = Console(stderr=True, highlight=False)


def bench(
    only: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(MEASUREMENTS)}; may be given several times.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A little of everything, within two minutes.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="How often each figure is measured.")] = None,
) -> None:
    """Measure the ledger against R, the single-row insert commits/s of 8 connections to the same PostgreSQL.

    On a PostgreSQL of its own below LEDGER_STATE, with durable settings. A figure is the median of its rounds, and each
    round measures R next to it, so that what else the machine does falls out of the ratio.
    """
    names = only or list(MEASUREMENTS)
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        raise typer.BadParameter(f"there is no {unknown[0]}: {', '.join(MEASUREMENTS)}")
    scale = QUICK if quick else FULL
    if rounds is not None:
        scale = msgspec.structs.replace(scale, rounds=rounds)
    begun = time.monotonic()
    figures: list[Figure] = []
    with (
        _progress() as progress,
        Ground.laid(Path(os.environ.get("LEDGER_STATE", ".ledger"))) as ground,
    ):
        task = progress.add_task("starting", total=len(names))
        suite = Bench(ground, scale, lambda words: progress.update(task, description=words))
        for name in names:
            progress.update(task, description=name)
            figures += MEASUREMENTS[name](suite)
            progress.advance(task)
        about = suite.about
    title = "A little of everything: too little for a verdict" if quick else "Medians of rounds; R beside each of them"
    people.print(table_of(figures, title))
    about |= {"quick": quick, "processors": os.cpu_count(), "seconds": round(time.monotonic() - begun)}
    sys.stdout.write(as_json(figures, about) + "\n")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=people
    )


if __name__ == "__main__":
    typer.run(bench)
