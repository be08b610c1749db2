"""`ledger rebuild` and `ledger verify`: views made anew from the log, and balances held against it."""

from collections.abc import Callable
from typing import Annotated

import typer
from rich.progress import Progress

from api.cli.terminal import AsJson, answer, give_up, progress, saying_why, settings, url_of
from api.serving import database_at
from ledger.errors import BookNotFound
from ledger.store.migrate import list_books
from projections.rebuild import RebuildReport, UnknownProjection
from projections.rebuild import rebuild as rebuild_view
from projections.recount import RecountReport, compare_balances
from projections.register import BY_NAME

OfBook = Annotated[str | None, typer.Option(help="Only this book; without, all of them.")]


def rebuild(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(sorted(BY_NAME))}, or all.")],
    book: OfBook = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare, and leave the rows that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a view anew from the log beside the one that is read, compare them, and put the new one in its place."""
    database = database_at(url_of(settings()))
    names = sorted(BY_NAME) if name == "all" else [name]
    reports: list[RebuildReport] = []
    with saying_why(), progress() as bar:
        for one in _books(database_url=database.conninfo, wanted=book):
            for view in names:
                shown = _task(bar, f"{one}: {view}")
                try:
                    reports.append(rebuild_view(database, one, view, swap=not dry_run, progress=shown))
                except UnknownProjection as unknown:
                    give_up(str(unknown))
    answer({"rebuilt": reports}, "\n".join(map(_told_of_rebuild, reports)) or "There are no books.", as_json=as_json)


def verify(book: OfBook = None, as_json: AsJson = False) -> None:
    """Add up the whole log and hold the stored balances against it; exit code 1 where they differ."""
    database = database_at(url_of(settings()))
    with saying_why(), progress() as bar:
        reports = [
            compare_balances(database, one, progress=_task(bar, one))
            for one in _books(database_url=database.conninfo, wanted=book)
        ]
    answer({"verified": reports}, "\n".join(map(_told_of_recount, reports)) or "There are no books.", as_json=as_json)
    if not all(report.is_equal for report in reports):
        raise typer.Exit(1)


def _books(*, database_url: str, wanted: str | None) -> list[str]:
    with database_at(database_url).owner() as connection:
        books = list_books(connection)
    if wanted is None:
        return books
    if wanted not in books:
        raise BookNotFound(book=wanted)
    return [wanted]


def _task(bar: Progress, words: str) -> Callable[[int, int], None]:
    task = bar.add_task(words, total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)


def _told_of_rebuild(report: RebuildReport) -> str:
    rows = sum(table.rebuilt_rows for table in report.tables)
    verdict = "equal to what was there" if report.is_equal else "different from what was there"
    done = "rebuilt" if report.swapped else "compared"
    place = f"{report.book}: {report.projection} {done} up to position {report.position}"
    lines = [f"{place} in {report.seconds:.1f} s: {rows} rows, {verdict}"]
    for table in report.tables:
        lines += [f"  {table.table}: only there before: {row}" for row in table.only_live]
        lines += [f"  {table.table}: only in the new one: {row}" for row in table.only_rebuilt]
    return "\n".join(lines)


def _told_of_recount(report: RecountReport) -> str:
    verdict = "all balances are right" if report.is_equal else f"{len(report.differences)} values are wrong"
    lines = [f"{report.book}: {report.accounts} accounts at position {report.position}: {verdict}"]
    lines += [
        f"  {wrong.account} {wrong.field}: {wrong.stored} is stored, {wrong.recounted} is right"
        for wrong in report.differences
    ]
    return "\n".join(lines)
