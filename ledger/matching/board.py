"""The board: all rows and items in a fixed order, what has become of each, and the rules by which two agree."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import pairwise
from operator import attrgetter

from ledger.matching.outcome import Break, BreakType, Difference, Duplicate, FoundBy, Match
from ledger.matching.policy import BusinessDays, Policy, day_in
from ledger.matching.proposals import proposal_of
from ledger.matching.sides import NO_NAMES, Item, Row

# What has become of a row or an item. A byte for each: there may be millions.
OPEN, MATCHED, BROKEN, WAITING, DUPLICATE, QUIET = range(6)
ANNOUNCED = 6  # a row that is no money yet
SPOKEN_FOR = 7  # a row that names an item which has another row already: nothing else is sought for it

Names = dict[str, int | list[int]]
"""Which items a name names: mostly one."""


class Board:
    """Rows and items are spoken of by their places (`n` a row's, `k` an item's), in the order of `rows` and `items`."""

    def __init__(self, rows: Iterable[Row], items: Iterable[Item], policy: Policy, now: datetime) -> None:
        self.policy = policy
        self.rows = sorted(rows, key=attrgetter("id"))
        self.items = sorted(items, key=attrgetter("id"))
        _refuse_twins(row.id for row in self.rows)
        _refuse_twins(item.id for item in self.items)
        self.rows.sort(key=attrgetter("order"))
        self.row_states = bytearray(len(self.rows))
        self.item_states = bytearray(len(self.items))
        self.names = _names_of(self.items)
        self.matches: dict[int, Match] = {}
        """By the place of their first row."""
        self.breaks: list[Break] = []
        self.duplicates: list[Duplicate] = []
        self.days = BusinessDays(policy.calendar)
        today = day_in(policy.zone, now)
        if today is None:
            raise AssertionError("nobody said which day it is")
        self._first_old_day = self.days.number(today) - policy.wait_days
        self._tolerated: dict[str, int] = {}
        for n, row in enumerate(self.rows):
            if not row.posted:
                self.row_states[n] = ANNOUNCED
        for k, item in enumerate(self.items):
            if item.state == "settled":
                self.item_states[k] = QUIET

    def keep(self, earlier: Iterable[Match]) -> None:
        """Takes over what was matched before, whatever would be found today."""
        earlier = list(earlier)
        if not earlier:
            return
        row_places = {row.id: n for n, row in enumerate(self.rows)}
        item_places = {item.id: k for k, item in enumerate(self.items)}
        for match in earlier:
            if not row_places.keys() >= {*match.rows} or not item_places.keys() >= {*match.items}:
                raise AssertionError(f"{match} is of what is not here")
            ns = sorted(row_places[row] for row in match.rows)
            for n in ns:
                _take(self.row_states, n, MATCHED)
            for item in match.items:
                _take(self.item_states, item_places[item], MATCHED)
            self.matches[ns[0]] = match

    def named(self, kind: str, name: str) -> Sequence[int]:
        """The items of this kind that this names, settled or not."""
        found = self.names.get(kind, {}).get(name) if name else None
        if found is None:
            return ()
        return (found,) if isinstance(found, int) else found

    def settle(self, ns: list[int], ks: list[int], found_by: FoundBy) -> None:
        """Brings together what belongs together: a match, or a break of what differs too much. One currency."""
        rows, items = [self.rows[n] for n in ns], [self.items[k] for k in ks]
        ours, theirs = sum(item.gross for item in items), sum(row.gross for row in rows)
        if any(item.state == "failed" for item in items):
            self.break_off("status_behind", ns, ks)
            return
        if not self.policy.amount.allows(ours, theirs):
            self.break_off(type_of_difference(ns, ks, ours, theirs), ns, ks)
            return
        fee = _fee_difference(rows, items)
        if fee is not None and not self.policy.fee.allows(fee.ours, fee.theirs):
            self.break_off("fee", ns, ks)
            return
        if not self.tolerates(items[0].currency, abs(theirs - ours)):
            self.break_off(type_of_difference(ns, ks, ours, theirs), ns, ks)
            return
        differences = (Difference("amount", ours, theirs),) if ours != theirs else ()
        self.match(ns, ks, found_by, (*differences, fee) if fee else differences)

    def tolerates(self, currency: str, difference: int) -> bool:
        """Whether one more difference is within what all may come to; if so, it counts."""
        most = self.policy.tolerated_at_most
        if difference and most is not None:
            sum_of_all = self._tolerated.get(currency, 0) + difference
            if sum_of_all > most:
                return False
            self._tolerated[currency] = sum_of_all
        return True

    def match(
        self, ns: Sequence[int], ks: Sequence[int], found_by: FoundBy, differences: tuple[Difference, ...] = ()
    ) -> None:
        items = [self.items[k] for k in ks]
        self.matches[ns[0]] = Match(
            tuple(self.rows[n].id for n in ns),
            tuple(item.id for item in items),
            found_by,
            differences,
            tuple(item.id for item in items if item.state == "unknown"),
        )
        for n in ns:
            self.row_states[n] = MATCHED
        for k in ks:
            self.item_states[k] = MATCHED

    def break_off(
        self,
        what: BreakType,
        ns: Sequence[int],
        ks: Sequence[int],
        related: Sequence[int] = (),
        sums: tuple[int, int] | None = None,
    ) -> None:
        """Reports a break of rows and items, which are settled by it; `sums` are ours and theirs where not of gross."""
        rows, items = [self.rows[n] for n in ns], [self.items[k] for k in ks]
        ours, theirs = sums or (sum(item.gross for item in items), sum(row.gross for row in rows))
        kinds = [row.kind for row in rows] or [item.kind for item in items]
        currency = items[0].currency if items else rows[0].currency
        their_currency = rows[0].currency if rows and rows[0].currency != currency else ""
        proposal = proposal_of(what, rows, items, (ours, theirs))
        days = [day for day in (*map(self.day_of_row, ns), *map(self.day_of_item, ks)) if day is not None]
        self.breaks.append(
            Break(
                type=what,
                side="both" if rows and items else "theirs" if rows else "ours",
                rows=tuple(row.id for row in rows),
                items=tuple(item.id for item in items),
                kind=kinds[0],
                currency=currency,
                ours=ours,
                theirs=theirs,
                at_risk=_at_risk(what, rows, items, ours, theirs),
                their_currency=their_currency,
                related=tuple(self.items[k].id for k in related),
                since=min(days, default=None),
                proposal=proposal,
            )
        )
        for n in ns:
            self.row_states[n] = BROKEN
        for k in ks:
            self.item_states[k] = BROKEN

    def wait(self, ns: Iterable[int], ks: Iterable[int] = ()) -> None:
        for n in ns:
            self.row_states[n] = WAITING
        for k in ks:
            self.item_states[k] = WAITING

    def day_of_row(self, n: int) -> date | None:
        row = self.rows[n]
        return day_in(self.policy.zone, row.at) or row.value_date

    def day_of_item(self, k: int) -> date | None:
        return day_in(self.policy.zone, self.items[k].at)

    def may_wait(self, day: date | None) -> bool:
        """Whether what is of this day is young; what has no day has waited long enough."""
        return day is not None and self.days.number(day) > self._first_old_day

    def open_rows(self) -> list[int]:
        return [n for n, state in enumerate(self.row_states) if state == OPEN]

    def open_items(self) -> list[int]:
        return [k for k, state in enumerate(self.item_states) if state == OPEN]


def type_of_difference(ns: Sequence[int], ks: Sequence[int], ours: int, theirs: int) -> BreakType:
    """What it is called that two sums differ: of one for one the amount, of more a split that does not add up."""
    if len(ns) == len(ks) == 1:
        return "amount_ours_more" if ours > theirs else "amount_ours_less"
    return "split"


def _fee_difference(rows: list[Row], items: list[Item]) -> Difference | None:
    """None where the fees agree, or cannot be compared: we expect none, or it is in another currency."""
    expected = [item.fee for item in items if item.fee is not None]
    if len(expected) < len(items) or any(row.fee_currency for row in rows):
        return None
    ours, theirs = sum(expected), sum(row.fee for row in rows)
    return None if ours == theirs else Difference("fee", ours, theirs)


def _at_risk(what: BreakType, rows: list[Row], items: list[Item], ours: int, theirs: int) -> int:
    match what:
        case "fee":
            return abs(sum(row.fee for row in rows) - sum(item.fee or 0 for item in items))
        case "amount_ours_less" | "amount_ours_more" | "split":
            return abs(theirs - ours)
        case "currency":
            return abs(ours)
    return max(abs(ours), abs(theirs))


def _names_of(items: list[Item]) -> dict[str, Names]:
    """By kind and name, in the order of the items."""
    of_kinds: dict[str, Names] = {}
    for k, item in enumerate(items):
        names = of_kinds.setdefault(item.kind, {})
        for name in item.our_references + item.channel_references:
            found = names.setdefault(name, k)
            if found == k:
                continue
            if isinstance(found, int):
                names[name] = [found, k]
            elif found[-1] != k:
                found.append(k)
    for names in of_kinds.values():
        for name in NO_NAMES:
            names.pop(name, None)
    return of_kinds


def _refuse_twins(sorted_ids: Iterable[str]) -> None:
    if any(one == other for one, other in pairwise(sorted_ids)):
        raise AssertionError("two rows, or two items, of one id")


def _take(states: bytearray, place: int, state: int) -> None:
    if states[place] != OPEN:
        raise AssertionError("an earlier match holds what another one holds, or what is only announced")
    states[place] = state
