"""Moments: trial balances as the service drew them up for many positions, each held against the log itself."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ledger.events.accounts import AccountOpened
from ledger.posting_rules import movements_for
from ledger.store import follow
from ledger.store.connection import Database

_PAGE = 5_000
_NOTHING = (0, 0)

Sides = dict[str, tuple[int, int]]
"""Debits and credits of each account that is open, in minor units."""


def differences(
    database: Database, book: str, trials: Iterable[dict[str, Any]], told: Callable[[int, int], None]
) -> Iterator[str]:
    """What is wrong in them: sums that are apart, accounts that the log makes otherwise. `told` hears how far it is."""
    ordered = sorted(trials, key=lambda trial: int(trial["position"]))
    positions = [int(trial["position"]) for trial in ordered]
    for number, (trial, sides) in enumerate(zip(ordered, sides_at(database, book, positions), strict=True)):
        where = f"trial balance at {trial['position']}"
        yield from (
            f"{where}: {currency} {totals}" for currency, totals in trial["currencies"].items() if totals["difference"]
        )
        shown = {row["account"]: (row["debits"], row["credits"]) for row in trial["accounts"]}
        for account in sorted(shown.keys() | sides.keys()):
            if shown.get(account) != sides.get(account):
                yield f"{where}: {account} has {shown.get(account)}, and by the log {sides.get(account)}"
        told(number + 1, len(ordered))


def sides_at(database: Database, book: str, positions: Iterable[int]) -> Iterator[Sides]:
    """Every account after each of these positions, which ascend, added up from the first event on."""
    sides: Sides = {}
    facts = _log(database, book)
    reached = 0
    for position in positions:
        while reached < position:
            reached, event = next(facts)
            if isinstance(event, AccountOpened):
                sides[event.id] = _NOTHING
            for movement in movements_for(event):
                debits, credits_ = sides[movement.account]
                sides[movement.account] = debits + movement.debit, credits_ + movement.credit
        yield dict(sides)


def _log(database: Database, book: str) -> Iterator[tuple[int, Any]]:
    after = 0
    with database.connect() as connection, connection.cursor() as cursor:
        while page := follow.page(cursor, book, after=after, limit=_PAGE):
            yield from ((recorded.position, recorded.event) for recorded in page)
            after = page[-1].position
