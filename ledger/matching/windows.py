"""Windows: pass (c), rows without a name that can only be one item, by amount, currency, day and party.

Nothing here is a product of two sides: whoever may meet stands in a common slot, sorted by day, and is counted there
by bisection, however many have the same amount.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from ledger.matching.board import Board
from ledger.matching.sides import BANK_KINDS, Item, Row, is_name

Slot = tuple[str, str, int, str, str]
"""Kind, currency, amount; whether its rows bear an id of the channel; party.

A row and an item that may be the same have exactly one slot in common, others none, so that counts can be added.
"""
_ANY, _NONE, _NAMED, _NAMELESS = "any", "none", "named", "nameless"


class _Sorted:
    """Places of rows, or of items, in their slots, sorted by day."""

    def __init__(self) -> None:
        self._slots: dict[Slot, list[tuple[int, int]]] = {}

    def put(self, slot: Slot, day: int, place: int) -> None:
        self._slots.setdefault(slot, []).append((day, place))

    def sort(self) -> None:
        for entries in self._slots.values():
            entries.sort()

    def only_one(self, slots: Iterator[Slot], day: int, window: int) -> int | None:
        """The one that is near this day in these slots; None where there is none, or more than one."""
        only: int | None = None
        for slot in slots:
            entries = self._slots.get(slot)
            if entries is None:
                continue
            begin, end = bisect_left(entries, (day - window, -1)), bisect_right(entries, (day + window + 1, -1))
            if end - begin > 1 or (end > begin and only is not None):
                return None
            if end > begin:
                only = entries[begin][1]
        return only


def match_by_window(board: Board) -> None:
    """Pass (c): unique on both sides, or not at all. Who is not sure of one stays as he is."""
    window = board.policy.window_days
    rows, items = _Sorted(), _Sorted()
    row_days, item_days = dict[int, int](), dict[int, int]()
    for n in board.open_rows():
        day = board.day_of_row(n)
        if day is not None:
            row_days[n] = board.days.number(day)
            for slot in _slots_of_row(board.rows[n]):
                rows.put(slot, row_days[n], n)
    if not row_days:
        return
    for k in board.open_items():
        day = board.day_of_item(k)
        # How a payment ended is not concluded from an amount.
        if day is not None and board.items[k].state == "booked":
            item_days[k] = board.days.number(day)
            for slot in _slots_of_item(board.items[k]):
                items.put(slot, item_days[k], k)
    rows.sort()
    items.sort()
    found = list[tuple[int, int]]()
    for n, day_of_row in row_days.items():
        only = items.only_one(_slots_of_row(board.rows[n]), day_of_row, window)
        if only is not None and rows.only_one(_slots_of_item(board.items[only]), item_days[only], window) == n:
            found.append((n, only))
    for n, k in found:
        board.settle([n], [k], "window")


def _slots_of_row(row: Row) -> Iterator[Slot]:
    """Where an item may be met. A channel's row has to say whose it is, and may not name what we do not know."""
    kind, currency, gross = row.kind, row.currency, row.gross
    if kind in BANK_KINDS:
        if kind == "debit" and is_name(row.our_reference):
            return
        if row.party:
            yield kind, currency, gross, _ANY, row.party
            yield kind, currency, gross, _NONE, ""
        else:
            yield kind, currency, gross, _ANY, ""
    elif row.party and not is_name(row.our_reference):
        yield kind, currency, gross, _NAMED if is_name(row.external_id) else _NAMELESS, row.party


def _slots_of_item(item: Item) -> Iterator[Slot]:
    """Where a row may be met. An item that has a name at the channel does not go to a row with another one."""
    kind, currency, gross = item.kind, item.currency, item.gross
    if kind in BANK_KINDS:
        yield kind, currency, gross, _ANY, ""
        for party in dict.fromkeys(item.parties):
            if party:
                yield kind, currency, gross, _ANY, party
        if not item.parties:
            yield kind, currency, gross, _NONE, ""
    else:
        for party in dict.fromkeys(item.parties):
            yield kind, currency, gross, _NAMELESS, party
            if not item.channel_references:
                yield kind, currency, gross, _NAMED, party
