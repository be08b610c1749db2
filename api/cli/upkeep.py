"""`ledger rebuild`: views made anew from the log, beside the ones that are read."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.progress import Progress

from api.cli.books import database_of
from api.cli.terminal import AsJson, answer, give_up, progress, saying_why
from projections.rebuild import RebuildOvertaken, RebuildReport
from projections.rebuild import rebuild as rebuild_view
from projections.register import BY_NAME

OfBook = Annotated[str | None, typer.Option(help="Only this book; without, all of them.")]
_ALL = "all"


def rebuild(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(sorted(BY_NAME))}, or all.")],
    book: OfBook = None,
    no_swap: Annotated[bool, typer.Option("--no-swap", help="Compare, and leave the rows that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a view anew from the log, compare it with the one that is read, and put it in its place.

    Ends with 0 when they were equal, with 1 when they were not (the new one is right, and is in its place unless
    --no-swap), with 2 when there is no such view or book.
    """
    if name not in (*BY_NAME, _ALL):
        give_up(f"there is no view {name}: {', '.join(sorted(BY_NAME))}", 2)
    database, books = database_of(book)
    reports: list[RebuildReport] = []
    with saying_why(), progress() as bar:
        for one in books:
            for view in sorted(BY_NAME) if name == _ALL else [name]:
                try:
                    shown = shown_on(bar, f"{one}: {view}")
                    reports.append(rebuild_view(database, one, view, swap=not no_swap, progress=shown))
                except RebuildOvertaken as overtaken:
                    give_up(str(overtaken))
    answer({"rebuilt": reports}, "\n".join(map(told_of_view, reports)) or "There are no books.", as_json=as_json)
    if not all(report.is_equal for report in reports):
        raise typer.Exit(1)


def shown_on(bar: Progress, words: str) -> Callable[[int, int], None]:
    """A task of its own on the bar: it is told how much is done, and of how much."""
    task = bar.add_task(words, total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)


def told_of_view(report: RebuildReport) -> str:
    """What a rebuild found, in words, with the rows that tell the difference."""
    rows = sum(table.rebuilt_rows for table in report.tables)
    verdict = "equal" if report.is_equal else "DIFFERENT"
    done = "rebuilt" if report.swapped else "compared"
    until = f"up to position {report.position:,} in {report.seconds:.1f} s"
    lines = [f"{report.book}: {report.projection} {done} {until}; {rows:,} rows held against what was there: {verdict}"]
    for table in report.tables:
        lines += [f"  {table.table}: only there before: {row}" for row in table.only_live]
        lines += [f"  {table.table}: only in the new one: {row}" for row in table.only_rebuilt]
    return "\n".join(lines)
