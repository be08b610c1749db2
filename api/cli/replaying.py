"""`ledger replay`: a book made anew from its log in a schema of its own, and compared with the one that is read."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.books import database_of
from api.cli.terminal import AsJson, answer, give_up, progress, saying_why
from api.cli.upkeep import shown_on
from ledger.store.connection import Database
from ledger.store.follow import UnreadableEvent
from projections.replay import PositionNotThere, ReplayReport
from projections.replay import replay as replay_book
from projections.scratch_schemas import BadSchemaName


def replay(
    book: Annotated[str, typer.Option(help="Which book.")],
    to: Annotated[int | None, typer.Option(min=0, help="The last position; without, the end of the log.")] = None,
    keep_schema: Annotated[str | None, typer.Option(help="Leave what was made in a schema of this name.")] = None,
    other: Annotated[
        str | None,
        typer.Option(
            "--what-if",
            metavar="KIND=FILE",
            help="By other rules than those of then: posting-rules=FILE.py, routing=FILE.json or risk=FILE.json.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay a book's log from its first event into a fresh schema, and compare every table with the live one.

    Ends with 0 when they are equal, with 1 when they are not or the log cannot be read, with 2 when there is no such
    book, position, or name for a schema. With --what-if nothing is compared: the answer says what other rules would
    have made of the same history, and 2 means that they cannot be read or do not balance.
    """
    database, _ = database_of(book)
    if other is not None:
        # Imported here, because it takes the whole API along, and no other word needs it.
        from api.cli.what_if import what_if

        kind, _, file = other.partition("=")
        what_if(database, book, kind, Path(file), to=to, keep=keep_schema, as_json=as_json)
        return
    report = _replayed(database, book, to, keep_schema)
    answer({"is_equal": report.is_equal, "replay": report}, told(report), as_json=as_json)
    if not report.is_equal:
        raise typer.Exit(1)


def _replayed(database: Database, book: str, to: int | None, keep: str | None) -> ReplayReport:
    with saying_why(), progress() as bar:
        try:
            return replay_book(database, book, to=to, keep=keep, progress=shown_on(bar, f"{book}: replay"))
        except (PositionNotThere, BadSchemaName) as error:
            give_up(str(error), 2)
        except (UnreadableEvent, AssertionError) as error:
            give_up(f"{book} cannot be replayed: {error}")


def told(report: ReplayReport) -> str:
    """What a replay found, in words: each table, the rows that tell a difference, and what was not compared."""
    verdict = "equal" if report.is_equal else "DIFFERENT"
    place = f"up to position {report.position:,} of {report.head:,} in {report.seconds:.1f} s"
    lines = [f"{report.book}: replayed {place}: what was compared is {verdict}"]
    for table in report.tables:
        rows = (
            f"{table.live_rows:,} rows"
            if table.is_equal
            else f"{table.live_rows:,} live, {table.replayed_rows:,} replayed"
        )
        lines.append(f"  {table.table} at {table.position:,}, {table.by}, {rows}: {_verdict(table.is_equal)}")
        lines += [f"    only live: {row}" for row in table.only_live]
        lines += [f"    only replayed: {row}" for row in table.only_replayed]
    for currency, sums in report.trial_balance.items():
        lines.append(
            f"  {currency}: debits {sums.replayed.debits:,}, credits {sums.replayed.credits:,}:"
            f" {sums.replayed.difference:,} apart; live {_verdict(sums.is_equal)}"
        )
    for why in dict.fromkeys(report.not_compared.values()):
        tables = ", ".join(table for table, reason in report.not_compared.items() if reason == why)
        lines.append(f"  not compared ({why}): {tables}")
    if report.schema is not None:
        lines.append(f"  kept in the schema {report.schema}")
    return "\n".join(lines)


def _verdict(is_equal: bool) -> str:
    return "equal" if is_equal else "DIFFERENT"
