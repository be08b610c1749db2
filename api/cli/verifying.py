"""`ledger verify`: everything that is derived from the log, held against the log.

positions        1, 2, 3, … without a hole, up to the log's head
balances         what the whole log adds up to, account by account
trial balance    debits equal credits, in each currency
views            what a rebuild beside them makes, row by row
"""

import asyncio

import msgspec
import typer

from api.cli.books import database_of
from api.cli.terminal import AsJson, answer, progress, saying_why
from api.cli.upkeep import OfBook, shown_on, told_of_view
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
    balances: RecountReport | None = None
    trial_balance: dict[str, Totals] = {}
    views: list[RebuildReport] = []
    is_right: bool = False


def verify(book: OfBook = None, as_json: AsJson = False) -> None:
    """Hold balances, trial balance and views against the log; nothing is changed.

    Ends with 0 when all is right, with 1 when something is not, with 2 when there is no such book.
    """
    database, books = database_of(book)
    found = [Verified(one) for one in books]
    with saying_why(), progress() as bar:
        for one in found:
            try:
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
        raise typer.Exit(1)


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
        and one.balances is not None
        and one.balances.is_equal
        and not any(totals.difference for totals in one.trial_balance.values())
        and all(view.is_equal for view in one.views)
    )


def _told(one: Verified) -> str:
    if one.trouble is not None:
        return f"{one.book}: WRONG: {one.trouble}"
    lines = [f"{one.book}: {'all is right' if one.is_right else 'WRONG'} at position {one.position:,}"]
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
