"""`ledger verify`: the log held against its seal, and everything that is derived from the log against the log.

seal             every event against the tree of hashes, its tiles, our checkpoints and those that others kept
positions        1, 2, 3, … without a hole, up to the log's head
balances         what the whole log adds up to, account by account
trial balance    debits equal credits, in each currency
views            what a rebuild beside them makes, row by row
"""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from api.cli.books import database_of
from api.cli.terminal import AsJson, answer, give_up, progress, saying_why
from api.cli.upkeep import OfBook, shown_on, told_of_view
from api.cli.verifying_seal import KeptCheckpoint, SealReport, is_of, kept_in, verify_seal
from ledger.audit.signed_note import NoteInvalid, VerifierKey
from ledger.store.connection import Database, in_book
from ledger.store.follow import UnreadableEvent
from projections.rebuild import RebuildReport
from projections.rebuild import rebuild as rebuild_view
from projections.recount import RecountReport, compare_balances
from projections.register import BY_NAME
from projections.trial_balance import Totals, trial_balance

# One statement, so that the head is the one that these events belong to.
_POSITIONS = """
SELECT h.position, count(e.notification_id), coalesce(min(e.notification_id), 1), coalesce(max(e.notification_id), 0)
  FROM {schema}.log_head AS h LEFT JOIN {schema}.events AS e ON true
 GROUP BY h.position
"""


class Verified(msgspec.Struct):
    """What was found in one book, at `position`; `trouble` says why the log itself cannot be read to its end."""

    book: str
    position: int = 0
    events: int = 0
    trouble: str | None = None
    seal: SealReport = msgspec.field(default_factory=SealReport)
    balances: RecountReport | None = None
    trial_balance: dict[str, Totals] = {}
    views: list[RebuildReport] = []
    is_right: bool = False


def verify(
    book: OfBook = None,
    kept: Annotated[
        list[Path] | None, typer.Option(help="A checkpoint that was kept outside: a signed note in a file; repeatable.")
    ] = None,
    vkey: Annotated[
        list[str] | None,
        typer.Option(help="A public key that is believed; without, those that the book itself names; repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold the log against its seal, and balances, trial balance and views against the log; nothing is changed.

    Ends with 0 when all is right, with 1 when something derived is not, with 2 when there is no such book. Where the
    log is not what was sealed: 10 events are missing or too many, 11 an event was changed, 12 a tile, 13 the head,
    14 our own checkpoints tell of another log, 15 those that were kept do.
    """
    notes, keys = _kept(kept or []), _keys(vkey or [])
    database, books = database_of(book)
    for note in notes:
        if not any(is_of(one, note) for one in books):
            give_up(f"no book here has the log {note.says.origin}", 2)
    found = [Verified(one) for one in books]
    with saying_why(), progress() as bar:
        for one in found:
            try:
                with database.owner() as connection:
                    one.seal = verify_seal(
                        connection, one.book, kept=notes, keys=keys, progress=shown_on(bar, f"{one.book}: seal")
                    )
                _look_at_positions(database, one)
                if one.trouble is None:
                    one.balances = compare_balances(database, one.book, progress=shown_on(bar, f"{one.book}: balances"))
                    one.trial_balance = asyncio.run(_trial_balance(database, one.book))
                    for view in sorted(BY_NAME):
                        shown = shown_on(bar, f"{one.book}: {view}")
                        one.views.append(rebuild_view(database, one.book, view, swap=False, progress=shown))
            except (UnreadableEvent, AssertionError) as error:
                one.trouble = str(error)
            one.is_right = _is_right(one)
    answer({"verified": found}, "\n".join(map(_told, found)) or "There are no books.", as_json=as_json)
    if not all(one.is_right for one in found):
        raise typer.Exit(max(one.seal.exit_code for one in found) or 1)


def _kept(files: list[Path]) -> list[KeptCheckpoint]:
    try:
        return kept_in(files)
    except (NoteInvalid, OSError) as error:
        give_up(f"a checkpoint that was kept cannot be read: {error}", 2)


def _keys(texts: list[str]) -> list[VerifierKey]:
    try:
        return [VerifierKey.parse(text) for text in texts]
    except NoteInvalid as invalid:
        give_up(f"that is no public key: {invalid}", 2)


def _look_at_positions(database: Database, one: Verified) -> None:
    with database.owner() as connection:
        row = connection.execute(in_book(_POSITIONS, one.book)).fetchone()
    if row is None:
        one.trouble = "the log has lost its head"
        return
    one.position, one.events, first, last = row
    if (first, last, one.events) != (1, one.position, one.position):
        one.trouble = f"the head is {one.position}, and there are {one.events} events from {first} to {last}"


async def _trial_balance(database: Database, book: str) -> dict[str, Totals]:
    async with await database.connect_async() as connection:
        return (await trial_balance(connection, book)).currencies


def _is_right(one: Verified) -> bool:
    return (
        one.trouble is None
        and one.seal.fault is None
        and one.balances is not None
        and one.balances.is_equal
        and not any(totals.difference for totals in one.trial_balance.values())
        and all(view.is_equal for view in one.views)
    )


def _told(one: Verified) -> str:
    if one.trouble is not None:
        return "\n".join([f"{one.book}: WRONG: {one.trouble}", _told_of_seal(one.seal)])
    lines = [
        f"{one.book}: {'all is right' if one.is_right else 'WRONG'} at position {one.position:,}",
        _told_of_seal(one.seal),
    ]
    if one.balances is not None:
        wrong = one.balances.differences
        lines.append(f"  balances: {one.balances.accounts:,} accounts, {len(wrong):,} values are wrong")
        lines += [f"    {w.account} {w.field}: {w.stored} is stored, {w.recounted} is right" for w in wrong]
    for currency, totals in one.trial_balance.items():
        lines.append(f"  {currency}: debits {totals.debits:,}, credits {totals.credits:,}: {totals.difference:,} apart")
    for view in one.views:
        lines.append(f"  {told_of_view(view)}")
        if view.position < one.position:
            lines.append(f"  {view.projection} is {one.position - view.position:,} events behind the log")
    return "\n".join(lines)


def _told_of_seal(seal: SealReport) -> str:
    if seal.fault is None:
        unsigned = f", {seal.unsigned} of them signed by nobody we know" if seal.unsigned else ""
        return (
            f"  seal: {seal.size:,} events under root {seal.root[:16]}…; {seal.checkpoints:,} checkpoints of ours"
            f" and {seal.kept:,} that were kept agree{unsigned}"
        )
    where = f"position {seal.from_position:,}"
    if seal.to_position is not None:
        where = f"positions {seal.from_position:,} to {seal.to_position:,}"
    return f"  seal: BROKEN at {where}: {seal.words} ({seal.fault}, exit code {seal.exit_code})"
